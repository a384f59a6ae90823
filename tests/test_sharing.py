"""Equal requests share the weights of a checkpoint while a model uses them; unused weights are freed."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import torch

from ai_widgets.errors import CheckpointError
from ai_widgets.inference import Model, load_model
from ai_widgets.model import checkpoint
from ai_widgets.model.machine import Hardware, Machine
from ai_widgets.model.placement import Need, Placement
from ai_widgets.model.sharing import ModelsInUse, Request, Turns
from ai_widgets.widget.app import AudioInteraction
from tests.reference_checkpoint import TOWER_FILES
from tests.stub_hub import FIRST, REPO, SECOND, StubHub, folder_of

MILLION = 1_000_000


@pytest.fixture
def folder(toy_folder: Path, tmp_path: Path) -> Path:
    """A copy of the toy that nothing else has loaded."""
    return Path(shutil.copytree(toy_folder, tmp_path / "copy"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the checkpoints whose weights were read."""
    names: list[str] = []
    read = checkpoint._read

    def counted(name: str, *given: Any, **named: Any) -> Any:
        names.append(name)
        return read(name, *given, **named)

    monkeypatch.setattr(checkpoint, "_read", counted)
    return names


def weights_of(model: Model) -> int:
    """Where the first matrix lies in memory."""
    return int(model.decoder.model.model.embed_tokens.weight.data_ptr())


class TestSame:
    def test_the_same_call_gives_the_same_weights(self, folder: Path, reads: list[str]) -> None:
        first, second = load_model(folder, "cpu"), load_model(folder, "cpu")
        assert first is second
        assert len(reads) == 1

    @pytest.mark.parametrize(
        "options",
        [
            {"device": "auto", "dtype": "auto"},
            {"device": torch.device("cpu"), "dtype": torch.float32},
            {"device": "cpu", "dtype": "float32"},
            {"device": "cpu", "dtype": "auto", "quantize": None, "compiled": False, "progress": False},
        ],
        ids=str,
    )
    @pytest.mark.skipif(torch.cuda.is_available(), reason="auto is another device there")
    def test_words_that_lead_to_the_same_place_share(
        self, folder: Path, reads: list[str], options: dict[str, Any]
    ) -> None:
        first, second = load_model(folder, "cpu", "float32"), load_model(folder, **options)
        assert first.decoder is second.decoder
        assert len(reads) == 1

    def test_two_spellings_of_a_folder_share_and_keep_their_names(
        self, folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder.parent)
        first, second = load_model(folder, "cpu"), load_model("copy", "cpu")
        assert (first.name, second.name) == (str(folder), "copy")
        assert weights_of(first) == weights_of(second)
        # The second keeps the weights in use when the first has gone.
        where = weights_of(first)
        del first
        gc.collect()
        assert weights_of(load_model(folder, "cpu")) == where
        assert len(reads) == 1

    def test_the_embedded_checkpoint(self) -> None:
        assert load_model("tiny", "cpu") is load_model("tiny", "cpu")

    @pytest.mark.usefixtures("hub")
    def test_a_branch_and_the_commit_it_stands_for(self, reads: list[str]) -> None:
        by_branch, by_commit = load_model(REPO, "cpu"), load_model(REPO, "cpu", revision=FIRST)
        assert by_branch is by_commit
        assert len(reads) == 1

    def test_a_cell_that_is_run_again(self, folder: Path, reads: list[str]) -> None:
        """Two widgets of one name: one model in memory."""
        first, second = (AudioInteraction(folder, device="cpu") for _ in range(2))
        try:
            assert first.model is second.model
            assert len(reads) == 1
        finally:
            first.close()
            second.close()


