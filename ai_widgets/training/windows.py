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
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from ai_widgets.features import DYNAMIC_RANGE, EDGE, HOP, MEL_BINS, log10_mel
from ai_widgets.protocol import MELS_PER_CHUNK, SAMPLE_RATE
from ai_widgets.training import acoustics, sounds
from ai_widgets.training.batches import Batch
from ai_widgets.training.corpus import ALARM, AMBIENCE, KNOCK, MUSIC, SPEECH, Clip, Samples
from ai_widgets.training.labels import Segment, label_chunks
from ai_widgets.training.lexicon import OTHER_SPEECH
from ai_widgets.training.sequence import IGNORED, SequenceBuilder

T = TypeVar("T")
Rng = np.random.Generator
Power = npt.NDArray[np.float32]
SPEEDS = (0.84, 0.92, 1.0, 1.08, 1.18)
LONG_S = 2.2
"""Longer speech is kept at its own speed only."""
GENERATED: dict[int, sounds.Generator] = {KNOCK: sounds.knocking, MUSIC: sounds.music, ALARM: sounds.alarm}
LOUDEST_DB, QUIETEST_DB = -1.0, -45.0


@dataclass(frozen=True)
class Excerpt:
    """Mel power of a clip, log10 in half precision [frames, 128], and what is in it (frames at 10 ms)."""

    power: npt.NDArray[np.float16]
    kind: int
    word: int
    start: int
    end: int
    phones: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mixture:
    """What windows hold: shares of named words, other speech, sounds and ambience."""

    words: float = 0.5
    speech: float = 0.1
    sounds: float = 0.28
    ambience: float = 0.12


@dataclass
class Shelf:
    """Excerpts by what they are, so that every word and every sound comes equally often."""

    words: dict[int, dict[str, list[Excerpt]]] = field(default_factory=dict)
    speech: dict[str, list[Excerpt]] = field(default_factory=dict)
    sounds: dict[int, list[Excerpt]] = field(default_factory=dict)
    ambience: dict[str, list[Excerpt]] = field(default_factory=dict)


