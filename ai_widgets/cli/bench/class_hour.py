"""Measure a class server: simulated learners speak recorded clips at the speed of speech, over real WebSockets.

``python -m ai_widgets.cli.bench.class_hour --learners 30 --minutes 30`` starts a server in a process of its own and
prints the time from a chunk's end to its decision at the client, what was lost, and the server's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import numpy.typing as npt
from websockets.asyncio.client import connect

from ...audio.clips import clips
from ...audio.files import load_audio
from ...errors import ServerError
from ...protocol import CHUNK_SECONDS, SAMPLE_RATE
from ...serve.tokens import Tokens
from ...widget.wire.frames import pack, unpack
from ...widget.wire.limits import PROTOCOL_VERSION

BLOCK_SECONDS = 0.1
"""Seconds of a block, as a page sends it."""
PAUSE_SECONDS = 3.0
"""Seconds of silence between two clips, in which the model replies."""
REST_SECONDS = 3.0
"""Seconds after the last block in which the last decisions must arrive; later ones count as lost."""
SAMPLE_SECONDS = 10.0
"""Seconds between two looks at the server's memory."""
PAGE_BYTES = 4096
"""Size of a page of memory in `/proc`."""


@dataclass
class Heard:
    """What one learner measured.

    Attributes
    ----------
    chunks, decisions
        Complete chunks sent, and decisions received.
    seconds
        Times from the end of a chunk to its decision.
    ended
        When the last sample of each chunk was due.
    decided
        Set at each decision.
    """

    chunks: int = 0
    decisions: int = 0
    seconds: list[float] = field(default_factory=list)
    ended: dict[int, float] = field(default_factory=dict)
    decided: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self) -> None:
        """Wait until all chunks are decided."""
        while self.decisions < self.chunks:
            self.decided.clear()
            await self.decided.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(prog="class_hour", description=__doc__)
    parser.add_argument("--learners", type=int, default=30, help="simulated learners (default: 30)")
    parser.add_argument("--minutes", type=float, default=30.0, help="minutes of speech (default: 30)")
    parser.add_argument("--checkpoint", default="tiny", help="tiny, a folder or a hub id (default: tiny)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    given = parser.parse_args(arguments)
    print(json.dumps(asyncio.run(_measure(given)), indent=1))
    return 0


async def _measure(given: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokens"
        tokens = Tokens.generate(given.learners)
        tokens.write(file)
        command = ["serve", "--checkpoint", given.checkpoint, "--device", given.device, "--port", "0"]
        command += ["--places", str(given.learners), "--token-file", str(file)]
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ai_widgets.cli.main", *command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            return await _class(server, list(tokens.by_name.values()), given.minutes * 60)
        finally:
            if server.returncode is None:
                server.terminate()
            await server.wait()


async def _class(server: asyncio.subprocess.Process, tokens: list[str], seconds: float) -> dict[str, Any]:
    if server.stdout is None:
        raise ServerError("The server has no output.")
    address = re.search(r"ws://[^\"]+", (await server.stdout.readline()).decode())
    if address is None:
        raise ServerError("The server did not start; run ai-widgets serve to see why.")
    sounds = [load_audio(f"clip:{name}") for name in clips]
    memory: list[float] = []
    watch = asyncio.create_task(_watch(server.pid, memory))
    started = perf_counter() + 1.0
    learners = await asyncio.gather(
        *(_learner(address[0], token, number, sounds, started, seconds) for number, token in enumerate(tokens))
    )
    watch.cancel()
    times = np.array([each for learner in learners for each in learner.seconds])
    chunks, decisions = (sum(getattr(learner, name) for learner in learners) for name in ("chunks", "decisions"))
    return {
        "learners": len(tokens),
        "seconds": seconds,
        "chunks": chunks,
        "lost": chunks - decisions,
        **{f"p{q}_ms": round(float(np.quantile(times, q / 100)) * 1e3, 1) for q in (50, 95, 99)},
        "longest_ms": round(float(times.max()) * 1e3, 1),
        **_processor_times(server.pid),
        "memory_mb": [round(each, 1) for each in (memory[0], memory[len(memory) // 2], memory[-1])] if memory else [],
    }


async def _learner(
    address: str,
    token: str,
    number: int,
    sounds: Sequence[npt.NDArray[np.float32]],
    started: float,
    seconds: float,
) -> Heard:
    """Speak clips with pauses, each learner from another clip and another moment on."""
    heard = Heard()
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(address, additional_headers=headers, compression=None, ping_timeout=None) as socket:
        hello = {"type": "hello", "protocol": PROTOCOL_VERSION, "seen": 0, "page": "class"}
        await socket.send(pack(hello))
        opening = {"source": "mic", "name": "class", "rate": SAMPLE_RATE, "tail_s": 0.0}
        await socket.send(pack({"type": "open", "stream": 1, **opening}))
        receiver = asyncio.create_task(_receive(socket, heard))
        pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.float32)
        ordered = [*sounds[number % len(sounds) :], *sounds[: number % len(sounds)]]
        speech = np.concatenate([part for sound in ordered for part in (sound, pause)])
        begin = started + number * 0.37 % CHUNK_SECONDS
        length = round(BLOCK_SECONDS * SAMPLE_RATE)
        for seq in range(round(seconds / BLOCK_SECONDS)):
            due = begin + (seq + 1) * BLOCK_SECONDS
            await asyncio.sleep(max(0.0, due - perf_counter()))
            samples = np.take(speech, range(seq * length, (seq + 1) * length), mode="wrap")
            done = round((seq + 1) * BLOCK_SECONDS / CHUNK_SECONDS, 6)
            if done.is_integer():
                heard.ended[int(done) - 1] = due
                heard.chunks += 1
            block = {"stream": 1, "seq": seq, "rate": SAMPLE_RATE, "format": "float32", "time_s": seq * BLOCK_SECONDS}
            await socket.send(pack({"type": "block", **block}, [samples.astype("<f4").tobytes()]))
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(heard.complete(), REST_SECONDS)
        receiver.cancel()
    return heard


async def _receive(socket: Any, heard: Heard) -> None:
    async for frame in socket:
        now = perf_counter()
        message, _ = unpack(frame)
        for event in message.get("events", ()):
            if event["type"] == "decision":
                heard.decisions += 1
                heard.decided.set()
                heard.seconds.append(now - heard.ended.pop(event["chunk"], now))


def _processor_times(server: int) -> dict[str, float]:
    """Return the processor time of server and learners in seconds, which does not depend on what else runs."""
    file = Path(f"/proc/{server}/stat")
    if not file.exists():
        return {}
    user, system = file.read_text().rpartition(")")[2].split()[11:13]
    ticks = os.sysconf("SC_CLK_TCK")
    return {"server_cpu_s": (int(user) + int(system)) / ticks, "learners_cpu_s": round(process_time(), 1)}


async def _watch(process: int, memory: list[float]) -> None:
    """Note the resident memory of a process in MB, where the system tells it in `/proc`."""
    file = Path(f"/proc/{process}/statm")
    while file.exists():
        memory.append(int(file.read_text().split()[1]) * PAGE_BYTES / 1e6)
        await asyncio.sleep(SAMPLE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
