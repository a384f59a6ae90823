"""Order of a session's events: chunk after chunk, one decision each, tokens and a turn after TEXT_BEGIN.

The rules are those of `session.loop` and `session.turns`. A record whose events follow them can be read, replayed and
drawn, whatever a page sends next.
"""

from __future__ import annotations

from ...errors import EventError
from ...protocol import Chunk, Decision, Event, Notice, Timing, Token, Turn

FREE_BYTES = 1_000_000
"""Bytes of notices that a session may have before its first chunk: settings may change while no audio arrives."""
BYTES_A_CHUNK = 16_384
"""Bytes of notices that each chunk adds to these. A session of this package has less than one notice a chunk, of some
300 bytes; what a record holds grows with the length of its audio and with nothing else."""


class EventOrder:
    """Where a session is between two events.

    Attributes
    ----------
    chunks, turns
        Number of chunks, and of replies that have begun.
    replying
        Whether a reply has begun and has not ended.
    """

    def __init__(self) -> None:
        self.chunks = self.turns = 0
        self.replying = False
        self._clip = 0
        self._decided = self._timed = True
        self._unheard = self._ended = False
        self._tokens: list[int] = []
        self._notices = 0

    def check(self, event: Event, size: int) -> None:
        """Check that an event may follow.

        Parameters
        ----------
        event
            Event whose fields are checked already.
        size
            Its size in bytes.

        Raises
        ------
        EventError
            If no session has this event here.
        """
        match event:
            case Chunk():
                _demand(not self.replying, "A chunk must not begin before the reply has ended.")
                _demand(event.chunk == self.chunks, f"The next chunk has the index {self.chunks}, not {event.chunk}.")
                after = self._clip + (self.chunks > 0)
                _demand(self._clip <= event.clip <= after, f"The clip of this chunk is {self._clip} or {after}.")
            case Decision():
                self._check_newest(event)
                _demand(
                    not (self._decided or self._unheard or self._ended),
                    "A chunk is decided once, and not at all if it is unheard or the session has ended.",
                )
                _demand(event.clip == self._clip, f"The clip of this decision is {self._clip}.")
            case Token():
                self._check_newest(event)
                self._check_reply(event)
                _demand(event.index == len(self._tokens), f"The next token has the index {len(self._tokens)}.")
            case Turn():
                self._check_newest(event)
                self._check_reply(event)
                _demand(event.tokens == tuple(self._tokens), "A turn has the tokens of its reply.")
                _demand(event.clip == self._clip, f"The clip of this turn is {self._clip}.")
            case Timing():
                self._check_newest(event)
                _demand(
                    self._decided and not self._timed and not self.replying,
                    "A timing follows the decision and the reply of its chunk, once.",
                )
            case Notice():
                self._check_notice(event, size)

    def take(self, event: Event, size: int) -> None:
        """Go on to an event that `check` has allowed."""
        match event:
            case Chunk():
                self.chunks += 1
                self._clip = event.clip
                self._decided = self._timed = False
                self._unheard = "unheard" in event.flags
            case Decision():
                self._decided = True
                if event.choice == "TEXT_BEGIN":
                    self.replying, self._tokens = True, []
                    self.turns += 1
            case Token():
                self._tokens.append(event.token)
            case Turn():
                self.replying, self._tokens = False, []
            case Timing():
                self._timed = True
            case Notice():
                self._notices += size
                self._ended = self._ended or _ends(event)

    def _check_newest(self, event: Decision | Token | Turn | Timing) -> None:
        newest = self.chunks - 1
        _demand(
            self.chunks > 0 and event.chunk == newest, f"This {event.type} must be of chunk {newest}, the newest one."
        )

    def _check_reply(self, event: Token | Turn) -> None:
        _demand(self.replying, f"A {event.type} must follow a decision TEXT_BEGIN, before its reply has ended.")
        _demand(event.turn == self.turns - 1, f"The reply has the index {self.turns - 1}.")

    def _check_notice(self, notice: Notice, size: int) -> None:
        _demand(notice.chunk <= self.chunks, f"A notice belongs to a chunk up to {self.chunks}.")
        allowed = FREE_BYTES + BYTES_A_CHUNK * self.chunks
        _demand(
            self._notices + size <= allowed, f"Notices of {self.chunks} chunks have at most {allowed} bytes in all."
        )
        _demand(
            not _ends(notice) or (self.chunks > 0 and not self._decided and not self._ended),
            f"A session ends once with {notice.kind}, at a chunk without a decision.",
        )


def _ends(notice: Notice) -> bool:
    """Return whether a notice ends the session, as a replay reads it (`session.script`)."""
    return notice.kind in ("limit", "context_full") and "drawn" in notice.data


def _demand(holds: bool, sentence: str) -> None:
    if not holds:
        raise EventError(sentence)
