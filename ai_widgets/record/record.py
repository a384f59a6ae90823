"""`SessionRecord`: the events of a session and its audio.

The record is append-only: a stored event never changes. Memory is bounded: the newest ten minutes of audio and the
newest 50,000 events are complete in memory by default, and the numbers of all events. With ``keep="folder"`` all of it
is also written to disk while it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..errors import SettingError
from ..protocol import CHUNK_SAMPLES, CHUNK_SECONDS, EVENTS_VERSION, SAMPLE_RATE, Chunk, Event, Notice
from .audio_store import AudioStore
from .discards import audio_discarded, events_reduced
from .event_store import MAX_EVENTS, EventStore
from .folder import AUDIO_NAME, EVENTS_NAME, HEADER_NAME, Folder
from .header import Header
from .kept import KeptRecord
from .page_view import PageView
from .raw_store import RawSegment
from .replayable import Replayable

AUDIO_SECONDS = 600.0
"""Default length of audio kept in memory, in seconds: 38 MB as 16 kHz float32."""

E = TypeVar("E", bound=Event)


class SessionRecord(KeptRecord, Replayable, PageView):
    """Append-only store of one session's events and audio.

    Parameters
    ----------
    audio_seconds
        Length of the newest audio to keep in memory, in seconds; None keeps all audio, 0 none.
    keep
        Also write events and audio to disk while they happen; a crash loses at most the last chunk. A name that ends in
        `.aiw`: the folder of this recording, which must not exist. Any other name: a folder in which the recording gets
        a name made of the time. The attribute `path` is the recording in use.
    raw
        With `keep`, also keep the audio as it arrived, where its rate is not 16 kHz. At 48 kHz that is 345 MB an hour
        for 16-bit sound and twice as much for other sound; False leaves it out.
    max_events
        Number of the newest events to keep complete in memory without `keep`. Of older events the tables stay, the
        details (alternatives, envelopes, log-mels) are discarded.

    Raises
    ------
    RecordExistsError
        If `keep` names a recording that exists.
    SettingError
        If a parameter has a value that is not allowed, or the folder is not writable.

    Examples
    --------
    >>> record = SessionRecord(keep="talk.aiw")
    >>> session = model.session(record)
    """

    version = EVENTS_VERSION

    def __init__(
        self,
        audio_seconds: float | None = AUDIO_SECONDS,
        keep: str | Path | None = None,
        *,
        raw: bool = True,
        max_events: int = MAX_EVENTS,
    ) -> None:
        if audio_seconds is not None and audio_seconds < 0:
            raise SettingError(f"audio_seconds must be at least 0 or None, not {audio_seconds!r}.")
        if max_events < 1:
            raise SettingError(f"max_events must be at least 1, not {max_events!r}.")
        super().__init__(raw)
        max_chunks = None if audio_seconds is None else int(np.ceil(audio_seconds / CHUNK_SECONDS))
        self._max_chunks, self._max_events = max_chunks, max_events
        self._folder = None if keep is None else Folder(keep)
        self._begin_with(Header(), EventStore(max_events), AudioStore(max_chunks))

    def _begin_with(
        self, header: Header, events: EventStore, audio: AudioStore, path: Path | None = None, owned: object = None
    ) -> None:
        """Set all fields; `owned` is what must live as long as the record, such as a temporary folder."""
        self._header, self._events, self._audio = header, events, audio
        self._path, self._owned = path, owned
        self._raw: tuple[RawSegment, ...] = ()
        self._untold: tuple[Notice, ...] = ()
        self._told: set[str] = set()
        self._last_notices: tuple[int, list[Notice]] = (-1, [])

    @classmethod
    def load(cls, path: str | Path) -> SessionRecord:
        """Open a recording, a folder or one file; of a truncated or damaged one, the readable part.

        Events and audio stay on the disk and are read when they are asked for. New events are appended in memory only.

        Parameters
        ----------
        path
            Recording that `keep` or `save` wrote.

        Raises
        ------
        RecordError
            If there is no such file or it cannot be read. `ForeignRecordError`: it is no recording.
            `NewerRecordError`: a later version wrote it in a format that this version cannot read.

        Warns
        -----
        RecordWarning
            If a part is cut off, damaged or missing; a notice `salvaged` of the record says the same.

        Examples
        --------
        >>> record = SessionRecord.load("talk.aiw")
        >>> record.turns
        """
        from .load import load

        return load(path)

    def save(self, path: str | Path, *, overwrite: bool = False, folder: bool = False) -> Path:
        """Write the record to a new recording, under a temporary name that is renamed when all is written.

        Parameters
        ----------
        path
            Name that ends in `.aiw`.
        overwrite
            Replace a recording of that name.
        folder
            Write a folder, as `keep` does; otherwise one file, a zip archive with FLAC audio.

        Returns
        -------
        Path
            The recording.

        Raises
        ------
        RecordExistsError
            If the name exists and `overwrite` is False, or is not a recording.
        RecordError
            If the name does not end in `.aiw`, or the recording cannot be written.

        Examples
        --------
        >>> record.save("talk.aiw")
        """
        from .save import save

        return save(self, path, overwrite=overwrite, folder=folder)

    def begin(self, header: Header) -> None:
        """Note that a session begins to write into the record; the session calls it once.

        Parameters
        ----------
        header
            Model, settings and framing of the session.
        """
        self._header = self._header.begun(header)
        if self._opened and self._folder is not None and self._events.filing:
            try:
                self._folder.update(self._header)
                self._note_written(HEADER_NAME)
            except OSError as error:
                self._stop_writing(error)

    def note_live(self, live: Mapping[str, Any]) -> None:
        """Note the settings of the widget, before its session begins."""
        if not self._header.sessions:
            self._header = replace(self._header, live=dict(live))

    @property
    def header(self) -> Header:
        """Model, settings, framing and versions of the session, as at its start."""
        return self._header

    def append(self, event: Event) -> None:
        """Append one event. An interrupted call may be repeated."""
        self._open_folder()
        try:
            self._syncing.check()
            self._events.append(event)
        except OSError as error:
            self._stop_writing(error)
            self._events.append(event)
        self._note_written(EVENTS_NAME)

    def append_audio(self, samples: npt.NDArray[np.float32]) -> list[Notice]:
        """Append one chunk of audio. An interrupted call has no effect and may be repeated.

        Parameters
        ----------
        samples
            float32 [6400], 16 kHz mono.

        Returns
        -------
        list of Notice
            Usually empty: the start of discarding old audio or details of old events, or a failure to write the
            recording. The caller appends the notices to the record.
        """
        chunk = self._audio.chunks
        if self._last_notices[0] != chunk:
            self._last_notices = chunk, []
        notices = self._last_notices[1]
        self._open_folder()
        try:
            self._audio.write(samples)
        except OSError as error:
            self._stop_writing(error)
        self._note_written(AUDIO_NAME)
        for notice in (*self._untold, *self._discarding(chunk)):
            if all(other.kind != notice.kind for other in notices):
                notices.append(notice)
            self._told.add(notice.kind)
        self._audio.hold(samples)
        self._untold = ()
        return notices

    @property
    def last_notices(self) -> list[Notice]:
        """Notices that the last call of `append_audio` returned."""
        return self._last_notices[1]

    def copy_events(self, write: Callable[[bytes], object]) -> None:
        """Pass the lines of all events to `write`, as `events.jsonl` holds them.

        Raises
        ------
        OSError
            If the recording on disk cannot be read.
        """
        self._events.copy(write)

    def audio_pieces(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield `audio` in pieces of whole chunks, float32 [n · 6400], without having all of it in memory."""
        return self._audio.pieces()

    @property
    def chunks_heard(self) -> int:
        """Number of chunks whose audio was appended."""
        return self._audio.chunks

    @property
    def events(self) -> tuple[Event, ...]:
        """All events, in the order of their occurrence; those of `reduced` without details."""
        return tuple(self._events.get(0, len(self._events)))

    def since(self, index: int, most: int | None = None) -> list[Event]:
        """Return the events from index `index` on, at most `most` of them (all if None)."""
        last = len(self._events)
        return self._events.get(index, last if most is None else min(last, index + most))

    def __len__(self) -> int:
        return len(self._events)

    @property
    def reduced(self) -> range:
        """Indices of the events whose details (alternatives, envelopes, log-mels) were discarded."""
        first, last = self._header.reduced
        own = self._events.reduced
        return own if first == last else range(first, last if own.start == own.stop else own.stop)

    @property
    def audio(self) -> npt.NDArray[np.float32]:
        """Audio that is kept, float32 [n] at 16 kHz mono, from `audio_start_s` on; of a kept recording, all audio."""
        return self._audio.all

    @property
    def audio_start_s(self) -> float:
        """Start of `audio` on the session's audio clock, in seconds: above 0 after older audio was discarded."""
        return self._audio.start_s

    def chunk_audio(self, chunk: int) -> npt.NDArray[np.float32] | None:
        """Return the samples of one chunk, float32 [6400], or None if they are not kept.

        Thread-safe, also while another thread appends audio.

        Examples
        --------
        >>> samples = record.chunk_audio(0)
        """
        return self._audio.chunk(chunk)

    def keeps(self, chunk: int) -> bool:
        """Return whether `chunk_audio` returns the samples of a chunk."""
        return self._audio.keeps(chunk)

    @property
    def seconds(self) -> float:
        """Length of all audio of the session, in seconds, whether kept or discarded."""
        return self._audio.chunks * CHUNK_SAMPLES / SAMPLE_RATE

    def of_type(self, kind: type[E]) -> list[E]:
        """Return all events of one class, in order.

        Examples
        --------
        >>> [turn.text for turn in record.of_type(Turn)]
        """
        return list(self._events.each(kind))

    def chunk_event(self, number: int) -> Chunk:
        """Return the event of chunk `number`, counted from the record's first; the cost is the same for every chunk.

        Raises
        ------
        IndexError
            If the record has no such chunk.
        """
        index = self._events.chunk_index(number)
        (event,) = self._events.get(index, index + 1)
        return cast("Chunk", event)

    def count(self, kind: type[Event]) -> int:
        """Return the number of events of one class.

        Examples
        --------
        >>> record.count(Turn)
        """
        return self._events.count(kind)

    def _discarding(self, chunk: int) -> list[Notice]:
        """Return the notices of what is discarded from this chunk on, each once."""
        found: list[Notice] = []
        if self._audio.discards and "audio_discarded" not in self._told and self._max_chunks:
            found.append(audio_discarded(chunk, self._max_chunks * CHUNK_SECONDS))
        if self._events.discards and "events_reduced" not in self._told:
            found.append(events_reduced(chunk, self._max_events))
        return found
