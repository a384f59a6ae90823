"""``ai-widgets bench --soak``: run hours of a simulated microphone through the whole widget, faster than real time.

A simulated page opens streams, sends blocks at the device's rate and counts the messages it gets. At the end the
command says whether memory, threads, queues, messages and the synced history stayed constant. The session is kept on
disk, so that memory holds the newest events only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ...inference import Model, load_model
from ...protocol import CHUNK_SECONDS, Timing, Turn
from ...widget.app import AudioInteraction
from ...widget.history import MOST_BYTES
from ...widget.wire import limits, outgoing

RATE = 48_000
"""Sample rate of the simulated microphone, in Hz."""
BLOCK_SECONDS = 0.1
"""Length of a block in seconds, as a page sends them."""
BLOCKS_PER_CHUNK = round(CHUNK_SECONDS / BLOCK_SECONDS)
"""Number of blocks that hold one chunk."""
AHEAD = 16
"""Chunks that the simulated microphone may be ahead of the model."""
RECORDING_S = 600.0
"""Seconds after which the recording is closed and another is opened."""
WARM_UP_S = 900.0
"""Seconds before the first reading: by then the kept audio and the caches of the libraries have their final size."""
TOLERANCE = 0.05
"""Share by which the memory may deviate after the warm-up: the noise of a reading."""
MOST_MESSAGE = 1_000_000
"""Bytes of the longest message, the history and one batch of events included."""
STAGES = 2
"""Threads of the pipeline, which end when idle, so that a reading may or may not count them."""
PATIENCE_S = 600.0
"""Timeout of the queued chunks in seconds: far longer than `AHEAD` chunks take on a busy machine."""


@dataclass(frozen=True)
class Reading:
    """The widget's state at one moment. Sizes in bytes; `memory` is 0 where the system does not report it."""

    audio_s: float
    memory: int
    events: int
    threads: int
    queued: int
    history_bytes: int
    step_ms: float


