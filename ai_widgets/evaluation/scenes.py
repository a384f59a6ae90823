"""Compose labelled streams for the evaluation. The same material, hours and seed always give the same scenes.

| suite | content of a scene |
|---|---|
| mixed | words, speech, sounds, ambience, rooms, lines, as in training (`training.compose_streams`) |
| keywords, digits, commands, speech | held-out recordings of people, one by one with pauses, at -45 … -3 dBFS |
| sounds | held-out recordings of sounds, arranged in the same way |
| generated | knocks, music and alarms from the generators of training, with new random numbers |
| ambience | one class of ambience, varied in speed, room, colour and level, at times mixed with another class |
| silence | zeros |

In each suite but `mixed` and `silence`, every other scene is heard as a file (one log-mel floor, one second of silence
at the end), the others as a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import numpy.typing as npt

from ai_widgets.errors import SettingError
from ai_widgets.evaluation.material import Material
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.training import acoustics, sounds
from ai_widgets.training.compose_streams import TAIL_CHUNKS, Composer
from ai_widgets.training.corpus import ALARM, AMBIENCE, KINDS, KNOCK, MUSIC, SPEECH, Clip, make_clip
from ai_widgets.training.labels import SAME_EPISODE, Occasion, Segment, occasions
from ai_widgets.training.mels import clip_mels, running_mels
from ai_widgets.training.pool import draw_seconds

Samples = npt.NDArray[np.float32]
Rng = np.random.Generator

SHARES = {"mixed": 0.18, "keywords": 0.07, "digits": 0.09, "speech": 0.05, "sounds": 0.15, "generated": 0.04,
          "ambience": 0.36, "silence": 0.02, "commands": 0.04}  # fmt: skip
"""Share of each suite in the hours of an evaluation."""
GENERATED = "generated"
MAKERS = {KNOCK: sounds.knocking, MUSIC: sounds.music, ALARM: sounds.alarm}
SILENCE_S = 60.0
"""Length of the stream of digital silence, in seconds, in which every reply is a false one."""
MOST_HOURS = 100.0
"""Longest evaluation, in hours of audio: days of computation; more is a mistyped number."""


@dataclass
class Scene:
    """One stream: audio at 16 kHz, features [chunks, 128, 40], occasions for replies, and its source recordings."""

    suite: str
    name: str
    audio: Samples
    mels: npt.NDArray[np.float32]
    occasions: list[Occasion]
    sources: list[str] = field(default_factory=list)

    @property
    def chunks(self) -> int:
        """Length in chunks."""
        return len(self.mels)


def scenes(material: Material, hours: float, seed: int) -> Iterator[Scene]:
    """Compose about `hours` of scenes; a suite without material is skipped.

    Raises
    ------
    SettingError
        Where `hours` is not above 0, or above `MOST_HOURS`.
    """
    if not 0 < hours <= MOST_HOURS:
        raise SettingError(f"--hours must be above 0 and at most {MOST_HOURS:g}, not {hours:g}.")
    for place, (suite, share) in enumerate(SHARES.items()):
        make = _maker(suite, material, np.random.default_rng([seed, place]))
        left = share * hours * 3600 * SAMPLE_RATE
        number = 0
        while make is not None and left > 0:
            scene = make(np.random.default_rng([seed, place, number]), number)
            left -= len(scene.audio)
            number += 1
            yield scene


def _maker(suite: str, material: Material, rng: Rng) -> Callable[[Rng, int], Scene] | None:
    """Return the function that composes the scenes of a suite; `rng` draws the order of the recordings."""
    if suite == "mixed":
        if not any(clip.kind == SPEECH for clip in material.validation):
            return None
        composer = Composer(material.validation)
        return lambda own, _number: _mixed(composer, own)
    if suite == "silence":
        return lambda _own, _number: _silence()
    if suite == "ambience":
        beds: dict[str, list[Clip]] = {}
        for clip in material.ambience:
            beds.setdefault(clip.label, []).append(clip)
        return lambda own, number: _ambience(own, number, beds)
    clips: list[Clip] = _generated(rng) if suite == "generated" else getattr(material, suite)
    if not clips:
        return None
    deck = _alternating(rng, clips)
    dealt = count()
    return lambda own, number: _one_by_one(suite, own, number, deck, dealt)


def _mixed(composer: Composer, rng: Rng) -> Scene:
    stream = composer.stream(rng, draw_seconds(rng))
    return Scene("mixed", "mixed", stream.audio, stream.mels, occasions(stream.segments, len(stream.mels)))


def _silence() -> Scene:
    audio = np.zeros(int(SILENCE_S * SAMPLE_RATE), np.float32)
    return Scene("silence", "digital silence", audio, running_mels(audio), [])


def _generated(rng: Rng, each: int = 8) -> list[Clip]:
    """Generate clips of the sounds of which there are few recordings."""
    made = []
    for _ in range(each):
        for kind, maker in MAKERS.items():
            clip = make_clip(maker(rng, rng.uniform(2.5, 6)), kind, 0, GENERATED, KINDS[kind])
            if clip is not None:
                made.append(clip)
    return made


def _alternating(rng: Rng, clips: Sequence[Clip]) -> list[Clip]:
    """Shuffle the recordings, each used once, so that kinds and words alternate."""
    piles: dict[tuple[int, int], list[Clip]] = {}
    for index in rng.permutation(len(clips)):
        clip = clips[int(index)]
        piles.setdefault((clip.kind, clip.word), []).append(clip)
    deck: list[Clip] = []
    while piles:
        deck += [pile.pop() for pile in piles.values()]
        piles = {key: pile for key, pile in piles.items() if pile}
    return deck


def _one_by_one(suite: str, rng: Rng, number: int, deck: Sequence[Clip], dealt: Iterator[int]) -> Scene:
    """Compose four recordings, with pauses that end an utterance or an episode, over silence or faint noise."""
    pieces = [np.zeros(int(rng.uniform(0.3, 2.5) * SAMPLE_RATE), np.float32)]
    cursor = len(pieces[0])
    segments: list[Segment] = []
    sources = []
    clips = [deck[next(dealt) % len(deck)] for _ in range(4)]
    for clip, following in zip(clips, [*clips[1:], clips[0]], strict=True):
        pause = rng.uniform(2.5, 4)
        if clip.kind == following.kind != SPEECH:
            pause += SAME_EPISODE - 1
        samples = clip.samples[: clip.end + 800] * np.float32(acoustics.decibels(rng.uniform(-6, 0)))
        segments.append(Segment(cursor + clip.start, cursor + clip.end, clip.kind, clip.word, source=clip.source))
        pieces += [samples, np.zeros(int(pause * SAMPLE_RATE), np.float32)]
        cursor += len(samples) + len(pieces[-1])
        sources.append(clip.group)
    audio = np.concatenate(pieces)
    return scene_of(suite, suite, in_a_room(audio, rng), rng, number, segments, sources)


def in_a_room(audio: Samples, rng: Rng) -> Samples:
    """Add the reverberation of a room to three of ten streams, and faint noise to every other one."""
    if rng.random() < 0.3:
        audio = acoustics.room(audio, rng)
    if rng.random() < 0.5:
        noise = sounds.coloured_noise(rng, len(audio) / SAMPLE_RATE + 0.1)[: len(audio)]
        audio = audio + noise * np.float32(acoustics.decibels(rng.uniform(-65, -35)))
    return audio


def _ambience(rng: Rng, number: int, beds: dict[str, list[Clip]]) -> Scene:
    names = [*sorted(beds), GENERATED]
    name = names[number % len(names)]
    length = int(rng.uniform(20, 40) * SAMPLE_RATE)
    audio, sources = _bed(rng, length, name, beds)
    if rng.random() < 0.3:
        other, more = _bed(rng, length, names[int(rng.integers(len(names)))], beds)
        sources += more
        audio = audio + other * np.float32(acoustics.decibels(rng.uniform(-20, -6)))
    if rng.random() < 0.3:
        audio = acoustics.room(audio, rng)
    if rng.random() < 0.5:
        audio = acoustics.colour(audio, rng)
    return scene_of("ambience", name, audio, rng, number // len(names), [], sources)


def _bed(rng: Rng, length: int, name: str, beds: dict[str, list[Clip]]) -> tuple[Samples, list[str]]:
    """Compose `length` samples of one class of ambience with peak 1: crossfaded recordings at varied speed."""
    out = np.zeros(length, np.float32)
    fade = SAMPLE_RATE // 5
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    cursor = 0
    sources = []
    while cursor < length:
        if name == GENERATED:
            maker = sounds.AMBIENCES[int(rng.integers(len(sounds.AMBIENCES)))]
            samples, source = maker(rng, rng.uniform(6, 12)), f"{GENERATED}/{maker.__name__}"
        else:
            clip = beds[name][int(rng.integers(len(beds[name])))]
            samples, source = acoustics.change_speed(clip.samples, rng.uniform(0.87, 1.15)), clip.group
        if len(samples) > 2 * fade:
            samples[:fade] *= ramp
            samples[-fade:] *= ramp[::-1]
        part = samples[: length - cursor]
        out[cursor : cursor + len(part)] += part
        cursor += max(len(samples) - fade, fade)
        sources.append(source)
    return out / (np.abs(out).max() + np.float32(1e-9)), sources


def scene_of(
    suite: str,
    name: str,
    audio: Samples,
    rng: Rng,
    number: int,
    segments: list[Segment],
    sources: list[str],
    peak: float | None = None,
) -> Scene:
    """Set the level of a stream, quantise it to 16 bits, and compute its features as a stream or as a file.

    Streams of an odd `number` are heard as files. `peak` is the peak before the level is set, by default that of the
    audio.
    """
    peak = float(np.abs(audio).max()) if peak is None else peak
    level = acoustics.decibels(rng.uniform(-45, -3)) / (peak + 1e-9)
    audio = acoustics.quantised(audio * np.float32(level))
    audio = np.pad(audio, (0, -len(audio) % CHUNK_SAMPLES))
    if number % 2:
        tail = np.zeros(TAIL_CHUNKS * CHUNK_SAMPLES, np.float32)
        mels = np.concatenate([clip_mels(audio), clip_mels(tail)])
        audio = np.concatenate([audio, tail])
    else:
        mels = running_mels(audio)
    found = occasions([s for s in segments if s.kind != AMBIENCE], len(mels))
    return Scene(suite, name, audio, mels, found, sources)
