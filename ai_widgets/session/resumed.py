"""Go on with a session of which only the past is known: feed what its context held, without deciding again.

The chunks and the tokens that followed them are fed in the order of `turns.TurnTaking`, several chunks in one pass, so
that the context is the recorded one, position by position. Random numbers continue after those that were drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ..audio.features import Mark, StreamingLogMel
from ..errors import SessionError
from ..model.interfaces import TokenDecoder
from ..model.passes import EncoderPass, Steps, TokenPass
from ..protocol import Notice
from ..record.record import SessionRecord
from ..settings import Settings
from .feed import Taken
from .listening import ListeningModel
from .loop import Loop
from .loop_state import State
from .pasts import CUT, END, Kept
from .session import StreamingSession
from .turn_state import TurnState
from .turns import TurnTaking

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 32
"""Chunks fed in one pass, some 400 tokens: wide enough that the weights are read seldom, and short enough that the
other sessions of the round are not held up for long."""
WHY = {"why": "rebuild"}
"""Data of the notice `context_reset` after a failure."""
FAILED = "The context could not be rebuilt and starts over here: {}."
"""Message of the notice `context_reset` after a failure."""


@runtime_checkable
class EmbeddingDecoder(Protocol):
    """Decoder that tells the embeddings of tokens, so that several chunks can be fed in one pass."""

    def embed(self, tokens: Sequence[int]) -> Tensor:
        """Return the embeddings [1, tokens, width]."""


@dataclass(frozen=True)
class Past:
    """What is known of a session.

    Attributes
    ----------
    chunks
        Chunks that the context held, oldest first, consecutive.
    draws
        Random numbers drawn since the seed was set.
    features
        State of the running features before the oldest chunk, or now where there is none.
    begun
        Whether the context begins with the prefix although it holds no chunk.
    """

    chunks: tuple[Kept, ...]
    draws: int
    features: Mark
    begun: bool = False


def resumed(
    model: ListeningModel, settings: Settings, past: Past, record: SessionRecord | None = None
) -> StreamingSession:
    """Return a session that goes on after a past, which is fed before its first audio.

    Its first chunk is number ``len(past.chunks)``. Nothing of the past is in its record.

    Parameters
    ----------
    model
        Model that decided the past.
    settings
        Settings of the past's newest chunk; `change` changes them from there on.
    past
        Past of the session.
    record
        Record of what follows; a new one by default.

    Raises
    ------
    SessionError
        If the model is a policy, or the past needs more positions than the context has, or names unknown tokens.

    Examples
    --------
    >>> session = resumed(model, Settings(seed=1), Past(chunks, draws=12, features=(None, -np.inf)))
    >>> session.push(block)
    """
    own = SessionRecord() if record is None else record
    return StreamingSession.around(model, _ResumedLoop(model, settings, own, past), own)


class _ResumedLoop(Loop):
    """Loop whose first steps feed a past."""

    def __init__(self, model: ListeningModel, settings: Settings, record: SessionRecord, past: Past) -> None:
        super().__init__(model, settings, record)
        language, turns, start = model.language, self.turns, self.state.progress
        if language is None or not isinstance(turns, TurnTaking) or not isinstance(start, TurnState):
            raise SessionError(f"{model.name} has no context that could be rebuilt.")
        known = language.decoder.vocabulary
        if any(token >= known for chunk in past.chunks for token in (chunk.token, *chunk.reply)):
            raise SessionError(f"The past has tokens that {model.name} does not know: it has {known}.")
        self._language, self._end = language, language.traits.tokens["TEXT_END"]
        needed = _Row(start, self._end).of(past).window.positions
        if needed > start.limit:
            raise SessionError(f"The past needs {needed} positions; the context has {start.limit}.")
        random = np.random.PCG64(settings.seed).advance(past.draws).state
        self._left, self._begun = past.chunks, past.begun
        self.state = State(replace(start, random=random), Taken(chunks=len(past.chunks)), features=past.features)
        self._chunks_before = record.chunks_heard - len(past.chunks)
        self._feed.listen_from(past.features)
        self._context = language.decoder.context(start.limit)
        turns.adopt(self._context, start.window)

    @property
    def rebuilding(self) -> bool:
        """Whether a part of the past is still to be fed."""
        return bool(self._left) or self._begun

    def step(self) -> Steps[bool]:
        """Feed the next chunks of the past; after it, run steps as every loop."""
        if not self.rebuilding:
            return (yield from super().step())
        yield from self._feed_next(self.state.progress)
        return True

    def recover(self, error: BaseException, *, began: bool = True) -> None:
        """Give the past up where a step fails that feeds it; an interrupted step is repeated by the next call."""
        if not self.rebuilding:
            super().recover(error, began=began)
        elif isinstance(error, Exception):
            self._left, self._begun = (), False
            notice = Notice(self.state.taken.chunks, "context_reset", FAILED.format(type(error).__name__), WHY)
            self._commit(notice, progress=self.state.progress.forgotten())
            self.settle()

    def _feed_next(self, progress: Any) -> Steps[None]:
        chunks, left, features = self._left[:AT_ONCE], self._left[AT_ONCE:], StreamingLogMel()
        features.return_to(self.state.features)
        row = _Row(progress, self._end, self.state.taken.chunks - len(self._left))
        if chunks:
            mels = np.concatenate([features.push(chunk.samples) for chunk in chunks], axis=1)
            frames = yield EncoderPass(self._language.encoder, mels)
            for chunk in chunks:
                row.add(chunk)
            yield from row.passes(self._language.decoder, self._context, frames)
        else:
            row.begin()
            yield TokenPass(self._language.decoder, self._context, row.tokens)
        after = replace(progress, window=row.window, due=tuple(row.due), turns=progress.turns + row.turns)
        self._left, self._begun = left, False
        self._commit(progress=after, features=features.mark())
        self._feed.listen_from(features.mark())


class _Row:
    """Tokens of several chunks in the order of `turns.TurnTaking`, and the window and the due tokens after them.

    Attributes
    ----------
    tokens, frames_at
        Tokens to feed, and the index of the first frame of each chunk among them.
    window, due, turns
        Window after the tokens, tokens that are not fed yet, and number of replies.
    """

    def __init__(self, progress: TurnState, end: int, chunk: int = 0) -> None:
        self._framing, self._end, self._chunk = progress.terms.framing, end, chunk
        self.window, self.due, self.turns = progress.window, list(progress.due), 0
        self.tokens: list[int] = []
        self.frames_at: list[int] = []

    def of(self, past: Past) -> _Row:
        """Add a whole past, and return the row."""
        for chunk in past.chunks:
            self.add(chunk)
        if past.begun and not past.chunks:
            self.begin()
        return self

    def begin(self) -> None:
        """Add the prefix, or the due tokens of the chunk before."""
        if not self.window.prefix:
            self.window = self.window.begun(self._framing.prefix)
            self.tokens += self._framing.prefix
        elif self.due:
            self.window = self.window.extended(len(self.due))
            self.tokens += self.due
        self.due = []

    def add(self, chunk: Kept) -> None:
        """Add a chunk, its decision and its reply; its last tokens are due, as they were then."""
        self.begin()
        block = self._framing.block
        self.frames_at.append(len(self.tokens) + self._framing.frames_at)
        self.tokens += block
        self.window = self.window.opened(self._chunk, len(block))
        self._chunk += 1
        drawn = [chunk.token, *chunk.reply]
        # Each step of a reply feeds the token before and draws one; the step that drew TEXT_END fed the last one.
        steps = len(chunk.reply) + (chunk.ended == END)
        if steps:
            self.window = self.window.extended(steps, turn=True)
        self.tokens += drawn[:steps]
        self.due = [*drawn[steps:], self._end] if chunk.ended in (END, CUT) else drawn
        self.turns += bool(chunk.ended)

    def passes(self, decoder: TokenDecoder, context: Any, frames: Tensor) -> Iterator[TokenPass]:
        """Return the passes that feed the row: one, or one a chunk where the decoder tells no embeddings."""
        if isinstance(decoder, EmbeddingDecoder):
            first, rows = self.frames_at[0], decoder.embed(self.tokens)[0].clone()
            for at, each in zip(self.frames_at, frames, strict=True):
                rows[at : at + len(each)] = each.to(rows)
            yield TokenPass(decoder, context, self.tokens, rows[first:], first)
            return
        starts = [at - self._framing.frames_at for at in self.frames_at]
        starts[0] = 0
        for start, end, at, each in zip(starts, [*starts[1:], len(self.tokens)], self.frames_at, frames, strict=True):
            yield TokenPass(decoder, context, self.tokens[start:end], each, at - start)
