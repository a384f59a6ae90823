"""Terms: the settings of a session resolved against its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..model.interfaces import LanguageModel
from ..model.sampling import SamplingRule
from ..protocol import CHUNK_SECONDS
from ..settings import CARD_MAX_NEW_TOKENS, Settings
from .framing import Framing


@dataclass(frozen=True)
class Terms:
    """Resolved settings of a session.

    Attributes
    ----------
    settings
        Settings as given.
    rule
        Sampling rule: the settings, with the checkpoint's defaults for None.
    in_effect
        Content of `Decision.rule`.
    framing
        Tokens around the audio, and the size of the context.
    """

    settings: Settings
    rule: SamplingRule
    in_effect: Mapping[str, Any]
    framing: Framing

    @staticmethod
    def of(model: LanguageModel, settings: Settings) -> Terms:
        """Resolve the settings of a session.

        Raises
        ------
        SettingError
            If the context is too short for the prefix and one chunk.
        """
        rule = sampling_rule(settings, model.rule)
        return Terms(settings, rule, _in_effect(settings, rule), Framing.of(model, settings))

    @property
    def max_new_tokens(self) -> int | None:
        """Maximum number of tokens the session may draw; None for no limit."""
        if self.settings.max_new_tokens is None and self.settings.context == "stop":
            return CARD_MAX_NEW_TOKENS
        return self.settings.max_new_tokens

    @property
    def max_chunks(self) -> int | float:
        """Maximum number of chunks in the context, from `context_seconds`; infinite if that is None."""
        seconds = self.settings.context_seconds
        # A millionth is added, because 0.4 has no exact binary representation.
        return math.inf if seconds is None else int(seconds / CHUNK_SECONDS + 1e-6)


def sampling_rule(settings: Settings, default: SamplingRule) -> SamplingRule:
    """Merge the settings with the checkpoint's defaults; top_k 0 means all tokens."""
    top_k = default.top_k if settings.top_k is None else (settings.top_k or None)
    return SamplingRule(
        greedy=settings.greedy,
        temperature=default.temperature if settings.temperature is None else settings.temperature,
        top_k=top_k,
        top_p=default.top_p if settings.top_p is None else settings.top_p,
    )


def _in_effect(settings: Settings, rule: SamplingRule) -> dict[str, Any]:
    """Build `Decision.rule`; all decisions under the same settings share one dictionary."""
    return {
        "greedy": rule.greedy,
        "temperature": rule.temperature,
        "top_k": rule.top_k,
        "top_p": rule.top_p,
        "bias": settings.bias,
        "mask": settings.mask,
        "seed": settings.seed,
    }
