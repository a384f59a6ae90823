"""Replay: hear a record again with a model, and compare every decision, token and reply with the recorded ones.

Audio, settings and seed determine the decisions. External actions (`script`) are repeated at the same
place: changed settings, interrupts, forced decisions, failures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..errors import AiWidgetsError, SessionError
from ..protocol import Chunk, Decision, Event, Notice, Token, Turn
from ..record.record import SessionRecord
from ..settings import Settings
from .loop import Loop
from .loop_notices import short
from .rehear import Rehearing, missing
from .script import Script
from .together import run_each

if TYPE_CHECKING:
    from .listening import ListeningModel

TOLERANCE = 0.01
"""Largest difference of a logit or a probability that counts as the same. The same machine gives the same numbers bit
for bit; float32 on another device differs by some 1e-4, bfloat16 by more than this."""
COMPARED: Mapping[type[Event], tuple[str, ...]] = {
    Decision: (
        *("chunk", "clip", "rule", "before", "oldest", "used", "limit", "position"),
        *("logit_keep", "logit_text", "p_keep", "p_text", "p_other", "draw", "p_drawn", "token", "choice"),
    ),
    Token: ("chunk", "turn", "index", "position", "p", "draw", "p_drawn", "token", "text"),
    Turn: ("chunk", "turn", "clip", "ended", "emotion", "tokens", "text"),
}
"""Fields that are compared, causes before effects: the first one that differs is reported."""
WITHIN = frozenset({"logit_keep", "logit_text", "p_keep", "p_text", "p_other", "p_drawn", "p"})
"""Fields that are compared within the tolerance; all others must be equal."""
OUTCOME: Mapping[type[Event], tuple[str, ...]] = {
    Decision: ("chunk", "choice"),
    Token: ("chunk", "index", "token"),
    Turn: ("chunk", "ended", "emotion", "text"),
}
"""Fields of what was decided and said: where a fork, whose rule and numbers differ by intent, goes another way."""
OPTIONAL = frozenset({"rule", "before"})
"""Fields that a record may lack: those that a record in memory discards of old events (`SessionRecord.reduced`)."""


@dataclass(frozen=True)
class Difference:
    """First difference of a replay.

    Attributes
    ----------
    chunk
        Index of the chunk.
    event
        Type of the event: `decision`, `token` or `turn`.
    field
        Name of its field; `type` if the events are of different types, or one is missing.
    recorded, now
        Both values; None for an event that is missing.
    by
        Absolute difference of numbers, else None.
    """

    chunk: int
    event: str
    field: str
    recorded: Any
    now: Any
    by: float | None = None

    @property
    def what(self) -> str:
        """The difference without its chunk, such as `decision, p_text: 0.1 → 0.3 (by 0.2)`."""
        by = "" if self.by is None else f" (by {self.by:.3g})"
        return f"{self.event}, {self.field}: {_told(self.recorded)} → {_told(self.now)}{by}"

    def __str__(self) -> str:
        return f"chunk {self.chunk}, {self.what}"


@dataclass(frozen=True)
class Replay:
    """Result of a replay.

    Attributes
    ----------
    record
        Record of the new run.
    first_difference
        Where both runs first differ, or None.
    compared
        Number of decisions, tokens and replies that are the same.
    tolerance
        Largest difference of a logit or a probability that counted as the same.
    """

    record: SessionRecord
    first_difference: Difference | None
    compared: int
    tolerance: float

    @property
    def reproduced(self) -> bool:
        """Whether every decision, token and reply is the same."""
        return self.first_difference is None

    def __str__(self) -> str:
        if self.first_difference is None:
            return f"reproduced: {self.compared:,} decisions, tokens and replies are the same"
        return f"not reproduced: {self.first_difference}; {self.compared:,} decisions, tokens and replies before it are"


def check_rerun(record: SessionRecord) -> None:
    """Check that a record can be heard again.

    Raises
    ------
    SessionError
        If it lacks settings or audio, or holds several sessions.
    """
    if not record.header.settings:
        raise SessionError("The record does not say with which settings its session began, so it cannot be run again.")
    chunks = record.of_type(Chunk)
    if record.header.sessions > 1 or any(chunk.chunk != place for place, chunk in enumerate(chunks)):
        raise SessionError("The record holds several sessions, or lacks chunks, so it cannot be run again.")
    lacking = next((chunk.chunk for chunk in chunks if not record.keeps(chunk.chunk)), None)
    if lacking is not None:
        raise missing(lacking)
    silent = next((notice for notice in record.of_type(Notice) if notice.kind == "audio_missing"), None)
    if silent is not None:
        raise SessionError(
            f"The audio of chunk {silent.chunk} did not reach the record, which has silence in its place, so it cannot "
            "be heard again. A page keeps ten minutes of audio for a busy kernel."
        )


def rerun(
    model: ListeningModel,
    record: SessionRecord,
    force: str | None = None,
    into: SessionRecord | None = None,
    **changed: Any,
) -> tuple[Loop, SessionRecord]:
    """Return a loop before chunk 0, in which the audio of a record is pending, and the loop's record.

    Parameters
    ----------
    model, record
        Model that hears, and what it hears.
    force
        Name of the token that every decision is forced to; None for none.
    into
        Record of the new run; a new one by default.
    **changed
        Fields of `Settings` for the whole session.

    Raises
    ------
    SessionError
        If the record lacks settings or audio, or holds several sessions.
    SettingError
        If its settings are unknown, or not possible with this model.
    """
    check_rerun(record)
    chunks = record.of_type(Chunk)
    script = Script.of(record.events)
    forced = dict(script.force) if force is None else {chunk.chunk: force for chunk in chunks}
    script = replace(script.after(-1, changed), force=forced)
    other = SessionRecord() if into is None else into
    loop = Loop(model, Settings.of(record.header.settings).changed(**changed), other, None, script)
    if chunks:
        ended = chunks[-1].floor == "clip" or bool({"padded", "tail"} & set(chunks[-1].flags))
        loop.put([Rehearing(model, chunks, record.chunk_audio, closing=ended, undecided=script.undecided)])
    return loop, other


def run_again(
    model: ListeningModel,
    record: SessionRecord,
    force: str | None = None,
    watch: Callable[[int], object] | None = None,
    **changed: Any,
) -> SessionRecord:
    """Run `rerun` to its end and return the record. A chunk that the model fails at is left without a decision.

    `watch` is called after each step with the number of chunks heard; what it raises ends the run.
    """
    loop, other = rerun(model, record, force, **changed)
    _run(loop, None if watch is None else lambda: watch(other.chunks_heard))
    return other


def run_several(
    model: ListeningModel, record: SessionRecord, changes: Sequence[Mapping[str, Any]]
) -> list[SessionRecord]:
    """Run the audio of a record once per mapping of changed settings, several runs in one forward pass.

    The records are without audio. A chunk that the model fails at is left without a decision.
    """
    records = [SessionRecord(audio_seconds=0) for _ in changes]
    loops = (rerun(model, record, into=own, **changed)[0] for own, changed in zip(records, changes, strict=True))
    for loop, error in run_each(loops, skip=AiWidgetsError):
        loop.turns.release()
        if error is not None:
            raise error
    return records


def _run(loop: Loop, watch: Callable[[], object] | None = None) -> None:
    """Run a loop to its end. `watch` is called after each step."""
    try:
        while True:
            try:
                if not loop.advance():
                    break
            except AiWidgetsError:
                continue
            if watch is not None:
                watch()
    finally:
        loop.turns.release()


def replay(
    model: ListeningModel,
    record: SessionRecord,
    tolerance: float = TOLERANCE,
    watch: Callable[[int], object] | None = None,
) -> Replay:
    """Hear a record again, and compare; see `inference.Model.replay`.

    `watch` is called after each step with the number of chunks heard; what it raises ends the replay.
    """
    loop, other = rerun(model, record)
    _run(loop, None if watch is None else lambda: watch(other.chunks_heard))
    compared = 0
    for recorded, now in zip_longest(_story(record), _story(other)):
        difference = first_difference(recorded, now, tolerance)
        if difference is not None:
            return Replay(other, difference, compared, tolerance)
        compared += 1
    return Replay(other, None, compared, tolerance)


def first_difference(
    recorded: Event | None,
    now: Event | None,
    tolerance: float = TOLERANCE,
    fields: Mapping[type[Event], tuple[str, ...]] = COMPARED,
) -> Difference | None:
    """Compare two events, of which one may be missing, and return the first of `fields` that differs.

    Examples
    --------
    >>> str(first_difference(Token(3, 0, 0, 9, 0.5, "a", 0.5, None, 9, 40), None))
    'chunk 3, token, type: token → nothing'
    """
    if recorded is None or now is None or type(recorded) is not type(now):
        known = recorded if recorded is not None else now
        if known is None:
            return None
        was, is_now = (None if event is None else event.type for event in (recorded, now))
        return Difference(known.chunk, known.type, "type", was, is_now)
    for name in fields[type(recorded)]:
        was, is_now = getattr(recorded, name), getattr(now, name)
        if name in OPTIONAL and not was:
            continue
        number = isinstance(was, (int, float)) and isinstance(is_now, (int, float)) and name != "token"
        by = abs(was - is_now) if number else None
        if was != is_now and not (name in WITHIN and by is not None and by <= tolerance):
            return Difference(recorded.chunk, recorded.type, name, was, is_now, by)
    return None


def first_divergence(
    original: SessionRecord, fork: SessionRecord, shared: int, last: int, *, complete: bool
) -> Difference | None:
    """Return the first decision, token or reply of a fork that is another one than the original's, or None.

    Parameters
    ----------
    original, fork
        Both records.
    shared
        Number of events that both begin with.
    last
        Last chunk to compare.
    complete
        Whether the fork has decided all chunks until then. Otherwise what it lacks is no difference, and its newest
        chunk is not compared.
    """
    if not complete:
        last = min(last, max((event.chunk for event in fork.since(shared)), default=0) - 1)

    def told(record: SessionRecord) -> Iterator[Event]:
        return (event for event in record.since(shared) if type(event) in OUTCOME and event.chunk <= last)

    differences = (first_difference(was, now, 0.0, OUTCOME) for was, now in zip_longest(told(original), told(fork)))
    return next((difference for difference in differences if difference is not None), None)


def _story(record: SessionRecord) -> Iterator[Event]:
    return (event for event in record.events if type(event) in COMPARED)


def _told(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"{value:.6g}" if isinstance(value, float) else short(value)
