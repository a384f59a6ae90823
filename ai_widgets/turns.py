"""Decide and respond: what the model makes of a perceived chunk.

`TurnTaking` holds the growing context of one session and the order in which tokens are fed (PROTOCOL.md §3). It yields
events and keeps no record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from .errors import SessionError, SettingError
from .model.checkpoint import LoadedModel
from .model.sampling import Distribution, Draw, SamplingRule, draw
from .protocol import (
    CHUNK_SECONDS,
    FRAMES_PER_CHUNK,
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
from .settings import CARD_MAX_NEW_TOKENS, RESET_POSITIONS, Settings


class TurnTaking:
    """One context of a model, and the loop's second and third step: decide, respond.

    Attributes
    ----------
    limit
        Positions the context may hold.
    ended
        Why no chunk is taken any more, or None.
    """

    def __init__(self, model: LoadedModel, settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._tokens = model.traits.tokens
        self._rule = _rule(settings, model.rule)
        self._in_effect = _in_effect(settings, self._rule)
        self._generator = np.random.default_rng(settings.seed)
        self._prefix = self._prefix_tokens()
        self._block, self._frames_at = self._block_tokens()
        self.limit = self._context_limit()
        self.ended: str | None = None
        self._context = model.decoder.context(self.limit)
        self._last: int | None = None
        self._oldest = 0
        self._turn = 0
        self._drawn = 0
        self._interrupted = False

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
        needed = (len(self._prefix) if self._last is None else 1) + len(self._block)
        if self._context.room >= needed:
            return []
        used = self._context.position
        if self._settings.context == "stop":
            message = f"The context is full: {used} of {self.limit} positions are used, so the session has ended."
            return [self._end(chunk, "context_full", message)]
        self._forget()
        message = f"The context was full at {used} of {self.limit} positions; it starts over with the bare prefix."
        return [Notice(chunk, "context_reset", message, {"used": used, "limit": self.limit})]

    def _end(self, chunk: int, kind: str, message: str) -> Notice:
        self.ended = message
        data = {"used": self._context.position, "limit": self.limit, "drawn": self._drawn}
        return Notice(chunk, kind, message, data)

    def _forget(self) -> None:
        self._context.clear()
        self._last = None

    def _decide(self, chunk: int, clip: int, frames: Tensor) -> Decision:
        keep, text = self._tokens["KEEP_SILENCE"], self._tokens["TEXT_BEGIN"]
        opening = self._prefix if self._last is None else [self._last]
        if self._last is None:
            self._oldest = chunk
        logits = self._model.decoder.feed(self._context, opening + self._block, frames, len(opening) + self._frames_at)
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
            before=tuple(opening),
            oldest=self._oldest,
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

    # Set-up -----------------------------------------------------------------------------------------------------------

    def _prefix_tokens(self) -> list[int]:
        traits, prompt = self._model.traits, self._settings.system_prompt
        text = self._model.encode_text(traits.system_prompt if prompt is None else prompt)
        parts = [text if name == "PROMPT" else [self._tokens[name]] for name in traits.prefix]
        return [token for part in parts for token in part]

    def _block_tokens(self) -> tuple[list[int], int]:
        frames = [self._tokens["PAD"]] * FRAMES_PER_CHUNK
        chunk = self._model.traits.chunk
        parts = [frames if name == "FRAMES" else [self._tokens[name]] for name in chunk]
        return [token for part in parts for token in part], chunk.index("FRAMES")

    def _context_limit(self) -> int:
        usual = RESET_POSITIONS if self._settings.context == "reset" else self._model.positions
        limit = min(self._settings.context_limit or usual, self._model.positions)
        needed = len(self._prefix) + len(self._block) + 1
        if limit < needed:
            raise SettingError(
                f"A context of {limit} positions is too short: prefix, one chunk and one token need {needed}; "
                "raise context_limit or shorten system_prompt."
            )
        return limit


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
