"""Check, before anything is loaded, that a widget's model can run in its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ...errors import SettingError
from ..front_end import Engine
from ..remote.address import is_address

if TYPE_CHECKING:
    from ...session.listening import ListeningModel

INSTEAD = 'Make the widget with engine="kernel", the default'
"""What a person does whose model cannot run in the page, for the sentences of refusals."""


def check_suitable(model: str | Path | ListeningModel, engine: Engine) -> None:
    """Check that a session with this model can run where `engine` says.

    A name is checked when the model is loaded; a `Model` is checked at once.

    Raises
    ------
    SettingError
        If `engine` is unknown, or the model is a policy or on a class server.
    ExportError
        If a loaded model is too large or quantised.
    """
    if engine not in get_args(Engine):
        raise SettingError(f"engine must be one of {', '.join(get_args(Engine))}, not {engine!r:.80}.", ("engine",))
    if engine == "kernel":
        return
    if is_address(model):
        raise SettingError(f"The model of a class server cannot run in the page. {INSTEAD}.", ("engine",))
    if isinstance(model, (str, Path)) or not hasattr(model, "take_turns"):
        return
    if model.language is None:
        raise SettingError(
            f"The policy {model.name} is a program of Python and cannot run in the page. {INSTEAD}.", ("engine",)
        )
    from ...model.onnx.export import check_exportable

    check_exportable(model.language)
