"""`SessionRecord`: the events of a session and its audio.

The record is append-only: a stored event never changes. Audio in memory is bounded (the newest ten minutes by default);
events are small and unbounded. Audio is written to disk only with ``keep_audio="file"``.
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
from .page_view import PageView
from .tables import kind_of, table
from .transcript import summary, transcript_html, transcript_text

if TYPE_CHECKING:
    import pandas as pd

AUDIO_SECONDS = 600.0
"""Default length of audio kept in memory, in seconds: 38 MB as 16 kHz float32."""

E = TypeVar("E", bound=Event)
KeepAudio: TypeAlias = Literal[True, False, "file"]


class SessionRecord(PageView):
    """Append-only store of one session's events and audio.

    Parameters
    ----------
    audio_seconds
        Length of the newest audio to keep in memory, in seconds; None keeps all audio.
    keep_audio
        True: keep audio in memory. ``"file"``: also append all audio to a file; a crash loses at most the last chunk.
        False: keep no audio.
    audio_path
        Audio file for ``keep_audio="file"``: a name that ends in `.au`, or a folder for a new file; None for a new
        temporary file. The attribute `audio_path` is the path in use.

    Raises
    ------
    SettingError
        If a parameter has a value that is not allowed, or the folder of `audio_path` is not writable.

    Examples
    --------
    >>> record = SessionRecord(audio_seconds=60, keep_audio="file")
    >>> session = model.session(record)
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
        self._max_chunks = None if seconds is None else int(np.ceil(seconds / CHUNK_SECONDS))
        # By chunk index, so that a reader on another thread gets the audio of that chunk or none.
        self._audio: dict[int, npt.NDArray[np.float32]] = {}
        self._spool = AudioSpool(audio_path) if keep_audio == "file" else None
        self._spooling = self._spool is not None
        self._discarding = False
        self._chunks_heard = 0
        self._last_notices: tuple[int, list[Notice]] = (-1, [])

    def append(self, event: Event) -> None:
        """Append one event."""
        self._events.append(event)

    def append_audio(self, samples: npt.NDArray[np.float32]) -> list[Notice]:
        """Append one chunk of audio. An interrupted call has no effect and may be repeated.

        Parameters
        ----------
        samples
            float32 [6400], 16 kHz mono.

        Returns
        -------
        list of Notice
            Usually empty: the start of discarding old audio, or a failure to write the audio file. The caller appends
            the notices to the record.
        """
        chunk = self._chunks_heard
        if self._last_notices[0] != chunk:
            self._last_notices = chunk, []
        notices = self._last_notices[1]
        self._write(chunk, samples, notices)
        self._audio[chunk] = samples
        if self._max_chunks is not None and len(self._audio) > self._max_chunks:
            if self._max_chunks and not (self._discarding or self._spooling):
                seconds = self._max_chunks * CHUNK_SECONDS
                message = f"Audio older than {_duration(seconds)} is discarded from this chunk on. All events are kept."
                _add_once(notices, Notice(chunk, "audio_discarded", message, {"seconds": seconds}))
                self._discarding = True
            self._audio.pop(chunk - self._max_chunks, None)
        self._chunks_heard = chunk + 1
        return notices

    @property
    def last_notices(self) -> list[Notice]:
        """Notices that the last call of `append_audio` returned."""
        return self._last_notices[1]

    @property
    def chunks_heard(self) -> int:
        """Number of chunks whose audio was appended."""
        return self._chunks_heard

    def _write(self, chunk: int, samples: npt.NDArray[np.float32], notices: list[Notice]) -> None:
        """Append one chunk to the audio file; after a failure the file is closed and no longer written."""
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
            _add_once(notices, Notice(chunk, "audio_not_written", message, data))
            self._spooling = False
            self._spool.close()

    @property
    def audio_path(self) -> Path | None:
        """Path of the audio file; None without `keep_audio="file"` and before the first chunk."""
        return self._spool.path if self._spool is not None else None

    @property
    def events(self) -> tuple[Event, ...]:
        """All events, in the order of their occurrence."""
        return tuple(self._events)

    def since(self, index: int, most: int | None = None) -> list[Event]:
        """Return the events from index `index` on, at most `most` of them (all if None)."""
        return self._events[index : None if most is None else index + most]

    def __len__(self) -> int:
        return len(self._events)

    @property
    def audio(self) -> npt.NDArray[np.float32]:
        """Audio that is kept, float32 [n] at 16 kHz mono, from `audio_start_s` on; with an audio file, all audio."""
        held = dict(self._audio)
        first = min(held, default=self._chunks_heard)
        parts = [held[chunk] for chunk in sorted(held)]
        if self._spool is not None and self._spool.chunks >= first:
            parts.insert(0, self._spool.read(0, first))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    @property
    def audio_start_s(self) -> float:
        """Start of `audio` on the session's audio clock, in seconds: above 0 after older audio was discarded."""
        first = min(dict(self._audio), default=self._chunks_heard)
        in_one_piece = self._spool is not None and self._spool.chunks >= first
        return 0.0 if in_one_piece else first * CHUNK_SECONDS

    def chunk_audio(self, chunk: int) -> npt.NDArray[np.float32] | None:
        """Return the samples of one chunk, float32 [6400], or None if they are not kept.

        Thread-safe, also while another thread appends audio.

        Examples
        --------
        >>> samples = record.chunk_audio(0)
        """
        samples = self._audio.get(chunk)
        if samples is None and self._spool is not None and 0 <= chunk < self._spool.chunks:
            return self._spool.read(chunk, 1)
        return samples

    @property
    def seconds(self) -> float:
        """Length of all audio of the session, in seconds, whether kept or discarded."""
        return self._chunks_heard * CHUNK_SAMPLES / SAMPLE_RATE

    def of_type(self, kind: type[E]) -> list[E]:
        """Return all events of one class, in order.

        Examples
        --------
        >>> [turn.text for turn in record.of_type(Turn)]
        """
        return [event for event in self._events if isinstance(event, kind)]

    def table(self, kind: type[Event] | str, *, details: bool = False) -> pd.DataFrame:
        """Return all events of one kind as a table with one row per event.

        Parameters
        ----------
        kind
            `chunk`, `decision`, `token`, `turn`, `notice` or `timing`, or the event class.
        details
            Also include columns of lists and mappings: alternatives, sampling rule, token ids, data of notices.
            `record.tables` lists all columns.

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
        `encode_wait_ms`, `capture_ms` (durations in milliseconds); `arrived_ms`, `decided_ms` (Unix time in
        milliseconds); `stream`, `seq` (block of the browser). See `protocol.Timing`.

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


def _add_once(notices: list[Notice], notice: Notice) -> None:
    """Add a notice if there is none of its kind: `append_audio` may be repeated after an interrupt."""
    if all(other.kind != notice.kind for other in notices):
        notices.append(notice)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
