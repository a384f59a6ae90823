"""`Branches`: the forks of a widget's session. They run one at a time, and only while the session has nothing to do.

The session is touched on its own thread alone, between two chunks: there the branch's past is copied, which takes
milliseconds. All else, also feeding a past that was evicted again, happens on the thread of the branches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any

from ...errors import SessionError
from ...protocol import Chunk, Event, Timing
from ...session.listening import Described
from ..stages.stage import GLANCE_SECONDS
from ..stages.worker import Worker
from ..wire import outgoing
from ..wire.failures import forget_frames
from ..wire.outbox import MAX_BATCH
from .branch import Branch, Change

if TYPE_CHECKING:
    from ...session.session import StreamingSession
    from ..loading import ModelSource
    from ..pipeline import Pipeline

logger = logging.getLogger(__name__)

MAX_BRANCHES = 4
"""Branches that are kept: as many as can be compared on one screen below the original."""
YIELD_SECONDS = 0.1
"""Longest pause in seconds before each step of a branch while the session has audio to decide: it comes first, but a
file that plays for an hour does not stop a branch for an hour."""


class _Told:
    """What pages know of one branch."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.events = 0


class Branches(Worker[Branch]):
    """The newest branches of a widget, and the thread that runs them.

    Parameters
    ----------
    pipeline, source
        The pipeline that runs the session, and its model.
    changed
        Called after events or states of a branch changed; its argument says whether they are to be sent at once.
    dropped
        Called with a sentence when a branch gives way to a newer one.
    """

    def __init__(
        self, pipeline: Pipeline, source: ModelSource, changed: Callable[[bool], None], dropped: Callable[[str], None]
    ) -> None:
        self._pipeline, self._source, self._changed, self._dropped = pipeline, source, changed, dropped
        self._lock = RLock()
        self._kept: dict[int, Branch] = {}
        self._told: dict[int, _Told] = {}
        self._gone: list[int] = []
        self._count = 0
        self._shown = True
        super().__init__("ai_widgets branch")

    @property
    def kept(self) -> tuple[Branch, ...]:
        """The branches, oldest first."""
        with self._lock:
            return tuple(self._kept.values())

    def fork(self, change: Change, request: int = 0) -> Branch:
        """Queue a fork of the session.

        Raises
        ------
        SessionError
            If the session cannot be forked there.
        SettingError, AudioError
            If a value is not allowed.
        """
        self._check(change)
        with self._lock:
            self._count += 1
            branch = Branch(self._count, change, self._pipeline.record, request)
            self._kept[branch.number] = branch
            self._told[branch.number] = _Told()
            oldest = next(iter(self._kept.values())) if len(self._kept) > MAX_BRANCHES else None
        if oldest is not None:
            self.drop(oldest.number)
            self._dropped(
                f"Branch {oldest.number} (chunk {oldest.change.chunk}) was closed: at most {MAX_BRANCHES} branches "
                "are kept."
            )
        if not self._stage.put(branch):
            self.drop(branch.number)
            raise SessionError("This widget is closed; make a new widget to continue.")
        self._changed(True)
        return branch

    def drop(self, number: int) -> None:
        """Cancel a branch and keep it no longer. Nothing happens where there is none of the number."""
        with self._lock:
            branch = self._kept.pop(number, None)
            if branch is None:
                return
            del self._told[number]
            self._gone.append(number)
        branch.cancel()
        self._changed(True)

    def begin_session(self) -> None:
        """Cancel all branches of a session that ends; pages drop them with its events."""
        with self._lock:
            old = self.kept
            self._kept.clear()
            self._told.clear()
            self._gone.clear()
            self._shown = True
        for branch in old:
            branch.cancel()

    def welcome(self) -> None:
        """Tell everything again: a page has come that knows no branch."""
        with self._lock:
            self._told = {number: _Told() for number in self._kept}

    def show(self, shown: bool) -> None:
        """Tell pages of branches, or not while they show another record than the session's."""
        self._shown = shown
        self.welcome()

    def messages(self) -> Iterable[dict[str, Any]]:
        """Return the messages that pages lack, in order."""
        with self._lock:
            if not self._shown:
                return []
            due = [outgoing.branch_dropped(number) for number in self._gone]
            self._gone.clear()
            for number, told in self._told.items():
                due += _news(self._kept[number], told)
        return due

    def _end_work(self) -> None:
        for branch in self.kept:
            branch.cancel()

    def _check(self, change: Change) -> None:
        """Refuse at once what can be known now."""
        pipeline = self._pipeline
        if pipeline.failure is not None:
            raise SessionError("This session ended with an error; begin a new one (reset) to fork it.")
        if pipeline.opened is not None:
            raise SessionError("A recording is shown in place of the session; close it to fork the session.")
        record = pipeline.record
        if not record.chunks_heard:
            raise SessionError("Nothing was heard yet: a fork begins at a chunk that the session has heard.")
        model = self._source.loaded
        if isinstance(model, Described):
            raise SessionError(
                "A class server has no forks; save the recording, and fork its replay with a model of your own."
            )
        if model is not None and model.language is None:
            raise SessionError("A policy has no context to fork; play the audio in a widget with other settings.")
        from ...session.fork import Change as SessionChange

        SessionChange.of(record, record.chunks_heard, change.chunk, change.force, change.audio, change.settings)
        if change.until is not None and change.until < change.chunk:
            raise SessionError(f"A fork at chunk {change.chunk} cannot end at chunk {change.until}, before it.")

    # On the thread of the branches -----------------------------------------------------------------------------------

    def _work(self, branch: Branch) -> None:
        try:
            session = self._forked(branch)
            if session is not None:
                self._run_on(branch, session)
        except Exception as error:  # noqa: BLE001 - whatever a model raises ends this branch only
            branch.fail(error)
            forget_frames(error)
        branch.end()
        self._changed(True)

    def _forked(self, branch: Branch) -> StreamingSession | None:
        """Return the session of a branch, or None where it was cancelled before."""
        if branch.cancelled:
            return None
        self._pipeline.between_chunks(lambda session: _copy(branch, session))
        while (past := branch.wait_for_past(GLANCE_SECONDS)) is None:
            if branch.done:
                return None
            pipeline = self._pipeline
            if pipeline.failure is not None or not (pipeline.opened or pipeline.record is branch.original):
                raise SessionError("The session ended before the fork could be made.")
        from ...session.session import StreamingSession

        loop, record = past.fork()
        branch.begin(record, past.shared, past.done)
        self._changed(True)
        return StreamingSession.around(past.model, loop, record)

    def _run_on(self, branch: Branch, session: StreamingSession) -> None:
        until = branch.change.until
        try:
            for event in session.stream_on():
                self._changed(False)
                if branch.cancelled:
                    # What is pending is dropped, with a notice in the branch's record.
                    session.close()
                    break
                if until is not None and _complete(event) >= until:
                    break
                self._pipeline.wait(YIELD_SECONDS)
        finally:
            session.release()


