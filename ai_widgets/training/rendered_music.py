"""Render composed scores with sampled instruments: music for training that is neither recorded nor made of plain tones.

The scores come from `ai_widgets.training.scores`. They are written as standard MIDI files and played by the program
``fluidsynth`` with a General MIDI soundfont; the recipe uses FluidR3 GM (MIT licence; Debian ``fluid-soundfont-gm``).

``python -m ai_widgets.training.rendered_music --out EXTRA/music --count 300 --seed 1`` writes FLAC files of 8 … 14 s,
16 kHz mono, into a folder that ``ai-widgets train --extra EXTRA`` reads. Files that exist are kept.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr
from scipy.signal import lfilter

from ai_widgets.errors import ChildError
from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training.child_process import output_of
from ai_widgets.training.scores import Part, Score, compose
from ai_widgets.training.styles import STYLES

Samples = npt.NDArray[np.float32]
SOUNDFONTS = (Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"), Path("/usr/share/soundfonts/FluidR3_GM.sf2"))
"""Places of the recipe's soundfont under Debian and Fedora."""
SHORTEST, LONGEST = 8.0, 14.0
"""Seconds of a clip: longer than the time in which music is to be named, short enough that one clip is one piece."""
TICKS = 480
"""MIDI ticks a beat: 1 ms at 125 beats a minute, finer than the timing of players."""
DRUM_CHANNEL = 9
"""Channel (counted from 0) on which General MIDI plays drums."""
RENDER_RATE = 44_100
"""Samples a second at which the soundfont is played: the rate of its recordings."""
TUNING = 0.03
"""Largest relative deviation of the tuning from 440 Hz: about a quarter tone, as of records and old instruments."""
FADE = SAMPLE_RATE // 25
"""Samples over which a clip that ends inside its piece fades out: 40 ms, so that its end is no click."""
DULL_ABOVE = 1500.0
"""Hertz above which a piece is made duller, with 6 dB an octave: sampled instruments are brighter than recordings."""
BRIGHTNESS = (0.3, 1.0)
"""Bounds of the gain far above `DULL_ABOVE`; with these the mean spectrum is within a standard deviation of records."""
COMPRESSED = 0.4
"""Share of the pieces that are compressed: records are, recordings of rooms are not."""
MOST_SECONDS = 120.0
"""Seconds after which a run of fluidsynth is ended: a hundred times what a clip takes."""


def _variable_length(number: int) -> bytes:
    """Return a number in MIDI's form of seven bits a byte, the most significant first."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def _events(part: Part, channel: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (tick, order within the tick, message): settings, note ends and note starts."""
    yield 0, 0, bytes([0xC0 | channel, part.program])
    yield 0, 0, bytes([0xB0 | channel, 7, part.level])
    for note in part.notes:
        start = round(note.start * TICKS)
        end = max(start + 1, round((note.start + note.length) * TICKS))
        yield start, 2, bytes([0x90 | channel, note.pitch, note.velocity])
        yield end, 1, bytes([0x80 | channel, note.pitch, 0])


def midi_bytes(score: Score) -> bytes:
    """Return the score as a standard MIDI file (format 0: one track).

    Raises
    ------
    ValueError
        If the score has more than 15 parts besides drums, or more than one drum part.

    References
    ----------
    The Complete MIDI 1.0 Detailed Specification, "Standard MIDI Files 1.0".
    """
    channels = iter(channel for channel in range(16) if channel != DRUM_CHANNEL)
    events: list[tuple[int, int, bytes]] = []
    if sum(part.drums for part in score.parts) > 1 or len(score.parts) > 16:
        raise ValueError("A MIDI file has one channel for drums and 15 for other parts; this score has more parts.")
    for part in score.parts:
        events += _events(part, DRUM_CHANNEL if part.drums else next(channels))
    events.sort(key=lambda event: event[:2])
    track, now = bytearray(b"\x00\xff\x51\x03" + round(60e6 / score.tempo).to_bytes(3, "big")), 0
    for tick, _, message in events:
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + bytes(track)


