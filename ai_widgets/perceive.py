"""Perceive: a chunk of audio → log-mel → the encoder's ten frames that stand for it in the sequence.

`Listener` perceives a live stream, `hear_clip` a whole clip at once. Neither knows what is decided about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from torch import Tensor

from .audio import ChunkAudio
from .features import Array, StreamingLogMel, log_mel
from .model.checkpoint import LoadedModel


@dataclass(frozen=True)
class Heard:
    """One chunk after perception: its samples, and the frames that stand for it in the sequence.

    `frames` is [10, width] on the model's device. `arrived` is the clock (`perf_counter`) when its last sample came.
    """

    samples: Array
    flags: tuple[str, ...]
    clip: int
    frames: Tensor
    features_ms: float = 0.0
    tower_ms: float = 0.0
    arrived: float = field(default_factory=perf_counter)


class Listener:
    """Perceives a live stream: log-mel with the running floor, then the audio tower, a chunk at a time."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._features = StreamingLogMel()

    def hear(self, chunk: ChunkAudio, clip: int = 0, arrived: float | None = None) -> Heard:
        """Encode the next chunk of the stream. Its cost does not depend on how much came before."""
        start = perf_counter()
        mels = self._features.push(chunk.samples)
        between = perf_counter()
        with self._model.computing():
            frames = self._model.encoder.encode(mels)[0]
        end = perf_counter()
        return Heard(
            chunk.samples,
            chunk.flags,
            clip,
            frames,
            (between - start) * 1e3,
            (end - between) * 1e3,
            start if arrived is None else arrived,
        )


def hear_clip(model: LoadedModel, chunks: list[ChunkAudio], clip: int) -> list[Heard]:
    """Perceive a whole clip at once: one floor for all of it, chunks in one batch, as the authors' offline runner."""
    if not chunks:
        return []
    start = perf_counter()
    mels = log_mel(np.concatenate([chunk.samples for chunk in chunks]))
    between = perf_counter()
    with model.computing():
        frames = model.encoder.encode(mels)
    end = perf_counter()
    share = 1e3 / len(chunks)
    return [
        Heard(chunk.samples, chunk.flags, clip, each, (between - start) * share, (end - between) * share)
        for chunk, each in zip(chunks, frames, strict=True)
    ]
