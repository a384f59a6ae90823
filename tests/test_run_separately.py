"""`ai-widgets run --separate`: every file in a session of its own, many side by side; a killed run is resumed."""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.audio.folders import expand_paths
from ai_widgets.cli import run as run_module
from ai_widgets.cli import run_separately, worker_processes
from ai_widgets.cli.main import _parser
from ai_widgets.errors import ChildError, SettingError
from ai_widgets.inference import Model
from ai_widgets.policies import Energy
from ai_widgets.session.loop import Loop
from ai_widgets.session.separate_files import answer_separately
from ai_widgets.settings import Settings
from tests.signals import babble
from tests.test_cli import exit_code

COUNT = 7
SETTINGS = ("--seed", "3", "--max-reply-tokens", "5")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(COUNT):
        soundfile.write(folder / f"{number}.wav", babble(0.5 + 0.4 * (number % 4), number), 16_000)
    return folder


@dataclass
class Command:
    """The command on a folder, with its output."""

    folder: Path
    checkpoint: Path
    out: Path

    def __call__(self, *words: str) -> int:
        where = ["--checkpoint", str(self.checkpoint), "--device", "cpu", "--json", str(self.out)]
        return exit_code(["run", str(self.folder), "--separate", *where, *SETTINGS, *words])

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]

    def by_file(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.lines:
            if "file" in line:
                found.setdefault(Path(line["file"]).name, []).append(line)
        return found


@pytest.fixture
def command(folder: Path, toy_folder: Path, tmp_path: Path) -> Command:
    return Command(folder, toy_folder, tmp_path / "out.jsonl")


def test_every_file_is_heard_as_in_a_session_alone(command: Command, toy: Model) -> None:
    assert command("--places", "3") == 0
    assert [line["type"] for line in (command.lines[0], command.lines[-1])] == ["run", "summary"]
    for path in sorted(command.folder.iterdir()):
        with toy.session(seed=3, max_reply_tokens=5) as session:
            session.play(path, floor="clip")
        *events, last = command.by_file()[path.name]
        alone = [event.to_json() for event in session.record.events if isinstance(event, run_module.WRITTEN)]
        assert [outcome(event) for event in events] == [outcome(event) for event in alone]
        assert (last["type"], last["text"], last["error"]) == ("file", session.record.text, None)
        assert last["chunks"] == len(session.record.chunks)


def outcome(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in ("type", "chunk", "token", "choice", "tokens", "ended", "kind", "draw"))


def test_the_summary_counts_all_files(command: Command) -> None:
    assert command() == 0
    last = [line for line in command.lines if line["type"] == "file"]
    summary = command.lines[-1]
    for name in ("chunks", "decisions", "replies", "tokens"):
        assert summary[name] == sum(line[name] for line in last) > 0
    assert (summary["files"], summary["failed"]) == (COUNT, 0)


def test_worker_processes_say_the_same(command: Command) -> None:
    assert command() == 0
    expected = {name: [outcome(line) for line in lines] for name, lines in command.by_file().items()}
    assert command("--workers", "2") == 0
    assert {name: [outcome(line) for line in lines] for name, lines in command.by_file().items()} == expected


def test_a_small_model_with_many_files_takes_a_worker_a_core(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_processes.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert toy.threads is not None
    assert [run_separately.default_workers(toy, files) for files in (1, 127, 128, 9_999)] == [1, 1, 2, 4]
    assert run_separately.default_workers(Energy(), 9_999) == 1


class TestProcesses:
    @given(st.integers(0, 3_000), st.integers(2, 64))
    def test_tasks_hold_every_file_once_and_become_smaller(self, files: int, processes: int) -> None:
        sizes = list(run_separately.task_sizes(files, processes))
        assert sum(sizes) == files
        assert sizes == sorted(sizes, reverse=True)
        assert all(1 <= size <= run_separately.MOST_FILES for size in sizes)
        assert all(size >= run_separately.LEAST_FILES for size in sizes[:-1])

    @pytest.mark.parametrize("taken", [0, 1, 99])
    def test_lines_come_in_the_order_of_tasks_whichever_process_hears_them(self, toy: Model, taken: int) -> None:
        paths = [Path(f"{number}.wav") for number in range(40)]
        workers = Elsewhere(done=taken)
        heard = [lines[0]["file"] for lines in run_separately._heard(toy, paths, Named(), workers)]
        assert heard == [str(path) for path in paths]
        assert (workers.files == 40) if taken == 99 else (0 < workers.files < 40)

    def test_a_worker_that_died_is_reported(self, toy: Model) -> None:
        workers = Elsewhere(done=0, error=BrokenProcessPool())
        with pytest.raises(ChildError, match="--workers 1 needs none, and --resume"):
            list(run_separately._heard(toy, [Path("a.wav")] * 20, Named(), workers))

    @pytest.mark.parametrize(
        ("words", "count"),
        [
            (("--workers", "3"), 2),
            (("--workers", "1"), 0),
            ((), 0),  # seven files
            (("--workers", "3", "--policy", "energy"), 0),
            (("--workers", "3", "--device", "cuda"), 0),
            (("--workers", "3", "--checkpoint", "zhifeixie/AudioInteraction"), 0),
        ],
    )
    def test_processes_start_early_where_they_will_be_needed(
        self, folder: Path, words: tuple[str, ...], count: int
    ) -> None:
        options = _parser().parse_args(["run", str(folder), "--separate", *words])
        assert worker_processes._needed(options) == count

    def test_a_large_folder_starts_none_early(self, folder: Path, tmp_path: Path) -> None:
        with (tmp_path / "model.safetensors").open("wb") as file:
            file.truncate(worker_processes.SMALL_FOLDER + 1)
        words = ["run", str(folder), "--separate", "--workers", "3", "--checkpoint", str(tmp_path)]
        assert worker_processes._needed(_parser().parse_args(words)) == 0

    def test_an_error_of_the_command_ends_them_at_once(self, toy_folder: Path) -> None:
        before = set(multiprocessing.active_children())
        begun = set[Any]()

        def command() -> None:
            with worker_processes.Workers(2, argparse.Namespace(checkpoint=str(toy_folder), policy=None)):
                begun.update(set(multiprocessing.active_children()) - before)
                raise SettingError("temperature")

        with pytest.raises(SettingError):
            command()
        assert len(begun) == 2
        assert not any(process.is_alive() for process in begun)


class Named(run_separately.Hearing):
    """Hearing that gives the name of each file."""

    def __init__(self) -> None:
        super().__init__(Settings(), "clip", 1.0, None, 2)

    def lines(self, _: object, paths: Sequence[Path]) -> Iterator[list[dict[str, Any]]]:
        yield from ([{"file": str(path)}] for path in paths)


class Elsewhere(worker_processes.Workers):
    """A worker whose first `done` tasks are done at once, and the others when their results are asked for."""

    def __init__(self, done: int, error: Exception | None = None) -> None:
        self.count, self.files, self._done, self._error = 1, 0, done, error

    def hear(self, hearing: run_separately.Hearing, paths: Sequence[Path]) -> Future[list[worker_processes.Lines]]:
        self.files += len(paths)
        self._done -= 1
        future = Future[list[worker_processes.Lines]]() if self._done >= 0 else Asked()
        if self._error is not None:
            future.set_exception(self._error)
        else:
            future.heard = list(hearing.lines(Energy(), paths))  # type: ignore[attr-defined]
            if self._done >= 0:
                future.set_result(future.heard)  # type: ignore[attr-defined]
        return future


class Asked(Future[list[worker_processes.Lines]]):
    """Future that is done when its result is asked for."""

    heard: list[worker_processes.Lines]

    def result(self, timeout: float | None = None) -> list[worker_processes.Lines]:
        if not self.done():
            self.set_result(self.heard)
        return super().result(timeout)


class TestResume:
    def test_a_killed_run_hears_only_what_is_missing(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        assert command() == 0
        expected = {name: [outcome(line) for line in lines] for name, lines in command.by_file().items()}
        text = command.out.read_bytes()
        ends = [place for place in range(len(text)) if text[:place].endswith(b'"error": null}\n')]
        # Killed in the middle of a line of the fifth file.
        command.out.write_bytes(text[: ends[3] + 50])
        heard = counted(monkeypatch)
        assert command("--resume") == 0
        assert len(heard) == COUNT - 4
        assert {name: [outcome(line) for line in lines] for name, lines in command.by_file().items()} == expected
        assert Counter(line["type"] for line in command.lines if "file" not in line) == {"run": 1, "summary": 1}
        assert command.lines[-1]["files"] == COUNT

    def test_a_complete_run_hears_nothing_again(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        assert command() == 0
        heard = counted(monkeypatch)
        assert command("--resume") == 0
        assert heard == []

    def test_without_an_earlier_output_it_begins_one(self, command: Command) -> None:
        assert command("--resume") == 0
        assert command.lines[-1]["files"] == COUNT

    def test_other_settings_are_refused(self, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
        assert command() == 0
        before = command.out.read_bytes()
        assert command("--resume", "--bias", "1") == 2
        assert "was begun with other values of settings" in capsys.readouterr().err
        assert command.out.read_bytes() == before

    @pytest.mark.parametrize("content", [b"{", b"nonsense\n", b'{"type": 1}\n', b"[]\n", b"\xff\n"])
    def test_a_file_that_is_no_output_is_refused_and_kept(self, command: Command, content: bytes) -> None:
        command.out.write_bytes(content)
        assert command("--resume") == (0 if content == b"{" else 2)
        if content != b"{":
            assert command.out.read_bytes() == content


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The files that are opened from now on."""
    heard: list[object] = []
    put = Loop.put

    def counting(self: Loop, items: Any) -> int:
        heard.append(items)
        return put(self, items)

    monkeypatch.setattr(Loop, "put", counting)
    return heard


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (command.folder / "0.wav").write_bytes(b"no sound")
    assert command() == 2
    assert "1 of 7 files could not be heard" in capsys.readouterr().err
    last = {name: lines[-1] for name, lines in command.by_file().items()}
    assert [name for name, line in last.items() if line["error"] is not None] == ["0.wav"]
    assert "AudioError" in last["0.wav"]["error"]
    # Once it is mended, --resume hears it alone.
    soundfile.write(command.folder / "0.wav", babble(0.5), 16_000)
    assert command("--resume") == 0
    assert command.by_file()["0.wav"][-1]["error"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--separate", "--save", "a.aiw"), "--save holds one session"),
        (("--separate", "--html", "a.html"), "--html holds one session"),
        (("--separate", "--resume"), "--resume continues the file of --json"),
        (("--separate", "--places", "0"), "--places must be from 1 to 512, not 0"),
        (("--separate", "--workers", "99"), "--workers must be from 1 to 64, not 99"),
        (("--places", "2", "--resume"), "--places, --resume can only be given with --separate"),
    ],
)
def test_options_that_do_not_go_together(
    folder: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["run", str(folder), *words]) == 2
    assert said in capsys.readouterr().err


def test_files_are_opened_as_places_become_free(folder: Path, toy: Model) -> None:
    taken = 0

    def paths() -> Any:
        nonlocal taken
        for path in expand_paths([folder]):
            taken += 1
            yield path

    for number, answered in enumerate(answer_separately(toy, paths(), Settings(), places=2)):
        assert taken <= number + 2
        assert answered.record.chunk_audio(0) is None
    assert taken == COUNT
