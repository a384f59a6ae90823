"""A speculative decoder for recorded streams, which makes an evaluation faster.

All frames of a recorded stream are known in advance, and most decisions are KEEP_SILENCE. So the language model reads
several chunks in one step, on the assumption that each is followed by KEEP_SILENCE. The session still asks for chunk
after chunk, and gets the logits from the chunks read ahead; where it decides otherwise, the remaining logits are
discarded. Keys written ahead lie behind the context's end, where the next step overwrites them. Sums are taken in
another order than chunk by chunk, so logits agree up to rounding; the session itself makes all decisions and replies.

Several streams share a pass (`feed_many`): one reads ahead while another replies.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ai_widgets.inference import Model
from ai_widgets.model.context import Context
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.passes import TokenPass

SHORTEST, LONGEST = 6, 32
"""Chunks read in one step: few after a reply, doubled each time that all logits of a guess were used."""


@dataclass
class _Guess:
    """Logits of chunks that the session has not asked for yet, and the state of the context for which they hold."""

    context: Context
    start: int
    end: int
    memory: Tensor
    logits: list[Tensor]
    tokens: list[int]

    def holds(self, context: Context, tokens: list[int]) -> bool:
        return (
            bool(self.logits)
            and context is self.context
            and (context.start, context.end) == (self.start, self.end)
            and context.keys[0] is self.memory
            and tokens == self.tokens
        )


@dataclass(frozen=True)
class _Reading:
    """What one step reads of a stream: embeddings [1, tokens, width], and the last token of each chunk among them."""

    embeddings: Tensor
    ends: list[int]


class LookaheadDecoder(Decoder):
    """A speculative decoder for one session over one recorded stream.

    Parameters
    ----------
    model
        Model whose weights are used.
    frames
        Frames [chunks, 10, width] of the stream. The session starts at its first chunk.
    """

    def __init__(self, model: Model, frames: Tensor) -> None:
        super().__init__(model.decoder.model, model.decoder.rope_positions)
        self._keep = model.traits.tokens["KEEP_SILENCE"]
        self._before_frames = model.traits.chunk.index("FRAMES")
        self._source = model.decoder
        # Tables and masks depend on the weights alone.
        self._masks = model.decoder._masks
        self._stream = frames
        self._chunk = 0
        self._ahead = SHORTEST
        self._guess: _Guess | None = None

    @property
    def network(self) -> Hashable:
        """The model's decoder: streams on the same weights share a pass."""
        return type(self), id(self._source)

    def known(self, asked: TokenPass) -> Tensor | None:
        """Return the logits of a chunk that was read ahead, or None."""
        guess = self._guess
        if asked.frames is None or guess is None or not guess.holds(asked.context, asked.tokens):
            return None
        return self._used(guess, asked.context, asked.tokens, asked.frames_at)

    @torch.inference_mode()
    def feed(self, context: Context, tokens: list[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Feed tokens and return the logits after the last one; see `Decoder.feed`."""
        asked = TokenPass(self, context, tokens, frames, frames_at)
        known = self.known(asked)
        if known is not None:
            return known
        reading = self._reading(asked)
        hidden = self._hidden(context, reading.embeddings)
        return self._read(asked, self.model.lm_head(hidden[reading.ends]).float())

    @torch.inference_mode()
    def feed_many(self, passes: Sequence[TokenPass]) -> Sequence[Tensor]:
        """Run passes of streams on the same weights as one, and return the logits [vocabulary] of each."""
        readers: list[LookaheadDecoder] = [each.decoder for each in passes]  # type: ignore[misc]
        readings = [reader._reading(each) for reader, each in zip(readers, passes, strict=True)]
        hidden, counts = self._hidden_of_all([p.context for p in passes], [r.embeddings for r in readings])
        begins = [sum(counts[:place]) for place in range(len(counts))]
        ends = [begin + end for begin, reading in zip(begins, readings, strict=True) for end in reading.ends]
        logits = self.model.lm_head(hidden[ends]).float().split([len(reading.ends) for reading in readings])
        return [reader._read(*each) for reader, *each in zip(readers, passes, logits, strict=True)]

    def _reading(self, asked: TokenPass) -> _Reading:
        """Prepare a step over the tokens asked for and, of a chunk, over those that follow if it is kept silent."""
        tokens, frames_at = asked.tokens, asked.frames_at
        if asked.frames is None:
            return _Reading(self.embed(tokens), [len(tokens) - 1])
        guess = self._guess
        self._ahead = min(2 * self._ahead, LONGEST) if guess is not None and not guess.logits else SHORTEST
        following = [self._keep, *tokens[frames_at - self._before_frames :]]
        fits = (asked.context.room - len(tokens)) // len(following)
        count = max(0, min(self._ahead - 1, fits, len(self._stream) - self._chunk - 1))
        everything = tokens + following * count
        begins = [frames_at, *(len(tokens) + n * len(following) + 1 + self._before_frames for n in range(count))]
        embeddings = self.embed(everything)
        for begin, frames in zip(begins, self._stream[self._chunk :], strict=False):
            embeddings[0, begin : begin + len(frames)] = frames.to(self.device, self.dtype)
        return _Reading(embeddings, [len(tokens) + n * len(following) - 1 for n in range(count + 1)])

    def _read(self, asked: TokenPass, logits: Tensor) -> Tensor:
        """Keep the logits [chunks, vocabulary] of a step over a stream, and return those asked for."""
        context = asked.context
        if asked.frames is None:
            self._guess = None
            context.end += len(asked.tokens)
            return logits[0]
        guess = _Guess(context, context.start, context.end, context.keys[0], list(logits), asked.tokens)
        self._guess = guess
        return self._used(guess, context, asked.tokens, asked.frames_at)

    def _used(self, guess: _Guess, context: Context, tokens: list[int], frames_at: int) -> Tensor:
        """Extend the context by a chunk that was read, and return the first logits of the guess."""
        self._chunk += 1
        context.end += len(tokens)
        guess.end, guess.tokens = context.end, [self._keep, *tokens[frames_at - self._before_frames :]]
        return guess.logits.pop(0)
