"""Cache the clips of a split on disk, so that thousands of files are decoded only once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ai_widgets.training.corpus import Clip, Split, extra_sounds, recordings, synthetic_speech


def gather(data: Path | None, speech: Path | None, extra: Path | None, split: Split) -> list[Clip]:
    """Read the clips of every given source; empty speech clips are skipped."""
    clips: list[Clip] = []
    if data is not None:
        clips += recordings(data, [split])
    if speech is not None:
        clips += synthetic_speech(speech, [split])
    if extra is not None:
        clips += extra_sounds(extra, [split])
    return clips


def save(clips: Sequence[Clip], path: Path) -> None:
    """Write clips as 16-bit samples with a JSON table beside them (``path`` plus .npy and .json)."""
    table = [{"length": len(c.samples), "kind": c.kind, "word": c.word, "start": c.start, "end": c.end,
              "group": c.group, "label": c.label, "text": c.text} for c in clips]  # fmt: skip
    samples = [np.round(np.clip(c.samples, -1, 1) * 32767).astype(np.int16) for c in clips]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path.with_suffix(".npy"), np.concatenate([np.zeros(0, np.int16), *samples]))
    path.with_suffix(".json").write_text(json.dumps(table), encoding="utf-8")


def load(path: Path) -> list[Clip]:
    """Read the clips that `save` wrote."""
    samples = np.load(path.with_suffix(".npy"))
    clips, cursor = [], 0
    for row in json.loads(path.with_suffix(".json").read_text(encoding="utf-8")):
        part = samples[cursor : cursor + row["length"]].astype(np.float32) / np.float32(32767)
        cursor += row["length"]
        clips.append(Clip(samples=part, **{name: value for name, value in row.items() if name != "length"}))
    return clips
