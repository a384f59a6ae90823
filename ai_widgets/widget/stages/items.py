"""Items in the queues of the pipeline, and the callbacks of its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ...audio.intake import Array
from ...audio.origin import Origin
from .admission import PendingNotice
from .running_session import RunningSession

if TYPE_CHECKING:
    from ...session.perceive import Heard


@dataclass(frozen=True)
class Samples:
    """One block of audio at its native rate; `taken` is called when the encode stage takes the block up."""

    samples: Array
    rate: int
    flags: tuple[str, ...]
    origin: Origin
    taken: Callable[[], None] | None = None


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


Item: TypeAlias = "tuple[RunningSession, Samples | EndOfStream | PendingNotice]"
Decodable: TypeAlias = "tuple[RunningSession, Heard | PendingNotice | Failure | Wake]"


@dataclass(frozen=True)
class Owner:
    """Callbacks of a pipeline, called on any thread.

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
