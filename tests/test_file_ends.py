"""How a file ends before its last sample, and one file at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_widgets.errors import SessionError
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Notice
from ai_widgets.widget.files import page_file
from ai_widgets.widget.files.file_player import AHEAD_CHUNKS
from tests.held_files import Hold, beeps, wav_bytes
from tests.page import Build, Page, settled, silence
from tests.playing import chunks, notices, paused_in_a_file, until_state


class TestEnding:
    def test_cancel_keeps_what_was_heard_and_says_where_it_ended(self, build: Build, hold: Hold) -> None:
        page, file = paused_in_a_file(build, hold)
        file.act("stop")
        until_state(page, "stopped")
        page.widget.resume()
        events = settled(page)
        (ended,) = [event for event in events if isinstance(event, Notice) and event.kind == "stream_ended"]
        assert ended.message == f"talk.wav ended at {format_s(ended.data['position_s'])} of 10:00 (stopped)."
        read = round(ended.data["position_s"] / 0.4)
        assert AHEAD_CHUNKS <= read <= AHEAD_CHUNKS + 1
        assert chunks(page) == read + 3, "what was read is answered, and the silence after it"
        assert page.widget.playing is None

    def test_cancel_ends_a_read_that_waits_for_the_page(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(2.0)), answering=False)
        file.announce()
        page.until(lambda: bool(page.of("need")))
        file.act("stop")
        assert page.widget.wait(30)
        assert settled(page) == []
        assert page.problems() == []

    def test_what_comes_after_a_cancelled_file_is_not_mixed_with_it(self, build: Build, hold: Hold) -> None:
        page, file = paused_in_a_file(build, hold)
        file.act("stop")
        page.record(silence(4))
        page.widget.resume()
        clips = [event.clip for event in settled(page) if isinstance(event, Chunk)]
        assert clips == sorted(clips)
        assert clips.count(1) == 4 + 3

    def test_a_page_that_is_reloaded_ends_its_file_with_a_notice(self, build: Build, hold: Hold) -> None:
        page, file = paused_in_a_file(build, hold)
        file.act("stop", "view_removed")
        page.widget.resume()
        settled(page)
        assert notices(page, "stream_ended")[0].data["reason"] == "view_removed"

    def test_another_page_that_goes_ends_nothing(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(2.0)))
        file.announce()
        other = Page(page.widget, "two")
        other.send({"type": "file", "action": "stop", "reason": "view_removed", "page": "two"})
        assert until_state(page, "ended")["position_s"] == 2.0

    def test_a_page_that_sends_nothing_more_ends_it_with_what_was_heard(
        self, build: Build, hold: Hold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page_file, "PIECE_BYTES", 32_000)
        monkeypatch.setattr(page_file.PageFile.__init__, "__defaults__", (0.05,))
        page = build()
        file = hold(page, wav_bytes(beeps(4.0)))
        answer = file.answer
        file.answer = lambda at, length: answer(at, length) if at < 64_000 else None  # type: ignore[method-assign]
        file.announce()
        failed = until_state(page, "failed")
        settled(page)
        assert 0 < failed["position_s"] <= 2.0
        (ended,) = notices(page, "stream_ended")
        assert ended.data["reason"] == "error"
        assert "ended at 0:01 of 0:04: The page that holds talk.wav has sent no part" in ended.message
        (problem,) = page.of("problem")
        assert (problem["code"], problem["page"]) == ("file", page.name)

    def test_a_file_that_the_browser_cannot_read_any_more(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(2.0)))
        file.problem = "NotReadableError"
        file.announce()
        until_state(page, "failed")
        (problem,) = page.problems()
        assert problem.startswith("The browser can no longer read talk.wav (NotReadableError)")
        assert settled(page) == []

    @pytest.mark.parametrize(
        ("data", "sentence"), [(b"", "talk.wav"), (b"no sound at all " * 100, "cannot be read as audio")]
    )
    def test_what_is_no_audio_is_a_sentence_and_leaves_nothing(
        self, build: Build, hold: Hold, data: bytes, sentence: str
    ) -> None:
        page = build()
        hold(page, data).announce()
        until_state(page, "failed")
        (problem,) = page.problems()
        assert sentence in problem
        assert settled(page) == []
        assert page.widget.state == "idle"

    def test_a_reset_ends_it_and_the_new_session_hears_nothing_of_it(self, build: Build, hold: Hold) -> None:
        page, _ = paused_in_a_file(build, hold)
        page.widget.reset()
        page.widget.resume()
        assert [event for event in settled(page) if isinstance(event, Chunk) or event.data.get("name")] == []
        assert page.widget.playing is None
        page.hello(seen=0, session=2)
        page.until(lambda: bool(page.of("welcome")))
        assert page.of("welcome")[-1]["file"] == {}

    def test_closing_the_widget_ends_it(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(600.0)), answering=False)
        file.announce()
        page.until(lambda: bool(page.of("need")))
        page.widget.close()
        assert not page.widget._channel.presenter.player._stage.alive

    def test_a_model_that_fails_ends_it(self, build: Build, hold: Hold) -> None:
        page = build()
        hold(page, wav_bytes(beeps(600.0))).announce()
        page.until(lambda: chunks(page) > 3)
        page.widget._channel.presenter.pipeline._running.failure = RuntimeError("broken")
        page.widget._channel.presenter.events_came(True)
        assert page.widget._channel.presenter.player.wait(30)
        assert page.widget.playing is None


class TestOneAtATime:
    def test_a_microphone_is_refused_while_a_file_plays(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(2.0)), answering=False)
        file.announce()
        other = Page(page.widget, "two")
        other.open()
        assert [each["code"] for each in other.of("problem") if each["page"] == "two"] == ["busy_elsewhere"]
        file.act("stop")

    def test_a_file_is_refused_while_another_page_records(self, build: Build, hold: Hold) -> None:
        page = build()
        page.open()
        page.block(silence(1))
        other = Page(page.widget, "two")
        hold(other, wav_bytes(beeps(2.0))).announce()
        assert other.of("problem")[-1]["page"] == "two"
        assert other.of("need") == []

    def test_python_is_refused_while_a_page_records(self, build: Build, tmp_path: Path) -> None:
        page = build()
        path = tmp_path / "talk.wav"
        path.write_bytes(wav_bytes(beeps(1.0)))
        page.open()
        page.block(silence(1))
        with pytest.raises(SessionError, match="A page records the microphone"):
            page.widget.play(path)

    def test_an_array_is_refused_while_a_file_plays(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(2.0)), answering=False)
        file.announce()
        with pytest.raises(SessionError, match="A file plays"):
            page.widget.feed(silence(1), 16_000)
        file.act("stop")

    def test_the_newest_file_of_a_page_replaces_what_it_played(self, build: Build, hold: Hold) -> None:
        page = build()
        first = hold(page, wav_bytes(beeps(600.0)), "first.wav")
        first.announce()
        first.act("stop")
        hold(page, wav_bytes(beeps(2.0)), "second.wav").announce()
        until_state(page, "ended")
        assert [each["name"] for each in page.of("playing") if each["state"] == "ended"] == ["second.wav"]


def format_s(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def test_position_counts_in_whole_chunks(build: Build, hold: Hold) -> None:
    """A file whose length is no whole number of chunks ends at its own length."""
    page = build()
    hold(page, wav_bytes(beeps(2.0)[: CHUNK_SAMPLES * 3 + 100])).announce()
    assert until_state(page, "ended")["position_s"] == 1.2
