"""The loop of `generate` over the chunks of one clip: decide after each, and reply where that was decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    DynamicCache,
)

from ..model.distribution import Distribution
from ..model.sampling import SamplingRule, draw
from ..protocol import FRAMES_PER_CHUNK
from ..settings import CARD_MAX_NEW_TOKENS


class Hearing:
    """One clip: what was fed and drawn so far, and the key/value cache."""

    def __init__(self, model: Any, prefix: list[int], options: dict[str, Any]) -> None:
        given = model.generation_config
        do_sample = options.pop("do_sample", None)
        self._rule = SamplingRule(
            greedy=not (given.do_sample if do_sample is None else do_sample),
            temperature=options.pop("temperature", None) or given.temperature or 1.0,
            top_k=options.pop("top_k", given.top_k) or None,
            top_p=options.pop("top_p", None) or given.top_p or 1.0,
        )
        self._generator = np.random.default_rng(options.pop("seed", 0))
        self._most = options.pop("max_new_tokens", None) or CARD_MAX_NEW_TOKENS
        if options:
            raise ValueError(f"generate knows no {', '.join(map(repr, options))} for a clip; see its docstring.")
        self._model, self._traits = model, model.config.traits
        self._cache = DynamicCache(config=model.config)
        self._next = prefix
        self._limit = model.config.max_position_embeddings
        self.sequence: list[int] = []
        self.logits: list[Tensor] = []

    def hear(self, input_features: Tensor) -> None:
        """Process all chunks, up to a limit of positions or tokens."""
        tokens = self._traits.tokens
        frames = [tokens["PAD"]] * FRAMES_PER_CHUNK
        parts = [frames if name == "FRAMES" else [tokens[name]] for name in self._traits.chunk]
        block = [token for part in parts for token in part]
        allowed = tokens["KEEP_SILENCE"], tokens["TEXT_BEGIN"]
        for chunk in range(input_features.shape[1]):
            if not self._room(len(self._next) + len(block)):
                break
            token = self._draw([*self._next, *block], input_features[:, chunk : chunk + 1], allowed)
            while token != tokens["KEEP_SILENCE"] and token != tokens["TEXT_END"] and self._room(1):
                token = self._draw([token])
            self._next = [token]
        self.sequence += self._next

    def _room(self, count: int) -> bool:
        return len(self.sequence) + count <= self._limit and len(self.logits) < self._most

    def _draw(self, fed: list[int], features: Tensor | None = None, allowed: tuple[int, ...] | None = None) -> int:
        """Feed tokens and draw the next one."""
        ids = torch.tensor([fed], device=self._model.device)
        given = self._model(ids, features, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        logits = given.logits[0, -1].float()
        self.sequence += fed
        self.logits.append(logits[None])
        return draw(Distribution(logits), self._rule, self._generator, allowed=allowed, likeliest=0).token
