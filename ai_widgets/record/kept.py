"""`KeptRecord`: the part of a record that writes to disk what is appended, while it happens."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from pathlib import Path
from threading import RLock

import numpy as np
import numpy.typing as npt

from ..protocol import Notice
from .audio_store import AudioStore
from .discards import not_written
from .exports import RecordExports
from .folder import HEADER_NAME, Folder
from .header import Header
from .raw_store import RawSegment, RawStore, segments_in
from .syncing import DelayedSync

logger = logging.getLogger(__name__)


class KeptRecord(RecordExports):
    """Record with a folder, or without one."""

    _audio: AudioStore
    _header: Header
    _folder: Folder | None
    _path: Path | None
    _raw: tuple[RawSegment, ...]
    _untold: tuple[Notice, ...]

    def __init__(self, keep_raw: bool = True) -> None:
        self._opened, self._keep_raw = False, keep_raw
        self._raw_store: RawStore | None = None
        self._syncing = DelayedSync()
        # Audio arrives on another thread than events; both may be the first to need the folder.
        self._opening = RLock()

    @property
    def path(self) -> Path | None:
        """The recording on disk: the folder that is being written, or what was loaded; None if there is none."""
        return self._folder.path if self._folder is not None else self._path

    @property
    def keeps_raw(self) -> bool:
        """Whether `append_raw` stores audio: with `keep`, unless `raw` is False."""
        return self._folder is not None and self._keep_raw

    def append_raw(
        self, samples: npt.NDArray[np.float32], rate: int, clip: int, *, source: Hashable = None, start: int = 0
    ) -> None:
        """Append audio as it arrived; it is kept on disk only, and only if its rate is not that of the model.

        May be called on another thread than the other methods.

        Parameters
        ----------
        samples
            float32 [n], mono.
        rate
            Samples a second.
        clip
            Index of the clip, as in `Chunk.clip`.
        source, start
            Source that may be read again, and index of the first sample in it; None for a stream. What was stored of
            the source already is not stored again.
        """
        if not self.keeps_raw:
            return
        self._open_folder()
        try:
            if self._raw_store is not None and self._events.filing:
                self._syncing.check()
                self._syncing.written(*self._raw_store.write(samples, rate, clip, source=source, start=start))
        except OSError as error:
            self._stop_writing(error)

    @property
    def raw(self) -> list[RawSegment]:
        """Audio at the device's own rate, one segment for each clip and rate; empty unless the session was kept."""
        kept = self._folder.path if self._folder is not None else None
        return segments_in(kept) if kept is not None else list(self._raw)

    def _open_folder(self) -> None:
        """Create the folder of `keep` before the first event or chunk."""
        if self._folder is None or self._opened:
            return
        with self._opening:
            if not self._opened:
                self._create(self._folder)
                self._opened = True

    def _create(self, folder: Folder) -> None:
        try:
            events, audio = folder.create(self._header)
            self._events.file_into(events, writing=True)
            self._audio.spool_into(audio, writing=True)
            self._raw_store = RawStore(events.path.parent)
            self._syncing.written(events.path.parent.parent, events.path.parent, events.path.parent / HEADER_NAME)
        except OSError as error:
            self._stop_writing(error)

    def _note_written(self, name: str) -> None:
        """Note that a file of the folder was written, for its sync."""
        if self._folder is not None and self._folder.path is not None and self._events.filing:
            self._syncing.written(self._folder.path / name)

    def _stop_writing(self, error: OSError) -> None:
        """Write no more to disk, and tell it with the next chunk."""
        self._events.stop_filing()
        self._audio.stop_spooling()
        where = str(self._folder and (self._folder.path or self._folder.wanted))
        notice = not_written(self._audio.chunks, where, error, self._audio.spooled)
        # The log, too, because there may be no next chunk.
        logger.warning("%s", notice.message)
        self._untold = (notice,)
