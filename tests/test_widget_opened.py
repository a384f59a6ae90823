"""Recordings that a page opens in a widget, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import RecordWarning, SessionError, SettingError
from ai_widgets.protocol import Decision, Notice
from ai_widgets.record.record import SessionRecord
from ai_widgets.widget.recordings import recordings
from ai_widgets.widget.wire import outbox
from tests.held_files import HeldFile
from tests.page import Page, settled
from tests.recorded_pages import LeftOver, stories, until
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


class TestOpen:
    def test_a_recording_of_the_page_is_shown_with_its_events_and_audio(
        self, heard: Page, hold: Hold, talk: Path, left_over: LeftOver
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
