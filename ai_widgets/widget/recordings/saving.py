"""`Saver`: write what a widget shows to a file, and send it to the page that asked, part by part."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import AiWidgetsError
from ...record.html import Analysis
from ...record.record import SessionRecord
from ...record.transcript import clock
from ..files.saved_file import SavedFile
from ..wire import outgoing
from ..wire.recording_messages import Part, Release, Save
from .jobs import Job, JobCancelledError, Jobs

logger = logging.getLogger(__name__)

MAX_NAME = 60
"""Characters of the model's name in the name of a saved file."""
Put = Callable[..., None]
"""Sends a message and its buffers to the pages."""


class Saver:
    """The newest file that was saved for a page. It is on disk until the page has it, or until the next one.

    Parameters
    ----------
    jobs
        Thread that writes.
    put
        Sends messages to the pages.
    """

    def __init__(self, jobs: Jobs, put: Put) -> None:
        self._jobs, self._put = jobs, put
        self._saved: SavedFile | None = None
        self._writing: tuple[Job, SavedFile] | None = None

    def save(self, record: SessionRecord, message: Save, analyses: Sequence[Analysis] = ()) -> None:
        """Begin to write a record, a page with the results of analyses.

        The caller has checked that no job is in progress.
        """
        self.remove()
        saved = SavedFile(message.request, message.page, f".{message.format}")
        job = Job(lambda job: self._write(job, record, message, saved, analyses))
        self._writing = job, saved
        self._jobs.begin(job)

    def refuse(self, message: Save, sentence: str) -> None:
        """Answer that nothing is saved, and why."""
        self._put(outgoing.saved(message.request, message.page, problem=sentence))

    def part(self, message: Part, *, binary: bool) -> None:
        """Send a part of the file."""
        saved = self._saved
        raw = saved.part(message.offset) if saved is not None and _is_of(saved, message) else None
        self._put(*outgoing.part(message, raw, binary))

    def release(self, message: Release) -> None:
        """Remove the file, or end writing it."""
        if self._saved is not None and _is_of(self._saved, message):
            self.remove()
        if self._writing is not None and _is_of(self._writing[1], message):
            self._writing[0].cancel()

    def remove(self) -> None:
        """Remove the file that a page did not take."""
        saved, self._saved = self._saved, None
        if saved is not None:
            saved.remove()

    def _write(
        self, job: Job, record: SessionRecord, message: Save, saved: SavedFile, analyses: Sequence[Analysis]
    ) -> None:
        answer: dict[str, Any] = {}
        try:
            job.check()
            if message.format == "html":
                record.to_html(progress=False, analyses=analyses).save(saved.path)
            else:
                record.save(saved.path)
            job.check()
            answer = {"name": file_name(record, message.format), "size": saved.size, "note": _lacking(record)}
        except JobCancelledError as error:
            answer = {"problem": str(error) or "Saving was cancelled."}
        except (AiWidgetsError, OSError) as error:
            answer = {"problem": str(error).replace(str(saved.path), "the file")}
        except Exception as error:
            logger.exception("Saving failed.")
            answer = {"problem": f"The file could not be written ({type(error).__name__}: {error})."}
        finally:
            self._writing = None
            if answer.get("size"):
                self._saved = saved
            else:
                saved.remove()
        self._jobs.finish(job)
        self._put(outgoing.saved(message.request, message.page, **answer))


def _is_of(saved: SavedFile, message: Part | Release) -> bool:
    return (saved.request, saved.page) == (message.request, message.page)


def _lacking(record: SessionRecord) -> str:
    """Return the sentence on audio that the file lacks, empty for none."""
    if record.audio_start_s == 0:
        return ""
    return (
        f"The audio before {clock(record.audio_start_s)} is no longer kept, so the file lacks it. A widget made with "
        "keep= writes all of it to disk."
    )


def file_name(record: SessionRecord, suffix: str) -> str:
    """Return the proposed name of a saved file: model, date and time, such as `tiny-2026-01-31-1405.aiw`.

    Of the model's name, which is data of a recording and may be a path, only the last part is taken, with letters,
    digits and `_ . -`.
    """
    header = record.header
    model = re.sub(r"[^\w.-]+", "-", str(header.model.get("name") or "").replace("\\", "/").rpartition("/")[2])
    model = model.strip("-.")[:MAX_NAME]
    date = re.sub(r"[^0-9-]", "", header.created[:16].replace("T", "-"))
    return "-".join(filter(None, (model or "session", date))) + f".{suffix}"
