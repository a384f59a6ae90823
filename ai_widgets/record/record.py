"""`SessionRecord`: everything that happened in a session, as events, and the audio it heard.

Append-only: an event that is in the record stays as it is. The audio kept is bounded (the newest ten minutes by
default) unless it goes to a file; the events are not, they are small. Nothing is written to disk unless asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ..audio.sink import AudioSpool
from ..errors import SettingError
from ..protocol import (
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
from .tables import kind_of, table
from .transcript import summary, transcript_html, transcript_text

if TYPE_CHECKING:
    import pandas as pd

AUDIO_SECONDS = 600.0

E = TypeVar("E", bound=Event)
KeepAudio: TypeAlias = Literal[True, False, "file"]


class SessionRecord:
    """Events and audio of one session.

    Parameters
    ----------
    audio_seconds
        How much of the newest audio to keep in memory, in seconds; None keeps all of it.
    keep_audio
        True: in memory. ``"file"``: all of it in a file too, which only ever grows; a crash loses at most the last
        chunk. False: none at all.
    audio_path
        Of that file: a name that ends in `.au`, or a folder; None for a new name among the temporary files. The
        attribute `audio_path` says where it is.
    """

    version = EVENTS_VERSION

    def __init__(
        self,
        audio_seconds: float | None = AUDIO_SECONDS,
        keep_audio: KeepAudio = True,
        audio_path: str | Path | None = None,
    ) -> None:
        if audio_seconds is not None and audio_seconds < 0:
            raise SettingError(f"audio_seconds must be at least 0 or None, not {audio_seconds!r}.")
        if keep_audio not in (True, False, "file"):
            raise SettingError(f"keep_audio must be True, False or 'file', not {keep_audio!r}.")
        if audio_path is not None and keep_audio != "file":
            raise SettingError("audio_path is for keep_audio='file' only; give both, or neither.")
        self._events: list[Event] = []
        seconds = audio_seconds if keep_audio else 0.0
        self._most = None if seconds is None else int(np.ceil(seconds / CHUNK_SECONDS))
        # By the chunk's index, so that a reader on another thread gets that chunk's audio or none.
        self._audio: dict[int, npt.NDArray[np.float32]] = {}
        self._spool = AudioSpool(audio_path) if keep_audio == "file" else None
        self._spooling = self._spool is not None
        self._letting_go = False
        self._chunks_heard = 0
        self._last_notices: tuple[int, list[Notice]] = (-1, [])

    def append(self, event: Event) -> None:
        """Add one event at the end."""
        self._events.append(event)

    def append_audio(self, samples: npt.NDArray[np.float32]) -> list[Notice]:
        """Add one chunk's samples, float32 [6400]. An interrupted call has added nothing and may be repeated.

        Returns
        -------
        list of Notice
            What is to be told of it, mostly nothing: that from here on old audio is dropped, or that it cannot be
            written to its file any more. The record does not append them itself.
        """
        chunk = self._chunks_heard
        if self._last_notices[0] != chunk:
            self._last_notices = chunk, []
        notices = self._last_notices[1]
        self._write(chunk, samples, notices)
        self._audio[chunk] = samples
        if self._most is not None and len(self._audio) > self._most:
            if self._most and not (self._letting_go or self._spooling):
                seconds = self._most * CHUNK_SECONDS
                message = f"Audio older than {_duration(seconds)} is discarded from this chunk on. All events are kept."
                _tell(notices, Notice(chunk, "audio_let_go", message, {"seconds": seconds}))
                self._letting_go = True
            self._audio.pop(chunk - self._most, None)
        self._chunks_heard = chunk + 1
        return notices

    @property
    def last_notices(self) -> list[Notice]:
        """What `append_audio` returned last."""
        return self._last_notices[1]

    @property
    def chunks_heard(self) -> int:
        """Chunks whose audio was added so far."""
        return self._chunks_heard

    def _write(self, chunk: int, samples: npt.NDArray[np.float32], notices: list[Notice]) -> None:
        """One more chunk into the file; where that fails it is the last attempt."""
        if self._spool is None or not self._spooling:
            return
        try:
            self._spool.write(chunk, samples)
        except OSError as error:
            where = self._spool.path or "its file"
            why = error.strerror or str(error)
            message = (
                f"Audio can no longer be written to {where} ({why}). From this chunk on it is kept in memory only."
            )
            data = {"path": str(where), "why": why, "seconds": self._spool.chunks * CHUNK_SECONDS}
            _tell(notices, Notice(chunk, "audio_not_written", message, data))
            self._spooling = False
            self._spool.close()

    @property
    def audio_path(self) -> Path | None:
        """The file that holds the audio, with `keep_audio="file"` and once some was heard; else None."""
        return self._spool.path if self._spool is not None else None

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
        held = dict(self._audio)
        first = min(held, default=self._chunks_heard)
        parts = [held[chunk] for chunk in sorted(held)]
        if self._spool is not None and self._spool.chunks >= first:
            parts.insert(0, self._spool.read(0, first))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    @property
    def audio_start_s(self) -> float:
        """Where on the session's audio clock `audio` begins: above 0 once older audio was let go."""
        first = min(dict(self._audio), default=self._chunks_heard)
        in_one_piece = self._spool is not None and self._spool.chunks >= first
        return 0.0 if in_one_piece else first * CHUNK_SECONDS

    def chunk_audio(self, chunk: int) -> npt.NDArray[np.float32] | None:
        """Samples of one chunk, float32 [6400], or None where they are no longer kept.

        Right on any thread, also while another one adds audio.
        """
        samples = self._audio.get(chunk)
        if samples is None and self._spool is not None and 0 <= chunk < self._spool.chunks:
            return self._spool.read(chunk, 1)
        return samples

    @property
    def seconds(self) -> float:
        """Length of all audio heard, kept or not."""
        return self._chunks_heard * CHUNK_SAMPLES / SAMPLE_RATE

    def of_type(self, kind: type[E]) -> list[E]:
        """All events of one class, in order."""
        return [event for event in self._events if isinstance(event, kind)]

    def table(self, kind: type[Event] | str, *, details: bool = False) -> pd.DataFrame:
        """All events of one kind, a row each.

        Parameters
        ----------
        kind
            `chunk`, `decision`, `token`, `turn`, `notice` or `timing`.
        details
            With lists and mappings too: alternatives and the sampling rule, token ids, figures of notices. `tables`
            lists all columns.

        Raises
        ------
        SettingError
            There is no such kind.

        Examples
        --------
        >>> record.table("decision", details=True)[["chunk", "rule_temperature", "alternatives"]]
        """
        chosen = kind_of(kind)
        return table(self.of_type(chosen), chosen, details=details)

    @property
    def chunks(self) -> pd.DataFrame:
        """One row a chunk: `chunk`, `clip`, `start_s`, `rms_db`, `flags` (joined by spaces)."""
        return self.table(Chunk)

    @property
    def decisions(self) -> pd.DataFrame:
        """One row a decision: `chunk`, `clip`, `start_s`, `choice`, raw probabilities (`p_text`, `p_keep`, `p_other`),
        raw logits, what was drawn (`token`, `p_drawn`, `draw`, `argmax`), and the context's `position`, `oldest`,
        `used`, `limit`. See `protocol.Decision`.
        """
        return self.table(Decision)

    @property
    def tokens(self) -> pd.DataFrame:
        """One row a reply token: `chunk`, `turn`, `index`, `start_s`, `text`, `token`, `p` and what was drawn."""
        return self.table(Token)

    @property
    def turns(self) -> pd.DataFrame:
        """One row a reply: `chunk`, `turn`, `clip`, `start_s`, `emotion`, `text`, `tokens` (their number), `ended`."""
        return self.table(Turn)

    @property
    def notices(self) -> pd.DataFrame:
        """One row a notice: `chunk`, `start_s`, `kind`, `message`."""
        return self.table(Notice)

    @property
    def timings(self) -> pd.DataFrame:
        """One row a chunk that a worker or session timed, in milliseconds. See `protocol.Timing`."""
        return self.table(Timing)

    @property
    def text(self) -> str:
        """All replies, one a line."""
        return "\n".join(turn.text for turn in self.of_type(Turn))

    def __repr__(self) -> str:
        return f"<SessionRecord: {summary(self)}>"

    def __str__(self) -> str:
        return transcript_text(self)

    def _repr_html_(self) -> str:
        return transcript_html(self, "Session record")


def _tell(notices: list[Notice], notice: Notice) -> None:
    """Add a notice, once: an interrupted call that is repeated comes here again."""
    if all(other.kind != notice.kind for other in notices):
        notices.append(notice)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
