"""Recordings and synthesised speech as labelled clips in memory, split into training and validation.

A `Clip` knows what is in it (`kind`, `word`) and where its sound begins and ends. The ends are found by energy, once,
here: that is how labels are made, and nothing of it exists in the model, which has to learn to hear them.

Split rule (`split_of`): ESC-10 by fold (fold 4 is validation), recordings by a hash of their file name, synthetic
voices by a hash of the voice, room noise by name. Clips marked "evaluation only" are read for evaluation and never for
training.
"""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from ai_widgets.audio.files import load_audio
from ai_widgets.audio.folders import audio_in, skipped_words
from ai_widgets.audio.intake import repair
from ai_widgets.errors import AudioError, AudioWarning
from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training.lexicon import OTHER_SPEECH, word_label

Samples = npt.NDArray[np.float32]
Split = Literal["train", "validation", "evaluation"]

AMBIENCE, SPEECH, DOG, BABY, SNEEZE, ROOSTER, KNOCK, MUSIC, ALARM = range(9)
KINDS: tuple[str, ...] = ("ambience", "speech", "dog", "baby", "sneeze", "rooster", "knock", "music", "alarm")
"""What a moment of sound can be; a clip's `kind` and the frame labels of a stream are places in this tuple."""

LABEL_KINDS = {"dog": DOG, "baby_cry": BABY, "sneeze": SNEEZE, "rooster": ROOSTER, "speech": SPEECH, "knock": KNOCK,
               "music": MUSIC, "alarm": ALARM}  # fmt: skip
"""Manifest label → kind; every label that is not here is ambience."""

LONGEST_PAUSE = 0.5
"""Seconds; longer pauses inside a clip of speech are shortened when it is read: its only end is its last one."""
VALIDATION_NOISE = ("bg_noise4", "bg_noise6")
FRAME = SAMPLE_RATE // 100


@dataclass(frozen=True)
class Clip:
    """One recording: samples (peak 1), what it is, and the samples [start, end) between which it sounds.

    `text` is what is said in it, where that is known.
    """

    samples: Samples
    kind: int
    word: int
    start: int
    end: int
    group: str
    label: str
    text: str = ""


def active_frames(samples: Samples) -> npt.NDArray[np.bool_]:
    """Return for every 10 ms whether it belongs to the sound rather than to its background.

    The threshold is 38 dB below the loudest frame, or 7 dB above the quietest tenth, whichever is higher.
    """
    count = len(samples) // FRAME
    if count == 0:
        return np.zeros(0, np.bool_)
    power = (samples[: count * FRAME].reshape(count, FRAME) ** 2).mean(1)
    level = 10 * np.log10(np.maximum(np.convolve(power, np.ones(3) / 3, "same"), 1e-12))
    peak = float(level.max())
    background = min(float(np.quantile(level, 0.1)), peak - 30)
    active: npt.NDArray[np.bool_] = level > max(peak - 38, background + 7)
    return active


def sounding(samples: Samples, shortest: float = 0.05) -> list[tuple[int, int]]:
    """Return the intervals [start, end) in samples in which the clip sounds, gaps below 0.1 s closed."""
    active = np.concatenate([[False], active_frames(samples), [False]])
    edges = np.flatnonzero(active[1:] != active[:-1])
    merged: list[list[int]] = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if merged and start - merged[-1][1] <= 10:
            merged[-1][1] = int(end)
        else:
            merged.append([int(start), int(end)])
    return [(a * FRAME, b * FRAME) for a, b in merged if b - a >= shortest * 100]


def shorten_pauses(samples: Samples, longest: float = LONGEST_PAUSE) -> Samples:
    """Cut pauses inside a clip of speech down to a length below `longest` (which one depends on the pause)."""
    intervals = sounding(samples)
    pieces: list[Samples] = []
    cursor = 0
    for (_, left), (right, _) in pairwise(intervals):
        if right - left > longest * SAMPLE_RATE:
            keep = int((0.15 + (right - left) % 4801 / 16000) * SAMPLE_RATE / 2)
            pieces.append(samples[cursor : left + keep])
            cursor = right - keep
    return np.concatenate([*pieces, samples[cursor:]])


