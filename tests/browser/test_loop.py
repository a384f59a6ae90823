"""The loop as a user meets it: press Record, speak, stop speaking, be answered."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import soxr

from . import sounds
from .conftest import OpenNotebook
from .page import NOTICES, Notebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"
AUDIO = "__import__('base64').b64encode(w.record.audio.tobytes()).decode()"


def kernel_audio(notebook: Notebook) -> sounds.Array:
    """The audio the kernel holds, float32 at 16 kHz."""
    return np.frombuffer(base64.b64decode(notebook.ask(AUDIO)), np.float32)


def test_each_utterance_is_answered_after_its_end(open_notebook: OpenNotebook) -> None:
    played = sounds.speech()
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.wait_count("decisions", 0)
    notebook.shot("idle")
    notebook.record()
    notebook.wait_count("turns", 1)
    notebook.shot("recording")
    notebook.wait_count("turns", 2)
    notebook.wait_count("chunks", int((len(played) / sounds.RATE + 2) / 0.4))
    notebook.stop()
    notebook.page.mouse.move(0, 0)
    notebook.shot("replies")

    heard, expected = kernel_audio(notebook), soxr.resample(played, sounds.RATE, 16_000)
    late = sounds.delay(heard, expected)
    assert sounds.losses(heard, expected) == []

    turns = notebook.ask("w.record.turns[['chunk', 'text', 'ended']].to_dict('records')")
    spoken = sounds.utterances(played)
    assert len(spoken) == 2
    ends = [late / 16_000 + each.end_s for each in spoken]
    starts = [late / 16_000 + each.start_s for each in spoken]
    replies = [(turn["chunk"] + 1) * 0.4 for turn in turns]
    assert len(replies) >= 2
    assert any(ends[0] < at < starts[1] for at in replies)
    assert any(ends[1] < at for at in replies)
    for start, end in zip(starts, ends, strict=True):
        assert not [at for at in replies if start < at <= end], "a reply began before its utterance had ended"
    shown = notebook.widget.first.get_by_test_id("turn").all_inner_texts()
    assert len(shown) == len(turns)
    for turn, text in zip(turns, shown, strict=True):
        assert turn["text"].strip() in " ".join(text.split())
    assert notebook.errors() == []


def test_rain_is_not_answered(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    notebook = open_notebook([WIDGET], microphone=sounds.microphone_file(tmp_path, sounds.rain(12)))
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 36)
    notebook.stop()
    assert notebook.ask("len(w.record.turns)") == 0


def test_recording_through_a_busy_cell_loses_nothing(open_notebook: OpenNotebook) -> None:
    played = sounds.speech()
    notebook = open_notebook([WIDGET, "import time\ntime.sleep(6)", "'done'"])
    notebook.run_all()
    notebook.page.wait_for_selector("[data-testid=aiw]")
    notebook.record()
    notebook.wait_idle()
    notebook.wait_count("decisions", 25)
    notebook.stop()
    assert notebook.ask("w.wait(30)")
    assert notebook.ask(NOTICES) == ["stream"]
    heard, expected = kernel_audio(notebook), soxr.resample(played, sounds.RATE, 16_000)
    assert sounds.losses(heard, expected) == []
    # One chunk follows the other without a gap: the decisions count the seconds of the audio.
    assert notebook.ask("w.record.decisions['chunk'].tolist()") == list(range(len(heard) // 6400))


@pytest.mark.parametrize("pace", ["realtime", "fast"])
def test_a_file_takes_the_same_path(open_notebook: OpenNotebook, tmp_path: Path, pace: str) -> None:
    played = sounds.speech()
    path = sounds.microphone_file(tmp_path, played, trail_s=1.0).rename(tmp_path / "clip.wav")
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.choose_file(path, pace)
    seconds = len(played) / sounds.RATE + 1.5
    notebook.wait_count("decisions", int(seconds / 0.4))
    notebook.wait_count("turns", 2)
    assert notebook.ask("w.wait(30)")
    expected = soxr.resample(np.concatenate([np.zeros(sounds.RATE // 2, np.float32), played]), sounds.RATE, 16_000)
    heard = kernel_audio(notebook)[: len(expected)]
    assert float(np.abs(heard - expected).max()) < 1e-3
    kinds = notebook.ask("w.record.notices['kind'].tolist()")
    assert [kind for kind in kinds if kind != "context_slide"] == ["stream"]
