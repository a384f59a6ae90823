"""Endpointing baselines: they reply whenever speech ends, regardless of its content.

    energy.Energy      speech is audio louder than its background          nothing to install
    silero.Silero      speech is what silero-vad detects                   pip install "ai_widgets[eval]"

Both have two parts: a *detector* scores every window of audio, and an `Endpointer` turns the scores into one decision
per chunk: a reply once speech was followed by `hangover_s` of non-speech. p(TEXT_BEGIN) is 1 where the rule fires, else
0: a detector's probability of speech is no probability of a reply. The score itself is in `Decision.rule`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, TypeVar

from ..errors import SettingError
from ..protocol import SAMPLE_RATE
from .policy import Fact, Policy, Ruling

P = TypeVar("P", bound="EndpointingPolicy")


@dataclass(frozen=True, kw_only=True)
class Endpointing:
    """The rule of an endpointing baseline: finite numbers, at least 0 except `threshold`; others raise `SettingError`.

    Attributes
    ----------
    threshold
        Score from which on a window is speech.
    release
        Hysteresis: how far below the threshold a score must fall to count as non-speech; in between the state is kept.
    hangover_s
        Seconds of non-speech after speech until the reply.
    shortest_s
        Seconds of speech that a reply needs; shorter speech is ignored.
    """

    threshold: float
    release: float
    hangover_s: float = 0.6
    shortest_s: float = 0.1

    def __post_init__(self) -> None:
        for name in ("threshold", "release", "hangover_s", "shortest_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise SettingError(f"{name} must be a number, not {value!r}.")
            if name != "threshold" and value < 0:
                raise SettingError(f"{name} must be at least 0, not {value!r}.")


@dataclass(frozen=True)
class Endpointer:
    """Immutable state of the rule between two chunks.

    Attributes
    ----------
    rule
        Parameters.
    window_s
        Length of the detector's windows, in seconds.
    speaking
        Whether the last window counts as speech.
    spoken_s, silent_s
        Seconds of speech since the last reply, and of non-speech since the last speech.
    """

    rule: Endpointing
    window_s: float
    speaking: bool = False
    spoken_s: float = 0.0
    silent_s: float = 0.0

    def after(self, scores: Sequence[float]) -> tuple[Endpointer, bool]:
        """Apply the rule to the scores of a chunk's windows. Return the next state, and whether to reply now."""
        rule, speaking, spoken, silent = self.rule, self.speaking, self.spoken_s, self.silent_s
        for score in scores:
            if score >= rule.threshold:
                speaking, silent = True, 0.0
            elif score < rule.threshold - rule.release:
                speaking = False
            if speaking:
                spoken += self.window_s
            else:
                silent += self.window_s
                if spoken < rule.shortest_s and silent >= rule.hangover_s:
                    spoken = 0.0
        # The tolerance allows for rounding in the sum of window lengths.
        due = spoken >= rule.shortest_s and not speaking and silent >= rule.hangover_s - 3e-5
        return replace(self, speaking=speaking, spoken_s=0.0 if due else spoken, silent_s=silent), due


class EndpointingPolicy(Policy):
    """A baseline that replies when speech has ended.

    Parameters
    ----------
    rule
        When to reply.

    Attributes
    ----------
    window
        Samples of the detector's windows.
    score_name, score_range
        What a score of the detector is, and the scores at the bottom and at the top of the page's lane.
    """

    window: ClassVar[int]
    score_name: ClassVar[str]
    score_range: ClassVar[tuple[float, float]]

    def __init__(self, rule: Endpointing) -> None:
        self.rule = rule

    def at(self: P, **changes: float) -> P:
        """Return the policy with other fields of its `Endpointing`."""
        other = copy(self)
        other.rule = replace(self.rule, **changes)
        return other

    @property
    def parameters(self) -> Mapping[str, Fact]:
        """The fields of the rule."""
        return asdict(self.rule)

    def start(self) -> Endpointer:
        """Return the state before the first chunk."""
        return Endpointer(self.rule, self.window / SAMPLE_RATE)

    def rule_after(self, state: Endpointer, scores: Sequence[float]) -> tuple[Endpointer, Ruling]:
        """Apply the rule to the scores of a chunk."""
        after, reply = state.after(scores)
        low, high = self.score_range
        facts: dict[str, Fact] = {"score_name": self.score_name, "score_low": low, "score_high": high}
        if scores:
            facts["score"] = max(scores)
        facts |= {"speaking": after.speaking, "silent_s": round(after.silent_s, 3)}
        return after, Ruling(reply, facts)