def mastered(audio: Samples, rng: np.random.Generator, seconds: float) -> Samples:
    """Cut a rendered piece to `seconds`, dull it, compress some pieces as records are, and bring it to a usual level.

    Raises
    ------
    ChildError
        If the rendered piece is silent.
    """
    sounding = np.flatnonzero(np.abs(audio) > 1e-4)
    if not len(sounding):
        raise ChildError("Rendering a score failed: the result is silent. Is the soundfont a General MIDI one?")
    spare = max(0, len(audio) - int(sounding[0]) - round(seconds * SAMPLE_RATE))
    start = int(sounding[0]) + (int(rng.integers(spare + 1)) if rng.random() < 0.5 else 0)
    clip = audio[start : start + round(seconds * SAMPLE_RATE)].copy()
    pole = np.exp(-2 * np.pi * DULL_ABOVE / SAMPLE_RATE)
    dull = lfilter([1 - pole], [1, -pole], clip)
    clip = np.asarray(dull + rng.uniform(*BRIGHTNESS) * (clip - dull), np.float32)
    clip /= np.float32(np.sqrt(np.mean(clip**2)) + 1e-9)
    if rng.random() < COMPRESSED:
        clip = np.tanh(clip * np.float32(rng.uniform(0.2, 0.6)))
    clip[-FADE:] *= np.linspace(1, 0, len(clip[-FADE:]), dtype=np.float32)
    return np.asarray(clip * (rng.uniform(0.3, 0.9) / np.abs(clip).max(initial=1e-9)), np.float32)


def render(score: Score, soundfont: Path, rng: np.random.Generator) -> Samples:
    """Play a score with fluidsynth in a room that `rng` draws; return 16 kHz mono samples.

    Raises
    ------
    ChildError
        If fluidsynth is not installed or fails.
    """
    settings = {
        "synth.reverb.room-size": rng.uniform(0, 0.9), "synth.reverb.level": rng.uniform(0, 0.8),
        "synth.reverb.damp": rng.uniform(0, 1), "synth.gain": 0.3, "synth.sample-rate": RENDER_RATE,
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value:.3f}")]
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder, "score.mid"), Path(folder, "score.wav")
        midi.write_bytes(midi_bytes(score))
        command = ["fluidsynth", "-ni", "-q", *options, "-O", "float", "-T", "wav", "-F", str(wave), str(soundfont)]
        output_of([*command, str(midi)], "Rendering a score with fluidsynth", timeout=MOST_SECONDS)
        if not wave.is_file():
            raise ChildError(f"Rendering a score with fluidsynth failed: it wrote no sound with {soundfont.name}.")
        audio, rate = sf.read(wave, dtype="float32", always_2d=True)
    audio = audio[: round(score.seconds * rate)]  # without the reverberation after the last bar
    tuning = 1 + rng.uniform(-TUNING, TUNING)
    return np.asarray(soxr.resample(audio.mean(axis=1), rate * tuning, SAMPLE_RATE), np.float32)


def fill(out: Path, count: int, seed: int, soundfont: Path) -> int:
    """Write the clips of a seed that `out` does not have; return the number written.

    Raises
    ------
    ChildError
        If fluidsynth is not installed or fails. Clips that are written stay.
    """
    out.mkdir(parents=True, exist_ok=True)
    names, written = sorted(STYLES), 0
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        seconds, style = float(rng.uniform(SHORTEST, LONGEST)), names[number % len(names)]
        path = out / f"{style.replace(' ', '-')}-{soundfont.stem}-{seed}-{number:04d}.flac"
        if not path.is_file():
            score = compose(seed * 100_000 + number, seconds + 1, style)
            clip = mastered(render(score, soundfont, rng), rng, seconds)
            sf.write(path, clip, SAMPLE_RATE, subtype="PCM_16")
            written += 1
    return written


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m ai_widgets.training.rendered_music`` and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ai_widgets.training.rendered_music", description="Render composed music for training."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the clips: EXTRA/music")
    parser.add_argument("--count", type=int, default=300, help="number of clips (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--soundfont", type=Path, help="General MIDI soundfont (default: FluidR3_GM.sf2)")
    arguments = parser.parse_args(argv)
    soundfont = arguments.soundfont or next((path for path in SOUNDFONTS if path.is_file()), SOUNDFONTS[0])
    if shutil.which("fluidsynth") is None:
        print("fluidsynth is not installed; no music is rendered.", file=sys.stderr)
        return 1
    if not soundfont.is_file():
        print(f"There is no soundfont {soundfont}; name one with --soundfont.", file=sys.stderr)
        return 1
    try:
        written = fill(arguments.out, arguments.count, arguments.seed, soundfont)
    except ChildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{written} clips written to {arguments.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
