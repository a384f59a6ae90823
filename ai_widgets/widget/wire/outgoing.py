"""Messages that the kernel sends to its pages; `messages` documents their fields."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from time import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ...protocol import SAMPLE_RATE, Event
from .messages import PROTOCOL_VERSION, Fetch, Hello, Mode


def now_ms() -> float:
    """The kernel's clock as messages carry it."""
    return round(time() * 1e3, 1)


def welcome(
    hello: Hello,
    pull: bool,
    session: int,
    model: Mapping[str, Any],
    settings: Mapping[str, Any],
    live: Mapping[str, Any],
    loop: Mapping[str, Any],
    file: Mapping[str, Any],
) -> dict[str, Any]:
    """Answer to hello; `model` is what `model_status` takes. `first` is the number of the event that is told next."""
    return {
        "type": "welcome",
        "protocol": PROTOCOL_VERSION,
        "binary": hello.binary,
        "pull": pull,
        "session": session,
        "first": hello.seen,
        "page": hello.page,
        "now_ms": now_ms(),
        "model": {name: model[name] for name in ("status", "kind", "name", "detail")},
        "settings": dict(settings),
        "live": dict(live),
        "loop": dict(loop),
        **{name: model[name] for name in ("tokens", "prefix", "block", "limit")},
        "file": dict(file),
    }


def events(session: int, first: int, batch: Sequence[Event], waiting: int) -> dict[str, Any]:
    """Events in order, the first of them with index `first`."""
    return {
        "type": "events",
        "session": session,
        "first": first,
        "events": [event.to_json() for event in batch],
        "waiting": waiting,
        "now_ms": now_ms(),
    }


def ack(stream: int, seq: int) -> dict[str, Any]:
    """The newest block that was taken up."""
    return {"type": "ack", "stream": stream, "seq": seq, "now_ms": now_ms()}


def audio(fetch: Fetch, samples: npt.NDArray[np.float32] | None, binary: bool) -> tuple[dict[str, Any], list[bytes]]:
    """A chunk's samples (None: no longer kept), as a message and its buffers."""
    asked = {"type": "audio", "chunk": fetch.chunk, "request": fetch.request}
    message = {**asked, "rate": SAMPLE_RATE, "format": "int16", "ok": samples is not None}
    if samples is None:
        return message, []
    raw = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    return (message, [raw]) if binary else ({**message, "data": base64.b64encode(raw).decode("ascii")}, [])


def need(stream: int, offset: int, length: int, page: str) -> dict[str, Any]:
    """Ask a page for a part of its file."""
    return {"type": "need", "stream": stream, "offset": offset, "length": length, "page": page}


def playing(file: Mapping[str, Any]) -> dict[str, Any]:
    """How far a file has come; `file` is what `FileStream.to_json` gives."""
    return {"type": "playing", **file}


def loop(mode: Mode, phase: str, chunk: int, waiting: int) -> dict[str, Any]:
    """The loop's state."""
    return {"type": "loop", "mode": mode, "phase": phase, "chunk": chunk, "waiting": waiting}


def reset(session: int) -> dict[str, Any]:
    """A new session began."""
    return {"type": "reset", "session": session}


def model_status(model: Mapping[str, Any]) -> dict[str, Any]:
    """How far loading is; `model` has status, kind, name, detail, tokens, prefix, block and limit."""
    return {"type": "model", **model}


def problem(
    code: str, message: str, detail: str = "", page: str = "", names: Sequence[str] = (), request: int = 0
) -> dict[str, Any]:
    """Something went wrong, in one sentence."""
    said = {"type": "problem", "code": code, "message": message, "detail": detail, "page": page}
    return {**said, "names": list(names), "request": request, "times": 1}
