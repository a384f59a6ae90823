"""Say in a sentence why a page's message is refused: the field, what is allowed there, and what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import inspect
from msgspec.structs import FieldInfo, fields

from .messages import PageMessage


def refusal(content: Mapping[Any, Any], kind: type[PageMessage]) -> str | None:
    """Return the sentence on the first field of a message that is not allowed; None if every field is."""
    for field in fields(kind):
        if field.name not in content and not field.required:
            continue
        value = content.get(field.name)
        try:
            msgspec.convert(value, field.type)
        except (msgspec.ValidationError, RecursionError):
            return f"{field.name} must be {allowed(field)}, not {shown(value)}."
    return None


def allowed(field: FieldInfo) -> str:
    """Describe the values that a field may have."""
    if get_origin(field.type) is Literal:
        # In the declared order, which `inspect` does not keep.
        return f"one of {', '.join(get_args(field.type))}"
    return _described(inspect.type_info(field.type))


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
