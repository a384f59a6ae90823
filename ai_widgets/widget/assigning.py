"""Refuse assignments that would have no effect, with a sentence that names the call to use instead.

A widget is an ordinary object, so ``w.bias = 1`` would only attach an attribute, and ``w.settings["bias"] = 2`` would
only change the displayed copy.
"""

from __future__ import annotations

import difflib
from typing import Any, NoReturn

from ..errors import ReadOnlyError
from .live_settings import LIVE_NAMES, SESSION_NAMES

SET = "settings are changed with w.set(name=value), such as w.set(bias=1)"
LONGEST_VALUE = 40
"""Characters of a value's repr that an error repeats; a longer value is replaced by an ellipsis."""


class ReadOnlyDict(dict[str, Any]):
    """A read-only dict of state. Copies are plain dicts.

    Parameters
    ----------
    values
        Items of the dict.
    way
        How to change the state instead, as the end of a sentence.
    """

    def __init__(self, values: dict[str, Any], way: str) -> None:
        super().__init__(values)
        self._way = way

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ReadOnlyError(f"This dict is read-only; {self._way}.")

    def __setitem__(self, name: str, value: Any) -> NoReturn:
        if name in SESSION_NAMES or name in LIVE_NAMES:
            raise ReadOnlyError(f"This dict is read-only; to change {name}, call {_call(name, value)}.")
        self._refuse()

    __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def copy(self) -> dict[str, Any]:
        """Return a plain dict with the same items."""
        return dict(self)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def check_assignment(widget: object, name: str, value: Any, *, derived: bool) -> None:
    """Refuse an attribute that the widget's class does not define.

    Names with a leading underscore belong to the libraries and are allowed. A subclass of the widget (`derived`) may
    define further attributes, but none with the name of a setting.

    Raises
    ------
    ReadOnlyError
        Names the call to use instead, or the closest known attribute.
    """
    if name.startswith("_") or hasattr(type(widget), name):
        return
    if name in SESSION_NAMES or name in LIVE_NAMES:
        raise ReadOnlyError(f"{name} is not changed by assigning to it; call {_call(name, value)}.")
    if derived:
        return
    settings = difflib.get_close_matches(name, (*SESSION_NAMES, *LIVE_NAMES), n=1)
    if settings:
        raise ReadOnlyError(
            f"There is no attribute {name!r} to assign; for the setting {settings[0]} call {_call(settings[0], value)}."
        )
    public = [known for known in dir(type(widget)) if not known.startswith("_")]
    near = difflib.get_close_matches(name, public, n=1)
    hint = f"did you mean {near[0]}? And {SET}" if near else SET
    raise ReadOnlyError(f"There is no attribute {name!r} to assign; {hint}.")


def _call(name: str, value: object) -> str:
    shown = repr(value)
    return f"w.set({name}={shown if len(shown) <= LONGEST_VALUE else '…'})"
