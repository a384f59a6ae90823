"""Players reply to scenes: a checkpoint through a session of this project, or a baseline.

Hearing and replying are separate: what depends on the audio alone (frames of the tower, scores of a detector) is
computed once per scene, replies once per operating point. An operating point of a checkpoint is a bias on the logit of
TEXT_BEGIN, that of a baseline a threshold and a hangover.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ai_widgets.evaluation.lookahead import LookaheadDecoder
from ai_widgets.evaluation.scenes import Scene
from ai_widgets.evaluation.scoring import Reply
from ai_widgets.inference import Model
from ai_widgets.model.fingerprint import fingerprint
from ai_widgets.model.passes import alone
from ai_widgets.policies import named
from ai_widgets.policies.endpointing import EndpointingPolicy
from ai_widgets.policies.policy import REPLY, Policy
from ai_widgets.protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Decision, Event, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.session.feed import Given
from ai_widgets.session.loop import Loop
from ai_widgets.session.perceive import Heard
from ai_widgets.settings import Settings
from ai_widgets.training.replies import understood

Point = dict[str, float]
Answers = tuple[list[Reply], list[float]]
"""Replies to a stream, and p(TEXT_BEGIN) of every chunk."""
BIASES = (-5.0, -3.0, -1.5, 1.0, 2.0, 3.5)
"""Biases (natural logits) of a checkpoint's operating points other than its default of 0."""
HANGOVERS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
"""Hangovers in seconds of a baseline's operating points: from half a chunk to three."""


class Player(Protocol):
    """A policy under evaluation. The first of `points` is its default operating point."""

    @property
    def name(self) -> str:
        """Name in the report."""

    @property
    def points(self) -> Sequence[Point]:
        """Operating points."""

    def hear(self, scene: Scene) -> Any:
        """Compute everything about a scene that does not depend on the operating point."""

    def reply(self, heard: Any, scene: Scene, point: Point, seed: int) -> Answers:
        """Return the replies at an operating point, and p(TEXT_BEGIN) of every chunk."""

    def times_real_time(self, scene: Scene) -> float:
        """Measure seconds of audio per second of computation, chunk by chunk as at run time."""


@runtime_checkable
class SessionPlayer(Protocol):
    """A player whose replies are those of a session, which can share its forward passes with others."""

    def open(self, heard: Any, scene: Scene, point: Point, seed: int) -> tuple[Loop, SessionRecord]:
        """Open the loop of a session that has the whole scene pending, and its record."""


class ModelPlayer:
    """A checkpoint as a player.

    Parameters
    ----------
    model
        Loaded checkpoint.
    **settings
        Settings of the sessions; by default the checkpoint's own sampling parameters are used.
    """

    name = "model"

    def __init__(self, model: Model, **settings: Any) -> None:
        self._model = model
        self._settings = {"alternatives": 0, **settings}
        self.points: Sequence[Point] = [{"bias": bias} for bias in (0.0, *BIASES)]

    @property
    def context_limit(self) -> int:
        """Positions of the context of the sessions."""
        return self._model.session(**self._settings).context_limit

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the weights."""
        return fingerprint(self._model)

    def hear(self, scene: Scene) -> Any:
        """Encode all chunks of a scene in one batch; chunks are independent given their log-mels."""
        mels = np.ascontiguousarray(scene.mels.transpose(1, 0, 2)).reshape(scene.mels.shape[1], -1)
        return self._model.encoder.encode(mels)

    def reply(self, heard: Any, scene: Scene, point: Point, seed: int) -> Answers:
        """Run the scene through a new session."""
        loop, record = self.open(heard, scene, point, seed)
        while loop.advance():
            pass
        return answers(loop, record)

    def open(self, heard: Any, scene: Scene, point: Point, seed: int) -> tuple[Loop, SessionRecord]:
        """Open a new session over the scene."""
        # Speculative decoding of recorded streams: faster, with the same decisions (see `lookahead`).
        ahead = replace(self._model, decoder=LookaheadDecoder(self._model, heard))
        settings = Settings.of({**self._settings, "seed": seed, **point})
        record = SessionRecord(audio_seconds=0)
        loop = Loop(ahead, settings, record)
        chunks = scene.audio.reshape(-1, CHUNK_SAMPLES)
        loop.put([Given(Heard(samples, (), 0, frames)) for samples, frames in zip(chunks, heard, strict=True)])
        return loop, record

    def times_real_time(self, scene: Scene) -> float:
        """Time a continuous session over the scene, features and tower included."""
        session = self._model.session(**self._settings)
        return _speed(scene, session.push)


class BaselinePlayer:
    """A baseline policy as a player. All operating points are applied to the same scores.

    Parameters
    ----------
    policy
        Policy at its default operating point.
    thresholds
        Thresholds of the sweep of an endpointing policy, besides its default.
    """

    def __init__(self, policy: Policy, thresholds: Sequence[float] = ()) -> None:
        self._policy = policy
        self.name = policy.name
        self.points: Sequence[Point] = [{}]
        if isinstance(policy, EndpointingPolicy):
            own: Point = {"threshold": policy.rule.threshold, "hangover_s": policy.rule.hangover_s}
            grid: list[Point] = [{"threshold": t, "hangover_s": h} for t, h in product(thresholds, HANGOVERS)]
            self.points = [own, *(point for point in grid if point != own)]

    def hear(self, scene: Scene) -> list[list[float]]:
        """Score the windows that end in each chunk."""
        stream = self._policy.open_stream()
        return [alone(stream.perceive(chunk)).frames for chunk in scene.audio.reshape(-1, CHUNK_SAMPLES)]

    def reply(
        self,
        heard: list[list[float]],
        scene: Scene,  # noqa: ARG002 - the scores suffice
        point: Point,
        seed: int,  # noqa: ARG002 - a rule draws nothing
    ) -> Answers:
        """Apply the policy's rule at an operating point."""
        policy = self._policy
        if isinstance(policy, EndpointingPolicy):
            policy = policy.at(**point)
        state, fires = policy.start(), list[bool]()
        for scores in heard:
            state, ruling = policy.rule_after(state, scores)
            fires.append(ruling.reply)
        label = understood(REPLY)
        return [Reply(chunk, label, REPLY) for chunk, fire in enumerate(fires) if fire], [float(fire) for fire in fires]

    def times_real_time(self, scene: Scene) -> float:
        """Time a live session over the scene."""
        return _speed(scene, self._policy.session().push)


THRESHOLDS: dict[str, Sequence[float]] = {
    "silero": (0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
    "energy": (6.0, 9.0, 12.0, 15.0, 20.0, 25.0, 30.0),
}
"""Thresholds of the sweep of each endpointing policy, in the unit of its score."""


def baseline(name: str) -> BaselinePlayer:
    """Return the player of the policy with a name of `policies.BY_NAME`."""
    return BaselinePlayer(named(name), THRESHOLDS.get(name, ()))


def answers(loop: Loop, record: SessionRecord) -> Answers:
    """Return the replies of a session at its end, and free its context."""
    loop.close()
    loop.turns.release()
    replies: list[Reply] = []
    p_text: list[float] = []
    for event in record.events:
        if isinstance(event, Decision):
            p_text.append(event.p_text)
        elif isinstance(event, Turn):
            replies.append(Reply(event.chunk, understood(event.text), event.text))
    return replies, p_text


def _speed(scene: Scene, push: Callable[[Any], list[Event]]) -> float:
    started = perf_counter()
    for chunk in scene.audio.reshape(-1, CHUNK_SAMPLES):
        push(chunk)
    return scene.chunks * CHUNK_SECONDS / max(perf_counter() - started, 1e-9)
