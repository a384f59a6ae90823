"""What if other settings had decided: the recorded logits and random numbers under another rule, without a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import SettingError
from ..protocol import Decision
from ..record.record import SessionRecord
from ..settings import Settings
from .decision_rule import BIAS, GREEDY, REPLY, TEXT, TOP_K, Outcome, decided

if TYPE_CHECKING:
    import pandas as pd

CHANGEABLE = ("bias", "temperature", "top_k", "top_p", "mask", "greedy")
"""Settings whose effect on a decision the recorded numbers tell."""


@dataclass(frozen=True)
class WhatIf:
    """Decisions of a record under other settings.

    Attributes
    ----------
    chunk
        Index of each decided chunk, int64 [n].
    recorded, choice
        Recorded choice, and choice under the other settings, of objects [n]: KEEP_SILENCE, TEXT_BEGIN or OTHER; a
        choice is None where the recorded numbers do not tell.
    p_text
        Probability of TEXT_BEGIN in the distribution that is drawn from, float64 [n]; NaN where unknown.
    exact
        Whether a run with the other settings would decide the same, bool [n]. True up to and including the first
        decision that flips, since the context is the recorded one until then; later values are hypothetical.
    exact_until
        Chunk of the last exact decision; None if there is none.
    settings
        Settings for `StreamingSession.fork` that run on from here.
    """

    chunk: npt.NDArray[np.int64]
    recorded: npt.NDArray[np.object_]
    choice: npt.NDArray[np.object_]
    p_text: npt.NDArray[np.float64]
    exact: npt.NDArray[np.bool_]
    settings: Mapping[str, Any]

    @property
    def flips(self) -> npt.NDArray[np.bool_]:
        """Whether the choice differs from the recorded one, bool [n]; False where it is unknown."""
        return np.asarray([now is not None and now != was for now, was in zip(self.choice, self.recorded, strict=True)])

    @property
    def first_flip(self) -> int | None:
        """Chunk of the first decision that flips, or None."""
        flipped = self.chunk[self.flips]
        return int(flipped[0]) if len(flipped) else None

    @property
    def exact_until(self) -> int | None:
        """Chunk of the last exact decision, or None."""
        exact = self.chunk[self.exact]
        return int(exact[-1]) if len(exact) else None

    @property
    def table(self) -> pd.DataFrame:
        """Table with one row per decision: `chunk`, `recorded`, `choice`, `p_text`, `flips`, `exact`."""
        import pandas as pd

        names = ("chunk", "recorded", "choice", "p_text", "flips", "exact")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def what_if(record: SessionRecord | Iterable[Decision], *, threshold: float | None = None, **changed: Any) -> WhatIf:
    """Return the decisions that other settings would have taken on the recorded logits.

    Parameters
    ----------
    record
        Record, or its decisions.
    threshold
        Reply where the probability of TEXT_BEGIN, of the two decision tokens and with the bias, is above this, from 0
        to 1, both excluded. It stands for ``greedy=True`` and ``bias - log(threshold / (1 - threshold))``, which is
        what a session does with it.
    **changed
        Of `Settings`: `bias`, `temperature`, `top_k`, `top_p`, `mask`, `greedy`; those that are not given, or None,
        stay as recorded. A recorded random number selects the token at the same place of the changed distribution.

    Returns
    -------
    WhatIf
        Exact up to the first decision that flips. `temperature`, `top_k`, `top_p` and `greedy` draw the tokens of
        replies too, so that with another value nothing behind the first reply is exact either.

    Raises
    ------
    SettingError
        If a setting is unknown, not allowed, or not among those above.

    Notes
    -----
    Unknown (None) is: a draw where the recorded session was greedy and has no random numbers; and, without the mask, a
    draw from more tokens than a decision's `alternatives` tell, for example from all (`top_k` 0). A forced decision
    stays.

    Examples
    --------
    >>> result = what_if(record, threshold=0.3)
    >>> result.first_flip, result.settings
    (12, {'greedy': True, 'bias': 0.8472978603872037})
    >>> session.fork(result.first_flip, **result.settings).run_on()
    """
    decisions = record.of_type(Decision) if isinstance(record, SessionRecord) else list(record)
    wanted = _wanted(changed)
    if threshold is not None:
        wanted |= _threshold(threshold, wanted, decisions)
    chunk = np.asarray([decision.chunk for decision in decisions], np.int64)
    outcomes, exact, sure = list[Outcome](), np.zeros(len(decisions), bool), True
    for place, decision in enumerate(decisions):
        rule = {**decision.rule, **wanted}
        if wanted.get(TOP_K) == 0:
            rule[TOP_K] = None
        forced = decision.rule.get("forced")
        outcome = decided(decision, rule)
        if forced is not None:
            outcome = Outcome(str(forced), outcome.p_text)
        outcomes.append(outcome)
        exact[place] = sure = sure and outcome.choice is not None
        same_replies = all(rule.get(name) == decision.rule.get(name) for name in REPLY)
        sure = sure and outcome.choice == decision.choice and (decision.choice != TEXT or same_replies)
    return WhatIf(
        chunk,
        np.asarray([decision.choice for decision in decisions], object),
        np.asarray([outcome.choice for outcome in outcomes], object),
        np.asarray([math.nan if outcome.p_text is None else outcome.p_text for outcome in outcomes], np.float64),
        exact,
        wanted,
    )


def _wanted(changed: Mapping[str, Any]) -> dict[str, Any]:
    """Check settings, and return those that are given."""
    for name in changed:
        if name not in CHANGEABLE:
            if name in Settings.names():
                raise SettingError(
                    f"The effect of {name} cannot be computed from the recorded numbers, only that of "
                    f"{', '.join(CHANGEABLE)}; session.fork(chunk, {name}=…) runs the model.",
                    (name,),
                )
            raise SettingError.unknown(name, (*CHANGEABLE, "threshold"))
    checked = Settings.of(changed).to_json()
    return {name: checked[name] for name in changed if checked[name] is not None}


def _threshold(threshold: float, wanted: Mapping[str, Any], decisions: list[Decision]) -> dict[str, Any]:
    """Return the settings that a threshold stands for."""
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 < threshold < 1:
        raise SettingError(f"threshold must be a probability above 0 and below 1, not {threshold!r}.", ("threshold",))
    biases = {decision.rule.get(BIAS, 0.0) for decision in decisions} if BIAS not in wanted else {wanted[BIAS]}
    if len(biases) > 1:
        raise SettingError("The bias changes within the record; give the bias to combine with the threshold.", (BIAS,))
    bias = float(next(iter(biases), 0.0)) - math.log(threshold / (1 - threshold))
    return {GREEDY: True, BIAS: bias}
