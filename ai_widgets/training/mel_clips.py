"""Store clips as mel power, sorted by kind and word, from which windows are composed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

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
CLIPS_AT_ONCE = 64
"""Clips that a process turns into excerpts before it returns them: a second of work."""
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
    clips: Sequence[Clip],
    phones: Mapping[str, tuple[int, ...]],
    seed: int,
    generated: int = 600,
    quiet: bool = False,
    processes: int = 1,
) -> Shelf:
    """Turn clips into excerpts, and generate `generated` more of each sound and ambience that can be generated.

    With several `processes`, which the system must be able to fork, the shelf is the same.
    """
    shelf = Shelf()
    # A machine's voice alone is speech like any other; only a stream tells whose it is.
    heard = [clip for clip in clips if clip.label != MACHINE_VOICE]
    excerpts = partial(_excerpts, phones=phones)
    with _mapping(processes) as mapped:
        made = mapped(excerpts, heard, CLIPS_AT_ONCE)
        for clip, found in zip(heard, tqdm(made, "excerpts", len(heard), disable=quiet), strict=True):
            # Voices of one engine sound alike, so an engine (or a corpus) is drawn before a clip of it.
            source = clip.group.split("/")[0]
            if clip.kind == AMBIENCE:
                shelf.ambience.setdefault(clip.label, []).extend(found)
            elif clip.kind != SPEECH:
                shelf.sounds.setdefault(clip.kind, {}).setdefault(source, []).extend(found)
            elif clip.word == OTHER_SPEECH:
                shelf.speech.setdefault(source, []).extend(found)
            else:
                shelf.words.setdefault(clip.word, {}).setdefault(source, []).extend(found)
        orders = _orders(shelf, seed, generated)
        for order, found in zip(orders, mapped(_generated, orders, 1), strict=True):
            if order.kind != AMBIENCE:
                shelf.sounds.setdefault(order.kind, {}).setdefault(GENERATED_SOURCE, []).extend(found)
            elif order.maker in distractors.DISTRACTORS:
                shelf.distractors.extend(found)
            else:
                shelf.generated.add(order.maker.__name__)
                shelf.ambience.setdefault(order.maker.__name__, []).extend(found)
    return shelf


@dataclass(frozen=True)
class _Order:
    """What is to be generated: `count` sounds of a kind, each of a length between two numbers of seconds."""

    maker: Generator
    kind: int
    count: int
    seconds: tuple[float, float]
    seed: tuple[int, ...]


def _orders(shelf: Shelf, seed: int, generated: int) -> list[_Order]:
    """List what is to be generated, in the same order for the same clips."""
    wanted: list[tuple[Generator, int, int, tuple[float, float]]] = []
    for kind, maker in GENERATED.items():
        # Recordings teach more than generated sounds do, so that they are the larger part where there are enough.
        recorded = sum(map(len, shelf.sounds.get(kind, {}).values()))
        wanted.append((maker, kind, generated // 3 if recorded >= generated // 6 else generated, (1.2, 3.5)))
    wanted += [(maker, AMBIENCE, max(2, generated // 6), (0.3, 3.0)) for maker in distractors.DISTRACTORS]
    wanted += [(maker, AMBIENCE, max(2, generated // 12), (3.5, 3.5)) for maker in sounds.AMBIENCES]
    orders = [_Order(*order, (seed, 5, place)) for place, order in enumerate(wanted)]
    return [order for order in orders if order.count]


def _generated(order: _Order) -> list[Excerpt]:
    """Generate sounds and turn them into excerpts."""
    rng = np.random.default_rng(order.seed)
    found = []
    for _ in range(order.count):
        samples = order.maker(rng, float(rng.uniform(*order.seconds)))
        if order.kind in (MUSIC, ALARM) and rng.random() < 0.4:
            samples = acoustics.room(samples, rng, 1.0)
        found.append(excerpt(samples, order.kind, 0, 0, len(samples)))
    return found


def _excerpts(clip: Clip, phones: Mapping[str, tuple[int, ...]]) -> list[Excerpt]:
    """Turn a clip into excerpts at all speeds at which it is heard."""
    found = []
    for speed in SPEEDS if clip.kind != SPEECH or clip.end - clip.start < LONG_S * SAMPLE_RATE else (1.0,):
        samples = clip.samples if speed == 1.0 else acoustics.change_speed(clip.samples, speed)
        ratio = len(samples) / len(clip.samples)
        start, end = int(clip.start * ratio), int(clip.end * ratio)
        found.append(excerpt(samples, clip.kind, clip.word, start, end, phones.get(clip.text, ())))
    return found


@contextmanager
def _mapping(processes: int) -> Iterator[Callable[..., Iterable[list[Excerpt]]]]:
    """Give a function that maps over a list, in processes where there are several."""
    if processes == 1:
        yield lambda function, given, _: map(function, given)
        return
    with get_context("fork").Pool(processes) as workers:
        yield workers.imap
