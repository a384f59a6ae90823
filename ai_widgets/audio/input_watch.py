"""Detection of faulty input: silent, faint, with a constant offset, with cancelling channels, or with NaN.

Audio can be lost before the model hears it without any error: a muted device delivers zeros, a cable with one inverted
channel cancels itself, a broken driver sends NaN. Each condition gives one notice when it begins and one when it ends,
regardless of the number of chunks in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol import CHUNK_SECONDS, Notice

FAINT = 1e-3
"""Peak magnitude below which a chunk is faint: −60 dBFS, 33 steps of 16-bit audio. Speech at arm's length peaks near
−20 dBFS."""
DC_OFFSET = 0.03
"""Magnitude of a chunk's mean from which the offset counts as a fault: the mean of 0.4 s of real sound is smaller."""
SYNTHETIC = frozenset({"tail", "padded"})
"""Flags of chunks that contain generated silence and are not examined."""


@dataclass(frozen=True)
class Condition:
    """Condition of the input and the sentences of its notices.

    Attributes
    ----------
    begins_after, ends_after
        Number of consecutive chunks with, or without, the condition that produce the notice.
    begins, ends
        Sentence of each notice, as a format string.
    """

    begins_after: int
    ends_after: int
    begins: str
    ends: str


CONDITIONS = MappingProxyType(
    {
        "silent_input": Condition(
            25,
            1,
            "The input has been digital silence for {begun:g} s: a muted device, an empty channel, or the wrong input.",
            "The input has sound again, after {lasted:.1f} s of digital silence.",
        ),
        "faint_input": Condition(
            75,
            1,
            "The input has stayed below −60 dBFS for {begun:g} s: its level is too low for the model to hear anything.",
            "The input is louder than −60 dBFS again, after {lasted:.1f} s.",
        ),
        "dc_offset": Condition(
            5,
            5,
            "The input is shifted by a constant ({mean:+.2f} of full scale), which hides quiet sounds: a fault of the "
            "device or its driver.",
            "The input is no longer shifted by a constant, after {lasted:.1f} s.",
        ),
        "channels_cancel": Condition(
            1,
            5,
            "The channels of the input cancel when they are averaged (one is inverted): only the louder one is used.",
            "The channels of the input no longer cancel, after {lasted:.1f} s: they are averaged again.",
        ),
        "repaired": Condition(
            1,
            25,
            "The input contains samples that are NaN or infinity; they are replaced by 0.",
            "The input no longer contains NaN or infinity, after {lasted:.1f} s.",
        ),
    }
)
"""Conditions by the `kind` of their notices. Digital silence is reported after 10 s, a faint input after 30 s, so that
a pause in speech is not."""


@dataclass(frozen=True)
class InputWatch:
    """Immutable state of the detection; `after` returns the next state.

    Attributes
    ----------
    runs
        Number of consecutive chunks with a condition, by its kind; negative: without a condition that has begun.
    begun
        Index of the first chunk of each condition in effect, by its kind.
    """

    runs: dict[str, int] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)

    def after(
        self, chunk: int, samples: npt.NDArray[np.float32], flags: tuple[str, ...]
    ) -> tuple[InputWatch, tuple[str, ...], list[Notice]]:
        """Examine the next chunk.

        Parameters
        ----------
        chunk, samples, flags
            Index of the chunk, its samples float32 [6400], and its flags.

        Returns
        -------
        InputWatch, flags, notices
            Next state; the flags, with `dc_offset` added if it applies; notices of conditions that begin or end.
        """
        if SYNTHETIC & set(flags):
            return self, flags, []
        # Reductions without a copy, and without the Python code of NumPy's methods: this runs before every decision.
        peak = max(float(np.maximum.reduce(samples, initial=0)), -float(np.minimum.reduce(samples, initial=0)))
        mean = float(np.add.reduce(samples)) / max(1, len(samples))
        seen = {
            "silent_input": peak == 0,
            "faint_input": peak < FAINT and "silent_input" not in self.begun,
            "dc_offset": abs(mean) >= DC_OFFSET * max(1.0, peak),
            "channels_cancel": "channels_cancel" in flags,
            "repaired": "repaired" in flags,
        }
        if not self.begun and not any(seen.values()) and not any(self.runs.values()):
            # Nothing is seen, counted or in effect: the usual case.
            return self, flags, []
        runs, begun, notices = dict(self.runs), dict(self.begun), []
        for kind, condition in CONDITIONS.items():
            if kind in begun:
                runs[kind] = 0 if seen[kind] else runs.get(kind, 0) - 1
                if -runs[kind] >= condition.ends_after:
                    lasted = (chunk - condition.ends_after + 1 - begun.pop(kind)) * CHUNK_SECONDS
                    runs[kind] = 0
                    notices.append(_notice(chunk, kind, condition.ends, "ends", lasted=lasted))
                continue
            runs[kind] = runs.get(kind, 0) + 1 if seen[kind] else 0
            if runs[kind] >= condition.begins_after:
                begun[kind] = chunk - condition.begins_after + 1
                lasted = condition.begins_after * CHUNK_SECONDS
                runs[kind] = 0
                notices.append(_notice(chunk, kind, condition.begins, "begins", begun=lasted, mean=mean))
        if seen["dc_offset"]:
            flags = tuple(sorted({*flags, "dc_offset"}))
        return InputWatch(runs, begun), flags, notices


def _notice(chunk: int, kind: str, words: str, phase: str, **figures: float) -> Notice:
    data: dict[str, Any] = {"phase": phase, **{name: round(value, 3) for name, value in figures.items()}}
    return Notice(chunk, kind, words.format(**figures), data)
