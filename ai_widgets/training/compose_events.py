"""Place events in a stream: utterances, sounds and ambience, one after the other or at once, with known labels.

Besides single words and sentences there are sounds that come again, to be counted; sounds that begin while somebody
speaks; sentences with a pause inside; and a machine that reads the replies aloud and hears itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.training import acoustics, sounds
from ai_widgets.training.beds import Beds
from ai_widgets.training.clip_variation import Rng, by_source, ended_at, enveloped, faded, from_sources, pick, varied
from ai_widgets.training.corpus import (
    ALARM,
    AMBIENCE,
    KNOCK,
    MACHINE_VOICE,
    MUSIC,
    SPEECH,
    Clip,
    Samples,
)
from ai_widgets.training.labels import END_OF_UNFINISHED, EVIDENCE, SAME_EPISODE, Segment, occasions
from ai_widgets.training.lexicon import OTHER_SPEECH
from ai_widgets.training.replies import understood
from ai_widgets.training.unfinished import inner_pauses, split

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


SOUNDS = tuple(EVIDENCE)
"""Kinds of sounds that are named."""
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
GENERATED_SHARE = {KNOCK: 0.35, MUSIC: 0.4, ALARM: 0.6}
"""Share of generated ones among the sounds of which there are recordings and a generator."""
REPEATING_SHARE, REPEATED_SHARES = 0.3, (0.6, 1.0)
"""Share of pieces in which one sound comes again and again, to be counted, by default. And the shares of that sound
among the events there, one of which is drawn for each piece."""
REPEATED_S = (1.8, 3.5)
"""Seconds that are heard of a repeated sound, so that several times fit into the context."""
ONCE_SHARE = 0.5
"""Share of events of ambience in which one recording is heard once: a slammed door, a step, a cat."""
AT_ONCE_SHARE = 0.1
"""Share of utterances during which a sound begins."""
UNFINISHED_SHARE, UNRESUMED_SHARE = 0.12, 0.15
"""Share of utterances with a pause inside a sentence, and the share of these after which nothing more is said."""
THOUGHT_S = (0.5, 1.05)
"""Seconds of a pause inside a sentence."""
MACHINE_SHARE = 0.06
"""Share of pieces in which a machine reads its replies aloud and the microphone hears it."""
MACHINE_DB = (-32.0, -14.0)
"""Level of the machine's voice relative to the loudest event, in dB: what a browser's echo canceller leaves."""


class Events:
    """A source of events from clips; the same clips and generator state give the same events.

    `repeating` is the share of pieces in which one sound comes again and again.
    """

    def __init__(self, clips: Sequence[Clip], repeating: float = REPEATING_SHARE) -> None:
        self.repeating = repeating
        self.by_kind: dict[int, list[Clip]] = {}
        self.words: dict[int, list[Clip]] = {}
        for clip in clips:
            self.by_kind.setdefault(clip.kind, []).append(clip)
            if clip.kind == SPEECH:
                self.words.setdefault(clip.word, []).append(clip)
        self.sources = {kind: by_source(found) for kind, found in self.by_kind.items()}
        self.other_speech = self.words.pop(OTHER_SPEECH, [])
        self.named = sorted(self.words)
        self.cuts = [(clip, cuts) for clip in self.other_speech if (cuts := inner_pauses(clip))]
        ambience: dict[str, list[Clip]] = {}
        for clip in self.by_kind.get(AMBIENCE, []):
            ambience.setdefault(clip.label, []).append(clip)
        self.machine: dict[int, list[Clip]] = {}
        for clip in ambience.pop(MACHINE_VOICE, []):
            self.machine.setdefault(understood(clip.text), []).append(clip)
        self.beds = Beds(ambience)

    def place(self, rng: Rng, audio: Samples, segments: list[Segment]) -> None:
        """Place events one after the other, with pauses of 0 … 5 s between them."""
        cursor = int(rng.choice([0, rng.uniform(0, 0.5), rng.uniform(0.5, 3.5)]) * SAMPLE_RATE)
        last: dict[int, int] = {}
        style = STYLES[int(rng.choice(len(STYLES), p=STYLES_OFTEN))]
        kinds, weights = np.array(list(style.kinds)), np.array(list(style.kinds.values()))
        wet = rng.random() < 0.4
        often = pick(rng, REPEATED_SHARES)
        repeated = int(rng.choice(SOUNDS)) if rng.random() < self.repeating else None
        while cursor < len(audio) - SAMPLE_RATE // 4:
            kind = int(rng.choice(kinds, p=weights / weights.sum()))
            if repeated is not None and rng.random() < often:
                kind = repeated
                cursor = max(cursor, last.get(kind, 0) + int(rng.uniform(0.3, 2.5) * SAMPLE_RATE))
            if (
                kind not in (SPEECH, AMBIENCE)
                and cursor - last.get(kind, -(10**9)) < (SAME_EPISODE + 0.3) * SAMPLE_RATE
            ):
                if kind != repeated:
                    kind = SPEECH
                else:
                    cursor = last[kind] + int((SAME_EPISODE + rng.uniform(0.3, 2)) * SAMPLE_RATE)
            if cursor >= len(audio) - SAMPLE_RATE // 4:
                break
            samples, inner = self._event(rng, kind, style)
            if kind == repeated:
                samples, inner = ended_at(int(rng.uniform(*REPEATED_S) * SAMPLE_RATE), samples, inner)
                samples = faded(samples.copy())
            elif kind == SPEECH and rng.random() < AT_ONCE_SHARE:
                samples, inner = self._at_once(rng, samples, inner, style, cursor, last)
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
        if self.machine and rng.random() < MACHINE_SHARE:
            self._read_aloud(rng, audio, segments)

    def _at_once(
        self, rng: Rng, speech: Samples, inner: list[Segment], style: Style, cursor: int, last: dict[int, int]
    ) -> tuple[Samples, list[Segment]]:
        """Add a sound that begins while somebody speaks, where its kind was not heard just before."""
        kind = int(rng.choice(SOUNDS))
        first, end = inner[0].start, max(s.end for s in inner)
        at = int(rng.integers(first, max(first + 1, end - SAMPLE_RATE // 4)))
        if cursor + at - last.get(kind, -(10**9)) < (SAME_EPISODE + 0.3) * SAMPLE_RATE:
            return speech, inner
        sound, heard = self._event(rng, kind, style)
        if not heard or heard[0].kind == SPEECH:
            return speech, inner
        both = np.zeros(max(len(speech), at + len(sound)), np.float32)
        both[: len(speech)] = speech
        both[at : at + len(sound)] += sound * np.float32(acoustics.decibels(rng.uniform(-6, 3)))
        last[kind] = cursor + at + len(sound)
        return both, [*inner, *(replace(s, start=s.start + at, end=s.end + at) for s in heard)]

    def _read_aloud(self, rng: Rng, audio: Samples, segments: list[Segment]) -> None:
        """Add a machine's voice that reads the due replies, faintly, after each of them."""
        level = np.float32(acoustics.decibels(rng.uniform(*MACHINE_DB)) * float(np.abs(audio).max(initial=0)))
        for occasion in occasions(segments, len(audio) // CHUNK_SAMPLES):
            clips = self.machine.get(occasion.label)
            first = (occasion.due + 1) * CHUNK_SAMPLES + int(rng.uniform(0.1, 0.6) * SAMPLE_RATE)
            if clips and first < len(audio):
                part = pick(rng, clips).samples[: len(audio) - first] * level
                audio[first : first + len(part)] += part

    def _event(self, rng: Rng, kind: int, style: Style) -> tuple[Samples, list[Segment]]:
        if kind == SPEECH:
            return self._utterance(rng, style)
        if kind == AMBIENCE and rng.random() < ONCE_SHARE and (once := self.beds.once(rng)) is not None:
            return once * np.float32(rng.uniform(0.1, 1)), []
        if kind == AMBIENCE:
            samples = self.beds.draw(rng, int(rng.uniform(1, 6) * SAMPLE_RATE)) * np.float32(rng.uniform(0.1, 1))
            return samples, []
        generated = {KNOCK: sounds.knocking, MUSIC: sounds.music, ALARM: sounds.alarm}
        if kind in generated and (kind not in self.by_kind or rng.random() < GENERATED_SHARE[kind]):
            seconds = rng.uniform(2.5, 9) if kind != KNOCK else rng.uniform(1, 2.5)
            samples = generated[kind](rng, seconds)
            if kind == ALARM and rng.random() < 0.5:
                samples = acoustics.room(samples, rng, 1.2)
            return enveloped(samples, rng), [Segment(0, len(samples), kind)]
        if kind not in self.by_kind:
            return self._utterance(rng, style)
        clip = from_sources(rng, self.sources[kind])
        samples = varied(rng, clip.samples)
        ratio = len(samples) / len(clip.samples)
        return faded(samples), [Segment(int(clip.start * ratio), int(clip.end * ratio), kind)]

    def _utterance(self, rng: Rng, style: Style) -> tuple[Samples, list[Segment]]:
        """Compose one word, one piece of other speech, or several pieces with pauses that do not end the utterance."""
        if self.cuts and rng.random() < UNFINISHED_SHARE:
            return self._unfinished(rng)
        count = 1 if rng.random() < style.alone else int(rng.integers(2, 5))
        pieces: list[Samples] = []
        segments: list[Segment] = []
        cursor = 0
        for index in range(count):
            named = self.named and (not self.other_speech or rng.random() < style.named)
            clip = pick(rng, self.words[int(rng.choice(self.named))] if named else self.other_speech)
            first = max(0, clip.start - int(rng.uniform(0.02, 0.25) * SAMPLE_RATE)) if index == 0 else clip.start
            last_piece = index == count - 1
            keeps_tail = last_piece and rng.random() < 0.5
            last = len(clip.samples) if keeps_tail else min(len(clip.samples), clip.end + int(0.03 * SAMPLE_RATE))
            samples = faded(varied(rng, clip.samples[first:last], 0.12))
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

    def _unfinished(self, rng: Rng) -> tuple[Samples, list[Segment]]:
        """Compose a sentence with a pause inside it, sometimes without its rest."""
        clip, cuts = pick(rng, self.cuts)
        before, after = (varied(rng, part, 0.1) for part in split(clip, pick(rng, cuts)))
        if rng.random() < UNRESUMED_SHARE:
            silence = np.zeros(int((END_OF_UNFINISHED + 0.4) * SAMPLE_RATE), np.float32)
            return np.concatenate([before, silence]), [Segment(0, len(before), SPEECH, OTHER_SPEECH, unfinished=True)]
        pause = np.zeros(int(rng.uniform(*THOUGHT_S) * SAMPLE_RATE), np.float32)
        second = len(before) + len(pause)
        return np.concatenate([before, pause, after]), [
            Segment(0, len(before), SPEECH, OTHER_SPEECH, unfinished=True),
            Segment(second, second + len(after), SPEECH, OTHER_SPEECH),
        ]
