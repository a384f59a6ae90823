"""`Ensemble`: several sessions on one model that listen at the same time, with one forward pass for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import EnsembleError, SessionError, SettingError
from ..protocol import Event
from ..settings import Settings
from .feed import End
from .given_audio import checked_tail
from .session import StreamingSession
from .together import advance_together

if TYPE_CHECKING:
    import numpy.typing as npt

    from .event_stream import EventStream
    from .listening import ListeningModel


class Ensemble(Sequence[StreamingSession]):
    """Several sessions whose forward passes are computed together: the weights are read once for all of them.

    Each session has a context, settings, random numbers and a record of its own, and is at a point of its own: one
    decides while another replies or slides. Its decisions and tokens are those of the session alone; its probabilities
    differ by rounding (docs/serving.md). Sessions join and leave between two calls.

    Parameters
    ----------
    model
        Model or policy, shared and immutable.
    n
        Number of sessions to begin with; 0 for none.
    **settings
        Fields of `Settings`. A list, tuple or range of `n` values gives each session its own value.

    Raises
    ------
    SettingError
        If a setting is unknown or has a value that is not allowed, or a list has another length than `n`.

    Examples
    --------
    >>> with aiw.Ensemble(model, 3, seed=range(3), temperature=0.7) as many:
    ...     many.push([block, block, None])     # a block of audio a session; None for nothing
    ...     many.join(seed=9)                   # a fourth session, from the next call on
    ...     many.finish(tail_silence=1.0)
    >>> [session.record.text for session in many]
    """

    def __init__(self, model: ListeningModel, n: int = 0, **settings: Any) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise SettingError(f"n must be a number of sessions, at least 0, not {n!r}.", ("n",))
        self.model = model
        chosen = [Settings.of(_own(settings, place, n)) for place in range(n)]
        self._sessions = [StreamingSession(model, each) for each in chosen]

    def __getitem__(self, index: Any) -> Any:
        return self._sessions[index]

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[StreamingSession]:
        return iter(self._sessions)

    def join(self, session: StreamingSession | None = None, **settings: Any) -> StreamingSession:
        """Add a session, which takes part from the next call on, and return it.

        Parameters
        ----------
        session
            Open session, such as a fork; a new one by default. Sessions of several models may be in one ensemble: those
            of one model share a pass.
        **settings
            Settings of a new session.

        Raises
        ------
        SettingError
            If a setting is not allowed, or settings are given for a session that exists.
        SessionError
            If the session is closed, or in the ensemble already.
        """
        if session is None:
            session = StreamingSession(self.model, Settings.of(settings))
        elif settings:
            raise SettingError("Settings are those of a new session; change those of another with session.change().")
        elif session.closed or session in self._sessions:
            raise SessionError("A session that is closed, or in the ensemble already, cannot join it.")
        self._sessions.append(session)
        return session

    def leave(self, session: StreamingSession | int) -> StreamingSession:
        """Remove a session, given by itself or its index, and return it; it stays open. Later ones move up by one.

        Raises
        ------
        SessionError
            If the ensemble has no such session.
        """
        try:
            place = session if isinstance(session, int) else self._sessions.index(session)
            return self._sessions.pop(place)
        except (ValueError, IndexError):
            raise SessionError(f"The ensemble of {len(self)} sessions has no such session to remove.") from None

    def push(self, blocks: Sequence[npt.ArrayLike | None], rate: int | None = None) -> list[list[Event]]:
        """Process the next audio of every session, as `StreamingSession.push` does, and return the events of each.

        Parameters
        ----------
        blocks
            Samples for each session; None for a session that gets none. Lengths may differ.
        rate
            Sample rate in Hz of all blocks; 16 000 by default.

        Returns
        -------
        list of list of Event
            Events of this call by session. The call ends when all sessions have decided all of their audio.

        Raises
        ------
        SettingError
            If the number of blocks is not that of the sessions; no session hears anything then.
        EnsembleError
            If the audio of a session cannot be used, it is closed, or the model failed in it. The others have gone on.

        Examples
        --------
        >>> events = many.push([microphone.read(6400) for microphone in microphones])
        """
        if len(blocks) != len(self):
            raise SettingError(f"push takes a block for each of the {len(self)} sessions, or None, not {len(blocks)}.")

        def heard(place: int, session: StreamingSession) -> EventStream | None:
            block = blocks[place]
            return None if block is None else session.stream(block, rate)

        return self._run(heard)

    def finish(self, tail_silence: float = 0.0) -> list[list[Event]]:
        """End the recording in every session, as `StreamingSession.finish` does; returns and raises as `push`."""
        return self._run(lambda _, session: session._begin(End(checked_tail(tail_silence))))

    def run_on(self) -> list[list[Event]]:
        """Decide the pending audio of every session, as that of a fork; returns and raises as `push`."""
        return self._run(lambda _, session: session.stream_on())

    def interrupt(self) -> None:
        """End every running reply after its current token. Safe to call from another thread."""
        for session in list(self._sessions):
            session.interrupt()

    def close(self) -> None:
        """Close every session; the records are kept."""
        for session in self._sessions:
            session.close()

    def __enter__(self) -> Ensemble:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if error is None:
                open_ones = [session for session in self._sessions if not session.closed]
                self._decide(dict(enumerate(open_ones)))
        finally:
            self.close()

    def __repr__(self) -> str:
        return f"<Ensemble of {len(self)} sessions on {self.model.name}>"

    def _run(self, begin: Callable[[int, StreamingSession], EventStream | None]) -> list[list[Event]]:
        """Begin a call in every session, run all to their ends, and return the events of each."""
        starts = [len(session.record) for session in self._sessions]
        begun: dict[int, StreamingSession] = {}
        errors: dict[int, Exception] = {}
        for place, session in enumerate(self._sessions):
            try:
                if begin(place, session) is not None:
                    begun[place] = session
            except Exception as error:  # noqa: BLE001 - it is reported below, with those of the other sessions
                errors[place] = error
        errors |= self._decide(begun)
        events = [list(session.record.since(start)) for session, start in zip(self._sessions, starts, strict=True)]
        if errors:
            raise EnsembleError(dict(sorted(errors.items())), events)
        return events

    @staticmethod
    def _decide(sessions: dict[int, StreamingSession]) -> dict[int, Exception]:
        """Decide what is pending in sessions, and return the errors of those that failed."""
        running, errors = dict(sessions), dict[int, Exception]()
        while running:
            outcomes = Ensemble.advance(list(running.values()))
            for place, outcome in zip(list(running), outcomes, strict=True):
                if isinstance(outcome, Exception):
                    errors[place] = outcome
                if outcome is not True:
                    del running[place]
        return errors

    @staticmethod
    def advance(sessions: Sequence[StreamingSession]) -> list[bool | Exception]:
        """Run each session up to its next forward pass, and the passes of all as one: a round, for a driver of its own.

        Parameters
        ----------
        sessions
            Sessions, each once, at any point. `put` and `put_end` queue audio between two rounds.

        Returns
        -------
        list
            For each session True if more may be pending, False if nothing is or the session is closed, or the error
            that ended its step. The others are not affected by it.
        """
        with ExitStack() as held:
            for session in sessions:
                held.enter_context(session._lock)
            # Another thread may have closed a session since the last round.
            still = [session for session in sessions if not session.closed]
            outcomes = dict(zip(map(id, still), advance_together([each._loop for each in still]), strict=True))
        return [outcomes.get(id(session), False) for session in sessions]


def _own(settings: dict[str, Any], place: int, n: int) -> dict[str, Any]:
    """Return the settings of the session at a place."""
    own = {}
    for name, value in settings.items():
        several = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
        if several and (not isinstance(value, Sequence) or len(value) != n):
            raise SettingError(f"{name} must be one value, or a list of {n}, one a session, not {value!r}.", (name,))
        own[name] = value[place] if several else value
    return own
