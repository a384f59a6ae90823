"""`HeldPast`: what the context at a class server holds, kept in the learner's kernel so that another server can go on.

It follows the events of the session, and is one immutable value as all of a session's state: an interrupted step
changes nothing. Its size is that of the context, and at most `past.MAX_PAST_CHUNKS` chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...audio.features import Array, Mark
from ...protocol import Decision, Notice, Token, Turn
from ...session.pasts import CUT, END, Kept
from ...settings import Settings
from .past import MAX_PAST_CHUNKS


@dataclass(frozen=True, eq=False)
class Sent:
    """Chunk as it is sent to a server.

    Attributes
    ----------
    samples
        float32 [6400], 16 kHz.
    before
        State of the running features before it.
    """

    samples: Array
    before: Mark


@dataclass(frozen=True)
class HeldPast:
    """Past of a session at a server.

    Attributes
    ----------
    chunks, numbers
        Chunks that the context holds, oldest first, and their indices in the session.
    dropped
        Older chunks that the context holds but this past does not, because it is full.
    draws
        Random numbers drawn since the seed was set.
    begun
        Whether the context begins with the prefix.
    exact
        Whether no chunk was evicted since the context was empty, so that nothing else has had an influence on it.
    settings
        Settings of the newest decision; None before the first.
    """

    chunks: tuple[Kept, ...] = ()
    numbers: tuple[int, ...] = ()
    dropped: int = 0
    draws: int = 0
    begun: bool = False
    exact: bool = True
    settings: Settings | None = None

    def decided(self, decision: Decision, chunk: int, sent: Sent, settings: Settings) -> HeldPast:
        """Return the past after a decision."""
        over = max(0, len(self.chunks) + 1 - MAX_PAST_CHUNKS)
        kept = Kept(sent.samples, decision.token, before=sent.before)
        return replace(
            self,
            chunks=(*self.chunks[over:], kept),
            numbers=(*self.numbers[over:], chunk),
            dropped=self.dropped + over,
            draws=self.draws + (decision.draw is not None),
            begun=True,
            exact=self.exact and not over,
            settings=settings,
        )

    def spoken(self, token: Token) -> HeldPast:
        """Return the past after a token of a reply."""
        past = replace(self, draws=self.draws + (token.draw is not None))
        if not self.chunks:
            return past
        newest = self.chunks[-1]
        return replace(past, chunks=(*self.chunks[:-1], replace(newest, reply=(*newest.reply, token.token))))

    def ended(self, turn: Turn) -> HeldPast:
        """Return the past after the end of a reply, which is drawn as a token unless the reply was cut."""
        drawn = turn.ended == "TEXT_END"
        counted = drawn and self.settings is not None and not self.settings.greedy
        past = replace(self, draws=self.draws + counted)
        if not self.chunks:
            return past
        return replace(past, chunks=(*self.chunks[:-1], replace(self.chunks[-1], ended=END if drawn else CUT)))

    def noticed(self, notice: Notice) -> HeldPast:
        """Return the past after a notice: the context was reset, or chunks were evicted from it."""
        if notice.kind == "context_reset":
            started_over = notice.data.get("why") == "server"
            return HeldPast(draws=0 if started_over else self.draws, settings=self.settings)
        if notice.kind != "context_slide":
            return self
        first, last = notice.data["chunks"]
        evicted = int(last) - int(first) + 1
        count = max(0, evicted - self.dropped)
        return replace(
            self,
            chunks=self.chunks[count:],
            numbers=self.numbers[count:],
            dropped=max(0, self.dropped - evicted),
            exact=False,
        )

    def reseeded(self) -> HeldPast:
        """Return the past after another seed was set."""
        return replace(self, draws=0)
