"""How much audio stood in the context of the decisions that were trained: what a checkpoint is made for.

Streams are trained whole or in the fixed shapes of a course, so a decision has at most as many chunks before it as its
row has. Most rows are short. A session whose context holds far more than nearly all of those rows asks for something
that was hardly trained, and answers less: the value found here travels with the checkpoint as its default context.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import CHUNK_SECONDS
from ai_widgets.training.curriculum import Course

SHARE = 0.95
"""Share of the trained decisions whose context held no more audio than the value found."""


def trained_seconds(chunks: npt.ArrayLike, course: Course | None, most: int) -> float:
    """Find the seconds of audio within which `SHARE` of the decisions were trained.

    Parameters
    ----------
    chunks
        Lengths of the pool's streams in chunks; they count where there is no course.
    course
        Shapes of the batches and how often each is drawn, or None for whole streams.
    most
        Chunks that fit into the positions of the network; longer streams are cut there.

    Returns
    -------
    float
        Seconds, a multiple of a chunk's.

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
    return round((int(np.searchsorted(reached, SHARE - 1e-9)) + 1) * CHUNK_SECONDS, 1)


def _shapes(course: Course) -> dict[int, float]:
    """Rows of each length that a batch holds on average over the whole course; the share of windows falls evenly."""
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
    """How often streams of each length are drawn: batches have equally many positions, so short ones come oftener."""
    lengths, counts = np.unique(chunks, return_counts=True)
    return {int(length): count / int(length) for length, count in zip(lengths, counts, strict=True)}
