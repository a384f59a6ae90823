"""`ShowsRecord`: the record of a widget, as Python reads and replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import SettingError
from ...record.record import SessionRecord

if TYPE_CHECKING:
    from ..channels.session_channel import SessionChannel


class ShowsRecord:
    """Part of a widget that shows a record: the running session's, or another one."""

    _channel: SessionChannel

    @property
    def record(self) -> SessionRecord:
        """Events and audio of the running session, or the record that `show` shows."""
        return self._channel.record

    def show(self, record: SessionRecord | None) -> None:
        """Show another record in place of the running session's, with timeline, transcript, inspector and replay.

        The session stays as it is: `show(None)`, or audio that arrives, shows it again.

        Parameters
        ----------
        record
            Record to show; None for the running session's.

        Raises
        ------
        SettingError
            If `record` is no record.
        SessionError
            While a page records, a file plays, or audio is not decided yet.

        Examples
        --------
        >>> w.show(SessionRecord.load("talk.aiw"))  # doctest: +SKIP
        """
        if record is not None and not isinstance(record, SessionRecord):
            raise SettingError(
                f"show needs a SessionRecord, such as SessionRecord.load('talk.aiw'), not {type(record).__name__}."
            )
        self._channel.show(record)
