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
from .kernel_messages import (
    Ack,
    AnyEvent,
    Audio,
    Events,
    KernelMessage,
    LoopState,
    ModelInfo,
    ModelStatus,
    Need,
    NewSession,
    Playing,
    Problem,
    Welcome,
)
from .limits import PROTOCOL_VERSION, Mode
from .messages import Fetch, Hello


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
    raw = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    if binary:
        return written(message), [raw]
    return written(msgspec.structs.replace(message, data=base64.b64encode(raw).decode("ascii"))), []


def need(stream: int, offset: int, length: int, page: str) -> dict[str, Any]:
    """Ask a page for a part of its file."""
    return written(Need(stream, offset, length, page))


def playing(file: Mapping[str, Any]) -> dict[str, Any]:
    """Send the position of a file; `file` is what `FileStream.to_json` returns."""
    return written(Playing(**file))


def loop(mode: Mode, phase: str, chunk: int, waiting: int) -> dict[str, Any]:
    """Send the loop's state."""
    return written(LoopState(mode, phase, chunk, waiting))


def reset(session: int) -> dict[str, Any]:
    """Announce a new session."""
    return written(NewSession(session))


def model_status(model: Mapping[str, Any]) -> dict[str, Any]:
    """Send the model's status; `model` has status, kind, name, detail, tokens, prefix, block and limit."""
    return written(ModelStatus(**model))


def problem(
    code: str, message: str, detail: str = "", page: str = "", names: Sequence[str] = (), request: int = 0
) -> dict[str, Any]:
    """Report a problem in one sentence."""
    return written(Problem(code, message, detail, page, list(names), request, 1))
