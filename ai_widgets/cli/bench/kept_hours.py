"""``python -m ai_widgets.cli.bench.kept_hours``: what recordings on disk cost and survive.

Simulated hours of events and audio go into a record that is kept on disk, as fast as the disk takes them, and the
resident memory is read every half hour. Then processes that record are killed (SIGKILL) at random moments, and what
they left is opened. No model is run: `ai-widgets bench --soak` runs one.
"""

from __future__ import annotations

import argparse
import gc
import random
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Alternative, Chunk, Decision, Event, Timing, Token, Turn
from ...record.record import SessionRecord
from .soak import memory_bytes

HOUR = round(3600 / CHUNK_SECONDS)
"""Chunks of an hour."""
WARM_UP = HOUR // 2
"""Chunks before the first reading: memory then holds its ten minutes of audio and its newest events."""
TOLERANCE = 0.05
"""Share by which the memory may deviate after the warm-up: the noise of a reading."""
REPLY_EVERY, REPLY_TOKENS = 25, 12
"""A reply of twelve tokens every ten seconds, as in a lively conversation."""
RULE = {"greedy": False, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "bias": 0.0, "mask": True, "seed": 0}
"""Sampling rule of the simulated decisions: one for the session, as without changed settings."""


def events_of(chunk: int, noise: np.random.Generator) -> Iterator[Event]:
    """Yield the events of one chunk, with numbers that do not repeat."""
    start_s, (p, q) = chunk * CHUNK_SECONDS, noise.random(2).tolist()
    others = tuple(Alternative(token, f"token{token}", p / (token + 2), p / 9, q) for token in range(5))
    begins = chunk % REPLY_EVERY == 0
    yield Chunk(chunk, 0, start_s, -60 * p, tuple(noise.random(16).round(4).tolist()), (), "A" * 428)
    raw = (1 - p, p, 0.0, p, q, p, q, 486, 13 * (chunk % 30), others, (486,), max(0, chunk - 29), 390, 400, RULE)
    if begins:
        yield Decision(chunk, 0, start_s, 479, "TEXT_BEGIN", *raw)
    else:
        yield Decision(chunk, 0, start_s, 486, "KEEP_SILENCE", *raw)
    if begins:
        turn = chunk // REPLY_EVERY
        for index in range(REPLY_TOKENS):
            yield Token(chunk, turn, index, 200 + index, p, f" word{index}", p, q, 200, 100 + index, others)
        yield Turn(chunk, turn, 0, start_s, None, f"What was said in reply {turn}.", tuple(range(12)), "TEXT_END")
    yield Timing(chunk, 3 * p, 5 * q, 7 * p, 0.0, 2 * q, 1, chunk, 1.7e12 + start_s, 1.7e12 + start_s + p)


def fill(record: SessionRecord, first: int, last: int, noise: np.random.Generator) -> None:
    """Append audio and events of the chunks from `first` to `last` (exclusive)."""
    for chunk in range(first, last):
        for notice in record.append_audio(noise.random(CHUNK_SAMPLES, np.float32) - np.float32(0.5)):
            record.append(notice)
        for event in events_of(chunk, noise):
            record.append(event)


def hours(folder: Path, count: float, every: int = HOUR // 2) -> list[tuple[float, int]]:
    """Record `count` hours, and return hours and resident bytes of each reading."""
    record, noise = SessionRecord(keep=folder / "hours.aiw"), np.random.default_rng(0)
    readings, chunk, last = [], 0, round(count * HOUR)
    while chunk < last:
        done, chunk = chunk, min(last, max(WARM_UP, chunk + every) if chunk else min(WARM_UP, last))
        fill(record, done, chunk, noise)
        gc.collect()
        readings.append((chunk / HOUR, memory_bytes()))
        print(f"{chunk / HOUR:5.1f} h  {readings[-1][1] / 1e6:8.1f} MB  {len(record):,} events", flush=True)
    return readings


def record_until_killed(path: str) -> None:
    """Record, and announce each chunk on standard output once it is stored."""
    record, noise, chunk = SessionRecord(keep=path), np.random.default_rng(0), 0
    while True:
        fill(record, chunk, chunk + 1, noise)
        chunk += 1
        print(chunk, flush=True)


def lost_by_kill(path: Path, chunk: int) -> int:
    """Kill a recording process when it has announced `chunk` chunks; return how many of the announced ones are lost."""
    program = "import sys; from ai_widgets.cli.bench.kept_hours import record_until_killed as run; run(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)  # noqa: S603
    announced = 0
    with process:
        for line in process.stdout or ():
            announced = int(line) if line.endswith("\n") else announced
            if announced == chunk:
                process.kill()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = SessionRecord.load(path)
    return announced - record.count(Timing)


def main(argv: Sequence[str] | None = None) -> int:
    """Run both, print the figures, and return 1 where memory grew or more than a chunk was lost."""
    parser = argparse.ArgumentParser(prog="kept_hours", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--folder", help="folder for the recordings, 270 MB an hour (default: the temporary folder)")
    given = parser.parse_args(argv)
    wrong = []
    with tempfile.TemporaryDirectory(prefix="ai_widgets-hours-", dir=given.folder) as folder:
        readings = hours(Path(folder), given.hours)
        worst = max(abs(each / readings[0][1] - 1) for _, each in readings) if readings and readings[0][1] else 0.0
        print(f"memory, widest deviation from the first reading: {worst:.1%}")
        if worst > TOLERANCE:
            wrong.append(f"Memory changed by {worst:.1%}.")
    with tempfile.TemporaryDirectory(prefix="ai_widgets-kills-", dir=given.folder) as folder:
        moments = random.Random(0)  # noqa: S311
        lost = [lost_by_kill(Path(folder) / f"{n}.aiw", moments.randint(1, 400)) for n in range(given.kills)]
        print(f"{given.kills} times killed: announced chunks that were lost, at most: {max(lost, default=0)}")
        if any(each > 0 for each in lost):
            wrong.append(f"{sum(each > 0 for each in lost)} of {given.kills} recordings lack a chunk that was stored.")
    print("\n".join(wrong) if wrong else "Flat, and nothing lost.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