def excerpt(samples: Samples, kind: int, word: int, start: int, end: int, phones: tuple[int, ...] = ()) -> Excerpt:
    """Mel power of a clip."""
    padded = np.pad(samples, EDGE, mode="reflect" if len(samples) > EDGE else "constant")
    return Excerpt(log10_mel(padded).T.astype(np.float16), kind, word, start // HOP, -(-end // HOP), phones)


def shelve(
    clips: Sequence[Clip], phones: Mapping[str, tuple[int, ...]], seed: int, generated: int = 300, quiet: bool = False
) -> Shelf:
    """Turn clips into excerpts, and generate `generated` more of each sound and ambience that can be generated."""
    rng = np.random.default_rng([seed, 5])
    shelf = Shelf()
    for clip in tqdm(clips, desc="excerpts", disable=quiet):
        speeds = SPEEDS if clip.kind != SPEECH or clip.end - clip.start < LONG_S * SAMPLE_RATE else (1.0,)
        for speed in speeds:
            samples = clip.samples if speed == 1.0 else acoustics.change_speed(clip.samples, speed)
            ratio = len(samples) / len(clip.samples)
            made = excerpt(samples, clip.kind, clip.word, int(clip.start * ratio), int(clip.end * ratio),
                           phones.get(clip.text, ()))  # fmt: skip
            # Voices of one engine sound alike, so an engine (or a corpus) is drawn before a clip of it.
            source = clip.group.split("/")[0]
            if clip.kind == AMBIENCE:
                shelf.ambience.setdefault(clip.label, []).append(made)
            elif clip.kind != SPEECH:
                shelf.sounds.setdefault(clip.kind, []).append(made)
            elif clip.word == OTHER_SPEECH:
                shelf.speech.setdefault(source, []).append(made)
            else:
                shelf.words.setdefault(clip.word, {}).setdefault(source, []).append(made)
    for kind, maker in GENERATED.items():
        for _ in range(generated):
            samples = maker(rng, float(rng.uniform(1.2, 3.5)))
            if kind != KNOCK and rng.random() < 0.4:
                samples = acoustics.room(samples, rng, 1.0)
            shelf.sounds.setdefault(kind, []).append(excerpt(samples, kind, 0, 0, len(samples)))
    for maker in (*sounds.AMBIENCES, sounds.coloured_noise):
        for _ in range(max(2, generated // 12)):
            samples = maker(rng, 3.5)
            shelf.ambience.setdefault(maker.__name__, []).append(excerpt(samples, AMBIENCE, 0, 0, len(samples)))
    return shelf


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
        tokens: npt.NDArray[np.int64] = np.zeros((self.windows, self.length), np.int64)
        targets = np.full((self.windows, self.length), IGNORED, np.int64)
        at, decisions = [], []
        for row, label in enumerate(labels):
            history = self.builder.history(label.reply, label.kind, self.rng, self.perturbation)
            sequence = self.builder.build(history, self.rng, self.length)
            if len(sequence.decisions) < self.chunks:
                # One wrong reply more than the window has room for.
                history = self.builder.history(label.reply, label.kind, self.rng, 0.0)
                sequence = self.builder.build(history, self.rng, self.length)
            tokens[row, : len(sequence.tokens)] = sequence.tokens
            targets[row, : len(sequence.labels)] = sequence.labels
            if len(sequence.decisions) != self.chunks:
                raise ValueError(f"A window of {self.chunks} chunks does not fit into {self.length} positions.")
            at.append(sequence.pads.reshape(-1) + row * self.length)
            decisions.append(sequence.decisions + row * self.length)
        return Batch(
            torch.from_numpy(tokens),
            torch.from_numpy(targets),
            torch.from_numpy(power),
            torch.from_numpy(np.concatenate(at)),
            torch.from_numpy(np.concatenate(decisions)),
            torch.from_numpy(np.concatenate([label.kind for label in labels]).astype(np.int64)),
            torch.from_numpy(np.concatenate([label.word for label in labels]).astype(np.int64)),
            [phones for _, _, phones in made],
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
            segments = self._sound(power, _pick(rng, self.shelf.sounds[kind]))
        power = self._coloured(power, bool(segments) and segments[0].kind == SPEECH)
        bed = rng.random()
        if not segments or bed < 0.45:
            level = acoustics.decibels(rng.uniform(-45, -6) if segments else 0.0) ** 2
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

    def _coloured(self, power: Power, speech: bool) -> Power:
        """Another throat, another microphone, another room."""
        rng = self.rng
        if rng.random() < 0.7:
            factor = float(np.exp(rng.uniform(-0.16, 0.16) if speech else rng.uniform(-0.1, 0.1)))
            at = np.clip(np.arange(MEL_BINS) * factor, 0, MEL_BINS - 1.001)
            low = at.astype(int)
            part = (at - low).astype(np.float32)
            power = power[:, low] * (1 - part) + power[:, low + 1] * part
        if rng.random() < 0.7:
            gains = np.interp(np.arange(MEL_BINS), np.linspace(0, MEL_BINS, 6), rng.uniform(-9, 9, 6))
            power = power * (10 ** (gains / 10)).astype(np.float32)
        if rng.random() < (0.35 if speech else 0.15):
            # Lines of 8 kHz end below 4 kHz, three quarters up the mel axis; cheap microphones somewhere above.
            edge = int(rng.integers(86, 122))
            fall = np.maximum(0, np.arange(MEL_BINS) - edge) * rng.uniform(1, 6)
            power = power * (10 ** (-np.minimum(fall, 60) / 10)).astype(np.float32)
        if rng.random() < 0.35:
            decay = float(np.exp(-1 / (rng.uniform(0.03, 0.18) * 100)))
            wet = acoustics.decibels(rng.uniform(-18, -4)) ** 2 * (1 - decay)
            power = power + np.float32(wet) * acoustics.smeared(power, decay)
        return power

    def _bed(self) -> Power:
        """Ambience, its loudest moment as loud as a clip's."""
        rng = self.rng
        chosen = _pick(rng, self.shelf.ambience[_pick(rng, sorted(self.shelf.ambience))])
        bed = np.zeros((self.frames, MEL_BINS), np.float32)
        cursor = -int(rng.integers(0, max(1, len(chosen.power) - 60)))
        while cursor < self.frames:
            _place(bed, chosen, cursor, None)
            cursor += len(chosen.power)
        if rng.random() < 0.2:
            bed[: int(rng.integers(0, self.frames))] = 0
        if rng.random() < 0.2:
            other = _pick(rng, self.shelf.ambience[_pick(rng, sorted(self.shelf.ambience))])
            _place(bed, other, int(rng.integers(0, self.frames)) - len(other.power) // 2, rng)
        return self._coloured(bed, False)

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
