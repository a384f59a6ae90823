"""``ai-widgets run --html`` writes the page of a run."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
import soundfile

from ai_widgets.cli.main import main
from ai_widgets.errors import AudioError

from .signals import babble
from .test_html import Elements, header_of


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, babble(2), 16_000)
    return path


def test_a_run_writes_a_page_with_its_audio(toy_folder: Path, wav: Path, tmp_path: Path) -> None:
    page = tmp_path / "talk.html"
    assert main(["run", str(wav), "--checkpoint", str(toy_folder), "--device", "cpu", "--html", str(page)]) == 0
    scripts = Elements(page.read_text(encoding="utf-8")).scripts
    assert scripts["aiw-audio"]
    assert scripts["aiw-events"]


def test_a_run_that_fails_on_the_way_still_writes_what_was_heard(
    toy_folder: Path, wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "talk.html"
    from ai_widgets.cli import run

    def failing(session: object, *args: object, **options: object) -> object:
        yield from answer(session, *args, **options)
        raise AudioError("The second file cannot be read.")

    answer = run.answer_files
    monkeypatch.setattr(run, "answer_files", failing)
    assert main(["run", str(wav), "--checkpoint", str(toy_folder), "--device", "cpu", "--html", str(page)]) == 2
    assert header_of(page.read_text(encoding="utf-8"))["seconds"] > 2


def test_a_folder_that_is_missing_is_told_before_the_model_is_loaded(
    wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "missing" / "talk.html"
    assert main(["run", str(wav), "--checkpoint", "no-such-checkpoint", "--html", str(page)]) == 2
    assert "Name a file in an existing folder" in capsys.readouterr().err


def test_a_recording_is_shown_in_the_browser(
    toy_folder: Path, wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "talk.aiw"
    options = ["--checkpoint", str(toy_folder), "--device", "cpu", "--save", str(recording)]
    assert main(["run", str(wav), *options]) == 0
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert main(["show", str(recording)]) == 0
    (address,) = opened
    page = Path(url2pathname(urlsplit(address).path))
    header = header_of(page.read_text(encoding="utf-8"))
    assert header["title"] == "talk"
    # The page says of the session what the recording does.
    assert "seed" in header["settings"]
    assert header["tokens"]["TEXT_BEGIN"] >= 0
    assert header["prefix"]
    assert str(page) in capsys.readouterr().out


def test_what_is_no_recording_is_told(wav: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(wav)]) == 2
    assert "recording" in capsys.readouterr().err
