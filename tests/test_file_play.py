"""Audio files through the widget: pulled from the page or from disk in pieces, with a position, and ended cleanly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ai_widgets.protocol import Chunk, Decision
from ai_widgets.widget.files import file_player, page_file
from ai_widgets.widget.files.file_player import AHEAD_CHUNKS
from tests.held_files import Hold, beeps, m4a_bytes, wav_bytes
from tests.page import Build, Page, settled
from tests.playing import chunks, notices, read_ahead, until_state
from tests.signals import Array


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
        read_ahead(page)
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
    read_ahead(page)
    ahead = parts * (AHEAD_CHUNKS + 3) * 0.4 / 60
    assert len(file.asked) <= 5 + ahead
    page.widget.resume()
    ended = until_state(page, "ended")
    assert ended["position_s"] == pytest.approx(60.0, abs=0.1)
    assert len(file.asked) <= parts + 5
    assert notices(page, "stream_ended") == []
