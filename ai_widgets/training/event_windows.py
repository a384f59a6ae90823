"""Windows: a few seconds with one event in them, composed from log-mel features while training goes on.

Streams (`streams.py`) are how people live, and most of a stream is silence and waiting. To learn *what* is heard, a
network needs many events, each in many rooms, from many voices. Here clips are turned into mel power once; a batch of
windows is then a matter of adding, weighting and warping arrays: voices are warped along the mel axis, lines coloured,
noise added, rooms smeared over time, levels changed. The labels are those of `labels.label_chunks`, the layout is that
of `sequence.SequenceBuilder`, so a window is a short stream in every respect but one: the frame at a chunk's right edge
sees the audio that follows (at run time its mirror image; one frame of 40, and streams teach it right).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from ai_widgets.audio.features import DYNAMIC_RANGE, HOP, MEL_BINS
from ai_widgets.protocol import MELS_PER_CHUNK
from ai_widgets.training import acoustics
from ai_widgets.training.batches import Batch, lay_out
from ai_widgets.training.colouring import Power, Rng, bands_lost, coloured, stretched
from ai_widgets.training.corpus import SPEECH
from ai_widgets.training.labels import Segment, label_chunks
from ai_widgets.training.mel_clips import Excerpt, Shelf
from ai_widgets.training.token_sequences import SequenceBuilder

T = TypeVar("T")
RECORDED_SHARE = 0.7
"""Of beds, where there are recorded ones: the rest is generated."""
LOUDEST_DB, QUIETEST_DB = -1.0, -45.0


@dataclass(frozen=True)
class Mixture:
    """What windows hold: shares of named words, other speech, sounds and ambience."""

    words: float = 0.5
    speech: float = 0.1
    sounds: float = 0.28
    ambience: float = 0.12


class WindowMaker:
    """Draws batches of windows, all of one shape, for ever.

    Parameters
    ----------
    shelf, builder
        What to compose, and how to lay it out.
    windows, chunks
        Windows of a batch, chunks of a window.
    length
        Positions of a window's sequence; shorter ones are padded.
    """

    def __init__(
        self,
        shelf: Shelf,
        builder: SequenceBuilder,
        windows: int,
        chunks: int,
        length: int,
        seed: int,
        mixture: Mixture | None = None,
        perturbation: float = 0.05,
    ) -> None:
        self.shelf, self.builder, self.mixture = shelf, builder, mixture or Mixture()
        self.windows, self.chunks, self.length, self.perturbation = windows, chunks, length, perturbation
        self.rng = np.random.default_rng(seed)
        self.frames = chunks * MELS_PER_CHUNK

    def draw(self) -> Batch:
        """One batch."""
        made = [self._window() for _ in range(self.windows)]
        power = self._heard(np.stack([power for power, _, _ in made]))
        labels = [label_chunks(segments, self.chunks) for _, segments, _ in made]
        sequences = []
        for label in labels:
            history = self.builder.history(label.reply, label.kind, self.rng, self.perturbation)
            sequence = self.builder.build(history, self.rng, self.length)
            if len(sequence.decisions) < self.chunks:
                # One wrong reply more than the window has room for.
                history = self.builder.history(label.reply, label.kind, self.rng, 0.0)
                sequence = self.builder.build(history, self.rng, self.length)
            if len(sequence.decisions) != self.chunks:
                raise ValueError(f"A window of {self.chunks} chunks does not fit into {self.length} positions.")
            sequences.append(sequence)
        return Batch(
            **lay_out(sequences, self.length),
            mels=torch.from_numpy(power),
            kind=torch.from_numpy(np.concatenate([label.kind for label in labels]).astype(np.int64)),
            word=torch.from_numpy(np.concatenate([label.word for label in labels]).astype(np.int64)),
            phones=[phones for _, _, phones in made],
        )

    def _window(self) -> tuple[Power, list[Segment], tuple[int, ...]]:
        """Power [frames, 128] of one window, its segments, and the phones said in it where all of them are."""
        rng, mixture = self.rng, self.mixture
        power = np.zeros((self.frames, MEL_BINS), np.float32)
        parts = (mixture.words, mixture.speech, mixture.sounds, mixture.ambience)
        what = int(rng.choice(4, p=np.array(parts) / sum(parts)))
        segments: list[Segment] = []
        phones: tuple[int, ...] = ()
        if what == 0 and self.shelf.words:
            word = _pick(rng, sorted(self.shelf.words))
            chosen = _from_sources(rng, self.shelf.words[word])
            segments, phones = self._speech(power, chosen)
        elif what <= 1 and self.shelf.speech:
            segments, phones = self._speech(power, _from_sources(rng, self.shelf.speech))
        elif what <= 2 and self.shelf.sounds:
            kind = _pick(rng, sorted(self.shelf.sounds))
            segments = self._sound(power, self._varied(self.shelf.sounds[kind]))
        elif self.shelf.distractors and rng.random() < 0.5:
            other = _pick(rng, self.shelf.distractors)
            _place(power, other, int(rng.integers(-len(other.power) // 2, self.frames - 20)), rng)
        speech = bool(segments) and segments[0].kind == SPEECH
        power = bands_lost(coloured(power, rng, speech), rng, 0.15 if speech else 0.35)
        bed = rng.random()
        if not segments or bed < 0.45:
            alone = not segments and not power.any()
            level = acoustics.decibels(0.0 if alone else rng.uniform(-45, -6)) ** 2
            power += np.float32(level) * self._bed()
        elif bed < 0.75:
            slope = np.linspace(0, rng.uniform(-4, 0.5), MEL_BINS)
            noise = rng.gamma(4.0, 0.25, power.shape) * 10**slope * acoustics.decibels(rng.uniform(-75, -30)) ** 2
            power += noise.astype(np.float32)
        return power, segments, phones

    def _speech(self, power: Power, chosen: Excerpt) -> tuple[list[Segment], tuple[int, ...]]:
        """Somebody speaks; the end mostly lies where the reply to it still fits into the window."""
        rng, length = self.rng, chosen.end - chosen.start
        latest = self.frames - 110
        end = int(rng.integers(min(30, latest), latest)) if rng.random() < 0.9 else int(rng.integers(30, self.frames))
        if length <= latest:
            end = max(end, min(length + int(rng.integers(0, 25)), latest))
        first = end - length
        _place(power, chosen, first - chosen.start, rng)
        whole = first >= -0.1 * length
        segment = Segment(max(0, first) * HOP, end * HOP, SPEECH, chosen.word, whole)
        return [segment], chosen.phones if first >= 0 and end <= self.frames else ()

    def _sound(self, power: Power, chosen: Excerpt) -> list[Segment]:
        """A sound begins in the window, or has been sounding before it."""
        rng = self.rng
        first = int(rng.integers(0, max(1, self.frames // 3))) if rng.random() < 0.8 else -int(rng.integers(0, 40))
        skipped = 0
        if chosen.end - chosen.start > 150 and rng.random() < 0.5:
            skipped = int(rng.integers(0, (chosen.end - chosen.start) // 2))
        _place(power, chosen, first - chosen.start - skipped, rng, from_frame=max(0, first) if skipped else 0)
        end = min(self.frames, first - skipped + chosen.end - chosen.start)
        begin = max(0, first)
        return [Segment(begin * HOP, end * HOP, chosen.kind)] if end - begin > 12 else []

    def _varied(self, excerpts: Sequence[Excerpt]) -> Excerpt:
        """One of the excerpts, faster or slower, at times with another of its kind within it."""
        rng = self.rng
        chosen = stretched(_pick(rng, excerpts), rng)
        if rng.random() < 0.25:
            power = 10.0 ** chosen.power.astype(np.float32)
            other = stretched(_pick(rng, excerpts), rng)
            latest = chosen.end - (other.end - other.start)
            _place(power, other, int(rng.integers(min(latest, chosen.start), chosen.end)) - other.start, rng)
            chosen = replace(chosen, power=np.log10(np.maximum(power, 1e-10)).astype(np.float16))
        return chosen

    def _bed(self) -> Power:
        """Ambience, its loudest moment as loud as a clip's."""
        rng = self.rng
        chosen = self._ambience()
        bed = np.zeros((self.frames, MEL_BINS), np.float32)
        cursor = -int(rng.integers(0, max(1, len(chosen.power) - 60)))
        while cursor < self.frames:
            _place(bed, chosen, cursor, None)
            cursor += len(chosen.power)
        if rng.random() < 0.2:
            bed[: int(rng.integers(0, self.frames))] = 0
        if rng.random() < 0.2:
            other = self._ambience()
            _place(bed, other, int(rng.integers(0, self.frames)) - len(other.power) // 2, rng)
        return coloured(bed, rng, False)

    def _ambience(self) -> Excerpt:
        """A label, mostly a recorded one, then an excerpt of it."""
        recorded = sorted(label for label in self.shelf.ambience if label not in self.shelf.generated)
        made = sorted(label for label in self.shelf.ambience if label in self.shelf.generated)
        labels = recorded if recorded and (not made or self.rng.random() < RECORDED_SHARE) else made
        return _pick(self.rng, self.shelf.ambience[_pick(self.rng, labels)])

    def _heard(self, power: Power) -> Power:
        """Level, running floor and scale: [windows, frames, 128] power → [windows · chunks, 128, 40] features."""
        level = 10 ** (self.rng.uniform(QUIETEST_DB, LOUDEST_DB, (len(power), 1, 1)) / 10)
        log = np.log10(np.maximum(power * level.astype(np.float32), 1e-10))
        chunks = log.reshape(len(power), self.chunks, MELS_PER_CHUNK, MEL_BINS)
        floor = np.maximum.accumulate(chunks.max((2, 3)), axis=1) - DYNAMIC_RANGE
        scaled = (np.maximum(chunks, floor[:, :, None, None]) + 4.0) / 4.0
        return np.ascontiguousarray(scaled.reshape(-1, MELS_PER_CHUNK, MEL_BINS).transpose(0, 2, 1), np.float32)


def _place(power: Power, chosen: Excerpt, first: int, rng: Rng | None, from_frame: int = 0) -> None:
    """Add an excerpt whose frame 0 stands at `first`; nothing before `from_frame`."""
    begin = max(first, from_frame, 0)
    end = min(first + len(chosen.power), len(power))
    if end > begin:
        part = 10.0 ** chosen.power[begin - first : end - first].astype(np.float32)
        gain = acoustics.decibels(rng.uniform(-6, 0)) ** 2 if rng is not None else 1.0
        power[begin:end] += part * np.float32(gain)


def _pick(rng: Rng, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def _from_sources(rng: Rng, sources: Mapping[str, list[Excerpt]]) -> Excerpt:
    """A source in proportion to the square root of how much there is of it, then an excerpt of it."""
    names = sorted(sources)
    weights = np.sqrt([len(sources[name]) for name in names])
    excerpts = sources[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
    return excerpts[int(rng.integers(len(excerpts)))]
