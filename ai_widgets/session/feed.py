"""Feed: the queue of a session's audio that is not decided yet.

A call adds items: a block of a stream, a whole clip, the end of a recording, or a perceived chunk. The feed converts
the first item to pieces, a few seconds at a time. `Taken` is the immutable progress of the feed; the loop commits it
together with the events of the same step. After an interrupt, `settle` restores queue, intake and listener to the
committed `Taken`, so that no sample is lost or heard twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, TypeAlias

from ..audio.clip_features import ArraySamples, ClipLogMel, Progress, Tap
from ..audio.file_notices import FileNotice
from ..audio.file_samples import FileSamples
from ..audio.intake import ChunkAudio, Intake, silence
from ..errors import AudioError, SessionError
from ..model.passes import Steps
from ..protocol import CHUNK_SAMPLES, CHUNK_SECONDS, SAMPLE_RATE
from .listening import ListeningModel
from .perceive import Heard, Listener, hear_piece, hear_tail
from .rehear import Again, Rehearing

PIECE_SECONDS = 10
"""Length of a piece of a stream that is resampled and split at once, in seconds. It bounds the memory, and the first
chunk of a long block is decided before the rest is read."""


@dataclass(frozen=True)
class Block:
    """Block of a stream, of an array or a file, and the flags of all its chunks."""

    sound: ArraySamples | FileSamples
    flags: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length in seconds; 0 if unknown."""
        return self.sound.seconds or 0.0


