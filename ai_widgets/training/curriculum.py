"""Schedule the batches of a training: mostly windows at first, more streams later, in a few fixed shapes.

With fixed shapes `torch.compile` compiles the tower and the language model once per shape, which makes a step about 1.5
times as fast on a CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ai_widgets.protocol import CHUNK_SECONDS
from ai_widgets.training.batches import Batch, BatchMaker
from ai_widgets.training.compose_streams import Composer
from ai_widgets.training.event_windows import Mixture, WindowMaker
from ai_widgets.training.mel_clips import Shelf
from ai_widgets.training.pool import Pool
from ai_widgets.training.token_sequences import SequenceBuilder

RENEWED_LENGTHS = 2
"""A new stream replaces one that is less than this many times as long, so that the pool keeps its long streams."""
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

    `hard` gives labels of ambience a weight above 1 in windows, where an earlier checkpoint replied to them. `renewed`
    is the share of the streams of a batch that are composed for it and take the place of others in the pool, which is
    worth its time where several processes compose (`composers.py`); with 0 the pool stays as it is.
    """

    windows_first: float = 0.85
    windows_last: float = 0.4
    window: Shape = Shape(40, 6, 112)
    streams: Shape = Shape(6, 30, 560)
    long_streams: Shape = Shape(1, 110, 1920)
    long_share: float = 0.25
    mixture: Mixture = field(default_factory=lambda: Mixture(words=0.22, speech=0.1, sounds=0.44, ambience=0.24))
    hard: Mapping[str, float] = field(default_factory=dict)
    renewed: float = 0.0

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
        composer: Composer | None = None,
    ) -> None:
        """Make the sources of windows and streams; `rank` gives each of several processes contents of its own.

        Raises
        ------
        ValueError
            Where streams are to be renewed and there is no `composer`.
        """
        if course.renewed and composer is None:
            raise ValueError("A course that renews streams needs a composer of streams.")
        self.course, self.composer = course, composer
        self.rng = np.random.default_rng([seed, 17])
        seed += RANK_STEP * rank
        shape = course.window
        self.windows = WindowMaker(
            shelf, builder, shape.rows, shape.chunks, shape.length, seed, course.mixture, hard=course.hard
        )
        limits = (course.long_streams.length, course.long_streams.length)
        self.streams = BatchMaker(pool, builder, *limits, seed, perturbation)

    def go_on(self, *marks: int) -> None:
        """Draw other contents from here on: those of a training resumed at a step, or of one process of several."""
        for source in (self, self.windows, self.streams):
            source.rng = np.random.default_rng([int(source.rng.integers(2**32)), *marks])

    def draw(self, share: float) -> Batch:
        """Draw a batch at a `share` of the training in [0, 1]."""
        course = self.course
        if self.rng.random() < course.windows_first + (course.windows_last - course.windows_first) * share:
            return self.windows.draw()
        shape = course.long_streams if self.rng.random() < course.long_share else course.streams
        if self.composer is not None and course.renewed:
            self._renew(self.composer, round(course.renewed * shape.rows), shape.chunks)
        return self.streams.draw_shape(shape.rows, shape.chunks, shape.length)

    def _renew(self, composer: Composer, count: int, chunks: int) -> None:
        """Compose streams of a batch's length; each replaces one of the pool that could have been drawn instead."""
        pool, rng = self.streams.pool, self.streams.rng
        replaced = np.flatnonzero((pool.chunks >= chunks) & (pool.chunks < RENEWED_LENGTHS * chunks))
        for _ in range(count):
            stream = composer.stream(rng, (chunks + 1) * CHUNK_SECONDS)
            if not np.isfinite(stream.mels).all():
                warnings.warn("A stream whose features are not finite was left out.", RuntimeWarning, stacklevel=2)
            elif len(stream.mels) >= chunks and len(replaced):
                pool.replace(int(rng.choice(replaced)), stream)
