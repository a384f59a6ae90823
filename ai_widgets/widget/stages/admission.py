"""Decide for each arriving audio block: accept it, drop it, or accept it and interrupt the reply.

The policy is set by `LiveSettings`. No audio is dropped silently: a gap is measured while it lasts, and a notice at
its place in the audio reports its length when it ends. This module uses no threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from ...audio.intake import Array, level_db
from ...protocol import CHUNK_SECONDS
from ..live_settings import LiveSettings

MOST_WAITING = 1500
"""Chunks that may be queued under any policy (10 minutes): a sender faster than the model must not fill the memory."""
INTERRUPT_DB = -40.0
"""Level in dB above which arriving audio interrupts a reply: well above a quiet room, well below speech."""

WHY = {
    "speaking": "the model was speaking",
    "overload": "the model was slower than real time",
    "full": "the queue was full",
    "closed": "the widget was closed",
}


@dataclass(frozen=True)
class PendingNotice:
    """A notice that has no place in the record yet."""

    kind: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The decision on one block.

    Attributes
    ----------
    taken
        Whether the block is fed to the model.
    flags
        Flags to add to the block.
    interrupts
        Whether the block interrupts the reply.
    before
        Notices to record before the block.
    warning
        Sentence to show at once, since a notice is recorded only when its place in the queue is reached.
    """

    taken: bool
    flags: tuple[str, ...] = ()
    interrupts: bool = False
    before: tuple[PendingNotice, ...] = ()
    warning: str = ""


def dropped(seconds: float, why: str) -> PendingNotice:
    """Make the notice of dropped audio."""
    chunks = ceil(seconds / CHUNK_SECONDS - 1e-6)
    data = {"chunks": chunks, "seconds": round(seconds, 3), "why": why}
    return PendingNotice("dropped", f"{seconds:.1f} s of audio were dropped: {WHY[why]}.", data)


class Admission:
    """The drop policy of one session, with the gap that is open.

    Attributes
    ----------
    dropped_s
        Seconds of audio dropped on arrival so far.
    """

    def __init__(self) -> None:
        self.dropped_s = 0.0
        self._why = ""
        self._gap_s = 0.0
        self._paused = False

    def judge(
        self, samples: Array, rate: int, live: LiveSettings, mic: bool, speaking: Callable[[], bool], waiting: int
    ) -> Verdict:
        """Decide on a block from the browser.

        Parameters
        ----------
        samples, rate
            Mono float32 samples of the block and their rate in Hz.
        live
            The policies `arrival` and `overload`.
        mic
            Whether the block comes from a microphone. The policies apply to microphones only: a file is read no faster
            than its chunks are decided.
        speaking
            Returns whether the model generates a reply.
        waiting
            Chunks that are queued.
        """
        notices: list[PendingNotice] = []
        warning = ""
        why = ""
        if waiting >= MOST_WAITING:
            why = "full"
        elif mic:
            why, warning = self._overload(live, waiting, notices)
            if not why and live.arrival == "drop" and speaking():
                why = "speaking"
        if self._why and why != self._why:
            notices = [*self.end(), *notices]
        flags: tuple[str, ...] = ()
        if why:
            if why == "full" and not self._why:
                warning = f"{MOST_WAITING * CHUNK_SECONDS / 60:.0f} minutes of audio are queued; new audio is dropped."
            self._why = why
            self._gap_s += len(samples) / rate
            self.dropped_s += len(samples) / rate
            return Verdict(False, before=tuple(notices), warning=warning)
        if any(notice.kind == "dropped" for notice in notices):
            flags = ("dropped",)
        loud = mic and live.arrival == "interrupt" and len(samples) > 0 and level_db(samples) > INTERRUPT_DB
        return Verdict(True, flags, loud and speaking(), tuple(notices))

    def end(self) -> list[PendingNotice]:
        """End the open gap, if there is one, and return the notices to record."""
        notices: list[PendingNotice] = []
        if self._why:
            notices.append(dropped(self._gap_s, self._why))
        if self._paused and self._why == "overload":
            notices.append(
                PendingNotice("resumed", "The model has caught up; audio is accepted again.", {"why": "overload"})
            )
            self._paused = False
        self._why, self._gap_s = "", 0.0
        return notices

    def _overload(self, live: LiveSettings, waiting: int, notices: list[PendingNotice]) -> tuple[str, str]:
        """Return why the policy `pause` drops audio now, and a sentence where dropping begins."""
        if live.overload != "pause":
            return "", ""
        if self._paused:
            # Hysteresis: resuming at the limit itself would switch with every chunk.
            return ("overload", "") if waiting > live.overload_chunks // 2 else ("", "")
        if waiting < live.overload_chunks:
            return "", ""
        self._paused = True
        sentence = f"{waiting} chunks are queued; audio is dropped until the model has caught up."
        notices.append(PendingNotice("paused", sentence, {"why": "overload", "waiting": waiting}))
        return "overload", sentence
