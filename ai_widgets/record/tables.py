"""Tables of a record: one row per event, flat columns (`COLUMNS`), and detail columns on request (`DETAILS`).

A column of `COLUMNS` holds numbers, text or None; lists and mappings of an event are counted, joined or omitted there,
and complete in the columns of `DETAILS`. Times are in seconds (`start_s`: start of the chunk on the session's audio
clock), or in milliseconds if the name ends in `_ms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from ..protocol import CHUNK_SECONDS, EVENT_TYPES, Chunk, Decision, Event, Notice, Timing, Token, Turn

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Mapping[type[Event], tuple[str, ...]] = {
    Chunk: ("chunk", "clip", "start_s", "rms_db", "flags"),
    Decision: (
        *("chunk", "clip", "start_s", "choice", "p_text", "p_keep", "p_other", "logit_text", "logit_keep"),
        *("token", "p_drawn", "draw", "argmax", "position", "oldest", "used", "limit"),
    ),
    Token: ("chunk", "turn", "index", "start_s", "text", "token", "p", "p_drawn", "draw", "argmax", "position"),
    Turn: ("chunk", "turn", "clip", "start_s", "emotion", "text", "tokens", "ended"),
    Notice: ("chunk", "start_s", "kind", "message"),
    Timing: (
        *("chunk", "start_s", "features_ms", "tower_ms", "decide_ms", "reply_ms", "queue_ms", "encode_wait_ms"),
        *("capture_ms", "network_ms", "arrived_ms", "decided_ms", "stream", "seq"),
    ),
}
"""Columns of each table. A column named like a field of the event (`protocol`) holds that field, with three exceptions:
`flags` are joined by spaces, `tokens` of a turn is their number, and `start_s` is computed for every event."""

DETAILS: Mapping[type[Event], tuple[str, ...]] = {
    Chunk: ("envelope", "mel", "floor", "lead"),
    Decision: (
        *("alternatives", "before", "rule_greedy", "rule_temperature", "rule_top_k", "rule_top_p"),
        *("rule_bias", "rule_mask", "rule_seed", "rule_forced"),
    ),
    Token: ("alternatives",),
    Turn: ("token_ids",),
    Notice: ("data",),
    Timing: (),
}
"""Columns added by ``details=True``: lists and mappings of the event, and the sampling rule of a decision."""

_MADE: Mapping[tuple[type[Event], str], Callable[[Any], Any]] = {
    (Chunk, "flags"): lambda event: " ".join(event.flags),
    (Turn, "tokens"): lambda event: len(event.tokens),
    (Turn, "token_ids"): lambda event: list(event.tokens),
    (Turn, "emotion"): lambda event: None if event.emotion is None else event.emotion.value,
    (Decision, "alternatives"): lambda event: event.to_json()["alternatives"],
    (Token, "alternatives"): lambda event: event.to_json()["alternatives"],
}


def table(events: Iterable[Event], kind: type[Event] | str, *, details: bool = False) -> pd.DataFrame:
    """Build a table with one row per event.

    Parameters
    ----------
    events
        Events of one kind.
    kind
        Event class, or its name: `chunk`, `decision`, `token`, `turn`, `notice`, `timing`.
    details
        Also include the columns of `DETAILS`.

    Returns
    -------
    pandas.DataFrame
        The columns of `COLUMNS`, and of `DETAILS` if asked for.

    Raises
    ------
    SettingError
        If there is no such kind.
    """
    chosen, given = kind_of(kind), list(events)
    columns = [*COLUMNS[chosen], *(DETAILS[chosen] if details else ())]
    return _frame({column: [_value(event, chosen, column) for event in given] for column in columns})


def columns_table(
    columns: Callable[[Iterable[str]], dict[str, list[Any]] | None], kind: type[Event]
) -> pd.DataFrame | None:
    """Build the table of a kind from whole columns, without details.

    Parameters
    ----------
    columns
        Returns the values of the named fields for all events, or None if there is no column of one of them. It is
        called once, so that all columns end at the same event while another thread appends.
    kind
        Event class.

    Returns
    -------
    pandas.DataFrame or None
        None if a column is missing; `table` builds the table from the events then.
    """
    found = columns([name for name in COLUMNS[kind] if name != "start_s"])
    if found is None:
        return None
    if "flags" in found:
        found["flags"] = [" ".join(flags) for flags in found["flags"]]
    # Computed for every kind: tokens have no field of that name.
    found["start_s"] = [chunk * CHUNK_SECONDS for chunk in found["chunk"]]
    return _frame({name: found[name] for name in COLUMNS[kind]})


def _frame(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """Build a table of columns. Those of text hold Python objects, since a model's text may be no valid Unicode."""
    import pandas as pd

    kinds = {name: {*map(type, values)} for name, values in columns.items()}
    objects = {name for name, types in kinds.items() if not types or types & {str, list, dict}}
    return pd.DataFrame({name: pd.Series(v, dtype=object if name in objects else None) for name, v in columns.items()})


def kind_of(kind: type[Event] | str) -> type[Event]:
    """Return the event class of a kind, given as its name or the class itself.

    Raises
    ------
    SettingError
        If there is no such kind.
    """
    found = EVENT_TYPES.get(kind) if isinstance(kind, str) else kind
    if found is None or found not in COLUMNS:
        raise SettingError(f"There is no table {kind!r}; the tables are {', '.join(EVENT_TYPES)}.")
    return found


def _value(event: Event, kind: type[Event], column: str) -> Any:
    made = _MADE.get((kind, column))
    if made is not None:
        return made(event)
    if column == "start_s":
        return event.chunk * CHUNK_SECONDS
    if column.startswith("rule_") and isinstance(event, Decision):
        return event.rule.get(column.removeprefix("rule_"))
    value = getattr(event, column)
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
