"""Perceive: convert a chunk of audio to log-mel features and to the encoder's ten frames.

`Listener` perceives a stream chunk by chunk, `hear_clip` a whole clip at once. Both are independent of the model's
decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from ..audio.features import Array, Mark, StreamingLogMel, log_mel, thumbnail
from ..audio.intake import ChunkAudio
from ..audio.origin import Origin
from ..model.interfaces import AudioEncoder, LanguageModel
from ..model.passes import EncoderPass, Steps, alone
from ..protocol import MELS_PER_CHUNK
from .listening import ListeningModel, Perceived

Floor: TypeAlias = Literal["running", "clip"]
"""Maximum that the log-mel floor of a chunk is relative to: of the stream so far, or of the whole clip."""


@dataclass(frozen=True)
class Heard:
    """Perceived chunk: samples, encoder frames and origin.

    Attributes
    ----------
    samples
        float32 [6400], 16 kHz mono.
    flags
        Flags of `protocol.Chunk`.
    clip
        Index of the chunk's clip.
    frames
        Encoder frames [10, width] on the model's device, or what a policy's stream perceived; None after a failure.
    features_ms, tower_ms
        Duration of the log-mel features and of the audio tower, in milliseconds.
    mel
        Thumbnail of the features (`audio.features.thumbnail`).
    encode_wait_ms
        Time between the chunk's arrival and the start of the features, in milliseconds.
    origin
        Origin of the audio that completed the chunk.
    floor
        Log-mel floor of the frames: `running`, or `clip` for the floor of the whole clip.
    before, after
        State of the running features before and after the chunk (`StreamingLogMel.mark`); None with the clip's floor.
    """

    samples: Array
    flags: tuple[str, ...]
    clip: int
    frames: Any | None
    features_ms: float = 0.0
    tower_ms: float = 0.0
    mel: str = ""
    encode_wait_ms: float = 0.0
    origin: Origin = field(default_factory=Origin)
    floor: Floor = "running"
    before: Mark | None = None
    after: Mark | None = None


class LogMelStream:
    """Encoder of a live stream, chunk by chunk: log-mel with the running floor, then the audio tower."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._features = StreamingLogMel()

    def mark(self) -> Mark:
        """Return the state of the features, for `return_to`."""
        return self._features.mark()

    def return_to(self, mark: Mark) -> None:
        """Restore the state that `mark` returned; chunks perceived since then have no effect."""
        self._features.return_to(mark)

    def perceive(self, samples: Array) -> Steps[Perceived]:
        """Encode the next chunk, float32 [6400] at 16 kHz, at a cost independent of the stream's length."""
        start = perf_counter()
        mels = self._features.push(samples)
        between = perf_counter()
        frames = (yield EncoderPass(self._model.encoder, mels))[0]
        end = perf_counter()
        return Perceived(frames, (between - start) * 1e3, (end - between) * 1e3, thumbnail(mels))


class Listener:
    """Perception of a live stream that keeps the origin of each chunk beside what the model's stream perceived."""

    def __init__(self, model: ListeningModel) -> None:
        self._model, self._stream = model, model.open_stream()
        # A fork goes back to the features of a language model; a policy has none.
        self._has_features = model.language is not None

    def mark(self) -> Any:
        """Return the state of the stream, for `return_to`."""
        return self._stream.mark()

    def return_to(self, mark: Any) -> None:
        """Restore the state that `mark` returned; chunks heard since then have no effect."""
        self._stream.return_to(mark)

    def hear(self, chunk: ChunkAudio, clip: int = 0, run: Callable[[Steps[Heard]], Heard] = alone) -> Heard:
        """Perceive the next chunk of the stream, at a cost independent of the stream's length.

        `clip` is its clip, and `run` runs the steps.
        """
        with self._model.computing():
            return run(self.hearing(chunk, clip))

    def hearing(self, chunk: ChunkAudio, clip: int = 0) -> Steps[Heard]:
        """Perceive the next chunk as `hear` does, and ask for the pass that this takes."""
        start, before = perf_counter(), self._stream.mark() if self._has_features else None
        perceived = yield from self._stream.perceive(chunk.samples)
        return Heard(
            chunk.samples,
            chunk.flags,
            clip,
            perceived.frames,
            perceived.features_ms,
            perceived.tower_ms,
            perceived.mel,
            max(0.0, start - chunk.origin.arrived) * 1e3,
            chunk.origin,
            before=before,
            after=self._stream.mark() if self._has_features else None,
        )


def hear_clip(model: LanguageModel, chunks: list[ChunkAudio], clip: int) -> list[Heard]:
    """Perceive a short clip at once, with one log-mel floor for the whole clip, as the authors' offline runner does.

    For a long clip use `clip_features.ClipLogMel` and `hear_piece`, which bound the memory.
    """
    if not chunks:
        return []
    start = perf_counter()
    mels = log_mel(np.concatenate([chunk.samples for chunk in chunks]))
    return hear_piece(model, chunks, mels, clip, start)


def hear_tail(model: LanguageModel, chunks: list[ChunkAudio]) -> list[Heard]:
    """Perceive the silence after a clip as `hear_clip` does. It is the same after every clip, and is encoded once."""
    if not 0 < len(chunks) <= LONGEST_KEPT_TAIL:
        return hear_clip(model, chunks, 0)
    kept = _tails.setdefault(model.encoder, {})
    if len(chunks) not in kept:
        heard = hear_clip(model, chunks, 0)
        # The next one takes no time.
        kept[len(chunks)] = [replace(each, features_ms=0.0, tower_ms=0.0) for each in heard]
        return heard
    return kept[len(chunks)]


LONGEST_KEPT_TAIL = 25
"""Length in chunks of the longest silence whose frames are kept: 10 s, whose frames take 2 MB in the published size."""
_tails: WeakKeyDictionary[AudioEncoder, dict[int, list[Heard]]] = WeakKeyDictionary()
"""Perceived silence after a clip, by encoder and number of chunks."""


def hear_piece(
    model: LanguageModel, chunks: list[ChunkAudio], mels: Array, clip: int, start: float | None = None
) -> list[Heard]:
    """Encode chunks with known features in one batch.

    Parameters
    ----------
    chunks, mels
        One chunk or more, and their log-mel features, float32 [128, 40 · chunks].
    clip
        Index of the chunks' clip.
    start
        Start of the features' computation, in seconds of `time.perf_counter`; None for now.
    """
    between = perf_counter()
    start = between if start is None else start
    with model.computing():
        frames = model.encoder.encode(mels)
    end = perf_counter()
    share = 1e3 / len(chunks)
    return [
        Heard(
            chunk.samples,
            chunk.flags,
            clip,
            each,
            (between - start) * share,
            (end - between) * share,
            thumbnail(mels[:, place * MELS_PER_CHUNK : (place + 1) * MELS_PER_CHUNK]),
            origin=chunk.origin,
            floor="clip",
        )
        for place, (chunk, each) in enumerate(zip(chunks, frames, strict=True))
    ]
