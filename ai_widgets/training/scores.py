"""Compose short random scores: chord progressions, melodies, accompaniments and drums in the manner of several styles.

Nothing here is taken from an existing piece. `compose` depends on its seed alone; `ai_widgets.training.rendered_music`
makes sound of its scores. Pitches, programs and drums are numbers of General MIDI (pitch 60 is middle C, programs count
from 0), times are beats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ai_widgets.training.styles import DRUM_PATTERNS, DRUM_PITCHES, DRUM_STEPS, STYLES, Style

MODES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
"""Semitones of the seven degrees of a scale above its tonic."""
PROGRESSIONS: tuple[tuple[int, ...], ...] = (
    (0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 4, 0), (0, 5, 3, 4), (1, 4, 0, 0), (0, 5, 1, 4), (0, 3, 0, 4), (0, 6, 5, 4),
    (0, 2, 3, 4), (3, 4, 2, 5), (0, 0, 3, 0, 4, 3), (0, 3), (0, 6), (0,),
)  # fmt: skip
"""Degrees (0 is the tonic) of the chords of successive bars; a score repeats one, or draws its own."""
OWN_PROGRESSION = 0.25
"""Share of the scores whose progression is drawn freely."""
LONGEST_JITTER = 0.012
"""Standard deviation, in seconds, of the onsets of the least exact players: a tenth of a sixteenth note at 120."""

SHORTEST_NOTE = 1 / 64
"""Beats; a shorter note, whose pitch is struck again at once, is left out."""


@dataclass(frozen=True)
class Note:
    """One note: start and length in beats, pitch (of a drum: its instrument), velocity 1 … 127."""

    start: float
    length: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """The notes of one player. `program` is 0 … 127; a drum part has `drums` set and its program selects a kit."""

    role: str
    program: int
    level: int
    notes: tuple[Note, ...]
    drums: bool = False


@dataclass(frozen=True)
class Score:
    """A piece of `bars` bars of `beats` beats; `tempo` is in beats a minute, `key` a pitch class (0 is C)."""

    style: str
    tempo: float
    beats: int
    bars: int
    key: int
    mode: str
    parts: tuple[Part, ...]

    @property
    def seconds(self) -> float:
        """Duration of all bars."""
        return self.bars * self.beats * 60 / self.tempo


@dataclass(frozen=True)
class _Harmony:
    key: int
    scale: tuple[int, ...]
    degrees: tuple[int, ...]
    sevenths: bool

    def pitch(self, degree: int, low: int) -> int:
        """Return the pitch of a degree, in the octave in which the tonic lies at `low` or just above."""
        tonic = low + (self.key - low) % 12
        return tonic + self.scale[degree % 7] + 12 * (degree // 7)

    def root(self, bar: int) -> int:
        return self.degrees[bar % len(self.degrees)]

    def chord(self, bar: int) -> list[int]:
        return [self.root(bar) + third for third in ((0, 2, 4, 6) if self.sevenths else (0, 2, 4))]


class _Composer:
    """Writes the parts of one score; what they share (harmony, meter, patterns) is fixed when it is made."""

    def __init__(self, rng: np.random.Generator, style: Style, harmony: _Harmony, beats: int, bars: int) -> None:
        self.rng, self.style, self.harmony, self.beats, self.bars = rng, style, harmony, beats, bars
        self.tune = self._tune()

    def _rhythm(self, density: float) -> list[float]:
        """Draw note lengths that fill a bar; a higher density (0 … 1) draws shorter ones."""
        lengths = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0])
        weights = np.exp(-np.abs(np.log2(lengths) + 3 * density - 1.5) * 1.6)
        filled: list[float] = []
        while sum(filled) < self.beats:
            drawn = float(self.rng.choice(lengths, p=weights / weights.sum()))
            filled.append(min(drawn, self.beats - sum(filled)))
        return filled

    def _tune(self) -> list[tuple[float, float, int]]:
        """Draw a melody of (start, length, degree): two motifs that return varied, chord notes on heavy beats."""
        motifs = [self._rhythm(self.style.density) for _ in range(2)]
        order = ((0, 0, 1, 0), (0, 1, 0, 1), (0, 1), (0, 0, 0, 1))[int(self.rng.integers(4))]
        steps = [self.rng.choice([-2, -1, -1, 0, 1, 1, 2, 4, -4], size=64) for _ in motifs]
        tune, rests = [], self.rng.uniform(0.0, 0.25)
        for bar in range(self.bars):
            motif, start, degree = order[bar % len(order)], 0.0, self.harmony.root(bar) % 7
            for number, length in enumerate(motifs[motif]):
                if start % 2 == 0 and number:
                    degree = min(self.harmony.chord(bar), key=lambda tone: abs(tone - degree))
                elif number:
                    vary = int(self.rng.integers(-1, 2)) if self.rng.random() < 0.2 else 0
                    degree = int(np.clip(degree + steps[motif][number] + vary, -4, 12))
                if self.rng.random() >= rests:
                    tune.append((bar * self.beats + start, length, degree))
                start += length
        return tune

    def melody(self, low: int) -> list[Note]:
        """Sing the tune."""
        held = self.rng.uniform(0.6, 1.0)
        return [self._note(s, n * held, self.harmony.pitch(d, low), 92) for s, n, d in self.tune]

    def second(self, low: int) -> list[Note]:
        """Follow the tune two degrees below."""
        return [self._note(s, n * 0.9, self.harmony.pitch(d - 2, low), 78) for s, n, d in self.tune]

    def pad(self, low: int) -> list[Note]:
        """Hold the chord of every bar."""
        return [
            self._note(bar * self.beats, self.beats, self.harmony.pitch(degree, low), 70)
            for bar in range(self.bars)
            for degree in self.harmony.chord(bar)
        ]

    def comp(self, low: int) -> list[Note]:
        """Strike chords in one rhythm that every bar repeats."""
        eighths = np.arange(self.beats * 2)
        struck = self.rng.random(len(eighths)) < np.where(eighths % 2 == 0, 0.6, 0.4) * (0.5 + self.style.density)
        struck[0] |= not struck.any()
        held, strum = self.rng.uniform(0.2, 0.95), self.rng.uniform(0, 0.04)
        return [
            self._note(bar * self.beats + eighth / 2 + place * strum, held, self.harmony.pitch(degree, low), 76)
            for bar in range(self.bars)
            for eighth in eighths[struck]
            for place, degree in enumerate(self.harmony.chord(bar))
        ]

    def arpeggio(self, low: int) -> list[Note]:
        """Break the chords into equal notes."""
        step = 0.25 if self.rng.random() < self.style.density else 0.5
        cycle = ((0, 1, 2, 3), (0, 2, 1, 2), (3, 2, 1, 0), (0, 1, 2, 3, 2, 1), (0, 2, 3, 2))[int(self.rng.integers(5))]
        notes = []
        for bar in range(self.bars):
            tones = [*self.harmony.chord(bar)[:3], self.harmony.root(bar) + 7]
            for number in range(round(self.beats / step)):
                tone = tones[cycle[number % len(cycle)]]
                notes.append(
                    self._note(bar * self.beats + number * step, step * 1.2, self.harmony.pitch(tone, low), 74)
                )
        return notes

    def bass(self, low: int) -> list[Note]:
        """Play roots: held, with fifths, as a pulse, or walking."""
        manner = self.style.bass[int(self.rng.integers(len(self.style.bass)))]
        notes = []
        for bar in range(self.bars):
            root, there = self.harmony.root(bar), bar * self.beats
            if manner == "held":
                figures = [(0.0, float(self.beats), root)]
            elif manner == "fifths":
                figures = [(float(beat), 0.9, root if beat % 4 == 0 else root - 3) for beat in range(0, self.beats, 2)]
            elif manner == "pulse":
                figures = [(eighth / 2, 0.4, root) for eighth in range(self.beats * 2)]
            else:
                steps = np.cumsum(self.rng.choice([1, 2, -1, 2], size=self.beats))
                figures = [(float(beat), 0.95, root + (int(steps[beat]) if beat else 0)) for beat in range(self.beats)]
            notes += [self._note(there + s, n, self.harmony.pitch(d % 7, low), 90) for s, n, d in figures]
        return notes

    def drums(self, low: int) -> list[Note]:  # noqa: ARG002 - a role as the others
        """Repeat a pattern, with some strokes left out and a fill at the end of four bars."""
        fitting = [name for name in self.style.drums if DRUM_STEPS[name] == self.beats * 4]
        pattern = DRUM_PATTERNS[fitting[int(self.rng.integers(len(fitting)))]]
        missing, notes = self.rng.uniform(0, 0.12), []
        for bar in range(self.bars):
            fill = bar % 4 == 3 and self.rng.random() < 0.5
            for drum, strokes in pattern.items():
                for step, stroke in enumerate(strokes):
                    heard = stroke != "." and self.rng.random() >= missing
                    if fill and step >= len(strokes) - 4:
                        drum_now, heard, loud = ("snare", drum == "snare", 90)
                    else:
                        drum_now, loud = drum, {"X": 112, "x": 92, "o": 58}.get(stroke, 0)
                    if heard:
                        start = bar * self.beats + step / 4
                        notes.append(self._note(start, 0.2, DRUM_PITCHES[drum_now], loud))
        return notes

    def _note(self, start: float, length: float, pitch: int, velocity: int) -> Note:
        """Make a note; offbeat eighths of a swing come late."""
        if self.style.swing and 0.5 <= start % 1 < 0.7:
            start += 1 / 6
        while pitch > 108:
            pitch -= 12
        return Note(start, length, pitch, velocity)


def _harmony(rng: np.random.Generator, style: Style) -> tuple[_Harmony, str]:
    mode = style.modes[int(rng.integers(len(style.modes)))]
    degrees = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    if rng.random() < OWN_PROGRESSION:
        degrees = (0, *(int(degree) for degree in rng.integers(0, 6, size=int(rng.integers(1, 8)))))
    return _Harmony(int(rng.integers(12)), MODES[mode], degrees, bool(rng.random() < style.sevenths)), mode


def _played(rng: np.random.Generator, notes: list[Note], tempo: float, beats: int, bars: int) -> tuple[Note, ...]:
    """Play as players do: inexactly; every note ends within the last bar and before its pitch is struck again."""
    total, jitter = float(beats * bars), rng.uniform(0, LONGEST_JITTER) * tempo / 60
    softness, swell, phase = rng.uniform(0.6, 1.1), rng.uniform(0, 0.2), rng.uniform(0, 2 * np.pi)
    played = []
    for note in notes:
        start = max(0.0, note.start + jitter * float(rng.standard_normal()))
        loud = softness * (1 + swell * np.sin(2 * np.pi * start / (4 * beats) + phase)) + 0.04 * rng.standard_normal()
        if start < total - 0.05:
            velocity = int(np.clip(note.velocity * loud, 1, 127))
            played.append(replace(note, start=start, length=min(note.length, total - start), velocity=velocity))
    played.sort(key=lambda note: (note.start, note.pitch))
    struck: dict[int, float] = {}
    for place in reversed(range(len(played))):
        note = played[place]
        played[place] = replace(note, length=min(note.length, struck.get(note.pitch, total) - note.start))
        struck[note.pitch] = note.start
    return tuple(note for note in played if note.length > SHORTEST_NOTE)


def compose(seed: int, seconds: float, style: str | None = None) -> Score:
    """Compose a score.

    Parameters
    ----------
    seed
        The score depends on it and on the other parameters alone.
    seconds
        Least duration; the score has the fewest whole bars that reach it.
    style
        Name of one of `styles.STYLES`; None draws one.

    Examples
    --------
    >>> score = compose(1, seconds=8, style="waltz")
    >>> score.beats, score.seconds >= 8
    (3, True)
    """
    rng = np.random.default_rng([seed, 15])
    drawn = sorted(STYLES)[int(rng.integers(len(STYLES)))]
    manner = STYLES[style or drawn]
    tempo = round(float(rng.uniform(*manner.tempo)), 1)
    beats = manner.beats[int(rng.integers(len(manner.beats)))]
    bars = int(np.ceil(seconds * tempo / 60 / beats))
    harmony, mode = _harmony(rng, manner)
    composer = _Composer(rng, manner, harmony, beats, bars)
    roles: dict[str, Callable[[int], list[Note]]] = {
        "melody": composer.melody, "second": composer.second, "pad": composer.pad, "comp": composer.comp,
        "arpeggio": composer.arpeggio, "bass": composer.bass, "drums": composer.drums,
    }  # fmt: skip
    parts: list[Part] = []
    for player in manner.players:
        if rng.random() < player.share or (player is manner.players[-1] and not parts):
            low = player.low + 12 * int(rng.integers(0, player.octaves))
            notes = _played(rng, roles[player.role](low), tempo, beats, bars)
            program = player.programs[int(rng.integers(len(player.programs)))]
            level = int(np.clip(rng.normal(player.level, 10), 30, 127))
            parts.append(Part(player.role, program, level, notes, player.role == "drums"))
    return Score(manner.name, tempo, beats, bars, harmony.key, mode, tuple(parts))
