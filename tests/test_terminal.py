"""The command line where standard output is not what it hopes for: its encoding, its end, its absence."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ai_widgets.cli.bench import speed as bench
from ai_widgets.cli.main import main
from ai_widgets.cli.screen import Transcript
from ai_widgets.errors import ChildError
from ai_widgets.inference import Model
from ai_widgets.protocol import Notice, Token, Turn
from ai_widgets.training.child_process import last_words, output_of
from tests.scripted import scripted
from tests.signals import babble


class Terminal(io.TextIOWrapper):
    """Standard output of some encoding, as Python opens it for a redirection: what it cannot encode is an error."""

    def __init__(self, encoding: str, raw: io.RawIOBase | None = None) -> None:
        self.raw = io.BytesIO() if raw is None else raw
        super().__init__(self.raw, encoding=encoding, errors="strict", write_through=True)  # type: ignore[arg-type]

    @property
    def text(self) -> str:
        self.flush()
        return self.raw.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "grün.wav", babble(3), 16_000)
    return tmp_path / "grün.wav"


@pytest.fixture
def chinese(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that answers in Chinese."""
    model, _ = scripted(toy, "T", [list("你好 – ça va?".encode())])
    monkeypatch.setattr("ai_widgets.cli.run.load_model", lambda *_, **__: model)


ENCODINGS = ["ascii", "cp1252", "latin-1", "shift_jis"]


