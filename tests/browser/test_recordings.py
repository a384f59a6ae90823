"""Save in one widget, open in another: the downloaded file is the record, and dropping it shows it again."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from ai_widgets.record.record import SessionRecord

from .axe import grave_findings
from .conftest import OpenNotebook
from .models import WIDGET
from .page import Notebook
from .sounds import SPEECH

PLAY = f"w.play({str(SPEECH)!r})"
OTHER = WIDGET.replace("w = ", "other = ").removesuffix("\nw") + "\nother"
EVENTS = "[event.to_json() for event in w.record.events]"
DRAG = """(element, [name, data, kinds]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name));
  for (const kind of kinds)
    element.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: transfer}));
}"""

ALTERED = """\
from msgspec import structs

altered = aiw.SessionRecord(None)
altered.begin(w.record.header)
for chunk in range(w.record.chunks_heard):
    altered.append_audio(w.record.chunk_audio(chunk))
for event in w.record.events:
    other_p = event.type == "decision" and event.chunk == 11
    altered.append(structs.replace(event, p_text=event.p_text + 0.25) if other_p else event)
other.show(altered)
"""
"""The first widget's record with one number changed, shown in the other widget."""
STICKS_OUT = """root => [...root.querySelectorAll(
  '[data-testid=recording] *, [data-testid=check] *, [data-testid=save-formats] *'
)].filter(part => part.getBoundingClientRect().right > root.getBoundingClientRect().right)
  .map(part => part.outerHTML)"""
"""Parts of this test's bars that stick out of a narrow widget."""


def drag(widget: Locator, path: Path, *kinds: str) -> None:
    """Drag a file of the disk over a widget, or drop it there."""
    widget.evaluate(DRAG, [path.name, base64.b64encode(path.read_bytes()).decode(), list(kinds)])


def saved(notebook: Notebook, widget: Locator, form: str, folder: Path) -> Path:
    """Save what a widget shows, as a person does."""
    widget.get_by_test_id("save").click()
    with notebook.page.expect_download() as download:
        widget.get_by_test_id(f"save-{form}").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_session_is_saved_opened_by_drop_and_reproduced(
    open_notebook: OpenNotebook, tmp_path: Path, dark: bool
) -> None:
    shade = "dark" if dark else "light"
    notebook = open_notebook([WIDGET, PLAY, OTHER, ALTERED], dark=dark)
    notebook.run_cell(0)
    first = notebook.widget.nth(0)
    expect(first.get_by_test_id("save")).to_be_disabled()
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    first.get_by_test_id("save").click()
    expect(first.get_by_test_id("save-formats")).to_be_visible()
    notebook.shot(f"save-{shade}")
    first.get_by_test_id("save").click()

    path = saved(notebook, first, "aiw", tmp_path)
    assert re.fullmatch(r"tiny-\d{4}-\d\d-\d\d-\d{4}\.aiw", path.name)
    record = SessionRecord.load(path)
    assert [event.to_json() for event in record.events] == notebook.ask(EVENTS)
    page = saved(notebook, first, "html", tmp_path)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    expect(first.get_by_test_id("saving")).to_have_count(0)

    notebook.run_cell(2)
    second = notebook.widget.nth(1)
    expect(second).to_have_attribute("data-line", "ready")
    drag(second, path, "dragover")
    expect(second).to_have_attribute("data-dropping", "true")
    second.screenshot(path=notebook.artifacts / f"drop-{shade}.png")
    drag(second, path, "drop")
    expect(second).to_have_attribute("data-recording", "true")
    decided = len(record.decisions)
    expect(second).to_have_attribute("data-decisions", str(decided))
    expect(second.get_by_test_id("recording")).to_contain_text(path.name)
    expect(second.get_by_test_id("save")).to_be_enabled()
    replies = second.get_by_test_id("turn-text").all_inner_texts()
    assert replies == first.get_by_test_id("turn-text").all_inner_texts()
    assert len(replies) == 2
    second.get_by_test_id("check-start").click()
    expect(second.get_by_test_id("badge")).to_have_attribute("data-badge", "reproduced")
    second.get_by_test_id("replay-play").click()
    expect(second.get_by_test_id("replay-position").locator("b")).to_have_text(re.compile(r"0:0[1-9]\.\d"))
    second.get_by_test_id("replay-play").click()
    assert grave_findings(notebook.page) == []
    second.scroll_into_view_if_needed()
    second.screenshot(path=notebook.artifacts / f"opened-{shade}.png")
    notebook.run_cell(3)
    second.get_by_test_id("check-start").click()
    expect(second.get_by_test_id("badge")).to_have_attribute("data-badge", "differs")
    expect(second.get_by_test_id("badge-text")).to_contain_text("(by 0.25)")
    second.get_by_test_id("badge-chunk").click()
    expect(second.get_by_test_id("inspector")).to_have_attribute("data-chunk", "11")
    assert grave_findings(notebook.page) == []
    second.screenshot(path=notebook.artifacts / f"differs-{shade}.png")
    if not dark:
        for widget, name in ((first, "save"), (second, "opened")):
            widget.evaluate("root => { root.parentElement.style.cssText = 'width: 300px; flex: none'; }")
            if name == "save":
                widget.get_by_test_id("save").click()
            assert widget.evaluate(STICKS_OUT) == []
            widget.scroll_into_view_if_needed()
            widget.screenshot(path=notebook.artifacts / f"{name}-narrow.png")
    second.get_by_test_id("recording-close").click()
    expect(second).to_have_attribute("data-decisions", "0")
    assert notebook.ask("len(other.record)") == 0
