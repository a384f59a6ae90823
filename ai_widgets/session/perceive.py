"""Perceive: a chunk of audio → log-mel → the encoder's ten frames that stand for it in the sequence.

`Listener` perceives a live stream, `hear_clip` a whole clip at once. Neither knows what is decided about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from torch import Tensor

from ..audio.features import Array, StreamingLogMel, log_mel, thumbnail
from ..audio.intake import ChunkAudio
from ..model.checkpoint import LoadedModel
from ..protocol import MELS_PER_CHUNK


@dataclass(frozen=True)
class Heard:
    """One chunk after perception: its samples, and the frames that stand for it in the sequence.

    `frames` is [10, width] on the model's device, None where perceiving failed. `arrived` is the clock (`perf_counter`)
    when its last sample came, `encode_wait_ms` how long it waited from then until its features were computed. `stream`
    and `seq` name the block that completed it, `mel` is its `features.thumbnail`. `live` says that it comes from a
    microphone, and `age_s` how many seconds before `arrived` its last sample was captured.
    """

    samples: Array
    flags: tuple[str, ...]
    clip: int
    frames: Tensor | None
    features_ms: float = 0.0
    tower_ms: float = 0.0
    arrived: float = field(default_factory=perf_counter)
    mel: str = ""
    stream: int = 0
    seq: int = -1
    encode_wait_ms: float = 0.0
    live: bool = False
    age_s: float = 0.0


class Listener:
    """Perceives a live stream: log-mel with the running floor, then the audio tower, a chunk at a time."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._features = StreamingLogMel()

    def mark(self) -> tuple[Array | None, float]:
        """Where the stream stands; `return_to` undoes what was heard since."""
        return self._features.mark()

    def return_to(self, mark: tuple[Array | None, float]) -> None:
        """Go on from a mark, as if nothing had been heard after it."""
        self._features.return_to(mark)

    def hear(
        self,
        chunk: ChunkAudio,
        clip: int = 0,
        arrived: float | None = None,
        *,
        stream: int = 0,
        seq: int = -1,
        live: bool = False,
        age_s: float = 0.0,
    ) -> Heard:
        """Encode the next chunk of the stream. Its cost does not depend on how much came before.

        Parameters
        ----------
        chunk, clip
            The audio, and the clip it belongs to.
        arrived
            When its last sample came, on the clock of `perf_counter`; now by default.
        stream, seq
            The browser's block that completed the chunk; the defaults say that Python fed it.
        live
            It comes from a microphone.
        age_s
            Seconds between the capture of its last sample and `arrived`.
        """
        start = perf_counter()
        mels = self._features.push(chunk.samples)
        between = perf_counter()
        with self._model.computing():
            frames = self._model.encoder.encode(mels)[0]
        end = perf_counter()
        since = start if arrived is None else arrived
        return Heard(
            chunk.samples,
            chunk.flags,
            clip,
            frames,
            (between - start) * 1e3,
            (end - between) * 1e3,
            since,
            thumbnail(mels),
            stream,
            seq,
            max(0.0, start - since) * 1e3,
            live,
            age_s,
        )


def hear_clip(model: LoadedModel, chunks: list[ChunkAudio], clip: int) -> list[Heard]:
    """Perceive a short clip at once: one floor for all of it, as the authors' offline runner.

    A long one is perceived in pieces, with `clip_features.ClipLogMel` and `hear_piece`.
    """
    if not chunks:
        return []
    start = perf_counter()
    mels = log_mel(np.concatenate([chunk.samples for chunk in chunks]))
    return hear_piece(model, chunks, mels, clip, start)


def hear_piece(
    model: LoadedModel, chunks: list[ChunkAudio], mels: Array, clip: int, start: float | None = None
) -> list[Heard]:
    """Encode chunks whose features are known, in one batch.

    Parameters
    ----------
    chunks, mels
        At least one, and their log-mel, float32 [128, 40 · chunks].
    clip
        The clip that they belong to.
    start
        When the features were begun, on the clock of `perf_counter`.
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
            start,
            thumbnail(mels[:, place * MELS_PER_CHUNK : (place + 1) * MELS_PER_CHUNK]),
        )
        for place, (chunk, each) in enumerate(zip(chunks, frames, strict=True))
    ]
