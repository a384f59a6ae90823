"""`SessionRecord`: everything that happened in a session, as events, and the audio it heard.

Append-only: an event that is in the record stays as it is. The audio kept is bounded (the newest ten minutes by
default); the events are not, they are small.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import SettingError
from .protocol import (
    CHUNK_SAMPLES,
    CHUNK_SECONDS,
    EVENTS_VERSION,
    SAMPLE_RATE,
    Chunk,
    Decision,
    Event,
    Notice,
    Timing,
    Token,
    Turn,
)

if TYPE_CHECKING:
    import pandas as pd

AUDIO_SECONDS = 600.0

E = TypeVar("E", bound=Event)


class SessionRecord:
    """Events and audio of one session.

    Parameters
    ----------
    audio_seconds
        How much of the newest audio to keep, in seconds; None keeps all of it.
    """

    version = EVENTS_VERSION

    def __init__(self, audio_seconds: float | None = AUDIO_SECONDS) -> None:
        if audio_seconds is not None and audio_seconds < 0:
            raise SettingError(f"audio_seconds must be at least 0 or None, not {audio_seconds!r}.")
        self._events: list[Event] = []
        kept = None if audio_seconds is None else int(np.ceil(audio_seconds / CHUNK_SECONDS))
        self._audio: deque[npt.NDArray[np.float32]] = deque(maxlen=kept)
        self._chunks_heard = 0

    def append(self, event: Event) -> None:
        """Add one event at the end."""
        self._events.append(event)

    def append_audio(self, samples: npt.NDArray[np.float32]) -> None:
        """Add one chunk's samples, float32 [6400]."""
        self._audio.append(samples)
        self._chunks_heard += 1

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in order."""
        return tuple(self._events)

    def since(self, index: int, most: int | None = None) -> list[Event]:
        """Events from `index` on, at most `most` of them."""
        return self._events[index : None if most is None else index + most]

    def __len__(self) -> int:
        return len(self._events)

    @property
    def audio(self) -> npt.NDArray[np.float32]:
        """The audio kept, float32 at 16 kHz, from `audio_start_s` on."""
        return np.concatenate(self._audio) if self._audio else np.zeros(0, np.float32)

    @property
    def audio_start_s(self) -> float:
        """Where on the session's audio clock `audio` begins: above 0 once older audio was let go."""
        return (self._chunks_heard - len(self._audio)) * CHUNK_SECONDS

    def chunk_audio(self, chunk: int) -> npt.NDArray[np.float32] | None:
        """Samples of one chunk, float32 [6400], or None where they are no longer kept."""
        place = chunk - (self._chunks_heard - len(self._audio))
        return self._audio[place] if 0 <= place < len(self._audio) else None

    @property
    def seconds(self) -> float:
        """Length of all audio heard, kept or not."""
        return self._chunks_heard * CHUNK_SAMPLES / SAMPLE_RATE

    def of_type(self, kind: type[E]) -> list[E]:
        """All events of one class, in order."""
        return [event for event in self._events if isinstance(event, kind)]

    @property
    def chunks(self) -> pd.DataFrame:
        """One row a chunk: its time, level and flags."""
        return _table(self.of_type(Chunk), Chunk)

    @property
    def decisions(self) -> pd.DataFrame:
        """One row a decision: choice, probabilities, logits."""
        return _table(self.of_type(Decision), Decision)

    @property
    def tokens(self) -> pd.DataFrame:
        """One row a reply token."""
        return _table(self.of_type(Token), Token)

    @property
    def turns(self) -> pd.DataFrame:
        """One row a finished reply."""
        return _table(self.of_type(Turn), Turn)

    @property
    def notices(self) -> pd.DataFrame:
        """One row a notice."""
        return _table(self.of_type(Notice), Notice)

    @property
    def timings(self) -> pd.DataFrame:
        """One row a chunk that a worker or session timed, in milliseconds."""
        return _table(self.of_type(Timing), Timing)

    @property
    def text(self) -> str:
        """All replies, one a line."""
        return "\n".join(turn.text for turn in self.of_type(Turn))

    def __repr__(self) -> str:
        turns = len(self.of_type(Turn))
        return f"<SessionRecord: {self.seconds:.1f} s, {len(self.of_type(Decision))} decisions, {turns} replies>"


def _table(events: Iterable[Event], kind: type[Event]) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for event in events:
        values = event.to_json()
        values.pop("type")
        rows.append(values)
    columns = list(kind.__dataclass_fields__)
    return pd.DataFrame(rows, columns=columns)
