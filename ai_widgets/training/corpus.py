"""Recordings and synthesised speech as labelled clips in memory, split into training and validation.

A `Clip` knows what is in it (`kind`, `word`) and where its sound begins and ends. The ends are found by energy, once,
here: that is how labels are made, and nothing of it exists in the model, which has to learn to hear them.

Split rule (`split_of`): ESC-10 by fold (fold 4 is validation), recordings by a hash of their file name, synthetic
voices by a hash of the voice, room noise by name. Where a manifest names the speaker or the recordist of a clip
(`speaker_or_file_group`), the hash is that of this group, and the sources of `UNSEEN_SOURCES` are for reporting as a
whole: nothing is trained on them, and no operating point is chosen on them. Clips marked "evaluation only" are read for
evaluation and never for training.
"""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator
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
Split = Literal["train", "validation", "unseen", "evaluation"]
"""`train` moves weights, `validation` chooses operating points, `unseen` reports what was met for the first time."""

AMBIENCE, SPEECH, DOG, BABY, SNEEZE, ROOSTER, KNOCK, MUSIC, ALARM, LAUGHTER = range(10)
KINDS: tuple[str, ...] = (
    "ambience", "speech", "dog", "baby", "sneeze", "rooster", "knock", "music", "alarm", "laughter",
)  # fmt: skip
"""What a moment of sound can be; a clip's `kind` and the frame labels of a stream are places in this tuple."""

LABEL_KINDS = {"dog": DOG, "baby_cry": BABY, "sneeze": SNEEZE, "rooster": ROOSTER, "speech": SPEECH, "knock": KNOCK,
               "music": MUSIC, "alarm": ALARM, "laughter": LAUGHTER}  # fmt: skip
"""Manifest label → kind; every label that is not here is ambience."""

UNSEEN_SOURCES = frozenset({
    "alphanumeric_digits", "inspektral_digits", "students_words", "students_room", "exclamations", "picovoice",
    "reading", "events", "music_freepd", "soundpulse",
})  # fmt: skip
"""First folders of a manifest's paths that are held back as a whole."""
VALIDATION_SHARE, UNSEEN_SHARE = 0.15, 0.15
"""Shares of the groups of the other sources that are held back; other recordings have no groups and no second share."""
AMBIGUOUS_LABELS = frozenset(
    {"crowd", "radio_chatter", "voice_imitation", "dog_other", "phone", "ringtone", "doorbell", "hammer", "wood_clack"}
)
"""Labels of clips that are neither ambience nor one of `KINDS`: voices in the background, growls, signals that are no
alarm, blows that sound like knocks. No reply to them is right or wrong, so they are left out."""
MACHINE_VOICE = "machine_voice"
"""Label of synthetic voices that read the replies of the model: what its own speaker adds to the microphone."""
MACHINE = "machine-"
"""Start of the engine names of these voices in the speech cache (`speech.py`)."""

LONGEST_PAUSE = 0.5
"""Seconds; longer pauses inside a clip of speech are shortened when it is read: its only end is its last one."""
MANIFEST, GROUP_COLUMN = "manifest.csv", "speaker_or_file_group"
VALIDATION_NOISE = ("bg_noise4", "bg_noise6")
FRAME = SAMPLE_RATE // 100
"""Samples of a frame of 10 ms, over which the level of a recording is measured."""


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

    @property
    def source(self) -> str:
        """Corpus of the recording or engine of the synthetic voice: the first part of `group`."""
        return self.group.split("/", maxsplit=1)[0]


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


def split_of(path: str, group: str = "", unseen_groups: frozenset[str] = frozenset()) -> Split:
    """Return the split of a recording.

    Parameters
    ----------
    path
        Relative to the folder of its manifest.
    group
        The manifest's `speaker_or_file_group`, empty where it names none.
    unseen_groups
        Groups that also occur in `UNSEEN_SOURCES`: a recordist of two sources must not be on both sides.
    """
    if "eval_only" in path:
        return "evaluation"
    if group:
        if path.split("/", maxsplit=1)[0] in UNSEEN_SOURCES or group in unseen_groups:
            return "unseen"
        share = _fraction(group)
        if share < VALIDATION_SHARE:
            return "validation"
        return "unseen" if share < VALIDATION_SHARE + UNSEEN_SHARE else "train"
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
    """Read the clips of a folder with a ``manifest.csv``, and of its subfolders that have one.

    Columns are path, label, text, source, licence and optionally `speaker_or_file_group`.
    """
    manifests = [path for path in (folder / MANIFEST, *sorted(folder.glob(f"*/{MANIFEST}"))) if path.is_file()]
    if not manifests:
        raise AudioError(f"{folder} holds no {MANIFEST} (columns path, label, text, source, licence).")
    wanted = set(splits)
    return [clip for manifest in manifests for clip in _listed(manifest, wanted)]


def _listed(manifest: Path, wanted: set[Split]) -> Iterator[Clip]:
    """Read the clips that one manifest lists and that belong to the wanted splits."""
    with manifest.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    unseen = frozenset(
        row[GROUP_COLUMN] for row in rows if row.get(GROUP_COLUMN) and row["path"].split("/")[0] in UNSEEN_SOURCES
    )
    for row in rows:
        split = split_of(row["path"], row.get(GROUP_COLUMN) or "", unseen)
        if split not in wanted or row["label"] in AMBIGUOUS_LABELS:
            continue
        kind = LABEL_KINDS.get(row["label"], AMBIENCE)
        word = word_label(row["text"] or "-") if kind == SPEECH else 0
        text = _spoken_text(row) if kind == SPEECH else ""
        clip = make_clip(read_16k(manifest.parent / row["path"]), kind, word, row["path"], row["label"], text)
        if clip is not None:
            yield clip


def voice_split(engine: str, voice: str) -> Split:
    """Return the split of a synthetic voice; engines with one voice are for training.

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
            machine = entry["engine"].startswith(MACHINE)
            word = 0 if machine else word_label(entry["text"])
            kind, label = (AMBIENCE, MACHINE_VOICE) if machine else (SPEECH, entry["engine"])
            group = f"{entry['engine']}/{entry['voice']}"
            clip = make_clip(read_16k(index.parent / entry["file"]), kind, word, group, label, entry["text"])
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
