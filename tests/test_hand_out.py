"""A record as one HTML file with its model in it: ``page.to_html`` and ``ai-widgets run --html X --engine``."""

from __future__ import annotations

import gzip
import re
from base64 import b64decode
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import ai_widgets as aiw
from ai_widgets.cli import run
from ai_widgets.cli.main import main
from ai_widgets.errors import AudioError, ExportError, PageError
from ai_widgets.inference import Model, load_model
from ai_widgets.model.onnx import export as export_module
from ai_widgets.page import contents as contents_module
from ai_widgets.page import files, hand_out, single_file
from ai_widgets.page.files import BUILT, MODEL_FOLDER
from ai_widgets.policies import named
from ai_widgets.protocol import Turn
from ai_widgets.record.packed_events import encodable
from ai_widgets.record.record import SessionRecord
from ai_widgets.session.session import StreamingSession
from tests.signals import babble
from tests.test_page_site import SITE

EMBEDDED_FILE = r'<script type="text/plain" data-aiw-file="([^"]*)">([^<]*)</script>'


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A front end and an export of a few bytes; those of the browser tests are the real ones."""
    for module in (files, contents_module, hand_out):
        monkeypatch.setattr(module, "built", lambda: {name: SITE[name] for name in BUILT})
    monkeypatch.setattr(contents_module, "export", lambda *_: {"manifest.json": b"{}"})


def spoken(model: Model, **settings: object) -> SessionRecord:
    session = model.session(seed=1, max_reply_tokens=6, **settings)
    session.push_clip(babble(3))
    return session.record


def inside(path: Path) -> dict[str, bytes]:
    found = re.findall(EMBEDDED_FILE, path.read_text(encoding="utf-8"))
    return {name: gzip.decompress(b64decode(text)) for name, text in found}


class TestToHtml:
    def test_the_file_has_the_model_the_recording_and_the_replies_as_text(self, toy: Model, tmp_path: Path) -> None:
        record = spoken(toy, bias=9.0)
        assert record.count(Turn) > 0
        page = aiw.page.to_html(record, tmp_path / "talk.html", model=toy)
        found = inside(page)
        assert {f"{MODEL_FOLDER}/manifest.json", "recording.aiw"} <= set(found)
        (tmp_path / "talk.aiw").write_bytes(found["recording.aiw"])
        again = SessionRecord.load(tmp_path / "talk.aiw")
        assert again.events == record.events
        assert toy.replay(again, progress=False).reproduced
        document = page.read_text(encoding="utf-8")
        assert f"<title>Session with {toy.name}" in document
        assert f"{record.seconds:.1f} s heard" in document, "a browser without scripts shows the replies"

    def test_a_record_that_goes_on_is_written_as_it_is(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(greedy=True)
        session.push(np.zeros(6400, np.float32))
        aiw.page.to_html(session.record, tmp_path / "talk.html", model=toy)
        session.push(np.zeros(6400, np.float32))
        assert session.record.chunks_heard == 2

    def test_the_audio_as_it_arrived_is_left_out(self, toy: Model, tmp_path: Path) -> None:
        record = SessionRecord(keep=tmp_path / "kept.aiw", raw=True)
        session = StreamingSession(toy, aiw.Settings(greedy=True), record)
        session.push(np.zeros(48_000, np.float32), 48_000)
        session.finish()
        assert record.raw
        page = aiw.page.to_html(record, tmp_path / "talk.html", model=toy)
        (tmp_path / "talk.aiw").write_bytes(inside(page)["recording.aiw"])
        assert SessionRecord.load(tmp_path / "talk.aiw").raw == []

    @given(title=st.text(max_size=40))
    def test_any_title_is_text(self, title: str) -> None:
        document = contents_module._with_recording(SITE["index.html"], SessionRecord(), title).decode("utf-8")
        (shown,) = re.findall(r"<title>([^<]*)</title>", document)
        assert document.count("<main") == document.count("</main>") == 1
        assert document.count("<script") == 1
        assert unescape(shown) == encodable(title)

    def test_a_record_of_other_weights_names_the_way(self, toy: Model, tmp_path: Path) -> None:
        with pytest.raises(PageError, match=r"whose weights are not those of tiny\. Give the model that made it: page"):
            aiw.page.to_html(spoken(toy), tmp_path / "talk.html")
        with pytest.raises(PageError, match=r"Give that one"):
            aiw.page.to_html(spoken(toy), tmp_path / "talk.html", model=load_model("tiny", "cpu"))
        assert list(tmp_path.iterdir()) == []

    def test_a_policy_is_refused(self, tmp_path: Path) -> None:
        session = StreamingSession(named("energy"), aiw.Settings())
        session.push(babble(2))
        with pytest.raises(PageError, match=r"policy energy, .* record\.to_html\(path\) writes a page without"):
            aiw.page.to_html(session.record, tmp_path / "talk.html")

    def test_a_record_without_its_audio_is_refused(self, toy: Model, tmp_path: Path) -> None:
        record = SessionRecord(audio_seconds=0)
        StreamingSession(toy, aiw.Settings(greedy=True), record).push(babble(2))
        with pytest.raises(PageError, match=r"audio of chunk 0 is not kept.*nothing to run on"):
            aiw.page.to_html(record, tmp_path / "talk.html", model=toy)

    def test_a_checkpoint_that_is_too_large_is_refused(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(contents_module, "export", export_module.export)
        monkeypatch.setattr(export_module, "MOST_PARAMETERS", 1000)
        with pytest.raises(ExportError, match="million weights; a page can run at most"):
            aiw.page.to_html(spoken(toy), tmp_path / "talk.html", model=toy)

    def test_a_recording_that_makes_the_file_too_large_is_told_and_nothing_is_written(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(single_file, "MOST_BYTES", 5_000)
        with pytest.raises(PageError, match=r"with this recording of .* Write a folder"):
            aiw.page.to_html(spoken(toy), tmp_path / "talk.html", model=toy)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_is_refused_before_the_model_is_loaded(self, toy: Model, tmp_path: Path) -> None:
        with pytest.raises(PageError, match="is a folder"):
            aiw.page.to_html(spoken(toy), tmp_path)


class TestCommand:
    @pytest.fixture
    def wav(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.wav"
        soundfile.write(path, babble(2), 16_000)
        return path

    def test_a_run_writes_a_page_that_can_be_run_on(
        self, toy_folder: Path, wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        page = tmp_path / "talk.html"
        line = ["run", str(wav), "--checkpoint", str(toy_folder), "--device", "cpu", "--html", str(page), "--engine"]
        assert main(line) == 0
        assert "recording.aiw" in inside(page)
        assert "can be run on in a browser" in capsys.readouterr().err

    def test_a_run_that_fails_on_the_way_still_writes_what_was_heard(
        self, toy_folder: Path, wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(session: object, *args: object, **options: object) -> object:
            yield from answer(session, *args, **options)
            raise AudioError("The second file cannot be read.")

        answer = run.answer_files
        monkeypatch.setattr(run, "answer_files", failing)
        page = tmp_path / "talk.html"
        line = ["run", str(wav), "--checkpoint", str(toy_folder), "--device", "cpu", "--html", str(page), "--engine"]
        assert main(line) == 2
        assert "recording.aiw" in inside(page)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ([], "give its name: --html talk.html --engine"),
            (["--html", "talk.html", "--policy", "energy"], "--engine cannot be given with --policy"),
            (["--separate", "--json", "-"], "give its name: --html talk.html --engine"),
        ],
    )
    def test_options_that_do_not_go_together_are_told_before_a_model_is_loaded(
        self,
        wav: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        options: list[str],
        sentence: str,
    ) -> None:
        monkeypatch.setattr(run, "load_model", lambda *_, **__: pytest.fail("a model was loaded"))
        assert main(["run", str(wav), "--engine", *options]) == 2
        assert sentence in capsys.readouterr().err

    def test_a_checkpoint_that_is_too_large_is_told_before_it_hears(
        self,
        toy_folder: Path,
        wav: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(export_module, "MOST_PARAMETERS", 1000)
        page = tmp_path / "talk.html"
        line = ["run", str(wav), "--checkpoint", str(toy_folder), "--device", "cpu", "--html", str(page), "--engine"]
        assert main(line) == 2
        assert "a page can run at most" in capsys.readouterr().err
        assert not page.exists()
