"""State of the running features in an event: `Chunk.lead`, where a chunk does not follow the recorded one before."""

from __future__ import annotations

from base64 import b64decode, b64encode

import numpy as np

from ..audio.features import Mark

FRESH: Mark = (None, -np.inf)
"""State before the first chunk of a stream."""


def same(one: Mark, other: Mark) -> bool:
    """Return whether the next chunk has the same features with both states."""
    if (one[0] is None) != (other[0] is None) or one[1] != other[1]:
        return False
    return one[0] is None or other[0] is None or np.array_equal(one[0], other[0])


def written(state: Mark) -> str:
    """Write a state as text: base64 of the running maximum (float64) and the last samples (float32), little-endian.

    Examples
    --------
    >>> read(written(FRESH))
    (None, -inf)
    """
    left, maximum = state
    samples = b"" if left is None else left.astype("<f4").tobytes()
    return b64encode(np.float64(maximum).astype("<f8").tobytes() + samples).decode("ascii")


def read(text: str) -> Mark:
    """Read a state that `written` wrote.

    Raises
    ------
    ValueError
        If the text is no such state.
    """
    data = b64decode(text, validate=True)
    if len(data) < 8 or len(data) % 4:
        raise ValueError(f"A state of the features has 8 bytes and 4 a sample, not {len(data)} bytes.")
    left = np.frombuffer(data[8:], "<f4").astype(np.float32)
    return (left if len(left) else None), float(np.frombuffer(data[:8], "<f8")[0])
