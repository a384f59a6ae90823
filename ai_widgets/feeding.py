"""Feed: what was given to a session and is not decided yet, in order, as chunks that are heard one after the other.

A call gives the feed one item: a block of live audio, a whole clip, the end of a recording, or a chunk that was
perceived elsewhere. Items become pieces, a few seconds at a time, when their turn comes. What has been taken of them is
a `Taken`, a value that the loop commits together with what came of it; `settle` brings queue, intake and listener back
to it after an interrupt, so that no sample is lost or heard twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .audio import Array, ChunkAudio, Intake, cut, repair, silence
from .model.checkpoint import LoadedModel
from .perceive import Heard, Listener, hear_clip
from .protocol import CHUNK_SECONDS, SAMPLE_RATE

PIECE_SECONDS = 10
"""Live audio is resampled and cut in pieces of this length: the first chunk is decided at once, memory is bounded."""


@dataclass(frozen=True)
class Block:
    """Live audio: mono float32 at `rate` samples per second."""

    samples: Array
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Clip:
    """A whole clip at 16 kHz that is encoded at once, and the seconds of silence that follow it."""

    samples: Array
    tail_silence: float

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class End:
    """The end of a recording, and the seconds of silence that follow it."""

    tail_silence: float = 0.0
    seconds = 0.0


@dataclass(frozen=True)
class Given:
    """A chunk that was perceived elsewhere; its clip is its own."""

    heard: Heard
    seconds = CHUNK_SECONDS


Item: TypeAlias = Block | Clip | End | Given
Piece: TypeAlias = ChunkAudio | Heard | Given | End


@dataclass(frozen=True)
class Taken:
    """What was taken of the feed.

    Attributes
    ----------
    items
        Number of the first item that is not taken whole.
    samples
        Samples of it that are taken.
    pieces, place
        Pieces made of what was taken last, and the place of the next of them.
    chunks
        Chunks that were heard so far.
    """

    items: int = 0
    samples: int = 0
    pieces: tuple[Piece, ...] = ()
    place: int = 0
    chunks: int = 0

    @property
    def next(self) -> Piece | None:
        """The next piece, or None where others have to be made."""
        return self.pieces[self.place] if self.place < len(self.pieces) else None

    def busy_before(self, item: int) -> bool:
        """Whether something of the items before number `item` is still to be heard."""
        return self.items < item or self.next is not None

    def past(self, *, chunk: bool) -> Taken:
        """The same after the next piece, which was a chunk or was none."""
        return Taken(self.items, self.samples, self.pieces, self.place + 1, self.chunks + chunk)


class Feed:
    """Items in, pieces out.

    Parameters
    ----------
    model
        Perceives.
    """

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._items: deque[tuple[int, Item]] = deque()
        self._intake = Intake()
        self._listener = Listener(model)
        self._intake_before: tuple[tuple[int, int], Intake, bool] | None = None
        self._listener_before: tuple[int, tuple[Array | None, float]] | None = None
        self.lost_filter = False

    def put(self, items: Sequence[Item], taken: Taken) -> int:
        """Add items at the end, all of them at once; returns the number of the first."""
        first = self._items[-1][0] + 1 if self._items else taken.items
        self._items.extend([(first + place, item) for place, item in enumerate(items)])
        return first

    def settle(self, taken: Taken) -> None:
        """Drop items that are taken whole, and undo what an interrupted call did beyond `taken`."""
        while self._items and self._items[0][0] < taken.items:
            self._items.popleft()
        if self._intake_before is not None:
            where, intake, lost = self._intake_before
            if where == (taken.items, taken.samples):
                self._intake, self.lost_filter = intake, self.lost_filter or lost
            self._intake_before = None
        if self._listener_before is not None:
            chunk, mark = self._listener_before
            if chunk == taken.chunks:
                self._listener.return_to(mark)
            self._listener_before = None

    def pending(self, taken: Taken) -> float:
        """Seconds that were given and whose turn has not come, what does not fill a chunk included."""
        return self.waiting(taken) + self._intake.waiting / SAMPLE_RATE

    def waiting(self, taken: Taken) -> float:
        """Seconds that were given and whose turn has not come."""
        pieces = sum(CHUNK_SECONDS for piece in taken.pieces[taken.place :] if not isinstance(piece, End))
        items = [item for number, item in self._items if number >= taken.items]
        begun = items[0] if items else None
        done = taken.samples / begun.rate if isinstance(begun, Block) else 0.0
        return pieces + sum(item.seconds for item in items) - done

    def drop(self) -> None:
        """Drop all that waits."""
        self._items.clear()
        self._intake = Intake()
        self._intake_before = self._listener_before = None

    def more(self, taken: Taken, *, heard: bool = True) -> Taken | None:
        """Make pieces of what is next; None where nothing waits.

        Parameters
        ----------
        taken
            After `settle`.
        heard
            False where that has failed: chunks are then flagged `unheard`, and a clip is not encoded.
        """
        if not self._items:
            return None
        number, item = self._items[0]
        if isinstance(item, Given):
            return Taken(number + 1, 0, (item,), 0, taken.chunks)
        intake, lost = self._intake.resumed()
        self._intake_before = (taken.items, taken.samples), intake, lost
        after = replace(taken, items=number + 1, samples=0, place=0)
        if isinstance(item, Block):
            end = taken.samples + PIECE_SECONDS * item.rate
            chunks = self._intake.push(item.samples[taken.samples : end], item.rate)
            if end < len(item.samples):
                after = replace(after, items=number, samples=end)
            return replace(after, pieces=tuple(chunks if heard else map(_unheard, chunks)))
        rest = self._intake.finish() if heard else [_unheard(chunk) for chunk in self._intake.finish()]
        if isinstance(item, End):
            return replace(after, pieces=(*rest, *silence(item.tail_silence), End()))
        samples, broken = repair(item.samples)
        clip = cut(samples, ("repaired",) if broken else ()), silence(item.tail_silence)
        pieces: list[Piece] = []
        for part in clip:
            pieces += hear_clip(self._model, part, 0) if heard else [_unheard(chunk) for chunk in part]
        # Live audio that came before is a clip of its own.
        return replace(after, pieces=(*rest, End(), *pieces, End()))

    def hear(self, chunk: ChunkAudio, taken: Taken) -> Heard:
        """Perceive the next chunk of the live stream."""
        self._listener_before = taken.chunks, self._listener.mark()
        return self._listener.hear(chunk)


def _unheard(chunk: ChunkAudio) -> ChunkAudio:
    return replace(chunk, flags=(*chunk.flags, "unheard"))
