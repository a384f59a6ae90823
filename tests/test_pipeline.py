"""Two stages on threads give the events of a plain session; a failing model ends its session only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.audio.origin import Origin
from ai_widgets.errors import SessionError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Turn
from ai_widgets.settings import Settings
from ai_widgets.widget.pipeline import Pipeline
from tests.benches import Bench
from tests.events import said
from tests.page import PATIENCE
from tests.scripted import scripted, spell
from tests.signals import Array, babble, cuts, split


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def build(*arguments: Any, **options: Any) -> Bench:
        benches.append(Bench(*arguments, **options))
        return benches[-1]

    yield build
    for each in benches:
        each.pipeline.close()
        assert not each.pipeline.alive


def plain(model: Model, samples: Array, tail: float = 1.0) -> list[Event]:
    session = model.session(seed=3, max_reply_tokens=12)
    return said([*session.push(samples), *session.finish(tail)])


class TestSameEvents:
    @settings(max_examples=6)
    @given(cuts)
    def test_as_a_plain_session(self, toy: Model, cuts: list[float]) -> None:
        bench = Bench(toy)
        for block in split(babble(6), cuts):
            bench.pipeline.push(block, 16_000)
        bench.pipeline.end_stream(1.0)
        assert said(bench.events()) == plain(toy, babble(6))
        bench.pipeline.close()

    def test_a_stage_that_finds_the_model_released_is_no_failure(self, toy: Model, bench: Any) -> None:
        """As where a widget is closed while a stage has taken its next item and not yet asked for the model."""
        one = bench(toy)
        one.pipeline._source.stop()
        one.pipeline.push(babble(1), 16_000)
        assert one.pipeline.wait(PATIENCE)
        one.pipeline.close()
        assert (one.failures, one.pipeline.failure) == ([], None)
        assert [event.kind for event in one.events() if isinstance(event, Notice)] == ["dropped"]

    def test_the_owner_hears_of_the_end(self, toy: Model, bench: Any) -> None:
        one = bench(toy)
        one.pipeline.push(babble(2), 16_000)
        one.events()
        assert one.finals[-1]
        assert not one.failures

    def test_two_recordings_are_two_clips_of_one_session(self, toy: Model, bench: Any) -> None:
        one = bench(toy)
        for seed in (0, 1):
            one.pipeline.push(babble(1, seed), 16_000)
            one.pipeline.end_stream(0.4)
        chunks = [event for event in one.events() if isinstance(event, Chunk)]
        assert [chunk.clip for chunk in chunks] == [0] * 4 + [1] * 4
        assert [chunk.chunk for chunk in chunks] == list(range(8))

    def test_a_notice_stands_in_its_place(self, toy: Model, bench: Any) -> None:
        one = bench(toy)
        one.pipeline.push(np.zeros(2 * CHUNK_SAMPLES, np.float32), 16_000)
        one.pipeline.note("lost_blocks", "Two blocks were lost.", blocks=2)
        one.pipeline.push(np.zeros(CHUNK_SAMPLES, np.float32), 16_000)
        kinds = [event.type for event in said(one.events()) if event.type in ("chunk", "notice")]
        assert kinds == ["chunk", "chunk", "notice", "chunk"]
        notice = next(event for event in one.events() if isinstance(event, Notice))
        assert (notice.kind, notice.chunk, notice.data) == ("lost_blocks", 2, {"blocks": 2})

    def test_each_block_is_acknowledged_in_order(self, toy: Model, bench: Any) -> None:
        one = bench(toy)
        for number in range(5):
            one.pipeline.push(babble(0.1), 16_000, Origin(1, number))
        one.events()
        assert one.taken == list(range(5))


class TestWaiting:
    @settings(max_examples=10)
    @given(st.sampled_from([8_000, 16_000, 44_100, 48_000, 96_000]), st.integers(0, 60_000), st.floats(0, 1))
    def test_nothing_waits_in_the_end(self, toy: Model, rate: int, length: int, tail: float) -> None:
        model, _ = scripted(toy)
        bench = Bench(model)
        bench.pipeline.push(np.zeros(length, np.float32), rate)
        bench.pipeline.end_stream(tail)
        bench.pipeline.push(np.zeros(rate, np.float32), rate)
        bench.pipeline.end_stream(0.0)
        bench.events()
        assert bench.pipeline.waiting == 0
        bench.pipeline.close()

    def test_chunks_that_wait_are_counted(self, toy: Model, bench: Any) -> None:
        begun, go = threading.Event(), threading.Event()

        def hold(_: Any) -> None:
            begun.set()
            assert go.wait(PATIENCE)

        model, _ = scripted(toy, during=hold)
        one = bench(model)
        one.pipeline.push(np.zeros(5 * CHUNK_SAMPLES, np.float32), 16_000)
        assert begun.wait(PATIENCE)
        assert one.pipeline.waiting == 4
        go.set()
        one.events()
        assert one.pipeline.waiting == 0


class TestReset:
    def test_while_busy(self, toy: Model, bench: Any) -> None:
        begun, go = threading.Event(), threading.Event()

        def hold(_: Any) -> None:
            begun.set()
            assert go.wait(PATIENCE)

        model, _ = scripted(toy, "T", [spell("old")], hold)
        one = bench(model)
        one.pipeline.push(np.zeros(10 * CHUNK_SAMPLES, np.float32), 16_000)
        assert begun.wait(PATIENCE)
        old = one.pipeline.record
        one.pipeline.reset()
        one.pipeline.push(np.zeros(2 * CHUNK_SAMPLES, np.float32), 16_000)
        go.set()
        events = one.events()
        assert one.pipeline.record is not old
        assert [event.chunk for event in events if isinstance(event, Decision)] == [0, 1]
        assert not [event for event in events if isinstance(event, Turn)]
        assert len([event for event in old.events if isinstance(event, Decision)]) <= 1
        assert [turn.ended for turn in old.of_type(Turn)] == ["interrupted"]

    def test_a_new_session_is_like_the_first(self, toy: Model, bench: Any) -> None:
        one = bench(toy)
        sessions = []
        for _ in range(2):
            one.pipeline.push(babble(3), 16_000)
            one.pipeline.end_stream(1.0)
            sessions.append(said(one.events()))
            one.pipeline.reset()
        assert sessions[0] == sessions[1] == plain(toy, babble(3))


def test_interrupt_ends_the_reply(toy: Model, bench: Any) -> None:
    pipelines: list[Pipeline] = []

    def interrupt(fed: Any) -> None:
        if fed.tokens == spell("o"):
            pipelines[0].interrupt()

    model, _ = scripted(toy, "T.", [spell("a long reply")], interrupt)
    one = bench(model, Settings())
    pipelines.append(one.pipeline)
    one.pipeline.push(np.zeros(2 * CHUNK_SAMPLES, np.float32), 16_000)
    events = one.events()
    assert [(turn.ended, turn.text) for turn in events if isinstance(turn, Turn)] == [("interrupted", "a lon")]
    assert len([event for event in events if isinstance(event, Decision)]) == 2


class TestFailure:
    def test_of_the_language_model(self, toy: Model, bench: Any) -> None:
        model, _ = scripted(toy, "..x.", x=RuntimeError("out of memory"))
        one = bench(model)
        one.pipeline.push(np.zeros(4 * CHUNK_SAMPLES, np.float32), 16_000)
        events = one.events()
        assert [event.chunk for event in events if isinstance(event, Decision)] == [0, 1]
        notice = events[-1]
        assert isinstance(notice, Notice)
        assert (notice.kind, notice.data) == ("error", {"error": "RuntimeError"})
        assert notice.message == "The model failed with RuntimeError: out of memory"
        assert [str(error) for error in one.failures] == ["out of memory"]
        assert one.pipeline.failure is one.failures[0]
        assert (one.pipeline.waiting, one.pipeline.speaking) == (0, False)

    def test_of_the_tower(self, toy: Model, bench: Any) -> None:
        class Broken:
            def encode(self, _: Any) -> None:
                raise ValueError("no such kernel")

        one = bench(replace(toy, encoder=Broken()))
        one.pipeline.push(np.zeros(4 * CHUNK_SAMPLES, np.float32), 16_000)
        assert [event.type for event in one.events()] == ["notice"]
        assert [str(error) for error in one.failures] == ["no such kernel"]

    def test_of_a_reply_keeps_what_was_said(self, toy: Model, bench: Any) -> None:
        model, _ = scripted(toy, "T", [[*spell("ab"), RuntimeError("boom")]])
        one = bench(model)
        one.pipeline.push(np.zeros(CHUNK_SAMPLES, np.float32), 16_000)
        kinds = ["chunk", "decision", "token", "token", "turn", "timing", "notice"]
        assert [event.type for event in one.events()] == kinds
        assert [turn.ended for turn in one.events() if isinstance(turn, Turn)] == ["error"]
        assert not one.pipeline.speaking

    def test_blocks_that_are_passed_over_are_acknowledged_too(self, toy: Model, bench: Any) -> None:
        # A player that streams a file waits for acknowledgements; a failed model must not leave it waiting.
        model, _ = scripted(toy, "x", x=RuntimeError("boom"))
        one = bench(model)
        for number in range(8):
            one.pipeline.push(np.zeros(CHUNK_SAMPLES, np.float32), 16_000, Origin(1, number))
        one.events()
        assert one.taken == list(range(8))

    def test_a_reset_goes_on(self, toy: Model, bench: Any) -> None:
        model, _ = scripted(toy, "x..", x=RuntimeError("boom"))
        one = bench(model)
        one.pipeline.push(np.zeros(CHUNK_SAMPLES, np.float32), 16_000)
        one.events()
        one.pipeline.reset()
        assert one.pipeline.failure is None
        one.pipeline.push(np.zeros(2 * CHUNK_SAMPLES, np.float32), 16_000)
        assert len([event for event in one.events() if isinstance(event, Decision)]) == 2

    def test_of_loading(self) -> None:
        def load() -> Model:
            raise OSError("disk on fire")

        bench = Bench(load=load)
        bench.pipeline.push(np.zeros(CHUNK_SAMPLES, np.float32), 16_000)
        assert bench.pipeline.wait(PATIENCE)
        assert isinstance(bench.pipeline.failure, OSError)
        assert bench.source.status == "failed"
        with pytest.raises(OSError, match="disk on fire"):
            bench.source.wait()
        bench.pipeline.close()


def test_a_closed_worker_takes_nothing(toy: Model) -> None:
    bench = Bench(toy)
    bench.pipeline.push(babble(1), 16_000)
    bench.pipeline.close()
    assert not bench.pipeline.alive
    with pytest.raises(SessionError, match="is closed"):
        bench.pipeline.push(babble(1), 16_000)
    bench.pipeline.close()


def test_closing_does_not_wait_for_a_model_that_is_loading() -> None:
    go = threading.Event()

    def loading() -> Model:
        go.wait(PATIENCE)
        raise OSError("too late")

    bench = Bench(load=loading)
    bench.pipeline.push(babble(1), 16_000)
    bench.pipeline.close()
    assert not bench.pipeline.alive
    assert bench.source.status == "loading"
    assert all(isinstance(error, SessionError) for error in bench.failures)
    go.set()


def test_more_audio_than_fits_ahead_waits_and_arrives(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ai_widgets.widget.pipeline.AHEAD", 2)
    model, _ = scripted(toy)
    bench = Bench(model)
    bench.pipeline.push(np.zeros(20 * CHUNK_SAMPLES, np.float32), 16_000)
    assert len([event for event in bench.events() if isinstance(event, Decision)]) == 20
    bench.pipeline.close()