def _complete(event: Event) -> int:
    """Return the newest chunk that is known to be complete by an event, −1 if it tells of none."""
    if isinstance(event, Timing):
        return event.chunk
    return event.chunk - 1 if isinstance(event, Chunk) else -1


def _copy(branch: Branch, session: StreamingSession | None) -> None:
    """Copy a branch's past, on the thread that owns the session."""
    if branch.done:
        return
    try:
        if session is None or session.record is not branch.original:
            raise SessionError("The session has not begun, or has ended; a fork needs one that goes on.")
        change = branch.change
        branch.take(session.past(change.chunk, change.force, change.audio, change.settings))
    except Exception as error:  # noqa: BLE001 - a fork that fails must not end the session
        branch.fail(error)


def _news(branch: Branch, told: _Told) -> list[dict[str, Any]]:
    """Return what pages lack of one branch: its state, its own events, and its state after these."""
    due = []
    # Read before the events, so that a branch is never said to be done before all its events were sent.
    state = _state(branch)
    if not told.state:
        told.state = _begun(state)
        due.append(told.state)
    record, shared = branch.own
    while batch := record.since(shared + told.events, MAX_BATCH):
        due.append(outgoing.branch_events(branch.number, told.events, batch))
        told.events += len(batch)
    if state != told.state:
        told.state = state
        due.append(state)
    return due


def _begun(state: Mapping[str, Any]) -> dict[str, Any]:
    return {**state, "state": "queued", "first_difference": "", "differs_at": None, "message": ""}


def _state(branch: Branch) -> dict[str, Any]:
    difference = branch.first_difference if branch.done else None
    return outgoing.branch(
        branch=branch.number,
        request=branch.request,
        chunk=branch.change.chunk,
        until=branch.change.until,
        changed=str(branch.change),
        state=branch.status,
        first_difference="" if difference is None else str(difference),
        differs_at=None if difference is None else difference.chunk,
        message="" if branch.error is None else str(branch.error),
    )
