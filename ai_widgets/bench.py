"""``ai-widgets bench``: how fast this machine runs the loop. Prints one line a figure; ratios are of one run.

Absolute times depend on the machine and on what else it does; the ratio of late to early chunks should not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from .audio import ChunkAudio
from .protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Decision, Timing

EARLY, LATE, WINDOW, ROUNDS = 10, 600, 8, 5
"""Chunks compared; each figure is the median over a window around the chunk, in several rounds taken in turn."""

FIRST_DECISION = """
import json, time
import numpy as np
import ai_widgets as aiw
start = time.perf_counter()
widget = aiw.AudioInteraction({checkpoint!r})
widget.feed(np.zeros(6400, np.float32), 16000)
end = time.perf_counter()
assert len(widget.record.decisions) == 1
widget.close()
print(json.dumps(end - start))
"""


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="ai-widgets bench", description="Measure speed on this machine.")
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    given = parser.parse_args(argv)
    figures = measure(given.checkpoint, given.device, given.dtype)
    if given.json:
        print(json.dumps(figures))
        return 0
    for name, value in figures.items():
        print(f"{name:<58} {value}")
    return 0


def measure(checkpoint: str, device: str, dtype: str) -> dict[str, Any]:
    """All figures by name; times in the unit the name says."""
    from .inference import load_model

    first = first_decision_seconds(checkpoint)
    start = perf_counter()
    model = load_model(checkpoint, device, dtype)
    load = perf_counter() - start
    early, late, typical, reply = _chunk_times(model)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {model.loaded.placement}",
        "widget constructed → first decision, fresh process [s]": round(first, 2),
        "load_model, including its imports [s]": round(load, 2),
        "chunk: features + tower + decision, median [ms]": round(typical, 2),
        "times real time while silent": round(CHUNK_SECONDS * 1e3 / typical, 1),
        "reply token, median [ms]": round(reply, 2) if reply is not None else "no reply in this run",
        f"chunk {LATE} ÷ chunk {EARLY}": round(late / early, 3),
    }


def first_decision_seconds(checkpoint: str) -> float:
    """Seconds from constructing the widget to its first decision, imports included, in a process of its own."""
    code = FIRST_DECISION.format(checkpoint=checkpoint)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    seconds: float = json.loads(done.stdout.strip().splitlines()[-1])
    return seconds


def _chunk_times(model: Any) -> tuple[float, float, float, float | None]:
    """Median milliseconds of an early chunk, a late chunk, any chunk, and a reply token.

    Early and late are compared at the same fill of the context: a session that is `LATE` chunks old starts over with the
    prefix every so often, so what is compared is the age of the session, not the length of its context. Sessions take
    turns, so that a change of the machine's load meets all of them.
    """
    generator = np.random.default_rng(0)
    old = model.session(greedy=True)
    for chunk in _noise(generator, LATE - WINDOW):
        _run(old, chunk)
    early: list[float] = []
    late: list[float] = []
    typical: list[float] = []
    for _ in range(ROUNDS):
        fresh = model.session(greedy=True)
        for chunk in _noise(generator, EARLY - WINDOW // 2):
            _run(fresh, chunk)
        for chunk in _noise(generator, WINDOW):
            early.append(_run(fresh, chunk))
            late.append(_run(old, chunk))
    for chunk in _noise(generator, 100):
        typical.append(_run(fresh, chunk))
    tokens = [
        t.reply_ms / max(1, len(turn.tokens))
        for session in (old, fresh)
        for t in session.record.of_type(Timing)
        for turn in session.record.of_type(_turn())
        if turn.chunk == t.chunk
    ]
    middle = statistics.median
    return middle(early), middle(late), middle(typical), middle(tokens) if tokens else None


def _turn() -> Any:
    from .protocol import Turn

    return Turn


def _noise(generator: np.random.Generator, count: int) -> list[ChunkAudio]:
    return [ChunkAudio((generator.standard_normal(CHUNK_SAMPLES) * 0.01).astype(np.float32)) for _ in range(count)]


def _run(session: Any, chunk: ChunkAudio) -> float:
    """Push one chunk; milliseconds of features, tower and decision."""
    for event in session.push(chunk.samples):
        if isinstance(event, Timing):
            return event.features_ms + event.tower_ms + event.decide_ms
        last = event
    raise RuntimeError(f"the session ended at {last}") if not isinstance(last, Decision) else RuntimeError("no timing")
