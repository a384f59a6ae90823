"""Recordings in the widget: saved for a page, opened from one or from Python, shown beside the session, replayed."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import RecordWarning, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Decision, Event, Notice, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.session import replay as replaying
from ai_widgets.widget.files import saved_file
from ai_widgets.widget.files.saved_file import SavedFile
from ai_widgets.widget.recordings import recordings
from ai_widgets.widget.recordings.saving import file_name
from ai_widgets.widget.wire import outbox
from ai_widgets.widget.wire.limits import MAX_RANGE_BYTES
from tests.held_files import HeldFile
from tests.page import Build, Page, settled
from tests.signals import babble

OLD = Path(__file__).parent / "fixtures" / "record_0_2.aiw"


class HeldRecording(HeldFile):
    """A recording that a page holds."""

    def load(self, size: int | None = None) -> None:
        size = len(self.data) if size is None else size
        self.page.send({"type": "load", "stream": self.stream, "name": self.name, "size": size, "page": self.page.name})


Hold = Callable[..., HeldRecording]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Give a page a recording."""
    held: list[HeldRecording] = []

    def make(page: Page, data: bytes, name: str = "talk.aiw", **options: Any) -> HeldRecording:
        held.append(HeldRecording(page, data, name, **options))
        return held[-1]

    yield make
    for each in held:
        each.close()


