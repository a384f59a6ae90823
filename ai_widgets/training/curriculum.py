"""Schedule the batches of a training: mostly windows at first, more streams later, in a few fixed shapes.

With fixed shapes `torch.compile` compiles the tower and the language model once per shape, which makes a step about 1.5
times as fast on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ai_widgets.training.batches import Batch, BatchMaker
from ai_widgets.training.event_windows import Mixture, WindowMaker
from ai_widgets.training.mel_clips import Shelf
from ai_widgets.training.pool import Pool
from ai_widgets.training.token_sequences import SequenceBuilder

RANK_STEP = 1_000_003
"""Distance between the seeds of two processes of one training, above all seeds that a person gives."""


@dataclass(frozen=True)
class Shape:
    """The shape of a batch: `rows` streams of `chunks` chunks each, in `length` positions."""

    rows: int
    chunks: int
    length: int


@dataclass(frozen=True)
class Course:
    """A schedule: shares of windows at the start and at the end, the shapes, and the share of long streams.

    `hard` gives labels of ambience a weight above 1 in windows, where an earlier checkpoint replied to them.
    """

    windows_first: float = 0.85
    windows_last: float = 0.4
    window: Shape = Shape(40, 6, 112)
    streams: Shape = Shape(6, 30, 560)
    long_streams: Shape = Shape(1, 110, 1920)
    long_share: float = 0.25
    mixture: Mixture = field(default_factory=lambda: Mixture(words=0.22, speech=0.1, sounds=0.44, ambience=0.24))
    hard: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def of(values: Mapping[str, Any]) -> Course:
        """Make a course from JSON values, with shapes and mixture as objects; missing values are the defaults."""
        given = dict(values)
        for name in ("window", "streams", "long_streams"):
            if name in given:
                given[name] = Shape(**given[name])
        if "mixture" in given:
            given["mixture"] = Mixture(**given["mixture"])
        return Course(**given)


class Curriculum:
    """A source of batches whose kind depends on the share of the training that is done."""

    def __init__(
        self,
        course: Course,
        shelf: Shelf,
        pool: Pool,
        builder: SequenceBuilder,
        seed: int,
        perturbation: float,
        rank: int = 0,
    ) -> None:
        """Make the sources of windows and streams; `rank` gives each of several processes contents of its own."""
        self.course = course
        self.rng = np.random.default_rng([seed, 17])
        seed += RANK_STEP * rank
        shape = course.window
        self.windows = WindowMaker(
            shelf, builder, shape.rows, shape.chunks, shape.length, seed, course.mixture, hard=course.hard
        )
        limits = (course.long_streams.length, course.long_streams.length)
        self.streams = BatchMaker(pool, builder, *limits, seed, perturbation)

    def go_on(self, step: int) -> None:
        """Draw from here on what a training that is resumed at `step` has not seen."""
        for source in (self, self.windows, self.streams):
            source.rng = np.random.default_rng([int(source.rng.integers(2**32)), step])

    def draw(self, share: float) -> Batch:
        """Draw a batch at a `share` of the training in [0, 1]."""
        course = self.course
        if self.rng.random() < course.windows_first + (course.windows_last - course.windows_first) * share:
            return self.windows.draw()
        shape = course.long_streams if self.rng.random() < course.long_share else course.streams
        return self.streams.draw_shape(shape.rows, shape.chunks, shape.length)
