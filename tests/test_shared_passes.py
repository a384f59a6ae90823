"""Threads that share passes: each session decides as alone, and what queues during a pass is the next pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock, Thread
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ai_widgets.inference import Model
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.passes import TokenPass
from ai_widgets.model.shared_passes import SharedPasses, _Request, passes_of, shared
from ai_widgets.protocol import CHUNK_SAMPLES, Decision
from ai_widgets.session.session import StreamingSession
from ai_widgets.settings import Settings
from tests.benches import Bench
from tests.signals import babble
from tests.test_together import same

SOON = 30.0
"""Seconds after which a thread that does not end fails the test."""


class HeldDecoder:
    """Decoder whose first two passes wait for `gates`, and that notes the contexts of each pass.

    Attributes
    ----------
    gates
        Events that the first and the second pass wait for.
    passes
        Contexts of each pass that has begun, by number of the thread.
    errors
        Errors raised by the passes of a context, once.
    """

    def __init__(self) -> None:
        self.gates = Event(), Event()
        self.passes: list[list[int]] = []
        self.errors: dict[int, BaseException] = {}
        self.network = id(self)

    def go(self) -> None:
        for gate in self.gates:
            gate.set()

    def feed(self, context: Counted, *_: Any) -> Tensor:
        return self._run([context])[0]

    def feed_many(self, passes: Sequence[TokenPass]) -> list[Tensor]:
        return self._run([each.context for each in passes])

    def _run(self, contexts: list[Counted]) -> list[Tensor]:
        self.passes.append([each.number for each in contexts])
        for gate in self.gates[len(self.passes) - 1 : len(self.passes)]:
            assert gate.wait(SOON)
        for each in contexts:
            if (error := self.errors.pop(each.number, None)) is not None:
                raise error
            each.position += 1
        return [torch.tensor(float(each.number)) for each in contexts]


class Counted:
    """Context that counts its positions."""

    def __init__(self, number: int) -> None:
        self.number, self.position = number, 0

    def repair(self) -> bool:
        return True

    def truncate(self, position: int) -> None:
        self.position = position


class Threads:
    """Threads that each ask for one pass; the first computes until `decoder.go`."""

    def __init__(self, count: int) -> None:
        self.decoder, self.passes = HeldDecoder(), SharedPasses()
        self.contexts = [Counted(number) for number in range(count)]
        self.results: list[Future[Tensor]] = []
        for number in range(count):
            self.ask(number)
            if number == 0:
                until(lambda: self.decoder.passes == [[0]])
            until(lambda number=number: self.passes.waiting == number)

    def ask(self, number: int) -> None:
        future = Future[Tensor]()
        asked = TokenPass(self.decoder, self.contexts[number], [0])  # type: ignore[arg-type]

        def work() -> None:
            try:
                future.set_result(self.passes.run(asked))
            except BaseException as error:  # noqa: BLE001 - the thread's result
                future.set_exception(error)

        self.results.append(future)
        Thread(target=work, daemon=True).start()


def until(done: Callable[[], bool]) -> None:
    """Wait for a state that other threads reach without a signal."""
    tick = Event()
    for _ in range(int(SOON * 1000)):
        if done():
            return
        tick.wait(0.001)
    raise AssertionError("The state was not reached.")


def test_passes_that_queue_during_a_pass_are_the_next_one() -> None:
    threads = Threads(4)
    threads.decoder.go()
    assert [float(future.result(SOON)) for future in threads.results] == [0, 1, 2, 3]
    assert threads.decoder.passes == [[0], [1, 2, 3]]


def test_a_thread_alone_runs_its_pass_as_it_is() -> None:
    threads = Threads(1)
    threads.decoder.go()
    threads.results[0].result(SOON)
    threads.ask(0)
    assert float(threads.results[1].result(SOON)) == 0
    assert threads.decoder.passes == [[0], [0]]


def test_an_error_stays_with_its_thread() -> None:
    threads = Threads(4)
    # Once in the common pass, once in that of the thread alone.
    threads.decoder.errors[2] = ValueError("common")
    threads.decoder.go()
    assert [float(threads.results[number].result(SOON)) for number in (0, 1, 2, 3)] == [0, 1, 2, 3]
    threads = Threads(2)
    threads.decoder.errors[0] = ValueError("its own")
    threads.decoder.go()
    with pytest.raises(ValueError, match="its own"):
        threads.results[0].result(SOON)
    assert float(threads.results[1].result(SOON)) == 1


@pytest.mark.parametrize("interrupted", [0, 1, 2, 3])
def test_an_interrupt_of_the_thread_that_computes_loses_no_pass(interrupted: int) -> None:
    threads = Threads(4)
    threads.decoder.errors[interrupted] = KeyboardInterrupt()
    threads.decoder.go()
    # The pass of all others is computed by the first of them.
    lost = 0 if interrupted == 0 else 1
    with pytest.raises(KeyboardInterrupt):
        threads.results[lost].result(SOON)
    others = [number for number in range(4) if number != lost]
    assert [float(threads.results[number].result(SOON)) for number in others] == others
    assert [threads.contexts[number].position for number in others] == [1] * 3
    until(lambda: threads.passes.waiting == 0)
    threads.ask(lost)
    assert float(threads.results[-1].result(SOON)) == lost


class InterruptedLock:
    """Lock whose second `acquire`, the one that waits for a pass, ends with a `KeyboardInterrupt` once `now` is set."""

    def __init__(self) -> None:
        self._lock, self._acquired, self.now = Lock(), 0, Event()
        self.release, self.locked = self._lock.release, self._lock.locked

    def acquire(self) -> None:
        self._acquired += 1
        if self._acquired == 2:
            assert self.now.wait(SOON)
            raise KeyboardInterrupt
        self._lock.acquire()


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> InterruptedLock:
    """Lock of the request of thread 2."""
    lock = InterruptedLock()
    init = _Request.__init__

    def with_lock(self: _Request, asked: TokenPass) -> None:
        init(self, asked)
        if asked.context.number == 2:
            lock.acquire()
            self.ready = lock  # type: ignore[assignment]

    monkeypatch.setattr(_Request, "__init__", with_lock)
    return lock


def test_an_interrupt_of_a_thread_that_queues_takes_only_its_own_pass(lock: InterruptedLock) -> None:
    threads = Threads(4)
    lock.now.set()
    with pytest.raises(KeyboardInterrupt):
        threads.results[2].result(SOON)
    threads.decoder.go()
    assert [float(threads.results[number].result(SOON)) for number in (0, 1, 3)] == [0, 1, 3]
    assert threads.decoder.passes == [[0], [1, 3]]
    assert threads.contexts[2].position == 0


def test_an_interrupted_thread_waits_for_the_pass_that_writes_to_its_context(lock: InterruptedLock) -> None:
    threads = Threads(4)
    threads.decoder.gates[0].set()
    until(lambda: len(threads.decoder.passes) == 2)
    lock.now.set()
    # The pass [1, 2, 3] is running: the thread's session must not restore its context now.
    assert not threads.results[2].done()
    threads.decoder.go()
    with pytest.raises(KeyboardInterrupt):
        threads.results[2].result(SOON)
    assert [float(threads.results[number].result(SOON)) for number in (0, 1, 3)] == [0, 1, 3]
    assert threads.decoder.passes == [[0], [1, 2, 3]]
    threads.ask(3)
    assert float(threads.results[-1].result(SOON)) == 3


def test_a_thread_whose_turn_comes_after_its_interrupt_hands_it_on(lock: InterruptedLock) -> None:
    threads = Threads(1)
    for number in (2, 1):
        threads.contexts.append(Counted(number))
        threads.ask(len(threads.contexts) - 1)
        until(lambda: threads.passes.waiting == len(threads.contexts) - 1)
    threads.decoder.go()
    threads.results[0].result(SOON)
    lock.now.set()
    with pytest.raises(KeyboardInterrupt):
        threads.results[1].result(SOON)
    assert float(threads.results[2].result(SOON)) == 1
    assert threads.decoder.passes == [[0], [1]]


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(2, 5), st.booleans()), min_size=2, max_size=5))
def test_sessions_of_several_threads_decide_as_alone(toy: Model, given: list[tuple[int, int, bool]]) -> None:
    def heard(number: int, chunks: int, greedy: bool, run: Callable[[Any], Any] | None) -> StreamingSession:
        chosen = Settings(seed=number, greedy=greedy, max_reply_tokens=4, bias=2.0)
        session = StreamingSession(toy, chosen) if run is None else StreamingSession(toy, chosen, None, run)
        session.push(babble(chunks * 0.4, number)[: chunks * CHUNK_SAMPLES], 16_000)
        return session

    with ThreadPoolExecutor(len(given)) as pool:
        among = list(pool.map(lambda each: heard(*each, shared), given))
    for each, session in zip(given, among, strict=True):
        alone = heard(*each, None)
        same(alone, session)
        assert alone.record.text == session.record.text
    assert passes_of(toy.decoder).waiting == passes_of(toy.encoder).waiting == 0


def test_widgets_of_one_kernel_share_passes_and_stop_apart(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    go, sizes = Event(), list[int]()
    feed, feed_many = toy.decoder.feed, toy.decoder.feed_many

    def held(*given: Any) -> Tensor:
        assert go.wait(SOON)
        return feed(*given)

    def counted(passes: Sequence[TokenPass]) -> Sequence[Tensor]:
        sizes.append(len(passes))
        return feed_many(passes)

    monkeypatch.setattr(toy.decoder, "feed", held)
    monkeypatch.setattr(toy.decoder, "feed_many", counted)
    benches = [Bench(toy) for _ in range(4)]
    for bench in benches:
        bench.pipeline.push(babble(0.4), 16_000)
    until(lambda: passes_of(toy.decoder).waiting == 3)
    benches[2].pipeline.stop()
    go.set()
    for bench in (benches[0], benches[1], benches[3]):
        assert any(isinstance(event, Decision) for event in bench.events())
        assert not bench.failures
    # The first widget may ask for its next pass before the others begin.
    assert sizes[0] in (3, 4)
    for bench in benches:
        bench.pipeline.close()
        assert not bench.pipeline.alive


def test_a_network_has_one_queue(toy: Model) -> None:
    assert passes_of(toy.decoder) is passes_of(toy.decoder)
    assert passes_of(toy.decoder) is not passes_of(toy.encoder)
    assert passes_of(Decoder(toy.decoder.model, "exact")) is not passes_of(toy.decoder)


def test_a_decoder_without_hash_or_weak_references_runs_its_passes_alone() -> None:
    class Own(HeldDecoder):
        __hash__ = None  # type: ignore[assignment]

    decoder = Own()
    decoder.go()
    assert isinstance(passes_of(decoder), SharedPasses)
    assert passes_of(decoder) is not passes_of(decoder)
