"""Endpointing baselines with the interface of a session: they reply whenever speech ends, regardless of its content.

    energy.EnergyPolicy      speech is audio louder than its background          nothing to install
    silero.SileroPolicy      speech is what silero-vad detects                   pip install "ai_widgets[eval]"

Both have two parts: a *detector* scores every window of audio, and an `Endpointer` turns the scores into one decision
per chunk: TEXT_BEGIN once speech was followed by `hangover_s` of non-speech. The reply is a fixed text. p(TEXT_BEGIN)
is 1 where the rule fires, else 0: a detector's probability of speech is no probability of a reply.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..audio.intake import ChunkAudio, Chunker, cut, envelope, level_db, mono_with_flags, repair, silence
from ..errors import SettingError
from ..protocol import CHUNK_SECONDS, SAMPLE_RATE, Chunk, Decision, Event, Timing, Turn
from ..record.record import SessionRecord

Array = npt.NDArray[np.float32]

REPLY = "I heard you speak."
KEEP_SILENCE, TEXT_BEGIN = 0, 1
"""Token ids in a baseline's events; a baseline has no vocabulary."""
CERTAIN = 1e-9
"""Distance from 0 and 1 of the probabilities that the reported logits give, since a logit must be finite."""


class Detector(Protocol):
    """A stateful function that scores windows of audio in order; a higher score means speech is more likely."""

    @property
    def window(self) -> int:
        """Samples of one window."""

    def __call__(self, samples: Array) -> float:
        """Score the next window, float32 [window] at 16 kHz."""


