"""Audio files through the widget: pulled from the page or from disk in pieces, with a position, and ended cleanly."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import AudioError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Notice
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.files import file_player, page_file
from ai_widgets.widget.files.file_player import AHEAD_CHUNKS
from ai_widgets.widget.files.file_stream import FileStream
from tests.held_files import HeldFile, beeps, m4a_bytes, wav_bytes
from tests.page import Build, Page, settled, silence
from tests.signals import Array

Hold = Callable[..., HeldFile]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Give a page a file."""
    held: list[HeldFile] = []

    def make(page: Page, data: bytes, name: str = "talk.wav", **options: Any) -> HeldFile:
        held.append(HeldFile(page, data, name, **options))
        return held[-1]

    yield make
    for each in held:
        each.close()


def notices(page: Page, kind: str) -> list[Notice]:
    return [event for event in page.events() if isinstance(event, Notice) and event.kind == kind]


def chunks(page: Page) -> int:
    return sum(isinstance(event, Decision) for event in page.events())


def until_state(page: Page, state: str) -> dict[str, Any]:
    """Wait until the page is told that its file is in a state; the message."""
    page.until(lambda: any(each["state"] == state for each in page.of("playing")))
    return next(each for each in page.of("playing") if each["state"] == state)


class TestFromThePage:
    def test_it_is_heard_as_the_same_samples_from_python_are(self, build: Build, hold: Hold) -> None:
        samples = beeps(6.0)
        page, other = build(greedy=True), build(greedy=True)
        hold(page, wav_bytes(samples, subtype="FLOAT")).announce()
        until_state(page, "ended")
        other.widget.feed(samples, 16_000, end=True)
        heard = [event for event in settled(page) if isinstance(event, (Chunk, Decision))]
        assert heard == [event for event in settled(other) if isinstance(event, (Chunk, Decision))]
        assert np.array_equal(page.widget.record.audio, other.widget.record.audio)

    def test_only_ranges_are_asked_for_one_after_the_other_and_each_once(
        self, build: Build, hold: Hold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page_file, "PIECE_BYTES", 16_000)
        page = build()
        file = hold(page, wav_bytes(beeps(4.0)))
        file.announce()
        until_state(page, "ended")
        ranges = sorted(set(file.asked))
        assert ranges == [(at, min(16_000, len(file.data) - at)) for at in range(0, len(file.data), 16_000)]
        assert len(file.asked) <= len(ranges) + 1

    def test_the_page_is_told_name_position_length_speed_and_time_left(self, build: Build, hold: Hold) -> None:
        page = build()
        hold(page, wav_bytes(beeps(8.0)), "lecture.wav").announce()
        ended = until_state(page, "ended")
        told = page.of("playing")
        assert told[0]["state"] == "opening"
        assert {each["name"] for each in told} == {"lecture.wav"}
        positions = [each["position_s"] for each in told]
        assert positions == sorted(positions)
        assert (ended["position_s"], ended["seconds"], ended["page"]) == (8.0, 8.0, page.name)

    def test_a_page_that_comes_later_is_told_in_its_welcome(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(8.0)), answering=False)
        file.announce()
        late = Page(page.widget, "two")
        late.hello()
        late.until(lambda: bool(late.of("welcome")))
        assert late.of("welcome")[-1]["file"]["state"] == "opening"
        file.act("stop")

    def test_the_timeline_names_the_file_once(self, build: Build, hold: Hold) -> None:
        page = build()
        hold(page, wav_bytes(beeps(2.0), 22_050)).announce()
        until_state(page, "ended")
        (begun,) = notices(page, "stream")
        assert begun.message == "Audio of the file talk.wav at 22050 Hz begins."
        assert begun.data["source"] == "file"
        assert notices(page, "stream_ended") == []

    def test_bytes_travel_as_base64_where_the_host_drops_buffers(self, build: Build, hold: Hold) -> None:
        import base64

        page = build()
        file = hold(page, wav_bytes(beeps(2.0)))
        file.answer = (
            lambda at, length: file.send(  # type: ignore[method-assign]
                at, None, data=base64.b64encode(file.data[at : at + length]).decode("ascii")
            )
        )
        file.announce()
        assert until_state(page, "ended")["position_s"] == 2.0

    def test_real_time_is_no_faster_than_the_clock(
        self, build: Build, hold: Hold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock()
        monkeypatch.setattr(file_player, "monotonic", clock)
        page = build()
        file = hold(page, wav_bytes(beeps(60.0)))
        file.announce(pace="realtime")
        until_state(page, "playing")
        clock.advance(page, 2.01)
        page.until(lambda: chunks(page) == 5)
        assert page.widget.wait(0.01) is False
        assert chunks(page) == 5
        file.act("stop")

    def test_at_most_one_piece_is_requested_at_once(self, build: Build, hold: Hold) -> None:
        page = build()
        file = hold(page, wav_bytes(beeps(3.0)))
        waiting: list[int] = []
        answer = file.answer

        def count(at: int, length: int) -> None:
            waiting.append(len(file.asked))
            answer(at, length)

        file.answer = count  # type: ignore[method-assign]
        file.announce()
        until_state(page, "ended")
        assert waiting == list(range(1, len(waiting) + 1)), "a range is asked for after the one before has come"


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, page: Page, seconds: float) -> None:
        self.now += seconds
        page.widget._channel.presenter.player.look()


