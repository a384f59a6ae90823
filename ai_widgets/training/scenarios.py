"""Plain situations that a checkpoint must master, played through the project's own session from clips it never heard.

- *dialogue*: silence, an utterance, three seconds of pause, another utterance, a pause; over digital silence or a
  faint room, at a level drawn from -45 … -3 dBFS; live, and as a file with the whole-clip floor. Right means: exactly
  one reply for each utterance, beginning after its end and at most three chunks later.
- *ambience*: every clip of ambience, 20 s long, at five levels, with a second of digital silence after it. Right means:
  no reply.
- *silence*: a minute of zeros.

``python -m ai_widgets.training.scenarios --checkpoint DIR --clips CACHE`` prints one line a kind, and the failures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Turn
from ai_widgets.training import acoustics, clipcache
from ai_widgets.training.corpus import AMBIENCE, SPEECH, Clip

Samples = npt.NDArray[np.float32]
LEVELS = (-45.0, -33.0, -21.0, -12.0, -3.0)
PAUSE_S = 3.0


def play(model: Model, audio: Samples, live: bool, **settings: Any) -> list[Turn]:
    """Replies of a fresh session to one recording, live or as a file; a second of silence follows either way."""
    session = model.session(alternatives=0, **settings)
    events = [*session.push(audio), *session.finish(1.0)] if live else [*session.push_clip(audio)]
    return [event for event in events if isinstance(event, Turn)]


def dialogue(rng: np.random.Generator, clips: Sequence[Clip]) -> tuple[Samples, list[tuple[int, int]]]:
    """Two utterances with three seconds between them; audio and their [start, end) in samples."""
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE), np.float32)
    pieces, spans, cursor = [pause[: int(rng.uniform(0.2, 2) * SAMPLE_RATE)]], [], 0
    cursor = len(pieces[0])
    for clip in clips:
        spoken = clip.samples[max(0, clip.start - 800) : clip.end + 800]
        spans.append((cursor, cursor + len(spoken) - 800))
        pieces += [spoken, pause]
        cursor += len(spoken) + len(pause)
    audio = np.concatenate(pieces)
    if rng.random() < 0.5:
        audio = audio + np.float32(acoustics.decibels(rng.uniform(-65, -40))) * _room_tone(rng, len(audio))
    level = acoustics.decibels(rng.uniform(-45, -3)) / float(np.abs(audio).max())
    return acoustics.quantised(audio * np.float32(level)), spans


def _room_tone(rng: np.random.Generator, count: int) -> Samples:
    noise = np.convolve(rng.standard_normal(count), np.ones(8) / 8, "same")
    return np.asarray(noise / np.abs(noise).max(), np.float32)


def verdict(turns: Sequence[Turn], spans: Sequence[tuple[int, int]]) -> str:
    """Say what is wrong with the replies to a dialogue, or "right"."""
    free = [turn.chunk for turn in turns]
    for _, end in spans:
        last = (end - 1) // CHUNK_SAMPLES
        timely = [chunk for chunk in free if last <= chunk <= last + 3 and (chunk + 1) * CHUNK_SAMPLES >= end]
        if not timely:
            return "early" if any(chunk < last for chunk in free) else "missed"
        free = [chunk for chunk in free if chunk > timely[0]]
    return "right" if len(turns) == len(spans) else "one too many"


def dialogues(model: Model, clips: Sequence[Clip], count: int, seed: int, **settings: Any) -> dict[str, Counter[str]]:
    """Play `count` dialogues; verdicts by what kind of voices they were made of."""
    rng = np.random.default_rng(seed)
    by_label: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.kind == SPEECH:
            by_label.setdefault(clip.group.split("/")[0], []).append(clip)
    results: dict[str, Counter[str]] = {label: Counter() for label in sorted(by_label)}
    for index in range(count):
        label = sorted(by_label)[index % len(by_label)]
        pair = [by_label[label][int(rng.integers(len(by_label[label])))] for _ in range(2)]
        audio, spans = dialogue(rng, pair)
        live = index // len(by_label) % 2 == 0
        results[label][verdict(play(model, audio, live, seed=index, **settings), spans)] += 1
    return results


def ambience(model: Model, clips: Sequence[Clip], seconds: float, **settings: Any) -> dict[str, list[float]]:
    """Play every ambience clip at five levels; [replies, hours] by label."""
    results: dict[str, list[float]] = {}
    for number, clip in enumerate(c for c in clips if c.kind == AMBIENCE):
        looped = np.resize(clip.samples, int(seconds * SAMPLE_RATE)).astype(np.float32)
        for level in LEVELS:
            audio = acoustics.quantised(looped * np.float32(acoustics.decibels(level)))
            turns = play(model, audio, live=number % 2 == 0, seed=number, **settings)
            row = results.setdefault(clip.label, [0.0, 0.0])
            row[0] += len(turns)
            row[1] += (seconds + 1) / 3600
    return results


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m ai_widgets.training.scenarios``."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.training.scenarios")
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--clips", type=Path, required=True, help="clip cache of the validation split")
    parser.add_argument("--dialogues", type=int, default=70)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each piece of ambience")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--greedy", action="store_true")
    arguments = parser.parse_args(argv)
    model = load_model(arguments.checkpoint)
    clips = clipcache.load(arguments.clips)
    silent = play(model, np.zeros(60 * SAMPLE_RATE, np.float32), live=True, greedy=arguments.greedy)
    report = {
        "silence": len(silent),
        "dialogue": {k: dict(v) for k, v in dialogues(
            model, clips, arguments.dialogues, arguments.seed, greedy=arguments.greedy).items()},
        "ambience": {k: {"replies": int(v[0]), "hours": round(v[1], 3)} for k, v in ambience(
            model, clips, arguments.seconds, greedy=arguments.greedy).items()},
    }  # fmt: skip
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
