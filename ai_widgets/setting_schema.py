"""Schema of settings: each setting is declared once, and everything else is derived from the declaration.

A settings class is a frozen dataclass with fields made by `setting`: the annotation has the type, the call has default,
bounds and texts. From this declaration follow the check of a value, `of`, `changed` and `to_json`, the class's
documentation, the option of the command line (`cli.setting_options`), the row of the README's table and the
field of the page's settings panel (`Setting.described`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from types import NoneType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from .errors import SettingError

MAX_QUOTED = 60
"""Most characters of a given value in an error; Python refuses to write numbers with thousands of digits."""
MAX_NUMBER = 2**63 - 1
"""Largest number of a setting that declares none: tensors and JSON readers hold no larger whole number."""

Kind = Literal["bool", "int", "float", "str", "choice"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Declaration of one setting.

    Attributes
    ----------
    name, kind, optional
        From the field: its name, the type of its annotation, and whether None is allowed.
    default
        Value of a setting that was not given.
    label
        Title of its field on the page.
    help
        Effect of the setting, in one sentence, with Python names in backquotes.
    more
        Further sentences for the documentation.
    group
        Group of the setting in the panel and in the command line's help; empty for a setting without a field.
    unset
        Meaning of None.
    low, high, above
        Bounds of a number (`high` with `low`); `above`: `low` itself is not allowed.
    longest, lines
        Largest number of characters of a text, and number of lines of its field.
    choices
        Allowed words, each with its effect.
    scale
        For a slider from −reach to reach: the reach, and the labels at both ends.
    """

    name: str = ""
    kind: Kind = "str"
    optional: bool = False
    default: Any
    label: str
    help: str
    more: str = ""
    group: str
    unset: str = ""
    low: float | None = None
    high: float | None = None
    above: bool = False
    longest: int | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[float, str, str] | None = None
    lines: int = 1

    @property
    def allowed(self) -> str:
        """Allowed values in words, as in "a whole number from 0 to 100"."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind == "str":
            return "text" if self.longest is None else f"text of at most {self.longest} characters"
        if self.kind == "bool":
            return "True or False"
        noun = "a whole number" if self.kind == "int" else "a number"
        if self.low is not None and self.high is not None:
            return f"{noun} {f'above {self.low} and at most' if self.above else f'from {self.low} to'} {self.high}"
        return noun if self.low is None else f"{noun} {'above' if self.above else 'of at least'} {self.low}"

    @property
    def standard(self) -> str:
        """Default in words: the meaning of None, or the value."""
        return self.unset if self.default is None else repr(self.default)

    def checked(self, value: object) -> Any:
        """Return `value` as a plain value that JSON knows.

        Raises
        ------
        SettingError
            Names the setting, what is allowed and what was given.
        """
        if value is None and self.optional:
            return None
        kept = self._kept(value)
        if kept is None:
            raise SettingError(f"{self.name} must be {self.allowed}, not {_quoted(value)}.", (self.name,))
        return kept

    def _kept(self, value: object) -> Any:
        """Return the plain value; None where it is not allowed."""
        if self.kind in ("choice", "str"):
            known = isinstance(value, str) and (self.kind == "str" or value in self.choices)
            return str(value) if known and len(str(value)) <= (self.longest or math.inf) else None
        if self.kind == "bool":
            return bool(value) if isinstance(value, (bool, np.bool_)) else None
        if isinstance(value, bool) or not isinstance(value, Integral if self.kind == "int" else Real):
            return None
        # The bounds come before the conversion: a whole number may be too large for a float.
        number: Any = value
        above = self.low is None or (number > self.low if self.above else number >= self.low)
        if not above or not number <= (MAX_NUMBER if self.high is None else self.high):
            return None
        return int(number) if self.kind == "int" else float(number)

    def option(self) -> tuple[str, dict[str, Any]]:
        """Return the name of the command line's option and what `argparse` takes with it."""
        name, words = self.name.replace("_", "-"), plain(self.help)
        how: dict[str, Any]
        if self.kind == "bool":
            name, action = (f"no-{name}", "store_false") if self.default else (name, "store_true")
            how = {"action": action, "help": f"Switch off: {words}" if self.default else words}
        else:
            does = "".join(f" {word}: {does}." for word, does in self.choices.items())
            how = {"help": f"{words}{does} Default: {plain(self.standard)}."}
            if self.kind == "choice":
                how["choices"] = tuple(self.choices)
            else:
                how |= {"type": {"int": int, "float": float, "str": str}[self.kind], "metavar": self.kind.upper()}
        return f"--{name}", {"dest": self.name, "default": self.default, **how, "help": how["help"].replace("%", "%%")}

    def described(self) -> dict[str, Any]:
        """Return the attributes that the page needs for the field, as plain values."""
        return {
            "name": self.name, "kind": self.kind, "group": self.group, "label": self.label, "help": plain(self.help),
            "unset": plain(self.unset), "lines": self.lines, "default": self.default,
            "choices": [[word, plain(does)] for word, does in self.choices.items()],
            "scale": None if self.scale is None else list(self.scale),
        }  # fmt: skip


