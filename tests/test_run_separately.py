"""`ai-widgets run --separate`: every file in a session of its own, many side by side; a killed run is resumed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ai_widgets.audio.folders import expand_paths
from ai_widgets.cli import run as run_module
from ai_widgets.cli import run_separately
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
    monkeypatch.setattr(run_separately.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert toy.threads is not None
    assert [run_separately.default_workers(toy, files) for files in (1, 127, 128, 9_999)] == [1, 1, 2, 4]
    assert run_separately.default_workers(Energy(), 9_999) == 1


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
