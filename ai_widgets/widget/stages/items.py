"""What the worker's stages pass on, and whom the worker tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ...audio.intake import Array
from .admission import Remark
from .live_session import Run

if TYPE_CHECKING:
    from ...session.perceive import Heard


@dataclass(frozen=True)
class BlockOf:
    """Where samples come from: the browser's stream and block, and whether that is a microphone. Else Python.

    `age_s` is the time between the capture of the block's last sample and its arrival in the kernel, in seconds.
    """

    stream: int = 0
    seq: int = -1
    mic: bool = False
    age_s: float = 0.0


FROM_PYTHON = BlockOf()


@dataclass(frozen=True)
class Samples:
    """One block of audio at its own rate. `arrived` is the clock (`perf_counter`) when it came."""

    samples: Array
    rate: int
    flags: tuple[str, ...]
    arrived: float
    taken: Callable[[], None] | None
    block: BlockOf


@dataclass(frozen=True)
class EndOfStream:
    """A recording ends, and so much silence follows."""

    tail_s: float


@dataclass(frozen=True)
class Failure:
    """Perceiving failed: what came before is still answered, then the session ends."""

    error: Exception


class Wake:
    """Nothing but an occasion to look at what is pending."""


Item: TypeAlias = "tuple[Run, Samples | EndOfStream | Remark]"
Decodable: TypeAlias = "tuple[Run, Heard | Remark | Failure | Wake]"


@dataclass(frozen=True)
class Owner:
    """What a worker tells, on any thread.

    Attributes
    ----------
    events_came
        Something changed; the flag says that nothing follows at once.
    loop_changed
        The loop has another mode, or is at another phase.
    session_failed
        An exception ended the session.
    overloaded
        Audio begins to be refused; a sentence says why.
    parked
        There has been nothing to do for a while.
    """

    events_came: Callable[[bool], None]
    loop_changed: Callable[[], None]
    session_failed: Callable[[Exception], None]
    overloaded: Callable[[str], None]
    parked: Callable[[], None]
