"""Step mode: the loop held before each phase, one phase a step, and everything that may happen meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ai_widgets.audio.origin import Origin
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Event, Notice, Turn
from ai_widgets.widget.stages.gate import MOST_GRANTS, Gate
from tests.benches import Bench
from tests.events import said
from tests.page import PATIENCE, Build, Page
from tests.scripted import scripted, spell


def chunks(count: int) -> Any:
    return np.zeros(count * CHUNK_SAMPLES, np.float32)


@pytest.fixture
def bench(toy: Model) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def build(decisions: str = "", replies: Any = (), **options: Any) -> Bench:
        model, _ = scripted(toy, decisions, replies)
        benches.append(Bench(model, **options))
        return benches[-1]

    yield build
    for each in benches:
        each.pipeline.close()
        assert not each.pipeline.alive


def stepped(bench: Bench) -> list[Event]:
    """Do one phase; the events it brought, without notices."""
    before = len(bench.pipeline.record)
    bench.pipeline.step()
    bench.pipeline.wait(PATIENCE)
    return [event for event in bench.pipeline.record.since(before) if not isinstance(event, Notice)]


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


class TestPhases:
    def test_one_a_step(self, bench: Any) -> None:
        one = bench(".T.", [spell("hi")])
        one.pipeline.set_loop("step")
        one.pipeline.push(chunks(3), 16_000)
        assert not one.pipeline.wait(PATIENCE)  # held
        gate = one.pipeline.gate
        phases = [(kinds(said(stepped(one))), gate.phase, gate.chunk) for _ in range(7)]
        assert phases == [
            (["chunk"], "perceive", 0),
            (["decision"], "decide", 0),
            (["chunk"], "perceive", 1),
            (["decision"], "decide", 1),
            (["token", "token", "turn"], "respond", 1),
            (["chunk"], "perceive", 2),
            (["decision"], "decide", 2),
        ]
        assert one.pipeline.wait(PATIENCE)
        assert one.pipeline.waiting == 0

    def test_the_same_events_as_without_holding(self, bench: Any) -> None:
        held, free = bench(".T.", [spell("hi")]), bench(".T.", [spell("hi")])
        held.pipeline.set_loop("step")
        for one in (held, free):
            one.pipeline.push(chunks(3), 16_000)
        for _ in range(7):
            stepped(held)
        notices = [event for event in held.events() if isinstance(event, Notice)]
        assert [(notice.kind, notice.data["mode"]) for notice in notices] == [("paused", "step")]
        assert said(event for event in held.events() if event not in notices) == said(free.events())

    def test_a_step_where_nothing_waits_is_not_kept_for_later(self, bench: Any) -> None:
        one = bench()
        for _ in range(3):
            assert stepped(one) == []
        one.pipeline.push(chunks(1), 16_000)
        assert not one.pipeline.wait(PATIENCE)
        assert "chunk" not in kinds(list(one.pipeline.record.events))

    def test_the_time_of_holding_is_not_the_models(self, bench: Any) -> None:
        one = bench("T", [spell("hi")])
        one.pipeline.set_loop("step")
        one.pipeline.push(chunks(1), 16_000)
        one.pipeline.wait(PATIENCE)
        for _ in range(3):
            assert not threading.Event().wait(0.2)  # a person thinks
            last = stepped(one)
        (timing,) = [event for event in last if event.type == "timing"]
        assert timing.decide_ms < 200
        assert timing.reply_ms < 200


class TestModes:
    def test_pause_and_resume(self, bench: Any) -> None:
        one = bench()
        one.pipeline.push(chunks(2), 16_000)
        one.events()
        one.pipeline.set_loop("pause")
        one.pipeline.push(chunks(2), 16_000)
        assert not one.pipeline.wait(PATIENCE)
        assert one.pipeline.waiting == 2
        one.pipeline.set_loop("run")
        notices = [event.kind for event in one.events() if isinstance(event, Notice)]
        assert notices == ["paused", "resumed"]
        assert one.pipeline.waiting == 0
        assert [loop["mode"] for loop in one.loops] == ["pause", "run"]

    def test_a_change_of_settings_while_held_is_told_at_once(self, bench: Any) -> None:
        one = bench()
        one.pipeline.push(chunks(1), 16_000)
        one.events()
        one.pipeline.set_loop("pause")
        one.pipeline.push(chunks(1), 16_000)
        one.pipeline.wait(PATIENCE)
        one.pipeline.change({}, {"arrival": "drop"})
        one.pipeline.set_loop("run")
        notices = [event for event in one.events() if isinstance(event, Notice)]
        assert [notice.kind for notice in notices] == ["paused", "settings", "resumed"]
        assert notices[1].data["changed"] == {"arrival": "drop"}

    def test_reset_while_held_in_the_middle_of_a_chunk(self, bench: Any) -> None:
        one = bench("T..", [spell("hi")])
        one.pipeline.set_loop("step")
        one.pipeline.push(chunks(2), 16_000)
        one.pipeline.wait(PATIENCE)
        stepped(one)
        stepped(one)
        old = one.pipeline.record
        one.pipeline.reset()
        assert (one.pipeline.gate.phase, one.pipeline.gate.chunk) == ("", -1)
        one.pipeline.push(chunks(1), 16_000)
        one.pipeline.set_loop("run")
        assert kinds(said(one.events()))[-2:] == ["chunk", "decision"]
        assert [turn.ended for turn in old.of_type(Turn)] == ["interrupted"], "a reply that began has an end"

    def test_close_while_held(self, bench: Any) -> None:
        one = bench("T", [spell("hi")])
        one.pipeline.set_loop("step")
        one.pipeline.push(chunks(3), 16_000)
        one.pipeline.wait(PATIENCE)
        stepped(one)
        one.pipeline.close()
        assert not one.pipeline.alive

    def test_drop_oldest_while_held_keeps_the_newest(self, bench: Any) -> None:
        one = bench(overload="drop_oldest", overload_chunks=3)
        one.pipeline.set_loop("pause")
        for number in range(10):
            one.pipeline.push(np.full(CHUNK_SAMPLES, number / 100, np.float32), 16_000, origin=Origin(1, number, True))
        assert not one.pipeline.wait(PATIENCE)
        one.pipeline.set_loop("run")
        events = one.events()
        (notice,) = [event for event in events if isinstance(event, Notice) and event.kind == "dropped"]
        assert notice.data == {"chunks": 7, "seconds": 2.8, "why": "overload"}
        peaks = [event.envelope[0] for event in events if event.type == "chunk"]
        assert peaks == pytest.approx([0.07, 0.08, 0.09])
        assert one.pipeline.counters["dropped_chunks"] == 7


class TestGate:
    def test_grants_are_bounded(self) -> None:
        gate = Gate(lambda: None, lambda: None)
        gate.set_mode("step")
        for _ in range(10 * MOST_GRANTS):
            gate.grant()
        assert [gate.enter("decide", 0) for _ in range(MOST_GRANTS)] == ["go"] * MOST_GRANTS
        gate.nudge()
        assert gate.enter("decide", 0) == "nudged"
        gate.close()
        assert gate.enter("decide", 0) == "closed"

    def test_another_mode_takes_back_what_was_granted(self) -> None:
        gate = Gate(lambda: None, lambda: None)
        gate.set_mode("step")
        gate.grant()
        gate.set_mode("pause")
        gate.close()
        assert gate.enter("decide", 0) == "closed"


class TestWidget:
    def test_from_the_page(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, "T", [spell("hi")])
        page = build(model)
        page.hello()
        page.send({"type": "loop", "mode": "pause"})
        page.open()
        page.block(chunks(1))
        assert not page.widget.wait(PATIENCE)
        for _ in range(3):
            page.send({"type": "step"})
            page.widget.wait(PATIENCE)
        told = [(each["mode"], each["phase"], each["chunk"]) for each in page.of("loop")]
        assert told == [
            ("pause", "", -1),
            ("step", "", -1),
            ("step", "perceive", 0),
            ("step", "decide", 0),
            ("step", "respond", 0),
        ]
        assert page.widget.loop == {"mode": "step", "phase": "respond", "chunk": 0}
        page.send({"type": "loop", "mode": "run"})
        assert page.widget.loop == {"mode": "run", "phase": "", "chunk": -1}

    def test_a_page_is_told_of_the_decision_at_which_the_loop_is_held(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, "...", [])
        page = build(model)
        page.hello()
        page.send({"type": "loop", "mode": "step"})
        page.open()
        page.block(chunks(3))
        assert not page.widget.wait(PATIENCE)
        for chunk in range(2):
            for _ in range(2):
                page.send({"type": "step"})
                page.widget.wait(PATIENCE)
            # Nothing comes any more before the next step: not even a later event may bring this one along.
            assert [event.chunk for event in page.events() if event.type == "decision"] == list(range(chunk + 1))

    def test_from_python(self, page: Page) -> None:
        page.widget.pause()
        page.widget.feed(chunks(1), 16_000)  # returns although nothing is answered
        assert len(page.widget.record.decisions) == 0
        page.widget.step()
        assert (page.widget.loop["phase"], len(page.widget.record.decisions)) == ("perceive", 0)
        page.widget.step()
        assert (page.widget.loop["phase"], len(page.widget.record.decisions)) == ("decide", 1)
        page.widget.resume()
        assert page.widget.wait(PATIENCE)
