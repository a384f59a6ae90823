"""Packed events: the events of a record as compressed columns for a page, at three levels of detail.

A column of a table (one table per event type) is a list, or one of these objects:

    {"all": v}                       the same value in every row
    {"steps": [first, differences]}  integers
    {"single": [...]}                float32 numbers, in their shortest decimal form
    {"values": [...], "at": column}  recurring values, by index
    {"blob": name}                   bytes of the blob `name`

An omitted column has the default value of the reader, `js/src/record/packed.ts`. `pack` writes the
gzip of: length of the JSON as uint32 (little-endian), the JSON, and the blobs one after another.
"""

from __future__ import annotations

import gzip
import json
import math
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol import CHUNK_SECONDS, EVENTS_VERSION, Decision, Event

ENVELOPE_POINTS = 16
"""Values of a chunk's envelope that are kept, one per 25 ms."""
MEL_FRAMES, MEL_BANDS = 10, 32
"""Frames and bands of `Chunk.mel`."""
PEAK_UNIT = 10_000
"""Envelope values are multiples of 1 / PEAK_UNIT."""
SURE = 0.98
"""Probability of KEEP_SILENCE from which on a silent decision is routine: at low detail it has no alternatives."""


@dataclass(frozen=True)
class Detail:
    """How much of each number is written.

    Attributes
    ----------
    digits
        Significant digits of probabilities and times; None writes every number exactly. Logits are exact at every
        level, so that what-if results do not depend on it.
    draw_digits
        Significant digits of the random numbers of decisions; None writes them exactly.
    peak_steps, peak_points
        Steps per octave of the envelope (None: exact), and envelope values of which the largest is kept.
    mel_step, mel_frames, mel_bands
        Quantisation step of the log-mels (1: exact), and frames and bands averaged into one.
    ms_decimals
        Decimals of durations in milliseconds, unless `digits` is None.
    routine_alternatives
        Whether routine decisions keep their alternatives.
    left_out
        Sentence for the page on what this level leaves out; empty if nothing.
    """

    digits: int | None = None
    draw_digits: int | None = None
    peak_steps: int | None = None
    peak_points: int = 1
    mel_step: int = 1
    mel_frames: int = 1
    mel_bands: int = 1
    ms_decimals: int = 2
    routine_alternatives: bool = True
    left_out: str = ""


_COARSE = Detail(
    digits=4,
    # A billionth: a wrong side of a threshold once in 100 000 hours.
    draw_digits=9,
    peak_steps=3,
    peak_points=2,
    mel_step=16,
    mel_frames=2,
    mel_bands=2,
    ms_decimals=1,
    routine_alternatives=False,
    left_out="Probabilities and times are rounded to 4 digits, levels and log-mels are coarser, and confidently "
    "silent decisions show the two decision tokens only, to keep this page small.",
)

LEVELS = (
    Detail(),
    Detail(
        digits=5,
        peak_steps=8,
        mel_step=8,
        left_out="Probabilities and times are rounded to 5 digits and log-mels to 32 levels, to keep this page small.",
    ),
    _COARSE,
    replace(_COARSE, digits=3, mel_frames=5, mel_bands=4, left_out=_COARSE.left_out.replace("4 digits", "3 digits")),
)
"""Levels of detail, the finest first."""

SINGLE = ("logit_keep", "logit_text")
"""Decision columns that are float32 numbers for most models; for others they keep all digits."""


