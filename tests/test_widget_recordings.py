"""Recordings in the widget: saved for a page, opened from one or from Python, shown beside the session, replayed."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.inference import Model
from ai_widgets.record.record import SessionRecord
from ai_widgets.widget.files import saved_file
from ai_widgets.widget.files.saved_file import SavedFile
from ai_widgets.widget.recordings.saving import file_name
from ai_widgets.widget.wire.limits import MAX_RANGE_BYTES
from tests.page import Build, Page, settled
from tests.recorded_pages import LeftOver, stories, until
from tests.signals import babble


def ask(page: Page, request: int = 7, form: str = "aiw") -> dict[str, Any]:
    """Ask for a file and wait for the answer."""
    page.send({"type": "save", "format": form, "request": request, "page": page.name})
    return until(page, "saved", request=request)


def fetch(page: Page, saved: dict[str, Any]) -> bytes:
    """Take all parts of a saved file, as a page does, and release it."""
    whole = b""
    while len(whole) < saved["size"]:
        page.send({"type": "part", "request": saved["request"], "offset": len(whole), "page": page.name})
        part = until(page, "part", request=saved["request"], offset=len(whole))
        assert part["ok"]
        whole += base64.b64decode(part["data"]) if "data" in part else page.buffers_of("part")[-1]
    page.send({"type": "release", "request": saved["request"], "page": page.name})
    return whole


class TestSave:
    @pytest.mark.parametrize("binary", [True, False], ids=["buffers", "base64"])
    def test_a_page_gets_the_recording_in_parts_and_it_loads_as_the_same_record(
        self, heard: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_over: LeftOver, binary: bool
    ) -> None:
        monkeypatch.setattr(saved_file, "MAX_RANGE_BYTES", 10_000)
        before = left_over()
        heard.hello(binary=binary)
        saved = ask(heard)
        whole = fetch(heard, saved)
        assert (saved["problem"], saved["note"], len(whole)) == ("", "", saved["size"])
        assert len(heard.of("part")) == -(-len(whole) // 10_000)
        (tmp_path / "talk.aiw").write_bytes(whole)
        loaded, record = SessionRecord.load(tmp_path / "talk.aiw"), heard.widget.record
        assert stories(loaded) == stories(record)
        assert np.array_equal(loaded.audio, record.audio)
        del loaded
        assert left_over() == before, "the page has the file, so the kernel keeps none"

    def test_a_page_of_html_is_that_of_the_record(self, heard: Page) -> None:
        saved = ask(heard, form="html")
        assert fetch(heard, saved).decode() == str(heard.widget.record.to_html())
        assert saved["name"].endswith(".html")

    def test_in_pull_mode_parts_arrive_with_the_message_that_asks(
        self, build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setitem(sys.modules, "google.colab", sys)
        with monkeypatch.context() as patch:
            patch.setattr(Page, "until", lambda *_: None)
            page = build()
        page.widget.model  # noqa: B018
        page.hello()
        page.record(babble(1))
        assert page.widget.wait(60)
        page.send({"type": "save", "format": "aiw", "request": 7, "page": page.name})
        assert page.widget._channel.recordings.jobs.wait(60)
        assert page.of("saved") == []
        page.send({"type": "poll"})
        (tmp_path / "talk.aiw").write_bytes(fetch(page, page.of("saved")[0]))
        assert stories(SessionRecord.load(tmp_path / "talk.aiw")) == stories(page.widget.record)

    def test_a_page_may_ask_again_within_the_answer(self, heard: Page) -> None:
        def again(message: dict[str, Any]) -> None:
            if message["type"] == "saved" and message["request"] < 4:
                heard.send({"type": "save", "format": "aiw", "request": message["request"] + 1, "page": heard.name})

        heard.comm.listeners.append(again)
        heard.send({"type": "save", "format": "aiw", "request": 1, "page": heard.name})
        until(heard, "saved", request=4)
        assert [(each["request"], each["problem"]) for each in heard.of("saved")] == [(n, "") for n in (1, 2, 3, 4)]

    def test_the_name_has_model_and_date_and_no_sign_of_a_path(self, toy: Model) -> None:
        session = toy.session(seed=1)
        session.push_clip(babble(1))
        record = session.record
        date = record.header.created[:16].replace("T", "-").replace(":", "")
        for name, shown in {
            "tiny": "tiny",
            "zhifeixie/Audio Interaction": "Audio-Interaction",
            "C:\\models\\my.model": "my.model",
            "../../etc/pass\0wd": "pass-wd",
            "/": "session",
            "..": "session",
        }.items():
            record.begin(record.header)
            record._header = replace(record.header, model={"name": name})
            assert file_name(record, "aiw") == f"{shown}-{date}.aiw"

    def test_there_is_nothing_to_save_before_anything_was_heard(self, page: Page) -> None:
        assert ask(page)["problem"] == "There is nothing to save yet; record something first."

    def test_a_file_without_the_oldest_audio_says_so(self, build: Build) -> None:
        page = build(audio_seconds=0.8)
        page.hello()
        page.record(babble(3))
        settled(page)
        assert "no longer kept" in ask(page)["note"]

    def test_while_audio_arrives_the_answer_is_to_stop_first(self, page: Page) -> None:
        page.open()
        page.block(babble(1))
        assert "stop the recording first" in ask(page)["problem"]

    def test_another_page_gets_no_part_of_it(self, heard: Page) -> None:
        saved = ask(heard)
        heard.send({"type": "part", "request": saved["request"], "offset": 0, "page": "two"})
        assert until(heard, "part", page="two", ok=False)["offset"] == 0

    def test_a_file_that_no_page_took_is_gone_with_the_widget(self, heard: Page, left_over: LeftOver) -> None:
        before = left_over()
        ask(heard)
        assert left_over() != before
        heard.widget.close()
        assert left_over() == before

    def test_audio_that_arrives_meanwhile_ends_saving_with_a_sentence(
        self, heard: Page, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, go_on, save = Flag(), Flag(), SessionRecord.save

        def slow(record: SessionRecord, path: Path) -> Path:
            begun.set()
            assert go_on.wait(60)
            return save(record, path)

        monkeypatch.setattr(SessionRecord, "save", slow)
        heard.send({"type": "save", "format": "aiw", "request": 8, "page": heard.name})
        assert begun.wait(60)
        heard.send({"type": "save", "format": "aiw", "request": 9, "page": heard.name})
        assert "already saving" in until(heard, "saved", request=9)["problem"]
        heard.open()
        go_on.set()
        assert "Audio began to arrive" in until(heard, "saved", request=8)["problem"]

    @pytest.mark.parametrize("raised", [OSError(28, "No space left on device"), RuntimeError("unforeseen")])
    def test_a_file_that_cannot_be_written_is_a_sentence_and_leaves_nothing(
        self, heard: Page, monkeypatch: pytest.MonkeyPatch, raised: Exception, left_over: LeftOver
    ) -> None:
        def fail(*_: Any) -> None:
            raise raised

        before = left_over()
        monkeypatch.setattr(SessionRecord, "save", fail)
        assert str(raised) in ask(heard)["problem"]
        assert left_over() == before

    @given(st.binary(max_size=300), st.integers(1, 40), st.data())
    def test_any_file_is_the_sum_of_its_parts_and_no_part_is_longer_than_allowed(
        self, content: bytes, most: int, data: st.DataObject
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(saved_file, "MAX_RANGE_BYTES", most)
            file = SavedFile(1, "p", ".aiw")
            file.path.write_bytes(content)
            whole = b""
            while part := file.part(len(whole)):
                assert len(part) <= most
                whole += part
            offset = data.draw(st.integers(0, 400))
            assert file.part(offset) == content[offset : offset + most]
            file.remove()
            file.remove()
        assert whole == content
        assert file.part(0) is None
        assert MAX_RANGE_BYTES == 512 * 1024