def _fraction(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def split_of(path: str) -> Split:
    """Say to which split a file of the recordings (path relative to the data folder) belongs."""
    if "eval_only" in path:
        return "evaluation"
    stem = Path(path).stem
    if path.startswith("esc10/"):
        return "validation" if stem.startswith("4-") else "train"
    if path.startswith("noise/"):
        return "validation" if stem in VALIDATION_NOISE else "train"
    return "validation" if _fraction(path) < 0.15 else "train"


def read_16k(path: Path) -> Samples:
    """Read any audio file as 16 kHz mono float32; what is not a number becomes 0."""
    return repair(load_audio(path))[0]


def make_clip(samples: Samples, kind: int, word: int, group: str, label: str, text: str = "") -> Clip | None:
    """Trim, shorten the pauses of speech, bring the peak to 1; None where nothing sounds."""
    if kind == SPEECH:
        samples = shorten_pauses(samples)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < 1e-4 or len(samples) < FRAME * 10:
        return None
    samples = samples / np.float32(peak)
    intervals = sounding(samples)
    if not intervals:
        return None
    start, end = intervals[0][0], intervals[-1][1]
    if kind == AMBIENCE:
        start, end = 0, len(samples)
    lead = max(0, start - int(0.25 * SAMPLE_RATE))
    tail = min(len(samples), end + int(0.8 * SAMPLE_RATE))
    return Clip(samples[lead:tail].copy(), kind, word, start - lead, end - lead, group, label, text)


def _spoken_text(row: dict[str, str]) -> str:
    """Return the spoken text, where the manifest gives it in words (commands are described by intent and slots)."""
    text = (row["text"] or "").strip().lower()
    if text.startswith("{"):
        return ""
    return f"hey {text[3:]}" if text.startswith("hey") and " " not in text else text


def recordings(folder: Path, splits: Iterable[Split]) -> list[Clip]:
    """Read the clips of a folder with a ``manifest.csv`` (path, label, text, source, licence)."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise AudioError(f"{folder} holds no manifest.csv (columns path, label, text, source, licence).")
    wanted = set(splits)
    clips = []
    with manifest.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if split_of(row["path"]) not in wanted:
                continue
            kind = LABEL_KINDS.get(row["label"], AMBIENCE)
            word = word_label(row["text"] or "-") if kind == SPEECH else 0
            text = _spoken_text(row) if kind == SPEECH else ""
            clip = make_clip(read_16k(folder / row["path"]), kind, word, row["path"], row["label"], text)
            if clip is not None:
                clips.append(clip)
    return clips


def voice_split(engine: str, voice: str) -> Split:
    """Say to which split a synthetic voice belongs; engines with one voice are for training.

    A warped voice (``kokoro/blend7~12``) belongs where its source does.
    """
    if engine == "warped":
        engine, _, voice = voice.rpartition("~")[0].partition("/")
    if engine in ("hibari", "piper"):
        return "train"
    return "validation" if _fraction(f"{engine}/{voice}") < 0.15 else "train"


def synthetic_speech(cache: Path, splits: Iterable[Split]) -> list[Clip]:
    """Read the speech cache that `ai_widgets.training.speech` writes."""
    wanted = set(splits)
    clips = []
    for index in sorted(cache.glob("*/index.jsonl")):
        for line in index.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if voice_split(entry["engine"], entry["voice"]) not in wanted:
                continue
            word = word_label(entry["text"])
            group = f"{entry['engine']}/{entry['voice']}"
            clip = make_clip(
                read_16k(index.parent / entry["file"]), SPEECH, word, group, entry["engine"], entry["text"]
            )
            if clip is not None:
                clips.append(clip)
    return clips


def extra_sounds(folder: Path, splits: Iterable[Split]) -> list[Clip]:
    """Read ``folder/<label>/*`` (any audio format), for recordings from packages; split by a hash of the name."""
    wanted = set(splits)
    clips = []
    files, skipped = audio_in(folder, "*/*")
    if skipped:
        warnings.warn(skipped_words(folder, skipped), AudioWarning, stacklevel=2)
    for path in files:
        relative = path.relative_to(folder).as_posix()
        if split_of(relative) in wanted:
            kind = LABEL_KINDS.get(path.parent.name, AMBIENCE)
            word = OTHER_SPEECH if kind == SPEECH else 0
            clip = make_clip(read_16k(path), kind, word, relative, path.parent.name)
            if clip is not None:
                clips.append(clip)
    return clips
