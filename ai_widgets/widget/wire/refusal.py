"""Say in a sentence why a page's message is refused: the field, what is allowed there, and what was given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import inspect
from msgspec.structs import FieldInfo, fields

from .page_message import PageMessage


def refusal(content: Mapping[str, Any], kind: type[PageMessage]) -> str:
    """Return the sentence on the first field of a refused message that is not allowed."""
    for field, allowed in _fields(kind):
        if field.name not in content and not field.required:
            continue
        value = content.get(field.name)
        try:
            msgspec.convert(value, field.type)
        except (msgspec.ValidationError, RecursionError):
            return f"{field.name} must be {allowed}, not {shown(value)}."
    return "The message is not allowed."


@cache
def _fields(kind: type[PageMessage]) -> list[tuple[FieldInfo, str]]:
    """Return the fields of a message, each with the values that it may have.

    Cached: reading the annotations takes 0.2 ms, and a broken page may send thousands of bad messages a second.
    """
    return [(field, _allowed(field.type)) for field in fields(kind)]


def _allowed(kind: Any) -> str:
    if get_origin(kind) is Literal:
        # In the declared order, which `inspect` does not keep.
        return f"one of {', '.join(get_args(kind))}"
    return _described(inspect.type_info(kind))


def _described(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata(extra_json_schema={"description": words}):
            return str(words)
        case inspect.UnionType(types=types):
            return " or ".join(_described(each) for each in types)
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.FloatType(ge=low, le=high):
            return f"a number from {low:g} to {high:g}"
        case inspect.StrType(max_length=most):
            return "text" if most is None else f"text of at most {most} characters"
        case inspect.BoolType():
            return "true or false"
        case inspect.NoneType():
            return "null"
    return "a JSON object"


def shown(value: object) -> str:
    """Format a value of any type and size as a short text for an error message."""
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, (str, bytes)) and len(value) > 60:
        value = value[:60]
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return "a number of many digits"
    quoted = repr(value)
    return quoted if len(quoted) <= 60 else quoted[:57] + "…"
