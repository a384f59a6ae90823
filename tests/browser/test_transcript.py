"""The transcript that a saved notebook keeps: hidden beside the live view, seen wherever there is no view."""

from __future__ import annotations

import json
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, expect

from . import sounds
from .conftest import OpenNotebook
from .lab import Lab
from .models import WIDGET
from .page import Notebook
from .windows import Windows

VIEW = "application/vnd.jupyter.widget-view+json"
TEXTS = "w.record.turns['text'].tolist()"


def transcript(notebook: Notebook) -> Locator:
    return notebook.page.locator("[class^='aiw-transcript-']").first


def outputs(lab: Lab, name: str) -> list[dict[str, Any]]:
    book = json.loads((lab.root / name).read_text(encoding="utf-8"))
    return [output["data"] for output in book["cells"][0]["outputs"]]


def test_a_notebook_keeps_the_transcript(open_notebook: OpenNotebook, windows: Windows, lab: Lab) -> None:
    notebook = open_notebook([WIDGET, f"w.play({str(sounds.SPEECH)!r})"], own=True)
    notebook.run_cell(0)
    expect(notebook.widget).to_have_count(1)
    expect(transcript(notebook)).to_be_hidden()
    # Its row too: nothing stands below the view.
    expect(notebook.page.locator(".jp-OutputArea-child").first).to_be_visible()
    expect(notebook.page.locator(".jp-OutputArea-child").nth(1)).to_be_hidden()
    notebook.widget.evaluate("element => { element.dataset.mark = 'same' }")

    notebook.record()
    notebook.wait_count("turns", 1)
    notebook.stop()
    assert notebook.ask("w.wait(60)")
    notebook.run_cell(1)
    texts = notebook.ask(TEXTS)
    assert texts
    for text in texts:
        expect(transcript(notebook)).to_contain_text(text)
    expect(transcript(notebook)).to_be_hidden()
    # The view is the same one, not another that was built anew.
    expect(notebook.widget).to_have_count(1)
    expect(notebook.widget).to_have_attribute("data-mark", "same")

    notebook.save()
    view, saved = outputs(lab, notebook.name)
    assert VIEW in view
    assert "run this cell to use it" in "".join(view["text/plain"])
    assert all(text in "".join(saved["text/html"]) for text in texts)
    exported, _ = HTMLExporter().from_filename(str(lab.root / notebook.name))
    assert all(text in exported.partition('<div class="aiw-transcript-')[2] for text in texts)

    # A closed widget leaves its transcript in its place.
    notebook.ask("w.close()")
    expect(notebook.widget).to_have_count(0)
    expect(transcript(notebook)).to_be_visible()
    expect(transcript(notebook)).to_contain_text("closed")
    notebook.shot("transcript", widget=False)

    # Widget state that was not saved, and a notebook that nobody signed.
    notebook.page.close()
    lab.end_kernel(notebook.name)
    book = nbformat.read(lab.root / notebook.name, as_version=4)
    book.metadata.pop("widgets", None)
    for output in book.cells[0].outputs:
        output.metadata = {}
    book.cells[0].source += "\n# Not the one that was signed."
    nbformat.write(book, lab.root / notebook.name)
    other = windows.second(notebook)
    expect(transcript(other)).to_be_visible()
    for text in texts:
        expect(transcript(other)).to_contain_text(text)
    picture = transcript(other).locator("img")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    other.shot("transcript-untrusted", widget=False)
    other.page.close()
