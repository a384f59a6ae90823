"""Interfaces of what a session can listen with: a language model, or a baseline policy that has no tokens.

A session needs three parts of a `ListeningModel`: a `ChunkStream` perceives the samples of each chunk, a `TurnTaker`
decides after each chunk and produces the reply, and a `TurnProgress` is the immutable value that the turn taker's steps
replace, so that an interrupted step changes nothing. For language models the parts are `perceive.LogMelStream`,
`turns.TurnTaking` and `turn_state.TurnState`; for policies they are in `policies/policy.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..audio.features import Array
from ..model.interfaces import LanguageModel
from ..model.passes import Steps
from ..protocol import Decision, Ending, Event, Notice, Timing
from ..record.header import Header
from ..settings import Settings
from .framing import Framing


@dataclass(frozen=True)
class Perceived:
    """Chunk as a stream perceived it.

    Attributes
    ----------
    frames
        Input of `TurnTaker.decide`: encoder frames [10, width] of a language model, or a policy's own type.
    features_ms, tower_ms
        Duration of the features and of the encoder, in milliseconds.
    mel
        Thumbnail of the log-mel features (`audio.features.thumbnail`); empty if there are none.
    """

    frames: Any
    features_ms: float
    tower_ms: float
    mel: str = ""


class ChunkStream(Protocol):
    """Perception of one live stream, chunk by chunk, with the stream's state."""

    def mark(self) -> Any:
        """Return the state, for `return_to`; later chunks do not change the returned value."""

    def return_to(self, mark: Any) -> None:
        """Restore the state that `mark` returned; chunks perceived since then have no effect."""

    def perceive(self, samples: Array) -> Steps[Perceived]:
        """Perceive the next chunk, float32 [6400] at 16 kHz, at a cost independent of the stream's length.

        Asks for the forward passes that this takes; see `model.passes`.
        """


class TurnProgress(Protocol):
    """Immutable state of a turn taker between two steps."""

    @property
    def settings(self) -> Settings:
        """Settings in use."""

    @property
    def reply(self) -> object | None:
        """Reply in progress, or None."""

    @property
    def ended(self) -> str | None:
        """Reason why the session takes no more audio, as a sentence, or None."""

    @property
    def prefix(self) -> tuple[int, ...]:
        """Tokens that the context begins with; empty before the first chunk and without tokens."""

    @property
    def positions(self) -> int:
        """Number of context positions in use; 0 without a context."""

    @property
    def limit(self) -> int:
        """Maximum number of context positions; 0 without a context."""

    def forgotten(self) -> TurnProgress:
        """Return the state with an empty context."""


class TurnTaker(Protocol):
    """The steps decide and respond of one session.

    Every `state` is of the type of `start`: each step takes the value that an earlier step returned, and returns the
    next one with its events. A step that raises leaves the value before it valid. `decide` and `speak` ask for the
    forward passes that they take (`model.passes`); a step without one asks for none.
    """

    @property
    def start(self) -> TurnProgress:
        """State before the first chunk."""

    def interrupt(self) -> None:
        """Request the end of the reply in progress after its current token. Thread-safe."""

    def release(self) -> None:
        """Free the memory of the context."""

    def settle(self, state: Any) -> bool:
        """Restore the mutable parts of `state`. Return False if the context is lost and must be reset."""

    def changed(self, state: Any, settings: Settings) -> TurnProgress:
        """Return the state with other settings, which `ListeningModel.framing` has checked."""

    def make_room(self, state: Any, chunk: int, frames: Any) -> tuple[TurnProgress, list[Event]]:
        """Ensure room for chunk `chunk`, with its `Perceived.frames`, before its decision, or end the session."""

    def decide(
        self, state: Any, chunk: int, clip: int, frames: Any, forced: str | None = None
    ) -> Steps[tuple[TurnProgress, Decision]]:
        """Decide after a chunk, from the `Perceived.frames` of the stream, or as the token named `forced` says."""

    def speak(self, state: Any) -> Steps[tuple[TurnProgress, list[Event]]]:
        """Run one step of the reply in progress; the step that ends it returns its `Turn`."""

    def cut(self, state: Any, ended: Ending) -> tuple[TurnProgress, list[Event]]:
        """End the reply in progress early; without a reply return the state unchanged."""

    def timed(self, timing: Timing) -> Timing:
        """Return the timing of a complete chunk, with what only the turn taker knows of it."""

    def violation(self, decision: Decision, state: Any) -> Notice:
        """Build the notice of a decision with the choice `OTHER`."""


@runtime_checkable
class Described(Protocol):
    """Model that computes elsewhere, and so writes the heading of a record from what it was told of itself."""

    @property
    def table(self) -> Mapping[str, Any]:
        """Kind of the model and its tokens, for the page: fields of the widget's `model_info`."""

    def heading(self, settings: Settings) -> Header:
        """Return model, settings, framing and versions, as `session.heading` does for a model of this process."""


class ListeningModel(Protocol):
    """What sessions, the widget and the evaluation need of a model or a policy. Shared; sessions keep their state."""

    @property
    def name(self) -> str:
        """Name for people."""

    @property
    def detail(self) -> str:
        """What it runs on, or its rule, in a few words for the page."""

    @property
    def language(self) -> LanguageModel | None:
        """The language model; None for a policy, which has no tokens, no logits and no context."""

    def computing(self) -> AbstractContextManager[None]:
        """Run a block that computes with this model."""

    def framing(self, settings: Settings) -> Framing:
        """Check the settings of a session and return the tokens around its audio; none for a policy.

        Raises
        ------
        SettingError
            If a setting is not possible with this model or does not apply to it.
        """

    def open_stream(self) -> ChunkStream:
        """Create the perception of a new live stream."""

    def take_turns(self, settings: Settings) -> TurnTaker:
        """Create the steps decide and respond of a new session.

        Raises
        ------
        SettingError
            As `framing`.
        """
