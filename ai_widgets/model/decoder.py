"""Tokens and frames → logits, through Qwen2 over a pre-allocated key/value cache.

A `Context` is the state of one session (keys, values, position); a `Decoder` is the weights. Several contexts may share
one decoder. Neither knows anything of turns: which tokens are fed, and which leave, is the session's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .context import Context
from .qwen2 import Qwen2

logger = logging.getLogger(__name__)

EXACT_POSITIONS = 2048
"""Up to here float16 holds every position exactly."""
MASK_STEP = 16
"""The mask's row length is a multiple of this, as some devices' attention wants its rows aligned."""
LONGEST_BLOCK = 64
"""Tokens fed at once up to which the mask is kept for the next time; a listening block has 13."""


class Decoder:
    """The language model on its device.

    Parameters
    ----------
    model
        The weights.
    rope_positions
        `float16`: positions are rounded through float16 before RoPE, as the published weights were trained
        (docs/protocol.md §6: multiples of 2 above 2048, of 4 above 4096); `exact` otherwise.
    """

    def __init__(self, model: Qwen2, rope_positions: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.rope_positions = rope_positions
        weight = self.model.lm_head.weight
        self.device, self.dtype = weight.device, weight.dtype
        self.vocabulary = int(weight.shape[0])
        self._group = model.shape.heads // model.shape.key_heads
        # Both tables in one attribute: sessions on several threads replace it, and each sees a pair of one length.
        empty = torch.arange(0, device=self.device)[None]
        self._tables = empty, empty
        self._masks: dict[int, Tensor] = {}

    def compile(self, backend: str | Callable[..., Any] = "inductor") -> bool:
        """Compile the feed-forward parts of all layers (`torch.compile`), the larger share of a step's work.

        Attention stays as it is: it reads a cache whose length changes at every step. The first steps take longer.
        Where compiling does not work here (no compiler, an unknown device), the model stays as it was.

        Returns
        -------
        bool
            Whether it worked; if not, the log says why.
        """
        parts: list[Any] = [layer.mlp for layer in self.model.model.layers]
        try:
            for part in parts:
                part.compile(backend=backend, dynamic=True)
            for count in (13, 1):
                self.advance(self.context(count), self.embed([0] * count))
        except Exception as error:  # noqa: BLE001 - whatever the compiler raises, there is a model that works without it
            for part in parts:
                part._compiled_call_impl = None
            logger.warning("The model runs uncompiled, since torch.compile failed: %s", error)
            return False
        return True

    def context(self, limit: int) -> Context:
        """An empty context of at most `limit` positions."""
        return Context(self.model.shape, self.model.model.rotary_emb.inv_freq, self.dtype, limit)

    @property
    def slide_limit(self) -> int | None:
        """Positions beyond which a context cannot slide: there rounded distances would change with the place."""
        return EXACT_POSITIONS if self.rope_positions == "float16" else None

    @torch.inference_mode()
    def feed(self, context: Context, tokens: list[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Feed tokens and return the logits after the last one.

        Parameters
        ----------
        context
            Extended in place by ``len(tokens)`` positions.
        tokens
            Ids to feed.
        frames
            Encoder frames [n, width] that replace the embeddings of ``tokens[frames_at : frames_at + n]``.

        Returns
        -------
        Tensor [vocabulary], float32
        """
        return self.advance(context, self.embed(tokens, frames, frames_at))

    @torch.inference_mode()
    def embed(self, tokens: Sequence[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Embeddings [1, tokens, width], those of the audio slots replaced by frames; see `feed`."""
        embeddings: Tensor = self.model.model.embed_tokens(torch.tensor([tokens], device=self.device))
        if frames is not None:
            embeddings[0, frames_at : frames_at + len(frames)] = frames.to(self.device, self.dtype)
        return embeddings

    @torch.inference_mode()
    def advance(self, context: Context, embeddings: Tensor) -> Tensor:
        """Feed embeddings [1, count, width] and return the logits after the last one."""
        hidden = self._hidden(context, embeddings)
        context.end += len(hidden)
        logits: Tensor = self.model.lm_head(hidden[-1]).float()
        return logits

    def _hidden(self, context: Context, embeddings: Tensor) -> Tensor:
        """Hidden states [count, width] of embeddings [1, count, width]; the context is not extended yet."""
        count = embeddings.shape[1]
        context.reserve(count)
        positions, mask = self._places(context, count), self._mask(count, context.position + count)
        hidden: Tensor = self.model.model(embeddings, positions, mask, context)[0]
        return hidden

    def _places(self, context: Context, count: int) -> Tensor:
        """Places of the next `count` tokens, [1, count]; a slice of one table."""
        end = context.end + count
        positions, rounded = self._tables
        if end > positions.shape[1]:
            positions = torch.arange(max(end, 2 * positions.shape[1]), device=self.device)[None]
            rounded = positions.to(torch.float16).long()
            self._tables = positions, rounded
        # What has slid stays below 2048 positions, where rounding changes nothing; its places may lie above.
        quirk = self.rope_positions == "float16" and context.start == 0
        return (rounded if quirk else positions)[:, context.end : end]

    def _mask(self, count: int, total: int) -> Tensor | None:
        """What each of `count` new positions may look at among `total`: all that is not in its future.

        One row for each head of a group and position. It is the end of a longer mask that is made once, since only its
        last `count` columns differ from zero. transformers would derive its own from the position ids, which need not
        be consecutive once they are rounded.
        """
        if count == 1:
            return None
        mask = self._masks.get(count)
        if mask is None or mask.shape[-1] < total:
            length = -(-max(total, EXACT_POSITIONS if count <= LONGEST_BLOCK else 0) // MASK_STEP) * MASK_STEP
            mask = torch.zeros(self._group, count, length, dtype=self.dtype, device=self.device)
            future = torch.ones(count, count, dtype=torch.bool, device=self.device).triu(1)
            mask[:, :, -count:].masked_fill_(future, float("-inf"))
            mask = mask.reshape(1, 1, self._group * count, length)
            if count <= LONGEST_BLOCK:
                self._masks[count] = mask
        return mask[..., mask.shape[-1] - total :]
