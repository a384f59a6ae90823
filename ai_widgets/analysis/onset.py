"""Onset: the probability that a session's first reply comes after each chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import SessionError
from ..protocol import Decision
from ..record.record import SessionRecord
from ..session.replay import run_again
from .decision_rule import KEEP
from .what_if import what_if

if TYPE_CHECKING:
    import pandas as pd

    from ..inference import Model


@dataclass(frozen=True)
class Onset:
    """Onset curve of a recording.

    Attributes
    ----------
    chunk
        Index of each chunk, int64 [n].
    hazard
        Probability of a reply after the chunk if there was none before, float64 [n].
    first
        Probability that the first reply comes after the chunk, float64 [n]: the hazard times the probability of no
        reply before.
    record
        Record of the silent run.
    """

    chunk: npt.NDArray[np.int64]
    hazard: npt.NDArray[np.float64]
    first: npt.NDArray[np.float64]
    record: SessionRecord

    @property
    def never(self) -> float:
        """Probability of no reply at all; `first` and `never` sum to 1."""
        return float(np.prod(1 - self.hazard))

    @property
    def table(self) -> pd.DataFrame:
        """Table with one row per chunk: `chunk`, `hazard`, `first`."""
        import pandas as pd

        return pd.DataFrame({"chunk": self.chunk, "hazard": self.hazard, "first": self.first})


def onset(record: SessionRecord, model: Model | None = None, **changed: Any) -> Onset:
    """Compute the onset curve, from a run in which every decision is forced to KEEP_SILENCE.

    Parameters
    ----------
    record
        Record whose audio is heard; a record without any reply is used as it is.
    model
        Model that hears it again, silenced; None if the record has no reply.
    **changed
        Settings of the decision, as in `what_if`: the curve is that of a session with them.

    Raises
    ------
    SessionError
        If the record has replies and no model is given, or cannot be heard again.
    SettingError
        If a setting is not among those of `what_if`, or the probabilities cannot be told from the record.

    Examples
    --------
    >>> curve = onset(session.record, model, temperature=1.0)
    >>> int(curve.chunk[curve.first.argmax()])
    12
    """
    silent = record
    if any(decision.choice != KEEP for decision in record.of_type(Decision)):
        if model is None:
            raise SessionError(
                "An onset curve needs a run without replies, and this record has some: give the model, "
                "onset(record, model), which hears the audio again and keeps silent."
            )
        silent = run_again(model, record, KEEP)
    asked = what_if(silent, **changed)
    if np.isnan(asked.p_text).any():
        raise SessionError(
            "Without the mask, a record tells the probability of a reply only for a top_k of at most its alternatives."
        )
    hazard = asked.p_text
    before = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]]) if len(hazard) else hazard
    return Onset(asked.chunk, hazard, hazard * before, silent)
