"""Compose windows during training: a few seconds with one event, made from log-mel features.

Streams (`compose_streams.py`) are realistic, so most of a stream is silence. To learn *which* sound is heard, a network
needs many events, each in many rooms and voices. Clips are converted to mel power once; a window is then composed by
array operations: warping along the mel axis for voices, weights for lines, added noise, smearing over time for rooms,
and levels. Labels come from `labels.label_chunks`, the layout from `token_sequences.SequenceBuilder`, so a window is a
short stream with one difference: the frame at a chunk's right edge sees the audio that follows, and at run time its
reflection. This affects one frame in 40, which is correct in streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from ai_widgets.audio.features import DYNAMIC_RANGE, HOP, MEL_BINS
from ai_widgets.protocol import MELS_PER_CHUNK
from ai_widgets.training import acoustics
from ai_widgets.training.batches import Batch, lay_out
from ai_widgets.training.clip_variation import from_sources, pick
from ai_widgets.training.colouring import Power, Rng, bands_lost, coloured, stretched
from ai_widgets.training.corpus import SPEECH
from ai_widgets.training.labels import Segment, label_chunks
from ai_widgets.training.mel_clips import Excerpt, Shelf
from ai_widgets.training.token_sequences import SequenceBuilder

RECORDED_SHARE = 0.7
"""Share of recorded ambience in the backgrounds of windows, where there is any; the rest is generated."""
RECORDED_DISTRACTORS = 0.75
"""Share of recorded ambience among the single events to which no reply is due; the rest is generated."""
BESIDE = 0.15
"""Share of the windows with speech or a sound in which such an event is heard as well."""
LOUDEST_DB, QUIETEST_DB = -1.0, -45.0
"""Range of a window's level in dB."""


@dataclass(frozen=True)
class Mixture:
    """Shares of the contents of windows: named words, other speech, sounds and ambience."""

    words: float = 0.5
    speech: float = 0.1
    sounds: float = 0.28
    ambience: float = 0.12


