"""The voice of `on_reply`: played in the page that records, marked on the timeline, and never heard by the model."""

from __future__ import annotations

from playwright.sync_api import expect

from .conftest import OpenNotebook
from .models import WIDGET

TONE = """\
import numpy as np


@w.on_reply
def tone(text, turn):
    if turn.turn:
        raise OSError("the second reply has no voice")
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * 16_000) / 16_000), 16_000
"""
GATED = "[c.chunk for c in w.record.since(0) if 'gated' in getattr(c, 'flags', ())]"
KINDS = "[n for n in w.record.notices['kind'].tolist() if n.startswith('voice')]"


def test_a_reply_is_spoken_while_the_model_hears_silence(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, TONE])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.record()
    widget = notebook.widget.first
    expect(widget.get_by_test_id("reading")).to_contain_text("the microphone is muted meanwhile")
    expect(widget.get_by_test_id("light")).to_have_attribute("data-light", "gated")
    notebook.shot("voice")
    expect(widget.get_by_test_id("reading")).to_have_count(0)
    notebook.wait_count("turns", 2)
    notebook.expect_problem("voice", "raised OSError: the second reply has no voice")
    notebook.stop()
    assert notebook.ask("w.wait(30)")
    gated, turns = notebook.ask(GATED), notebook.ask("w.record.turns['chunk'].tolist()")
    # Two seconds of sound are five chunks, and a moment of the room's echo follows.
    assert 4 <= len(gated) <= 8
    assert turns[0] < gated[0]
    assert notebook.ask(KINDS) == ["voice", "voice_failed"]
    assert notebook.ask("w.error is None")
