"""Make batches for the trainer: tensors of streams of similar length, laid out as token sequences."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ai_widgets.errors import SettingError
from ai_widgets.training.pool import Pool
from ai_widgets.training.token_sequences import IGNORED, Sequence, SequenceBuilder

LENGTH_STEP, CHUNK_STEP = 128, 32
"""Multiples to which positions and chunks are padded: oneDNN compiles each new matrix shape, which is slow."""


def _rounded(count: int, step: int) -> int:
    return -(-count // step) * step


def _padded(mels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    missing = _rounded(len(mels), CHUNK_STEP) - len(mels)
    return np.pad(mels, ((0, missing), (0, 0), (0, 0)))


@dataclass
class Batch:
    """One batch of training data; flat indices address [batch · length] positions.

    Attributes
    ----------
    tokens, labels
        [batch, length].
    mels
        [at least chunks, 128, 40], float32, or float16 on the way to a device (`halved`): the chunks of all streams,
        one stream after the other, then padding.
    at
        [chunks · 10] flat positions of the frames.
    decisions
        [chunks] flat positions of the decisions.
    kind, word
        [chunks, 10] frame labels.
    phones
        For each row the phones spoken in it, where all of them are known; else empty.
    decided, spoken, said
        Flat positions of the decisions that have a loss and of the text that has one, and the places among all frames
        [chunks · 10] that have a word. Computed here, because on a GPU their number has to be waited for.
    """

    tokens: Tensor
    labels: Tensor
    mels: Tensor
    at: Tensor
    decisions: Tensor
    kind: Tensor
    word: Tensor
    phones: list[tuple[int, ...]] = field(default_factory=list)
    decided: Tensor = field(init=False)
    spoken: Tensor = field(init=False)
    said: Tensor = field(init=False)

    def __post_init__(self) -> None:
        learnt = self.labels.reshape(-1) != IGNORED
        is_decision = torch.zeros_like(learnt)
        is_decision[self.decisions] = True
        self.decided = torch.nonzero(learnt & is_decision).squeeze(1)
        self.spoken = torch.nonzero(learnt & ~is_decision).squeeze(1)
        self.said = torch.nonzero(self.word.reshape(-1)).squeeze(1)

    def halved(self) -> Batch:
        """Return the batch with its features in float16, half the bytes between processes."""
        return replace(self, mels=self.mels.half())

    def pin_memory(self) -> Batch:
        """Return the batch in memory from which a GPU reads while other work goes on."""
        return self._each(lambda tensor: tensor.pin_memory())

    def on(self, device: torch.device) -> Batch:
        """Return the batch on a device, with its features in float32."""
        moved = self._each(lambda tensor: tensor.to(device, non_blocking=True))
        moved.mels = moved.mels.float()
        return moved

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return a copy with every tensor changed."""
        copied = copy.copy(self)
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Tensor):
                setattr(copied, each.name, change(value))
        return copied

    @property
    def seconds(self) -> float:
        """Seconds of audio in the batch."""
        return len(self.decisions) * 0.4


class Layout(TypedDict):
    """The fields of a `Batch` that are derived from its sequences."""

    tokens: Tensor
    labels: Tensor
    at: Tensor
    decisions: Tensor


def lay_out(sequences: list[Sequence], length: int) -> Layout:
    """Lay sequences out as rows of `length` positions."""
    tokens: npt.NDArray[np.int64] = np.zeros((len(sequences), length), np.int64)
    labels = np.full((len(sequences), length), IGNORED, np.int64)
    at, decisions = [], []
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence.tokens)] = sequence.tokens
        labels[row, : len(sequence.labels)] = sequence.labels
        at.append(sequence.pads.reshape(-1) + row * length)
        decisions.append(sequence.decisions + row * length)
    return {
        "tokens": torch.from_numpy(tokens),
        "labels": torch.from_numpy(labels),
        "at": torch.from_numpy(np.concatenate(at)),
        "decisions": torch.from_numpy(np.concatenate(decisions)),
    }


class BatchMaker:
    """An endless iterator over random batches of about `positions` positions from a pool."""

    def __init__(
        self,
        pool: Pool,
        builder: SequenceBuilder,
        positions: int,
        block_size: int,
        seed: int,
        perturbation: float = 0.12,
    ) -> None:
        self.pool, self.builder = pool, builder
        self.positions, self.block_size, self.perturbation = positions, block_size, perturbation
        self.rng = np.random.default_rng(seed)
        order = np.argsort(pool.chunks, kind="stable")
        self.ranks = order

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.draw()

    def draw(self) -> Batch:
        """Draw a batch: a random stream, and others of similar length."""
        total = len(self.ranks)
        rank = int(self.rng.integers(total))
        length = 13 * int(self.pool.chunks[self.ranks[rank]]) + 60
        count = max(1, min(total, round(self.positions / length)))
        window = np.arange(max(0, rank - 8 * count), min(total, rank + 8 * count + 1))
        chosen = self.rng.choice(window, size=min(count, len(window)), replace=False)
        return self.assemble([int(self.ranks[place]) for place in chosen])

    def draw_shape(self, rows: int, chunks: int, length: int) -> Batch:
        """Draw a batch of a fixed shape: the first `chunks` chunks of `rows` streams, in `length` positions.

        Raises
        ------
        SettingError
            Where all streams of the pool are shorter.
        """
        usable = np.flatnonzero(self.pool.chunks >= chunks)
        if len(usable) == 0:
            raise SettingError(f"No stream of the pool has {chunks} chunks; make longer streams or ask for fewer.")
        chosen: list[int] = []
        sequences: list[Sequence] = []
        while len(chosen) < rows:
            index = int(usable[self.rng.integers(len(usable))])
            sequence = self._sequence(index, length, chunks)
            # A stream with many replies may need more positions than the shape has; it is skipped.
            if len(sequence.decisions) == chunks:
                chosen.append(index)
                sequences.append(sequence)
        return self._batch(chosen, sequences, length)

    def assemble(self, chosen: list[int]) -> Batch:
        """Lay out the chosen streams of the pool."""
        sequences = [self._sequence(index, self.block_size) for index in chosen]
        return self._batch(chosen, sequences, _rounded(max(len(s.tokens) for s in sequences), LENGTH_STEP))

    def _sequence(self, index: int, limit: int, chunks: int | None = None) -> Sequence:
        stream = self.pool.streams[index]
        reply, kind = np.array(stream.reply[:chunks]), np.array(stream.kind[:chunks])
        return self.builder.build(self.builder.history(reply, kind, self.rng, self.perturbation), self.rng, limit)

    def _batch(self, chosen: list[int], sequences: list[Sequence], length: int) -> Batch:
        streams = [(self.pool.streams[index], len(s.decisions)) for index, s in zip(chosen, sequences, strict=True)]
        mels = np.concatenate([stream.mels[:chunks] for stream, chunks in streams]).astype(np.float32)
        kinds = np.concatenate([stream.kind[:chunks] for stream, chunks in streams]).astype(np.int64)
        words = np.concatenate([stream.word[:chunks] for stream, chunks in streams]).astype(np.int64)
        return Batch(
            **lay_out(sequences, length),
            mels=torch.from_numpy(_padded(mels)),
            kind=torch.from_numpy(kinds),
            word=torch.from_numpy(words),
        )
