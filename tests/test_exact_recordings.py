"""Any events and any audio: saved and loaded, they are equal."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import (
    RecordWarning,
)
from ai_widgets.protocol import Alternative, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.record import exact_flac
from ai_widgets.record.record import SessionRecord
from ai_widgets.special_tokens import Emotion
from tests import exact_flac_vectors
from tests.signals import Array

TALK = "talk.aiw"


WHOLE = st.integers(-(2**40), 2**40)


REAL = st.floats(allow_nan=False, allow_infinity=False, width=64)


TEXT = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["</script><img src=x onerror=alert(1)>", "a\nb\r\u2028\u2029c", "\ud800", "\x00", '"\\', "🦜́", '{"type":"turn"}']
)


JSON: Any = st.recursive(
    st.none() | st.booleans() | WHOLE | REAL | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


TOKENS = st.lists(WHOLE, max_size=5).map(tuple)


ALTERNATIVES = st.lists(st.builds(Alternative, WHOLE, TEXT, REAL, REAL, REAL), max_size=2).map(tuple)


DRAW = st.none() | REAL


EVENTS = st.one_of(
    st.builds(
        Chunk,
        WHOLE,
        WHOLE,
        REAL,
        REAL,
        st.lists(REAL, max_size=3).map(tuple),
        st.lists(TEXT, max_size=2).map(tuple),
        TEXT,
    ),
    st.builds(
        Decision,
        *(WHOLE, WHOLE, REAL, WHOLE, st.sampled_from(["KEEP_SILENCE", "TEXT_BEGIN", "OTHER"])),
        *(REAL, REAL, REAL, REAL, REAL, REAL, DRAW, WHOLE, WHOLE, ALTERNATIVES, TOKENS, WHOLE, WHOLE, WHOLE),
        st.dictionaries(TEXT, JSON, max_size=2),
    ),
    st.builds(Token, WHOLE, WHOLE, WHOLE, WHOLE, REAL, TEXT, REAL, DRAW, WHOLE, WHOLE, ALTERNATIVES),
    st.builds(
        *(Turn, WHOLE, WHOLE, WHOLE, REAL, st.none() | st.sampled_from(Emotion), TEXT, TOKENS),
        st.sampled_from(["TEXT_END", "limit", "interrupted", "error"]),
    ),
    st.builds(Notice, WHOLE, TEXT, TEXT, st.dictionaries(TEXT, JSON, max_size=2)),
    st.builds(Timing, WHOLE, REAL, REAL, REAL, REAL, REAL, WHOLE, WHOLE, REAL, REAL, REAL, REAL),
)


SAMPLES = st.lists(
    st.floats(-1.5, 1.5, width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20
)


@given(st.lists(EVENTS, max_size=12), st.lists(SAMPLES, max_size=3), st.booleans())
def test_save_and_load_give_equal_events_and_audio(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], audio: list[list[float]], folder: bool
) -> None:
    here = tmp_path_factory.mktemp("given")
    record = SessionRecord(keep=here / "kept.aiw")
    for event in events:
        record.append(event)
    for samples in audio:
        record.append_audio(np.resize(np.array([*samples, 0], np.float32), 6_400))
    with warnings.catch_warnings():
        # Chunks and audio of different number are no concern here.
        warnings.simplefilter("ignore", RecordWarning)
        for where in (here / "kept.aiw", record.save(here / "saved.aiw", folder=folder)):
            loaded = SessionRecord.load(where) if where.exists() else SessionRecord()
            assert loaded.events[: len(events)] == tuple(events)
            np.testing.assert_array_equal(loaded.audio, record.audio)
    shutil.rmtree(here)


@given(st.lists(SAMPLES, min_size=1, max_size=3))
def test_flac_and_its_rest_are_exact(audio: list[list[float]]) -> None:
    for samples in audio:
        array: Array = np.array(samples, np.float32)
        whole, rest = exact_flac.split(array)
        assert np.abs(whole).max(initial=0) <= 1 << 23
        np.testing.assert_array_equal(exact_flac.join(whole, rest), array)


def test_16_bit_audio_needs_no_rest(tmp_path: Path) -> None:
    record = SessionRecord()
    for number in range(3):
        record.append_audio((np.arange(6_400, dtype=np.int16) * (number + 1) / 32_768).astype(np.float32))
        record.append(Chunk(number, 0, number * 0.4, -20.0, ()))
    with zipfile.ZipFile(record.save(tmp_path / TALK)) as file:
        assert file.namelist() == ["mimetype", "header.json", "events.jsonl", "audio.flac"]
    np.testing.assert_array_equal(SessionRecord.load(tmp_path / TALK).audio, record.audio)


def test_the_web_page_reads_the_same_split() -> None:
    assert exact_flac_vectors.PATH.read_text(encoding="utf-8") == exact_flac_vectors.text()