class CountingWidget(AudioInteraction):
    """A widget whose messages are counted instead of sent."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.sent: Counter[str] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        self.longest = 0
        super().__init__(*arguments, **options)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        kind = msg["content"]["type"] if msg.get("method") == "custom" else ",".join(sorted(msg.get("state", {})))
        size = len(json.dumps(msg, default=str)) + sum(len(buffer) for buffer in buffers or ())
        with self._send_lock:
            self.sent[kind] += 1
            self.sent_bytes[kind] += size
            self.longest = max(self.longest, size if kind != "_esm" else 0)


class SimulatedPage:
    """The sender of the messages of a page with a microphone."""

    def __init__(self, widget: AudioInteraction) -> None:
        self._widget = widget
        self._stream = 0
        self._seq = 0
        self._say({"type": "hello", "protocol": limits.PROTOCOL_VERSION, "seen": 0, "page": "soak", "session": None})

    def open(self) -> None:
        """Begin a recording."""
        self._stream, self._seq = self._stream + 1, 0
        opening = {"stream": self._stream, "source": "mic", "name": "soak", "rate": RATE, "tail_s": 1.0}
        self._say({"type": "open", "page": "soak", "track": {"sampleRate": RATE}, **opening})

    def block(self, samples: npt.NDArray[np.int16]) -> None:
        """Send one block."""
        header = {"stream": self._stream, "seq": self._seq, "rate": RATE, "format": "int16", "page": "soak"}
        times = {"time_s": self._seq * BLOCK_SECONDS, "sent_ms": outgoing.now_ms(), "gated": False}
        self._say({"type": "block", **header, **times}, [samples.tobytes()])
        self._seq += 1

    def close(self) -> None:
        """End the recording."""
        self._say({"type": "close", "stream": self._stream, "blocks": self._seq, "reason": "stopped", "page": "soak"})

    def _say(self, content: dict[str, Any], buffers: Sequence[bytes] = (limits.HANDSHAKE,)) -> None:
        views = [memoryview(buffer) for buffer in buffers]
        self._widget._handle_custom_msg(content, views)


def soak(
    model: Model, audio_s: float, *, warm_up_s: float = WARM_UP_S, every_s: float = 300.0, **options: Any
) -> tuple[list[Reading], CountingWidget]:
    """Run `audio_s` seconds of audio through a widget and take readings.

    Parameters
    ----------
    model
        Loaded checkpoint.
    audio_s, warm_up_s, every_s
        Seconds of audio, until the first reading, and between readings.
    **options
        Options of `AudioInteraction`.

    Returns
    -------
    list of Reading, and the widget (closed).
    """
    widget = CountingWidget(model, **options)
    try:
        readings = list(_listen(widget, audio_s, warm_up_s, every_s))
    finally:
        widget.close()
    return readings, widget


def _listen(widget: CountingWidget, audio_s: float, warm_up_s: float, every_s: float) -> Iterator[Reading]:
    widget.model  # noqa: B018 - waits until it is loaded
    page = SimulatedPage(widget)
    chunks, due = round(audio_s / CHUNK_SECONDS), warm_up_s
    recording = round(RECORDING_S / CHUNK_SECONDS)
    for number, chunk in enumerate(_room(chunks)):
        if number % recording == 0:
            if number:
                page.close()
            page.open()
        for block in np.split(chunk, BLOCKS_PER_CHUNK):
            page.block(block)
        if widget.waiting > AHEAD and not widget.wait(PATIENCE_S):
            raise TimeoutError(f"{widget.waiting} chunks were not answered within {PATIENCE_S:.0f} s")
        heard = (number + 1) * CHUNK_SECONDS
        if heard >= due or number + 1 == chunks:
            due += every_s
            widget.wait(PATIENCE_S)
            yield _reading(widget, heard)
    page.close()
    widget.wait(PATIENCE_S)


def _room(chunks: int, seed: int = 0) -> Iterator[npt.NDArray[np.int16]]:
    """Generate the sound of a room chunk by chunk: quiet noise with occasional sweeping tones and bursts."""
    generator = np.random.default_rng(seed)
    length = round(CHUNK_SECONDS * RATE)
    time = np.arange(length) / RATE
    for _ in range(chunks):
        signal = generator.standard_normal(length) * 10 ** (generator.uniform(-60, -40) / 20)
        if generator.random() < 0.25:
            low, high = np.sort(generator.uniform(120, 3000, 2))
            sweep = np.sin(2 * np.pi * (low * time + (high - low) * time**2 / (2 * CHUNK_SECONDS)))
            signal += sweep * generator.uniform(0.05, 0.6) * np.hanning(length)
        yield np.clip(np.rint(signal * 32767), -32768, 32767).astype(np.int16)


def _reading(widget: CountingWidget, audio_s: float) -> Reading:
    gc.collect()
    record = widget.record
    newest = [event for event in record.since(max(0, len(record) - 4000)) if isinstance(event, Timing)]
    return Reading(
        audio_s,
        memory_bytes(),
        len(record),
        threading.active_count(),
        widget._channel.queued,
        len(json.dumps(widget.history)),
        median(timing.decide_ms for timing in newest) if newest else 0.0,
    )


def memory_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not report it."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def faults(readings: Sequence[Reading], widget: CountingWidget) -> list[str]:
    """List what did not stay constant, in sentences."""
    first, found = readings[0], []
    for reading in readings:
        at = f"after {reading.audio_s / 60:.0f} min"
        if first.memory and abs(reading.memory / first.memory - 1) > TOLERANCE:
            found.append(f"Memory is {reading.memory / first.memory - 1:+.1%} {at}.")
        if reading.threads > first.threads + STAGES:
            found.append(f"{reading.threads} threads {at}, {first.threads} after warming up.")
        if reading.queued:
            found.append(f"{reading.queued} items wait {at} although everything is answered.")
        if reading.history_bytes > MOST_BYTES:
            found.append(f"The history is {reading.history_bytes} bytes long {at}.")
    if widget.longest > MOST_MESSAGE:
        found.append(f"A message of {widget.longest} bytes was sent.")
    return found


def figures(readings: Sequence[Reading], widget: CountingWidget, seconds: float) -> dict[str, Any]:
    """Return all figures by name; the name has the unit."""
    first, last = readings[0], readings[-1]
    chunks = last.audio_s / CHUNK_SECONDS
    hours = last.audio_s / 3600
    sent = {kind: count for kind, count in widget.sent.items() if kind != "_esm"}
    return {
        "audio [h]": round(hours, 2),
        "times real time": round(last.audio_s / seconds, 1),
        "replies": widget.record.count(Turn),
        "memory after warming up → in the end [MB]": [round(each.memory / 1e6, 1) for each in (first, last)],
        "memory, widest deviation [%]": round(
            max((abs(each.memory / first.memory - 1) for each in readings if first.memory), default=0.0) * 100, 2
        ),
        "events in thousands": round(last.events / 1e3, 1),
        "threads": sorted({each.threads for each in readings}),
        "items waiting when all is answered": max(each.queued for each in readings),
        "history, longest [kB]": round(max(each.history_bytes for each in readings) / 1e3, 1),
        "decision, first → last reading [ms]": [round(each.step_ms, 2) for each in (first, last)],
        "messages sent a chunk": round(sum(sent.values()) / chunks, 2),
        "bytes of events sent a chunk": round(widget.sent_bytes["events"] / chunks),
        "longest message [kB]": round(widget.longest / 1e3, 1),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the soak test, print the figures, and return 1 where a figure grew."""
    parser = argparse.ArgumentParser(prog="ai-widgets bench --soak", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--bias", type=float, default=0.0, help="above 0 more replies")
    parser.add_argument("--keep", help="folder for the recording, 260 MB an hour (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, all readings included")
    given = parser.parse_args(argv)
    model = load_model(given.checkpoint, given.device)
    start = perf_counter()
    audio_s = given.hours * 3600
    with tempfile.TemporaryDirectory(prefix="ai_widgets-soak-", dir=given.keep) as folder:
        warm_up_s = min(WARM_UP_S, audio_s / 4)
        readings, widget = soak(model, audio_s, warm_up_s=warm_up_s, bias=given.bias, keep=folder)
        return _report(given, readings, widget, perf_counter() - start)


def _report(given: argparse.Namespace, readings: Sequence[Reading], widget: CountingWidget, seconds: float) -> int:
    measured = figures(readings, widget, seconds)
    wrong = faults(readings, widget)
    if given.json:
        print(json.dumps({**measured, "readings": [asdict(each) for each in readings], "faults": wrong}))
    else:
        for name, value in measured.items():
            print(f"{name:<58} {value}")
        print("\n".join(wrong) if wrong else "Flat.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