class TestOthers:
    def test_another_format_is_another_model(self, folder: Path) -> None:
        first, second = load_model(folder, "cpu", "float32"), load_model(folder, "cpu", "bfloat16")
        assert first.decoder is not second.decoder
        assert second.decoder.dtype == torch.bfloat16

    def test_a_compiled_model_is_another_one(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        compiled: list[Any] = []
        monkeypatch.setattr("ai_widgets.model.decoder.Decoder.compile", lambda self: compiled.append(self))
        plain, fast, again = (load_model(folder, "cpu", compiled=which) for which in (False, True, True))
        assert plain is not fast
        assert fast is again
        assert compiled == [fast.decoder]

    def test_a_branch_that_moved_is_another_model(self, hub: StubHub, tmp_path: Path) -> None:
        first = load_model(REPO, "cpu")
        hub.push(folder_of(tmp_path / "newer", seed=7), SECOND)
        second = load_model(REPO, "cpu")
        assert (first.revision, second.revision) == (FIRST, SECOND)
        assert weights_of(first) != weights_of(second)

    @pytest.mark.parametrize("file", ["generation_config.json", "tokenizer.json", TOWER_FILES[0], "model_config.yaml"])
    def test_a_folder_that_changed_is_read_anew(self, folder: Path, file: str, reads: list[str]) -> None:
        first = load_model(folder, "cpu")
        path = folder / file
        time = path.stat().st_mtime_ns
        path.write_bytes(path.read_bytes() + (b"" if path.suffix == ".pth" else b"\n"))
        os.utime(path, ns=(time + 10**9, time + 10**9))
        second = load_model(folder, "cpu")
        assert first is not second
        assert len(reads) == 2

    def test_a_file_that_was_replaced_by_one_of_the_same_size_and_time(self, folder: Path, reads: list[str]) -> None:
        first = load_model(folder, "cpu")
        path = folder / "generation_config.json"
        stat, other = path.stat(), folder / "other"
        other.write_text(path.read_text().replace("0.3", "0.7"))
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        other.replace(path)
        second = load_model(folder, "cpu")
        assert (first.rule.temperature, second.rule.temperature) == (0.3, 0.7)
        assert len(reads) == 2

    def test_what_lies_beside_a_checkpoint_changes_nothing(self, folder: Path, reads: list[str]) -> None:
        first = load_model(folder, "cpu")
        (folder / "README.md").write_text("changed")
        assert load_model(folder, "cpu") is first
        assert len(reads) == 1


class TestFreed:
    def test_unused_weights_are_freed(self, folder: Path, reads: list[str]) -> None:
        model = load_model(folder, "cpu")
        session = model.session()
        gone = [weakref.ref(one) for one in (model, model.decoder, model.decoder.model)]
        del model
        gc.collect()
        assert gone[0]() is not None, "the session uses it"
        del session
        gc.collect()
        assert [one() for one in gone] == [None] * 3
        load_model(folder, "cpu")
        assert len(reads) == 2

    def test_what_is_gone_is_forgotten(self, folder: Path, tmp_path: Path) -> None:
        load_model(folder, "cpu")
        gc.collect()
        other = load_model(shutil.copytree(folder, tmp_path / "other"), "cpu")
        in_use = [use.model() for uses in checkpoint._IN_USE._uses.values() for use in uses]
        assert other in in_use
        assert None not in in_use


class TestConcurrent:
    """Loads of the same key: one reads, the others wait for it and share."""

    def together(self, count: int, work: Callable[[int], Any]) -> list[Any]:
        found: dict[int, Any] = {}
        start = Barrier(count)

        def run(number: int) -> None:
            start.wait()
            try:
                found[number] = work(number)
            except Exception as error:  # noqa: BLE001 - it is what the test asks for
                found[number] = error

        threads = [Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [found[number] for number in range(count)]

    def test_eight_at_once_read_once(self, folder: Path, reads: list[str]) -> None:
        models = self.together(8, lambda _: load_model(folder, "cpu"))
        assert len({id(model) for model in models}) == 1
        assert len(reads) == 1

    def test_one_that_fails_does_not_poison_the_others(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read, calls = checkpoint._read, list[int]()

        def first_fails(*given: Any, **named: Any) -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise CheckpointError("a bad moment.")
            return read(*given, **named)

        monkeypatch.setattr(checkpoint, "_read", first_fails)
        found = self.together(4, lambda _: load_model(folder, "cpu"))
        failed = [one for one in found if isinstance(one, Exception)]
        assert [str(one) for one in failed] == ["a bad moment."]
        assert len({id(one) for one in found if isinstance(one, Model)}) == 1
        assert len(calls) == 2

    def test_one_that_is_cancelled_leaves_the_loading_to_the_one_that_waits(
        self, folder: Path, reads: list[str]
    ) -> None:
        class ClosedError(Exception):
            pass

        began, waiting = Event(), Event()

        def close_when_another_waits(done: int, total: int) -> None:
            began.set()
            waiting.wait()
            raise ClosedError

        def told(done: int, total: int) -> None:
            waiting.set()

        found: list[Any] = []

        def first() -> None:
            try:
                load_model(folder, "cpu", progress=close_when_another_waits)
            except ClosedError as error:
                found.append(error)

        thread = Thread(target=first)
        thread.start()
        began.wait()
        model = load_model(folder, "cpu", progress=told)
        thread.join()
        assert len(found) == 1
        assert model.decoder.vocabulary == 288
        assert len(reads) == 2

    def test_one_that_waits_is_told_of_the_progress_and_can_be_cancelled(self) -> None:
        class ClosedError(Exception):
            pass

        turns, release, told = Turns(), Event(), list[tuple[int, int]]()

        def closed(done: int, total: int) -> None:
            told.append((done, total))
            raise ClosedError

        with turns.take("key", None) as reports:
            reports(3, 10)

            def wait() -> None:
                with pytest.raises(ClosedError), turns.take("key", closed):
                    raise AssertionError("it is another's turn")
                release.set()

            thread = Thread(target=wait)
            thread.start()
            thread.join()
        assert release.is_set()
        assert told == [(3, 10)]
        with turns.take("key", None):
            pass

    def test_other_keys_do_not_wait(self) -> None:
        turns = Turns()
        with turns.take("one", None), turns.take("other", None):
            pass


class TestMemory:
    """`auto` is resolved as if the weights were not there yet: the memory they take sends no second copy elsewhere."""

    NEED = Need(matrices=8 * MILLION, rows=1000, head=1 * MILLION, others=1 * MILLION, cache_width=1)

    def machine(self, free: int, cpu_free: int = 10_000 * MILLION) -> Machine:
        gpu = Hardware("cuda", "A", free, 100 * MILLION, True, 0, (9, 0))
        return Machine(Hardware("cpu", "x", cpu_free, 10_000 * MILLION, False), (gpu,))

    def held(self, toy: Model, device: str, dtype: torch.dtype, asked: str = "") -> tuple[ModelsInUse, Any]:
        model = replace(toy, placement=Placement(torch.device(device), dtype))
        in_use = ModelsInUse()
        in_use.add("files", Request(asked or device, "auto", None, False), self.NEED, model)
        return in_use, model

    def test_a_full_card_is_full_of_the_model_that_is_asked_for(self, toy: Model) -> None:
        in_use, model = self.held(toy, "cuda:0", torch.bfloat16)
        full = self.machine(free=1 * MILLION)
        for device in ("auto", "cuda:0"):
            found = in_use.find("files", Request(device, "auto", None, False), lambda: full)
            assert found is not None
            assert found[0] is model

    def test_the_same_words_share_whatever_the_memory_is(self, toy: Model) -> None:
        in_use, model = self.held(toy, "cpu", torch.float32, asked="auto")
        roomy = self.machine(free=100 * MILLION)
        found = in_use.find("files", Request("auto", "auto", None, False), lambda: roomy)
        assert found is not None
        assert found[0] is model

    @pytest.mark.parametrize(
        "request_",
        [
            Request("auto", "auto", None, False),
            Request("cpu", "bfloat16", None, False),
            Request("cpu", "auto", "int8", False),
            Request("cpu", "auto", None, True),
        ],
        ids=str,
    )
    def test_other_words_lead_elsewhere(self, toy: Model, request_: Request) -> None:
        in_use, _model = self.held(toy, "cpu", torch.float32)
        roomy = self.machine(free=100 * MILLION)
        assert in_use.find("files", request_, lambda: roomy) is None
        assert in_use.find("other files", Request("cpu", "auto", None, False), lambda: roomy) is None