def pack(events: Iterable[Event], detail: Detail = LEVELS[0]) -> bytes:
    """Write events as compressed columns. The same events and detail give the same bytes.

    Parameters
    ----------
    events
        Events of one record, in order.
    detail
        Level of detail.

    Returns
    -------
    bytes
        gzip data, read by `js/src/record/packed.ts`.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        values = event.to_json()
        if not detail.routine_alternatives and _is_routine(event):
            values["alternatives"] = []
        rows.setdefault(values.pop("type"), []).append(values)
    blobs: dict[str, bytes] = {}
    tables = {kind: _table(kind, table, detail, blobs) for kind, table in rows.items()}
    places, start = {}, 0
    for name, data in blobs.items():
        places[name] = [start, len(data)]
        start += len(data)
    document = {"version": EVENTS_VERSION, "tables": tables, "blobs": places}
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    # A fixed time stamp, so that equal records give equal pages.
    return gzip.compress(len(text).to_bytes(4, "little") + text + b"".join(blobs.values()), 9, mtime=0)


def _is_routine(event: Event) -> bool:
    return isinstance(event, Decision) and event.choice == "KEEP_SILENCE" and event.p_keep >= SURE


def _table(kind: str, rows: list[dict[str, Any]], detail: Detail, blobs: dict[str, bytes]) -> dict[str, Any]:
    table: dict[str, Any] = {"rows": len(rows)}
    if "alternatives" in rows[0]:
        table["alternatives"] = _alternatives([row.pop("alternatives") for row in rows], detail)
    if kind == "chunk":
        table["peak_points"] = detail.peak_points
        table["points"] = _column([len(row["envelope"]) for row in rows])
        blobs["envelope"] = _envelopes([row.pop("envelope") for row in rows], detail)
        mels = [b64decode(row.pop("mel")) for row in rows]
        table["has_mel"] = _column([int(len(mel) == MEL_FRAMES * MEL_BANDS) for mel in mels])
        table["mel"] = [detail.mel_frames, detail.mel_bands, detail.mel_step]
        blobs["mel"] = _log_mels([mel for mel in mels if len(mel) == MEL_FRAMES * MEL_BANDS], detail)
    columns = {name: [finite(row[name]) for row in rows] for name in rows[0]}
    if kind in ("chunk", "decision") and columns["start_s"] == [k * CHUNK_SECONDS for k in columns["chunk"]]:
        del columns["start_s"]
    table["columns"] = {
        name: _single(values) if name in SINGLE else _column(values, _rounding(kind, name, detail))
        for name, values in columns.items()
    }
    return table


def _single(values: Sequence[float]) -> Any:
    singles = [np.float32(value) for value in values]
    if any(float(single) != value for single, value in zip(singles, values, strict=True)):
        return _column(values)
    return {"single": [float(str(single)) for single in singles]}


def encodable(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8 form, by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def finite(value: Any) -> Any:
    """Replace NaN and infinities by None, also inside lists and mappings: JSON has no such numbers."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def _column(values: Sequence[Any], rounded: Callable[[float], float] | None = None) -> Any:
    """Write one column in its shortest form."""
    first = values[0]
    if isinstance(first, str | list | dict) or any(isinstance(value, str | list | dict) for value in values):
        keys = [json.dumps(value, sort_keys=True, ensure_ascii=False) for value in values]
        distinct = dict(zip(keys, values, strict=True))
        if len(distinct) == 1:
            return {"all": first}
        if len(distinct) > len(values) / 2:
            return list(values)
        index = {key: i for i, key in enumerate(distinct)}
        return {"values": list(distinct.values()), "at": _column([index[key] for key in keys])}
    if rounded is not None:
        values = [rounded(value) if isinstance(value, float) else value for value in values]
    if all(value == first and type(value) is type(first) for value in values):
        return {"all": first}
    if all(type(value) is int for value in values):
        return {"steps": [first, *(b - a for a, b in pairwise(values))]}
    return list(values)


def _rounding(kind: str, name: str, detail: Detail) -> Callable[[float], float] | None:
    digits = detail.draw_digits if kind == "decision" and name == "draw" else detail.digits
    if digits is None or name == "start_s":
        return None
    if name.endswith("_ms") and not name.startswith(("arrived", "decided")):
        return lambda value: round(value, detail.ms_decimals)
    if name.startswith(("arrived", "decided")):
        return lambda value: int(value)
    return lambda value: _significant(value, digits)


def _significant(value: float, digits: int) -> float:
    # 0.0 and 1.0 as integers: JSON has one kind of number, and one character is shorter than three.
    short = float(f"{value:.{digits}g}")
    return int(short) if short in (0.0, 1.0) else short


def _alternatives(rows: list[list[dict[str, Any]]], detail: Detail) -> dict[str, Any]:
    flat = [other for row in rows for other in row]
    found: dict[str, Any] = {"counts": _column([len(row) for row in rows])}
    if not flat:
        return found
    digits = detail.digits
    rounded = None if digits is None else (lambda value: _significant(value, digits))
    for name in flat[0]:
        found[name] = _column([other[name] for other in flat], rounded)
    return found


def _envelopes(rows: list[list[float]], detail: Detail) -> bytes:
    peaks = np.zeros((len(rows), ENVELOPE_POINTS), np.uint16)
    for row, values in zip(peaks, rows, strict=True):
        kept = np.asarray(values[:ENVELOPE_POINTS], np.float64)
        row[: len(kept)] = np.round(np.clip(kept, 0, 6) * PEAK_UNIT)
    if detail.peak_steps is not None:
        peaks = peaks.reshape(len(rows), -1, detail.peak_points).max(axis=2)
        octaves = np.log2(np.maximum(peaks, 1))
        peaks = np.round(2 ** (np.round(octaves * detail.peak_steps) / detail.peak_steps)).astype(np.uint16)
    # High bytes first, then low bytes: separately, both compress better.
    return (peaks >> 8).astype(np.uint8).tobytes() + (peaks & 255).astype(np.uint8).tobytes()


def _log_mels(mels: list[bytes], detail: Detail) -> bytes:
    if not mels:
        return b""
    frames: npt.NDArray[np.floating[Any]] = np.frombuffer(b"".join(mels), np.uint8).astype(np.float64)
    tall, wide = detail.mel_frames, detail.mel_bands
    frames = frames.reshape(-1, tall, MEL_BANDS // wide, wide).mean(axis=(1, 3))
    levels = np.round(frames / detail.mel_step).clip(0, 255 // detail.mel_step).astype(np.uint8)
    # Differences from frame to frame, band by band; uint8 wraps around, and so does the reader's sum.
    levels[1:] -= levels[:-1].copy()
    return np.ascontiguousarray(levels.T).tobytes()
