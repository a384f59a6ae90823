"""`ai-widgets run`: its JSON lines are a contract; bad input is exit code 2 and one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import ai_widgets
from ai_widgets.audio.folders import expand_paths
from ai_widgets.cli import run as run_module
from ai_widgets.cli.main import main
from ai_widgets.errors import AudioError, AudioWarning
from ai_widgets.inference import Model, run_inference
from ai_widgets.policies import Energy
from ai_widgets.protocol import Decision, Event, Notice, Token, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.session.session import StreamingSession
from tests.encoded_sounds import encode
from tests.running import exit_code, refused
from tests.scripted import scripted
from tests.signals import babble

DECISION = {
    *("type", "chunk", "clip", "start_s", "token", "choice"),
    *("p_keep", "p_text", "p_other", "logit_keep", "logit_text"),
}
TOKEN = {"type", "turn", "token", "p", "text"}
TURN = {"type", "turn", "chunk", "clip", "emotion", "text", "tokens", "ended"}


class TestContract:
    def test_the_lines_hold_what_is_promised(self, run: Any, wav: Path) -> None:
        result = run(wav, wav, "--seed", 1)
        assert result.code == 0
        kinds = {line["type"] for line in result.lines}
        assert {"decision", "token", "turn", "summary"} <= kinds
        for line in result.lines:
            needed = {"decision": DECISION, "token": TOKEN, "turn": TURN}.get(line["type"], {"type"})
            assert needed <= line.keys()
        decisions = [line for line in result.lines if line["type"] == "decision"]
        assert [line["chunk"] for line in decisions] == list(range(36))
        assert [line["clip"] for line in decisions] == [0] * 18 + [1] * 18
        assert {line["choice"] for line in decisions} == {"KEEP_SILENCE", "TEXT_BEGIN"}

    def test_a_turns_tokens_are_its_token_lines(self, run: Any, wav: Path) -> None:
        lines = run(wav, "--seed", 1).lines
        turns = [line for line in lines if line["type"] == "turn"]
        assert turns
        for turn in turns:
            tokens = [line for line in lines if line["type"] == "token" and line["turn"] == turn["turn"]]
            assert [line["token"] for line in tokens] == turn["tokens"]
            assert turn["text"].startswith("".join(line["text"] for line in tokens))
            assert turn["ended"] in ("TEXT_END", "limit")
            assert turn["emotion"] in (None, "happy", "sad", "angry", "surprise", "normal", "urgent")

    def test_the_summary_is_last(self, run: Any, wav: Path) -> None:
        lines = run(wav, "--tail-silence", 0.4).lines
        assert [line["type"] for line in lines].count("summary") == 1
        summary = lines[-1]
        assert (summary["type"], summary["clips"], summary["chunks"], summary["decisions"]) == ("summary", 1, 16, 16)
        assert summary["audio_s"] == pytest.approx(6.4)
        assert summary["replies"] == sum(line["type"] == "turn" for line in lines)
        assert summary["tokens"] == sum(line["type"] == "token" for line in lines)
        assert (summary["device"], summary["dtype"]) == ("cpu", "float32")
        assert summary["settings"]["context"] == "slide"

    def test_the_events_are_those_of_the_python_call(self, run: Any, wav: Path, toy_folder: Path) -> None:
        record = run_inference(toy_folder, [wav], "cpu")
        written = [event.to_json() for event in record.events if isinstance(event, (Decision, Token, Turn, Notice))]
        lines = run(wav, "--greedy", "--context", "stop").lines
        assert lines[:-1] == json.loads(json.dumps(written))

    def test_the_same_command_gives_the_same_lines(self, run: Any, wav: Path) -> None:
        words = (wav, "--temperature", 2, "--top-k", 0, "--top-p", 0.9, "--seed", 5, "--max-new-tokens", 60)
        assert run(*words).lines[:-1] == run(*words).lines[:-1]

    def test_json_to_standard_output_is_alone_there(
        self, wav: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["run", str(wav), "--checkpoint", str(toy_folder), "--device", "cpu", "--json", "-"]) == 0
        said = capsys.readouterr()
        assert json.loads(said.out.splitlines()[-1])["type"] == "summary"
        assert all(json.loads(line) for line in said.out.splitlines())
        assert "decisions" in said.err

    def test_options_reach_the_session(self, run: Any, wav: Path) -> None:
        words = ["--bias", "-2", "--no-mask", "--system-prompt", "Hi.", "--context-limit", "400", "--top-k", "2"]
        settings = run(wav, *words, "--greedy").lines[-1]["settings"]
        assert settings["greedy"] is True
        assert (settings["bias"], settings["mask"], settings["system_prompt"]) == (-2.0, False, "Hi.")
        assert (settings["context_limit"], settings["top_k"]) == (400, 2)

    def test_floors_differ(self, run: Any, tmp_path: Path) -> None:
        path = tmp_path / "b.wav"
        soundfile.write(path, np.concatenate([babble(0.4) * 1e-3, babble(2)]), 16_000, subtype="FLOAT")
        clip, running = (run(path, "--greedy", "--floor", floor).lines[0] for floor in ("clip", "running"))
        assert clip["logit_keep"] != running["logit_keep"]


class TestPolicy:
    def run(self, wav: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
        code = exit_code(["run", str(wav), "--policy", "energy", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    def test_a_policy_answers_files_as_its_session_does(
        self, wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out.jsonl"
        code, said = self.run(wav, capsys, "--json", str(out))
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        session = Energy().session()
        session.play(wav)
        expected = [decision.to_json() for decision in session.record.of_type(Decision)]
        assert [line for line in lines if line["type"] == "decision"] == expected
        assert code == 0
        assert said.startswith("energy baseline · threshold 12.0")
        assert [line[-20:] for line in said.splitlines() if "0:" in line] == ["  I heard you speak."] * lines[-1][
            "replies"
        ]
        summary = lines[-1]
        assert (summary["checkpoint"], summary["device"], summary["dtype"]) == ("energy", None, None)

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["--temperature", "0.3"], "temperature does not apply to the policy energy"),
            (["--dtype", "bfloat16", "--revision", "x"], "--revision, --dtype cannot be given with --policy"),
            (["--checkpoint", "folder"], "not allowed with argument --policy"),
        ],
    )
    def test_an_option_of_a_model_is_refused(
        self, wav: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
    ) -> None:
        code, said = self.run(wav, capsys, *words)
        assert code == 2
        assert sentence in said


class TestSave:
    def test_the_recording_is_that_of_the_run(self, run: Any, wav: Path, tmp_path: Path) -> None:
        done = run(wav, "--seed", "3", "--save", tmp_path / "talk.aiw")
        record = SessionRecord.load(tmp_path / "talk.aiw")
        assert done.code == 0
        assert [turn.text for turn in record.of_type(Turn)] == [
            line["text"] for line in done.lines if line["type"] == "turn"
        ]
        assert record.header.settings["seed"] == 3
        assert record.seconds == pytest.approx(done.lines[-1]["audio_s"])
        assert len(record.audio) == record.chunks_heard * 6_400
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

    def test_an_existing_file_is_refused_before_the_model_is_loaded(self, run: Any, wav: Path, tmp_path: Path) -> None:
        (tmp_path / "talk.aiw").write_text("precious")
        done = run(wav, "--save", tmp_path / "talk.aiw", checkpoint="/no/such/checkpoint")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "talk.aiw exists already" in done.err
        assert (tmp_path / "talk.aiw").read_text() == "precious"

    @pytest.mark.parametrize("name", ["talk.wav", "no/talk.aiw"])
    def test_another_name_is_refused(self, run: Any, wav: Path, tmp_path: Path, name: str) -> None:
        done = run(wav, "--save", tmp_path / name)
        assert (done.code, done.err.count("\n")) == (2, 1)

    def test_what_was_heard_before_an_error_is_saved(
        self, run: Any, wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(session: StreamingSession, *_: object, **__: object) -> Iterator[Event]:
            yield from session.push(babble(2))
            raise AudioError("The file broke.")

        monkeypatch.setattr(run_module, "answer_files", broken)
        assert run(wav, "--save", tmp_path / "talk.aiw").code == 2
        assert SessionRecord.load(tmp_path / "talk.aiw").seconds == pytest.approx(2.0)


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "clips"
        folder.mkdir()
        for name, seconds in (("b.wav", 0.4), ("a.FLAC", 0.8), ("c.ogg", 1.2)):
            soundfile.write(folder / name, babble(seconds), 16_000)
        (folder / "notes.txt").write_text("not audio")
        return folder

    def test_in_name_order(self, folder: Path) -> None:
        with pytest.warns(
            AudioWarning, match=r"^Skipped in .*: notes\.txt \(\.txt is not the suffix of an audio file\)\.$"
        ):
            assert [path.name for path in expand_paths([folder])] == ["a.FLAC", "b.wav", "c.ogg"]

    def test_what_is_left_out_is_said(self, run: Any, folder: Path) -> None:
        (folder / "more.wav").mkdir()
        (folder / "._a.wav").write_bytes(b"what macOS leaves on other disks")
        result = run(folder, "--tail-silence", 0)
        assert result.code == 0
        (said,) = [line for line in result.out.splitlines() if line.startswith("Skipped")]
        assert "._a.wav (hidden), more.wav (a folder), notes.txt (.txt is not the suffix of an audio file)." in said

    def test_recordings_of_telephones_are_audio(self, run: Any, tmp_path: Path) -> None:
        """A folder of them held "no audio" for one command and was refused by another."""
        phone = tmp_path / "phone"
        phone.mkdir()
        for name in ("a.m4a", "a.webm"):
            (phone / name).write_bytes(encode(tmp_path / name).read_bytes())
        assert [path.name for path in expand_paths([phone])] == ["a.m4a", "a.webm"]
        assert run(phone, "--tail-silence", 0).lines[-1]["clips"] == 2

    def test_one_list_of_suffixes(self) -> None:
        """What names a sound file is written down once."""
        package = Path(str(ai_widgets.__file__)).parent
        lists = [path.name for path in package.rglob("*.py") if '".flac"' in path.read_text(encoding="utf-8")]
        assert lists == ["files.py"]

    def test_as_sequence_json_says(self, run: Any, folder: Path) -> None:
        (folder / "sequence.json").write_text(json.dumps(["c.ogg", "b.wav", "c.ogg"]))
        assert [path.name for path in expand_paths([folder])] == ["c.ogg", "b.wav", "c.ogg"]
        result = run(folder, "--tail-silence", 0)
        clips = [line["clip"] for line in result.lines if line["type"] == "decision"]
        assert clips == [0, 0, 0, 1, 2, 2, 2]

    def test_files_and_folders_mix(self, folder: Path) -> None:
        with pytest.warns(AudioWarning):
            paths = expand_paths([folder / "b.wav", str(folder)])
        assert [path.name for path in paths] == ["b.wav", "a.FLAC", "b.wav", "c.ogg"]

    @pytest.mark.parametrize("content", ["{", "{}", "[]", "[1]", '"a.wav"', "null", '["gone.wav"]', '["notes.txt"]'])
    def test_a_bad_sequence(self, run: Any, folder: Path, content: str) -> None:
        (folder / "sequence.json").write_text(content)
        refused(run(folder))

    def test_an_unreadable_sequence(self, run: Any, folder: Path) -> None:
        (folder / "sequence.json").write_bytes(b"\xff\xfe\x00")
        refused(run(folder), "sequence.json")


class TestScreen:
    @pytest.fixture
    def says(self, toy: Model, wav: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
        """What the screen shows of a scripted reply."""

        def show(reply: bytes, decisions: str = "T", **others: Any) -> str:
            model, _ = scripted(toy, decisions, [list(reply)], **others)
            monkeypatch.setattr("ai_widgets.cli.run.load_model", lambda *_, **__: model)
            assert main(["run", str(wav), "--no-mask"]) == 0
            return capsys.readouterr().out

        return show

    def test_replies_are_readable(self, says: Any) -> None:
        shown = says(b"hello there")
        assert "0:00.4  hello there\n" in shown
        assert "18 decisions, 1 reply" in shown

    @pytest.mark.parametrize("evil", [b"a\x1b[2Jb", b"a\x07b", b"a\rb", b"a\x00b", "a\u202eb".encode(), b"a\x9bb"])
    def test_control_characters_of_the_model_do_not_reach_the_terminal(self, says: Any, evil: bytes) -> None:
        shown = says(evil)
        assert not {c for c in shown if not c.isprintable()} - {"\n"}

    def test_nor_those_of_a_violation(self, says: Any) -> None:
        shown = says(b"", "x", x=0x1B)
        assert "where it must decide" in shown
        assert "\x1b" not in shown

    def test_an_empty_reply_is_said(self, says: Any) -> None:
        assert "(empty reply)" in says(b"")

    def test_a_file_name_cannot_act_on_the_terminal(self, run: Any, tmp_path: Path) -> None:
        path = tmp_path / "a\x1b[2J.wav"
        soundfile.write(str(path), babble(0.4), 16_000)
        result = run(path)
        assert result.code == 0
        assert "\x1b" not in result.out
