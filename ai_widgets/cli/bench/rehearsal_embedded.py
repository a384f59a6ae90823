"""Compare the embedded checkpoint on a device with float32 on the CPU, over the clips of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from statistics import median
from typing import Any

from ...audio.clips import clips
from ...inference import Model, load_model, run_inference
from ...protocol import Decision, Timing, Turn
from ...record.record import SessionRecord
from .rehearsal_steps import exact_convolutions

CASES: dict[str, tuple[str, Callable[[], AbstractContextManager[None]]]] = {
    "float32": ("float32", nullcontext),
    "float32 without TF32": ("float32", exact_convolutions),
    "float16": ("float16", nullcontext),
    "bfloat16": ("bfloat16", nullcontext),
}
"""Compared cases: the number format, and the arithmetic of CUDA that differs from the default."""


def embedded_stages(device: str) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield name and work of each stage: the reference, then each case, which is compared with it."""
    expected: dict[str, SessionRecord] = {}
    yield "embedded, reference: float32 on the CPU", partial(_reference, expected)
    for name in CASES:
        yield f"embedded, {name}", partial(_compare, device, name, expected)


def _reference(expected: dict[str, SessionRecord]) -> dict[str, Any]:
    expected |= _run("cpu", "float32")
    return {"chunks": sum(len(record.of_type(Decision)) for record in expected.values()), **_times(expected.values())}


def _compare(device: str, case: str, expected: dict[str, SessionRecord]) -> dict[str, Any]:
    dtype, arithmetic = CASES[case]
    with arithmetic():
        found = _run(device, dtype)
    pairs = [
        (ours, theirs)
        for name, record in found.items()
        for ours, theirs in zip(record.of_type(Decision), expected[name].of_type(Decision), strict=True)
    ]
    away = [abs(ours.p_text - theirs.p_text) for ours, theirs in pairs]
    return {
        "same_decision": sum(ours.choice == theirs.choice for ours, theirs in pairs) / len(pairs),
        "mean change of p(TEXT_BEGIN)": round(sum(away) / len(away), 6),
        "largest change": round(max(away), 6),
        "clips with other replies": [name for name in found if _replies(found[name]) != _replies(expected[name])],
        **_times(found.values()),
    }


def _run(device: str, dtype: str) -> dict[str, SessionRecord]:
    """Run each clip in a session of its own, greedily; the first run is not kept, since it selects the kernels."""
    model = load_model("tiny", device, dtype, progress=False)
    _of_clip(model, next(iter(clips)))
    return {name: _of_clip(model, name) for name in clips}


def _of_clip(model: Model, clip: str) -> SessionRecord:
    placement = model.placement
    return run_inference(model.name, [clips[clip]], placement.device, dtype=placement.dtype, progress=False)


def _replies(record: SessionRecord) -> list[str]:
    return [turn.text for turn in record.of_type(Turn)]


def _times(records: Iterable[SessionRecord]) -> dict[str, float]:
    """Compute the median milliseconds of a chunk without its reply, and of a reply token."""
    chunks: list[float] = []
    tokens: list[float] = []
    for record in records:
        lengths = {turn.chunk: len(turn.tokens) for turn in record.of_type(Turn)}
        for timing in record.of_type(Timing):
            chunks.append(timing.tower_ms + timing.decide_ms)
            if lengths.get(timing.chunk):
                tokens.append(timing.reply_ms / lengths[timing.chunk])
    figures = {"tower and decision_ms": round(median(chunks), 2)}
    return figures | ({"token_ms": round(median(tokens), 2)} if tokens else {})
