"""Compose scenes that each ask for one ability. The same material, count and seed always give the same scenes.

| suite | content of a scene | names |
|---|---|---|
| counting | ten sounds of one kind, each an episode of its own, in one continuous stream | the kind |
| unfinished | a sentence that breaks off for 0.6 … 1.0 s and goes on; and the same as spoken | `PAUSED`, `WHOLE` |
| two_at_once | a sound that begins while somebody speaks, at -3 … +3 dB of the speech | the kind |
| stop | "stop" over a machine voice that is 12 … 24 dB quieter; and such a voice alone | `OVER`, `ALONE` |

Rooms, noise and levels are those of `scenes`. A larger count adds scenes and leaves the first ones as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np

from ai_widgets.errors import SettingError
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.scenes import Rng, Samples, Scene, in_a_room, scene_of
from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import acoustics
from ai_widgets.training.corpus import FRAME, KINDS, SPEECH, Clip, active_frames, sounding
from ai_widgets.training.labels import SAME_EPISODE, Segment
from ai_widgets.training.lexicon import WORDS
from ai_widgets.training.unfinished import inner_pauses, split

COUNTING, UNFINISHED, TWO_AT_ONCE, STOP = SUITES = ("counting", "unfinished", "two_at_once", "stop")
PAUSED, WHOLE = "with a pause", "as spoken"
"""Names of the scenes of an unfinished sentence, and of its control."""
OVER, ALONE = "over a machine voice", "machine voice alone"
"""Names of the scenes of "stop", and of their control."""

EVENTS = 10
"""Sounds of a counting session; replies count to ten."""
FEWEST_CLIPS = 3
"""Distinct recordings of a kind that is counted: with fewer, a model could know the recording and not the place."""
BETWEEN_S = (SAME_EPISODE + 0.6, 7.0)
"""Seconds of silence between two sounds: each is an episode, and the last reply is in a context of 12 s."""
LONGEST_S = 3.0
"""Seconds that are played of a sound: enough to name each kind, and short enough for the context; see `BETWEEN_S`."""
PAUSE_S = (0.6, 1.0)
"""Seconds of the pause in an unfinished sentence."""
SHORTEST_SENTENCE_S = 1.5
"""Seconds of a sentence that breaks off: shorter speech is mostly one word, in which nothing is unfinished."""
SHORTEST_SPEECH_S = 1.0
"""Seconds of speech in which a sound begins."""
SOUND_DB = (-3.0, 3.0)
"""Level of the sound relative to the speech."""
MACHINE_DB = (-24.0, -12.0)
"""Level of the machine voice relative to the person, as an echo canceller leaves it."""
TAIL_S = 3.0
"""Seconds of silence at the end, in which the last reply is due and may still come late."""
SECONDS = 124
"""Approximate length of one scene of each ability together with its control, for the progress."""
MOST_SCENES = 500
"""Scenes of each ability at most (16 hours of audio): more is a mistake in the number."""
PLACE = 211
"""Part of the seed that separates these random numbers from those of other scenes."""

Make = Callable[[Rng, int], Iterator[Scene]]


def ability_scenes(
    material: Material, count: int, seed: int, machines: Sequence[Clip] | None = None
) -> Iterator[Scene]:
    """Compose `count` scenes of each ability and their controls; an ability without material is skipped.

    Parameters
    ----------
    material
        Recordings.
    count
        Number of scenes of each ability.
    seed
        Seed of order, pauses, levels, rooms and noise.
    machines
        Clips of machine voices; by default those of the material.

    Raises
    ------
    SettingError
        Where `count` is negative or above `MOST_SCENES`.
    """
    if not 0 <= count <= MOST_SCENES:
        raise SettingError(f"The number of scenes of each ability must be from 0 to {MOST_SCENES}, not {count}.")
    if not count:
        return
    orders = [np.random.default_rng([seed, PLACE, place]) for place in range(len(SUITES))]
    makers: list[Make | None] = [
        _counting(material),
        _unfinished(material, orders[1]),
        _two_at_once(material, orders[2]),
        _stop(material, material.machines if machines is None else machines, orders[3]),
    ]
    for number in range(count):
        for place, make in enumerate(makers):
            if make is not None:
                yield from make(np.random.default_rng([seed, PLACE, place, number]), number)


def _counting(material: Material) -> Make | None:
    by_kind = {kind: clips for kind, clips in _by_kind(material).items() if len(clips) >= FEWEST_CLIPS}
    if not by_kind:
        return None

    def make(rng: Rng, number: int) -> Iterator[Scene]:
        kind = sorted(by_kind)[number % len(by_kind)]
        clips = [by_kind[kind][int(place)] for place in rng.permutation(len(by_kind[kind]))]
        heard = [clips[place % len(clips)] for place in range(EVENTS)]
        pieces: list[tuple[int, Samples]] = []
        segments: list[Segment] = []
        onset = int(rng.uniform(0.5, 2.5) * SAMPLE_RATE)
        for clip in heard:
            samples = _sound(clip) * np.float32(acoustics.decibels(rng.uniform(-6, 0)))
            pieces.append((onset, samples))
            segments.append(Segment(onset, onset + len(samples), kind, source=clip.source))
            onset += len(samples) + int(rng.uniform(*BETWEEN_S) * SAMPLE_RATE)
        audio = in_a_room(_sum(pieces), rng)
        yield scene_of(COUNTING, KINDS[kind], audio, rng, 0, segments, [clip.group for clip in heard])

    return make


def _unfinished(material: Material, order: Rng) -> Make | None:
    sentences = _breaking_off(order, _at_least(SHORTEST_SENTENCE_S, material.speech))
    first = next(sentences, None)
    if first is None:
        return None
    coming = chain((first,), sentences)

    def make(rng: Rng, number: int) -> Iterator[Scene]:
        clip, places = next(coming)
        at = places[int(rng.integers(len(places)))]
        (begin, rest), (before, behind) = split(clip, at), _quiet_around(clip, at)
        lead = int(rng.uniform(0.5, 2.5) * SAMPLE_RATE)
        # The pause as heard, with what was quiet there before.
        after = lead + len(begin) + max(0, int(rng.uniform(*PAUSE_S) * SAMPLE_RATE) - before - behind)
        end = after + len(rest)
        broken = [
            Segment(lead, lead + len(begin) - before, SPEECH, clip.word, False, clip.source, unfinished=True),
            Segment(after + behind, end, SPEECH, clip.word, False, clip.source),
        ]
        spoken = _speech(clip)
        whole = [Segment(lead, lead + len(spoken), SPEECH, clip.word, source=clip.source)]
        for name, pieces, segments in (
            (PAUSED, [(lead, begin), (after, rest)], broken),
            (WHOLE, [(lead, spoken)], whole),
        ):
            audio = in_a_room(_sum(pieces), rng)
            yield scene_of(UNFINISHED, name, audio, rng, number, segments, [clip.group])

    return make


def _two_at_once(material: Material, order: Rng) -> Make | None:
    by_kind = _by_kind(material)
    people = (*material.speech, *material.keywords, *material.commands, *material.digits)
    deck = _shuffled(order, _at_least(SHORTEST_SPEECH_S, people))
    if not by_kind or not deck:
        return None

    def make(rng: Rng, number: int) -> Iterator[Scene]:
        kind = sorted(by_kind)[number % len(by_kind)]
        clip, person = by_kind[kind][int(rng.integers(len(by_kind[kind])))], deck[number % len(deck)]
        spoken, sound = _speech(person), _sound(clip)
        lead = int(rng.uniform(0.5, 2.5) * SAMPLE_RATE)
        onset = lead + int(rng.uniform(0.1, 0.8) * len(spoken))
        sound = sound * np.float32(_gain(spoken, sound, rng.uniform(*SOUND_DB)))
        segments = [
            Segment(lead, lead + len(spoken), SPEECH, person.word, source=person.source),
            Segment(onset, onset + len(sound), kind, source=clip.source),
        ]
        audio = in_a_room(_sum([(lead, spoken), (onset, sound)]), rng)
        sources = [person.group, clip.group]
        yield scene_of(TWO_AT_ONCE, KINDS[kind], audio, rng, number // len(by_kind), segments, sources)

    return make


def _stop(material: Material, machines: Sequence[Clip], order: Rng) -> Make | None:
    label = WORDS.index("stop") + 1
    people = _shuffled(order, [clip for clip in material.commands if clip.word == label])
    voices = _shuffled(order, machines)
    if not people or not voices:
        return None

    def make(rng: Rng, number: int) -> Iterator[Scene]:
        person, voice = people[number % len(people)], voices[number % len(voices)]
        spoken = _speech(person)
        intervals = sounding(voice.samples) or [(0, len(voice.samples))]
        read = voice.samples[intervals[0][0] : intervals[-1][1]]
        read = read * np.float32(_gain(spoken, read, rng.uniform(*MACHINE_DB)))
        lead = int(rng.uniform(0.5, 2.5) * SAMPLE_RATE)
        earliest = len(read) // 5
        at = lead + int(rng.uniform(earliest, max(earliest, len(read) - len(spoken))))
        over = in_a_room(_sum([(lead, read), (at, spoken)]), rng)
        segments = [Segment(at, at + len(spoken), SPEECH, label, source=person.source)]
        peak = float(np.abs(over).max())
        yield scene_of(STOP, OVER, over, rng, number, segments, [person.group, voice.group])
        alone = in_a_room(_sum([(lead, read)]), rng)
        yield scene_of(STOP, ALONE, alone, rng, number, [], [voice.group], peak)

    return make


def _by_kind(material: Material) -> dict[int, list[Clip]]:
    """Return the distinct recordings of each kind of sound."""
    found: dict[int, dict[str, Clip]] = {}
    for clip in material.sounds:
        found.setdefault(clip.kind, {})[clip.group] = clip
    return {kind: list(clips.values()) for kind, clips in sorted(found.items())}


def _at_least(seconds: float, clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips that sound for at least some seconds."""
    return [clip for clip in clips if clip.end - clip.start >= seconds * SAMPLE_RATE]


