"""Compose continuous sessions of several minutes, to compare recall late in a session with recall early in it.

A session holds about seventy different recordings, one after the other, with pauses that end an utterance or an
episode: spoken turns, sounds to be named (recorded and generated), and ambience to be ignored. Where there are enough
recordings, none is used twice in a session, and spoken ones are used again only after all others. A session is
continuous: one stream with the running log-mel floor. The same material, number and seed give the same sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from ai_widgets.errors import SettingError
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.scenes import GENERATED, MAKERS, Rng, Scene
from ai_widgets.protocol import CHUNK_SAMPLES, CHUNK_SECONDS, SAMPLE_RATE
from ai_widgets.training import acoustics, sounds
from ai_widgets.training.corpus import AMBIENCE, KINDS, SPEECH, Clip, make_clip
from ai_widgets.training.labels import REPLY_OF_KIND, Segment, occasions
from ai_widgets.training.mels import running_mels

SUITE = "long"
MINUTES = 6
"""Minutes of a session: the first five are complete, and the sixth holds the last replies to the fifth."""
CHUNKS = round(MINUTES * 60 / CHUNK_SECONDS)
"""Number of chunks of a session."""
SPOKEN, NAMED = 0.7, 0.18
"""Shares of spoken turns and of sounds to be named among the recordings; the rest is ambience."""
GENERATED_EACH = 2
"""Generated clips per session of each of knocks, music and alarms, of which there are few recordings."""
LONGEST_S = 5.0
"""Seconds that are played of a recording of a sound or of ambience: longer ones would fill the session."""
MOST_SESSIONS = 200
"""Sessions at most (20 hours of audio): more is a mistake in the number."""

PLACE = 101
"""Part of the seed that separates these random numbers from those of the scenes."""


def long_sessions(material: Material, count: int, seed: int) -> Iterator[Scene]:
    """Compose `count` sessions from the validation clips of the material.

    Parameters
    ----------
    material
        Recordings; without spoken validation clips there are no sessions.
    count
        Number of sessions.
    seed
        Seed of order, levels, rooms and noise.

    Raises
    ------
    SettingError
        Where `count` is negative or above `MOST_SESSIONS`.
    """
    if not 0 <= count <= MOST_SESSIONS:
        raise SettingError(f"The number of long sessions must be from 0 to {MOST_SESSIONS}, not {count}.")
    spoken = [clip for clip in material.validation if clip.kind == SPEECH]
    if not spoken:
        return
    order = np.random.default_rng([seed, PLACE]).permutation(len(spoken))
    deck = cycle([spoken[int(place)] for place in order])
    for number in range(count):
        yield _session(np.random.default_rng([seed, PLACE, number]), deck, material.validation)


def _session(rng: Rng, deck: Iterator[Clip], clips: Sequence[Clip]) -> Scene:
    length = CHUNKS * CHUNK_SAMPLES
    audio = np.zeros(length, np.float32)
    piles = _piles(rng, clips)
    segments: list[Segment] = []
    sources: list[str] = []
    cursor = int(rng.uniform(0.3, 2.5) * SAMPLE_RATE)
    before = -1
    while True:
        clip = _next(rng, deck, piles, before)
        samples = clip.samples[: min(clip.end + 800, cut(clip))] * np.float32(acoustics.decibels(rng.uniform(-9, 0)))
        if cursor + len(samples) > length:
            break
        audio[cursor : cursor + len(samples)] += samples
        if clip.kind != AMBIENCE:
            end = cursor + min(clip.end, len(samples))
            segments.append(Segment(cursor + clip.start, end, clip.kind, clip.word, source=clip.source))
        sources.append(clip.group)
        cursor += len(samples) + int(rng.uniform(2.5, 4) * SAMPLE_RATE)
        before = clip.kind
    if rng.random() < 0.3:
        audio = acoustics.room(audio, rng)[:length]
    audio *= np.float32(acoustics.decibels(rng.uniform(-30, -6)) / (float(np.abs(audio).max()) + 1e-9))
    if rng.random() < 0.7:
        noise = sounds.coloured_noise(rng, length / SAMPLE_RATE + 0.1)[:length]
        audio = audio + noise * np.float32(acoustics.decibels(rng.uniform(-70, -45)))
    audio = acoustics.quantised(np.asarray(audio, np.float32))
    mels = running_mels(audio)
    return Scene(SUITE, SUITE, audio, mels, occasions(segments, len(mels)), sources)


def cut(clip: Clip) -> int:
    """Return how many samples of a recording are played: all of speech, `LONGEST_S` of other recordings."""
    return len(clip.samples) if clip.kind == SPEECH else int(LONGEST_S * SAMPLE_RATE)


def _piles(rng: Rng, clips: Sequence[Clip]) -> dict[int, list[Clip]]:
    """Return shuffled recordings by kind, with generated clips of the kinds that have few recordings."""
    found = [clip for clip in clips if clip.kind == AMBIENCE or clip.kind in REPLY_OF_KIND]
    for kind, maker in MAKERS.items():
        for _ in range(GENERATED_EACH):
            made = make_clip(maker(rng, rng.uniform(2.5, LONGEST_S)), kind, 0, GENERATED, KINDS[kind])
            if made is not None:
                found.append(made)
    piles: dict[int, list[Clip]] = {}
    for place in rng.permutation(len(found)):
        piles.setdefault(found[int(place)].kind, []).append(found[int(place)])
    return piles


def _next(rng: Rng, deck: Iterator[Clip], piles: dict[int, list[Clip]], before: int) -> Clip:
    """Draw the next recording; never two sounds of one kind in a row, which would be one episode."""
    drawn = rng.random()
    kinds = sorted(kind for kind, pile in piles.items() if pile and kind not in (AMBIENCE, before))
    if drawn >= SPOKEN + NAMED and piles.get(AMBIENCE):
        return piles[AMBIENCE].pop()
    if drawn >= SPOKEN and kinds:
        return piles[kinds[int(rng.integers(len(kinds)))]].pop()
    return next(deck)
