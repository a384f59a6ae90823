"""`ai-widgets run` on a toy checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ai_widgets.cli.main import main
from tests.signals import babble


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str
    lines: list[dict[str, Any]]


@pytest.fixture
def run(toy_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`ai-widgets run WORDS… --json`, on the toy unless said otherwise."""

    def call(*words: object, checkpoint: object = toy_folder) -> Result:
        out = tmp_path / "out.jsonl"
        options = ["--checkpoint", str(checkpoint), "--device", "cpu", "--json", str(out)]
        arguments = ["run", *options, *map(str, words)]
        code = exit_code(arguments)
        said = capsys.readouterr()
        text = out.read_text(encoding="utf-8") if out.exists() else ""
        return Result(code, said.out, said.err, [json.loads(line) for line in text.splitlines()])

    return call


def exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, babble(6), 16_000)
    return path


def refused(result: Result, *words: str) -> None:
    """Exit code 2, exactly one line on standard error, nothing written."""
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert result.err.endswith("\n")
    assert result.err.startswith("ai-widgets")
    for word in words:
        assert word in result.err
    assert result.lines == []