@dataclass(frozen=True)
class Clip:
    """Whole clip at 16 kHz, of an array or a file, with one log-mel floor.

    Attributes
    ----------
    tail_silence
        Silence to append after the clip, in seconds.
    progress
        Called while the clip's floor is measured, before the first chunk.
    """

    sound: ArraySamples | FileSamples
    tail_silence: float
    flags: tuple[str, ...] = ()
    progress: Progress | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds; 0 if unknown."""
        return self.sound.seconds or 0.0


@dataclass(frozen=True)
class End:
    """End of a recording, followed by `tail_silence` seconds of silence."""

    tail_silence: float = 0.0
    seconds = 0.0


@dataclass(frozen=True)
class Given:
    """Chunk that the caller perceived; the clip index is that of `heard`."""

    heard: Heard
    seconds = CHUNK_SECONDS


Item: TypeAlias = Block | Clip | End | Given | Rehearing
Piece: TypeAlias = ChunkAudio | Heard | Given | Again | End | FileNotice


@dataclass(frozen=True)
class Taken:
    """Progress of a feed.

    Attributes
    ----------
    items
        Number of the first item that is not consumed completely.
    samples
        Samples of that item that are consumed.
    pieces, place
        Pieces made in the last call of `Feed.more`, and index of the next piece.
    chunks
        Chunks consumed since the start of the session.
    reported
        Notices of that item's file that are already among the pieces.
    """

    items: int = 0
    samples: int = 0
    reported: int = 0
    pieces: tuple[Piece, ...] = ()
    place: int = 0
    chunks: int = 0

    @property
    def next(self) -> Piece | None:
        """Next piece; None if `Feed.more` has to make more pieces."""
        return self.pieces[self.place] if self.place < len(self.pieces) else None

    def busy_before(self, item: int) -> bool:
        """Return whether a part of the items before number `item` is still pending."""
        return self.items < item or self.next is not None

    def past(self, *, chunk: bool) -> Taken:
        """Return the progress after the next piece; `chunk` says whether the piece is a chunk."""
        return Taken(self.items, self.samples, self.reported, self.pieces, self.place + 1, self.chunks + chunk)


class Feed:
    """Queue that converts items to pieces.

    Parameters
    ----------
    model
        Model or policy that perceives the audio.
    features
        State of the running features before the first chunk; None for a new stream.

    Attributes
    ----------
    lost_filter
        Whether an interrupt has reset the resampler, which loses a few milliseconds of audio.
    """

    tap: Callable[[int, bool], Tap] | None = None
    """Returns the receiver of an item's samples before they are resampled: of its number, and whether a clip begins."""

    def __init__(self, model: ListeningModel, features: Any | None = None) -> None:
        self._model = model
        self._items: deque[tuple[int, Item]] = deque()
        self._intake = Intake()
        self._listener = Listener(model)
        if features is not None:
            self._listener.return_to(features)
        self._intake_before: tuple[tuple[int, int], Intake, bool] | None = None
        self._listener_before: tuple[int, Any] | None = None
        # Features of the clip in progress, kept because its floor is measured once.
        self._clip: tuple[int, ClipLogMel] | None = None
        self._tapped = -1
        self.lost_filter = False

    def listen_from(self, features: Any) -> None:
        """Perceive the next chunk of the live stream as after the audio that left these running features."""
        self._listener.return_to(features)

    def put(self, items: Sequence[Item], taken: Taken) -> int:
        """Append items, all or none, and return the number of the first."""
        first = self._items[-1][0] + 1 if self._items else taken.items
        self._items.extend([(first + place, item) for place, item in enumerate(items)])
        return first

    def settle(self, taken: Taken) -> None:
        """Remove completely consumed items, and restore intake and listener to `taken` after an interrupt."""
        while self._items and self._items[0][0] < taken.items:
            _close(self._items.popleft()[1])
            self._clip = None
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
        """Return the pending audio in seconds, including the incomplete chunk."""
        return self.waiting(taken) + self._intake.waiting / SAMPLE_RATE

    def waiting(self, taken: Taken) -> float:
        """Return the pending audio in seconds, without the incomplete chunk."""
        pieces = sum(CHUNK_SECONDS for piece in taken.pieces[taken.place :] if not isinstance(piece, End))
        items = [item for number, item in self._items if number >= taken.items]
        begun = items[0] if items else None
        done = taken.samples / begun.sound.rate if isinstance(begun, (Block, Clip)) else 0.0
        if isinstance(begun, Rehearing):
            done = taken.samples * CHUNK_SECONDS
        return max(0.0, pieces + sum(item.seconds for item in items) - done)

    def drop(self) -> None:
        """Drop all pending audio."""
        for _, item in self._items:
            _close(item)
        self._items.clear()
        self._clip = None
        self._intake = Intake()
        self._intake_before = self._listener_before = None

    def more(self, taken: Taken, *, heard: bool = True) -> Taken | None:
        """Split the first item into pieces and return the new progress; None if nothing is pending.

        Parameters
        ----------
        taken
            Progress, after `settle`.
        heard
            False after a failure to perceive the item: its chunks are flagged `unheard`, a clip is not encoded, and the
            rest of an unreadable file is skipped.

        Raises
        ------
        AudioError
            If a file cannot be read and `heard` is True.
        """
        if not self._items:
            return None
        number, item = self._items[0]
        if isinstance(item, Given):
            return Taken(number + 1, pieces=(item,), chunks=taken.chunks)
        if isinstance(item, Rehearing):
            again = item.pieces(taken.samples) if heard else item.unperceived(taken.samples)
            if not again:
                return replace(taken, items=number + 1, samples=0, pieces=(End(),) if item.closing else (), place=0)
            return replace(taken, samples=taken.samples + len(again), pieces=again, place=0)
        intake, lost = self._intake.resumed()
        self._intake_before = (taken.items, taken.samples), intake, lost
        past = replace(taken, items=number + 1, samples=0, reported=0, place=0)
        if isinstance(item, End):
            return replace(past, pieces=(*self._rest(heard), *silence(item.tail_silence), End()))
        if self.tap is not None and self._tapped != number:
            item.sound.tap(self.tap(number, isinstance(item, Clip)))
            self._tapped = number
        try:
            if isinstance(item, Block):
                return self._more_of_block(item, taken, past, heard)
            return self._more_of_clip(number, item, taken, past, heard)
        except AudioError:
            if heard:
                raise
            return replace(past, pieces=(End(),) if isinstance(item, Clip) else ())

    def _rest(self, heard: bool) -> list[ChunkAudio]:
        """Return the chunks of the audio pending in the intake, as at the end of a recording."""
        rest = self._intake.finish()
        return _as_heard(rest, heard)

    def _more_of_block(self, item: Block, taken: Taken, past: Taken, heard: bool) -> Taken:
        asked = PIECE_SECONDS * item.sound.rate
        samples = item.sound.read(taken.samples, asked)
        chunks = self._intake.push(samples, item.sound.rate, item.flags)
        return self._after(item, taken, past, _as_heard(chunks, heard), len(samples) if len(samples) == asked else 0)

    def _more_of_clip(self, number: int, item: Clip, taken: Taken, past: Taken, heard: bool) -> Taken:
        # A policy has no log-mels: its stream perceives the chunks of the clip one after the other.
        language = self._model.language
        # The stream before the clip belongs to a separate clip.
        before: list[Piece] = [] if taken.samples else [*self._rest(heard), End()]
        if self._clip is None or self._clip[0] != number:
            clip = ClipLogMel(item.sound, item.flags)
            if heard and language is not None:
                clip.measure(item.progress)
                self._clip = number, clip
        else:
            clip = self._clip[1]
        begun = perf_counter()
        found = clip.piece(taken.samples // CHUNK_SAMPLES)
        tail = silence(item.tail_silence)
        if found is None:
            rest: Sequence[Piece] = _as_heard(tail, heard)
            if heard and language is not None:
                rest = hear_tail(language, tail)
            return self._after(item, taken, past, [*before, *rest, End()], 0)
        chunks, mels = found
        pieces: Sequence[Piece] = _as_heard(chunks, heard)
        if heard and language is not None:
            pieces = hear_piece(language, chunks, mels, 0, begun)
        return self._after(item, taken, past, [*before, *pieces], len(chunks) * CHUNK_SAMPLES)

    def _after(self, item: Block | Clip, taken: Taken, past: Taken, pieces: Sequence[Piece], samples: int) -> Taken:
        """Return the progress with new pieces, made of `samples` samples of the item; 0 samples mean its end."""
        notices = item.sound.notices[taken.reported :]
        # Notices come before the end of their clip.
        ended = [piece for piece in pieces[-1:] if isinstance(piece, End)] if not samples else []
        ordered = (*pieces[: len(pieces) - len(ended)], *notices, *ended)
        if not samples:
            return replace(past, pieces=ordered)
        going_on = replace(taken, samples=taken.samples + samples, reported=taken.reported + len(notices))
        return replace(going_on, pieces=ordered, place=0)

    def perceive(self, taken: Taken, clip: int) -> Steps[Heard]:
        """Perceive the next piece, a chunk, unless it is perceived already or flagged `unheard`.

        `clip` is the clip of a chunk that does not say its own. A chunk of a record is perceived as it was then.
        """
        piece = taken.next
        if isinstance(piece, ChunkAudio) and "unheard" not in piece.flags:
            self._listener_before = taken.chunks, self._listener.mark()
            return replace((yield from self._listener.hearing(piece)), clip=clip)
        if isinstance(piece, Again) and "unheard" not in piece.audio.flags and piece.heard.frames is None:
            self._listener_before = taken.chunks, self._listener.mark()
            if piece.lead is not None:
                self._listener.return_to(piece.lead)
            return replace((yield from self._listener.hearing(piece.audio)), clip=piece.heard.clip)
        return unperceived(taken, clip)


def unperceived(taken: Taken, clip: int) -> Heard:
    """Return the next piece, a chunk, with the frames that it already has, if any; `clip` as in `Feed.perceive`.

    Raises
    ------
    SessionError
        If the next piece is no chunk.
    """
    piece = taken.next
    if isinstance(piece, (Given, Again)):
        return piece.heard
    if isinstance(piece, Heard):
        return replace(piece, clip=clip)
    if isinstance(piece, ChunkAudio):
        return Heard(piece.samples, piece.flags, clip, None, origin=piece.origin)
    raise SessionError("The feed has no pending chunk.")


def _as_heard(chunks: list[ChunkAudio], heard: bool) -> list[ChunkAudio]:
    """Return the chunks, flagged `unheard` if they are not to be perceived."""
    return chunks if heard else [replace(chunk, flags=(*chunk.flags, "unheard")) for chunk in chunks]


def _close(item: Item) -> None:
    """Close the file of a consumed or dropped item."""
    if isinstance(item, (Block, Clip)) and isinstance(item.sound, FileSamples):
        item.sound.close()
