"""What is kept: a reloaded page, a second page, and a saved notebook whose kernel has ended."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from .conftest import OpenNotebook
from .lab import Lab
from .models import WIDGET
from .windows import Windows

DECIDED = "len(w.record.decisions)"


def test_reload_second_page_and_saved_notebook(open_notebook: OpenNotebook, windows: Windows, lab: Lab) -> None:
    notebook = open_notebook([WIDGET], own=True)
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("turns", 1)
    notebook.save()

    # Reloaded while it records: the kernel ends the recording, nothing that was heard is gone.
    notebook.page.reload()
    notebook.wait_open()
    notebook.wait_count("turns", 1)
    expect(notebook.widget.first).to_have_attribute("data-mic", "closed")
    expect(notebook.widget.first).to_have_attribute("data-saved", "false")
    notebook.wait_for_answer("'stream_ended' in w.record.notices['kind'].tolist()", True)
    assert "view_removed" in str(notebook.ask("w.record.table('notice', details=True).to_dict('records')"))
    notebook.wait_count("decisions", notebook.ask(DECIDED))

    # A second page: one records, the other is told, and both see the same.
    other = windows.second(notebook)
    notebook.record()
    before = notebook.ask(DECIDED)
    other.wait_count("decisions", before + 2)
    other.button("record").click()
    other.expect_problem("busy_elsewhere", "stop that recording first")
    expect(other.widget.first).to_have_attribute("data-mic", "closed")
    notebook.wait_count("decisions", before + 8)
    notebook.stop()
    expect(notebook.problem("busy_elsewhere")).to_have_count(0)
    other.page.close()
    assert notebook.ask("w.wait(60)")
    decided = notebook.ask("w.record.decisions['chunk'].tolist()")
    assert decided == list(range(len(decided)))

    # Saved, and opened again when its kernel has ended.
    turns = notebook.ask("w.record.turns['text'].tolist()")
    notebook.wait_for_answer("len(w.history['decisions']['chunk'])", len(decided))
    notebook.save()
    notebook.page.close()
    lab.end_kernel(notebook.name)
    # JupyterLab starts another kernel for it, which knows nothing of the widget; where "No Kernel" is chosen instead,
    # its widget manager waits for one and draws no widget of anybody's.
    book = json.loads((lab.root / notebook.name).read_text(encoding="utf-8"))
    assert book["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    saved = windows.second(notebook)
    assert saved.ask("'w' in globals()") is False
    widget = saved.widget.first
    expect(widget).to_have_attribute("data-saved", "true")
    expect(widget).to_have_attribute("data-decisions", str(len(decided)))
    expect(widget.get_by_test_id("saved")).to_contain_text(re.compile("saved session.*Run the cell", re.DOTALL))
    expect(saved.button("record")).to_be_disabled()
    expect(saved.button("file")).to_be_disabled()
    for index, text in enumerate(turns):
        expect(widget.get_by_test_id("turn-text").nth(index)).to_have_text(text)
    # The inspector works on what was saved.
    widget.get_by_role("slider", name="Timeline of chunks").focus()
    saved.page.keyboard.press("Home")
    saved.page.keyboard.press("Enter")
    expect(widget.get_by_test_id("inspector")).to_have_attribute("data-chunk", "0")
    saved.shot("saved")
    saved.page.close()
