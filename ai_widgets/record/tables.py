"""Tables of a record: one row an event, flat columns. `COLUMNS` says which; `DETAILS` what is there on request.

A column holds numbers, text or None: what is a list or a mapping in the event is counted, joined or left out, and comes
whole with ``details=True``. Times are in seconds (`start_s`: the start of the chunk on the session's audio clock), or
in milliseconds where the name ends in `_ms`.
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
        *("capture_ms", "arrived_ms", "decided_ms", "stream", "seq"),
    ),
}
"""Columns of each table; those of an event's name are the event's own fields (`protocol`), but `flags` are joined by a
space, `tokens` of a turn are counted, and `start_s` is known for all."""

DETAILS: Mapping[type[Event], tuple[str, ...]] = {
    Chunk: ("envelope", "mel"),
    Decision: (
        *("alternatives", "before", "rule_greedy", "rule_temperature", "rule_top_k", "rule_top_p"),
        *("rule_bias", "rule_mask", "rule_seed"),
    ),
    Token: ("alternatives",),
    Turn: ("token_ids",),
    Notice: ("data",),
    Timing: (),
}
"""Columns that come with ``details=True``: lists and mappings as the event has them, and a decision's sampling rule."""

_MADE: Mapping[tuple[type[Event], str], Callable[[Any], Any]] = {
    (Chunk, "flags"): lambda event: " ".join(event.flags),
    (Turn, "tokens"): lambda event: len(event.tokens),
    (Turn, "token_ids"): lambda event: list(event.tokens),
    (Turn, "emotion"): lambda event: None if event.emotion is None else event.emotion.value,
    (Decision, "alternatives"): lambda event: event.to_json()["alternatives"],
    (Token, "alternatives"): lambda event: event.to_json()["alternatives"],
}


def table(events: Iterable[Event], kind: type[Event] | str, *, details: bool = False) -> pd.DataFrame:
    """One row for each of the events.

    Parameters
    ----------
    events
        All of one kind.
    kind
        Their class, or its name: `chunk`, `decision`, `token`, `turn`, `notice`, `timing`.
    details
        With the columns of `DETAILS`.

    Raises
    ------
    SettingError
        There is no such kind.
    """
    import pandas as pd

    chosen = kind_of(kind)
    columns = [*COLUMNS[chosen], *(DETAILS[chosen] if details else ())]
    rows = [[_value(event, chosen, column) for column in columns] for event in events]
    return pd.DataFrame(rows, columns=columns)


def kind_of(kind: type[Event] | str) -> type[Event]:
    """The class of a kind of event, by its name or itself."""
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