def setting(default: Any, help: str, **more: Any) -> Any:  # noqa: A002 - argparse's word
    """Declare a setting as the field of a settings class.

    Parameters
    ----------
    default, help, **more
        Attributes of `Setting`, of which `label` and `group` are required and the first three are read off the field.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @declared
    ... @dataclass(frozen=True, kw_only=True)
    ... class Loudness(Declared):
    ...     gain: float = setting(1.0, "Factor of the samples.", label="Gain", group="Audio", low=0, high=10)
    >>> Loudness(gain=11)
    Traceback (most recent call last):
    ai_widgets.errors.SettingError: gain must be a number from 0 to 10, not 11.
    """
    return field(default=default, metadata={Setting: Setting(default=default, help=help, **more)})


D = TypeVar("D", bound="Declared")


class Declared:
    """Base of a settings class: a frozen dataclass of `setting` fields under the decorator `declared`."""

    schema: ClassVar[tuple[Setting, ...]] = ()
    """Declarations in the order of the fields."""

    def __post_init__(self) -> None:
        for each in self.schema:
            object.__setattr__(self, each.name, each.checked(getattr(self, each.name)))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the settings."""
        return tuple(each.name for each in cls.schema)

    @classmethod
    def of(cls: type[D], values: Mapping[str, Any]) -> D:
        """Return settings with `values` by name.

        Raises
        ------
        SettingError
            A value is not allowed, or a name is unknown; then the sentence suggests the nearest one.
        """
        known = cls.names()
        for name in values:
            if name not in known:
                raise SettingError.unknown(name, known)
        return cls(**values)

    def changed(self: D, **values: Any) -> D:
        """Return a copy with some settings changed; raises what `of` raises."""
        return self.of({**self.to_json(), **values})

    def to_json(self) -> dict[str, Any]:
        """Return all settings as plain values."""
        return {name: getattr(self, name) for name in self.names()}


def declared(cls: type[D]) -> type[D]:
    """Complete a settings class: build its schema from the fields, and document each field with its help.

    Raises
    ------
    TypeError
        A field has a type that no setting has, or its choices are not the words of its annotation.
    """
    hints = get_type_hints(cls)
    cls.schema = tuple(
        _of_type(replace(item.metadata[Setting], name=item.name), hints[item.name])
        for item in fields(cls)  # type: ignore[arg-type]
    )
    rows = (
        f"{each.name} : {each.allowed}{' or None' if each.optional else ''}, default {each.standard}\n"
        f"    {' '.join(filter(None, (each.help, each.more)))}"
        for each in cls.schema
    )
    cls.__doc__ = "\n".join((inspect.cleandoc(cls.__doc__ or ""), "", "Attributes", "----------", *rows))
    return cls


def _of_type(of: Setting, annotation: Any) -> Setting:
    optional = NoneType in get_args(annotation)
    only = next(each for each in get_args(annotation) if each is not NoneType) if optional else annotation
    if get_origin(only) is Literal:
        if get_args(only) != tuple(of.choices):
            raise TypeError(f"{of.name} is annotated with {get_args(only)} but has the choices {tuple(of.choices)}.")
        return replace(of, kind="choice", optional=optional)
    if only not in (bool, int, float, str):
        raise TypeError(f"{of.name} is annotated with {annotation}, which is the type of no setting.")
    return replace(of, kind=only.__name__, optional=optional)


def plain(words: str) -> str:
    """Return a sentence without the backquotes that mark names."""
    return words.replace("`", "")


def _quoted(value: object) -> str:
    if isinstance(value, str) and len(value) > MAX_QUOTED:
        return f"text of {len(value)} characters"
    if isinstance(value, int) and abs(value) >= 10**MAX_QUOTED:
        return "a number of many digits"
    if isinstance(value, (dict, list, tuple, set)):
        return f"a {type(value).__name__}"
    written = repr(value)
    return written if len(written) <= MAX_QUOTED else f"a value of type {type(value).__name__}"
