"""What becomes of audio at the moment it arrives: taken, refused, or taken so that it ends the reply.

The rules are those of `LiveSettings`. Nothing is refused silently: a gap is counted while it lasts and told, in its
place among the audio, when it ends. Nothing here knows threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from ..audio.intake import Array, level_db
from ..protocol import CHUNK_SECONDS
from .live_settings import LiveSettings

MOST_WAITING = 1500
"""Chunks (ten minutes) that may wait under any policy; a sender that is faster than that must not fill the memory."""
INTERRUPT_DB = -40.0
"""Level from which arriving audio ends a reply: well above a quiet room, well below speech."""

WHY = {
    "speaking": "the model was speaking",
    "overload": "the model was slower than real time",
    "full": "the queue was full",
    "closed": "the widget was closed",
}


@dataclass(frozen=True)
class Remark:
    """A notice in the making."""

    kind: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What becomes of one block.

    Attributes
    ----------
    taken
        Whether it is fed to the model.
    flags
        Flags it carries from now on.
    interrupts
        Whether it ends the reply.
    before
        What is to be noted in front of it.
    warning
        A sentence to be shown at once, since a notice takes its turn.
    """

    taken: bool
    flags: tuple[str, ...] = ()
    interrupts: bool = False
    before: tuple[Remark, ...] = ()
    warning: str = ""


def dropped(seconds: float, why: str) -> Remark:
    """The notice of audio that was left out."""
    chunks = ceil(seconds / CHUNK_SECONDS - 1e-6)
    data = {"chunks": chunks, "seconds": round(seconds, 3), "why": why}
    return Remark("dropped", f"{seconds:.1f} s of audio were dropped: {WHY[why]}.", data)


class Admission:
    """The door of one session.

    Attributes
    ----------
    dropped_s
        Seconds refused so far.
    """

    def __init__(self) -> None:
        self.dropped_s = 0.0
        self._why = ""
        self._gap_s = 0.0
        self._paused = False

    def judge(
        self, samples: Array, rate: int, live: LiveSettings, mic: bool, speaking: Callable[[], bool], waiting: int
    ) -> Verdict:
        """What becomes of a block from the browser.

        Parameters
        ----------
        samples, rate
            The block.
        live
            The rules.
        mic
            Whether it comes from a microphone: a file comes as fast as it is taken, so only a microphone can come while
            the model speaks, or too fast.
        speaking
            Says whether a reply is being spoken.
        waiting
            Chunks that wait.
        """
        remarks: list[Remark] = []
        warning = ""
        why = ""
        if waiting >= MOST_WAITING:
            why = "full"
        elif mic:
            why, warning = self._overload(live, waiting, remarks)
            if not why and live.arrival == "drop" and speaking():
                why = "speaking"
        if self._why and why != self._why:
            remarks = [*self.end(), *remarks]
        flags: tuple[str, ...] = ()
        if why:
            if why == "full" and not self._why:
                warning = f"{MOST_WAITING * CHUNK_SECONDS / 60:.0f} minutes of audio are queued; new audio is dropped."
            self._why = why
            self._gap_s += len(samples) / rate
            self.dropped_s += len(samples) / rate
            return Verdict(False, before=tuple(remarks), warning=warning)
        if any(remark.kind == "dropped" for remark in remarks):
            flags = ("dropped",)
        loud = mic and live.arrival == "interrupt" and len(samples) > 0 and level_db(samples) > INTERRUPT_DB
        return Verdict(True, flags, loud and speaking(), tuple(remarks))

    def end(self) -> list[Remark]:
        """End the gap, if there is one: what is to be noted."""
        remarks: list[Remark] = []
        if self._why:
            remarks.append(dropped(self._gap_s, self._why))
        if self._paused and self._why == "overload":
            remarks.append(Remark("resumed", "The model has caught up; audio is accepted again.", {"why": "overload"}))
            self._paused = False
        self._why, self._gap_s = "", 0.0
        return remarks

    def _overload(self, live: LiveSettings, waiting: int, remarks: list[Remark]) -> tuple[str, str]:
        """Why the policy `pause` refuses audio now, and the sentence where it begins to."""
        if live.overload != "pause":
            return "", ""
        if self._paused:
            # Half is decided first: else it would switch on and off with every chunk.
            return ("overload", "") if waiting > live.overload_chunks // 2 else ("", "")
        if waiting < live.overload_chunks:
            return "", ""
        self._paused = True
        sentence = f"{waiting} chunks are queued; audio is dropped until the model has caught up."
        remarks.append(Remark("paused", sentence, {"why": "overload", "waiting": waiting}))
        return "overload", sentence
