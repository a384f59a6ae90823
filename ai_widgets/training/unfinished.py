"""Find the places inside a spoken sentence at which it may break off, and cut it there."""

from __future__ import annotations

import numpy as np

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training.corpus import Clip, Samples, active_frames

FRAME = SAMPLE_RATE // 100
"""Samples of a frame of 10 ms, over which the level is measured."""
FIRST, LAST = 0.3, 0.8
"""Shares of the speech between which it may be cut: enough was said, and the sentence is not complete."""
SHORTEST = SAMPLE_RATE // 2
"""Samples of speech on both sides of a cut."""


def inner_pauses(clip: Clip) -> list[int]:
    """Return the samples at which a clip of speech may be cut: the middles of its inner pauses of low energy."""
    quiet = np.flatnonzero(~active_frames(clip.samples))
    runs = np.split(quiet, np.flatnonzero(np.diff(quiet) > 1) + 1) if len(quiet) else []
    middles = [int((run[0] + run[-1] + 1) * FRAME // 2) for run in runs if len(run) > 1]
    length = clip.end - clip.start
    first = clip.start + max(SHORTEST, int(FIRST * length))
    last = min(clip.end - SHORTEST, clip.start + int(LAST * length))
    return [middle for middle in middles if first <= middle <= last]


def split(clip: Clip, at: int) -> tuple[Samples, Samples]:
    """Return the samples of a clip before and from sample `at` on."""
    return clip.samples[:at].copy(), clip.samples[at:].copy()
