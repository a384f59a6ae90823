"""Measure a class whose replica is killed: `kill -9` while learners speak, on a Ray of this machine.

``python -m ai_widgets.cli.bench.replica_killed --learners 8`` starts two replicas, lets every learner speak at the
speed of speech in a session of a kernel, kills the replica with more sessions, and prints how long each of these had no
decision, and whether every record is whole.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from time import perf_counter, sleep
from typing import Any
from urllib.request import urlopen

import numpy as np
import numpy.typing as npt

from ...audio.clips import clips
from ...audio.files import load_audio
from ...errors import ServerError
from ...protocol import CHUNK_SAMPLES, CHUNK_SECONDS, SAMPLE_RATE, Chunk, Decision, Notice, Turn
from ...serve.tokens import Tokens
from ...widget.app import AudioInteraction

SETTINGS: dict[str, Any] = {"bias": 2.0, "max_reply_tokens": 200}
"""Settings under which the embedded checkpoint replies often."""


@dataclass
class Speaker:
    """One learner.

    Attributes
    ----------
    widget
        Session of the learner's kernel.
    decided
        Times at which chunks were decided.
    """

    widget: AudioInteraction
    decided: list[float] = field(default_factory=list)

    def speak(self, speech: npt.NDArray[np.float32], ended: Flag) -> None:
        """Feed a chunk every 0.4 s, or as soon as the one before is decided, until `ended` is set."""
        begun = perf_counter()
        for number in range(len(speech) // CHUNK_SAMPLES):
            sleep(max(0.0, begun + (number + 1) * CHUNK_SECONDS - perf_counter()))
            if ended.is_set():
                return
            self.widget.feed(speech[number * CHUNK_SAMPLES : (number + 1) * CHUNK_SAMPLES], SAMPLE_RATE)
            self.decided.append(perf_counter())

    def gap(self, at: float) -> float:
        """Return the seconds from a time to the next decided chunk."""
        return min((each - at for each in self.decided if each > at), default=float("inf"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(prog="replica_killed", description=__doc__)
    parser.add_argument("--learners", type=int, default=8, help="simulated learners (default: 8)")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of speech before the kill, and after it")
    parser.add_argument("--checkpoint", default="tiny", help="tiny, a folder or a hub id (default: tiny)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokens"
        tokens = Tokens.generate(given.learners)
        tokens.write(file)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = ["serve", "--ray", "local", "--replicas", "2", "--checkpoint", given.checkpoint, "--port", str(port)]
        command += ["--device", given.device, "--places", str(given.learners), "--token-file", str(file)]
        server = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", "ai_widgets.cli.main", *command], stdout=subprocess.PIPE, text=True
        )
        try:
            if server.stdout is None or not any("Learners connect" in line for line in server.stdout):
                raise ServerError("The server did not start; run ai-widgets serve --ray local to see why.")
            print(json.dumps(_class(port, list(tokens.by_name.values()), given.seconds), indent=1))
        finally:
            server.terminate()
            server.wait()
    return 0


def _class(port: int, tokens: Sequence[str], seconds: float) -> dict[str, Any]:
    sounds = [load_audio(f"clip:{name}") for name in clips]
    speech = np.resize(np.concatenate(sounds), round(600 * SAMPLE_RATE)).astype(np.float32)
    speakers = [
        Speaker(AudioInteraction(f"ws://127.0.0.1:{port}", token=token, seed=number, **SETTINGS))
        for number, token in enumerate(tokens)
    ]
    ended = Flag()
    offsets = [number * SAMPLE_RATE for number in range(len(speakers))]
    threads = [
        Thread(target=speaker.speak, args=(speech[offset:], ended))
        for speaker, offset in zip(speakers, offsets, strict=True)
    ]
    for thread in threads:
        thread.start()
    sleep(seconds)
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        page = answer.read().decode()
    taken = re.findall(r'^ai_widgets_places_taken{replica="(\d+)"} (\d+)', page, re.MULTILINE)
    victim = max(taken, key=lambda each: int(each[1]))
    os.kill(int(victim[0]), signal.SIGKILL)
    killed = perf_counter()
    sleep(seconds)
    ended.set()
    for thread in threads:
        thread.join()
    moved = [each for each in speakers if _notices(each.widget, "context_rebuilt")]
    result = {
        "learners": len(speakers),
        "on_the_replica": int(victim[1]),
        "moved": len(moved),
        "started_over": sum(len(_notices(each.widget, "context_reset")) for each in speakers),
        "replies_cut": sum(len(_notices(each.widget, "server_changed")) for each in speakers),
        "seconds_to_the_next_decision": sorted(round(each.gap(killed), 2) for each in moved),
        "of_the_others": round(max((each.gap(killed) for each in speakers if each not in moved), default=0.0), 2),
        "whole": all(_whole(each.widget) for each in speakers),
    }
    for speaker in speakers:
        speaker.widget.close()
    return result


def _notices(widget: AudioInteraction, kind: str) -> list[Notice]:
    return [event for event in widget.record.since(0) if isinstance(event, Notice) and event.kind == kind]


def _whole(widget: AudioInteraction) -> bool:
    """Return whether every chunk is decided once and in order, and every reply has one end."""
    events = widget.record.since(0)
    chunks, decisions = ([each.chunk for each in events if isinstance(each, kind)] for kind in (Chunk, Decision))
    replies = [each.chunk for each in events if isinstance(each, Decision) and each.choice == "TEXT_BEGIN"]
    turns = [each.chunk for each in events if isinstance(each, Turn)]
    return chunks == decisions == list(range(len(chunks))) and turns == replies


if __name__ == "__main__":
    sys.exit(main())
