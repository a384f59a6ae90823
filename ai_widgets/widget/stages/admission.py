"""Every decision to drop, flag or refuse audio because of a policy or a full queue.

An arriving block is accepted, dropped, or accepted and ends the reply; a queued chunk may be evicted for newer ones.
The policies are in `LiveSettings`; the callers carry out what is decided here. No audio is dropped silently: a gap is
measured while it lasts, and a notice at its place in the audio reports its length when it ends. This module uses no
threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from ...audio.intake import Array, level_db
from ...audio.origin import Origin
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
    """Build the notice of dropped audio."""
    chunks = ceil(seconds / CHUNK_SECONDS - 1e-6)
    data = {"chunks": chunks, "seconds": round(seconds, 3), "why": why}
    return PendingNotice("dropped", f"{seconds:.1f} s of audio were dropped: {WHY[why]}.", data)


def _loud(samples: Array) -> bool:
    return len(samples) > 0 and level_db(samples) > INTERRUPT_DB


class Admission:
    """The drop policy of one session, with the gap that is open.

    Attributes
    ----------
    evicted
        Queued chunks that were dropped for newer ones so far.
    """

    def __init__(self) -> None:
        self.evicted = 0
        self._eviction = 0
        self._refused_s = 0.0
        self._why = ""
        self._gap_s = 0.0
        self._paused = False

    @property
    def dropped_s(self) -> float:
        """Seconds of audio dropped so far, on arrival or from the queue."""
        return self._refused_s + self.evicted * CHUNK_SECONDS

    def judge(
        self,
        samples: Array,
        rate: int,
        origin: Origin,
        live: LiveSettings,
        speaking: Callable[[], bool],
        waiting: int,
        *,
        gated: bool = False,
    ) -> Verdict:
        """Decide on a block from the browser.

        Parameters
        ----------
        samples, rate
            Mono float32 samples of the block and their rate in Hz.
        origin
            Origin of the block. The policies apply to microphones only: a file is read no faster than its chunks are
            decided.
        live
            The policies `arrival` and `overload`.
        speaking
            Returns whether the model generates a reply.
        waiting
            Chunks that are queued.
        gated
            Whether the page sent silence in place of the microphone's sound.
        """
        notices: list[PendingNotice] = []
        warning = ""
        why = ""
        if waiting >= MOST_WAITING:
            why = "full"
        elif origin.microphone:
            if live.overload == "pause":
                why, warning = self._pause(live, waiting, notices)
            if not why and live.arrival == "drop" and speaking():
                why = "speaking"
        if self._why and why != self._why:
            notices = [*self.end(), *notices]
        if why:
            if why == "full" and not self._why:
                warning = f"{MOST_WAITING * CHUNK_SECONDS / 60:.0f} minutes of audio are queued; new audio is dropped."
            self._why = why
            self._gap_s += len(samples) / rate
            self._refused_s += len(samples) / rate
            return Verdict(False, before=tuple(notices), warning=warning)
        dropped_before = any(notice.kind == "dropped" for notice in notices)
        waited = origin.microphone and speaking()
        conditions = {"gated": gated, "waited": waited, "dropped": dropped_before}
        flags = tuple(flag for flag, holds in conditions.items() if holds)
        interrupts = waited and live.arrival == "interrupt" and _loud(samples)
        return Verdict(True, flags, interrupts, tuple(notices))

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

    def evicts(self, origin: Origin, live: LiveSettings, waiting: int) -> bool:
        """Return whether a queued chunk is dropped for newer ones. Chunks of files never are: reading waits."""
        return origin.microphone and live.overload == "drop_oldest" and waiting > live.overload_chunks

    def evict(self) -> None:
        """Count a queued chunk that was dropped."""
        self.evicted += 1
        self._eviction += 1

    def end_eviction(self) -> PendingNotice | None:
        """Return the notice of the queued chunks dropped since the last decided chunk, or None."""
        count, self._eviction = self._eviction, 0
        return dropped(count * CHUNK_SECONDS, "overload") if count else None

    def _pause(self, live: LiveSettings, waiting: int, notices: list[PendingNotice]) -> tuple[str, str]:
        """Return why the policy `pause` drops audio now, and a sentence where dropping begins."""
        if self._paused:
            # Hysteresis: resuming at the limit itself would switch with every chunk.
            return ("overload", "") if waiting > live.overload_chunks // 2 else ("", "")
        if waiting < live.overload_chunks:
            return "", ""
        self._paused = True
        sentence = f"{waiting} chunks are queued; audio is dropped until the model has caught up."
        notices.append(PendingNotice("paused", sentence, {"why": "overload", "waiting": waiting}))
        return "overload", sentence
