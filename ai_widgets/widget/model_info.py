"""Description of the widget's model for its pages: the trait `model_info` and the message `model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import SettingError
from ..session.listening import Described
from ..settings import Settings
from .loading import ModelSource
from .wire.failures import describe
from .wire.token_table import UNKNOWN, vocabulary


def describe_model(name: str, source: ModelSource, settings: Settings, prefix: Sequence[int] | None) -> dict[str, Any]:
    """Return status, kind, name, detail and token table of a model that is loading, loaded or failed to load.

    The kind is `policy` for a baseline, which has no tokens, no logits and no context; else `model`.

    Parameters
    ----------
    name
        Name of the model, as the widget was given it.
    source
        Loads the model, and says how far loading is.
    settings
        Settings of the session.
    prefix
        Token ids of the prefix in the context; None for the prefix that a new session will feed.
    """
    info: dict[str, Any] = {"status": source.status, "kind": "model", "name": name, "detail": "", **UNKNOWN}
    if info["status"] == "loading" and source.progress is not None:
        info["detail"] = dict(zip(("done", "total"), source.progress, strict=True))
    elif (model := source.loaded) is not None:
        info["detail"] = model.detail
        if isinstance(model, Described):
            info.update(model.table)
            return info
        language = model.language
        if language is None:
            info["kind"] = "policy"
            return info
        try:
            info.update(vocabulary(language, settings, prefix))
        except SettingError as error:
            # The settings were chosen before the model was loaded, and the model does not support them.
            info["detail"] = f"{language.placement}. {error}"
    elif info["status"] == "failed" and source.failure is not None:
        info["detail"] = describe(source.failure)
    return info