class TestBackPressure:
    def test_a_long_file_waits_in_front_of_a_loop_that_is_held(self, build: Build, hold: Hold) -> None:
        page = build()
        page.widget.pause()
        file = hold(page, wav_bytes(beeps(600.0)))
        file.announce()
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
        assert max(each["waiting"] for each in page.of("events")) <= AHEAD_CHUNKS + 1
        asked = sum(length for _, length in file.asked)
        assert asked <= 3 * page_file.PIECE_BYTES, "of 19 MB only what is needed by now was fetched"
        for _ in range(3):
            page.widget.step()
        assert page.widget.playing is not None
        assert page.widget.playing["position_s"] <= 1.2
        file.act("stop")
        page.widget.resume()
        page.widget.wait()

    def test_chunks_that_wait_are_few_while_it_plays(self, build: Build, hold: Hold) -> None:
        page = build()
        hold(page, wav_bytes(beeps(40.0))).announce()
        until_state(page, "ended")
        assert max(each["waiting"] for each in page.of("events")) <= AHEAD_CHUNKS + 3

    def test_a_long_array_is_fed_in_views_of_it(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        page = build()
        samples, pushed = beeps(40.0), []
        push = page.widget._channel.presenter.pipeline._encode.put

        def spy(item: Any, **options: Any) -> bool:
            pushed.append(item[1])
            return push(item, **options)

        monkeypatch.setattr(page.widget._channel.presenter.pipeline._encode, "put", spy)
        page.widget.feed(samples, 16_000)
        assert [len(part.samples) for part in pushed] == [64_000] * 10
        assert all(np.shares_memory(part.samples, samples) for part in pushed)


def minute() -> Array:
    """A minute of noise at 48 kHz: what no format makes small."""
    noise = np.random.default_rng(0).normal(0, 0.1, 60 * 48_000)
    return noise.astype(np.float32)


FORMS: dict[str, Callable[[Array], bytes]] = {
    "wav": lambda samples: wav_bytes(samples, 48_000),
    "flac": lambda samples: wav_bytes(samples, 48_000, "FLAC"),
    "mp3": lambda samples: wav_bytes(samples, 48_000, "MP3", "MPEG_LAYER_III"),
    "ogg": lambda samples: wav_bytes(samples, 48_000, "OGG", "VORBIS"),
    "m4a, its index at the end": lambda samples: m4a_bytes(samples, 48_000),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_first_decision_needs_few_parts_of_a_file_and_all_of_it_hardly_one_twice(
    form: str, build: Build, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First decision within 2 s, whatever the length: that takes the beginning, the index and what is read ahead."""
    data = FORMS[form](minute())
    monkeypatch.setattr(page_file, "PIECE_BYTES", 32_768)
    parts = len(data) // 32_768 + 1
    page = build()
    page.widget.pause()
    file = hold(page, data, "talk." + form.split(",")[0])
    file.announce()
    page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
    ahead = parts * (AHEAD_CHUNKS + 3) * 0.4 / 60
    assert len(file.asked) <= 5 + ahead
    page.widget.resume()
    ended = until_state(page, "ended")
    assert ended["position_s"] == pytest.approx(60.0, abs=0.1)
    assert len(file.asked) <= parts + 5
    assert notices(page, "stream_ended") == []


class TestEnding:
    def test_cancel_keeps_what_was_heard_and_says_where_it_ended(self, build: Build, hold: Hold) -> None:
        page = build()
        page.widget.pause()
        file = hold(page, wav_bytes(beeps(600.0)))
        file.announce()
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
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
        page = build()
        page.widget.pause()
        file = hold(page, wav_bytes(beeps(600.0)))
        file.announce()
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
        file.act("stop")
        page.record(silence(4))
        page.widget.resume()
        clips = [event.clip for event in settled(page) if isinstance(event, Chunk)]
        assert clips == sorted(clips)
        assert clips.count(1) == 4 + 3

    def test_a_page_that_is_reloaded_ends_its_file_with_a_notice(self, build: Build, hold: Hold) -> None:
        page = build()
        page.widget.pause()
        file = hold(page, wav_bytes(beeps(600.0)))
        file.announce()
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
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
        page = build()
        page.widget.pause()
        hold(page, wav_bytes(beeps(600.0))).announce()
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
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


class TestFromDisk:
    def write(self, folder: Path, seconds: float, name: str = "talk.wav") -> Path:
        path = folder / name
        path.write_bytes(wav_bytes(beeps(seconds)))
        return path

    def test_it_returns_when_all_is_answered(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.play(self.write(tmp_path, 4.0))
        assert page.widget.waiting == 0
        assert chunks(page) == 10 + 3
        assert page.widget.playing is None

    def test_without_waiting_files_play_one_after_the_other(self, build: Build, tmp_path: Path) -> None:
        page = build()
        for name in ("one.wav", "two.wav"):
            page.widget.play(self.write(tmp_path, 2.0, name), wait=False)
        assert page.widget.wait(60)
        settled(page)
        assert [notice.data["name"] for notice in notices(page, "stream")] == ["one.wav", "two.wav"]

    def test_the_page_sees_it_and_may_stop_it(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.pause()
        page.widget.play(self.write(tmp_path, 600.0), wait=False)
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
        page.send({"type": "file", "action": "stop", "reason": "stopped", "page": page.name})
        page.widget.resume()
        assert page.widget.wait(60)
        assert notices(page, "stream_ended")[0].data["reason"] == "stopped"

    def test_stop_ends_it_and_what_would_follow(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.pause()
        for name in ("one.wav", "two.wav"):
            page.widget.play(self.write(tmp_path, 600.0, name), wait=False)
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
        page.widget.stop()
        page.widget.resume()
        assert page.widget.wait(60)
        assert [notice.data["name"] for notice in notices(page, "stream")] == ["one.wav"]

    def test_an_interrupt_ends_the_waiting_and_says_how_to_end_the_file(
        self, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = build()

        def interrupted(*_: Any, **__: Any) -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(page.widget, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"talk.wav plays on; `stop\(\)` of the widget ends it"):
            page.widget.play(self.write(tmp_path, 4.0))
        monkeypatch.undo()
        assert page.widget.wait(60)
        assert chunks(page) == 10 + 3

    def test_a_file_that_is_none_is_refused_at_once(self, build: Build, tmp_path: Path) -> None:
        page = build()
        with pytest.raises(AudioError, match="There is no audio file"):
            page.widget.play(tmp_path / "absent.wav")
        with pytest.raises(SettingError, match="pace must be one of fast, realtime, not 'slow'"):
            page.widget.play(self.write(tmp_path, 1.0), pace="slow")  # type: ignore[arg-type]
        assert settled(page) == []

    def test_a_file_that_breaks_off_later_keeps_what_was_heard_and_raises(
        self, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = build()
        path = self.write(tmp_path, 4.0)
        taken = FileStream.push

        def failing(stream: FileStream, samples: Any, rate: int) -> bool:
            if stream.read_s > 1.9:
                raise AudioError("talk.wav is damaged from here on.")
            return taken(stream, samples, rate)

        monkeypatch.setattr(FileStream, "push", failing)
        with pytest.raises(AudioError, match="damaged from here on"):
            page.widget.play(path)
        (ended,) = notices(page, "stream_ended")
        assert ended.message == "talk.wav ended at 0:02 of 0:04: talk.wav is damaged from here on."
        assert chunks(page) == 5 + 3

    def test_pause_and_resume_from_the_page(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.pause()
        page.widget.play(self.write(tmp_path, 20.0), wait=False)
        page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
        page.send({"type": "file", "action": "pause", "reason": "stopped", "page": page.name})
        page.widget.resume()
        assert page.widget.wait(60) is False, "a paused file has not ended"
        assert page.widget.state == "paused"
        assert until_state(page, "paused")["state"] == "paused"
        page.send({"type": "file", "action": "resume", "reason": "stopped", "page": page.name})
        assert page.widget.wait(60)
        assert chunks(page) == 50 + 3

    def test_widgets_that_played_are_freed(self, toy: Model, tmp_path: Path) -> None:
        widget = AudioInteraction(toy)
        widget.play(self.write(tmp_path, 1.0))
        player = weakref.ref(widget._channel.presenter.player)
        widget.close()
        del widget
        gc.collect()
        assert player() is None or player()._stage.alive is False  # type: ignore[union-attr]


def format_s(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def test_position_counts_in_whole_chunks(build: Build, hold: Hold) -> None:
    """A file whose length is no whole number of chunks ends at its own length."""
    page = build()
    hold(page, wav_bytes(beeps(2.0)[: CHUNK_SAMPLES * 3 + 100])).announce()
    assert until_state(page, "ended")["position_s"] == 1.2
