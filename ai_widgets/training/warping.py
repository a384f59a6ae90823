"""Make more speakers from synthesised speech: the WORLD vocoder changes its voices.

A clip of a natural voice is analysed into pitch, spectral envelope and aperiodicity (package ``pyworld``, MIT). These
are changed as another vocal tract and another way of speaking would change them (`Speaker`), and synthesised again.
Between men, women and children pitch and envelope are correlated but not proportional, so a speaker draws both.

``python -m ai_widgets.training.warping --speech DIR [DIR …] --out DIR`` reads caches that `ai_widgets.training.speech`
wrote and adds ``DIR/warped``. A warped voice is named after its source (``kokoro/blend7~12``), and
`ai_widgets.training.corpus.voice_split` assigns it the split of its source; only voices for training are warped.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from ai_widgets.training.corpus import Samples, read_16k, voice_split
from ai_widgets.training.lexicon import SHORT_TEXTS, WORDS
from ai_widgets.training.speech import SAMPLE_RATE, Utterance

Matrix = npt.NDArray[np.float64]
Rng = np.random.Generator

ENGINE = "warped"
NATURAL = (("kokoro", ""), ("kokoro-wide", ""), ("hibari", ""), ("piper", ""), ("flite", "awb"), ("flite", "rms"),
           ("flite", "slt"))  # fmt: skip
"""Engines and voices ("" = any) whose speech is warped; robotic voices are not."""
PERIOD_MS = 5.0
"""Distance of the analysed frames in milliseconds: the default of WORLD, on which its parameters were tuned."""
LOWEST_F0, HIGHEST_F0 = 68.0, 380.0
"""Bounds of a warped voice's mean pitch, in Hz: a deep man's and a child's."""


@dataclass(frozen=True)
class Speaker:
    """The changes of a voice, all as factors except the tilt (dB per octave above 500 Hz).

    `pitch` scales F0, `melody` the range of F0 about its median, `glide` is F0 at the end over F0 at the start, `size`
    scales the frequencies of the envelope (above 1: a shorter vocal tract), `breath` the aperiodicity (above 1:
    breathier), `duration` the length, and `rhythm` the lengths of the parts within it.
    """

    pitch: float
    melody: float
    glide: float
    size: float
    breath: float
    tilt: float
    duration: float
    rhythm: tuple[float, ...]


def draw_speaker(rng: Rng, f0: float) -> Speaker:
    """Draw a speaker for a source whose median F0 is `f0` Hz."""
    lowest, highest = max(0.6, LOWEST_F0 / f0), min(1.8, HIGHEST_F0 / f0)
    pitch = float(np.exp(rng.uniform(np.log(min(lowest, 1.0)), np.log(max(highest, 1.0)))))
    size = float(np.clip(pitch ** rng.uniform(0.1, 0.4) * np.exp(rng.normal(0, 0.07)), 0.8, 1.25))
    return Speaker(
        pitch=pitch,
        melody=float(rng.uniform(0.4, 1.8)),
        glide=float(np.exp(rng.normal(0, 0.12))),
        size=size,
        breath=float(np.exp(rng.normal(0, 0.35))),
        tilt=float(rng.normal(0, 1.5)),
        duration=float(np.exp(rng.uniform(np.log(0.7), np.log(1.4)))),
        rhythm=tuple(float(part) for part in np.exp(rng.normal(0, 0.2, 5))),
    )


def median_f0(f0: Matrix) -> float:
    """Return the median F0 in Hz over the voiced frames; 150 Hz where no frame is voiced."""
    voiced = f0[f0 > 0]
    return float(np.median(voiced)) if len(voiced) else 150.0


def change_pitch(f0: Matrix, speaker: Speaker) -> Matrix:
    """Change F0 and its range; unvoiced frames (0) stay unvoiced."""
    middle = median_f0(f0)
    slope = np.linspace(-0.5, 0.5, len(f0))
    voiced = f0 > 0
    octaves = speaker.melody * np.log2(np.where(voiced, f0, middle) / middle) + slope * np.log2(speaker.glide)
    changed = middle * speaker.pitch * 2 ** np.clip(octaves, -0.8, 0.8)
    return np.where(voiced, changed, 0.0)


def change_envelope(envelope: Matrix, speaker: Speaker) -> Matrix:
    """Stretch the envelope (power, frames × bins) along frequency and tilt it."""
    bins = np.arange(envelope.shape[1])
    source = np.minimum(bins / speaker.size, bins[-1])
    below = np.minimum(source.astype(int), bins[-1] - 1)
    part = source - below
    level = np.log(envelope)
    level = level[:, below] * (1 - part) + level[:, below + 1] * part
    frequency = bins * (SAMPLE_RATE / 2 / bins[-1])
    octaves = np.log2(np.maximum(frequency, 500.0) / 500.0)
    return np.asarray(np.exp(level + speaker.tilt * octaves * (np.log(10) / 10)))


def change_times(count: int, speaker: Speaker) -> Matrix:
    """Return the fractional source frame of each frame of the result."""
    rates = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(speaker.rhythm)), speaker.rhythm)
    ends = np.cumsum(rates)
    ends *= (count - 1) * speaker.duration / ends[-1]
    return np.interp(np.arange(int(ends[-1]) + 1), np.concatenate([[0.0], ends[1:]]), np.arange(count))


