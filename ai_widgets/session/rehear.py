"""Rehearing: the chunks of a record as pieces of a feed, perceived as they were perceived then.

A chunk with the running floor is perceived by the feed's listener, one after the other. Chunks of a clip that was
heard as a whole are encoded in the same batches as then, so that their frames are the same bit for bit; the tail of
such a clip is a clip of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..audio.clip_features import PIECE_CHUNKS, ArraySamples, ClipLogMel
from ..audio.features import Mark
from ..audio.intake import ChunkAudio, cut, mono_with_flags, repair
from ..errors import AudioError, SessionError
from ..protocol import CHUNK_SAMPLES, CHUNK_SECONDS, SAMPLE_RATE, Chunk
from .features_state import read
from .listening import ListeningModel
from .perceive import Heard, hear_clip, hear_piece

Array = npt.NDArray[np.float32]
Audio: TypeAlias = Callable[[int], Array | None]
DERIVED = frozenset({"late", "dc_offset"})
"""Flags that a session derives itself, from the clock and from its input."""


@dataclass(frozen=True)
class Again:
    """Chunk that is heard again: its audio, and its frames if they do not depend on the chunks before.

    Attributes
    ----------
    audio
        Samples and flags; `unheard` where the chunk was not perceived.
    heard
        Its clip, and its frames if known.
    lead
        State of the running features before the chunk; None: as the chunk before left it.
    """

    audio: ChunkAudio
    heard: Heard
    lead: Mark | None = None


class Rehearing:
    """Chunks of a record in order, the item of a feed.

    Parameters
    ----------
    model
        Model that perceives.
    chunks
        Their events, consecutive.
    audio
        Returns the samples of a chunk by its index, float32 [6400].
    changed
        Other audio by index of the chunk; see `replacement`.
    closing
        Whether the last chunk ends its clip.
    first
        Place in `chunks` of the first chunk to hear; those before only complete the clip that it belongs to.
    undecided
        Chunks that were not decided by a failure: those among them that were not perceived are not perceived now.
    """

    def __init__(
        self,
        model: ListeningModel,
        chunks: Sequence[Chunk],
        audio: Audio,
        *,
        changed: Mapping[int, ChunkAudio] | None = None,
        closing: bool = True,
        first: int = 0,
        undecided: frozenset[int] = frozenset(),
    ) -> None:
        self._model, self._chunks, self._audio = model, chunks, audio
        self._changed = {} if changed is None else changed
        self.closing = closing
        self._first, self._undecided = first, undecided
        # Features of the clip in progress, kept because its floor is measured once.
        self._clip: tuple[int, ClipLogMel] | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (len(self._chunks) - self._first) * CHUNK_SECONDS

    def pieces(self, heard: int) -> tuple[Again, ...]:
        """Return the next pieces after `heard` chunks; none at the end.

        Raises
        ------
        SessionError
            If the audio of a chunk is not kept.
        """
        place = self._first + heard
        if place >= len(self._chunks):
            return ()
        if self._chunks[place].floor == "running":
            return (self._again(place),)
        begin, end = clip_start(self._chunks, place), place
        while end < len(self._chunks) and _clip_key(self._chunks[end]) == _clip_key(self._chunks[place]):
            end += 1
        tail = "tail" in self._chunks[place].flags
        start = begin if tail else begin + (place - begin) // PIECE_CHUNKS * PIECE_CHUNKS
        again = [self._again(at) for at in range(start, end if tail else min(start + PIECE_CHUNKS, end))]
        sounds = [each.audio for each in again]
        language = self._model.language
        if language is None:
            raise SessionError(f"{self._model.name} has no log-mels, so a clip heard as a whole cannot be heard again.")
        if tail:
            perceived = hear_clip(language, sounds, 0)
        else:
            found = self._log_mel(begin, end).piece(start - begin)
            if found is None:
                raise SessionError(f"Chunk {self._chunks[place].chunk} is not in its clip.")
            perceived = hear_piece(language, sounds, found[1], 0)
        both = zip(again, perceived, strict=True)
        whole = [
            each if "unheard" in each.audio.flags else replace(each, heard=replace(new, clip=each.heard.clip))
            for each, new in both
        ]
        return tuple(whole[place - start :])

    def unperceived(self, heard: int) -> tuple[Again, ...]:
        """Return the next chunk, flagged `unheard` after a failure to perceive it; none if its audio is not kept."""
        place = self._first + heard
        if place >= len(self._chunks) or self._audio(self._chunks[place].chunk) is None:
            return ()
        again = self._again(place)
        return (replace(again, audio=replace(again.audio, flags=(*again.audio.flags, "unheard"))),)

    def _log_mel(self, begin: int, end: int) -> ClipLogMel:
        if self._clip is None or self._clip[0] != begin:
            samples = np.concatenate([self._sound(at).samples for at in range(begin, end)])
            clip = ClipLogMel(ArraySamples(samples, SAMPLE_RATE))
            clip.measure()
            self._clip = begin, clip
        return self._clip[1]

    def _again(self, place: int) -> Again:
        chunk, sound = self._chunks[place], self._sound(place)
        heard = Heard(sound.samples, sound.flags, chunk.clip, None, floor=chunk.floor)
        return Again(sound, heard, read(chunk.lead) if chunk.lead else None)

    def _sound(self, place: int) -> ChunkAudio:
        chunk = self._chunks[place]
        other = self._changed.get(chunk.chunk)
        if other is not None:
            # A tail is encoded on its own, apart from its clip.
            return replace(other, flags=(*other.flags, "tail")) if "tail" in chunk.flags else other
        samples = self._audio(chunk.chunk)
        if samples is None:
            raise missing(chunk.chunk)
        leave = DERIVED if chunk.chunk in self._undecided else DERIVED | {"unheard"}
        return ChunkAudio(samples, tuple(flag for flag in chunk.flags if flag not in leave))


def _clip_key(chunk: Chunk) -> tuple[int, str, bool]:
    return chunk.clip, chunk.floor, "tail" in chunk.flags


def clip_start(chunks: Sequence[Chunk], place: int) -> int:
    """Return the place of the first chunk whose features depend on the audio of the chunk at `place`."""
    begin = place
    while chunks[place].floor == "clip" and begin > 0 and _clip_key(chunks[begin - 1]) == _clip_key(chunks[place]):
        begin -= 1
    return begin


def missing(chunk: int) -> SessionError:
    """Return the error for a chunk whose audio is not kept."""
    return SessionError(
        f"The audio of chunk {chunk} is not kept, so it cannot be heard again: a record keeps the newest ten minutes, "
        'or all audio with SessionRecord(audio_seconds=None) or SessionRecord(keep="talk.aiw").'
    )


def replacement(chunk: int, samples: npt.ArrayLike | int | None, audio: Audio) -> ChunkAudio:
    """Return the audio that takes the place of a chunk.

    Parameters
    ----------
    chunk
        Index of the chunk.
    samples
        At most 6400 samples at 16 kHz, padded with zeros; the index of another chunk of the record; or None for
        silence, flagged `gated`.
    audio
        Returns the samples of a chunk of the record.

    Raises
    ------
    AudioError
        If `samples` is no audio, or longer than a chunk.
    """
    if samples is None:
        return ChunkAudio(np.zeros(CHUNK_SAMPLES, np.float32), ("gated",))
    if isinstance(samples, int) and not isinstance(samples, bool):
        other = audio(samples)
        if other is None:
            raise missing(samples)
        samples = other
    row, flags = mono_with_flags(samples)
    if not 0 < len(row) <= CHUNK_SAMPLES:
        raise AudioError(
            f"audio[{chunk}] has {len(row)} samples; a chunk is replaced by 1 to {CHUNK_SAMPLES} samples at 16 kHz, by "
            "the index of another chunk, or by None for silence."
        )
    whole, broken = repair(row)
    return cut(whole, (*flags, "repaired") if broken else flags)[0]
