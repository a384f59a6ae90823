"""Terms: what the settings of a session make of its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..model.checkpoint import LoadedModel
from ..model.sampling import SamplingRule
from ..protocol import CHUNK_SECONDS
from ..settings import CARD_MAX_NEW_TOKENS, Settings
from .framing import Framing


@dataclass(frozen=True)
class Terms:
    """What the settings make of the checkpoint: how tokens are drawn, and what is fed beside them."""

    settings: Settings
    rule: SamplingRule
    in_effect: Mapping[str, Any]
    framing: Framing

    @staticmethod
    def of(model: LoadedModel, settings: Settings) -> Terms:
        """The terms of a session.

        Raises
        ------
        SettingError
            Where the context is too short for the prefix and one chunk.
        """
        rule = _rule(settings, model.rule)
        return Terms(settings, rule, _in_effect(settings, rule), Framing.of(model, settings))

    @property
    def max_new_tokens(self) -> int | None:
        """Tokens the session may draw, or None for any number."""
        if self.settings.max_new_tokens is None and self.settings.context == "stop":
            return CARD_MAX_NEW_TOKENS
        return self.settings.max_new_tokens

    @property
    def max_chunks(self) -> int | float:
        """Chunks the context may hold, by `context_seconds`."""
        seconds = self.settings.context_seconds
        # A millionth more, since 0.4 is no binary fraction.
        return math.inf if seconds is None else int(seconds / CHUNK_SECONDS + 1e-6)


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