class Source:
    """An analysed clip, from which any number of speakers can be synthesised."""

    def __init__(self, samples: Samples) -> None:
        self.world = importlib.import_module("pyworld")
        wave = np.ascontiguousarray(samples, np.float64)
        rough, times = self.world.dio(wave, SAMPLE_RATE, f0_floor=60.0, f0_ceil=500.0, frame_period=PERIOD_MS)
        self.f0: Matrix = self.world.stonemask(wave, rough, times, SAMPLE_RATE)
        self.envelope: Matrix = self.world.cheaptrick(wave, self.f0, times, SAMPLE_RATE)
        self.aperiodicity: Matrix = self.world.d4c(wave, self.f0, times, SAMPLE_RATE)

    def speak(self, speaker: Speaker) -> Samples:
        """Synthesise the clip with this speaker, at a peak of 0.7."""
        when = change_times(len(self.f0), speaker)
        nearest = np.minimum(np.round(when).astype(int), len(self.f0) - 1)
        wave = self.world.synthesize(
            np.ascontiguousarray(change_pitch(self.f0, speaker)[nearest]),
            np.ascontiguousarray(change_envelope(self.envelope, speaker)[nearest]),
            np.ascontiguousarray(np.clip(self.aperiodicity[nearest] ** (1 / speaker.breath), 0.0, 1.0)),
            SAMPLE_RATE, PERIOD_MS,
        )  # fmt: skip
        peak = float(np.abs(wave).max(initial=0.0))
        return np.asarray(wave * (0.7 / peak if peak > 0 else 1.0), np.float32)


@dataclass(frozen=True)
class Variant:
    """A clip to be made: the path of its source, and its entry in the index."""

    source: Path
    utterance: Utterance


def natural_sources(caches: Iterable[Path]) -> dict[str, dict[str, list[tuple[Path, str]]]]:
    """Find the clips that may be warped: text → kind of voice → (file, voice as ``engine/voice``)."""
    found: dict[str, dict[str, list[tuple[Path, str]]]] = defaultdict(lambda: defaultdict(list))
    for cache in caches:
        for index in sorted(cache.glob("*/index.jsonl")):
            for line in index.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                engine, voice = entry["engine"], entry["voice"]
                if voice_split(engine, voice) != "train":
                    continue
                for kind in NATURAL:
                    if kind in ((engine, ""), (engine, voice)):
                        name = "/".join(kind)
                        found[entry["text"]][name].append((index.parent / entry["file"], f"{engine}/{voice}"))
    return found


def plan(caches: Iterable[Path], seed: int, named: int = 320, short: int = 12, others: int = 200) -> list[Variant]:
    """List the clips to make: `named` variants of each word, `short` of each short text, `others` of sentences.

    Each kind of voice has the same share in the variants of a text, regardless of its number of clips. Sentences and
    short texts are warped too, since otherwise the vocoder's artefacts would indicate a word to be named.
    """
    found = natural_sources(caches)
    rng = np.random.default_rng([seed, 7])
    longer = sorted(text for text in found if text not in WORDS and text not in SHORT_TEXTS)
    wanted = [text for text in WORDS if text in found for _ in range(named)]
    wanted += [text for text in SHORT_TEXTS if text in found for _ in range(short)]
    wanted += [longer[index] for index in rng.integers(len(longer), size=others)] if longer else []
    variants = []
    for number, text in enumerate(wanted):
        kinds = sorted(found[text])
        clips = found[text][kinds[number % len(kinds)]]
        source, voice = clips[int(rng.integers(len(clips)))]
        utterance = Utterance(ENGINE, f"{voice}~{number}", text, {"seed": float(rng.integers(2**31))})
        variants.append(Variant(source, utterance))
    return variants


def warp(caches: Iterable[Path], out: Path, seed: int = 1, **amounts: int) -> int:
    """Make the planned variants that are not on disk; return the number of clips in the folder."""
    folder = out / ENGINE
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.jsonl"
    known = set()
    if index.is_file():
        known = {json.loads(line)["file"] for line in index.read_text(encoding="utf-8").splitlines()}
    variants: dict[Path, list[Variant]] = defaultdict(list)
    for variant in plan(caches, seed, **amounts):
        if variant.utterance.name + ".wav" not in known:
            variants[variant.source].append(variant)
    sources = list(variants)
    order = np.random.default_rng(seed).permutation(len(sources))  # an interrupted run has a sample of all variants
    with index.open("a", encoding="utf-8") as lines:
        for path in (sources[number] for number in order):
            source = Source(read_16k(path))
            for utterance in (variant.utterance for variant in variants[path]):
                rng = np.random.default_rng(int(utterance.settings["seed"]))
                spoken = source.speak(draw_speaker(rng, median_f0(source.f0)))
                file = utterance.name + ".wav"
                sf.write(folder / file, spoken, SAMPLE_RATE, subtype="PCM_16")
                line = {"file": file, "engine": ENGINE, "voice": utterance.voice, "text": utterance.text}
                lines.write(json.dumps(line) + "\n")
                lines.flush()
                known.add(file)
    return len(known)


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m ai_widgets.training.warping`` and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.training.warping", description="Make more speakers.")
    parser.add_argument("--speech", type=Path, nargs="+", required=True, help="folders written by training.speech")
    parser.add_argument("--out", type=Path, required=True, help="folder in which the folder 'warped' is made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--named", type=int, default=320, help="variants of each word that is named")
    parser.add_argument("--short", type=int, default=12, help="variants of each other short text")
    parser.add_argument("--others", type=int, default=200, help="variants of sentences")
    arguments = parser.parse_args(argv)
    held = warp(arguments.speech, arguments.out, arguments.seed, named=arguments.named,
                short=arguments.short, others=arguments.others)  # fmt: skip
    print(f"{held} clips in {arguments.out / ENGINE}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
