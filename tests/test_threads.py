"""A model may be used from any threads, and changes nothing outside itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ai_widgets.inference import Model, load_model
from ai_widgets.model import checkpoint
from ai_widgets.model import decoder as decoder_module
from ai_widgets.model import threads as threads_module
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.sharing import ModelsInUse
from ai_widgets.model.threads import intra_op_threads
from ai_widgets.protocol import Decision
from tests.signals import babble

LATE_PLACE = 2050
"""A position that float16 cannot hold exactly beside its neighbour."""


def elsewhere(work: Callable[[], Any]) -> Any:
    """What `work` returns on a thread that starts now."""
    found: list[Any] = []
    thread = Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


class TestThreadCount:
    def test_inside_it_is_the_count(self) -> None:
        before = torch.get_num_threads()
        with intra_op_threads(before + 2):
            assert torch.get_num_threads() == before + 2
            with intra_op_threads(before + 1):
                assert torch.get_num_threads() == before + 1
            assert torch.get_num_threads() == before + 2
        assert torch.get_num_threads() == before

    def test_a_small_model_is_loaded_by_one_thread(self, toy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        counts: list[int] = []

        def filling(*given: Any) -> None:
            counts.append(torch.get_num_threads())
            fill(*given)

        fill = checkpoint._fill
        monkeypatch.setattr(checkpoint, "_fill", filling)
        monkeypatch.setattr(checkpoint, "_IN_USE", ModelsInUse())
        with intra_op_threads(torch.get_num_threads() + 1):
            load_model(toy_folder, "cpu", "float32")
        assert counts == [1]

    def test_a_thread_born_while_a_model_computes_keeps_torchs_own_count(self) -> None:
        before = torch.get_num_threads()
        with intra_op_threads(before + 1):
            assert elsewhere(torch.get_num_threads) == before
            # Nor does it take over the count later.
            ready, go = Event(), Event()
            found: list[int] = []

            def born() -> None:
                ready.set()
                go.wait()
                found.append(torch.get_num_threads())

            thread = Thread(target=born)
            thread.start()
            ready.wait()
        go.set()
        thread.join()
        assert found == [before]

    def test_another_thread_that_computes_already_is_not_changed(self) -> None:
        before = torch.get_num_threads()
        inside, asked = Barrier(2), Barrier(2)
        found: list[int] = []

        def other() -> None:
            found.append(torch.get_num_threads())
            inside.wait()
            found.append(torch.get_num_threads())
            asked.wait()

        thread = Thread(target=other)
        thread.start()
        with intra_op_threads(before + 1):
            inside.wait()
            asked.wait()
        thread.join()
        assert found == [before, before]

    def test_a_count_that_somebody_sets_meanwhile_stays(self) -> None:
        """`torch.set_num_threads` on another thread is not undone when a step ends."""
        before = torch.get_num_threads()
        with intra_op_threads(before + 1):
            elsewhere(lambda: torch.set_num_threads(before + 3))
        try:
            assert elsewhere(torch.get_num_threads) == before + 3
        finally:
            torch.set_num_threads(before)

    def test_it_is_restored_whatever_happens(self) -> None:
        before = torch.get_num_threads()

        def work() -> None:
            with intra_op_threads(before + 1):
                raise RuntimeError("the model fails")

        with pytest.raises(RuntimeError, match="the model fails"):
            work()
        assert torch.get_num_threads() == before

    def test_a_torch_that_does_not_follow_is_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threads_module, "LIBRARIES", {})
        threads_module._native.cache_clear()
        before = torch.get_num_threads()
        try:
            with intra_op_threads(before + 1):
                assert torch.get_num_threads() == before
                assert elsewhere(torch.get_num_threads) == before
        finally:
            threads_module._native.cache_clear()

    @pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts the threads of the process in /proc")
    def test_a_small_models_step_wakes_no_second_thread(self) -> None:
        """What the count is for: with one thread OpenMP and MKL start none, in a process where four are the rule."""
        script = """
import os, torch
from ai_widgets.model.sharing import ModelsInUse
from ai_widgets.model.threads import intra_op_threads
torch.set_num_threads(4)
many = torch.randn(700, 700)
count = lambda: len(os.listdir("/proc/self/task"))
with intra_op_threads(1):
    before = count()
    many @ many, torch.exp(many), torch.nn.functional.linear(many, many), many.sum()
    print(count() - before)
many @ many, torch.exp(many)
print(count() - before)
"""
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        inside, after = map(int, run.stdout.split())
        assert inside <= 0  # a thread that has ended may be listed a moment longer
        assert after > 0


def test_training_leaves_the_process_its_own_count() -> None:
    from ai_widgets.training.trainer import Trainer

    before = torch.get_num_threads()
    trainer: Any = SimpleNamespace(
        recipe=SimpleNamespace(threads=before + 2), _run=lambda quiet: (torch.get_num_threads(), quiet)
    )
    assert Trainer.run(trainer, quiet=True) == (before + 2, True)
    assert torch.get_num_threads() == elsewhere(torch.get_num_threads) == before


def places(decoder: Decoder, end: int, count: int = 13) -> list[int]:
    context: Any = SimpleNamespace(start=0, end=end)
    found: list[int] = decoder._places(context, count)[0].tolist()
    return found


def as_float16(end: int, count: int = 13) -> list[int]:
    return torch.arange(end, end + count).to(torch.float16).long().tolist()


class TestPositions:
    def test_the_tables_are_replaced_together(self, toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another session asks at the worst moment: when the longer table is there and the rounded one is not."""
        decoder = Decoder(toy.decoder.model, "float16")
        arange, others = torch.arange, list[list[int]]()

        class Watched(torch.Tensor):
            def to(self, *given: Any, **named: Any) -> torch.Tensor:
                monkeypatch.setattr(decoder_module.torch, "arange", arange)
                others.append(places(decoder, LATE_PLACE))
                return self.as_subclass(torch.Tensor).to(*given, **named)

        monkeypatch.setattr(
            decoder_module.torch, "arange", lambda *given, **named: arange(*given, **named).as_subclass(Watched)
        )
        assert places(decoder, LATE_PLACE) == as_float16(LATE_PLACE)
        assert others == [as_float16(LATE_PLACE)]

    @pytest.mark.usefixtures("hasty")
    def test_two_threads(self, toy: Model) -> None:
        for _ in range(50):
            decoder = Decoder(toy.decoder.model, "float16")
            start, wrong = Barrier(2), list[int]()

            def ask(decoder: Decoder = decoder, start: Barrier = start, wrong: list[int] = wrong) -> None:
                start.wait()
                wrong.extend(end for end in range(0, 6000, 500) if places(decoder, end) != as_float16(end))

            threads = [Thread(target=ask) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert wrong == []


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns a thousand times as often as they would."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_sessions_of_one_model_on_several_threads_answer_as_alone(toy: Model) -> None:
    decoder = Decoder(toy.decoder.model, "float16")
    model = replace(toy, decoder=decoder)

    def answers(seed: int) -> list[tuple[str, float]]:
        session = model.session(seed=seed, context="slide", context_limit=400)
        events = session.push_clip(babble(12, seed), floor="running")
        return [(event.choice, round(event.p_text, 5)) for event in events if isinstance(event, Decision)]

    alone = [answers(seed) for seed in range(4)]
    together: dict[int, list[tuple[str, float]]] = {}
    threads = [Thread(target=lambda seed=seed: together.update({seed: answers(seed)})) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(4)] == alone
