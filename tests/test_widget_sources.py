"""One source at a time: audio from Python and from pages is never mixed into one recording."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ai_widgets.errors import SessionError
from ai_widgets.protocol import Chunk, Notice
from ai_widgets.widget import receiving
from tests.page import PATIENCE, Build, Page, settled, silence
from tests.signals import Array, babble


def heard(page: Page) -> list[Array]:
    """The audio of each clip, in order."""
    assert page.widget.wait(PATIENCE)
    record = page.widget.record
    clips: dict[int, list[Any]] = {}
    for chunk in record.of_type(Chunk):
        clips.setdefault(chunk.clip, []).append(record.chunk_audio(chunk.chunk))
    return [np.concatenate(parts) for _, parts in sorted(clips.items())]


def level(value: float, chunks: float) -> Array:
    return silence(chunks) + np.float32(value)


def ends(page: Page) -> list[dict[str, Any]]:
    return [dict(n.data) for n in page.widget.record.of_type(Notice) if n.kind == "stream_ended"]


class TestFeedWhileAPageRecords:
    def test_is_refused_and_the_recording_is_whole(self, page: Page) -> None:
        page.open(tail_s=0.0)
        page.block(level(0.1, 0.5))
        with pytest.raises(SessionError, match=r"records the microphone x into this widget \(stream 1\); stop the rec"):
            page.widget.feed(level(0.9, 1), 16_000)
        page.block(level(0.1, 0.5))
        page.close()
        (clip,) = heard(page)
        assert np.allclose(clip, 0.1, atol=1e-4)
        page.widget.feed(level(0.9, 1), 16_000)
        assert len(heard(page)) == 2

    def test_before_the_first_block_too(self, page: Page) -> None:
        page.open()
        with pytest.raises(SessionError, match="stop the recording in that page"):
            page.widget.feed(silence(1), 16_000, end=True)

    def test_play_is_refused(self, page: Page, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", silence(1), 16_000)
        page.open()
        with pytest.raises(SessionError, match="stop the recording in that page"):
            page.widget.play(tmp_path / "a.wav")

    def test_a_page_that_is_gone_stands_in_no_way(self, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
        sender = threading.Thread(target=lambda: (page.open(tail_s=0.0), page.block(level(0.1, 0.5))))
        sender.start()
        sender.join(PATIENCE)
        monkeypatch.setattr(receiving, "STALE_SECONDS", 0.0)
        page.widget.feed(level(0.9, 1), 16_000)
        first, second = heard(page)
        assert np.allclose(first[:3200], 0.1, atol=1e-4)
        assert np.allclose(first[3200:], 0.0, atol=1e-4)
        assert np.allclose(second, 0.9, atol=1e-4)
        assert ends(page) == [{"reason": "replaced"}]

    def test_silence_says_nothing_where_messages_wait_for_the_feeding_thread(
        self, page: Page, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without subshells blocks come on the thread that runs cells, so none comes while a cell feeds."""
        monkeypatch.setattr(receiving, "STALE_SECONDS", 0.0)
        page.open()
        page.block(silence(1))
        with pytest.raises(SessionError, match="stop the recording in that page"):
            page.widget.feed(silence(1), 16_000)


class TestUnfinishedFeed:
    def test_a_page_that_begins_to_record_ends_it(self, page: Page) -> None:
        page.widget.feed(level(0.5, 1.5), 16_000)
        page.record(level(0.1, 1), tail_s=0.0)
        fed, recorded = heard(page)
        assert np.allclose(fed[:9600], 0.5, atol=1e-4)
        assert not np.any(np.abs(fed[9600:]) > 1e-4)
        assert len(fed) == 2 * 6400
        assert np.allclose(recorded, 0.1, atol=1e-4)
        assert ends(page) == [{"reason": "replaced"}]

    def test_a_file_that_is_played_ends_it(self, page: Page, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", level(0.25, 1), 16_000)
        page.widget.feed(level(0.5, 0.5), 16_000)
        page.widget.play(tmp_path / "a.wav", tail_silence=0.0)
        fed, played = heard(page)
        assert np.allclose(fed[:3200], 0.5, atol=1e-4)
        assert np.allclose(played, 0.25, atol=1e-3)
        assert ends(page) == [{"reason": "replaced"}]

    def test_what_was_ended_is_not_ended_again(self, page: Page) -> None:
        page.widget.feed(level(0.5, 1), 16_000, end=True, tail_silence=0.0)
        page.record(level(0.1, 1), tail_s=0.0)
        assert len(heard(page)) == 2
        assert ends(page) == []

    def test_a_new_session_begins_without_it(self, page: Page) -> None:
        page.widget.feed(level(0.5, 0.5), 16_000)
        page.widget.reset()
        page.record(level(0.1, 1), tail_s=0.0)
        (recorded,) = heard(page)
        assert np.allclose(recorded, 0.1, atol=1e-4)
        assert ends(page) == []

    def test_another_rate_goes_on_with_the_same_stream(self, page: Page) -> None:
        page.widget.feed(babble(1), 16_000)
        page.widget.feed(babble(1, rate=48_000), 48_000, end=True, tail_silence=0.0)
        (clip,) = heard(page)
        assert len(clip) == 5 * 6400


def test_recordings_of_two_threads_are_kept_apart(build: Build) -> None:
    page = build()
    start = threading.Barrier(2)

    def feed(value: float) -> None:
        start.wait(PATIENCE)
        for _ in range(20):
            page.widget.feed(level(value, 0.5), 16_000, end=True, tail_silence=0.0, wait=False)

    threads = [threading.Thread(target=feed, args=(value,)) for value in (0.25, 0.75)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    clips = heard(page)
    assert len(clips) == 40
    assert sorted({round(float(clip[0]), 2) for clip in clips}) == [0.25, 0.75]
    assert all(np.allclose(clip[:3200], clip[0], atol=1e-4) and not clip[3200:].any() for clip in clips)


def test_a_page_records_after_what_python_fed_is_queued(page: Page) -> None:
    page.widget.pause()
    page.widget.feed(level(0.5, 2), 16_000, end=True, tail_silence=0.0, wait=False)
    page.record(level(0.1, 1), tail_s=0.0)
    page.widget.resume()
    settled(page)
    assert [round(float(clip[0]), 1) for clip in heard(page)] == [0.5, 0.1]
