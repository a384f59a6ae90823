"""Training streams: clips, generated sounds and ambience composed into minutes of listening with known labels.

A stream is *continuous* (one piece, running floor) or a *session of clips* (each clip with the floor of the whole clip
and followed by a second of digital silence, as the command line feeds files). Streams may begin in the middle of
anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.training import acoustics, sounds
from ai_widgets.training.corpus import ALARM, AMBIENCE, BABY, DOG, KNOCK, MUSIC, ROOSTER, SNEEZE, SPEECH, Clip
from ai_widgets.training.labels import SAME_EPISODE, ChunkLabels, Segment, label_chunks
from ai_widgets.training.lexicon import OTHER_SPEECH
from ai_widgets.training.mels import clip_mels, running_mels

Samples = npt.NDArray[np.float32]
Rng = np.random.Generator
TAIL_CHUNKS = 3
"""Chunks of silence after each clip of a session, as a session appends them after a file."""
REVERBERATION_S = 0.4
"""Seconds by which reverberation may lengthen a sound."""


@dataclass(frozen=True)
class Style:
    """How full a stream is.

    Attributes
    ----------
    kinds
        Weight of each kind of event.
    named
        Share of nameable words among what is spoken.
    alone
        Share of utterances of one piece.
    gaps
        Ranges of the silence after an event, in seconds; one is drawn with the probabilities `often`.
    """

    kinds: dict[int, float]
    named: float
    alone: float
    gaps: tuple[tuple[float, float], ...]
    often: tuple[float, ...]


SOUNDS = (DOG, BABY, SNEEZE, ROOSTER, KNOCK, MUSIC, ALARM)
TALK = Style(
    {SPEECH: 0.66, AMBIENCE: 0.08, **dict.fromkeys(SOUNDS, 0.037)},
    named=0.5, alone=0.65, gaps=((0, 1.2), (0.8, 2.5), (2, 6)), often=(0.2, 0.5, 0.3),
)  # fmt: skip
SPARSE = Style(
    {SPEECH: 0.45, AMBIENCE: 0.27, **dict.fromkeys(SOUNDS, 0.04)},
    named=0.55, alone=0.75, gaps=((0, 1.2), (0.8, 2.5), (2, 6)), often=(0.1, 0.3, 0.6),
)  # fmt: skip
DENSE = Style(
    {SPEECH: 0.65, AMBIENCE: 0.03, **dict.fromkeys(SOUNDS, 0.046)},
    named=0.85, alone=0.97, gaps=((0.7, 1.6),), often=(1.0,),
)  # fmt: skip
"""Many words and sounds a minute: not how people live, but how a model learns to tell them apart in little time."""
STYLES, STYLES_OFTEN = (TALK, SPARSE, DENSE), (0.35, 0.3, 0.35)
"""Styles of streams, and the share of streams in each."""
QUIET_SHARE = 0.3
"""Share of pieces in which nothing happens but ambience."""
GENERATED_SHARE = {KNOCK: 0.35, MUSIC: 0.4, ALARM: 0.6}
"""Share of generated ones among the sounds of which there are recordings and a generator."""


@dataclass
class Stream:
    """Features [chunks, 128, 40] and labels of one stream, and the audio they were made from."""

    mels: npt.NDArray[np.float32]
    labels: ChunkLabels
    segments: list[Segment]
    audio: Samples


class Composer:
    """Composer of streams from a pool of clips; the same clips and generator state produce the same streams."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.by_kind: dict[int, list[Clip]] = {}
        self.words: dict[int, list[Clip]] = {}
        for clip in clips:
            self.by_kind.setdefault(clip.kind, []).append(clip)
            if clip.kind == SPEECH:
                self.words.setdefault(clip.word, []).append(clip)
        self.other_speech = self.words.pop(OTHER_SPEECH, [])
        self.named = sorted(self.words)
        self.ambience_labels: dict[str, list[Clip]] = {}
        for clip in self.by_kind.get(AMBIENCE, []):
            self.ambience_labels.setdefault(clip.label, []).append(clip)

    def stream(self, rng: Rng, seconds: float) -> Stream:
        """Compose one stream of about `seconds`."""
        if rng.random() < 0.25:
            return self._session(rng, seconds)
        if rng.random() < 0.3:
            skipped = rng.uniform(0.5, 4)
            audio, segments = _from(int(skipped * SAMPLE_RATE), *self.timeline(rng, seconds + skipped))
        else:
            audio, segments = self.timeline(rng, seconds)
        audio = audio[: len(audio) // CHUNK_SAMPLES * CHUNK_SAMPLES]
        return Stream(running_mels(audio), label_chunks(segments, len(audio) // CHUNK_SAMPLES), segments, audio)

    def _session(self, rng: Rng, seconds: float) -> Stream:
        """Compose a session of clips, cut at any time, each with its own floor and a second of silence after it."""
        pieces, mels, everything, cursor = [], [], list[Segment](), 0
        silence = np.zeros(TAIL_CHUNKS * CHUNK_SAMPLES, np.float32)
        while cursor < seconds * SAMPLE_RATE:
            audio, segments = self.timeline(rng, rng.uniform(1.5, 12))
            speech_ends = [s.end for s in segments if s.kind == SPEECH]
            if speech_ends and rng.random() < 0.6:  # most files end soon after their speech ends
                audio, segments = _until(
                    int(rng.choice(speech_ends) + rng.uniform(0, 0.5) * SAMPLE_RATE), audio, segments
                )
            if len(audio) < CHUNK_SAMPLES:
                continue
            audio = np.pad(audio, (0, -len(audio) % CHUNK_SAMPLES))
            pieces += [audio, silence]
            mels += [clip_mels(audio), clip_mels(silence)]
            everything += [replace(s, start=s.start + cursor, end=s.end + cursor) for s in segments]
            cursor += len(audio) + len(silence)
        labels = label_chunks(everything, cursor // CHUNK_SAMPLES)
        return Stream(np.concatenate(mels), labels, everything, np.concatenate(pieces))

    def timeline(self, rng: Rng, seconds: float) -> tuple[Samples, list[Segment]]:
        """Compose audio and segments of `seconds`, before features."""
        audio = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
        segments: list[Segment] = []
        quiet = rng.random() < QUIET_SHARE
        if not quiet:
            self._events(rng, audio, segments)
        style = (
            rng.choice(["none", "floor", "bed"], p=[0.22, 0.4, 0.38])
            if not quiet
            else rng.choice(["none", "bed"], p=[0.12, 0.88])
        )
        if style == "floor":
            audio += sounds.coloured_noise(rng, seconds)[: len(audio)] * np.float32(
                acoustics.decibels(rng.uniform(-75, -38))
            )
        elif style == "bed":
            level = acoustics.decibels(rng.uniform(-38, -8)) if not quiet else 1.0
            audio += self._bed(rng, len(audio)) * np.float32(level)
        return self._line(rng, audio), segments

    def _events(self, rng: Rng, audio: Samples, segments: list[Segment]) -> None:
        """Place events one after the other, with pauses of 0 … 5 s between them."""
        cursor = int(rng.choice([0, rng.uniform(0, 0.5), rng.uniform(0.5, 3.5)]) * SAMPLE_RATE)
        last: dict[int, int] = {}
        style = STYLES[int(rng.choice(len(STYLES), p=STYLES_OFTEN))]
        kinds, weights = np.array(list(style.kinds)), np.array(list(style.kinds.values()))
        wet = rng.random() < 0.4
        while cursor < len(audio) - SAMPLE_RATE // 4:
            kind = int(rng.choice(kinds, p=weights / weights.sum()))
            if (
                kind not in (SPEECH, AMBIENCE)
                and cursor - last.get(kind, -(10**9)) < (SAME_EPISODE + 1.5) * SAMPLE_RATE
            ):
                kind = SPEECH
            samples, inner = self._event(rng, kind, style)
            if wet:
                samples = acoustics.room(np.pad(samples, (0, int(REVERBERATION_S * SAMPLE_RATE))), rng)
            samples = samples * np.float32(acoustics.decibels(rng.uniform(-9, 0)))
            room = len(audio) - cursor
            audio[cursor : cursor + len(samples)] += samples[:room]
            for segment in inner:
                if segment.start < room:
                    whole = segment.whole and segment.end <= room
                    end = min(segment.end, room)
                    segments.append(replace(segment, start=segment.start + cursor, end=end + cursor, whole=whole))
            last[kind] = cursor + len(samples)
            gap = rng.uniform(*style.gaps[int(rng.choice(len(style.gaps), p=style.often))])
            cursor += max((s.end for s in inner), default=len(samples)) + int(gap * SAMPLE_RATE)

    def _event(self, rng: Rng, kind: int, style: Style) -> tuple[Samples, list[Segment]]:
        if kind == SPEECH:
            return self._utterance(rng, style)
        if kind == AMBIENCE:
            samples = self._bed(rng, int(rng.uniform(1, 6) * SAMPLE_RATE)) * np.float32(rng.uniform(0.1, 1))
            return samples, []
        generated = {KNOCK: sounds.knocking, MUSIC: sounds.music, ALARM: sounds.alarm}
        if kind in generated and (kind not in self.by_kind or rng.random() < GENERATED_SHARE[kind]):
            seconds = rng.uniform(2.5, 9) if kind != KNOCK else rng.uniform(1, 2.5)
            samples = generated[kind](rng, seconds)
            if kind == ALARM and rng.random() < 0.5:
                samples = acoustics.room(samples, rng, 1.2)
            return _enveloped(samples, rng), [Segment(0, len(samples), kind)]
        if kind not in self.by_kind:
            return self._utterance(rng, style)
        clip = _pick(rng, self.by_kind[kind])
        samples = _varied(rng, clip.samples)
        ratio = len(samples) / len(clip.samples)
        return _faded(samples), [Segment(int(clip.start * ratio), int(clip.end * ratio), kind)]

    def _utterance(self, rng: Rng, style: Style) -> tuple[Samples, list[Segment]]:
        """Compose one word, one piece of other speech, or several pieces with pauses that do not end the utterance."""
        count = 1 if rng.random() < style.alone else int(rng.integers(2, 5))
        pieces: list[Samples] = []
        segments: list[Segment] = []
        cursor = 0
        for index in range(count):
            named = self.named and (not self.other_speech or rng.random() < style.named)
            clip = _pick(rng, self.words[int(rng.choice(self.named))] if named else self.other_speech)
            first = max(0, clip.start - int(rng.uniform(0.02, 0.25) * SAMPLE_RATE)) if index == 0 else clip.start
            last_piece = index == count - 1
            keeps_tail = last_piece and rng.random() < 0.5
            last = len(clip.samples) if keeps_tail else min(len(clip.samples), clip.end + int(0.03 * SAMPLE_RATE))
            samples = _faded(_varied(rng, clip.samples[first:last], 0.12))
            ratio = len(samples) / max(1, last - first)
            begin, end = int((clip.start - first) * ratio), int((clip.end - first) * ratio)
            segments.append(Segment(cursor + begin, cursor + end, SPEECH, clip.word))
            pieces.append(samples)
            cursor += len(samples)
            if not last_piece:
                pause = int(rng.uniform(0.05, 0.57) * SAMPLE_RATE)
                pieces.append(np.zeros(pause, np.float32))
                cursor += pause
        return np.concatenate(pieces), segments

    def _bed(self, rng: Rng, count: int) -> Samples:
        """Compose ambience of one or two sources with a peak of 1, sometimes switched on and off abruptly."""
        bed = self._one_bed(rng, count)
        if rng.random() < 0.25:
            bed = bed + self._one_bed(rng, count) * np.float32(rng.uniform(0.1, 0.8))
        if rng.random() < 0.3:
            edges = np.sort(rng.integers(0, count + 1, 2))
            bed[: edges[0]] = 0
            if rng.random() < 0.7:
                bed[edges[1] :] = 0
        elif rng.random() < 0.3:
            bed *= np.interp(np.arange(count), np.linspace(0, count, 6), rng.uniform(0.1, 1, 6)).astype(np.float32)
        return np.asarray(bed / (np.abs(bed).max(initial=0) + 1e-9), np.float32)

    def _one_bed(self, rng: Rng, count: int) -> Samples:
        if not self.ambience_labels or rng.random() < 0.45:
            maker = sounds.AMBIENCES[int(rng.integers(len(sounds.AMBIENCES)))]
            return maker(rng, (count + 1) / SAMPLE_RATE)[:count]
        labels = sorted(self.ambience_labels)
        clips = self.ambience_labels[labels[int(rng.integers(len(labels)))]]
        out = np.zeros(count, np.float32)
        cursor, fade = 0, SAMPLE_RATE // 10
        while cursor < count:
            samples = _faded(_varied(rng, _pick(rng, clips).samples), fade)
            part = samples[: count - cursor]
            out[cursor : cursor + len(part)] += part
            cursor += max(len(samples) - fade, fade)
        return out

    def _line(self, rng: Rng, audio: Samples) -> Samples:
        """Apply a microphone, a line and a level to the whole piece."""
        if rng.random() < 0.7:
            audio = acoustics.colour(audio, rng)
        if rng.random() < 0.2:
            audio = acoustics.band_limit(audio, rng)
        if rng.random() < 0.06:
            audio = acoustics.companded(audio)
        if rng.random() < 0.06:
            audio = acoustics.clip_hard(audio, rng)
        if rng.random() < 0.12:
            audio = acoustics.noise_gated(audio, rng)
        peak = float(np.abs(audio).max(initial=0))
        if peak > 0:
            audio = audio * np.float32(acoustics.decibels(rng.uniform(-45, -1)) / peak)
        if rng.random() < 0.1:
            audio = audio + np.float32(rng.uniform(-0.01, 0.01))
        return acoustics.quantised(audio) if rng.random() < 0.8 else np.asarray(audio, np.float32)


def _pick(rng: Rng, clips: Sequence[Clip]) -> Clip:
    return clips[int(rng.integers(len(clips)))]


def _varied(rng: Rng, samples: Samples, most: float = 0.15) -> Samples:
    return acoustics.change_speed(samples, rng.uniform(1 - most, 1 + most)) if rng.random() < 0.6 else samples.copy()


def _faded(samples: Samples, length: int = SAMPLE_RATE // 50) -> Samples:
    length = min(length, len(samples) // 2)
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        samples[:length] *= ramp
        samples[-length:] *= ramp[::-1]
    return samples


def _enveloped(samples: Samples, rng: Rng) -> Samples:
    """Start and end abruptly or over up to a second."""
    return _faded(samples, int(rng.choice([0.005, 0.05, rng.uniform(0.1, 0.8)]) * SAMPLE_RATE))


def _from(start: int, audio: Samples, segments: list[Segment]) -> tuple[Samples, list[Segment]]:
    """Drop everything before sample `start`; what was sounding then is no longer whole."""
    kept = []
    for segment in segments:
        if segment.end - start < 0.15 * SAMPLE_RATE:
            continue
        lost = max(0, start - segment.start)
        whole = segment.whole and lost < 0.1 * (segment.end - segment.start)
        kept.append(replace(segment, start=max(0, segment.start - start), end=segment.end - start, whole=whole))
    return audio[start:], kept


def _until(end: int, audio: Samples, segments: list[Segment]) -> tuple[Samples, list[Segment]]:
    """Drop everything from sample `end` on."""
    kept = []
    for segment in segments:
        if end - segment.start < 0.15 * SAMPLE_RATE:
            continue
        whole = segment.whole and segment.end <= end
        kept.append(replace(segment, end=min(segment.end, end), whole=whole))
    return audio[:end], kept
