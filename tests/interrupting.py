"""An error at the n-th line that this package runs, wherever that is; and what must hold after it.

A line is where CPython looks for Ctrl-C at the finest, and where an error of anything that is called comes up.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import ai_widgets
from ai_widgets.protocol import Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.session.session import StreamingSession
from ai_widgets.special_tokens import SpecialTokens

PACKAGE = str(Path(ai_widgets.__file__).parent)


class Bomb:
    """Raises `error` at line number `at`, counted over the whole package, while it is active.

    Attributes
    ----------
    lines
        Lines that have run.
    where
        Where it was raised, or None.
    """

    def __init__(self, at: int, error: type[BaseException]) -> None:
        self._at, self._error = at, error
        self.lines = 0
        self.where: str | None = None

    def __enter__(self) -> Bomb:
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:  # noqa: ARG002
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:  # noqa: ARG002
        if event == "line":
            self.lines += 1
            if self.lines == self._at:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
                sys.settrace(None)
                raise self._error("injected")
        return self._line


def retold(events: Sequence[Event], special: SpecialTokens) -> tuple[list[int], list[int]]:
    """What the context must hold, token for token, and what is due to be fed, if the record tells the truth."""
    prefix: list[int] = []
    held: list[tuple[int, list[int]]] = []
    due: list[int] = []
    block = [special["AUDIO_BEGIN"], *[special["PAD"]] * 10, special["ASSISTANT"]]
    for event in events:
        if isinstance(event, Decision):
            if not prefix:
                prefix = list(event.before)
            else:
                assert list(event.before) == due
                if held:
                    held[-1][1].extend(due)
            held.append((event.chunk, list(block)))
            due = [event.token]
        elif isinstance(event, Token):
            held[-1][1].extend(due)
            due = [event.token]
        elif isinstance(event, Turn):
            if event.ended == "TEXT_END":
                held[-1][1].extend(due)
                due = []
            due.append(special["TEXT_END"])
        elif isinstance(event, Notice) and event.kind == "context_slide":
            first, last = event.data["chunks"]
            held = [(chunk, tokens) for chunk, tokens in held if not first <= chunk <= last]
            due = due if held else []
        elif isinstance(event, Notice) and event.kind == "context_reset":
            prefix, held, due = [], [], []
    return [*prefix, *(token for _, tokens in held for token in tokens)], due


def parses(tokens: Sequence[int], special: SpecialTokens) -> bool:
    """Whether tokens, those that are due included, read as the protocol says (docs/protocol.md §3)."""
    letters = {"AUDIO_BEGIN": "A", "PAD": "p", "ASSISTANT": "a", "KEEP_SILENCE": "k", "TEXT_BEGIN": "T"}
    letters["TEXT_END"] = "E"
    names = {special[name]: letter for name, letter in letters.items()}
    line = "".join(names.get(token, "x") for token in tokens)
    # Prefix; whole chunks; at the end perhaps one whose decision or reply is at work.
    return re.fullmatch(r"(x*T+x*E(Ap{10}a(k|Tx*E))*(Ap{10}a(Tx*)?)?)?", line) is not None


def check(session: StreamingSession, *, complete: bool) -> None:
    """Context and record agree, and nothing that was heard is lost.

    `complete`: all that was given has been finished since, so every chunk has come to its end.
    """
    record, special = session.record, session.model.traits.tokens
    events = record.events
    tokens, due = retold(events, special)
    state = session._loop.state
    assert parses([*tokens, *due], special), (tokens, due)
    assert list(state.progress.due) == due
    assert len(tokens) == session.position
    chunks = record.of_type(Chunk)
    decisions = record.of_type(Decision)
    turns = record.of_type(Turn)
    assert [chunk.chunk for chunk in chunks] == list(range(len(chunks)))
    assert record.chunks_heard - len(chunks) in (0, 1)
    assert session.chunks_done == len(chunks)
    decided = [decision.chunk for decision in decisions]
    assert decided == sorted(set(decided))
    assert [turn.turn for turn in turns] == list(range(len(turns)))
    begun = [decision.chunk for decision in decisions if decision.choice == "TEXT_BEGIN"]
    assert [turn.chunk for turn in turns] == begun[: len(turns)]
    assert len(begun) - len(turns) == (state.progress.reply is not None)
    for turn in turns:
        assert tuple(e.token for e in record.of_type(Token) if e.turn == turn.turn) == turn.tokens
    if not session.closed:
        # A slide that is committed is carried out by the next step.
        assert session._loop.turns.settle(state.progress)
        context: Any = session._loop.turns._context
        assert context.position == session.position
        if hasattr(context, "tokens"):
            assert context.tokens == tokens
    if complete:
        assert state.work is None
        assert len(begun) == len(turns)
        assert record.chunks_heard == len(chunks)
        passed_over = {notice.chunk for notice in record.of_type(Notice) if notice.kind in ("undecided", "dropped")}
        for chunk in chunks:
            told = "unheard" in chunk.flags or chunk.chunk in passed_over
            assert (chunk.chunk in decided) != told, chunk
        timed = [timing.chunk for timing in record.of_type(Timing)]
        assert timed == decided
