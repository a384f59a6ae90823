"""`PipelineEvents`: what pipeline, receiver and file player report to their owner."""

from __future__ import annotations

from typing import Any, Protocol

from ...audio.origin import Origin


class PipelineEvents(Protocol):
    """The callbacks of a pipeline and of its sources, called on any thread and without a lock.

    A class that derives from this one inherits callbacks that do nothing.
    """

    def block_taken(self, origin: Origin) -> None:
        """Note that a block of the browser was taken up by the encode stage, or dropped."""

    def events_came(self, final: bool) -> None:
        """Note that events or state changed; `final`: the queue of the calling stage is empty."""

    def loop_changed(self) -> None:
        """Note another mode or phase of the loop."""

    def session_failed(self, error: Exception) -> None:
        """Note the exception that ended the session."""

    def decoder_idle(self) -> None:
        """Note that the decode stage was idle for some seconds, and its thread ends."""

    def file_changed(self, file: dict[str, Any]) -> None:
        """Note another state or position of the file that plays (`FileStream.to_json`)."""

    def recording_ended(self) -> None:
        """Note that the audio of a recording or a file is complete."""

    def problem(self, code: str, sentence: str, page: str = "") -> None:
        """Note a problem to show at once on a page; empty for all pages."""
