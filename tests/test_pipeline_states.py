"""The pipeline against a small reference model: after any calls in any order it ends idle, with a sound record."""

from __future__ import annotations

from typing import get_args

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Token, Turn
from ai_widgets.widget.live_settings import Arrival, Overload
from tests.benches import Bench
from tests.page import PATIENCE
from tests.scripted import scripted, spell

ARRIVALS, OVERLOADS = get_args(Arrival), get_args(Overload)

MODEL: list[Model] = []
"""The toy, put here by the fixture: hypothesis makes the machines itself."""


class WorkerStates(RuleBasedStateMachine):
    """Audio from Python is never refused, so the reference knows how many chunks there must be."""

    @initialize()
    def begin(self) -> None:
        model, _ = scripted(MODEL[0], "..T." * 200, [spell("hello you")] * 200)
        self.bench = Bench(model)
        self.pipeline = self.bench.pipeline
        self.samples = 0
        self.finished = 0
        self.mode = "run"

    @rule(samples=st.sampled_from([0, 1, 1600, CHUNK_SAMPLES, 3 * CHUNK_SAMPLES + 7]))
    def feed(self, samples: int) -> None:
        self.pipeline.push(np.zeros(samples, np.float32), 16_000)
        self.samples += samples

    @rule(tail=st.sampled_from([0.0, 0.4, 1.0]))
    def end_stream(self, tail: float) -> None:
        self.pipeline.end_stream(tail)
        self.finished += -(-self.samples // CHUNK_SAMPLES) + -(-round(tail * 16_000) // CHUNK_SAMPLES)
        self.samples = 0

    @rule()
    def interrupt(self) -> None:
        self.pipeline.interrupt()

    @rule()
    def reset(self) -> None:
        self.pipeline.reset()
        self.samples = self.finished = 0

    @rule(mode=st.sampled_from(["run", "pause", "step"]))
    def loop(self, mode: str) -> None:
        self.pipeline.set_loop(mode)  # type: ignore[arg-type]
        self.mode = mode

    @rule(times=st.integers(1, 4))
    def step(self, times: int) -> None:
        for _ in range(times):
            self.pipeline.step()
        self.mode = "step"

    @rule(
        arrival=st.sampled_from(ARRIVALS),
        overload=st.sampled_from(OVERLOADS),
        bias=st.sampled_from([0.0, 1.0]),
    )
    def change(self, arrival: str, overload: str, bias: float) -> None:
        self.pipeline.change({"bias": bias}, {"arrival": arrival, "overload": overload})

    @rule()
    def wait(self) -> None:
        assert self.pipeline.wait(PATIENCE) or self.mode != "run"

    @rule()
    @precondition(lambda self: self.mode == "run")
    def answered(self) -> None:
        assert self.pipeline.wait(PATIENCE)
        assert self.pipeline.waiting == 0
        chunks = self.finished + self.samples // CHUNK_SAMPLES
        events = self.pipeline.record.events
        assert sum(isinstance(event, Decision) for event in events) == chunks
        consistent(events, complete=True)

    @invariant()
    def sound(self) -> None:
        if hasattr(self, "pipeline"):
            assert self.pipeline.failure is None
            assert self.pipeline.gate.mode == self.mode
            consistent(self.pipeline.record.events, complete=False)

    def teardown(self) -> None:
        if hasattr(self, "pipeline"):
            self.pipeline.close()
            assert not self.pipeline.alive
            assert self.bench.failures == []
            consistent(self.pipeline.record.events, complete=False)


def consistent(events: tuple[Event, ...], complete: bool) -> None:
    """Chunks count up, each is decided once and in order, tokens belong to the reply that is spoken."""
    chunks = [event.chunk for event in events if isinstance(event, Chunk)]
    decisions = [event for event in events if isinstance(event, Decision)]
    turns = [event for event in events if isinstance(event, Turn)]
    assert chunks == list(range(len(chunks)))
    assert [decision.chunk for decision in decisions] == chunks[: len(decisions)]
    assert len(chunks) - len(decisions) <= (0 if complete else 1)
    begun = [decision.chunk for decision in decisions if decision.choice == "TEXT_BEGIN"]
    assert [turn.chunk for turn in turns] == begun[: len(turns)]
    assert len(begun) - len(turns) <= (0 if complete else 1)
    for turn in turns:
        assert tuple(e.token for e in events if isinstance(e, Token) and e.turn == turn.turn) == turn.tokens


def test_worker_states(toy: Model) -> None:
    MODEL[:] = [toy]
    machine = WorkerStates.TestCase
    machine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
    machine("runTest").runTest()
