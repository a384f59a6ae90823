"""Tokens and frames → logits, through transformers' Qwen2 over a pre-allocated key/value cache.

A `Context` is the state of one session (keys, values, position); a `Decoder` is the weights. Several contexts may share
one decoder. The context knows nothing of turns: which tokens are fed is the session's business.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

FIRST_CAPACITY = 512
"""Positions allocated at first; the cache doubles when it is full, up to the context's limit."""

ATTENTION = "grouped_sdpa"
"""Name under which `grouped_attention` is registered with transformers."""


def grouped_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Attention in which several query heads share a key head, without a copy of the cache for each of them.

    transformers repeats keys and values until every query head has its own, so a step copies the whole cache several
    times. Here the query heads of a group stand behind each other as if they were more positions: the same sums.

    Parameters
    ----------
    query
        [1, heads, new, size].
    key, value
        [1, key heads, all, size].
    attention_mask
        [1, 1, group · new, all], one row for each row of the stacked queries, as `Decoder.feed` makes it once for all
        layers; or [1, 1, new, all], or None (causal), as transformers makes it for whoever calls the model directly.

    Returns
    -------
    Tensor [1, new, heads, size], None
    """
    batch, heads, new, size = query.shape
    shared = key.shape[1]
    group = heads // shared
    scale = options.get("scaling", module.scaling)
    if attention_mask is None and new > 1:
        attended = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale, enable_gqa=group > 1
        )
        return attended.transpose(1, 2), None
    if attention_mask is not None and attention_mask.shape[-2] != group * new:
        attention_mask = attention_mask.repeat(1, 1, group, 1)
    stacked = query.reshape(batch, shared, group * new, size)
    attended = functional.scaled_dot_product_attention(stacked, key, value, attn_mask=attention_mask, scale=scale)
    return attended.reshape(batch, heads, new, size).transpose(1, 2), None


AttentionInterface.register(ATTENTION, grouped_attention)
AttentionMaskInterface.register(ATTENTION, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values of one decoder layer, written in place; `update` returns views, so a step copies nothing old."""

    is_compileable = False
    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self._reserve(key_states, value_states, min(max(FIRST_CAPACITY, key_states.shape[-2]), self.limit))
        self.is_initialized = True

    def _reserve(self, key_states: Tensor, value_states: Tensor, capacity: int) -> None:
        old = (self.keys, self.values) if self.is_initialized else None
        self.keys = key_states.new_empty((*key_states.shape[:2], capacity, key_states.shape[-1]))
        self.values = value_states.new_empty((*value_states.shape[:2], capacity, value_states.shape[-1]))
        if old is not None:
            self.keys[:, :, : self.length] = old[0][:, :, : self.length]
            self.values[:, :, : self.length] = old[1][:, :, : self.length]

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[-2]
        if end > self.keys.shape[-2]:
            self._reserve(key_states, value_states, min(max(end, 2 * self.keys.shape[-2]), self.limit))
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.limit


class Context:
    """The growing state of one session: what the model has read so far.

    Attributes
    ----------
    limit
        Positions it may hold; `Decoder.feed` beyond it is the caller's error (the session checks `room` first).
    position
        Positions used, which is also the position of the next token.
    """

    def __init__(self, layers: int, limit: int) -> None:
        self.limit = limit
        self.cache = Cache(layers=[_Layer(limit) for _ in range(layers)])
        self.position = 0

    @property
    def room(self) -> int:
        """Positions that are still free."""
        return self.limit - self.position

    def clear(self) -> None:
        """Forget everything; the memory stays allocated."""
        for layer in self.cache.layers:
            layer.length = 0
        self.position = 0


class Decoder:
    """The language model on its device.

    Parameters
    ----------
    model
        A `Qwen2ForCausalLM`.
    rope_positions
        `float16`: positions are rounded through float16 before RoPE, as the published weights were trained
        (PROTOCOL.md §6: multiples of 2 above 2048, of 4 above 4096); `exact` otherwise.
    """

    def __init__(self, model: Any, rope_positions: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.rope_positions = rope_positions
        weight = self.model.lm_head.weight
        self.device, self.dtype = weight.device, weight.dtype
        self.vocabulary = int(weight.shape[0])
        self._group = int(model.config.num_attention_heads // model.config.num_key_value_heads)
        self._futures: dict[int, Tensor] = {}

    def context(self, limit: int) -> Context:
        """An empty context of at most `limit` positions."""
        return Context(len(self.model.model.layers), limit)

    def _future(self, count: int) -> Tensor:
        """Which of `count` new positions lie in the future of which, once for each head of a group."""
        if count not in self._futures:
            above = torch.ones(count, count, dtype=torch.bool, device=self.device).triu(1)
            self._futures = {count: above.repeat(self._group, 1)}
        return self._futures[count]

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
        count, start = len(tokens), context.position
        embeddings = self.model.model.embed_tokens(torch.tensor([tokens], device=self.device))
        if frames is not None:
            embeddings[0, frames_at : frames_at + len(frames)] = frames.to(self.device, self.dtype)
        positions = torch.arange(start, start + count, device=self.device)
        mask = None
        if count > 1:
            # Row i may look at everything up to position start + i. The mask comes ready-made because transformers
            # derives its own from the position ids, which need not be consecutive once they are rounded.
            future = self._future(count)
            mask = torch.zeros(len(future), start + count, dtype=self.dtype, device=self.device)
            mask[:, start:].masked_fill_(future, float("-inf"))
            mask = mask[None, None]
        if self.rope_positions == "float16":
            positions = positions.to(torch.float16).long()
        hidden = self.model.model(
            inputs_embeds=embeddings,
            position_ids=positions[None],
            attention_mask={"full_attention": mask},
            past_key_values=context.cache,
            use_cache=True,
        ).last_hidden_state
        context.position += count
        logits: Tensor = self.model.lm_head(hidden[0, -1]).float()
        return logits
