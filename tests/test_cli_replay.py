"""``ai-widgets replay``: exit code 0 for reproduced, 1 with the first difference, 2 for what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_widgets.cli.main import main
from ai_widgets.inference import Model
from tests.test_fork import SHORT, chunks


@pytest.fixture
def recording(toy: Model, tmp_path: Path) -> Path:
    session = toy.session(**SHORT, seed=7, temperature=2.0)
    session.push(chunks(5))
    return session.record.save(tmp_path / "talk.aiw")


def test_reproduced_with_the_checkpoint_that_the_recording_names(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(recording), "--device", "cpu"]) == 0
    assert f"{recording}: reproduced: " in capsys.readouterr().out


def test_the_first_difference_with_another_checkpoint(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["replay", str(recording), "--checkpoint", "tiny", "--device", "cpu"])
    told = capsys.readouterr()
    assert code == 1, told
    assert "not reproduced: chunk 0, decision, " in told.out


def test_what_cannot_be_read(tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "song.aiw").write_bytes(b"RIFF is no recording")
    for arguments in (["none.aiw"], [str(tmp_path / "song.aiw")], [str(recording), "--tolerance", "-1"]):
        assert main(["replay", *arguments]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1


def test_a_recording_without_its_audio(toy: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ai_widgets.record.record import SessionRecord

    session = toy.session(SessionRecord(audio_seconds=0.4), **SHORT)
    session.push(chunks(3))
    path = session.record.save(tmp_path / "short.aiw")
    assert main(["replay", str(path), "--device", "cpu"]) == 2
    assert "audio of chunk 0 is not kept" in capsys.readouterr().err
