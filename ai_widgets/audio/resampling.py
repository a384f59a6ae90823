"""Resampling of a stream of blocks: the same samples as resampling the whole in one piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from ..protocol import SAMPLE_RATE
from .intake import repair

Array = npt.NDArray[np.float32]


def resampled(blocks: Iterable[Array], rate: int, wanted: int = SAMPLE_RATE) -> Iterator[Array]:
    """Resample blocks from `rate` to `wanted` Hz (soxr, high quality), with the result of resampling them in one piece.

    Inside the resampler a NaN would spread over hundreds of samples; so it only marks its own place.
    """
    if rate == wanted:
        yield from blocks
        return
    import soxr  # on first audio, not with the package

    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32")
    taken, given = 0, 0
    broken: list[int] = []
    for block in blocks:
        whole, is_broken = repair(block)
        if is_broken:
            broken += [(taken + int(at)) * wanted // rate for at in np.flatnonzero(~np.isfinite(block))]
        taken += len(block)
        out = _mark(stream.resample_chunk(whole), given, broken)
        given += len(out)
        broken = [at for at in broken if at >= given]
        yield out
    yield _mark(stream.resample_chunk(np.zeros(0, np.float32), last=True), given, broken)


def _mark(samples: Array, start: int, places: list[int]) -> Array:
    """Put NaN to the places of the stream that are in `samples`, which begin at `start`."""
    for at in places:
        if start <= at < start + len(samples):
            samples[at - start] = np.nan
    return samples
