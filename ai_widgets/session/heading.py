"""Heading of a record: what a session notes about itself before its first chunk."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from .. import __version__
from ..model.interfaces import LanguageModel
from ..record.header import Header
from ..settings import Settings
from .listening import Described, ListeningModel


def heading(model: ListeningModel, settings: Settings) -> Header:
    """Return model, settings, framing and versions: what a viewer needs without the model, and a replay with it.

    Raises
    ------
    SettingError
        If the context is too short for the prefix and one chunk, or a setting does not apply to the model.
    """
    if isinstance(model, Described):
        return model.heading(settings)
    framing = model.framing(settings)
    language = model.language
    return Header(
        model={"name": model.name, "kind": "policy", "detail": model.detail} if language is None else _facts(language),
        settings=settings.to_json(),
        framing={
            "prefix": list(framing.prefix),
            "block": list(framing.block),
            "limit": framing.limit,
            "texts": {} if language is None else _texts(language, {*framing.prefix, *framing.block}),
        },
        versions={
            "ai_widgets": __version__,
            "python": platform.python_version(),
            **({} if language is None else {"torch": _torch_version()}),
            "numpy": np.__version__,
            "system": f"{platform.system()} {platform.machine()}",
        },
    )


def _facts(model: LanguageModel) -> dict[str, Any]:
    # Not at the top: it needs torch, and a kernel whose model is on a class server has none.
    from ..model.fingerprint import fingerprint

    return {
        "name": model.name,
        "kind": "model",
        "revision": model.revision,
        "fingerprint": fingerprint(model),
        "device": str(model.placement.device),
        "dtype": str(model.placement.dtype).removeprefix("torch."),
        "placement": str(model.placement),
        "positions": model.positions,
        "traits": model.traits.to_json(),
        "threads": model.threads,
    }


@cache
def _torch_version() -> str:
    # Cached, since the lookup reads a file (2 ms), and every file of a folder may have a session of its own.
    return version("torch")


def _texts(model: LanguageModel, tokens: set[int]) -> dict[str, str]:
    return {str(token): model.token_text(token) for token in sorted(tokens)}
