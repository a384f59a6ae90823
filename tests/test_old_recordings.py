"""A recording that a released version wrote opens in every later one (`tests/recorded.py` wrote it, once)."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ai_widgets.protocol import Decision, Notice, Token, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.special_tokens import Emotion
from tests.recorded import RECORDING

P_TEXT = [
    *(3e-06, 0.000501, 2.4e-05, 4e-06, 4e-06, 6e-06, 7e-06, 3e-06),
    *(3e-06, 4e-06, 2e-05, 0.995773, 6e-06, 6e-06, 0.005079, 0.016301),
]
AUDIO_SHA256 = "c6e04aa6bf63bf70a4cb51f20245f3877e8ee3ea3a007cf39b9392bcf7a0ce65"
"""Of the samples as little-endian float32: `audio.flac` and `audio.rest` together are exact."""


@pytest.fixture(scope="module")
def record() -> SessionRecord:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return SessionRecord.load(RECORDING)


class TestVersion02:
    def test_events(self, record: SessionRecord) -> None:
        kinds = {"chunk": 16, "decision": 16, "timing": 16, "token": 6, "turn": 1, "notice": 1}
        assert Counter(event.type for event in record.events) == kinds
        (turn,), (notice,) = record.of_type(Turn), record.of_type(Notice)
        assert (turn.text, turn.emotion, turn.chunk) == ("I heard somebody speak.", Emotion.NORMAL, 11)
        assert [token.token for token in record.of_type(Token)] == list(turn.tokens)
        assert (notice.kind, notice.chunk, notice.data["changed"]) == ("settings", 13, {"bias": 0.25})
        assert [decision.p_text for decision in record.of_type(Decision)] == pytest.approx(P_TEXT, abs=6e-7)
        assert [decision.rule["bias"] for decision in record.of_type(Decision)] == [0.0] * 13 + [0.25] * 3
        assert all(len(decision.alternatives) >= 5 for decision in record.of_type(Decision))

    def test_audio_to_the_last_bit(self, record: SessionRecord) -> None:
        assert hashlib.sha256(record.audio.astype("<f4").tobytes()).hexdigest() == AUDIO_SHA256
        np.testing.assert_array_equal(record.chunk_audio(4), record.audio[4 * 6_400 : 5 * 6_400])

    def test_header(self, record: SessionRecord) -> None:
        header = record.header
        assert (header.model["name"], header.model["device"], header.model["dtype"]) == ("tiny", "cpu", "float32")
        assert (header.settings["seed"], header.settings["temperature"], header.settings["bias"]) == (7, 0.9, 0.0)
        assert header.model["traits"]["special_tokens"]["TEXT_BEGIN"] == 486
        assert header.framing["texts"]["487"] == "TEXT_END"
        assert header.sessions == 1

    def test_it_stays_small(self) -> None:
        assert RECORDING.stat().st_size <= 60_000

    def test_it_is_saved_again_with_the_same_content(self, record: SessionRecord, tmp_path: Path) -> None:
        again = SessionRecord.load(record.save(tmp_path / "again.aiw"))
        assert again.events == record.events
        assert again.header == record.header
        np.testing.assert_array_equal(again.audio, record.audio)
