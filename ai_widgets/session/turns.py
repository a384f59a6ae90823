"""Decide and respond: feed a perceived chunk to the model, and draw the decision and the reply.

`TurnTaking` implements the order of tokens (docs/protocol.md §3). Its only own state is the keys and values of the
context: each step takes a `TurnState` and returns the next one with its events. After an interrupt or a model error the
state before the step remains valid, and `settle` restores the keys and values to it, so that the context always follows
the protocol.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..errors import SessionError
from ..model.distribution import Distribution
from ..model.interfaces import LanguageModel
from ..model.overflow import not_finite
from ..model.passes import Steps, TokenPass
from ..model.sampling import Draw
from ..protocol import CHUNK_SECONDS, Alternative, Choice, Decision, Ending, Event, Notice, Timing, Token, Turn
from ..settings import Settings
from .detokenize import ReplyText
from .held import Window
from .seeded_draws import SeededDraws, first_state
from .terms import Terms
from .turn_state import Reply, TurnState, ended, reply_limit


class TurnTaking:
    """Context of one session with the steps decide and respond.

    Parameters
    ----------
    model
        Model, shared and immutable.
    settings
        Settings of the first chunk.

    Attributes
    ----------
    start
        State before the first chunk.

    Raises
    ------
    SettingError
        If the context is too short for the prefix and one chunk.
    """

    def __init__(self, model: LanguageModel, settings: Settings) -> None:
        self._model = model
        self._tokens = model.traits.tokens
        self._draws = SeededDraws()
        terms = Terms.of(model, settings)
        self._context = model.decoder.context(terms.framing.limit)
        self._slid: Window | None = None
        self._interrupted = False
        self.start = TurnState(terms, first_state(settings.seed))

    def interrupt(self) -> None:
        """Request the end of the reply in progress after its current token. Thread-safe: only sets a flag."""
        self._interrupted = True

    def release(self) -> None:
        """Free the memory of keys and values."""
        self._context = self._model.decoder.context(self._context.limit)

    def branch(self, window: Window, now: Window) -> Any:
        """Return a copy of the context's positions that `window` held, or None if the context `now` lacks some.

        The context begins with them unless a chunk was evicted since, or the memory was freed.
        """
        if window.oldest != now.oldest or self._context.position < window.positions:
            return None
        return self._context.branch(window.positions)

    def adopt(self, context: Any, window: Window) -> None:
        """Continue with a context that holds exactly the positions of `window`."""
        self._context, self._slid = context, window

    def settle(self, state: TurnState) -> bool:
        """Restore keys and values of `state`: truncate positions of an interrupted step, evict those out of the window.

        Returns
        -------
        bool
            False if an interrupt stopped the move of the keys, so that the context must be reset.
        """
        context, window = self._context, state.window
        context.limit = state.terms.framing.limit
        if not context.repair():
            return False
        if not window.positions:
            if context.position:
                context.clear()
            return True
        if state.leaving and self._slid is not window:
            if context.position > window.positions:
                with self._model.computing():
                    context.slide(len(window.prefix), state.leaving)
            self._slid = window
        if context.position > window.positions:
            context.truncate(window.positions)
        return True

    def changed(self, state: TurnState, settings: Settings) -> TurnState:
        """Return the state with other settings. The context is kept; `make_room` resets it for another prompt."""
        seed = state.terms.settings.seed
        random = state.random
        if settings.seed != seed:
            random = first_state(settings.seed)
        return replace(state, terms=Terms.of(self._model, settings), random=random)

    def make_room(
        self,
        state: TurnState,
        chunk: int,
        frames: object = None,  # noqa: ARG002 - for a model elsewhere
    ) -> tuple[TurnState, list[Event]]:
        """Ensure the right prefix and room for chunk `chunk` before a decision: slide, reset or end, as configured.

        Returns
        -------
        TurnState, list of Event
            The new state, and notices of a slide, a reset or the end of the session.
        """
        if state.ended is not None:
            return state, []
        terms, events = state.terms, list[Event]()
        allowed = terms.max_new_tokens
        if allowed is not None and state.drawn >= allowed:
            return ended(state, chunk, "limit", f"The session has drawn its {allowed} tokens (max_new_tokens).")
        limit = terms.framing.limit
        if state.window.prefix and state.window.prefix != terms.framing.prefix:
            data = {"used": state.window.positions, "limit": limit, "why": "system_prompt"}
            message = "The context was reset for the new system prompt: all earlier audio and replies were discarded."
            return state.forgotten(), [Notice(chunk, "context_reset", message, data)]
        opening = state.due if state.window.prefix else terms.framing.prefix
        needed = len(opening) + len(terms.framing.block) - state.room
        many = len(state.window) + 1 - terms.max_chunks
        if needed <= 0 and many <= 0:
            return state, events
        used = state.window.positions
        if needed > 0:
            full = f"The context is full: {used} of {limit} positions are used"
        else:
            full = (
                f"The context is full: {len(state.window) * CHUNK_SECONDS:.1f} s of audio are in it (context_seconds)"
            )
        if terms.settings.context == "stop":
            return ended(state, chunk, "context_full", f"{full}, so the session has ended.")
        if terms.settings.context == "slide":
            return state.slid(chunk, needed, many, keep=0)
        data = {"used": used, "limit": limit, "why": "full"}
        message = f"{full}; it was reset to the prefix."
        return state.forgotten(), [Notice(chunk, "context_reset", message, data)]

    def decide(
        self, state: TurnState, chunk: int, clip: int, frames: Tensor, forced: str | None = None
    ) -> Steps[tuple[TurnState, Decision]]:
        """Feed a chunk and draw the decision.

        Parameters
        ----------
        state
            State after `make_room` and `settle`.
        chunk, clip
            Index of the chunk in the session, and of its clip.
        frames
            Encoder frames [10, width].
        forced
            Name of the token to take in place of the drawn one; the draw itself happens as always.

        Raises
        ------
        NotFiniteError
            If a logit is NaN or infinite.
        """
        self._interrupted = False
        terms, framing = state.terms, state.terms.framing
        keep, text = self._tokens["KEEP_SILENCE"], self._tokens["TEXT_BEGIN"]
        window = state.window
        opening = state.due if window.prefix else framing.prefix
        tokens = [*opening, *framing.block]
        frames_at = len(opening) + framing.frames_at
        logits = yield TokenPass(self._model.decoder, self._context, tokens, frames, frames_at)
        raw = Distribution(logits)
        logit_keep, logit_text = float(raw.scores[keep]), float(raw.scores[text])
        if not (raw.finite and math.isfinite(logit_keep) and math.isfinite(logit_text)):
            what = f"the decision on chunk {chunk}"
            raise not_finite(self._model, what, frames, self._context, tokens, frames_at)
        drawn, random = self._draw(
            state,
            raw,
            allowed=(keep, text) if terms.settings.mask else None,
            bias=(text, terms.settings.bias) if terms.settings.bias else None,
            report=(keep, text),
            forced=None if forced is None else self._tokens[forced],
        )
        if not window.prefix:
            window = window.begun(opening)
        elif opening:
            window = window.extended(len(opening))
        window = window.opened(chunk, len(framing.block))
        p_keep, p_text = raw.p(logit_keep), raw.p(logit_text)
        choices: dict[int, Choice] = {keep: "KEEP_SILENCE", text: "TEXT_BEGIN"}
        decision = Decision(
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
            position=window.positions - 1,
            alternatives=self._alternatives(drawn),
            before=opening,
            oldest=chunk if window.oldest is None else window.oldest,
            used=window.positions,
            limit=framing.limit,
            rule=terms.in_effect if forced is None else {**terms.in_effect, "forced": forced},
        )
        after = replace(
            state, window=window, due=(drawn.token,), drawn=state.drawn + 1, random=random, leaving=0, reply=None
        )
        if decision.choice == "TEXT_BEGIN":
            reply = Reply(state.turns, chunk, clip, ReplyText(self._model))
            after = replace(after, reply=reply, turns=state.turns + 1)
        return after, decision

    def speak(self, state: TurnState) -> Steps[tuple[TurnState, list[Event]]]:
        """Run one step of the reply in progress: draw the next token, end the reply, or slide the context.

        Raises
        ------
        SessionError
            If no reply is in progress.
        NotFiniteError
            If a logit is NaN or infinite.
        """
        reply = state.reply
        if reply is None:
            raise SessionError("No reply is in progress.")
        settings = state.terms.settings
        if self._interrupted:
            return self.cut(state, "interrupted")
        if state.room < 1 and settings.context == "slide":
            # The chunk of the reply is never evicted, so that a reply without an end reaches the limit.
            after, events = state.slid(reply.chunk, 1, 0, keep=1)
            if events:
                return after, events
        limit = reply_limit(state, len(reply.text.tokens))
        if limit is not None:
            after, events = self.cut(state, "limit")
            notice = Notice(reply.chunk, "limit", f"The reply was truncated: {limit}.", {"turn": reply.turn})
            return after, [notice, *events]
        raw = Distribution((yield TokenPass(self._model.decoder, self._context, list(state.due))))
        if not raw.finite:
            what = f"token {len(reply.text.tokens)} of the reply to chunk {reply.chunk}"
            raise not_finite(self._model, what, None, self._context, list(state.due), 0)
        drawn, random = self._draw(state, raw)
        after = replace(
            state,
            window=state.window.extended(len(state.due), turn=True),
            due=(drawn.token,),
            drawn=state.drawn + 1,
            random=random,
            leaving=0,
        )
        if drawn.token == self._tokens["TEXT_END"]:
            return self._end_reply(after, reply, "TEXT_END")
        text = reply.text.with_token(drawn.token)
        token = Token(
            reply.chunk,
            reply.turn,
            len(reply.text.tokens),
            drawn.token,
            drawn.p,
            text.added,
            drawn.p_drawn,
            drawn.draw,
            drawn.argmax,
            after.window.positions - 1,
            self._alternatives(drawn),
        )
        return replace(after, reply=replace(reply, text=text)), [token]

    def cut(self, state: TurnState, why: Ending) -> tuple[TurnState, list[Event]]:
        """End the reply in progress before its TEXT_END; without a reply return the state unchanged.

        The next feed begins with the reply's last token and TEXT_END, so that the context is as in training.
        """
        if state.reply is None:
            return state, []
        closed = replace(state, due=(*state.due, self._tokens["TEXT_END"])) if state.due else state
        return self._end_reply(closed, state.reply, why)

    def _end_reply(self, state: TurnState, reply: Reply, why: Ending) -> tuple[TurnState, list[Event]]:
        text = reply.text
        start_s = reply.chunk * CHUNK_SECONDS
        events: list[Event] = [
            Turn(reply.chunk, reply.turn, reply.clip, start_s, text.emotion, text.text, text.tokens, why)
        ]
        state = replace(state, reply=None)
        if state.terms.settings.forget_after_reply:
            data = {"turn": reply.turn, "why": "forget_after_reply"}
            message = "The context was reset after the reply (forget_after_reply)."
            events.append(Notice(reply.chunk, "context_reset", message, data))
            state = state.forgotten()
        return state, events

    def timed(self, timing: Timing) -> Timing:
        """Return the timing as it is: the model computes in this process."""
        return timing

    def violation(self, decision: Decision, state: TurnState) -> Notice:
        """Build the notice of a drawn token that is not a decision.

        Raises
        ------
        SessionError
            If `strict` is set.
        """
        name = self._model.token_text(decision.token)
        message = f"The model produced {name!r} ({decision.token}) where it must decide between silence and a reply."
        if state.terms.settings.strict:
            raise SessionError(message + " Set mask=True to prevent it, or strict=False to continue after it.")
        return Notice(decision.chunk, "violation", message, {"token": decision.token})

    def _draw(self, state: TurnState, raw: Distribution, **options: Any) -> tuple[Draw, Any]:
        """Draw a token, and return the draw and the state of the generator after it."""
        terms = state.terms
        return self._draws.draw(raw, terms.rule, state.random, likeliest=terms.settings.alternatives, **options)

    def _alternatives(self, drawn: Draw) -> tuple[Alternative, ...]:
        return tuple(
            Alternative(c.token, self._model.token_text(c.token), c.p, c.scaled, c.kept) for c in drawn.likeliest
        )
