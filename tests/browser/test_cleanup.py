"""Nothing is left behind: no live microphone, no thread, and never two recordings of one widget."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from . import sounds
from .conftest import OpenNotebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"
THREADS = "[t.name for t in __import__('threading').enumerate() if t.name.startswith('ai_widgets')]"
LIVE = "window.aiwTracks.filter(track => track.readyState === 'live').length"


def test_running_the_cell_again_releases_microphone_and_threads(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    notebook = open_notebook([WIDGET], microphone=sounds.microphone_file(tmp_path, sounds.speech()))
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
    assert "view_removed" in str(notebook.ask("old.record.notices.to_dict('records')"))


def test_a_kernel_restart_releases_the_microphone_and_says_so(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    notebook = open_notebook([WIDGET], microphone=sounds.microphone_file(tmp_path, sounds.speech()))
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 3)
    notebook.restart_kernel()
    notebook.page.wait_for_function(f"{LIVE} === 0", timeout=30_000)
    expect(notebook.widget.get_by_role("alert")).to_contain_text(re.compile("kernel", re.IGNORECASE))
    notebook.shot("kernel-restarted")


def test_closing_ends_threads_and_microphone(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    notebook = open_notebook([WIDGET, "w.close()"], microphone=sounds.microphone_file(tmp_path, sounds.speech()))
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 3)
    notebook.run_cell(1)
    assert notebook.ask(THREADS) == []
    notebook.page.wait_for_function(f"{LIVE} === 0")
    assert notebook.ask("len(w.record.decisions)") >= 3


def test_two_views_share_one_recording(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    notebook = open_notebook([WIDGET, "w"], microphone=sounds.microphone_file(tmp_path, sounds.speech()))
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


def test_a_reloaded_page_shows_what_the_kernel_recorded(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    notebook = open_notebook([WIDGET], microphone=sounds.microphone_file(tmp_path, sounds.speech()))
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 5)
    notebook.stop()
    count = notebook.ask("len(w.record.decisions)")
    notebook.save()
    notebook.page.reload()
    notebook.wait_count("decisions", count, seconds=60)