@pytest.mark.usefixtures("chinese")
class TestEncodings:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_run_degrades(self, wav: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        screen = Terminal(encoding)
        monkeypatch.setattr(sys, "stdout", screen)
        assert main(["run", str(wav), "--no-mask"]) == 0
        assert "1 reply" in screen.text
        assert "va?" in screen.text
        assert "real time" in screen.text

    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_json_on_standard_output_stays_whole(
        self, wav: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
    ) -> None:
        screen = Terminal(encoding)
        monkeypatch.setattr(sys, "stdout", screen)
        assert main(["run", str(wav), "--no-mask", "--json", "-"]) == 0
        lines = [json.loads(line) for line in screen.text.splitlines()]
        assert [line["text"] for line in lines if line["type"] == "turn"] == ["你好 – ça va?"]

    def test_a_terminal_that_shows_everything_gets_everything(self, wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = Terminal("utf-8")
        monkeypatch.setattr(sys, "stdout", screen)
        assert main(["run", str(wav), "--no-mask"]) == 0
        assert "── " in screen.text
        assert "你好 – ça va?" in screen.text

    def test_without_any_standard_output(self, wav: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(sys, "stdout", None)
        out = tmp_path / "out.jsonl"
        assert main(["run", str(wav), "--no-mask", "--json", str(out)]) == 0
        assert "你好" in out.read_text(encoding="utf-8")
        assert b"\r" not in out.read_bytes()
        assert main(["run", str(wav), "--json", "-"]) == 2

    def test_a_reader_that_leaves_is_no_error(
        self, wav: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        class Left(io.BytesIO):
            def write(self, _: Any) -> int:
                raise BrokenPipeError

        monkeypatch.setattr(sys, "stdout", Terminal("utf-8", Left()))
        monkeypatch.setattr("ai_widgets.cli.main.leave_quietly", lambda: None)
        assert main(["run", str(wav), "--no-mask"]) == 0
        assert "Traceback" not in capsys.readouterr().err


class TestWords:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["run", "nicht da – 你好.wav"], 2),
            (["run", "a.wav", "--bias", "ü"], 2),
            (["evaluate", "--help"], 0),
            (["train", "--help"], 0),
            (["bench", "--help"], 0),
            (["run", "--help"], 0),
        ],
        ids=lambda value: value[1][:6] if isinstance(value, list) else str(value),
    )
    def test_words_of_every_command_keep_the_exit_code(
        self, monkeypatch: pytest.MonkeyPatch, encoding: str, words: list[str], code: int
    ) -> None:
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, Terminal(encoding))
        try:
            found = main(words)
        except SystemExit as left:
            found = int(left.code or 0)
        assert found == code

    @pytest.mark.skipif(sys.platform != "linux", reason="names that are no text exist on Linux")
    def test_a_name_that_is_no_text(self, toy_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")
        soundfile.write(tmp_path / "a.wav", babble(1), 16_000)
        data = (tmp_path / "a.wav").read_bytes()
        Path(path).write_bytes(data[: len(data) // 2])
        out = tmp_path / "out.jsonl"
        arguments = ["run", path, "--checkpoint", str(toy_folder), "--device", "cpu", "--json", str(out)]
        assert main(arguments) == 0
        assert "\ufffd.wav" in capsys.readouterr().out
        assert [json.loads(line)["kind"] for line in out.read_text().splitlines() if '"notice"' in line] == ["cut"]


class TestChildren:
    """A program that fails says why in its own words, in one sentence."""

    def test_bench_of_a_checkpoint_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["bench", "--checkpoint", "gone"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "There is no checkpoint" in said
        assert "Error:" not in said

    def test_a_child_that_says_nothing(self) -> None:
        with pytest.raises(ChildError, match=r"^Asking failed: it printed no error message\.$"):
            output_of([sys.executable, "-c", "raise SystemExit(3)"], "Asking")

    def test_a_child_that_is_not_installed(self) -> None:
        with pytest.raises(ChildError, match=r"^Asking failed: no-such-program cannot be run"):
            output_of(["no-such-program"], "Asking")

    def test_a_child_that_takes_too_long(self) -> None:
        with pytest.raises(ChildError, match=r"did not finish within 0\.2 s"):
            output_of([sys.executable, "-c", "import time; time.sleep(60)"], "Asking", timeout=0.2)

    def test_the_widget_made_no_decision(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bench, "output_of", lambda *_: b"[0.5, 0]\n")
        with pytest.raises(ChildError, match="made 0 decisions"):
            bench.first_decision_seconds("tiny")

    @pytest.mark.parametrize(
        ("stderr", "words"),
        [
            (b"Traceback\n  ...\nai_widgets.errors.AudioError: It is no sound.\n\n", "It is no sound."),
            (b"KeyError: 'x'", "'x'."),
            (b"\xff went wrong\x1b[2J", "\ufffd went wrong\ufffd[2J."),
        ],
    )
    def test_last_words(self, stderr: bytes, words: str) -> None:
        assert last_words(stderr) == words


class TestTranscript:
    def show(self, *events: Any, live: bool = False) -> str:
        screen = io.StringIO()
        screen.isatty = lambda: live  # type: ignore[method-assign]
        transcript = Transcript(screen)
        for event in events:
            transcript.show(event)
        transcript.end({"audio_s": 600.0, "decisions": 1500, "replies": 1, "elapsed_s": 6.0})
        return screen.getvalue()

    def token(self, index: int, text: str) -> Token:
        return Token(3, 0, index, 65, 0.5, text, 0.5, None, 65, 50)

    def turn(self) -> Turn:
        return Turn(3, 0, 0, 1.2, None, "hello there", (1, 2), "TEXT_END")

    def test_slides_are_counted_and_never_cut_a_reply(self) -> None:
        slide = Notice(3, "context_slide", "The context slid.", {})
        shown = self.show(slide, self.token(0, "hello"), slide, self.token(1, " there"), slide, self.turn(), slide)
        assert shown.splitlines() == [
            "0:01.6  hello there",
            "600.0 s heard, 1,500 decisions, 1 reply, the context slid 4 times, 100× real time",
        ]

    def test_other_notices_wait_for_the_end_of_the_reply(self) -> None:
        limit = Notice(3, "limit", "The reply is long.", {})
        shown = self.show(self.token(0, "hello"), limit, self.token(1, " there"), self.turn())
        assert shown.splitlines()[:2] == ["0:01.6  hello there", "0:01.2  ! The reply is long."]

    def test_progress_is_for_terminals(self) -> None:
        for live in (False, True):
            screen = io.StringIO()
            screen.isatty = lambda live=live: live  # type: ignore[method-assign, misc]
            transcript = Transcript(screen)
            transcript.clip("a.wav")
            transcript.progress(30.0, 120.0)
            assert ("measuring the file  25%" in screen.getvalue()) == live
            assert ("s left" in screen.getvalue()) == live


def test_ten_minutes_print_replies_and_one_line_about_the_context(
    toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """128 of 180 lines were notices of the context, and one cut a reply in two."""
    decisions = ("." * 99 + "T") * 15
    model, _ = scripted(toy, decisions, [list(b"hello")] * 15)
    monkeypatch.setattr("ai_widgets.cli.run.load_model", lambda *_, **__: model)
    noise = (np.random.default_rng(0).standard_normal(600 * 16_000) * 1_000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", noise, 16_000)
    out = tmp_path / "out.jsonl"
    words = ["run", str(tmp_path / "a.wav"), "--no-mask", "--context-limit", "400", "--json", str(out)]
    assert main([*words, "--floor", "running"]) == 0
    head, name, *replies, summary = capsys.readouterr().out.splitlines()
    assert " on " in head
    assert name.endswith("a.wav")
    assert {line.split("  ")[1] for line in replies} == {"hello"}
    assert len(replies) == 15
    assert "the context slid" in summary
    notices = [json.loads(line) for line in out.read_text().splitlines() if '"notice"' in line]
    slides = sum(notice["kind"] == "context_slide" for notice in notices)
    assert f"the context slid {slides} times" in summary
    assert slides > 20
