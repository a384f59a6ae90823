"""`Policy`: a baseline that decides by a rule, in the place of a model.

A policy satisfies `session.listening.ListeningModel`, so that sessions, the widget and the evaluation take it as they
take a `Model`. It has no tokens, no logits and no context, and its events say so: in a `Decision` of a policy

    token, argmax, position     -1: nothing was drawn or fed
    p_keep, p_text              0 or 1: a rule is certain; the score of a detector is no probability of a reply
    logit_keep, logit_text      0: there are no logits
    alternatives, before        empty
    used, limit                 0: there is no context
    rule                        `policy` (its name), its parameters, and the state that the rule decided from
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from time import perf_counter
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import SettingError
from ..model.passes import Steps
from ..process_exit import computation
from ..protocol import CHUNK_SECONDS, Decision, Ending, Event, Notice, Timing, Turn
from ..record.record import SessionRecord
from ..record.transcript import facts_html
from ..session.framing import Framing
from ..session.listening import Perceived
from ..session.session import StreamingSession
from ..settings import Settings

Array = npt.NDArray[np.float32]
Fact = str | float | int | bool
"""Value of a parameter, or of a part of a rule's state, in `Decision.rule`."""

REPLY = "I heard you speak."
"""Text of every reply of a baseline."""
NO_TOKEN = -1
"""Value of token ids and positions in the events of a policy."""
NO_EFFECT = ("alternatives", "max_reply_tokens", "max_new_tokens", "seed", "strict")
"""Settings that a policy fulfils with any value: they bound or seed draws of tokens, and a policy draws none."""


class Detector(Protocol):
    """A stateful function that scores windows of audio in order; a higher score means speech is more likely."""

    @property
    def window(self) -> int:
        """Samples of one window."""

    def __call__(self, samples: Array) -> float:
        """Score the next window, float32 [window] at 16 kHz."""

    def mark(self) -> Any:
        """Return the state, for `return_to`; later windows do not change the returned value."""

    def return_to(self, mark: Any) -> None:
        """Restore the state that `mark` returned."""


@dataclass(frozen=True)
class Ruling:
    """Decision of a rule after one chunk, and the state that it decided from, for `Decision.rule`."""

    reply: bool
    facts: Mapping[str, Fact]


class Policy(ABC):
    """A baseline in the place of a model. Subclasses name it, list its parameters and state its rule.

    Attributes
    ----------
    name
        Name in events, in the widget and in reports.
    """

    name: ClassVar[str]

    @property
    def parameters(self) -> Mapping[str, Fact]:
        """Parameters of the rule, for `Decision.rule`; empty by default."""
        return {}

    def open_detector(self) -> Detector | None:
        """Create the detector of a new stream; None by default, for a rule that does not listen."""
        return None

    def start(self) -> Any:
        """Return the immutable state of the rule before the first chunk; None by default."""
        return None

    @abstractmethod
    def rule_after(self, state: Any, scores: Sequence[float]) -> tuple[Any, Ruling]:
        """Decide after a chunk.

        Parameters
        ----------
        state
            State after the previous chunk.
        scores
            Scores of the windows that ended in this chunk; empty without a detector.

        Returns
        -------
        state, Ruling
            State after this chunk, and the decision.
        """

    def session(self, record: SessionRecord | None = None, **settings: Any) -> StreamingSession:
        """Open a streaming session, as `Model.session` does.

        Raises
        ------
        SettingError
            If a setting is unknown, or does not apply to a policy.

        Examples
        --------
        >>> with aiw.policies.Energy().session() as session:
        ...     events = session.push(samples, rate=48_000)
        """
        return StreamingSession(self, Settings.of(settings), record)

    # As `ListeningModel` --------------------------------------------------------------------------------------------

    @property
    def language(self) -> None:
        """None: a policy has no language model."""
        return

    @property
    def detail(self) -> str:
        """The parameters of the rule, for the page."""
        return " · ".join(["baseline", *(f"{name} {value}" for name, value in self.parameters.items())])

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Delay process exit until the end of a block that computes."""
        with computation():
            yield

    def framing(self, settings: Settings) -> Framing:
        """Refuse settings that do not apply, and return an empty framing.

        Raises
        ------
        SettingError
            If a setting of sampling, of the context or of the prompt differs from its default.
        """
        default = Settings()
        names = [item.name for item in fields(Settings) if item.name not in NO_EFFECT]
        given = tuple(name for name in names if getattr(settings, name) != getattr(default, name))
        if given:
            own = ", ".join(self.parameters) or "none"
            raise SettingError(
                f"{', '.join(given)} {'does' if len(given) == 1 else 'do'} not apply to the policy {self.name}, which "
                f"has no tokens, no sampling and no context. Its own parameters are given when it is made: {own}.",
                given,
            )
        return Framing((), (), 0, 0)

    def open_stream(self) -> DetectorStream:
        """Create the perception of a new live stream."""
        return DetectorStream(self.open_detector())

    def take_turns(self, settings: Settings) -> PolicyTurns:
        """Create the steps decide and respond of a new session; `SettingError` as `framing`."""
        return PolicyTurns(self, settings)

    def _repr_html_(self) -> str:
        return facts_html(f"Policy {self.name}", {name: str(value) for name, value in self.parameters.items()})

    def __repr__(self) -> str:
        parameters = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"<Policy {self.name}({parameters})>"


class DetectorStream:
    """A detector's scores of a live stream, chunk by chunk; without a detector there are none."""

    def __init__(self, detector: Detector | None) -> None:
        self._detector = detector
        # Samples of the window that is not complete yet.
        self._rest: Array = np.zeros(0, np.float32)

    def mark(self) -> tuple[Array, Any]:
        """Return the state, for `return_to`."""
        return self._rest, None if self._detector is None else self._detector.mark()

    def return_to(self, mark: tuple[Array, Any]) -> None:
        """Restore the state that `mark` returned."""
        self._rest, state = mark
        if self._detector is not None:
            self._detector.return_to(state)

    def perceive(self, samples: Array) -> Steps[Perceived]:
        """Score the windows that end in the next chunk; `frames` is the list of the scores. Asks for no pass."""
        yield from ()
        started = perf_counter()
        scores = self._scores(samples)
        return Perceived(scores, (perf_counter() - started) * 1e3, 0.0)

    def _scores(self, samples: Array) -> list[float]:
        detector = self._detector
        if detector is None:
            return []
        pending = np.concatenate([self._rest, samples])
        whole = len(pending) // detector.window * detector.window
        self._rest = pending[whole:]
        return [detector(window) for window in pending[:whole].reshape(-1, detector.window)]


