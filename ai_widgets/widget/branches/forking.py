"""`Forking`: the part of the widget's Python interface that forks its session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .branch import Branch, Change

if TYPE_CHECKING:
    from ...session.fork import Forced, Replaced
    from ..channels.session_channel import SessionChannel


class Forking:
    """The branches of a widget with a channel."""

    _channel: SessionChannel

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The newest branches of the running session, oldest first; at most four are kept."""
        return self._channel.branches

    def fork(
        self,
        chunk: int,
        *,
        until: int | None = None,
        force: Forced | Mapping[int, Forced] | None = None,
        audio: Replaced | None = None,
        **changed: Any,
    ) -> Branch:
        """Decide again, from a chunk on, what the session has heard, with something changed.

        The session goes on undisturbed. Branches run one at a time, on a thread of their own, and pages show their
        lanes under the session's. Beyond four, the oldest branch is closed.

        Parameters
        ----------
        chunk, until
            First chunk that is decided again, and the last one; None: the last one that the session has heard.
        force, audio, **changed
            As in `StreamingSession.fork`.

        Returns
        -------
        Branch
            It runs: `branch.wait()` waits for its end.

        Raises
        ------
        SessionError
            The session has heard no such chunk, has ended with an error, or is a policy's.
        SettingError, AudioError
            A setting, `force` or `audio` is not allowed.

        Examples
        --------
        >>> branch = w.fork(chunk=12, bias=0.5)  # doctest: +SKIP
        >>> branch.wait(), branch.first_difference  # doctest: +SKIP
        """
        return self._channel.fork(Change(chunk, until, changed, force, audio))
