"""Decide and respond: what the model makes of a perceived chunk.

`TurnTaking` holds the growing context of one session and the order in which tokens are fed (PROTOCOL.md §3). It yields
events and keeps no record.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from .errors import SessionError
from .framing import Framing
from .model.checkpoint import LoadedModel
from .model.sampling import Distribution, Draw, SamplingRule, draw
from .protocol import (
    CHUNK_SECONDS,
    Alternative,
    Choice,
    Decision,
    Ending,
    Event,
    Notice,
    Token,
    Turn,
)
from .reply import ReplyText
from .settings import CARD_MAX_NEW_TOKENS, Settings
from .window import SPARE, Window


class TurnTaking:
    """One context of a model, and the loop's second and third step: decide, respond.

    Attributes
    ----------
    ended
        Why no chunk is taken any more, or None.
    """

    def __init__(self, model: LoadedModel, settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._tokens = model.traits.tokens
        self._rule = _rule(settings, model.rule)
        self._in_effect = _in_effect(settings, self._rule)
        self._generator = np.random.default_rng(settings.seed)
        self._framing = Framing.of(model, settings)
        self.ended: str | None = None
        self._context = model.decoder.context(self._framing.limit)
        self._window = Window()
        # The token drawn last, which the next block follows; fed with it, it belongs to the chunk before.
        self._last: int | None = None
        self._turn = 0
        self._drawn = 0
        self._interrupted = False

    @property
    def limit(self) -> int:
        """Positions the context may hold."""
        return self._framing.limit

    @property
    def position(self) -> int:
        """Positions of the context in use."""
        return self._context.position

    @property
    def max_new_tokens(self) -> int | None:
        """Tokens the session may draw, or None for any number."""
        if self._settings.max_new_tokens is None and self._settings.context == "stop":
            return CARD_MAX_NEW_TOKENS
        return self._settings.max_new_tokens

    def change(self, settings: Settings) -> None:
        """Go on with other settings. What is in the context stays; another prompt is fed when it is bare again."""
        before, self._settings = self._settings, settings
        self._rule = _rule(settings, self._model.rule)
        self._in_effect = _in_effect(settings, self._rule)
        if settings.seed != before.seed:
            self._generator = np.random.default_rng(settings.seed)
        self._framing = Framing.of(self._model, settings)
        self._context.limit = self._framing.limit

    def interrupt(self) -> None:
        """End the running reply after the token at work; only sets a flag."""
        self._interrupted = True

    def take(self, chunk: int, clip: int, frames: Tensor) -> Iterator[Event]:
        """Decide after one chunk, and respond if so decided. The decision comes first.

        Parameters
        ----------
        chunk, clip
            Index of the chunk in the session, and of its clip.
        frames
            [10, width] from the encoder.
        """
        self._interrupted = False
        with self._model.computing():
            decision = self._decide(chunk, clip, frames)
        yield decision
        if decision.choice == "OTHER":
            yield self._violation(decision)
        elif decision.choice == "TEXT_BEGIN":
            yield from self._respond(chunk, clip)

    def make_room(self, chunk: int) -> list[Event]:
        """Before a decision: see that the context has room for it, or do what the settings say."""
        if self.ended is not None:
            return []
        allowed = self.max_new_tokens
        if allowed is not None and self._drawn >= allowed:
            return [self._end(chunk, "limit", f"The session has drawn its {allowed} tokens (max_new_tokens).")]
        needed = len(self._opening()) + len(self._framing.block) - self._context.room
        many = len(self._window) + 1 - self._most_chunks
        if needed <= 0 and many <= 0:
            return []
        used, limit = self._context.position, self.limit
        if needed > 0:
            full = f"The context is full: {used} of {limit} positions are used"
        else:
            full = (
                f"The context is full: {len(self._window) * CHUNK_SECONDS:.1f} s of audio are in it (context_seconds)"
            )
        if self._settings.context == "stop":
            return [self._end(chunk, "context_full", f"{full}, so the session has ended.")]
        if self._settings.context == "slide":
            return self._slide(chunk, needed, many, keep=0)
        self._forget()
        data = {"used": used, "limit": limit}
        return [Notice(chunk, "context_reset", f"{full}; it starts over with the bare prefix.", data)]

    @property
    def _most_chunks(self) -> int | float:
        seconds = self._settings.context_seconds
        # A whisker more, since 0.4 is no binary fraction.
        return math.inf if seconds is None else int(seconds / CHUNK_SECONDS + 1e-6)

    def _slide(self, chunk: int, positions: int, chunks: float, keep: int) -> list[Event]:
        """Let the oldest chunks leave; `keep` of the newest stay."""
        most = self._most_chunks
        spare = self.limit // SPARE, 0 if math.isinf(most) else int(most) // SPARE
        left = self._window.leave(positions, 0 if math.isinf(chunks) else int(chunks), keep, spare)
        if left is None:
            return []
        with self._model.computing():
            self._context.slide(self._window.prefix, left.positions)
        if not len(self._window):
            # The token drawn last belongs to a chunk that has left.
            self._last = None
        replies = "" if not left.turns else f" and {left.turns} {'reply' if left.turns == 1 else 'replies'}"
        used = self._context.position
        message = (
            f"The oldest {left.chunks * CHUNK_SECONDS:.1f} s{replies} left the context; "
            f"{used} of {self.limit} positions are used."
        )
        data = {"chunks": [left.first, left.last], "turns": left.turns, "positions": left.positions}
        return [Notice(chunk, "context_slide", message, {**data, "used": used, "limit": self.limit})]

    def _end(self, chunk: int, kind: str, message: str) -> Notice:
        self.ended = message
        data = {"used": self._context.position, "limit": self.limit, "drawn": self._drawn}
        return Notice(chunk, kind, message, data)

    def _forget(self) -> None:
        self._context.clear()
        self._window.clear()
        self._last = None

    def _opening(self) -> tuple[int, ...]:
        """What is fed before the next block."""
        if not self._window.prefix:
            return self._framing.prefix
        return () if self._last is None else (self._last,)

    def _feed_block(self, chunk: int, opening: tuple[int, ...], frames: Tensor) -> Tensor:
        block, at = self._framing.block, self._framing.frames_at
        logits = self._model.decoder.feed(self._context, [*opening, *block], frames, len(opening) + at)
        if not self._window.prefix:
            self._window.prefix = len(opening)
        elif opening:
            self._window.extend(len(opening))
        self._window.open(chunk, len(block))
        return logits

    def _decide(self, chunk: int, clip: int, frames: Tensor) -> Decision:
        keep, text = self._tokens["KEEP_SILENCE"], self._tokens["TEXT_BEGIN"]
        opening = self._opening()
        logits = self._feed_block(chunk, opening, frames)
        raw = Distribution(logits)
        drawn = draw(
            raw,
            self._rule,
            self._generator,
            allowed=(keep, text) if self._settings.mask else None,
            bias=(text, self._settings.bias) if self._settings.bias else None,
            likeliest=self._settings.alternatives,
            report=(keep, text),
        )
        self._last = drawn.token
        self._drawn += 1
        logit_keep, logit_text = float(logits[keep]), float(logits[text])
        p_keep, p_text = raw.p(logit_keep), raw.p(logit_text)
        choices: dict[int, Choice] = {keep: "KEEP_SILENCE", text: "TEXT_BEGIN"}
        return Decision(
            chunk=chunk,
            clip=clip,
            start_s=chunk * CHUNK_SECONDS,
            token=drawn.token,
            choice=choices.get(drawn.token, "OTHER"),
            p_keep=p_keep,
            p_text=p_text,
            p_other=max(0.0, 1.0 - p_keep - p_text),
            logit_keep=logit_keep,
            logit_text=logit_text,
            p_drawn=drawn.p_drawn,
            draw=drawn.draw,
            argmax=drawn.argmax,
            position=self._context.position - 1,
            alternatives=self._alternatives(drawn),
            before=opening,
            oldest=chunk if self._window.oldest is None else self._window.oldest,
            used=self._context.position,
            limit=self.limit,
            rule=self._in_effect,
        )

    def _respond(self, chunk: int, clip: int) -> Iterator[Event]:
        """Speak until TEXT_END, a limit or an interruption; then the turn."""
        turn, self._turn = self._turn, self._turn + 1
        reply = ReplyText(self._model)
        ended: Ending | None = None
        notice: Notice | None = None
        while ended is None:
            if self._context.room < 1 and self._settings.context == "slide" and not self._interrupted:
                # The chunk that is being answered stays, so a reply that never ends runs into the limit.
                yield from self._slide(chunk, 1, 0, keep=1)
            limit = self._reply_limit(len(reply.tokens))
            if self._interrupted:
                ended = "interrupted"
            elif limit is not None:
                ended, notice = "limit", Notice(chunk, "limit", f"The reply was cut: {limit}.", {"turn": turn})
            else:
                with self._model.computing():
                    token = self._speak(chunk, turn, reply)
                if token is None:
                    ended = "TEXT_END"
                else:
                    yield token
        # A reply that was cut is closed for the model too: the next block then follows TEXT_END, as in training.
        self._last = self._tokens["TEXT_END"]
        if notice is not None:
            yield notice
        start_s = chunk * CHUNK_SECONDS
        yield Turn(chunk, turn, clip, start_s, reply.emotion, reply.text, tuple(reply.tokens), ended)
        if self._settings.forget_after_reply:
            self._forget()
            yield Notice(chunk, "context_reset", "The context starts over after the reply.", {"turn": turn})

    def _speak(self, chunk: int, turn: int, reply: ReplyText) -> Token | None:
        """Draw the reply's next token; None for TEXT_END."""
        fed = reply.tokens[-1] if reply.tokens else self._tokens["TEXT_BEGIN"]
        logits = self._model.decoder.feed(self._context, [fed])
        self._window.extend(turn=True)
        drawn = draw(Distribution(logits), self._rule, self._generator, likeliest=self._settings.alternatives)
        self._drawn += 1
        if drawn.token == self._tokens["TEXT_END"]:
            return None
        index = len(reply.tokens)
        text = reply.add(drawn.token)
        return Token(
            chunk,
            turn,
            index,
            drawn.token,
            drawn.p,
            text,
            drawn.p_drawn,
            drawn.draw,
            drawn.argmax,
            self._context.position - 1,
            self._alternatives(drawn),
        )

    def _reply_limit(self, spoken: int) -> str | None:
        """The limit that forbids one more token of a reply, in words."""
        if self._context.room < 1:
            return f"the context's {self.limit} positions are used"
        most = self._settings.max_reply_tokens
        if most is not None and spoken >= most:
            return f"it reached {most} tokens (max_reply_tokens)"
        allowed = self.max_new_tokens
        if allowed is not None and self._drawn >= allowed:
            return f"the session has drawn its {allowed} tokens (max_new_tokens)"
        return None

    def _violation(self, decision: Decision) -> Notice:
        name = self._model.token_text(decision.token)
        message = f"Where a decision was due the model produced {name!r} ({decision.token})."
        if self._settings.strict:
            raise SessionError(message + " Turn the mask on, or strict off, to go on past it.")
        return Notice(decision.chunk, "violation", message, {"token": decision.token})

    def _alternatives(self, drawn: Draw) -> tuple[Alternative, ...]:
        return tuple(
            Alternative(c.token, self._model.token_text(c.token), c.p, c.scaled, c.kept) for c in drawn.likeliest
        )


def _rule(settings: Settings, default: SamplingRule) -> SamplingRule:
    """The settings over the checkpoint's defaults; top_k 0 means all tokens."""
    top_k = default.top_k if settings.top_k is None else (settings.top_k or None)
    return SamplingRule(
        greedy=settings.greedy,
        temperature=default.temperature if settings.temperature is None else settings.temperature,
        top_k=top_k,
        top_p=default.top_p if settings.top_p is None else settings.top_p,
    )


def _in_effect(settings: Settings, rule: SamplingRule) -> dict[str, Any]:
    """How decisions are drawn, as `Decision.rule` says it; all decisions under the same settings share it."""
    return {
        "greedy": rule.greedy,
        "temperature": rule.temperature,
        "top_k": rule.top_k,
        "top_p": rule.top_p,
        "bias": settings.bias,
        "mask": settings.mask,
        "seed": settings.seed,
    }