@dataclass(frozen=True)
class PolicyReply:
    """Reply in progress: its index, and the chunk and clip that it answers."""

    turn: int
    chunk: int
    clip: int


@dataclass(frozen=True)
class PolicyProgress:
    """State of a policy's session between two steps; see `session.listening.TurnProgress`.

    Attributes
    ----------
    settings
        Settings in use, none of which changes a decision.
    state
        State of the rule.
    turns
        Number of replies begun.
    reply
        Reply in progress, or None.
    """

    settings: Settings
    state: Any
    turns: int = 0
    reply: PolicyReply | None = None
    ended: str | None = None
    prefix: tuple[int, ...] = ()
    positions: int = 0
    limit: int = 0

    def forgotten(self) -> PolicyProgress:
        """Return the state as it is: there is no context."""
        return self


class PolicyTurns:
    """The steps decide and respond of a policy's session; see `session.listening.TurnTaker`.

    Attributes
    ----------
    start
        State before the first chunk.
    """

    def __init__(self, policy: Policy, settings: Settings) -> None:
        policy.framing(settings)
        self._policy = policy
        self._parameters = {"policy": policy.name, **policy.parameters}
        self.start = PolicyProgress(settings, policy.start())

    def interrupt(self) -> None:
        """Do nothing: a reply is complete at once."""

    def release(self) -> None:
        """Do nothing: there is no context."""

    def settle(self, state: PolicyProgress) -> bool:  # noqa: ARG002 - the whole state is in the immutable value
        """Return True: nothing mutable is to be restored."""
        return True

    def changed(self, state: PolicyProgress, settings: Settings) -> PolicyProgress:
        """Return the state with other settings."""
        return replace(state, settings=settings)

    def make_room(
        self,
        state: PolicyProgress,
        chunk: int,  # noqa: ARG002
        frames: Sequence[float],  # noqa: ARG002
    ) -> tuple[PolicyProgress, list[Event]]:
        """Return the state as it is: there is no context to become full."""
        return state, []

    def decide(
        self, state: PolicyProgress, chunk: int, clip: int, frames: Sequence[float], forced: str | None = None
    ) -> Steps[tuple[PolicyProgress, Decision]]:
        """Apply the rule to the scores of a chunk, or decide as `forced` says. Asks for no pass."""
        yield from ()
        after, ruling = self._policy.rule_after(state.state, frames)
        if forced is not None:
            ruling = Ruling(forced == "TEXT_BEGIN", {**ruling.facts, "forced": forced})
        p_text = float(ruling.reply)
        decision = Decision(
            chunk=chunk,
            clip=clip,
            start_s=chunk * CHUNK_SECONDS,
            token=NO_TOKEN,
            choice="TEXT_BEGIN" if ruling.reply else "KEEP_SILENCE",
            p_keep=1.0 - p_text,
            p_text=p_text,
            p_other=0.0,
            logit_keep=0.0,
            logit_text=0.0,
            p_drawn=1.0,
            draw=None,
            argmax=NO_TOKEN,
            position=NO_TOKEN,
            oldest=chunk,
            rule={**self._parameters, **ruling.facts},
        )
        if not ruling.reply:
            return replace(state, state=after), decision
        reply = PolicyReply(state.turns, chunk, clip)
        return replace(state, state=after, reply=reply, turns=state.turns + 1), decision

    def speak(self, state: PolicyProgress) -> Steps[tuple[PolicyProgress, list[Event]]]:
        """End the reply in progress with its fixed text. Asks for no pass."""
        yield from ()
        return self._end_reply(state, REPLY, "TEXT_END")

    def cut(self, state: PolicyProgress, ended: Ending) -> tuple[PolicyProgress, list[Event]]:
        """End the reply in progress without a text; without a reply return the state unchanged."""
        return self._end_reply(state, "", ended)

    def _end_reply(self, state: PolicyProgress, text: str, ended: Ending) -> tuple[PolicyProgress, list[Event]]:
        reply = state.reply
        if reply is None:
            return state, []
        turn = Turn(reply.chunk, reply.turn, reply.clip, reply.chunk * CHUNK_SECONDS, None, text, (), ended)
        return replace(state, reply=None), [turn]

    def timed(self, timing: Timing) -> Timing:
        """Return the timing as it is: a rule computes in this process."""
        return timing

    def violation(self, decision: Decision, state: PolicyProgress) -> Notice:  # noqa: ARG002
        """Return a notice of a decision that no rule makes."""
        return Notice(decision.chunk, "violation", f"The policy {self._policy.name} made no decision.")
