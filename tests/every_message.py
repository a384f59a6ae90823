"""One example of each message, in both directions, and the fixture of them that the page's tests read.

python -m tests.every_message        writes js/test/fixtures/written.ts
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ai_widgets.widget.wire import limits, outgoing
from ai_widgets.widget.wire.branch_messages import DropBranch, SentFork
from ai_widgets.widget.wire.clip_message import PlayClip
from ai_widgets.widget.wire.engine_messages import EngineBegin, EngineEvents, EngineFile, SentEngineChunk
from ai_widgets.widget.wire.kernel_engine import EngineControl, EngineElsewhere, EngineSet, EngineTaken, OfferedFile
from ai_widgets.widget.wire.messages import (
    Close,
    Fetch,
    FileAction,
    Hello,
    Interrupt,
    Loop,
    MicState,
    Open,
    Play,
    Poll,
    Reset,
    SentBlock,
    SentBytes,
    SentHello,
    Set,
    Step,
)
from ai_widgets.widget.wire.page_message import PageMessage
from ai_widgets.widget.wire.recording_messages import Analyse, Load, Part, Release, Replay, Save, Unload
from tests.every_event import EVENTS

FIXTURE = Path(__file__).parents[1] / "js" / "test" / "fixtures" / "written.ts"
MODEL = {
    "status": "ready",
    "kind": "model",
    "name": "toy",
    "detail": "cpu",
    "tokens": {"PAD": 3, "HAPPY": 9},
    "limit": 4096,
    "prefix": [[1, "<s>"], [2, "Hi"]],
    "block": [["USER", 5, 1], ["FRAMES", 3, 10]],
}
LOADING = {
    "status": "loading",
    "kind": "policy",
    "name": "toy",
    "detail": {"done": 5, "total": 90},
    "tokens": {},
    "limit": 0,
    "prefix": [],
    "block": [],
}
PLAYING = {
    "name": "talk.wav",
    "page": "p",
    "state": "playing",
    "pace": "fast",
    "position_s": 1.5,
    "seconds": 60.0,
    "speed": 12.5,
    "left_s": 4.7,
}
UNKNOWN_LENGTH = {**PLAYING, "seconds": None, "speed": None, "left_s": None}
FACTS = {
    "model": "toy",
    "detail": "cpu",
    "created": "2026-01-31T14:05:00.000+00:00",
    **{name: MODEL[name] for name in ("tokens", "prefix", "block", "limit")},
}
LOOP = {"mode": "run", "phase": "decide", "chunk": 3, "waiting": 2}
BRANCH = {
    "branch": 1,
    "request": 7,
    "chunk": 3,
    "until": 9,
    "changed": "bias 0.5, muted",
    "state": "running",
    "first_difference": "",
    "differs_at": None,
    "message": "",
}
NO_RECORDING, NO_REPLAY = outgoing.recording("none"), outgoing.replayed("none")
HELLO = Hello(limits.PROTOCOL_VERSION, 0, "p", None, True)
ASKED = Fetch("audio", 3, 5)
SAMPLES = np.array([0.0, 0.5, -1.0], np.float32)
PART = EngineFile("p", "model/step.onnx", 512)

FROM_KERNEL: tuple[dict[str, Any], ...] = (
    outgoing.welcome(HELLO, False, 1, MODEL, {"seed": 0}, {"arrival": "keep"}, LOOP, {}, NO_RECORDING, NO_REPLAY),
    outgoing.welcome(HELLO, True, 1, LOADING, {"seed": 0}, {"arrival": "keep"}, LOOP, PLAYING, NO_RECORDING, NO_REPLAY),
    outgoing.events(1, 0, EVENTS, 2),
    outgoing.ack(1, 4),
    outgoing.audio(ASKED, SAMPLES, binary=True)[0],
    outgoing.audio(ASKED, SAMPLES, binary=False)[0],
    outgoing.audio(ASKED, None, binary=True)[0],
    outgoing.need(1, 0, 512, "p"),
    outgoing.voice(2, "p", SAMPLES, 16_000, 4, binary=True)[0][0],
    outgoing.voice(2, "p", SAMPLES, 16_000, 4, binary=False)[1][0],
    outgoing.playing(PLAYING),
    outgoing.playing(UNKNOWN_LENGTH),
    outgoing.loop("pause", "", -1, 0),
    outgoing.model_status(MODEL),
    outgoing.model_status(LOADING),
    outgoing.reset(2),
    outgoing.branch(**BRANCH),
    outgoing.branch(**{**BRANCH, "state": "done", "first_difference": "chunk 4, decision", "differs_at": 4}),
    outgoing.branch_dropped(1),
    outgoing.branch_events(1, 0, EVENTS),
    outgoing.saved(7, "p", "tiny-2026-01-31-1405.aiw", 1_000_000, "No audio before 1:00.0."),
    outgoing.saved(7, "p", problem="There is nothing to save yet."),
    outgoing.part(Part(7, 512, "p"), b"PK", True)[0],
    outgoing.part(Part(7, 512, "p"), b"PK", False)[0],
    outgoing.part(Part(7, 512, "p"), None, True)[0],
    outgoing.recording("none"),
    outgoing.recording("loading", "talk.aiw", 512, 1024),
    outgoing.recording("shown", "talk.aiw", facts=FACTS),
    outgoing.replayed("running", 3, 20),
    outgoing.replayed("differs", 20, 20, 3, "decision, p_text: 0.1 → 0.3 (by 0.2)"),
    outgoing.analysed("onset", "running", 3, 20),
    outgoing.analysed("onset", "done", result={"settings": {"bias": 0.5}, "chunk": [0, 1], "hazard": [0.25, 1.0]}),
    outgoing.analysed("seeds", "done", result={"settings": {}, "seeds": [0, 1], "begun": [[1], []], "decided": [2, 2]}),
    outgoing.problem("setting", "No such setting.", names=["warmth"], request=3),
    outgoing.engine_files([OfferedFile("model/step.onnx", 10_000_000, "0" * 64, False)]),
    outgoing.engine_part(PART, b"PK", False, True)[0],
    outgoing.engine_part(PART, b"PK", True, False)[0],
    outgoing.engine_part(PART, None, False, True)[0],
    outgoing.written(EngineTaken("p", 1, True, 120, 60)),
    outgoing.written(EngineTaken("p", 1, True, 120, 60, "p_text must be from 0 to 1.", True)),
    *(outgoing.written(EngineControl("p", "step")), outgoing.written(EngineSet("", {"bias": 0.5}))),
    outgoing.written(EngineElsewhere("p")),
)
"""Messages as they are built by `outgoing`; the two times of day are replaced in the fixture."""

FROM_PAGE: tuple[PageMessage, ...] = (
    SentHello(limits.PROTOCOL_VERSION, 7, "p", 1),
    SentHello(limits.PROTOCOL_VERSION, 0, "p"),
    Open(1, "mic", "Mic", 48_000, 1.0, "p", {"sampleRate": 48_000}),
    SentBlock(1, 0, 48_000, "float32", 0.1, 1.7e12, 1.7e12, -2.5, True, "p", "AAAAAA=="),
    SentBlock(1, 1, 16_000, "int16", 0.2, page="p", data=""),
    Close(1, 3, "stopped", "p"),
    Play(2, "talk.wav", 635_000_044, "fast", 1.0, "p"),
    PlayClip("rain", "realtime", 1.0, "p"),
    SentBytes(2, 512, "", "p", "UklGRg=="),
    SentBytes(2, 512, "NotReadableError", "p"),
    FileAction("stop", "view_removed", "p"),
    MicState("error", "denied", "Not allowed."),
    Set({"temperature": 0.5}, 4),
    ASKED,
    Loop("step"),
    *(Step(), Interrupt(), Reset(), Poll()),
    SentFork(3, 9, 1, {"bias": 0.5}, "TEXT_BEGIN", "mute", 0, 7, "p"),
    SentFork(3, None, 2, {}, "", "swap", 8, 7, "p"),
    SentFork(3, None, 1, {}, "", "samples", 0, 7, "p", "AAAAAA=="),
    DropBranch(1),
    Save("aiw", 7, "p"),
    Part(7, 512, "p"),
    Release(7, "p"),
    Load(3, "talk.aiw", 1_000_000, "p"),
    Unload("p"),
    *(Replay("start", "p"), Replay("cancel", "p")),
    *(Analyse("onset", "start", {"bias": 0.5}, 20, "p"), Analyse("seeds", "cancel", {}, 1, "p")),
    PART,
    EngineBegin("p", 1, {"seed": 0}, {"arrival": "keep"}, "onnxruntime-web 1.30.0"),
    EngineEvents("p", 1, 0, "run", "decide", 3, 2, [event.to_json() for event in EVENTS]),
    SentEngineChunk("p", 1, 1, True),
)


def from_page() -> list[dict[str, Any]]:
    """Return the page's messages as JSON values."""
    return [msgspec.to_builtins(message) for message in FROM_PAGE]


def fixture() -> str:
    """Return a TypeScript module whose types hold only if the kernel's JSON fits the generated types."""
    timeless = [{**message, "now_ms": 0} if "now_ms" in message else message for message in FROM_KERNEL]
    values = {
        "FROM_KERNEL": (timeless, "KernelMessage"),
        "FROM_PAGE": (from_page(), "BrowserMessage"),
        "EVENTS": ([event.to_json() for event in EVENTS], "SessionEvent"),
    }
    head = "// Generated by Python (tests/every_message.py): do not edit. Run: make schema\n\n"
    head += 'import type { BrowserMessage, KernelMessage } from "../../src/channel/messages";\n'
    head += 'import type { SessionEvent } from "../../src/record/events";\n'
    return head + "".join(
        f"\nexport const {name} = {json.dumps(value, indent=2, ensure_ascii=False)} satisfies {kind}[];\n"
        for name, (value, kind) in values.items()
    )


if __name__ == "__main__":
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(fixture(), encoding="utf-8")
    print(f"Written: {FIXTURE.name}")
