"""`EventRows`: what tables and figures need of every event, in compact rows.

A row holds the numbers of an event exactly. Texts, flags and sampling rules are pooled: a row holds the number of the
value. Alternatives, envelopes, log-mels and the tokens fed before a block are not in the rows (`details`); an event
that is rebuilt from its row has them empty. Replies, notices and events of other kinds are stored whole, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol import Chunk, Decision, Event, Timing, Token
from .columns import Columns
from .event_json import event_line, event_of

WHOLE, REAL, MAYBE, POOLED = "<i8", "<f8", "maybe", "pooled"
"""Columns of whole numbers, of real numbers, of real numbers or None (stored as NaN), and of pooled values."""

_DRAW = {"p_drawn": REAL, "draw": MAYBE, "argmax": WHOLE, "position": WHOLE}
FIELDS: Mapping[type[Event], Mapping[str, str]] = {
    Chunk: {
        "chunk": WHOLE,
        "clip": WHOLE,
        "start_s": REAL,
        "rms_db": REAL,
        "flags": POOLED,
        "floor": POOLED,
        "lead": POOLED,
    },
    Decision: {
        "chunk": WHOLE,
        "clip": WHOLE,
        "start_s": REAL,
        "token": WHOLE,
        "choice": POOLED,
        "p_keep": REAL,
        "p_text": REAL,
        "p_other": REAL,
        "logit_keep": REAL,
        "logit_text": REAL,
        **_DRAW,
        "oldest": WHOLE,
        "used": WHOLE,
        "limit": WHOLE,
        "rule": POOLED,
    },
    Token: {"chunk": WHOLE, "turn": WHOLE, "index": WHOLE, "token": WHOLE, "p": REAL, "text": POOLED, **_DRAW},
    Timing: {
        "chunk": WHOLE,
        "features_ms": REAL,
        "tower_ms": REAL,
        "decide_ms": REAL,
        "reply_ms": REAL,
        "queue_ms": REAL,
        "stream": WHOLE,
        "seq": WHOLE,
        "arrived_ms": REAL,
        "decided_ms": REAL,
        "encode_wait_ms": REAL,
        "capture_ms": REAL,
        "network_ms": REAL,
    },
}
"""Fields of an event that its row holds."""
EMPTY: Mapping[type[Event], Mapping[str, Any]] = {Chunk: {"envelope": ()}}
"""Values of the fields without a default that a rebuilt event lacks."""


class Pool:
    """Distinct values, numbered in the order of their first occurrence."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._last: tuple[Any, int] | None = None

    def number(self, value: Any) -> int:
        """Return the number of a value, and add it if it is new."""
        last = self._last
        if last is not None and last[0] is value:
            return last[1]
        key = json.dumps(dict(value), sort_keys=True, default=str) if isinstance(value, Mapping) else value
        found = self._numbers.get((type(value), key))
        if found is None:
            found = len(self.values)
            self.values.append(value)
            self._numbers[type(value), key] = found
        self._last = value, found
        return found


class EventRows:
    """Rows of one kind of event.

    Parameters
    ----------
    kind
        Class of the events.
    """

    def __init__(self, kind: type[Event]) -> None:
        self.kind = kind
        self._fields = FIELDS.get(kind)
        self._lines: list[bytes] = []
        if self._fields is not None:
            types = [(name, _STORED.get(code, code)) for name, code in self._fields.items()]
            self._columns = Columns(np.dtype(types))
            self._pools = {name: Pool() for name, code in self._fields.items() if code == POOLED}
            self._values_of = attrgetter(*self._fields)
            self._pooled = [(at, self._pools[name]) for at, name in enumerate(self._fields) if name in self._pools]

    @property
    def whole(self) -> bool:
        """Whether the rows hold the events completely."""
        return self._fields is None

    def put(self, row: int, event: Event) -> None:
        """Store one event as the next row, or as the last row again.

        Raises
        ------
        OverflowError, TypeError, ValueError
            If a field has a value of the wrong type or size.
        """
        if self._fields is None:
            self._lines[row:] = [event_line(event)]
            return
        values = list(self._values_of(event))
        for at, pool in self._pooled:
            values[at] = pool.number(values[at])
        if None in values:
            # A whole number is never None: the column refuses it.
            codes = self._fields.values()
            values = [
                np.nan if value is None and code != WHOLE else value for value, code in zip(values, codes, strict=True)
            ]
        self._columns.put(row, tuple(values))

    def get(self, row: int) -> Event:
        """Rebuild the event of one row; without `details` if the rows do not hold the events whole."""
        if self._fields is None:
            return event_of(self._lines[row])
        numbers = self._columns.get(row)
        values = {
            name: self._value(name, code, number)
            for (name, code), number in zip(self._fields.items(), numbers, strict=True)
        }
        event: Event = self.kind(**values, **EMPTY.get(self.kind, {}))
        return event

    def column(self, name: str, count: int) -> list[Any] | None:
        """Return one field of the first `count` events, or None if the rows do not hold that field."""
        if self._fields is None or name not in self._fields:
            return None
        code, numbers = self._fields[name], self._numbers(count)[name].tolist()
        return [self._value(name, code, number) for number in numbers] if code in _STORED else numbers

    def numbers(self, name: str, count: int) -> npt.NDArray[Any]:
        """Return one numeric field of the first `count` events as an array, NaN for None."""
        return np.ascontiguousarray(self._numbers(count)[name])

    @property
    def nbytes(self) -> int:
        """Memory of the rows, in bytes, without the pooled values."""
        return sum(map(len, self._lines)) if self._fields is None else self._columns.nbytes

    def _numbers(self, count: int) -> npt.NDArray[np.void]:
        return self._columns.rows(count)

    def _value(self, name: str, code: str, number: Any) -> Any:
        if code == POOLED:
            return self._pools[name].values[number]
        # NaN is the only number that differs from itself.
        return None if code == MAYBE and number != number else number


_STORED = {MAYBE: "<f8", POOLED: "<u4"}
