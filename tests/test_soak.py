"""Minutes of the soak that `ai-widgets bench --soak` runs for hours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import comm
import pytest

from ai_widgets.cli.bench import soak
from ai_widgets.inference import Model
from ai_widgets.protocol import Decision
from ai_widgets.widget.history import MOST_BYTES
from tests.page import Comm
from tests.scripted import scripted, spell

MINUTES = 12.0


def test_minutes_are_flat(toy: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Real features, resampler and tower; a scripted decoder that replies now and then."""
    monkeypatch.setattr(comm, "create_comm", Comm)
    monkeypatch.setattr(soak, "RECORDING_S", 120.0)
    model, _ = scripted(toy, ("." * 30 + "T") * 60, [spell("all is well")] * 60)
    audio_s = MINUTES * 60
    readings, widget = soak.soak(model, audio_s, warm_up_s=240.0, every_s=120.0, audio_seconds=60.0, keep=tmp_path)
    assert soak.faults(readings, widget) == []
    recordings = 6
    tails = 3
    assert widget.record.count(Decision) == audio_s / 0.4 + recordings * tails
    assert widget.longest < MOST_BYTES * 1.1
    measured = soak.figures(readings, widget, 1.0)
    assert measured["replies"] > 50
    assert measured["messages sent a chunk"] < 12


def test_it_finds_what_grows() -> None:
    flat = soak.Reading(900.0, 500_000_000, 1000, 4, 0, 300_000, 1.0)
    widget = type("Widget", (), {"longest": 2_000_000})()
    grown = replace(flat, audio_s=1800.0, memory=560_000_000, threads=7, queued=2, history_bytes=500_000)
    found = soak.faults([flat, grown], widget)
    words = [
        "Memory is +12.0%",
        "7 threads",
        "2 items wait",
        "500000 bytes",
        "A message of 2000000 bytes",
    ]
    assert len(found) == len(words)
    assert all(any(word in sentence for sentence in found) for word in words)
