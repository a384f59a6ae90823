"""Items in the queues of the pipeline."""

from __future__ import annotations

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
    """One block of audio at its native rate."""

    samples: Array
    rate: int
    flags: tuple[str, ...]
    origin: Origin


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
