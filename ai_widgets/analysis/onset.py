"""Onset: the probability that a session's first reply comes after each chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import SessionError
from ..protocol import CHUNK_SECONDS, Decision
from ..record.record import SessionRecord
from ..session.replay import run_again
from .decision_rule import KEEP
from .what_if import what_if

if TYPE_CHECKING:
    import pandas as pd
    from plotly import graph_objects as go

    from ..session.listening import ListeningModel

UNTOLD = (
    "The probability of a reply cannot be computed from the record: a policy has none, and without the mask only a "
    "top_k of at most the recorded alternatives tells it."
)
"""Message where a record lacks the numbers of an onset curve."""


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
    settings
        Settings of the decision that differ from the record's.
    """

    chunk: npt.NDArray[np.int64]
    hazard: npt.NDArray[np.float64]
    first: npt.NDArray[np.float64]
    record: SessionRecord
    settings: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Return `onset`, by which a page knows what it shows."""
        return "onset"

    def __str__(self) -> str:
        """Say in one line when a first reply comes; the page says the same."""
        if not self.first.any():
            return f"No reply comes in any of {len(self.chunk)} chunks."
        peak = int(self.first.argmax())
        said = f"The first reply most likely comes after {place(self.chunk[peak])}: {percent(self.first[peak])}"
        half = np.flatnonzero(np.cumsum(self.first) >= 0.5)
        if len(half):
            said += f"; half of all sessions have replied by {place(self.chunk[half[0]])}"
        return f"{said}; {percent(self.never)} never reply."

    @property
    def never(self) -> float:
        """Probability of no reply at all; `first` and `never` sum to 1."""
        return float(np.prod(1 - self.hazard))

    @property
    def table(self) -> pd.DataFrame:
        """Table with one row per chunk: `chunk`, `hazard`, `first`."""
        import pandas as pd

        return pd.DataFrame({"chunk": self.chunk, "hazard": self.hazard, "first": self.first})

    def plot(self) -> go.Figure:
        """Draw the probability of the first reply after each chunk, and the hazard, over time.

        Returns
        -------
        plotly.graph_objects.Figure
        """
        from .plots import onset_figure

        return onset_figure(self)

    def to_json(self) -> dict[str, Any]:
        """Return what a page needs for the same curve: settings, chunks and hazards."""
        return {"settings": dict(self.settings), "chunk": self.chunk.tolist(), "hazard": self.hazard.tolist()}

    @staticmethod
    def of(chunk: npt.ArrayLike, hazard: npt.ArrayLike, record: SessionRecord, settings: Mapping[str, Any]) -> Onset:
        """Build a curve from the hazards of consecutive decisions."""
        hazards = np.asarray(hazard, np.float64)
        before = np.concatenate([[1.0], np.cumprod(1 - hazards)[:-1]]) if len(hazards) else hazards
        return Onset(np.asarray(chunk, np.int64), hazards, hazards * before, record, settings)


def place(chunk: int) -> str:
    """Name a chunk with the time at its end, when its decision falls."""
    return f"chunk {chunk} ({(chunk + 1) * CHUNK_SECONDS:.1f} s)"


def percent(p: float) -> str:
    """Format a probability in percent."""
    return f"{100 * p:.1f}\N{NO-BREAK SPACE}%"


def onset(
    record: SessionRecord,
    model: ListeningModel | None = None,
    *,
    watch: Callable[[int, int], object] | None = None,
    **changed: Any,
) -> Onset:
    """Compute the onset curve, from a run in which every decision is forced to KEEP_SILENCE.

    Parameters
    ----------
    record
        Record whose audio is heard; a record without any reply is used as it is.
    model
        Model that hears it again, silenced; None if the record has no reply.
    watch
        Called after each step with the number of chunks heard and of all chunks; what it raises ends the run.
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
    >>> curve.plot().show()
    """
    silent = record
    if any(decision.choice != KEEP for decision in record.of_type(Decision)):
        if model is None:
            raise SessionError(
                "An onset curve needs a run without replies, and this record has some: give the model, "
                "onset(record, model), which hears the audio again and keeps silent."
            )
        total = record.chunks_heard
        silent = run_again(model, record, KEEP, watch=None if watch is None else lambda heard: watch(heard, total))
    asked = what_if(silent, **changed)
    if np.isnan(asked.p_text).any():
        raise SessionError(UNTOLD)
    return Onset.of(asked.chunk, asked.p_text, silent, asked.settings)
