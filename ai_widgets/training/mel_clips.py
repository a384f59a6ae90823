"""Store clips as mel power, sorted by kind and word, from which windows are composed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ai_widgets.audio.features import EDGE, HOP, log10_mel
from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import acoustics, distractors, sounds
from ai_widgets.training.corpus import ALARM, AMBIENCE, KNOCK, MACHINE_VOICE, MUSIC, SPEECH, Clip, Samples
from ai_widgets.training.lexicon import OTHER_SPEECH
from ai_widgets.training.synthesis import Generator

SPEEDS = (0.84, 0.92, 1.0, 1.08, 1.18)
"""Factors of speed at which a clip is heard in training: the range in which speech still sounds natural."""
LONG_S = 2.2
"""Longer speech is kept at its own speed only."""
GENERATED_SOURCE = "generated"
"""Source of the sounds that no microphone recorded."""
GENERATED: dict[int, Generator] = {KNOCK: sounds.knocking, MUSIC: sounds.music, ALARM: sounds.alarm}


@dataclass(frozen=True)
class Excerpt:
    """Mel power of a clip, log10 in half precision [frames, 128], and what is in it (frames at 10 ms)."""

    power: npt.NDArray[np.float16]
    kind: int
    word: int
    start: int
    end: int
    phones: tuple[int, ...] = ()


@dataclass
class Shelf:
    """The excerpts, sorted by kind and word, so that each word and each sound is drawn equally often.

    `generated` names the labels of `ambience` that no microphone recorded.
    """

    words: dict[int, dict[str, list[Excerpt]]] = field(default_factory=dict)
    speech: dict[str, list[Excerpt]] = field(default_factory=dict)
    sounds: dict[int, dict[str, list[Excerpt]]] = field(default_factory=dict)
    ambience: dict[str, list[Excerpt]] = field(default_factory=dict)
    distractors: list[Excerpt] = field(default_factory=list)
    generated: set[str] = field(default_factory=set)


def excerpt(samples: Samples, kind: int, word: int, start: int, end: int, phones: tuple[int, ...] = ()) -> Excerpt:
    """Compute the mel power of a clip."""
    padded = np.pad(samples, EDGE, mode="reflect" if len(samples) > EDGE else "constant")
    return Excerpt(log10_mel(padded).T.astype(np.float16), kind, word, start // HOP, -(-end // HOP), phones)


def shelve(
    clips: Sequence[Clip], phones: Mapping[str, tuple[int, ...]], seed: int, generated: int = 600, quiet: bool = False
) -> Shelf:
    """Turn clips into excerpts, and generate `generated` more of each sound and ambience that can be generated."""
    rng = np.random.default_rng([seed, 5])
    shelf = Shelf()
    for clip in tqdm(clips, desc="excerpts", disable=quiet):
        if clip.label == MACHINE_VOICE:  # alone it is speech like any other; only a stream tells whose it is
            continue
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
                shelf.sounds.setdefault(clip.kind, {}).setdefault(source, []).append(made)
            elif clip.word == OTHER_SPEECH:
                shelf.speech.setdefault(source, []).append(made)
            else:
                shelf.words.setdefault(clip.word, {}).setdefault(source, []).append(made)
    for kind, maker in GENERATED.items():
        # Recordings teach more than generated sounds do, so that they are the larger part where there are enough.
        recorded = sum(map(len, shelf.sounds.get(kind, {}).values()))
        for _ in range(generated // 3 if recorded >= generated // 6 else generated):
            samples = maker(rng, float(rng.uniform(1.2, 3.5)))
            if kind != KNOCK and rng.random() < 0.4:
                samples = acoustics.room(samples, rng, 1.0)
            made = excerpt(samples, kind, 0, 0, len(samples))
            shelf.sounds.setdefault(kind, {}).setdefault(GENERATED_SOURCE, []).append(made)
    for maker in distractors.DISTRACTORS:
        for _ in range(max(2, generated // 6)):
            samples = maker(rng, float(rng.uniform(0.3, 3.0)))
            shelf.distractors.append(excerpt(samples, AMBIENCE, 0, 0, len(samples)))
    for maker in sounds.AMBIENCES:
        shelf.generated.add(maker.__name__)
        for _ in range(max(2, generated // 12)):
            samples = maker(rng, 3.5)
            shelf.ambience.setdefault(maker.__name__, []).append(excerpt(samples, AMBIENCE, 0, 0, len(samples)))
    return shelf
