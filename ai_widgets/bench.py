"""``ai-widgets bench``: how fast this machine runs the loop. One line a figure; ratios are of one run.

Absolute times depend on the machine and on what else it does; the ratio of a late chunk to an early one should not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from .inference import Model, load_model
from .protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Timing, Turn
from .session import StreamingSession

EARLY, LATE = 10, 600
"""Chunks that are compared."""
WINDOW, ROUNDS = 8, 6
"""Each figure is a median over so many chunks around the named one, in so many rounds."""
POSITIONS_PER_CHUNK = 13
NOISE_DB = -46.0

FIRST_DECISION = """
import json, sys, time
import numpy as np
import ai_widgets as aiw
start = time.perf_counter()
widget = aiw.AudioInteraction(sys.argv[1])
widget.feed(np.zeros(6400, np.float32), 16000)
end = time.perf_counter()
decisions = len(widget.record.decisions)
widget.close()
print(json.dumps([end - start, decisions]))
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


def measure(checkpoint: str, device: str = "auto", dtype: str = "auto") -> dict[str, Any]:
    """All figures by name; the name gives the unit."""
    first = first_decision_seconds(checkpoint)
    start = perf_counter()
    model = load_model(checkpoint, device, dtype)
    load = perf_counter() - start
    early, late = compare_ages(model)
    session = model.session()
    cycle = _time_chunks(session, session.context_limit // POSITIONS_PER_CHUNK - WINDOW)
    chunk, full = median(cycle), median(cycle[-WINDOW:])
    token = token_milliseconds(model)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {model.loaded.placement}",
        "widget constructed → first decision, fresh process [s]": round(first, 2),
        "load_model, libraries imported [s]": round(load, 2),
        "chunk: features + tower + decision, median [ms]": round(chunk, 2),
        "times real time while silent": round(CHUNK_SECONDS * 1e3 / chunk, 1),
        "reply token, median [ms]": round(token, 2),
        f"chunk {LATE} ÷ chunk {EARLY}": round(late / early, 3),
        f"chunk before the context is full ÷ chunk {EARLY}": round(full / early, 3),
    }


def first_decision_seconds(checkpoint: str) -> float:
    """Seconds from constructing the widget to its first decision, imports included, in a process of its own."""
    command = [sys.executable, "-c", FIRST_DECISION, checkpoint]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    seconds, decisions = json.loads(done.stdout.strip().splitlines()[-1])
    if decisions != 1:
        raise RuntimeError(f"the widget made {decisions} decisions on one chunk")
    return float(seconds)


def compare_ages(model: Model) -> tuple[float, float]:
    """Median milliseconds of a chunk in a young session and in an old one, in the same run.

    Both are measured over whole windows of chunks that take turns, so that a change of the machine's load meets both.
    """
    early: list[float] = []
    late: list[float] = []
    old = model.session()
    _time_chunks(old, LATE - WINDOW * ROUNDS // 2)
    for _ in range(ROUNDS):
        young = model.session()
        _time_chunks(young, EARLY - WINDOW // 2)
        for _ in range(WINDOW):
            early += _time_chunks(young, 1)
            late += _time_chunks(old, 1)
    return median(early), median(late)


def token_milliseconds(model: Model) -> float:
    """Median time of one reply token, replies being forced by a large bias."""
    session = model.session(bias=1000.0, max_reply_tokens=24)
    _time_chunks(session, 12)
    record = session.record
    lengths = {turn.chunk: len(turn.tokens) for turn in record.of_type(Turn)}
    return median(t.reply_ms / max(1, lengths[t.chunk]) for t in record.of_type(Timing) if t.chunk in lengths)


def _time_chunks(session: StreamingSession, count: int) -> list[float]:
    """Push quiet noise; milliseconds of features, tower and decision for each chunk."""
    generator = np.random.default_rng(session.chunks_done)
    times: list[float] = []
    for _ in range(count):
        noise = generator.standard_normal(CHUNK_SAMPLES) * 10 ** (NOISE_DB / 20)
        timings = (e for e in session.push(noise.astype(np.float32)) if isinstance(e, Timing))
        times += [timing.features_ms + timing.tower_ms + timing.decide_ms for timing in timings]
    return times
