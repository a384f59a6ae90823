"""The record: append-only events as tables, and the newest audio."""

from __future__ import annotations

import numpy as np
import pytest

from ai_widgets.errors import SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import EVENTS_VERSION, Chunk, Decision, Emotion, Notice, Timing, Token, Turn
from ai_widgets.record import SessionRecord
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


class TestTables:
    def test_a_row_an_event_and_a_column_a_field(self, record: SessionRecord) -> None:
        tables = {
            Chunk: record.chunks,
            Decision: record.decisions,
            Token: record.tokens,
            Turn: record.turns,
            Notice: record.notices,
            Timing: record.timings,
        }
        for kind, table in tables.items():
            assert len(table) == len(record.of_type(kind))
            assert list(table.columns) == list(kind.__dataclass_fields__)
        assert sum(len(table) for table in tables.values()) == len(record)

    def test_decisions(self, record: SessionRecord) -> None:
        table = record.decisions
        assert list(table["chunk"]) == list(range(23))
        np.testing.assert_allclose(table["start_s"], np.arange(23) * 0.4)
        np.testing.assert_allclose(table[["p_keep", "p_text", "p_other"]].sum(axis=1), 1, atol=1e-6)
        assert set(table["choice"]) == {"KEEP_SILENCE", "TEXT_BEGIN"}

    def test_turns(self, record: SessionRecord) -> None:
        table = record.turns
        assert len(table) >= 2
        assert set(table["emotion"].dropna()) <= {emotion.value for emotion in Emotion}
        assert record.text == "\n".join(table["text"])

    def test_an_empty_record_has_empty_tables_with_all_columns(self) -> None:
        empty = SessionRecord()
        for table in (empty.chunks, empty.decisions, empty.tokens, empty.turns, empty.notices, empty.timings):
            assert len(table) == 0
            assert "chunk" in table.columns
        assert (empty.text, len(empty), empty.seconds, len(empty.audio)) == ("", 0, 0, 0)


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
        assert repr(record) == f"<SessionRecord: 9.2 s, 23 decisions, {len(record.turns)} replies>"


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

    def test_a_session_may_write_into_a_given_record(self, toy: Model) -> None:
        record = SessionRecord(0.4)
        session = toy.session(record)
        list(session.push(babble(2)))
        assert session.record is record
        assert len(record.audio) == 6_400
        assert len(record.decisions) == 5
