"""Float32 audio as FLAC that every program plays, and what FLAC cannot hold, so that both together are exact.

FLAC holds whole numbers of 24 bits. Samples of a resampler are float32 and finer than that. The rest, sample minus
FLAC, is stored beside it as float32, its bytes sorted by significance so that they compress well. It is zero for audio
that was 16-bit at 16 kHz. A replay computes with the exact sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import soundfile

from ..protocol import CHUNK_SAMPLES, SAMPLE_RATE

SCALE = 1 << 23
"""Value of full scale in 24-bit audio."""
REST_BYTES = 4 * CHUNK_SAMPLES
"""Bytes of the rest for one chunk."""

Array = npt.NDArray[np.float32]


def split(samples: Array) -> tuple[npt.NDArray[np.int32], Array]:
    """Split samples into whole numbers of 24 bits and the rest.

    Parameters
    ----------
    samples
        float32 [n].

    Returns
    -------
    int32 [n], float32 [n]
        Numbers from −2²³ to 2²³ − 1, and the rest: `join` of both equals the samples. (−0 becomes 0.)
    """
    exact = samples.astype(np.float64)
    finite = np.isfinite(exact)
    whole = np.clip(np.rint(np.where(finite, exact, 0) * SCALE), -SCALE, SCALE - 1).astype(np.int32)
    rest = np.where(finite, (exact - whole / SCALE), samples).astype(np.float32)
    # Samples far beyond full scale: their rest is not exact in float32, so that it holds the whole sample.
    wrong = join(whole, rest) != samples
    return np.where(wrong, 0, whole).astype(np.int32), np.where(wrong, samples, rest).astype(np.float32)


def join(whole: npt.NDArray[np.int32], rest: Array) -> Array:
    """Return the samples that `split` split, float32 [n]."""
    joined: Array = (whole / SCALE + rest.astype(np.float64)).astype(np.float32)
    return joined


def write(pieces: Iterable[Array], flac: Path, rest: IO[bytes]) -> tuple[int, bool]:
    """Write audio as a FLAC file and a file of the rest; return the number of pieces, and whether any rest is not zero.

    Parameters
    ----------
    pieces
        Whole chunks, float32 [n · 6400].
    flac, rest
        New FLAC file, and an open file for the rest, chunk by chunk.
    """
    count, needed = 0, False
    with soundfile.SoundFile(str(flac), "w", SAMPLE_RATE, 1, subtype="PCM_24", format="FLAC") as file:
        for piece in pieces:
            whole, left = split(piece)
            file.write(whole << 8)
            count, needed = count + 1, needed or bool(left.any())
            for chunk in left.reshape(-1, CHUNK_SAMPLES):
                rest.write(np.ascontiguousarray(chunk.astype("<f4").view(np.uint8).reshape(-1, 4).T).tobytes())
    return count, needed


def read(flac: IO[bytes], rest: IO[bytes] | None) -> Iterator[tuple[Array, bool]]:
    """Read what `write` wrote, chunk by chunk: float32 [6400], whether it is exact; an incomplete chunk is skipped.

    Raises
    ------
    soundfile.LibsndfileError, ValueError
        If the FLAC file is damaged; all chunks before were yielded.
    """
    with closing(soundfile.SoundFile(flac)) as file:
        if (file.samplerate, file.channels) != (SAMPLE_RATE, 1):
            raise ValueError(f"its audio is not 16 kHz mono but {file.samplerate} Hz, {file.channels} channels")
        while len(whole := file.read(CHUNK_SAMPLES, dtype="int32")) == CHUNK_SAMPLES:
            data = rest.read(REST_BYTES) if rest is not None else b""
            exact = len(data) == REST_BYTES
            left = np.zeros(CHUNK_SAMPLES, np.float32)
            if exact:
                left = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(4, -1).T).view("<f4")[:, 0]
            yield join(whole >> 8, left), exact
