"""Rebuild the context of an earlier chunk: copy positions that are still held, else feed the events' tokens again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import SessionError
from ..protocol import Chunk, Decision, Event, Notice, Token, Turn
from ..record.record import SessionRecord
from .framing import Framing
from .held import Window
from .marks import Mark, Marks
from .past_chunks import PastChunks
from .perceive import Listener
from .rehear import Rehearing, clip_start, missing
from .turn_state import TurnState
from .turns import TurnTaking

if TYPE_CHECKING:
    from ..model.interfaces import LanguageModel
    from .listening import ListeningModel
    from .loop import Loop
    from .loop_state import State


def copied(loop: Loop, mark: Mark) -> Any:
    """Return a copy of the context that a session had at a mark, or None where it must be rebuilt."""
    window = turn_state(mark.state).window
    return turn_taking(loop).branch(window, turn_state(loop.state).window) if window.positions else None


def bring(branch: Loop, context: Any, mark: Mark, record: SessionRecord, marks: Marks) -> bool:
    """Set the context that the original had at a mark, for a branch.

    Parameters
    ----------
    branch
        Loop of the fork.
    context
        Copy of the context; None to rebuild it from the record.
    mark
        State at which the fork begins.
    record, marks
        Record of the original, and the marks of the chunks before.

    Returns
    -------
    bool
        False if the context was rebuilt without the influence of the chunks evicted before, whose audio is not kept.

    Raises
    ------
    SessionError
        If the audio of a chunk in the context is not kept.
    """
    window = turn_state(mark.state).window
    if not window.positions:
        return True
    exact = True
    if context is None:
        context, exact = _rebuilt(branch.model, mark, record, marks)
    if context.position != window.positions:
        raise SessionError(
            f"The context before chunk {mark.state.taken.chunks} cannot be rebuilt: the record's events give "
            f"{context.position} positions, the session had {window.positions}."
        )
    turn_taking(branch).adopt(context, window)
    return exact


def turn_taking(loop: Loop) -> TurnTaking:
    """Return the steps of a session that has a context.

    Raises
    ------
    SessionError
        If the model is a policy, which has none.
    """
    if not isinstance(loop.turns, TurnTaking):
        raise SessionError(
            f"{loop.model.name} has no context that a fork could go back to; push the record's audio into a new "
            "session, with other settings."
        )
    return loop.turns


def turn_state(state: State) -> TurnState:
    """Return the state of a session that has a context; raises what `turn_taking` raises for a policy."""
    if not isinstance(state.progress, TurnState):
        raise SessionError("A policy has no context that a fork could go back to.")
    return state.progress


def _rebuilt(model: ListeningModel, mark: Mark, record: SessionRecord, marks: Marks) -> tuple[Any, bool]:
    """Return the context at a mark, fed again, and whether all that had an influence on it was fed."""
    chunks, until, window = (
        PastChunks(record, record.count(Chunk)),
        mark.state.taken.chunks,
        turn_state(mark.state).window,
    )
    events = _since_reset(record.since(0, mark.events))
    begun = next(event.chunk for event in events if isinstance(event, Decision))
    known = marks.get(begun)
    start = begun if known is not None else 0
    complete = not record.reduced or mark.events - len(events) >= record.reduced.stop
    exact = complete and record.keeps(clip_start(chunks, start))
    if not exact:
        begun = start = 0 if window.oldest is None else window.oldest
        known = marks.get(start)
        if known is None or not record.keeps(clip_start(chunks, start)):
            raise missing(start)
        events = [event for event in events if event.chunk >= begun and not isinstance(event, Notice)]
    listener = Listener(model)
    if known is not None:
        listener.return_to(known.state.features)
    frames = _frames(Rehearing(model, chunks, record.chunk_audio, first=start), listener, start, until)
    framing = turn_state(mark.state).terms.framing
    language = model.language
    if language is None:
        raise SessionError(f"{model.name} has no context.")
    return _fed(language, framing, events, frames, None if exact else window), exact


def _since_reset(events: Sequence[Event]) -> list[Event]:
    """Return the events after the last reset of the context."""
    begin = 0
    for place, event in enumerate(events):
        if isinstance(event, Notice) and event.kind == "context_reset":
            begin = place + 1
    return list(events[begin:])


def _frames(rehearing: Rehearing, listener: Listener, start: int, until: int) -> Iterator[tuple[int, Tensor]]:
    """Perceive chunks again and yield each index with the encoder's frames [10, width]."""
    chunk = start
    while chunk < until:
        for again in rehearing.pieces(chunk - start):
            frames = again.heard.frames
            if frames is None and "unheard" not in again.audio.flags:
                if again.lead is not None:
                    listener.return_to(again.lead)
                frames = listener.hear(again.audio).frames
            if frames is not None:
                yield chunk, frames
            chunk += 1


def _fed(
    model: LanguageModel,
    framing: Framing,
    events: Sequence[Event],
    frames: Iterator[tuple[int, Tensor]],
    window: Window | None,
) -> Any:
    """Feed the tokens that the events tell to a new context, and evict what was evicted.

    Parameters
    ----------
    events
        Events since the context was empty, or since the oldest chunk of `window`.
    frames
        Index and frames of the chunks, in order.
    window
        Chunks to hold, if the events do not begin with an empty context.
    """
    context = model.decoder.context(framing.limit)
    due: list[int] = []
    prefix = 0
    with model.computing():
        for event in events:
            if isinstance(event, Decision):
                opening = list(event.before)
                if not prefix:
                    opening = opening if window is None else list(window.prefix)
                    prefix = len(opening)
                context.limit = max(event.limit, event.used)
                perceived = next(each for chunk, each in frames if chunk == event.chunk)
                model.decoder.feed(context, [*opening, *framing.block], perceived, len(opening) + framing.frames_at)
                due = [event.token]
            elif isinstance(event, Token):
                model.decoder.feed(context, due)
                due = [event.token]
            elif isinstance(event, Turn) and event.ended == "TEXT_END":
                model.decoder.feed(context, due)
            elif isinstance(event, Notice) and event.kind == "context_slide":
                context.slide(prefix, int(event.data["positions"]))
    context.limit = framing.limit
    return context
