"""Decoder: tokens and encoder frames → logits, through Qwen2 with a pre-allocated KV cache.

A `Context` is the state of one session (keys, values, position); a `Decoder` holds the weights. Several contexts may
share one decoder. Both are independent of turns: the session chooses the tokens to feed and the positions to evict.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import SessionError
from .context import Context, Row
from .kernels import without_cudnn
from .passes import TokenPass
from .qwen2 import Qwen2
from .traits import EXACT_POSITIONS

logger = logging.getLogger(__name__)

MASK_STEP = 16
"""Alignment of the mask's row length, in columns, which the attention of some devices requires."""
MASK_BYTES = 16
"""Alignment of the mask's first element, in bytes: CUDA's memory-efficient attention reads 16 bytes at once, and
refuses a mask that begins between two such reads."""
LONGEST_BLOCK = 64
"""Maximum number of tokens in one feed whose mask is cached; a chunk's block has 13 tokens."""


class Decoder:
    """Language model on its device.

    Parameters
    ----------
    model
        Network with its weights.
    rope_positions
        `float16`: round positions through float16 before RoPE, as in the training of the published weights
        (docs/protocol.md §6: multiples of 2 above 2048, of 4 above 4096). `exact`: no rounding.

    Attributes
    ----------
    device, dtype
        Device and dtype of the weights.
    vocabulary
        Number of tokens in the vocabulary.
    """

    def __init__(self, model: Qwen2, rope_positions: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.rope_positions = rope_positions
        weight = self.model.lm_head.weight
        self.device, self.dtype = weight.device, weight.dtype
        self.vocabulary = int(weight.shape[0])
        self._group = model.shape.heads // model.shape.key_heads
        # Both tables are in one attribute, because sessions on several threads replace it and need equal lengths.
        empty = torch.arange(0, device=self.device)[None]
        self._tables = empty, empty
        self._masks: dict[int, Tensor] = {}

    def compile(self, backend: str | Callable[..., Any] = "inductor") -> bool:
        """Compile the feed-forward networks of all layers with `torch.compile`; they are the larger part of a step.

        Attention is not compiled, because the length of its cache changes at every step. The first steps take longer.
        Later ones need not be faster: on a GPU where launches dominate they were slower (docs/hardware.md). If
        compiling fails (no compiler, an unsupported device), the model stays uncompiled.

        Returns
        -------
        bool
            Whether compiling succeeded; the log names the reason of a failure.
        """
        parts: list[Any] = [layer.mlp for layer in self.model.model.layers]
        try:
            for part in parts:
                part.compile(backend=backend, dynamic=True)
            for count in (13, 1):
                self.advance(self.context(count), self.embed([0] * count))
        except Exception as error:  # noqa: BLE001 - any error of the compiler leaves a working, uncompiled model
            for part in parts:
                part._compiled_call_impl = None
            logger.warning("The model runs uncompiled, since torch.compile failed: %s", error)
            return False
        return True

    def context(self, limit: int) -> Context:
        """Create an empty context of at most `limit` positions."""
        return Context(self.model.shape, self.model.model.rotary_emb.inv_freq, self.dtype, limit)

    @property
    def slide_limit(self) -> int | None:
        """Maximum length of a sliding context, in positions; None for no limit. Beyond it, rounded distances change."""
        return EXACT_POSITIONS if self.rope_positions == "float16" else None

    @torch.inference_mode()
    def feed(self, context: Context, tokens: list[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Feed tokens and return the logits after the last one.

        Parameters
        ----------
        context
            Extended in place by ``len(tokens)`` positions.
        tokens
            Token ids to feed.
        frames
            Encoder frames [n, width] that replace the embeddings of ``tokens[frames_at : frames_at + n]``.
        frames_at
            Index in `tokens` of the first frame.

        Returns
        -------
        Tensor [vocabulary], float32

        Examples
        --------
        >>> logits = decoder.feed(decoder.context(limit=64), model.encode_text("Hello"))
        """
        return self.advance(context, self.embed(tokens, frames, frames_at))

    @torch.inference_mode()
    def embed(self, tokens: Sequence[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Compute the embeddings [1, tokens, width] of tokens, with frames in place of the PADs; see `feed`."""
        embeddings: Tensor = self.model.model.embed_tokens(torch.tensor([tokens], device=self.device))
        if frames is not None:
            embeddings[0, frames_at : frames_at + len(frames)] = frames.to(self.device, self.dtype)
        return embeddings

    @torch.inference_mode()
    def advance(self, context: Context, embeddings: Tensor) -> Tensor:
        """Feed embeddings [1, count, width] and return the logits after the last one."""
        count = embeddings.shape[1]
        hidden = self._hidden(context, embeddings, last=slice(-1, None) if count > 1 else None)
        context.end += count
        logits: Tensor = self.model.lm_head(hidden[-1]).float()
        return logits

    @torch.inference_mode()
    def advance_many(self, contexts: Sequence[Context], embeddings: Sequence[Tensor]) -> Tensor:
        """Feed embeddings to several contexts in one forward pass, and return the logits after the last one of each.

        The tokens lie side by side in one row: the linear layers, nearly all of the cost, read their weights once for
        all contexts; attention runs per context, over its own keys and values. Nothing is padded.

        Parameters
        ----------
        contexts
            Contexts of this decoder, each once; extended in place. Their lengths, limits and slides are independent,
            and the next call may have others.
        embeddings
            Embeddings [1, count, width] of each context's tokens; the counts may differ.

        Returns
        -------
        Tensor [contexts, vocabulary], float32
            Equal to `advance` of each context alone except for rounding, since a matrix product of another height adds
            in another order: about 1e-5 in float32, for one context bit for bit.

        Raises
        ------
        SessionError
            If a context is given twice, or there is none.

        Examples
        --------
        >>> first, second = decoder.context(limit=64), decoder.context(limit=64)
        >>> decoder.advance_many([first, second], [decoder.embed([1, 2, 3]), decoder.embed([4])]).shape[0]
        2
        """
        if not contexts or len(set(map(id, contexts))) < len(contexts):
            raise SessionError("One forward pass takes one context or more, each of them once.")
        if len(contexts) == 1:
            return self.advance(contexts[0], embeddings[0])[None]
        hidden, counts = self._hidden_of_all(contexts, embeddings, last=True)
        for context, count in zip(contexts, counts, strict=True):
            context.end += count
        logits: Tensor = self.model.lm_head(hidden).float()
        return logits

    @property
    def network(self) -> Hashable:
        """Identity of the decoder: only its own passes run as one."""
        return id(self)

    def feed_many(self, passes: Sequence[TokenPass]) -> Sequence[Tensor]:
        """Run passes of this decoder as one, and return the logits [vocabulary] of each; see `advance_many`."""
        return list(
            self.advance_many(
                [each.context for each in passes],
                [self.embed(each.tokens, each.frames, each.frames_at) for each in passes],
            )
        )

    def _hidden(self, context: Context, embeddings: Tensor, last: slice | None = None) -> Tensor:
        """Compute hidden states [count, width] of embeddings [1, count, width]; the caller extends the context.

        `last` selects the last one, without the others.
        """
        count = embeddings.shape[1]
        context.reserve(count)
        positions, mask = self._places(context, count), self._mask(count, context.position + count)
        with without_cudnn:
            hidden: Tensor = self.model.model(embeddings, positions, mask, context, last)[0]
        return hidden

    def _hidden_of_all(
        self, contexts: Sequence[Context], embeddings: Sequence[Tensor], *, last: bool = False
    ) -> tuple[Tensor, list[int]]:
        """Compute the hidden states of several contexts, as `_hidden`, and the count of each.

        They are [sum of counts, width]; with `last` only the last one of each context, [contexts, width].
        """
        counts = [each.shape[1] for each in embeddings]
        for context, count in zip(contexts, counts, strict=True):
            context.reserve(count)
        both = list(zip(contexts, counts, strict=True))
        positions = torch.cat([self._places(context, count) for context, count in both], dim=1)
        masks = tuple(self._mask(count, context.position + count) for context, count in both)
        row = Row(tuple(contexts), counts, masks)
        ends = torch.tensor(counts, device=self.device).cumsum(0) - 1 if last and max(counts) > 1 else None
        with without_cudnn:
            hidden: Tensor = self.model.model(torch.cat(list(embeddings), dim=1), positions, None, row, ends)[0]
        return hidden, counts

    def _places(self, context: Context, count: int) -> Tensor:
        """Return the positions of the next `count` tokens, [1, count], as a slice of a cached table."""
        end = context.end + count
        positions, rounded = self._tables
        if end > positions.shape[1]:
            positions = torch.arange(max(end, 2 * positions.shape[1]), device=self.device)[None]
            rounded = positions.to(torch.float16).long()
            self._tables = positions, rounded
        # A context that has slid has fewer than 2048 positions, where rounding changes nothing, although its offsets in
        # the tensors may be larger.
        quirk = self.rope_positions == "float16" and context.start == 0
        return (rounded if quirk else positions)[:, context.end : end]

    def _mask(self, count: int, total: int) -> Tensor | None:
        """Build the causal mask of `count` new positions over `total` positions; None for one new position.

        The mask has one row per query head of a group and new position. It is the end of a longer cached mask, because
        only the last `count` columns differ from zero. It is built here, because transformers derives a mask from the
        position ids, which are not consecutive after rounding.
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
        mask = mask[..., mask.shape[-1] - total :]
        return mask if self.device.type == "cpu" else aligned(mask)


def aligned(mask: Tensor) -> Tensor:
    """Copy a mask [..., columns] to aligned memory, unless it begins at a multiple of `MASK_BYTES`.

    The rows of the copy are `MASK_STEP` columns apart, or a multiple of it; those of the given mask must be so too.

    Examples
    --------
    >>> aligned(torch.zeros(4, 32)[:, 3:]).stride()
    (32, 1)
    """
    if mask.data_ptr() % MASK_BYTES == 0:
        return mask
    columns = mask.shape[-1]
    copy = mask.new_zeros(*mask.shape[:-1], -(-columns // MASK_STEP) * MASK_STEP)[..., :columns]
    return copy.copy_(mask)
