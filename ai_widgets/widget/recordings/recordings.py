"""`Recordings`: which record a widget shows, and what pages ask of it: save, open, replay.

A recording is shown in place of the session, which stays as it is. Audio that arrives shows the session again, and ends
what is in progress on its record.
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any

from ...errors import AiWidgetsError, RecordError, SessionError
from ...record.load import open_recording
from ...record.page_facts import page_facts
from ...record.record import SessionRecord
from ...session.listening import ListeningModel
from ..files.page_file import PIECE_BYTES, PageFile
from ..presenter import Presenter
from ..wire import outgoing
from ..wire.limits import MAX_RECORDING_BYTES, MAX_TEXT, RECORDING_SUFFIX
from ..wire.messages import Bytes
from ..wire.recording_messages import Analyse, Load, Replay, Save
from .analysing import Analyser
from .jobs import Job, JobCancelledError, Jobs
from .replaying import Replayer
from .saving import Saver

logger = logging.getLogger(__name__)


class Recordings:
    """What a widget shows, and its work on recordings.

    Parameters
    ----------
    presenter
        Parts of the widget, and what pages are shown.
    lock
        Held while messages and Python's calls are taken, so that no audio arrives while another record begins to be
        shown.

    Attributes
    ----------
    jobs, saver
        Thread of the work, and files for pages.
    """

    def __init__(self, presenter: Presenter, lock: RLock) -> None:
        self._parts, self._lock = presenter, lock
        self.jobs = Jobs()
        self.saver = Saver(self.jobs, presenter.put)
        self._replayer = Replayer(self.jobs, presenter.put)
        self._analyser = Analyser(self.jobs, presenter.put)
        self._loading: tuple[Load, PageFile] | None = None
        self._shown = outgoing.recording("none")

    def close(self) -> None:
        """End the work in progress, and remove a file that no page took."""
        self.jobs.close()
        self.saver.remove()

    def show(self, record: SessionRecord | None, name: str = "") -> None:
        """Show a record in place of the session; None shows the session again.

        Raises
        ------
        SessionError
            Where audio arrives or is not decided yet.
        """
        with self._lock:
            if record is not None:
                self._check_quiet()
            self._show(record, name)

    def audio_begins(self) -> None:
        """Show the session again, and end what uses its record: audio is about to arrive."""
        self.jobs.cancel("Audio began to arrive meanwhile. Stop the recording first, then try again.")
        self._forget()
        self._show(None)

    def session_begins(self) -> None:
        """Forget what was shown: a new session begins."""
        self.jobs.cancel("The session was reset meanwhile.")
        self._tell_shown(outgoing.recording("none"))

    @property
    def told(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The newest messages `recording` and `replayed`, for a page that asks for the state."""
        return self._shown, self._replayer.told

    @property
    def analysed(self) -> tuple[dict[str, Any], ...]:
        """The newest message `analysed` of each kind that was asked for."""
        return tuple(told for told in self._analyser.told.values() if told["state"] != "none")

    # From the pages --------------------------------------------------------------------------------------------------

    def save(self, message: Save) -> None:
        """Begin to write what is shown to a file for a page."""
        record = self._parts.pipeline.record
        try:
            self._check_quiet()
            self.jobs.check_free()
            if not len(record):
                raise SessionError("There is nothing to save yet; record something first.")
        except SessionError as error:
            self.saver.refuse(message, str(error))
        else:
            self.saver.save(record, message, tuple(self._analyser.results.values()))

    def load(self, message: Load) -> None:
        """Begin to read a recording that a page holds, and show it."""
        try:
            if message.size > MAX_RECORDING_BYTES:
                raise RecordError(
                    f"{message.name} has {message.size / 2**30:.1f} GiB; a page sends recordings of at most "
                    f"{MAX_RECORDING_BYTES >> 30} GiB. Copy it to the kernel's disk and call "
                    "w.show(SessionRecord.load(path))."
                )
            self._check_quiet()
            self.jobs.check_free()
        except AiWidgetsError as error:
            self._parts.problem("recording", str(error), message.page)
            self._parts.put(self._shown)
            return
        name = message.name or "the recording"
        file = PageFile(
            name,
            message.size,
            lambda at, length: self._parts.put(outgoing.need(message.stream, at, length, message.page)),
        )
        self._loading = message, file
        self._parts.put(outgoing.recording("loading", name, 0, message.size))
        self.jobs.begin(Job(lambda job: self._load(job, message, file), file.fail))

    def take(self, message: Bytes) -> None:
        """Take a page's answer to a request for a part of its recording; one that is not awaited is discarded."""
        if self._loading is None:
            return
        load, file = self._loading
        if (load.stream, load.page) != (message.stream, message.page):
            return
        if message.problem:
            sentence = f"The browser can no longer read {file.file_name} ({message.problem}). Choose the file again."
            file.fail(RecordError(sentence))
        else:
            file.take(message.offset, message.data)

    def unload(self) -> None:
        """End reading a recording, or show the session again."""
        if self._loading is None:
            self._show(None)
        else:
            self.jobs.cancel()

    def replay(self, message: Replay) -> None:
        """Begin to replay what is shown with the model, or cancel that."""
        if message.action == "cancel":
            self._replayer.cancel()
            return
        try:
            self._replayer.start(self._model_of_a_job(), self._parts.pipeline.record)
        except SessionError as error:
            self._replayer.refuse(str(error))

    def analyse(self, message: Analyse) -> None:
        """Begin to analyse what is shown with the model, or cancel that."""
        if message.action == "cancel":
            self._analyser.cancel()
            return
        try:
            self._analyser.start(self._model_of_a_job(), self._parts.pipeline.record, message)
        except AiWidgetsError as error:
            self._analyser.refuse(message, str(error))

    # -----------------------------------------------------------------------------------------------------------------

    def _model_of_a_job(self) -> ListeningModel:
        """Return the model, where a job with it may begin."""
        self._check_quiet()
        self.jobs.check_free()
        model = self._parts.source.loaded
        if model is None:
            raise SessionError("The model is not loaded yet; ask again when it is.")
        return model

    def _show(self, record: SessionRecord | None, name: str = "") -> None:
        if record is self._parts.pipeline.opened:
            return
        shown = outgoing.recording("none")
        if record is not None:
            shown = outgoing.recording("shown", name[:MAX_TEXT], facts=page_facts(record.header.to_json()))
        # Before the events, which a page counts as those of the recording.
        self._tell_shown(shown)
        self._parts.show_record(record)

    def _tell_shown(self, shown: dict[str, Any]) -> None:
        self._shown = shown
        self._parts.outbox.put(shown)
        self._forget()

    def _forget(self) -> None:
        """Forget what was computed of the record that was shown until now."""
        self._replayer.forget()
        self._analyser.forget()

    def _check_quiet(self) -> None:
        """Raise `SessionError` where audio arrives or is not decided yet."""
        parts = self._parts
        if parts.receiver.stream is not None and not parts.receiver.quiet:
            raise SessionError("A page records into this widget; stop the recording first.")
        if parts.player.active:
            raise SessionError("A file plays in this widget; stop the file first, or wait for its end.")
        waiting = parts.pipeline.waiting
        if waiting:
            resume = ", or let the paused loop run" if parts.pipeline.gate.blocked else ""
            raise SessionError(f"{waiting} chunks of audio are not decided yet; wait until they are{resume}.")

    def _load(self, job: Job, message: Load, file: PageFile) -> None:
        name, problem = file.file_name, ""
        try:
            record, missing = self._read(job, file)
            with self._lock:
                job.check()
                self._loading = None
                self.jobs.finish(job)
                self._show(record, name)
            if missing:
                self._parts.problem("salvaged", missing, message.page)
            return
        except JobCancelledError as error:
            problem = f"{name} was not opened. {error}" if str(error) else ""
        except (AiWidgetsError, OSError) as error:
            problem = str(error)
        except Exception as error:
            logger.exception("Opening %s failed.", name)
            problem = f"{name} could not be opened ({type(error).__name__}: {error})."
        self._loading = None
        self.jobs.finish(job)
        if problem:
            self._parts.problem("recording", problem, message.page)
        self._parts.put(self._shown)

    def _read(self, job: Job, file: PageFile) -> tuple[SessionRecord, str]:
        """Copy a page's file to a temporary one and open it; errors name the page's file."""
        with TemporaryDirectory(prefix="ai_widgets-", ignore_cleanup_errors=True) as folder:
            # The name is the program's: that of the page's file is data.
            path = Path(folder) / f"opened{RECORDING_SUFFIX}"
            with path.open("xb") as copy:
                while piece := file.read(PIECE_BYTES):
                    job.check()
                    copy.write(piece)
                    if job.due():
                        self._parts.put(outgoing.recording("loading", file.file_name, copy.tell(), file.size))
            try:
                return open_recording(path, file.file_name)
            except RecordError as error:
                raise type(error)(str(error).replace(str(path), file.file_name)) from None
