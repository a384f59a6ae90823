"""`RecordViews`: a record as tables, one for each kind of event, and as a transcript."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from ..protocol import Chunk, Decision, Event, Notice, Timing, Token, Turn
from .event_store import EventStore
from .tables import columns_table, kind_of, table
from .transcript import summary, transcript_html, transcript_text

if TYPE_CHECKING:
    import pandas as pd

E = TypeVar("E", bound=Event)


class RecordViews(ABC):
    """Tables and transcript of the events of a store."""

    _events: EventStore

    @property
    @abstractmethod
    def seconds(self) -> float:
        """Length of all audio of the session, in seconds."""

    @property
    @abstractmethod
    def audio_start_s(self) -> float:
        """Start of the audio that is kept, in seconds on the session's audio clock."""

    @abstractmethod
    def audio_pieces(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the audio that is kept in pieces of whole chunks."""

    @abstractmethod
    def copy_events(self, write: Callable[[bytes], object]) -> None:
        """Pass the lines of all events to `write`."""

    @abstractmethod
    def count(self, kind: type[Event]) -> int:
        """Return the number of events of one class."""

    @abstractmethod
    def of_type(self, kind: type[E]) -> list[E]:
        """Return all events of one class, in order."""

    def table(self, kind: type[Event] | str, *, details: bool = False) -> pd.DataFrame:
        """Return all events of one kind as a table with one row per event.

        Parameters
        ----------
        kind
            `chunk`, `decision`, `token`, `turn`, `notice` or `timing`, or the event class.
        details
            Also include columns of lists and mappings: alternatives, sampling rule, token ids, data of notices.
            `record.tables` lists all columns. Empty where the details of an event are gone (`reduced`).

        Returns
        -------
        pandas.DataFrame
            The columns are those of the property of that kind, such as `decisions`.

        Raises
        ------
        SettingError
            If there is no such kind.

        Examples
        --------
        >>> record.table("decision", details=True)[["chunk", "rule_temperature", "alternatives"]]
        """
        chosen = kind_of(kind)
        if not details:
            # From the rows in memory: no event is read from the disk.
            found = columns_table(lambda names: self._events.columns(chosen, names), chosen)
            if found is not None:
                return found
        return table(self.of_type(chosen), chosen, details=details)

    @property
    def chunks(self) -> pd.DataFrame:
        """Table of the chunks, one row each.

        Columns: `chunk`, `clip` (indices), `start_s` (seconds), `rms_db` (dBFS), `flags` (joined by spaces). See
        `protocol.Chunk`.

        Examples
        --------
        >>> record.chunks.rms_db.max()
        """
        return self.table(Chunk)

    @property
    def decisions(self) -> pd.DataFrame:
        """Table of the decisions, one row each.

        Columns: `chunk`, `clip` (indices), `start_s` (seconds), `choice`, `p_text`, `p_keep`, `p_other` (raw
        probabilities), `logit_text`, `logit_keep` (raw logits), `token`, `p_drawn`, `draw`, `argmax` (the draw),
        `position`, `oldest`, `used`, `limit` (the context). See `protocol.Decision`.

        Examples
        --------
        >>> record.decisions[["start_s", "choice", "p_text"]]
        """
        return self.table(Decision)

    @property
    def tokens(self) -> pd.DataFrame:
        """Table of the reply tokens, one row each.

        Columns: `chunk`, `turn`, `index` (indices), `start_s` (seconds), `text`, `token` (id), `p` (raw probability),
        `p_drawn`, `draw`, `argmax` (the draw), `position` (in the context). See `protocol.Token`.
        """
        return self.table(Token)

    @property
    def turns(self) -> pd.DataFrame:
        """Table of the replies, one row each.

        Columns: `chunk`, `turn`, `clip` (indices), `start_s` (seconds), `emotion`, `text`, `tokens` (number of tokens),
        `ended` (reason). See `protocol.Turn`.

        Examples
        --------
        >>> record.turns[["start_s", "text"]]
        """
        return self.table(Turn)

    @property
    def notices(self) -> pd.DataFrame:
        """Table of the notices, one row each.

        Columns: `chunk` (index), `start_s` (seconds), `kind` (word for programs), `message` (sentence). See
        `protocol.Notice`.
        """
        return self.table(Notice)

    @property
    def timings(self) -> pd.DataFrame:
        """Table of the processing times, one row per decided chunk.

        Columns: `chunk` (index), `start_s` (seconds); `features_ms`, `tower_ms`, `decide_ms`, `reply_ms`, `queue_ms`,
        `encode_wait_ms`, `capture_ms`, `network_ms` (durations in milliseconds); `arrived_ms`, `decided_ms` (Unix time
        in milliseconds); `stream`, `seq` (block of the browser). See `protocol.Timing`.

        Examples
        --------
        >>> record.timings.decide_ms.quantile(0.95)
        """
        return self.table(Timing)

    @property
    def text(self) -> str:
        """Text of all replies, one line each."""
        return "\n".join(turn.text for turn in self.of_type(Turn))

    def __repr__(self) -> str:
        return f"<SessionRecord: {summary(self)}>"

    def __str__(self) -> str:
        return transcript_text(self)

    def _repr_html_(self) -> str:
        return transcript_html(self, "Session record")
