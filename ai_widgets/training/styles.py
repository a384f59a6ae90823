"""The styles in which `ai_widgets.training.scores` composes: tempo, meter, players and drum patterns of each.

Programs, drum kits and drums are numbers of General MIDI; programs count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Player:
    """One place in a band: what it plays, on which instruments, how often it is there.

    `low` is the lowest tonic of its range (a pitch), which `octaves` may raise; `level` is its mean volume, 0 … 127.
    """

    role: str
    programs: tuple[int, ...]
    share: float = 1.0
    low: int = 48
    octaves: int = 1
    level: int = 90


@dataclass(frozen=True)
class Style:
    """How a kind of music is made. `density` (0 … 1) sets how short its notes are, `sevenths` is a share of scores."""

    name: str
    tempo: tuple[float, float]
    players: tuple[Player, ...]
    beats: tuple[int, ...] = (4,)
    drums: tuple[str, ...] = ()
    modes: tuple[str, ...] = ("major", "minor")
    bass: tuple[str, ...] = ("held", "fifths", "pulse")
    density: float = 0.5
    sevenths: float = 0.2
    swing: bool = False


DRUM_PITCHES: dict[str, int] = {
    "kick": 36, "snare": 38, "side stick": 37, "clap": 39, "hat": 42, "open hat": 46, "pedal hat": 44, "ride": 51,
    "crash": 49, "low tom": 45, "high tom": 50, "tambourine": 54, "shaker": 70, "conga": 63, "low conga": 64,
    "cowbell": 56, "claves": 75,
}  # fmt: skip
"""Keys of the drums on the percussion channel."""
DRUM_PATTERNS: dict[str, dict[str, str]] = {
    "rock": {"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
    "rock fast": {"kick": "X..x..X.X.x.....", "snare": "....X.......X..o", "open hat": "x...x...x...x..."},
    "ballad": {"kick": "X.........x.....", "side stick": "....x.......x...", "hat": "x.o.x.o.x.o.x.o."},
    "pop": {"kick": "X.....x.X.......", "snare": "....X.......X...", "hat": "x.o.x.o.x.o.x.o.",
        "tambourine": "....x.......x..."},
    "techno": {"kick": "X...X...X...X...", "open hat": "..x...x...x...x.", "clap": "....x.......x...",
        "hat": "xoxoxoxoxoxoxoxo"},
    "house": {"kick": "X...X...X...X...", "open hat": "..X...X...X...X.", "snare": "....x.......x..o",
        "shaker": "o.o.o.o.o.o.o.o."},
    "breakbeat": {"kick": "X.x.......x..x..", "snare": "....X..o.o..X..o", "hat": "x.x.x.x.x.x.x.x."},
    "hip hop": {"kick": "X..x....x.x.....", "snare": "....X.......X...", "hat": "x.x.x.xxx.x.x.xo"},
    "funk": {"kick": "X.x...x...x..x..", "snare": "....X..o.o..X...", "hat": "xoxoxoxoxoxoxoxo"},
    "swing": {"ride": "x...x.o.x...x.o.", "pedal hat": "....x.......x...", "kick": "o...o...o...o..."},
    "shuffle": {"kick": "X.......X.......", "snare": "....X.......X...", "ride": "x.o.x.o.x.o.x.o."},
    "bossa": {"kick": "X..xx..xX..xx..x", "side stick": "x..x..x...x..x..", "shaker": "xoxoxoxoxoxoxoxo"},
    "latin": {"conga": "..x.x..x..x.x.xx", "low conga": "x......xx......x", "claves": "x..x..x...x.x...",
        "cowbell": "x...x...x...x..."},
    "reggae": {"kick": "........X.......", "side stick": "........x.......", "hat": "x.x.x.x.x.x.x.xo"},
    "march": {"kick": "X.......X.......", "snare": "x..xx.x.x..xxxxx"},
    "toms": {"low tom": "X..x..x.X..x..x.", "high tom": "......x.......xx", "shaker": "x.o.x.o.x.o.x.o."},
    "waltz": {"kick": "X...........", "snare": "....o...o...", "hat": "....x...x..."},
    "waltz ride": {"kick": "X...........", "ride": "x...x.o.x...", "pedal hat": "....x...x..."},
}  # fmt: skip
"""One bar of sixteenths for each drum: X accented, x normal, o soft, a point for silence."""
DRUM_STEPS = {name: len(next(iter(pattern.values()))) for name, pattern in DRUM_PATTERNS.items()}
"""Sixteenths in the bar of each pattern."""

_PIANOS, _GUITARS, _BASSES = (0, 1, 2, 3), (24, 25, 26, 27), (32, 33, 34, 35)
_LEADS, _PADS, _STRINGS = (80, 81, 82, 84, 87), (88, 89, 90, 91, 94, 95), (48, 49, 50, 51)
_WINDS, _BRASS = (64, 65, 66, 68, 71, 73, 74), (56, 57, 60, 61)
_KITS, _SYNTH_KITS = (0, 8, 16), (24, 25)
_LISTED = (
    Style("rock", (96, 172), (
        Player("drums", _KITS, level=100), Player("bass", (33, 34), low=28), Player("comp", (27, 28, 29, 30), low=43),
        Player("melody", (29, 30, 26, 81), 0.5, 60), Player("pad", (16, 18), 0.2),
    ), drums=("rock", "rock fast", "shuffle"), modes=("major", "minor", "mixolydian"), bass=("pulse", "fifths")),
    Style("metal", (120, 180), (
        Player("drums", (0, 16), level=105), Player("bass", (34,), low=28), Player("arpeggio", (30,), low=36),
        Player("melody", (30, 29), 0.4, 60),
    ), drums=("rock fast", "rock"), modes=("minor", "harmonic minor"), bass=("pulse",), density=0.8),
    Style("pop", (84, 132), (
        Player("drums", _KITS), Player("bass", _BASSES, low=28), Player("comp", _PIANOS + _GUITARS, low=48),
        Player("melody", (73, 80, 65, 11, 53, 4), 0.8, 60), Player("pad", _STRINGS + _PADS, 0.5, 48, level=70),
    ), drums=("pop", "rock", "ballad")),
    Style("funk", (92, 122), (
        Player("drums", _KITS), Player("bass", (36, 37, 33), low=28), Player("comp", (28, 27, 7, 4), low=48),
        Player("melody", (61, 56, 65, 16), 0.7, 60),
    ), drums=("funk", "breakbeat"), modes=("dorian", "mixolydian"), bass=("pulse", "fifths"), density=0.7,
        sevenths=0.8),
    Style("waltz", (84, 180), (
        Player("bass", (32, 43, 58), 0.8, 28), Player("comp", (0, 21, 48, 24), low=48),
        Player("melody", (40, 21, 73, 71, 0), low=60), Player("second", (40, 71, 41), 0.3, 60),
        Player("drums", _KITS, 0.4, level=70),
    ), beats=(3,), drums=("waltz", "waltz ride"), bass=("held", "fifths"), density=0.4),
    Style("swing", (100, 180), (
        Player("drums", (32, 40, 0), 0.9, level=80), Player("bass", (32,), low=28), Player("comp", (0, 26, 4), 0.8),
        Player("melody", (56, 59, 64, 65, 66, 71, 11, 0), low=60), Player("second", (57, 66, 61), 0.3, 60),
    ), drums=("swing", "shuffle"), modes=("major", "dorian", "mixolydian"), bass=("walking",), density=0.6,
        sevenths=0.9,
        swing=True),
    Style("techno", (118, 150), (
        Player("drums", _SYNTH_KITS, level=110), Player("bass", (38, 39, 87), low=28),
        Player("arpeggio", _LEADS, 0.8, 48, 2),
        Player("pad", (*_PADS, 50, 51), 0.6, level=75), Player("melody", _LEADS, 0.4, 60),
    ), drums=("techno", "house"), modes=("minor", "dorian"), bass=("pulse",), density=0.8),
    Style("house", (116, 130), (
        Player("drums", (25, 24, 8), level=105), Player("bass", (38, 33), low=28),
        Player("comp", (0, 1, 16, 62), low=48),
        Player("pad", _STRINGS, 0.5, level=70), Player("melody", (81, 53, 73), 0.4, 60),
    ), drums=("house", "techno"), modes=("minor", "dorian"), density=0.6, sevenths=0.7),
    Style("hip hop", (70, 104), (
        Player("drums", (25, 8, 0), level=110), Player("bass", (38, 33, 39), low=28),
        Player("arpeggio", (4, 0, 24, 45), 0.6),
        Player("pad", (48, 89, 4, 52), 0.6, level=70),
    ), drums=("hip hop", "breakbeat"), modes=("minor",), bass=("held", "fifths"), sevenths=0.5),
    Style("ballad", (54, 84), (
        Player("drums", _KITS, 0.6, level=75), Player("bass", _BASSES, 0.8, 28),
        Player("arpeggio", (0, 4, 24, 25), low=48),
        Player("melody", (73, 65, 40, 53, 68, 0), 0.8, 60), Player("pad", _STRINGS, 0.6, level=65),
    ), drums=("ballad",), bass=("held",), density=0.35),
    Style("solo piano", (50, 150), (
        Player("arpeggio", _PIANOS, 0.6, 36), Player("bass", _PIANOS, 0.5, 36),
        Player("melody", _PIANOS, low=60, octaves=2),
    ), beats=(3, 4), modes=("major", "minor", "harmonic minor"), density=0.55),
    Style("solo guitar", (60, 130), (
        Player("bass", (24, 25), 0.5, 40, level=75), Player("melody", (24, 25, 26), 0.6, 60),
        Player("arpeggio", (24, 25, 27), low=48),
    ), beats=(3, 4), bass=("held", "fifths")),
    Style("strings", (50, 132), (
        Player("melody", (40, 48, 44, 110), low=67), Player("second", (40, 41, 49), 0.7, 60),
        Player("pad", (42, 48, 49), 0.8),
        Player("bass", (42, 43, 48, 45), 0.8, 36),
    ), beats=(3, 4), modes=("major", "minor", "harmonic minor"), bass=("held", "fifths"), density=0.4),
    Style("orchestra", (60, 160), (
        Player("melody", (48, 60, 56, 73, 68), low=60, octaves=2), Player("pad", (48, 49, 61, 52), low=48),
        Player("bass", (43, 58, 47), low=36), Player("arpeggio", (45, 46, 48), 0.5, 60), Player("drums", (48,), 0.4),
    ), drums=("march", "toms"), modes=("major", "minor", "harmonic minor"), density=0.45),
    Style("brass", (70, 140), (
        Player("melody", _BRASS, low=58), Player("second", _BRASS, 0.8, 58), Player("bass", (58, 57), 0.9, 34),
        Player("pad", (60, 61), 0.6, 46), Player("drums", _KITS, 0.5),
    ), drums=("march",), modes=("major",), bass=("fifths", "held")),
    Style("organ", (50, 120), (
        Player("bass", (16, 19), 0.7, 36), Player("pad", (16, 17, 18, 19, 20), 0.7, 48),
        Player("melody", (16, 18, 19, 20), low=60),
    ), beats=(3, 4), bass=("held", "walking"), density=0.45),
    Style("folk", (80, 160), (
        Player("comp", (24, 25, 105), 0.8, 48), Player("bass", (32, 33), 0.5, 28),
        Player("melody", (110, 22, 21, 74, 105, 15), low=60),
        Player("second", (22, 110, 21), 0.3, 60), Player("drums", (0,), 0.2, level=60),
    ), beats=(3, 4), drums=("rock", "waltz"), modes=("major", "dorian", "mixolydian"), density=0.6, sevenths=0.05),
    Style("plucked", (60, 140), (
        Player("arpeggio", (46, 24, 6, 107, 108), 0.8, 48, 2),
        Player("melody", (6, 46, 104, 106, 107, 108, 15), low=60),
    ), modes=("major", "minor", "dorian", "harmonic minor"), beats=(3, 4), density=0.55),
    Style("mallets", (70, 150), (
        Player("arpeggio", (11, 12, 13, 108, 114), 0.8, 48),
        Player("melody", (8, 9, 10, 11, 12, 13, 114), low=60, octaves=2),
        Player("drums", (0,), 0.3, level=60),
    ), drums=("latin", "bossa"), density=0.6),
    Style("ambient", (50, 80), (
        Player("pad", _PADS, low=48), Player("bass", (39, 89, 43), 0.5, 36),
        Player("arpeggio", (46, 88, 98, 11), 0.4, 60),
        Player("melody", (75, 77, 91, 0, 54), 0.5, 60),
    ), modes=("major", "minor", "dorian"), bass=("held",), density=0.15, sevenths=0.6),
    Style("bossa", (100, 150), (
        Player("drums", (0, 40), 0.8, level=75), Player("bass", (32, 33), low=28), Player("comp", (24, 0, 4), low=48),
        Player("melody", (73, 65, 11, 66), 0.8, 60),
    ), drums=("bossa",), modes=("major", "minor"), bass=("fifths",), sevenths=0.9),
    Style("latin", (90, 130), (
        Player("drums", (0,)), Player("bass", (32, 33), low=28), Player("comp", (0, 1, 24), low=48),
        Player("melody", (*_BRASS, 73), 0.8, 60),
    ), drums=("latin",), modes=("minor", "dorian", "major"), bass=("fifths", "pulse"), density=0.6),
    Style("reggae", (66, 92), (
        Player("drums", _KITS), Player("bass", (33, 35), low=28, level=105), Player("comp", (16, 27, 28), low=48),
        Player("melody", (56, 57, 65, 22), 0.5, 60),
    ), drums=("reggae",), bass=("fifths", "pulse")),
    Style("march", (96, 126), (
        Player("drums", (0, 48), 0.9), Player("bass", (58,), low=34), Player("comp", (60, 61, 71), low=48),
        Player("melody", (56, 72, 73, 71), low=60, octaves=2), Player("second", (57, 66), 0.6, 60),
    ), drums=("march",), modes=("major",), bass=("fifths",)),
    Style("winds", (60, 130), (
        Player("melody", _WINDS, low=60, octaves=2), Player("second", _WINDS, 0.6, 60),
        Player("bass", (70, 67, 71), 0.7, 40),
    ), beats=(3, 4), bass=("walking", "held"), density=0.5),
    Style("choir", (50, 96), (
        Player("pad", (52, 53), low=48), Player("melody", (52, 53, 54), 0.5, 60), Player("bass", (19, 43, 52), 0.6, 36),
    ), beats=(3, 4), bass=("held",), density=0.25, sevenths=0.05),
    Style("arcade", (110, 170), (
        Player("arpeggio", (80, 81), 0.7, 48, 2), Player("bass", (38, 80, 87), 0.9, 36),
        Player("melody", (80, 81, 82), low=60),
        Player("drums", _SYNTH_KITS, 0.7),
    ), drums=("rock", "techno", "breakbeat"), bass=("pulse", "fifths"), density=0.75, sevenths=0.05),
    Style("drums alone", (70, 160), (Player("drums", (0, 8, 16, 25, 32), level=105),),
        drums=("rock", "rock fast", "pop", "techno", "house", "breakbeat", "hip hop", "funk", "shuffle", "latin",
        "toms")),
)  # fmt: skip
STYLES: dict[str, Style] = {style.name: style for style in _LISTED}
"""All styles by name."""
