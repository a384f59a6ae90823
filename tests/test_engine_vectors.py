"""The files that hold the engine of the page to Python's results are still what Python says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ai_widgets.protocol import Chunk, Notice, Timing, Token, Turn
from tests.engine_reruns import FORKS, fork_events, record
from tests.engine_sessions import SESSIONS, clip, events_of, written_clip
from tests.engine_vectors import FOLDER, contents, unpacked

ARRAYS = ("float32",)
"""Fields that hold a packed array of results; `int16` holds what was given."""


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


WORDS = ("help", "label", "unset", "allowed", "choices", "group")
"""Wording of a setting, which an engine shows and does not compute with: it may change without the vectors."""


def assert_same(made: Any, written: Any, atol: float, where: str = "") -> None:
    """Equal in structure, texts and whole numbers; other numbers and arrays within `atol`."""
    if isinstance(made, dict):
        assert list(made) == list(written), where
        for key, value in made.items():
            if key in WORDS:
                continue
            if key in ARRAYS:
                np.testing.assert_allclose(unpacked(value, key), unpacked(written[key], key), rtol=0, atol=atol)
            else:
                assert_same(value, written[key], atol, f"{where}.{key}")
    elif isinstance(made, list):
        assert len(made) == len(written), where
        for place, (one, other) in enumerate(zip(made, written, strict=True)):
            assert_same(one, other, atol, f"{where}[{place}]")
    elif isinstance(made, float):
        assert written == pytest.approx(made, rel=0, abs=atol), where
    else:
        assert made == written, where


@pytest.fixture(scope="module")
def made() -> Any:
    return json.loads(json.dumps(contents()))


@pytest.mark.parametrize(
    ("name", "atol"),
    [
        ("features.json", 1e-5),
        ("resampling.json", 1e-5),
        ("random.json", 0.0),
        ("sampling.json", 1e-6),
        ("tokenizer.json", 0.0),
        ("manifest.json", 1e-12),
    ],
)
def test_a_file_is_what_its_maker_makes(made: Any, name: str, atol: float) -> None:
    assert_same(made[name], read(name), atol, name)


@pytest.mark.parametrize("session", SESSIONS, ids=[str(each["name"]) for each in SESSIONS])
def test_a_session_is_what_python_says(session: dict[str, Any]) -> None:
    written = next(each for each in read("sessions.json")["sessions"] if each["name"] == session["name"])
    assert {key: written[key] for key in session} == json.loads(json.dumps(session))
    assert_same(json.loads(json.dumps(events_of(session))), written["events"], 5e-3)


def test_a_recording_and_its_forks_are_what_python_says() -> None:
    written, heard = read("reruns.json"), record()
    events = [event.to_json() for event in heard.events if not isinstance(event, Timing)]
    assert_same(json.loads(json.dumps(events)), written["events"], 5e-3)
    assert {event.floor for event in heard.of_type(Chunk)} == {"clip", "running"}
    assert [{key: each[key] for key in change} for each, change in zip(written["forks"], FORKS, strict=True)] == [
        *FORKS
    ]
    for change, each in zip(FORKS, written["forks"], strict=True):
        assert_same(json.loads(json.dumps(fork_events(heard, change))), each["events"], 5e-3)


@pytest.mark.parametrize("name", ["speech", "rain"])
def test_a_clip_is_the_one_that_was_made(name: str) -> None:
    made, written = clip(name), written_clip(name)
    assert len(made) == len(written)
    # Decoders of Vorbis round differently.
    assert np.abs(made.astype(int) - written.astype(int)).max() <= 2


def test_the_sessions_show_what_an_engine_must_do() -> None:
    events = [event for session in read("sessions.json")["sessions"] for event in session["events"]]
    kinds = {event["kind"] for event in events if event["type"] == Notice.type}
    assert {
        "context_slide",
        "context_reset",
        "context_full",
        "limit",
        "settings",
        "repaired",
        "dropped",
        "fork",
    } <= kinds
    assert {event["ended"] for event in events if event["type"] == Turn.type} >= {"TEXT_END", "interrupted", "limit"}
    assert any(event["type"] == Token.type and event["draw"] is not None for event in events)
