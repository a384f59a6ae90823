"""Nothing is left behind: no live microphone, no thread, and never two recordings of one widget."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .conftest import OpenNotebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"
THREADS = "[t.name for t in __import__('threading').enumerate() if t.name.startswith('ai_widgets')]"
LIVE = "window.aiwTracks.filter(track => track.readyState === 'live').length"


def test_running_the_cell_again_releases_microphone_and_threads(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 3)
    assert notebook.page.evaluate(LIVE) == 1
    notebook.ask("globals().__setitem__('old', w)")
    notebook.run_cell(0)
    notebook.page.wait_for_function(f"{LIVE} === 0")
    expect(notebook.widget).to_have_count(1)
    # The threads end by themselves once nothing has come for a while.
    assert notebook.ask("old.wait(30)")
    notebook.wait_for_answer(THREADS, [])
    assert notebook.ask("len(old.record.decisions)") >= 3
    assert "view_removed" in str(notebook.ask("old.record.table('notice', details=True).to_dict('records')"))


def test_closing_ends_threads_and_microphone(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, "w.close()"])
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 3)
    notebook.run_cell(1)
    assert notebook.ask(THREADS) == []
    notebook.page.wait_for_function(f"{LIVE} === 0")
    assert notebook.ask("len(w.record.decisions)") >= 3


def test_two_views_share_one_recording(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, "w"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    expect(notebook.widget).to_have_count(2)
    notebook.record()
    expect(notebook.widget.nth(1)).to_have_attribute("data-state", re.compile("listening|speaking"))
    assert notebook.page.evaluate("window.aiwTracks.length") == 1
    notebook.wait_count("decisions", 3)
    notebook.widget.nth(1).get_by_test_id("record").click()
    expect(notebook.widget.nth(0)).to_have_attribute("data-state", "stopped")
    notebook.page.wait_for_function(f"{LIVE} === 0")
