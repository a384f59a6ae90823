"""Items in the queues of the pipeline, and the callbacks of its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..audio.intake import Array
from .admission import Remark
from .live_session import Run

if TYPE_CHECKING:
    from ..session.perceive import Heard


@dataclass(frozen=True)
class BlockOf:
    """The origin of samples: stream and block number of the browser, and whether a microphone; stream 0 is Python.

    `age_s` is the time in seconds between the capture of the block's last sample and its arrival in the kernel.
    """

    stream: int = 0
    seq: int = -1
    mic: bool = False
    age_s: float = 0.0


FROM_PYTHON = BlockOf()


@dataclass(frozen=True)
class Samples:
    """One block of audio at its native rate. `arrived` is its arrival time (`perf_counter`)."""

    samples: Array
    rate: int
    flags: tuple[str, ...]
    arrived: float
    taken: Callable[[], None] | None
    block: BlockOf


@dataclass(frozen=True)
class EndOfStream:
    """The end of a recording, followed by `tail_s` seconds of silence."""

    tail_s: float


@dataclass(frozen=True)
class Failure:
    """An error of the encode stage: earlier chunks are still decided, then the session ends."""

    error: Exception


class Wake:
    """An empty item that makes the decode stage do its pending work."""


Item: TypeAlias = "tuple[Run, Samples | EndOfStream | Remark]"
Decodable: TypeAlias = "tuple[Run, Heard | Remark | Failure | Wake]"


@dataclass(frozen=True)
class Owner:
    """Callbacks of a worker, called on any thread.

    Attributes
    ----------
    events_came
        Events or state changed; the argument says that the queue of the calling stage is empty.
    loop_changed
        Mode or phase of the loop changed.
    session_failed
        An exception ended the session.
    overloaded
        Audio is being dropped from now on; the argument is a sentence that says why.
    parked
        The decode stage has been idle and its thread ends.
    """

    events_came: Callable[[bool], None]
    loop_changed: Callable[[], None]
    session_failed: Callable[[Exception], None]
    overloaded: Callable[[str], None]
    parked: Callable[[], None]
