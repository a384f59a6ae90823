"""What `ai-widgets run` refuses, and how it says so."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ai_widgets.errors import AudioError
from ai_widgets.inference import run_inference
from tests.running import exit_code, refused


class TestBounds:
    def test_a_file_that_is_too_long_is_refused_before_the_model_is_loaded(self, run: Any, wav: Path) -> None:
        refused(run(wav, "--longest", 3), "6 seconds", "--longest 6")
        assert run(wav, "--longest", 0).code == 0
        assert run(wav, "--longest", 6).code == 0

    @pytest.mark.parametrize("longest", ["-1", "nan", "long"])
    def test_a_bad_bound(self, run: Any, wav: Path, longest: str) -> None:
        refused(run(wav, "--longest", longest), "longest")

    def test_python_checks_files_before_it_loads_the_model(self, wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ai_widgets.inference.load_model", lambda *_, **__: pytest.fail("the model was loaded"))
        with pytest.raises(AudioError, match="There is no audio file"):
            run_inference("tiny", [wav, wav.with_name("gone.wav")])


class TestBadInput:
    def test_no_such_file(self, run: Any, tmp_path: Path) -> None:
        refused(run(tmp_path / "gone.wav"), "There is no audio file", "gone.wav")

    @pytest.mark.parametrize("content", [b"", b"not audio", b"RIFF\x24\x00\x00\x00WAVEfmt "])
    def test_not_audio(self, run: Any, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "a.wav").write_bytes(content)
        refused(run(tmp_path / "a.wav"), "cannot be read as audio")

    def test_no_samples(self, run: Any, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
        refused(run(tmp_path / "a.wav"), "holds no audio samples")

    def test_a_folder_without_audio(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        refused(run(tmp_path / "empty"), "contains no audio files")

    def test_a_bad_file_among_good_ones_costs_nothing(self, run: Any, wav: Path, tmp_path: Path) -> None:
        refused(run(wav, tmp_path / "gone.wav"), "gone.wav")

    @pytest.mark.parametrize(
        "words",
        [
            ("--temperature", "0"),
            ("--temperature", "-1"),
            ("--temperature", "nan"),
            ("--temperature", "warm"),
            ("--top-k", "-1"),
            ("--top-k", "2.5"),
            ("--top-p", "1.5"),
            ("--seed", "-1"),
            ("--seed", "x"),
            ("--bias", "nan"),
            ("--context", "slippery"),
            ("--context-limit", "3"),
            ("--floor", "attic"),
            ("--tail-silence", "-1"),
            ("--tail-silence", "1e9"),
            ("--tail-silence", "nan"),
            ("--max-new-tokens", "0"),
            ("--device", "abacus"),
            ("--device", "cuda:99"),
            ("--dtype", "float7"),
            ("--greedy", "--temperature", "1"),
            ("--unheard-of",),
        ],
        ids=" ".join,
    )
    def test_a_bad_option(self, run: Any, wav: Path, words: tuple[str, ...]) -> None:
        refused(run(wav, *words))

    def test_names_with_line_breaks_still_give_one_line(self, run: Any, wav: Path, tmp_path: Path) -> None:
        refused(run(tmp_path / "a\nb\x1b[2J.wav"), "There is no audio file")
        refused(run(wav, "--unheard\nof"))

    def test_no_file_at_all(self, run: Any) -> None:
        refused(run())

    @pytest.mark.parametrize("words", [[], ["sing"], ["runn"]])
    def test_no_such_command(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert exit_code(words) == 2
        assert capsys.readouterr().err.count("\n") == 1

    @pytest.mark.parametrize("name", ["gone", "a/b/c", "./gone"])
    def test_an_unknown_checkpoint(self, run: Any, wav: Path, name: str) -> None:
        refused(run(wav, checkpoint=name), "There is no checkpoint", name)

    def test_a_folder_that_is_no_checkpoint(self, run: Any, wav: Path, tmp_path: Path) -> None:
        refused(run(wav, checkpoint=tmp_path), "is not a checkpoint")

    @pytest.mark.parametrize(
        "name",
        [
            "model_config.yaml",
            "tokenizer.json",
            "audio_interaction.json",
            "model-00001-of-00002.safetensors",
            "audiointeraction_ChunkwisedEncoder.pth",
            "qwen25OmniConfig/config.json",
        ],
    )
    @pytest.mark.parametrize("content", [b"", b"a: [\nb: {\n", b"\x80\x04\x95 not a pickle\n\n"])
    def test_a_broken_checkpoint(
        self, run: Any, wav: Path, toy_folder: Path, tmp_path: Path, name: str, content: bytes
    ) -> None:
        folder = Path(shutil.copytree(toy_folder, tmp_path / "broken"))
        (folder / name).write_bytes(content)
        refused(run(wav, checkpoint=folder), name.rpartition("/")[2])

    def test_an_output_that_cannot_be_written(
        self, wav: Path, toy_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = str(tmp_path / "no" / "such" / "out.jsonl")
        assert exit_code(["run", str(wav), "--checkpoint", str(toy_folder), "--json", out]) == 2
        assert capsys.readouterr().err.count("\n") == 1
