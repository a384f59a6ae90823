"""Print the transcript of ``ai-widgets run``: one line per reply, token by token, and one line per notice.

Notices about the context, of which a long file has hundreds, are counted and summarised at the end; a notice during a
reply is printed after the reply. The JSON lines have all notices. A terminal also shows a bar of decisions and the
progress through the file.
"""

from __future__ import annotations

import math
from collections import Counter
from time import perf_counter
from typing import Any, TextIO

from ..errors import printable
from ..protocol import CHUNK_SECONDS, Decision, Event, Notice, Token, Turn
from ..record.transcript import clock, counted
from .terminal import can_show

COUNTED = {
    "context_slide": "the context slid {times}",
    "context_reset": "the context was emptied {times}",
}
"""Kinds of notices that are only counted, with the text of the summary."""
BAR = 40
"""Decisions in the bar of a terminal: 16 s of audio, in half a line of 80 columns."""
PROGRESS_EVERY_S = 0.2
"""Seconds between two updates of the progress line: more would only slow the terminal."""


class Transcript:
    """The transcript of a run on a text stream.

    Parameters
    ----------
    screen
        Stream to write to; a terminal also gets lines that are overwritten.
    total_s
        Seconds of audio of the whole run, for the time left; None if unknown.
    """

    def __init__(self, screen: TextIO, total_s: float | None = None) -> None:
        self._screen, self._total_s = screen, total_s
        self._decided, self._deciding_s, self._decided_at = 0, 0.0, perf_counter()
        self._live = screen.isatty()
        fancy = can_show(screen, "▶·─×")
        self._speaks, self._silent, self._rule, self._by = ("▶", "·", "──", "×") if fancy else (">", ".", "--", "x")
        self._turn: int | None = None
        self._held: list[Notice] = []
        self._counted: Counter[str] = Counter()
        self._bar, self._drawn = "", False
        self._began, self._shown = perf_counter(), 0.0

    def clip(self, name: str) -> None:
        """Begin another file."""
        self._clear()
        self._began, self._shown = perf_counter(), 0.0
        print(f"{self._rule} {printable(name)}", file=self._screen, flush=True)

    def progress(self, done_s: float, of_s: float | None) -> None:
        """Show how much of the file was measured for its floor, before the first decision."""
        now = perf_counter()
        if not self._live or now - self._shown < PROGRESS_EVERY_S:
            return
        self._shown = now
        words = f"{clock(done_s)} measured"
        if of_s:
            share = min(1.0, done_s / of_s)
            left = (now - self._began) * (1 - share) / share if share else 0.0
            words = f"measuring the file {share:4.0%}, {left:.0f} s left"
        self._draw(words)

    def show(self, event: Event) -> None:
        """Show one event of the session."""
        if isinstance(event, Decision):
            self._bar = (self._bar + (self._speaks if event.choice == "TEXT_BEGIN" else self._silent))[-BAR:]
            self._count()
            if self._live:
                self._draw(f"{clock(event.start_s)} {self._bar}{self._left()}")
        elif isinstance(event, Token):
            if self._turn != event.turn:
                self._open_reply(event)
                self._turn = event.turn
            # Model text may hold control characters; a terminal must not act on them.
            print(printable(event.text), end="", file=self._screen, flush=self._live)
        elif isinstance(event, Turn):
            self._end_reply(event)
        elif isinstance(event, Notice):
            self._notice(event)

    def end(self, summary: dict[str, Any]) -> None:
        """Print the summary: counted notices, and the figures of the run."""
        self._clear()
        speed = summary["audio_s"] / summary["elapsed_s"] if summary["elapsed_s"] else math.inf
        notices = [COUNTED[kind].format(times=_times(count)) for kind, count in sorted(self._counted.items())]
        figures = [
            f"{summary['audio_s']:.1f} s heard",
            counted(summary["decisions"], "decision"),
            counted(summary["replies"], "reply"),
            *notices,
            f"{speed:.0f}{self._by} real time",
        ]
        print(", ".join(figures), file=self._screen, flush=True)

    def _open_reply(self, event: Token | Turn) -> None:
        self._clear()
        print(f"{clock((event.chunk + 1) * CHUNK_SECONDS)}  ", end="", file=self._screen)

    def _end_reply(self, turn: Turn) -> None:
        if self._turn != turn.turn:
            self._open_reply(turn)
            # A policy's reply is a fixed text without tokens.
            print(printable(turn.text) or "(empty reply)", end="", file=self._screen)
        mark = "" if turn.emotion is None else f"  [{turn.emotion.value}]"
        print(mark if turn.ended == "TEXT_END" else f"{mark} ({turn.ended})", file=self._screen)
        self._turn = None
        held, self._held = self._held, []
        for notice in held:
            self._notice(notice)

    def _notice(self, notice: Notice) -> None:
        if notice.kind in COUNTED:
            self._counted[notice.kind] += 1
        elif self._turn is not None:
            self._held.append(notice)
        else:
            self._clear()
            print(f"{clock(notice.chunk * CHUNK_SECONDS)}  ! {printable(notice.message)}", file=self._screen)

    def _count(self) -> None:
        """Count a decision and the time that it took; the measuring of a file, which comes between, has its own."""
        now = perf_counter()
        self._deciding_s += now - max(self._decided_at, self._shown)
        self._decided, self._decided_at = self._decided + 1, now

    def _left(self) -> str:
        """Format the share of the run that is decided, and the time until its end at this speed."""
        if not self._total_s:
            return ""
        share = min(1.0, self._decided * CHUNK_SECONDS / self._total_s)
        return f" {share:4.0%}, {self._deciding_s * (1 - share) / share:.0f} s left"

    def _draw(self, words: str) -> None:
        """Draw a line that the next output overwrites; for terminals only."""
        print(f"\r\033[K{words}", end="", file=self._screen, flush=True)
        self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            print("\r\033[K", end="", file=self._screen)
            self._drawn = False


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
