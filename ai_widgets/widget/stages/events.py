"""`PipelineEvents`: what pipeline, receiver and file player report to their owner."""

from __future__ import annotations

from typing import Any, Protocol

from ...audio.origin import Origin


class PipelineEvents(Protocol):
    """The callbacks of a pipeline and of its sources, called on any thread and without a lock.

    A class that derives from this one inherits callbacks that do nothing.
    """

    def block_taken(self, origin: Origin) -> None:
        """Take note that a block of the browser was taken up by the encode stage, or dropped."""

    def events_came(self, final: bool) -> None:
        """Take note that events or state changed; `final`: the queue of the calling stage is empty."""

    def loop_changed(self) -> None:
        """Take note of another mode or phase of the loop."""

    def session_failed(self, error: Exception) -> None:
        """Take note of the exception that ended the session."""

    def decoder_idle(self) -> None:
        """Take note that the decode stage was idle for some seconds, and its thread ends."""

    def file_changed(self, file: dict[str, Any]) -> None:
        """Take note of another state or position of the file that plays (`FileStream.to_json`)."""

    def recording_ended(self) -> None:
        """Take note that the audio of a recording or a file is complete."""

    def problem(self, code: str, sentence: str, page: str = "") -> None:
        """Take note of a problem to show at once on a page; empty for all pages."""
