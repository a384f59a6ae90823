"""State of the loop: one immutable value that each step of `loop` replaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter, time

from ..audio.features import Mark as FeaturesMark
from ..audio.input_watch import InputWatch
from ..protocol import Decision, Event, Timing
from .features_state import FRESH
from .feed import Taken
from .listening import TurnProgress
from .perceive import Heard


@dataclass(frozen=True)
class Work:
    """Chunk in progress: its `Chunk` event is in the record, its decision or reply is not complete.

    Attributes
    ----------
    heard, chunk, clip
        Perceived chunk, its index, and the index of its clip.
    queued_s
        Time in queues before the decision, in seconds.
    decide_s, reply_s
        Computing time of the decision and of the reply so far, in seconds.
    decided
        Time of the decision, in seconds of `time.perf_counter`.
    decision
        Decision on the chunk; None before it is made.
    steps
        Tokens and slides of the reply so far.
    """

    heard: Heard
    chunk: int
    clip: int
    queued_s: float
    decide_s: float = 0.0
    reply_s: float = 0.0
    decided: float = 0.0
    decision: Decision | None = None
    steps: int = 0


@dataclass(frozen=True)
class State:
    """Immutable state of the loop.

    Attributes
    ----------
    progress
        State of the context and of the reply in progress.
    taken
        Progress of the feed.
    work
        Chunk in progress, or None.
    clip, clip_open
        Index of the current clip, and whether a chunk of it was heard.
    watch
        Conditions observed in the input.
    features
        State of the running features after the newest perceived chunk.
    events, events_at
        Events of the last step, and the index in the record of the first of them.
    """

    progress: TurnProgress
    taken: Taken = field(default_factory=Taken)
    work: Work | None = None
    clip: int = 0
    clip_open: bool = False
    watch: InputWatch = field(default_factory=InputWatch)
    features: FeaturesMark = FRESH
    events: tuple[Event, ...] = ()
    events_at: int = 0


def timing_of(work: Work) -> Timing:
    """Build the timing of a chunk: durations of the monotonic clock, times converted to Unix time."""
    heard, origin, epoch = work.heard, work.heard.origin, time() - perf_counter()
    return Timing(
        work.chunk,
        heard.features_ms,
        heard.tower_ms,
        work.decide_s * 1e3,
        work.reply_s * 1e3,
        work.queued_s * 1e3,
        origin.stream,
        origin.seq,
        (epoch + origin.arrived) * 1e3,
        (epoch + work.decided) * 1e3,
        heard.encode_wait_ms if origin.microphone else 0.0,
        origin.age_s * 1e3 if origin.microphone else 0.0,
    )
