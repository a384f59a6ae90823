"""Cut recorded sentences where a speaker could pause: inside, at a moment of little energy.

The melody of a sentence that is cut in its middle is that of a sentence that goes on. That is what a listener has,
besides the words, to tell a pause for thought from the end of a turn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_widgets.training.corpus import FRAME, SPEECH, Clip, Samples

EARLIEST, LATEST = 0.3, 0.8
"""Share of a sentence that has been spoken at a cut, at least and at most."""
SPOKEN_S = 0.5
"""Seconds of speech on each side of a cut, at least: a shorter rest is a word or noise."""
DIP_DB = 14.0
"""Decibels by which a frame is quieter than the loudest one to be a place to cut: closures and gaps between words."""
FADE = FRAME
"""Samples over which the two parts fade out and in, so that the cut makes no click."""


def inner_pauses(clip: Clip) -> list[int]:
    """Return the samples at which a clip of speech may be cut, in order; none where it is too short.

    Each is the middle of a run of quiet frames.
    """
    length = clip.end - clip.start
    margin = int(SPOKEN_S * FRAME * 100)
    if clip.kind != SPEECH or length < 2 * margin:
        return []
    first = clip.start + max(margin, int(EARLIEST * length))
    last = clip.start + min(length - margin, int(LATEST * length))
    count = len(clip.samples) // FRAME
    power = (clip.samples[: count * FRAME].reshape(count, FRAME).astype(np.float64) ** 2).mean(1)
    quiet: npt.NDArray[np.bool_] = power < power.max() * 10 ** (-DIP_DB / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    middles = [(int(a) + int(b)) * FRAME // 2 for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [at for at in middles if first <= at <= last]


def split(clip: Clip, at: int) -> tuple[Samples, Samples]:
    """Return the speech of a clip before and from sample `at`, each faded at the cut; silence around it is left out."""
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    before, after = clip.samples[clip.start : at].copy(), clip.samples[at : clip.end].copy()
    before[-FADE:] *= ramp[::-1]
    after[:FADE] *= ramp
    return before, after