@pytest.fixture(scope="module")
def talk(toy: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the toy."""
    session = toy.session(seed=1, max_reply_tokens=10)
    session.push_clip(babble(4))
    return session.record.save(tmp_path_factory.mktemp("talk") / "talk.aiw")


@pytest.fixture
def heard(page: Page) -> Page:
    """A page whose widget has heard something."""
    page.record(babble(3))
    settled(page)
    return page


def until(page: Page, kind: str, /, **fields: Any) -> dict[str, Any]:
    """The newest message of a type, once it has these fields."""

    def is_it() -> bool:
        return bool(page.of(kind)) and {**page.of(kind)[-1], **fields} == page.of(kind)[-1]

    page.until(is_it)
    return page.of(kind)[-1]


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


def stories(record: SessionRecord) -> list[dict[str, Any]]:
    return [event.to_json() for event in record.events]


def left_over() -> set[Path]:
    return set(Path(gettempdir()).glob("ai_widgets-*"))


class TestSave:
    @pytest.mark.parametrize("binary", [True, False], ids=["buffers", "base64"])
    def test_a_page_gets_the_recording_in_parts_and_it_loads_as_the_same_record(
        self, heard: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: bool
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

    def test_a_file_that_no_page_took_is_gone_with_the_widget(self, heard: Page) -> None:
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
        self, heard: Page, monkeypatch: pytest.MonkeyPatch, raised: Exception
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


class TestOpen:
    def test_a_recording_of_the_page_is_shown_with_its_events_and_audio(
        self, heard: Page, hold: Hold, talk: Path
    ) -> None:
        before = left_over()
        own = stories(heard.widget.record)
        hold(heard, talk.read_bytes()).load()
        shown = until(heard, "recording", state="shown")
        record = SessionRecord.load(talk)
        expected = list(record.events)
        heard.until(lambda: heard.events() == expected)
        assert (shown["name"], shown["facts"][0]) == ("talk.aiw", record.header.model["name"])
        assert shown["tokens"], "names of the tokens are those of the recording"
        assert np.array_equal(heard.widget.record.audio, record.audio)
        heard.send({"type": "fetch", "what": "audio", "chunk": 2, "request": 5})
        assert until(heard, "audio", request=5)["ok"]

        heard.send({"type": "unload", "page": heard.name})
        assert until(heard, "recording")["state"] == "none"
        assert [event.to_json() for event in heard.events()] == own
        assert len(left_over() - before) <= 2, "the unpacked recording lives as long as its record"

    def test_python_shows_a_record_and_the_session_again(self, heard: Page, talk: Path) -> None:
        own, record = heard.widget.record, SessionRecord.load(talk)
        heard.widget.show(record)
        assert heard.widget.record is record
        assert heard.events() == list(record.events)
        heard.widget.show(None)
        assert heard.widget.record is own
        assert heard.events() == list(own.events)
        with pytest.raises(SettingError, match=r"SessionRecord\.load\('talk.aiw'\), not str"):
            heard.widget.show("talk.aiw")  # type: ignore[arg-type]

    def test_audio_continues_the_session_and_leaves_the_recording_as_it_was(self, heard: Page, talk: Path) -> None:
        own, record = heard.widget.record, SessionRecord.load(talk)
        events, count = stories(record), own.count(Decision)
        heard.widget.show(record)
        heard.record(babble(1))
        settled(heard)
        assert heard.widget.record is own
        assert own.count(Decision) > count
        assert stories(record) == events
        assert heard.events() == list(own.events)

    def test_a_reset_begins_a_session_and_shows_it(self, heard: Page, talk: Path) -> None:
        heard.widget.show(SessionRecord.load(talk))
        heard.widget.reset()
        assert len(heard.widget.record) == 0
        assert until(heard, "recording")["state"] == "none"
        assert heard.events() == []

    @pytest.mark.parametrize("audio", ["microphone", "file"])
    def test_it_is_refused_while_audio_arrives(self, page: Page, hold: Hold, talk: Path, audio: str) -> None:
        if audio == "microphone":
            page.open()
            page.block(babble(1))
        else:
            HeldFile(page, bytes(1000), answering=False).announce()
        with pytest.raises(SessionError, match=r"stop the (recording|file) first"):
            page.widget.show(SessionRecord.load(talk))
        hold(page, talk.read_bytes()).load()
        assert until(page, "recording")["state"] == "none"
        page.until(lambda: any("first" in sentence for sentence in page.problems()))

    def test_a_cut_recording_is_shown_with_what_is_left_and_a_sentence(
        self, page: Page, hold: Hold, talk: Path
    ) -> None:
        hold(page, talk.read_bytes()[:-40]).load()
        until(page, "recording", state="shown")
        page.until(lambda: any("talk.aiw is not complete" in sentence for sentence in page.problems()))
        assert any(isinstance(event, Notice) and event.kind == "salvaged" for event in page.widget.record.events)
        cut = talk.with_name("cut.aiw")
        cut.write_bytes(talk.read_bytes()[:-40])
        with pytest.warns(RecordWarning, match=r"cut\.aiw is not complete"):
            SessionRecord.load(cut)

    @pytest.mark.parametrize("data", [b"", b"PK\x03\x04nothing", b"RIFF" + bytes(100)])
    def test_a_foreign_file_is_refused_by_its_own_name(self, heard: Page, hold: Hold, data: bytes) -> None:
        own = heard.widget.record
        hold(heard, data, "holiday.aiw").load()
        heard.until(lambda: any("holiday.aiw" in sentence for sentence in heard.problems()))
        (sentence,) = heard.problems()
        assert "ai_widgets-" not in sentence
        assert "opened.aiw" not in sentence
        assert until(heard, "recording")["state"] == "none"
        assert heard.widget.record is own

    def test_whatever_reading_raises_is_a_sentence_and_ends_opening(
        self, page: Page, hold: Hold, talk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise RuntimeError("unforeseen")

        monkeypatch.setattr(recordings, "open_recording", fail)
        hold(page, talk.read_bytes()).load()
        page.until(lambda: any("talk.aiw could not be opened" in sentence for sentence in page.problems()))
        assert until(page, "recording", state="none")["name"] == ""

    def test_a_file_that_is_too_large_is_refused_before_a_byte_is_sent(
        self, page: Page, hold: Hold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recordings, "MAX_RECORDING_BYTES", 1 << 30)
        held = hold(page, b"")
        held.load(size=(1 << 30) + 1)
        page.until(lambda: any("at most 1 GiB" in sentence for sentence in page.problems()))
        assert held.asked == []

    def test_a_file_that_the_browser_cannot_read_is_a_problem(self, page: Page, hold: Hold, talk: Path) -> None:
        held = hold(page, talk.read_bytes())
        held.problem = "NotReadableError"
        held.load()
        page.until(lambda: any("can no longer read talk.aiw" in sentence for sentence in page.problems()))

    def test_opening_can_be_cancelled_and_ends_quietly(self, page: Page, hold: Hold, talk: Path) -> None:
        hold(page, talk.read_bytes(), answering=False).load()
        until(page, "recording", state="loading")
        page.until(lambda: bool(page.of("need")))
        page.send({"type": "unload", "page": page.name})
        until(page, "recording", state="none")
        assert page.problems() == []

    def test_audio_that_arrives_while_it_is_read_keeps_the_session_shown(
        self, page: Page, hold: Hold, talk: Path
    ) -> None:
        hold(page, talk.read_bytes(), answering=False).load()
        page.until(lambda: bool(page.of("need")))
        page.record(babble(1))
        page.until(lambda: any("talk.aiw was not opened" in sentence for sentence in page.problems()))
        assert until(page, "recording")["state"] == "none"

    def test_a_page_that_comes_later_is_told_what_is_shown(self, heard: Page, talk: Path) -> None:
        heard.widget.show(SessionRecord.load(talk))
        late = Page(heard.widget, "two")
        late.hello(session=None)
        assert until(late, "recording")["name"] == "talk.aiw"
        assert late.of("welcome")[-1]["session"] == 2

    def test_of_a_long_recording_the_newest_events_are_sent_and_a_sentence_says_so(
        self, page: Page, talk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "MAX_SHOWN", 20)
        record = SessionRecord.load(talk)
        page.widget.show(record)
        first = until(page, "reset")["first"]
        assert first >= len(record) - 20
        sent = [message for message in page.of("events") if message["session"] == 2]
        assert sent[0]["first"] == first
        assert sum(len(message["events"]) for message in sent) == len(record) - first
        page.until(lambda: any("older events" in sentence for sentence in page.problems()))

    def test_of_a_recording_longer_than_a_reload_shows_all_is_sent_from_its_beginning_on_in_bursts(
        self, page: Page, talk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = SessionRecord.load(talk)
        assert len(record) > 60
        monkeypatch.setattr(outbox, "MAX_REPLAYED", 20)
        monkeypatch.setattr(outbox, "MAX_BATCH", 5)
        monkeypatch.setattr(outbox, "BURST", 15)
        delays: list[float] = []
        alarm = page.widget._channel.presenter.outbox._alarm
        monkeypatch.setattr(alarm, "set", delays.append)

        def sent() -> int:
            return sum(len(each["events"]) for each in page.of("events") if each["session"] == 2)

        page.widget.show(record)
        assert until(page, "reset").get("first", 0) == 0
        steps = []
        while delays:
            steps.append(sent())
            delays.clear()
            # The timer's call.
            page.widget._channel.presenter.outbox.flush()
        assert steps == list(range(15, len(record), 15))
        assert page.events() == list(record.events)
        assert not any("older events" in sentence for sentence in page.problems())

    def test_a_page_that_reloads_gets_all_of_an_opened_recording(
        self, page: Page, talk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "MAX_REPLAYED", 20)
        record = SessionRecord.load(talk)
        page.widget.show(record)
        late = Page(page.widget, "two")
        late.hello(session=None)
        late.until(lambda: late.events() == list(record.events))
        assert late.of("welcome")[-1]["first"] == 0

    def test_a_recording_of_an_earlier_version_is_shown(self, page: Page, hold: Hold) -> None:
        hold(page, OLD.read_bytes(), OLD.name).load()
        until(page, "recording", state="shown")
        page.until(lambda: page.events() == list(page.widget.record.events))


class TestReplay:
    def start(self, page: Page) -> None:
        page.send({"type": "replay", "action": "start", "page": page.name})

    def test_the_session_and_an_opened_recording_are_reproduced(self, heard: Page, talk: Path) -> None:
        self.start(heard)
        told = until(heard, "replayed", state="reproduced")
        assert "are the same" in told["message"]
        heard.widget.show(SessionRecord.load(talk))
        assert until(heard, "replayed")["state"] == "none"
        self.start(heard)
        until(heard, "replayed", state="reproduced")
        assert until(heard, "replayed")["done"] == heard.widget.record.chunks_heard

    def test_the_first_difference_is_named_with_its_chunk_and_size(self, page: Page, talk: Path) -> None:
        record = SessionRecord.load(talk)
        third = next(event for event in record.events if isinstance(event, Decision) and event.chunk == 3)
        altered = SessionRecord(None)
        altered.begin(record.header)
        for chunk in range(record.chunks_heard):
            altered.append_audio(record.audio[chunk * 6400 : (chunk + 1) * 6400])
        for event in record.events:
            other: Event = event
            if event is third or event == third:
                other = Event.from_json({**event.to_json(), "p_text": third.p_text + 0.25})
            altered.append(other)
        page.widget.show(altered)
        self.start(page)
        told = until(page, "replayed", state="differs")
        assert told["chunk"] == 3
        assert "p_text" in told["message"]
        assert "(by 0.25)" in told["message"]
        assert any(isinstance(event, Turn) for event in record.events)

    def test_it_is_cancelled_at_the_next_step(self, heard: Page, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, go_on, rerun = Flag(), Flag(), replaying.rerun

        def held(*given: Any) -> Any:
            begun.set()
            assert go_on.wait(60)
            return rerun(*given)

        monkeypatch.setattr(replaying, "rerun", held)
        self.start(heard)
        assert begun.wait(60)
        heard.send({"type": "replay", "action": "cancel", "page": heard.name})
        go_on.set()
        told = until(heard, "replayed", state="cancelled")
        assert told["message"] == "The replay was cancelled."

    def test_audio_ends_it_and_takes_the_badge_away(self, heard: Page) -> None:
        self.start(heard)
        until(heard, "replayed", state="reproduced")
        heard.record(babble(1))
        assert until(heard, "replayed")["state"] == "none"

    def test_a_record_without_its_first_audio_cannot_be_replayed_and_says_why(self, build: Build) -> None:
        page = build(audio_seconds=0.4)
        page.hello()
        page.record(babble(3))
        settled(page)
        self.start(page)
        assert "audio" in until(page, "replayed", state="failed")["message"]

    def test_it_is_refused_while_audio_arrives(self, page: Page) -> None:
        page.open()
        page.block(babble(1))
        self.start(page)
        assert "stop the recording first" in until(page, "replayed", state="failed")["message"]
