"""Refuse assignments that would have no effect, with a sentence that names the call to use instead.

A widget is an ordinary object, so ``w.bias = 1`` would only attach an attribute, and ``w.settings["bias"] = 2`` would
only change the displayed copy.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NoReturn

import traitlets

from ..errors import ReadOnlyError, SettingError
from ..setting_schema import Declared
from .live_settings import LIVE_NAMES, SESSION_NAMES, parted

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


class StateTrait(traitlets.Dict):
    """A synced dict that only the kernel writes.

    Parameters
    ----------
    way
        How a user changes the state that it shows instead, as the end of a sentence.
    """

    def __init__(self, way: str) -> None:
        self._way = way
        super().__init__(read_only=True)
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> ReadOnlyDict:
        """Return the value as a dict that users cannot change."""
        return ReadOnlyDict(super().validate(obj, value) or {}, self._way)


def completed(name: str, values: Mapping[str, Any], settings: Declared) -> ReadOnlyDict:
    """Complete assigned settings with those in effect: what is assigned need not name everything.

    Parameters
    ----------
    name, values
        The trait (`settings` or `live`) and what was assigned to it.
    settings
        The settings in effect that the trait shows.

    Raises
    ------
    SettingError
        A name that the other trait holds, an unknown one, or a value that is not allowed.
    """
    for each in values:
        if (each in LIVE_NAMES) != (name == "live"):
            parted({each: None})
            raise SettingError(f"{each} belongs to `{'settings' if name == 'live' else 'live'}`, not to `{name}`.")
    return ReadOnlyDict(settings.changed(**values).to_json(), SET)


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
