"""Help with examples that can be run, completion, notebooks by name, and bars where something takes long."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest

import ai_widgets as aiw
from ai_widgets.cli import demo
from ai_widgets.cli.completion import SHELLS
from ai_widgets.cli.main import _own_parser, _parser, main
from ai_widgets.cli.screen import Transcript
from ai_widgets.errors import AiWidgetsError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Decision
from ai_widgets.record import bars
from tests.test_fork import SHORT, chunks

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
OWN = ("train", "evaluate", "bench", "doctor")
"""Commands that parse their own options."""


def commands() -> dict[str, ArgumentParser]:
    (found,) = [action.choices for action in _parser()._actions if action.dest == "command" or action.choices]
    assert isinstance(found, dict)
    return found


COMMANDS = sorted(commands())


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples_that_the_command_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = help_of(command, capsys)
    assert "examples:\n" in shown
    lines = re.findall(rf"^ +ai-widgets ({command}\b.*?)(?:  +#.*)?$", shown, re.MULTILINE)
    assert lines
    for line in lines:
        words = shlex.split(re.split(" >>? ", line)[0])
        if command in OWN:
            _own_parser(command).parse_args(words[1:])
        else:
            _parser().parse_args(words)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command: str) -> None:
    assert f"ai-widgets {command}" in README


@pytest.mark.parametrize("command", re.findall(r"^ai-widgets (\w+)", README, re.MULTILINE))
def test_every_command_of_the_readme_exists(command: str) -> None:
    assert command in COMMANDS


class TestCompletion:
    @pytest.mark.parametrize("shell", SHELLS)
    def test_a_script_for_each_shell_names_commands_and_options(
        self, shell: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        for word in (*COMMANDS, "--tail-silence", "--held-out", "--url"):
            assert word.lstrip("-") in script

    def test_bash_completes_what_is_begun(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The script is read by a real bash, which then lists what may follow."""
        assert main(["completion", "bash"]) == 0
        script = capsys.readouterr().out
        (tmp_path / "script").write_text(script, encoding="utf-8")
        (name,) = set(re.findall(r"-F (\w+) ai-widgets", script))
        ask = (
            f"source {tmp_path / 'script'}; COMP_WORDS=(ai-widgets doctor --u); COMP_CWORD=2; "
            f"{name}; echo ${{COMPREPLY[@]}}"
        )
        shown = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=60)
        assert shown.stdout.split() == ["--url"], shown.stderr

    def test_another_shell_is_refused_with_the_known_ones(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["completion", "cmd.exe"])
        assert "'bash', 'zsh', 'tcsh'" in capsys.readouterr().err


class TestNotebooksByName:
    @pytest.fixture
    def shipped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
        there = {name: tmp_path / f"{name}.ipynb" for name in ("01_quickstart", "04_what_if", "06_train_your_own")}
        for path in there.values():
            path.write_text("{}", encoding="utf-8")
        monkeypatch.setattr(demo, "notebooks", lambda: there)
        return there

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            (None, "01_quickstart"),
            ("04_what_if", "04_what_if"),
            ("04_what_if.ipynb", "04_what_if"),
            ("06", "06_train_your_own"),
            ("train", "06_train_your_own"),
        ],
    )
    def test_a_part_of_a_name_is_enough(self, shipped: dict[str, Path], name: str | None, found: str) -> None:
        assert demo.notebook_named(name) == shipped[found]

    @pytest.mark.parametrize(("name", "words"), [("0", "Several notebooks have"), ("x", "There is no notebook with")])
    @pytest.mark.usefixtures("shipped")
    def test_another_name_is_answered_with_all(self, name: str, words: str) -> None:
        with pytest.raises(AiWidgetsError, match=words) as error:
            demo.notebook_named(name)
        assert "01_quickstart, 04_what_if, 06_train_your_own" in str(error.value)

    @pytest.mark.usefixtures("shipped")
    def test_the_command_says_so_before_anything_is_started(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--notebook", "x"]) == 2
        assert "There is no notebook with 'x'" in capsys.readouterr().err

    def test_this_installation_has_the_quick_start(self) -> None:
        assert "01_quickstart" in demo.notebooks()


class TestBars:
    """Whatever may take longer than two seconds shows how long it still takes, and nothing before that."""

    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bars appear at their first update, so that no test has to take two seconds."""
        monkeypatch.setattr(bars.bar_of_seconds, "__kwdefaults__", {"shown": True, "after_s": 0.0})

    def test_replay(self, toy: Model, capsys: pytest.CaptureFixture[str]) -> None:
        session = toy.session(**SHORT, seed=7)
        session.push(chunks(5))
        assert toy.replay(session.record).reproduced
        shown = capsys.readouterr().err
        assert "replaying: " in shown
        assert "2 s of audio" in shown
        toy.replay(session.record, progress=False)
        assert capsys.readouterr().err == ""

    def test_run_inference(self, toy_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        aiw.run_inference(toy_folder, "clip:digit", "cpu")
        assert re.search(r"listening: .*/4 s of audio", capsys.readouterr().err)
        aiw.run_inference(toy_folder, "clip:digit", "cpu", progress=False)
        assert capsys.readouterr().err == ""

    def test_a_page_with_long_audio(self, toy: Model, capsys: pytest.CaptureFixture[str]) -> None:
        session = toy.session(**SHORT)
        session.push(np.zeros(3 * CHUNK_SAMPLES, np.float32))
        session.record.to_html()
        assert "encoding: " in capsys.readouterr().err

    def test_the_export_of_a_page_counts_its_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("onnx")
        from ai_widgets.model.onnx import check, export

        class Graph:
            def SerializeToString(self, **_: bool) -> bytes:  # noqa: N802 - the method of a protobuf
                return b""

        for name in ("tower_graph", "step_graph"):
            monkeypatch.setattr(export, name, lambda _: Graph())
        monkeypatch.setattr(export, "store_as_float16", lambda _: 1.0)
        monkeypatch.setattr(export, "compare", lambda *_: check.Differences(0.0, 0.0, 0.0))
        steps: list[int] = []
        export.export(aiw.load_model("tiny", "cpu"), lambda: steps.append(1))
        assert len(steps) == export.STEPS

    def test_the_command_run_says_what_share_is_decided(self) -> None:
        screen = io.StringIO()
        screen.isatty = lambda: True  # type: ignore[method-assign]
        transcript = Transcript(screen, total_s=1.6)
        for decision in self.decisions(2):
            transcript.show(decision)
        assert re.search(r" 50%, \d+ s left", screen.getvalue())

    def test_without_a_known_length_there_is_no_time_left(self) -> None:
        screen = io.StringIO()
        screen.isatty = lambda: True  # type: ignore[method-assign]
        transcript = Transcript(screen)
        for decision in self.decisions(2):
            transcript.show(decision)
        assert "left" not in screen.getvalue()

    def decisions(self, count: int) -> list[Decision]:
        session = aiw.load_model("tiny", "cpu").session(greedy=True)
        session.push(np.zeros(count * CHUNK_SAMPLES, np.float32))
        return session.record.of_type(Decision)


def test_short_work_shows_no_bar(toy: Model, capsys: pytest.CaptureFixture[str]) -> None:
    session = toy.session(**SHORT, seed=7)
    session.push(chunks(3))
    toy.replay(session.record)
    assert capsys.readouterr().err == ""
