"""Compute how much audio the context held at the trained decisions, which is the default context of a checkpoint.

Streams are trained whole or in the fixed shapes of a course, so the context of a decision holds at most the chunks of
its row. Most rows are short. A session with a much longer context is outside the training distribution and replies
less, so the computed length is stored in the checkpoint as its default context.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import CHUNK_SECONDS
from ai_widgets.training.curriculum import Course

SHARE = 0.95
"""Share of the trained decisions whose context is at most as long as the computed length: nearly all."""


def trained_seconds(chunks: npt.ArrayLike, course: Course | None, most: int, attended: int | None = None) -> float:
    """Compute the seconds of audio in the context within which `SHARE` of the decisions were trained.

    Parameters
    ----------
    chunks
        Lengths of the pool's streams in chunks; used where there is no course.
    course
        Shapes of the batches and the share of each, or None for whole streams.
    most
        Chunks that fit into the positions of the network; longer streams are truncated.
    attended
        Chunks to which attention is limited in training; None for no limit.

    Returns
    -------
    float
        Seconds, a multiple of the length of a chunk.

    Examples
    --------
    >>> trained_seconds([10] * 99 + [100], None, 150)
    4.0
    """
    rows = _whole_streams(np.asarray(chunks)) if course is None else _shapes(course)
    decisions = np.zeros(min(max(rows), most))
    for length, often in rows.items():
        decisions[:length] += often
    reached = np.cumsum(decisions) / decisions.sum()
    longest = int(np.searchsorted(reached, SHARE - 1e-9)) + 1
    return round(min(longest, attended or longest) * CHUNK_SECONDS, 1)


def _shapes(course: Course) -> dict[int, float]:
    """Return the mean number of rows of each length in a batch of the course; the share of windows falls linearly."""
    windows = (course.windows_first + course.windows_last) / 2
    often: dict[int, float] = {}
    for shape, share in (
        (course.window, windows),
        (course.streams, (1 - windows) * (1 - course.long_share)),
        (course.long_streams, (1 - windows) * course.long_share),
    ):
        often[shape.chunks] = often.get(shape.chunks, 0.0) + share * shape.rows
    return often


def _whole_streams(chunks: npt.NDArray[np.int_]) -> dict[int, float]:
    """Return the frequency of each length: a batch has a fixed number of positions, so it has more short streams."""
    lengths, counts = np.unique(chunks, return_counts=True)
    return {int(length): count / int(length) for length, count in zip(lengths, counts, strict=True)}
