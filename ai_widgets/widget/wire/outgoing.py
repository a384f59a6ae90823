"""Build the messages that the kernel sends to its pages; `kernel_messages` declares their fields."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from time import time
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt

from ...protocol import SAMPLE_RATE, Event, plain
from .engine_messages import EngineFile
from .kernel_engine import EngineFiles, EnginePart, OfferedFile
from .kernel_message import KernelMessage
from .kernel_messages import (
    Ack,
    AnyEvent,
    Audio,
    BranchEvents,
    BranchState,
    Events,
    LoopState,
    ModelInfo,
    ModelStatus,
    Need,
    NewSession,
    Playing,
    Problem,
    Welcome,
)
from .kernel_recordings import (
    Analysed,
    FilePart,
    OnsetCurve,
    Recording,
    RecordingState,
    Replayed,
    ReplayState,
    Saved,
    SeedRaster,
)
from .kernel_voice import Voice
from .limits import PROTOCOL_VERSION, AnalysisKind, AnalysisState, Mode
from .messages import Fetch, Hello
from .recording_messages import Part


def now_ms() -> float:
    """Return the kernel's clock as messages carry it."""
    return round(time() * 1e3, 1)


def written(message: KernelMessage) -> dict[str, Any]:
    """Convert a message to plain JSON values, `type` first."""
    values: dict[str, Any] = msgspec.to_builtins(message, enc_hook=plain)
    return values


def welcome(
    hello: Hello,
    pull: bool,
    session: int,
    model: Mapping[str, Any],
    settings: Mapping[str, Any],
    live: Mapping[str, Any],
    loop: Mapping[str, Any],
    file: Mapping[str, Any],
    recording: Mapping[str, Any],
    replayed: Mapping[str, Any],
) -> dict[str, Any]:
    """Answer a hello; `model` is as for `model_status`. The outbox replaces `first` if too many events would follow."""
    return written(
        Welcome(
            protocol=PROTOCOL_VERSION,
            binary=hello.binary,
            pull=pull,
            session=session,
            first=hello.seen,
            page=hello.page,
            now_ms=now_ms(),
            model=ModelInfo(model["status"], model["kind"], model["name"], model["detail"]),
            settings=settings,
            live=live,
            loop=loop,
            tokens=model["tokens"],
            prefix=model["prefix"],
            block=model["block"],
            limit=model["limit"],
            file=file,
            recording=recording,
            replayed=replayed,
        )
    )


def events(session: int, first: int, batch: Sequence[Event], waiting: int) -> dict[str, Any]:
    """Send events in order, the first of them with index `first`."""
    return written(Events(session, first, cast(Sequence[AnyEvent], batch), waiting, now_ms()))


def ack(stream: int, seq: int) -> dict[str, Any]:
    """Acknowledge the newest block that was taken up."""
    return written(Ack(stream, seq, now_ms()))


def audio(fetch: Fetch, samples: npt.NDArray[np.float32] | None, binary: bool) -> tuple[dict[str, Any], list[bytes]]:
    """Answer a fetch with a chunk's samples (None: no longer kept): the message and its buffers."""
    message = Audio(fetch.chunk, fetch.request, SAMPLE_RATE, "int16", samples is not None)
    if samples is None:
        return written(message), []
    return _with_bytes(message, _int16(samples), binary)


def voice(
    turn: int, page: str, samples: npt.NDArray[np.float32], rate: int, longest: int, binary: bool
) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Send the sound of a reply in parts of at most `longest` bytes: the messages and their buffers."""
    raw = _int16(samples)
    # A sample has two bytes.
    length = longest - longest % 2
    pieces = [raw[at : at + length] for at in range(0, len(raw), length)]
    return [
        _with_bytes(Voice(turn, page, rate, "int16", part, len(pieces)), piece, binary)
        for part, piece in enumerate(pieces)
    ]


def _int16(samples: npt.NDArray[np.float32]) -> bytes:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def _with_bytes(message: KernelMessage, raw: bytes, binary: bool) -> tuple[dict[str, Any], list[bytes]]:
    """Return a message and its buffers; where buffers are dropped, its field `data` carries the bytes as base64."""
    if binary:
        return written(message), [raw]
    return written(msgspec.structs.replace(message, data=base64.b64encode(raw).decode("ascii"))), []


def need(stream: int, offset: int, length: int, page: str) -> dict[str, Any]:
    """Request a part of its file from a page."""
    return written(Need(stream, offset, length, page))


def playing(file: Mapping[str, Any]) -> dict[str, Any]:
    """Send the position of a file; `file` is what `FileStream.to_json` returns."""
    return written(Playing(**file))


def loop(mode: Mode, phase: str, chunk: int, waiting: int) -> dict[str, Any]:
    """Send the loop's state."""
    return written(LoopState(mode, phase, chunk, waiting))