class WindowMaker:
    """A source of random batches of windows of one shape.

    Parameters
    ----------
    shelf, builder
        Excerpts to compose from, and the layout of sequences.
    windows, chunks
        Windows per batch, chunks per window.
    length
        Positions of a window's sequence; shorter sequences are padded.
    hard
        Weight of labels of ambience that are drawn more often than others, whose weight is 1.
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
        hard: Mapping[str, float] | None = None,
    ) -> None:
        self.hard = dict(hard or {})
        self.shelf, self.builder, self.mixture = shelf, builder, mixture or Mixture()
        self.windows, self.chunks, self.length, self.perturbation = windows, chunks, length, perturbation
        self.rng = np.random.default_rng(seed)
        self.frames = chunks * MELS_PER_CHUNK

    def draw(self) -> Batch:
        """Draw a batch."""
        made = [self._window() for _ in range(self.windows)]
        power = self._heard(np.stack([power for power, _, _ in made]))
        labels = [label_chunks(segments, self.chunks) for _, segments, _ in made]
        sequences = []
        for label in labels:
            history = self.builder.history(label.reply, label.kind, self.rng, self.perturbation)
            sequence = self.builder.build(history, self.rng, self.length)
            if len(sequence.decisions) < self.chunks:
                # A perturbed history has one more reply, which may not fit into the window.
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
        """Compose a window: power [frames, 128], segments, and the phones of speech that is complete in it."""
        rng, mixture = self.rng, self.mixture
        power = np.zeros((self.frames, MEL_BINS), np.float32)
        parts = (mixture.words, mixture.speech, mixture.sounds, mixture.ambience)
        what = int(rng.choice(4, p=np.array(parts) / sum(parts)))
        segments: list[Segment] = []
        phones: tuple[int, ...] = ()
        if what == 0 and self.shelf.words:
            word = pick(rng, sorted(self.shelf.words))
            chosen = from_sources(rng, self.shelf.words[word])
            segments, phones = self._speech(power, chosen)
        elif what <= 1 and self.shelf.speech:
            segments, phones = self._speech(power, from_sources(rng, self.shelf.speech))
        elif what <= 2 and self.shelf.sounds:
            kind = pick(rng, sorted(self.shelf.sounds))
            segments = self._sound(power, self._varied(self.shelf.sounds[kind]))
        elif rng.random() < 0.5:
            self._distract(power)
        if segments and rng.random() < BESIDE:
            self._distract(power)
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

    def _distract(self, power: Power) -> None:
        """Place one event to which no reply is due: a recording of ambience once, or a generated sound."""
        rng = self.rng
        if self.shelf.ambience and (not self.shelf.distractors or rng.random() < RECORDED_DISTRACTORS):
            other = stretched(self._ambience(), rng)
        elif self.shelf.distractors:
            other = pick(rng, self.shelf.distractors)
        else:
            return
        _place(power, other, int(rng.integers(-len(other.power) // 2, self.frames - 20)), rng)

    def _speech(self, power: Power, chosen: Excerpt) -> tuple[list[Segment], tuple[int, ...]]:
        """Place speech in a window, mostly so that the reply to its end fits into the window."""
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
        """Place a sound that begins within the window or before it."""
        rng = self.rng
        first = int(rng.integers(0, max(1, self.frames // 3))) if rng.random() < 0.8 else -int(rng.integers(0, 40))
        skipped = 0
        if chosen.end - chosen.start > 150 and rng.random() < 0.5:
            skipped = int(rng.integers(0, (chosen.end - chosen.start) // 2))
        _place(power, chosen, first - chosen.start - skipped, rng, from_frame=max(0, first) if skipped else 0)
        end = min(self.frames, first - skipped + chosen.end - chosen.start)
        begin = max(0, first)
        return [Segment(begin * HOP, end * HOP, chosen.kind)] if end - begin > 12 else []

    def _varied(self, sources: Mapping[str, list[Excerpt]]) -> Excerpt:
        """Draw an excerpt at a random speed, at times with another of its kind added to it."""
        rng = self.rng
        chosen = stretched(from_sources(rng, sources), rng)
        if rng.random() < 0.25:
            power = 10.0 ** chosen.power.astype(np.float32)
            other = stretched(from_sources(rng, sources), rng)
            latest = chosen.end - (other.end - other.start)
            _place(power, other, int(rng.integers(min(latest, chosen.start), chosen.end)) - other.start, rng)
            chosen = replace(chosen, power=np.log10(np.maximum(power, 1e-10)).astype(np.float16))
        return chosen

    def _bed(self) -> Power:
        """Compose ambience with the peak level of a clip."""
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
        """Draw a label, mostly a recorded one, then an excerpt of that label."""
        recorded = sorted(label for label in self.shelf.ambience if label not in self.shelf.generated)
        made = sorted(label for label in self.shelf.ambience if label in self.shelf.generated)
        labels = recorded if recorded and (not made or self.rng.random() < RECORDED_SHARE) else made
        weights = np.array([self.hard.get(label, 1.0) for label in labels])
        label = labels[int(self.rng.choice(len(labels), p=weights / weights.sum()))]
        return pick(self.rng, self.shelf.ambience[label])

    def _heard(self, power: Power) -> Power:
        """Apply level, running floor and scale: power [windows, frames, 128] → features [windows · chunks, 128, 40]."""
        level = 10 ** (self.rng.uniform(QUIETEST_DB, LOUDEST_DB, (len(power), 1, 1)) / 10)
        log = np.log10(np.maximum(power * level.astype(np.float32), 1e-10))
        chunks = log.reshape(len(power), self.chunks, MELS_PER_CHUNK, MEL_BINS)
        floor = np.maximum.accumulate(chunks.max((2, 3)), axis=1) - DYNAMIC_RANGE
        scaled = (np.maximum(chunks, floor[:, :, None, None]) + 4.0) / 4.0
        return np.ascontiguousarray(scaled.reshape(-1, MELS_PER_CHUNK, MEL_BINS).transpose(0, 2, 1), np.float32)


def _place(power: Power, chosen: Excerpt, first: int, rng: Rng | None, from_frame: int = 0) -> None:
    """Add an excerpt with its frame 0 at frame `first`; frames before `from_frame` are skipped."""
    begin = max(first, from_frame, 0)
    end = min(first + len(chosen.power), len(power))
    if end > begin:
        part = 10.0 ** chosen.power[begin - first : end - first].astype(np.float32)
        gain = acoustics.decibels(rng.uniform(-6, 0)) ** 2 if rng is not None else 1.0
        power[begin:end] += part * np.float32(gain)
