"""A speculative decoder for recorded streams, which makes an evaluation faster.

All frames of a recorded stream are known in advance, and most decisions are KEEP_SILENCE. So the language model reads
several chunks in one step, on the assumption that each is followed by KEEP_SILENCE. The session still asks for chunk
after chunk, and gets the logits from the chunks read ahead; where it decides otherwise, the remaining logits are
discarded. Keys written ahead lie behind the context's end, where the next step overwrites them. Sums are taken in
another order than chunk by chunk, so logits agree up to rounding; the session itself makes all decisions and replies.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ai_widgets.inference import Model
from ai_widgets.model.context import Context
from ai_widgets.model.decoder import Decoder

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


class LookaheadDecoder(Decoder):
    """A speculative decoder for sessions over recorded streams, one stream at a time.

    Parameters
    ----------
    model
        Model whose weights are used.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model.decoder.model, model.decoder.rope_positions)
        self._keep = model.traits.tokens["KEEP_SILENCE"]
        self._before_frames = model.traits.chunk.index("FRAMES")
        self._stream: Tensor | None = None
        self._chunk = 0
        self._ahead = SHORTEST
        self._guess: _Guess | None = None

    def listen(self, frames: Tensor) -> None:
        """Begin a stream with frames [chunks, 10, width], for a new session that starts at its first chunk."""
        self._stream, self._chunk, self._guess, self._ahead = frames, 0, None, SHORTEST

    @torch.inference_mode()
    def feed(self, context: Context, tokens: list[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Feed tokens and return the logits after the last one; see `Decoder.feed`."""
        if frames is None or self._stream is None:
            self._guess = None
            return super().feed(context, tokens, frames, frames_at)
        guess = self._guess
        if guess is None or not guess.holds(context, tokens):
            self._ahead = min(2 * self._ahead, LONGEST) if guess is not None and not guess.logits else SHORTEST
            guess = self._guess = self._read(context, tokens, frames_at, self._stream)
        self._chunk += 1
        context.end += len(tokens)
        guess.end, guess.tokens = context.end, [self._keep, *tokens[frames_at - self._before_frames :]]
        return guess.logits.pop(0)

    def _read(self, context: Context, tokens: list[int], frames_at: int, stream: Tensor) -> _Guess:
        """Read the next chunk and following ones in one step, as if KEEP_SILENCE were drawn after each."""
        following = [self._keep, *tokens[frames_at - self._before_frames :]]
        fits = (context.room - len(tokens)) // len(following)
        count = max(0, min(self._ahead - 1, fits, len(stream) - self._chunk - 1))
        everything = tokens + following * count
        begins = [frames_at, *(len(tokens) + n * len(following) + 1 + self._before_frames for n in range(count))]
        embeddings = self.model.model.embed_tokens(torch.tensor([everything], device=self.device))
        for begin, frames in zip(begins, stream[self._chunk :], strict=False):
            embeddings[0, begin : begin + len(frames)] = frames.to(self.device, self.dtype)
        hidden = self._hidden(context, embeddings)
        ends = [len(tokens) + n * len(following) - 1 for n in range(count + 1)]
        logits = self.model.lm_head(hidden[ends]).float()
        return _Guess(context, context.start, context.end, context.keys[0], list(logits), tokens)