def branch(**state: Any) -> dict[str, Any]:
    """Send the state of a branch; `state` has the fields of `BranchState`."""
    return written(BranchState(**state))


def branch_dropped(number: int) -> dict[str, Any]:
    """Say that a branch is kept no longer."""
    return written(BranchState(number, 0, 0, None, "", "dropped", "", None, ""))


def branch_events(number: int, first: int, batch: Sequence[Event]) -> dict[str, Any]:
    """Send events of a branch, the first of them with index `first` among its own."""
    return written(BranchEvents(number, first, cast(Sequence[AnyEvent], batch)))


def reset(session: int, first: int = 0) -> dict[str, Any]:
    """Announce a new session, whose events follow from index `first` on."""
    return written(NewSession(session, first))


def saved(request: int, page: str, name: str = "", size: int = 0, note: str = "", problem: str = "") -> dict[str, Any]:
    """Answer a request to save: the file, or the problem."""
    return written(Saved(request, page, name, size, note, problem))


def part(asked: Part, raw: bytes | None, binary: bool) -> tuple[dict[str, Any], list[bytes]]:
    """Answer a request for a part of a saved file (None: removed): the message and its buffers."""
    message = FilePart(asked.request, asked.page, asked.offset, raw is not None)
    if raw is None:
        return written(message), []
    return _with_bytes(message, raw, binary)


def engine_files(offered: Sequence[OfferedFile]) -> dict[str, Any]:
    """Offer the engine's files to pages."""
    return written(EngineFiles(offered))


def engine_part(asked: EngineFile, raw: bytes | None, last: bool, binary: bool) -> tuple[dict[str, Any], list[bytes]]:
    """Answer a request for a part of an engine's file (None: there is no such part): the message and its buffers."""
    message = EnginePart(asked.page, asked.name, asked.offset, last, raw is not None)
    if raw is None:
        return written(message), []
    return _with_bytes(message, raw, binary)


def recording(
    state: RecordingState, name: str = "", done: int = 0, total: int = 0, facts: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Send which recording is shown or read; `facts` is what `page_facts` returns."""
    facts = facts or {}
    words = [str(facts[name]) for name in ("model", "detail", "created") if facts.get(name)]
    tokens, prefix, block = facts.get("tokens", {}), facts.get("prefix", []), facts.get("block", [])
    return written(Recording(state, name, done, total, words, tokens, prefix, block, facts.get("limit", 0)))


def replayed(state: ReplayState, done: int = 0, total: int = 0, chunk: int = -1, message: str = "") -> dict[str, Any]:
    """Send progress or result of a replay."""
    return written(Replayed(state, done, total, chunk, message))


def analysed(
    what: AnalysisKind,
    state: AnalysisState,
    done: int = 0,
    total: int = 0,
    message: str = "",
    result: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send progress or result of an analysis; `result` is the `to_json` of an `Onset` or of `Seeds`."""
    onset = OnsetCurve(**result) if what == "onset" and result is not None else None
    seeds = SeedRaster(**result) if what == "seeds" and result is not None else None
    return written(Analysed(what, state, done, total, message, onset, seeds))


def model_status(model: Mapping[str, Any]) -> dict[str, Any]:
    """Send the model's status; `model` has status, kind, name, detail, tokens, prefix, block and limit."""
    return written(ModelStatus(**model))


def problem(
    code: str, message: str, detail: str = "", page: str = "", names: Sequence[str] = (), request: int = 0
) -> dict[str, Any]:
    """Report a problem in one sentence."""
    return written(Problem(code, message, detail, page, list(names), request, 1))
