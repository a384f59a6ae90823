"""State of the context and of the reply in progress: one immutable value that each step of `turns` replaces."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from ..protocol import CHUNK_SECONDS, Event, Notice
from ..settings import Settings
from .detokenize import ReplyText
from .held import SPARE, Left, Window
from .terms import Terms


@dataclass(frozen=True)
class Reply:
    """Reply in progress: its index, the chunk and clip that it answers, and its text so far."""

    turn: int
    chunk: int
    clip: int
    text: ReplyText


@dataclass(frozen=True)
class TurnState:
    """Immutable state of the context and of the reply in progress.

    Attributes
    ----------
    terms
        Resolved settings in use.
    random
        State of the random generator of the draws.
    window
        Chunks in the context.
    due
        Tokens that are drawn, or that end a truncated reply, but are not fed yet. The next feed begins with them; they
        belong to the newest chunk in the context.
    drawn, turns
        Number of tokens drawn and of replies begun since the start of the session.
    reply
        Reply in progress, or None.
    leaving
        Number of positions behind the prefix that the last step evicted.
    ended
        Reason why the session has ended, as a sentence, or None.
    """

    terms: Terms
    random: Any
    window: Window = field(default_factory=Window)
    due: tuple[int, ...] = ()
    drawn: int = 0
    turns: int = 0
    reply: Reply | None = None
    leaving: int = 0
    ended: str | None = None

    @property
    def settings(self) -> Settings:
        """Settings in use."""
        return self.terms.settings

    @property
    def prefix(self) -> tuple[int, ...]:
        """Tokens at the start of the context; empty before the first chunk."""
        return self.window.prefix

    @property
    def positions(self) -> int:
        """Number of context positions in use."""
        return self.window.positions

    @property
    def limit(self) -> int:
        """Maximum number of context positions."""
        return self.terms.framing.limit

    @property
    def room(self) -> int:
        """Number of free positions; negative after the limit was lowered below the positions in use."""
        return self.terms.framing.limit - self.window.positions

    def forgotten(self) -> TurnState:
        """Return the state with an empty context."""
        return replace(self, window=Window(), due=(), leaving=0)

    def slid(self, chunk: int, positions: int, chunks: float, keep: int) -> tuple[TurnState, list[Event]]:
        """Evict the oldest chunks to free `positions` and `chunks`, and return the state and the notice.

        Parameters
        ----------
        chunk
            Index of the chunk that needs the room.
        positions, chunks
            Number of positions and of chunks to free; 0 or less for none.
        keep
            Number of the newest chunks that are never evicted.
        """
        most, limit = self.terms.max_chunks, self.terms.framing.limit
        spare = limit // SPARE, 0 if math.isinf(most) else int(most) // SPARE
        found = self.window.without_oldest(positions, 0 if math.isinf(chunks) else int(chunks), keep, spare)
        if found is None:
            return self, []
        window, left = found
        # The tokens in `due` belong to the newest chunk and are dropped with it.
        after = replace(self, window=window, due=self.due if len(window) else (), leaving=left.positions)
        return after, [_slide_notice(chunk, left, window.positions, limit)]


def _slide_notice(chunk: int, left: Left, used: int, limit: int) -> Notice:
    replies = "" if not left.turns else f" and {left.turns} {'reply' if left.turns == 1 else 'replies'}"
    message = (
        f"The oldest {left.chunks * CHUNK_SECONDS:.1f} s of audio{replies} were evicted from the context; "
        f"{used} of {limit} positions are used."
    )
    data = {"chunks": [left.first, left.last], "turns": left.turns, "positions": left.positions}
    return Notice(chunk, "context_slide", message, {**data, "used": used, "limit": limit})


def ended(state: TurnState, chunk: int, kind: str, message: str) -> tuple[TurnState, list[Event]]:
    """Return the state of a session that takes no more audio, and the notice why."""
    data = {"used": state.window.positions, "limit": state.terms.framing.limit, "drawn": state.drawn}
    return replace(state, ended=message), [Notice(chunk, kind, message, data)]


def reply_limit(state: TurnState, spoken: int) -> str | None:
    """Return the limit that forbids another token of the reply, in words, or None."""
    if state.room < len(state.due):
        return f"the context's {state.terms.framing.limit} positions are used"
    most = state.terms.settings.max_reply_tokens
    if most is not None and spoken >= most:
        return f"it reached {most} tokens (max_reply_tokens)"
    allowed = state.terms.max_new_tokens
    if allowed is not None and state.drawn >= allowed:
        return f"the session has drawn its {allowed} tokens (max_new_tokens)"
    return None