@dataclass(frozen=True, kw_only=True)
class Endpointing:
    """The rule of an endpointing baseline: finite numbers, at least 0 except `threshold`; others raise `SettingError`.

    Attributes
    ----------
    threshold
        Score from which on a window is speech.
    release
        Hysteresis: how far below the threshold a score must fall to count as non-speech; in between the state is kept.
    hangover_s
        Seconds of non-speech after speech until the reply.
    shortest_s
        Seconds of speech that a reply needs; shorter speech is ignored.
    """

    threshold: float
    release: float
    hangover_s: float = 0.6
    shortest_s: float = 0.1

    def __post_init__(self) -> None:
        for name in ("threshold", "release", "hangover_s", "shortest_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise SettingError(f"{name} must be a number, not {value!r}.")
            if name != "threshold" and value < 0:
                raise SettingError(f"{name} must be at least 0, not {value!r}.")


class Endpointer:
    """The state machine of the rule, which turns the scores of a chunk into a decision."""

    def __init__(self, rule: Endpointing, window: int) -> None:
        self._rule = rule
        self._seconds = window / SAMPLE_RATE
        self._speaking = False
        self._spoken = 0.0
        self._silent = 0.0

    def after(self, scores: Sequence[float]) -> bool:
        """Take the scores of the windows that ended in a chunk. Return True to reply after this chunk."""
        rule = self._rule
        for score in scores:
            if score >= rule.threshold:
                self._speaking, self._silent = True, 0.0
            elif score < rule.threshold - rule.release:
                self._speaking = False
            if self._speaking:
                self._spoken += self._seconds
            else:
                self._silent += self._seconds
                if self._spoken < rule.shortest_s and self._silent >= rule.hangover_s:
                    self._spoken = 0.0
        # The tolerance allows for rounding in the sum of window lengths.
        due = self._spoken >= rule.shortest_s and not self._speaking and self._silent >= rule.hangover_s - 3e-5
        if due:
            self._spoken = 0.0
        return due


class EndpointingPolicy:
    """A baseline with a session's interface: audio in, `Chunk`, `Decision`, `Turn` and `Timing` out.

    Parameters
    ----------
    detector
        Scores the windows. Detectors have state, so policies must not share one.
    rule
        When to reply.
    record
        Record of events and audio; a new record by default.
    """

    name: ClassVar[str] = "endpointing"

    def __init__(self, detector: Detector, rule: Endpointing, record: SessionRecord | None = None) -> None:
        self.rule = rule
        self.record = record if record is not None else SessionRecord()
        self._detector = detector
        self._endpointer = Endpointer(rule, detector.window)
        self._chunker = Chunker()
        self._rest: Array = np.zeros(0, np.float32)
        self._chunk = 0
        self._clip = 0
        self._turn = 0

    @property
    def ended(self) -> None:
        """None: a baseline has no context that could become full, so it never ends."""
        return

    @property
    def chunks_done(self) -> int:
        """Number of decided chunks, which is the index of the next chunk."""
        return self._chunk

    @property
    def window(self) -> int:
        """Samples of the detector's windows."""
        return self._detector.window

    def interrupt(self) -> None:
        """Do nothing: a reply is a fixed text that is complete at once."""

    def push(self, samples: npt.ArrayLike) -> list[Event]:
        """Feed the next audio of a stream and return the events; 16 kHz, mono, float in [-1, 1] or integer."""
        row, flags = mono_with_flags(samples)
        array, broken = repair(row)
        return self._all(self._chunker.push(array, (*flags, "repaired") if broken else flags))

    def finish(self, tail_silence: float = 0.0) -> list[Event]:
        """End the recording: the rest is padded to a chunk, and `tail_silence` seconds of silence follow."""
        events = self._all([*self._chunker.flush(), *silence(tail_silence)])
        self._clip += 1
        return events

    def push_clip(
        self,
        samples: npt.ArrayLike,
        *,
        floor: str = "clip",  # noqa: ARG002 - a session's option; there are no log-mels here
        tail_silence: float = 1.0,
    ) -> list[Event]:
        """Feed one whole clip, padded to chunks and followed by silence."""
        row, flags = mono_with_flags(samples)
        array, broken = repair(row)
        before = self._all(self._chunker.flush())
        clip = self._all([*cut(array, (*flags, "repaired") if broken else flags), *silence(tail_silence)])
        self._clip += 1
        return [*before, *clip]

    def scores(self, samples: Array) -> list[float]:
        """Score the windows that end in the next samples; an incomplete window is kept for the next call."""
        waiting = np.concatenate([self._rest, samples])
        size = self._detector.window
        whole = len(waiting) // size * size
        self._rest = waiting[whole:]
        return [self._detector(window) for window in waiting[:whole].reshape(-1, size)]

    def _all(self, chunks: Sequence[ChunkAudio]) -> list[Event]:
        events = [event for chunk in chunks for event in self._step(chunk)]
        for event in events:
            self.record.append(event)
        return events

    def _step(self, heard: ChunkAudio) -> list[Event]:
        started = perf_counter()
        chunk, self._chunk = self._chunk, self._chunk + 1
        start_s = chunk * CHUNK_SECONDS
        samples = heard.samples
        kept = self.record.append_audio(samples)
        scores = self.scores(samples)
        scored = perf_counter()
        reply = self._endpointer.after(scores)
        events: list[Event] = [
            Chunk(chunk, self._clip, start_s, level_db(samples), envelope(samples), heard.flags),
            *kept,
            _decision(chunk, self._clip, reply),
        ]
        if reply:
            turn, self._turn = self._turn, self._turn + 1
            events.append(Turn(chunk, turn, self._clip, start_s, None, REPLY, (), "TEXT_END"))
        events.append(Timing(chunk, (scored - started) * 1e3, 0.0, (perf_counter() - scored) * 1e3, 0.0, 0.0))
        return events

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.rule}, {self._chunk} chunks, {self._turn} replies>"


def _decision(chunk: int, clip: int, reply: bool) -> Decision:
    p_text = float(reply)
    certain = math.log((1 - CERTAIN) / CERTAIN)
    return Decision(
        chunk=chunk,
        clip=clip,
        start_s=chunk * CHUNK_SECONDS,
        token=TEXT_BEGIN if reply else KEEP_SILENCE,
        choice="TEXT_BEGIN" if reply else "KEEP_SILENCE",
        p_keep=1 - p_text,
        p_text=p_text,
        p_other=0.0,
        logit_keep=0.0,
        logit_text=certain if reply else -certain,
        p_drawn=1.0,
        draw=None,
        argmax=TEXT_BEGIN if reply else KEEP_SILENCE,
        position=chunk,
    )