def _shuffled(rng: Rng, clips: Sequence[Clip]) -> list[Clip]:
    return [clips[int(place)] for place in rng.permutation(len(clips))]


def _breaking_off(rng: Rng, clips: Sequence[Clip]) -> Iterator[tuple[Clip, list[int]]]:
    """Yield, again and again, the sentences that have places to break off, and these places; none without any."""
    order = _shuffled(rng, clips)
    found = True
    while found:
        found = False
        for clip in order:
            places = inner_pauses(clip)
            if places:
                found = True
                yield clip, places


def _quiet_around(clip: Clip, at: int) -> tuple[int, int]:
    """Return how many samples of a clip are quiet before and from sample `at` on, up to the next speech."""
    active = active_frames(clip.samples)
    frame = at // FRAME
    before, behind = np.flatnonzero(active[:frame]), np.flatnonzero(active[frame:])
    if not len(before) or not len(behind):
        return 0, 0
    return max(0, at - (int(before[-1]) + 1) * FRAME), max(0, (frame + int(behind[0])) * FRAME - at)


def _speech(clip: Clip) -> Samples:
    """Return what is spoken in a clip, from its first sample to its last one."""
    return clip.samples[clip.start : clip.end]


def _sound(clip: Clip) -> Samples:
    """Return what is played of a sound: from its onset to its end, at most `LONGEST_S`, faded where it is cut."""
    samples = clip.samples[clip.start : min(clip.end, clip.start + int(LONGEST_S * SAMPLE_RATE))].copy()
    fade = min(SAMPLE_RATE // 50, len(samples))
    samples[len(samples) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return samples


def _gain(reference: Samples, samples: Samples, level: float) -> float:
    """Return the factor that brings samples to a level in dB relative to a reference."""
    return acoustics.loudness(reference) / acoustics.loudness(samples) * acoustics.decibels(level)


def _sum(pieces: Sequence[tuple[int, Samples]]) -> Samples:
    """Return the sum of pieces, each from its sample on, and `TAIL_S` of silence after the last one."""
    last = max(at + len(samples) for at, samples in pieces)
    audio = np.zeros(last + int(TAIL_S * SAMPLE_RATE), np.float32)
    for at, samples in pieces:
        audio[at : at + len(samples)] += samples
    return audio
