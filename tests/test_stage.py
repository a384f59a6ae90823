"""A stage works its queue off in order, and has a thread only while there is work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from ai_widgets.widget.stages import stage as stage_module
from ai_widgets.widget.stages.stage import Stage

PATIENCE = 60.0
"""Seconds after which a test gives up waiting; nothing here takes long."""


@pytest.fixture
def opened() -> Iterator[list[Stage[int]]]:
    stages: list[Stage[int]] = []
    yield stages
    for stage in stages:
        stage.close()


def gate() -> tuple[threading.Event, threading.Event]:
    """Set when work has begun; work goes on when the second is set."""
    return threading.Event(), threading.Event()


def test_items_are_worked_off_in_order_on_one_thread(opened: list[Stage[int]]) -> None:
    done, threads = [], set()

    def work(item: int) -> None:
        done.append(item)
        threads.add(threading.current_thread())

    stage = Stage("test", work)
    opened.append(stage)
    assert all(stage.put(item) for item in range(200))
    assert stage.join(PATIENCE)
    assert done == list(range(200))
    assert len(threads) == 1
    assert stage.idle


def test_it_has_no_thread_before_the_first_item_nor_long_after_the_last(
    opened: list[Stage[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_module, "IDLE_SECONDS", 0.001)
    done: list[int] = []
    stage = Stage("test park", done.append)
    opened.append(stage)
    assert not stage.alive
    for item in range(3):
        stage.put(item)
        with stage._changed:
            assert stage._changed.wait_for(lambda: not stage.alive, PATIENCE)
        assert not stage.alive
    assert done == [0, 1, 2]


def test_a_full_queue_makes_put_wait(opened: list[Stage[int]]) -> None:
    begun, go = gate()
    done: list[int] = []

    def work(item: int) -> None:
        begun.set()
        assert go.wait(PATIENCE)
        done.append(item)

    stage = Stage("test", work, capacity=2)
    opened.append(stage)
    for item in range(3):
        stage.put(item)
        assert begun.wait(PATIENCE)
    assert len(stage) == 2
    fourth = threading.Thread(target=stage.put, args=(3,))
    fourth.start()
    assert len(stage) == 2
    go.set()
    fourth.join(PATIENCE)
    assert stage.join(PATIENCE)
    assert done == [0, 1, 2, 3]


def test_close_waits_for_the_item_at_work_and_takes_no_more() -> None:
    begun, go = gate()
    done: list[int] = []

    def work(item: int) -> None:
        begun.set()
        assert go.wait(PATIENCE)
        done.append(item)

    stage = Stage("test close", work)
    for item in range(5):
        stage.put(item)
    assert begun.wait(PATIENCE)
    closing = threading.Thread(target=stage.close)
    closing.start()
    with stage._changed:
        assert stage._changed.wait_for(lambda: stage._closed, PATIENCE)
    assert not stage.put(9)
    go.set()
    closing.join(PATIENCE)
    assert done == [0]
    assert not stage.alive
    assert "test close" not in {thread.name for thread in threading.enumerate()}


def test_close_wakes_a_thread_that_waits_to_put() -> None:
    begun, go = gate()

    def work(_: int) -> None:
        begun.set()
        assert go.wait(PATIENCE)

    stage = Stage("test", work, capacity=1)
    stage.put(0)
    assert begun.wait(PATIENCE)
    stage.put(1)
    taken: list[bool] = []
    waiting = threading.Thread(target=lambda: taken.append(stage.put(2)))
    waiting.start()
    closing = threading.Thread(target=stage.close)
    closing.start()
    waiting.join(PATIENCE)
    assert taken == [False]
    go.set()
    closing.join(PATIENCE)


def test_a_stage_may_be_closed_twice_and_from_its_own_thread() -> None:
    stages: list[Stage[int]] = []
    stage: Stage[int] = Stage("test", lambda _: stages[0].close())
    stages.append(stage)
    stage.put(0)
    with stage._changed:
        assert stage._changed.wait_for(lambda: not stage.alive, PATIENCE)
    stage.close()


def test_join_gives_up_after_its_time(opened: list[Stage[int]]) -> None:
    begun, go = gate()

    def work(_: int) -> None:
        begun.set()
        assert go.wait(PATIENCE)

    stage = Stage("test", work)
    opened.append(stage)
    stage.put(0)
    assert begun.wait(PATIENCE)
    assert not stage.join(0.0)
    go.set()
    assert stage.join(PATIENCE)


def test_an_item_that_fails_is_logged_and_the_next_one_works(
    opened: list[Stage[int]], caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 1:
            raise ValueError("item one is bad")
        done.append(item)

    stage = Stage("test", work)
    opened.append(stage)
    with caplog.at_level(logging.ERROR):
        for item in range(3):
            stage.put(item)
        assert stage.join(PATIENCE)
    assert done == [0, 2]
    assert "item one is bad" in caplog.text


def test_an_interrupt_between_a_threads_making_and_its_start_leaves_no_stage_without_one(
    opened: list[Stage[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(stage_module.PipelineThread):
        def start(self) -> None:
            raise KeyboardInterrupt

    done: list[int] = []
    stage: Stage[int] = Stage("test", done.append)
    opened.append(stage)
    with monkeypatch.context() as patch:
        patch.setattr(stage_module, "PipelineThread", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            stage.put(1)
    stage.put(2)
    assert stage.join(PATIENCE)
    assert done == [1, 2]


def test_an_urgent_item_does_not_wait_for_room(opened: list[Stage[int]]) -> None:
    begun, go = gate()

    def work(_: int) -> None:
        begun.set()
        assert go.wait(PATIENCE)

    stage = Stage("test", work, capacity=1)
    opened.append(stage)
    stage.put(0)
    assert begun.wait(PATIENCE)
    stage.put(1)
    assert stage.put(2, urgent=True)
    assert len(stage) == 2
    assert not stage.join(unless=lambda: True)
    go.set()
    assert stage.join(PATIENCE)


def test_it_tells_when_it_has_had_nothing_to_do(opened: list[Stage[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "IDLE_SECONDS", 0.001)
    parked = threading.Event()
    stage: Stage[int] = Stage("test", lambda _: None, parked=parked.set)
    opened.append(stage)
    stage.put(0)
    assert parked.wait(PATIENCE)
