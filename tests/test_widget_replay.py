""" "Replay with this model" in a widget: of the session, and of a recording that is shown."""

from __future__ import annotations

from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from ai_widgets.protocol import Decision, Event, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.session import replay as replaying
from tests.page import Build, Page, settled
from tests.recorded_pages import until
from tests.signals import babble


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

    def test_settings_of_the_widget_that_change_meanwhile_are_not_given_to_the_session(self, page: Page) -> None:
        page.widget.feed(babble(1.2), 16_000)
        page.widget.set(bias=1.0)
        page.widget.set(arrival="drop", overload_chunks=20)
        page.widget.feed(babble(1.2), 16_000)
        told = page.widget.record.notices.query("kind == 'settings'")
        assert len(told) == 2
        self.start(page)
        until(page, "replayed", state="reproduced")

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
