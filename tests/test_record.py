"""The record: append-only events as tables, and the newest audio."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import EVENTS_VERSION, Notice
from ai_widgets.record.record import SessionRecord
from tests.interrupting import Bomb
from tests.signals import Array, babble


@pytest.fixture(scope="module")
def record(toy: Model) -> SessionRecord:
    session = toy.session(seed=1, max_reply_tokens=10)
    session.push_clip(babble(8))
    return session.record


def filled(seconds: float | None, chunks: int) -> tuple[SessionRecord, list[Array]]:
    record = SessionRecord(seconds)
    audio = [np.full(6_400, number, np.float32) for number in range(chunks)]
    for samples in audio:
        record.append_audio(samples)
    return record, audio


class TestEvents:
    def test_in_order_and_not_to_be_changed(self, record: SessionRecord) -> None:
        assert isinstance(record.events, tuple)
        assert record.version == EVENTS_VERSION
        assert [event.chunk for event in record.events] == sorted(event.chunk for event in record.events)

    def test_since(self, record: SessionRecord) -> None:
        assert record.since(5) == list(record.events[5:])
        assert record.since(5, 3) == list(record.events[5:8])
        assert record.since(len(record)) == []

    def test_it_says_what_it_is(self, record: SessionRecord) -> None:
        assert repr(record) == f"<SessionRecord: 9.2 s heard, 23 decisions, {len(record.turns)} replies>"


class TestAudio:
    def test_all_of_it_by_default(self, record: SessionRecord) -> None:
        assert record.audio_start_s == 0
        np.testing.assert_array_equal(record.audio[: 8 * 16_000], babble(8))
        np.testing.assert_array_equal(record.chunk_audio(2), babble(8)[12_800:19_200])
        assert record.chunk_audio(23) is None
        assert record.chunk_audio(-1) is None

    @pytest.mark.parametrize(("seconds", "kept"), [(0, 0), (0.1, 1), (0.8, 2), (1.0, 3), (100, 5), (None, 5)])
    def test_the_newest_is_kept(self, seconds: float | None, kept: int) -> None:
        record, audio = filled(seconds, 5)
        assert len(record.audio) == kept * 6_400
        assert record.audio_start_s == pytest.approx((5 - kept) * 0.4)
        assert record.seconds == pytest.approx(2.0)
        for number, samples in enumerate(audio):
            found = record.chunk_audio(number)
            if number < 5 - kept:
                assert found is None
            else:
                np.testing.assert_array_equal(found, samples)

    @pytest.mark.parametrize("seconds", [-1, -0.1])
    def test_a_bad_bound(self, seconds: float) -> None:
        with pytest.raises(SettingError, match="audio_seconds must be"):
            SessionRecord(seconds)

    def test_letting_go_is_told_once(self, toy: Model) -> None:
        session = toy.session(SessionRecord(0.8), max_reply_tokens=1)
        list(session.push(babble(2)))
        (notice,) = (event for event in session.record.of_type(Notice) if event.kind == "audio_discarded")
        assert (notice.chunk, notice.data) == (2, {"seconds": 0.8})
        assert notice.message == "Audio older than 0.8 seconds is discarded from this chunk on. All events are kept."
        assert len(session.record.audio) == 2 * 6_400

    @pytest.mark.parametrize("seconds", [0.0, None])
    def test_where_nothing_is_discarded_or_nothing_kept_there_is_nothing_to_tell(self, seconds: float | None) -> None:
        record = SessionRecord(seconds)
        for _ in range(5):
            assert record.append_audio(np.zeros(6_400, np.float32)) == []
        assert len(record.audio) == (5 * 6_400 if seconds is None else 0)
        assert record.seconds == pytest.approx(2.0)

    def test_a_session_may_write_into_a_given_record(self, toy: Model) -> None:
        record = SessionRecord(0.4)
        session = toy.session(record)
        list(session.push(babble(2)))
        assert session.record is record
        assert len(record.audio) == 6_400
        assert len(record.decisions) == 5


class TestReadWhileItIsWritten:
    """What a reader gets is the chunk that was asked for, or None: never its neighbour."""

    @pytest.mark.parametrize("kept", [False, True])
    def test_a_chunk_that_comes_at_any_line_of_a_read(self, tmp_path: Path, kept: bool) -> None:
        """Deterministic: at the n-th traced line of the reading call another thread would add a chunk."""
        for line in range(1, 40):
            record = SessionRecord(0.8, tmp_path if kept else None)
            for number in range(4):
                record.append_audio(np.full(6_400, number, np.float32))
            lines = 0

            def trace(*_: Any, record: SessionRecord = record, at: int = line) -> Any:
                nonlocal lines
                lines += 1
                if lines == at:
                    sys.settrace(None)
                    for number in range(4, 7):
                        record.append_audio(np.full(6_400, number, np.float32))
                return trace

            for chunk in (1, 2, 3):
                sys.settrace(trace)
                try:
                    samples = record.chunk_audio(chunk)
                finally:
                    sys.settrace(None)
                assert samples is None or np.array_equal(samples, np.full(6_400, chunk)), (line, chunk)
                assert samples is not None or not kept

    def test_a_fetch_beside_a_fast_writer(self, tmp_path: Path) -> None:
        record = SessionRecord(0.8, tmp_path)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)

        def write() -> None:
            for number in range(1_500):
                record.append_audio(np.full(6_400, number, np.float32))

        writer = Thread(target=write)
        try:
            writer.start()
            while writer.is_alive():
                newest = record.chunks_heard
                for chunk in range(max(0, newest - 4), newest):
                    samples = record.chunk_audio(chunk)
                    assert samples is not None
                    assert samples[0] == samples[-1] == chunk
        finally:
            writer.join()
            sys.setswitchinterval(interval)

    def test_an_interrupted_append_may_be_repeated(self, tmp_path: Path) -> None:
        """At whatever line Ctrl-C comes: a chunk is added once, and in its own place."""
        line, done = 0, False
        while not done:
            line += 1
            record = SessionRecord(0.8, tmp_path)
            left, done = line, True
            for number in range(5):
                samples = np.full(6_400, number, np.float32)
                bomb = Bomb(left, KeyboardInterrupt)
                try:
                    with bomb:
                        record.append_audio(samples)
                except KeyboardInterrupt:
                    done = False
                    if record.chunks_heard == number:
                        record.append_audio(samples)
                left -= bomb.lines
            assert record.audio.reshape(5, -1)[:, 0].tolist() == [0, 1, 2, 3, 4]
            assert [record.chunk_audio(number)[0] for number in range(5)] == [0, 1, 2, 3, 4]  # type: ignore[index]
        assert line > 20
