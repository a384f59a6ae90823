"""Heading of a record: what a session notes about itself before its first chunk."""

from __future__ import annotations

import platform

import numpy as np
import torch

from .. import __version__
from ..model.checkpoint import LoadedModel
from ..model.fingerprint import fingerprint
from ..record.header import Header
from ..settings import Settings
from .framing import Framing


def heading(model: LoadedModel, settings: Settings) -> Header:
    """Return model, settings, framing and versions: what a viewer needs without the model, and a replay with it.

    Raises
    ------
    SettingError
        If the context is too short for the prefix and one chunk.
    """
    framing = Framing.of(model, settings)
    texts = {token: model.token_text(token) for token in {*framing.prefix, *framing.block}}
    return Header(
        model={
            "name": model.name,
            "revision": model.revision,
            "fingerprint": fingerprint(model),
            "device": str(model.placement.device),
            "dtype": str(model.placement.dtype).removeprefix("torch."),
            "placement": str(model.placement),
            "positions": model.positions,
            "traits": model.traits.to_json(),
        },
        settings=settings.to_json(),
        framing={
            "prefix": list(framing.prefix),
            "block": list(framing.block),
            "limit": framing.limit,
            "texts": {str(token): text for token, text in sorted(texts.items())},
        },
        versions={
            "ai_widgets": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "system": f"{platform.system()} {platform.machine()}",
            "threads": model.threads,
        },
    )
