"""A model that says what a test wants: real tower, tokenizer and traits, but a decoder that follows a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from ai_widgets.inference import Model
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.interfaces import TokenDecoder

Choice = int | Exception


@dataclass(frozen=True)
class Fed:
    """One forward pass: what was fed, where it began, and what stood in the audio slots."""

    tokens: list[int]
    start: int
    frames: Tensor | None
    frames_at: int


class ScriptedContext:
    """Holds the tokens that were fed, where a real one holds their keys and values."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tokens: list[int] = []

    @property
    def position(self) -> int:
        return len(self.tokens)

    @property
    def room(self) -> int:
        return self.limit - self.position

    def clear(self) -> None:
        self.tokens = []

    def truncate(self, position: int) -> None:
        if position > self.position:
            raise AssertionError(f"{position} of {self.position} positions cannot stay")
        self.tokens = self.tokens[:position]

    def branch(self, position: int) -> ScriptedContext:
        other = ScriptedContext(self.limit)
        other.tokens = self.tokens[:position]
        return other

    def repair(self) -> bool:
        return True

    def slide(self, keep: int, count: int) -> None:
        if not 0 < keep <= self.position - count:
            raise AssertionError(f"{count} positions after the first {keep} of {self.position} cannot leave")
        self.tokens = self.tokens[:keep] + self.tokens[keep + count :]


class ScriptedDecoder:
    """Answers each forward pass with the next token of a script.

    Parameters
    ----------
    decisions
        Tokens after each listening block; KEEP_SILENCE where it has come to its end. An exception is raised.
    replies
        For each reply its tokens after TEXT_BEGIN; TEXT_END where one has come to its end.
    during
        Called in every forward pass.
    """

    def __init__(
        self,
        model: Model,
        decisions: Iterable[Choice],
        replies: Iterable[Sequence[Choice]],
        during: Callable[[Fed], object] | None,
    ) -> None:
        self._tokens, self.vocabulary = model.traits.tokens, model.decoder.vocabulary
        self._decisions, self._replies = iter(decisions), iter(replies)
        self._reply: list[Choice] = []
        self._during = during
        self.fed: list[Fed] = []

    def context(self, limit: int) -> ScriptedContext:
        return ScriptedContext(limit)

    def feed(self, context: Any, tokens: list[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        fed = Fed(list(tokens), context.position, frames, frames_at)
        self.fed.append(fed)
        context.tokens = [*context.tokens, *tokens]
        if context.position > context.limit:
            raise AssertionError("fed beyond the context's limit")
        if self._during is not None:
            self._during(fed)
        chosen = self._next(frames is not None)
        if isinstance(chosen, Exception):
            raise chosen
        logits = torch.zeros(self.vocabulary)
        logits[chosen] = 20.0
        return logits

    def _next(self, decision: bool) -> Choice:
        if not decision:
            return self._reply.pop(0) if self._reply else self._tokens["TEXT_END"]
        chosen = next(self._decisions, self._tokens["KEEP_SILENCE"])
        if chosen == self._tokens["TEXT_BEGIN"]:
            self._reply = list(next(self._replies, ()))
        return chosen


def scripted(
    model: Model,
    decisions: str = "",
    replies: Iterable[Sequence[Choice]] = (),
    during: Callable[[Fed], object] | None = None,
    **others: Choice,
) -> tuple[Model, ScriptedDecoder]:
    """A model whose decisions are spelled: `.` keeps silent, `T` begins a reply, other letters as `others` say."""
    letters: dict[str, Choice] = {
        ".": model.traits.tokens["KEEP_SILENCE"],
        "T": model.traits.tokens["TEXT_BEGIN"],
        **others,
    }
    decoder = ScriptedDecoder(model, [letters[letter] for letter in decisions], replies, during)
    fake: TokenDecoder = decoder
    # `Model.decoder` is of the real class, whose weights some callers read; sessions need a `TokenDecoder` only.
    return replace(model, decoder=cast(Decoder, fake)), decoder


def spell(text: str) -> list[int]:
    """Tokens of a text: the toy's token b is byte b."""
    return list(text.encode())
