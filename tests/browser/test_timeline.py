"""The timeline in JupyterLab: its lanes are drawn, fold, zoom and are walked by keyboard; the table says the same."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from . import sounds
from .conftest import OpenNotebook
from .page import Notebook

CELLS = ["import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw", f"w.play({str(sounds.SPEECH)!r})"]
COLOURS_IN_LANE = """(canvas, [top, height]) => {
  const scale = devicePixelRatio;
  const { data } = canvas.getContext("2d").getImageData(0, top * scale, canvas.width, height * scale);
  return new Set(new Uint32Array(data.buffer)).size;
}"""
"""How many different colours a band of the canvas shows: an empty lane has three or four."""


def talk(open_notebook: OpenNotebook) -> tuple[Notebook, Locator]:
    """A finished talk of two replies, and its widget."""
    notebook = open_notebook(CELLS)
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    return notebook, notebook.widget.first


def test_every_lane_is_drawn_and_folds(open_notebook: OpenNotebook) -> None:
    notebook, widget = talk(open_notebook)
    names = widget.locator(".aiw-lane-name")
    expect(names).to_have_count(7)
    canvas = widget.get_by_test_id("timeline")
    widget.get_by_test_id("fit").click()
    for lane in ("input", "heard", "decision", "probability", "reply", "latency"):
        box = widget.locator(f"[data-lane={lane}]").evaluate("e => [e.offsetTop, e.offsetHeight]")
        notebook.page.wait_for_function(
            f"([lane, least]) => ({COLOURS_IN_LANE})(document.querySelector('[data-testid=timeline]'), lane) > least",
            arg=[box, 8],
        )
    notebook.shot("timeline")
    tall = canvas.evaluate("e => e.clientHeight")
    names.nth(1).click()
    expect(names.nth(1)).to_have_attribute("aria-expanded", "false")
    assert canvas.evaluate("e => e.clientHeight") < tall
    # One tab stop for all names; the arrow keys go on from there.
    notebook.page.keyboard.press("ArrowDown")
    expect(names.nth(2)).to_be_focused()
    notebook.page.keyboard.press("Enter")
    expect(names.nth(2)).to_have_attribute("aria-expanded", "false")


def test_the_lanes_are_walked_zoomed_and_read_under_the_pointer(open_notebook: OpenNotebook) -> None:
    notebook, widget = talk(open_notebook)
    slider = widget.get_by_role("slider", name="Timeline of chunks")
    slider.focus()
    notebook.page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    notebook.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    follow = widget.get_by_test_id("follow")
    notebook.page.keyboard.press("f")
    expect(follow).to_have_attribute("aria-pressed", "false")
    notebook.page.keyboard.press("l")
    expect(follow).to_have_attribute("aria-pressed", "true")
    box = slider.bounding_box()
    assert box is not None
    # The chunk under the pointer stays there while the wheel zooms.
    widget.get_by_test_id("fit").click()
    slider.focus()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    notebook.page.mouse.move(x, y)
    readout = widget.get_by_test_id("readout")
    title = readout.locator("strong").inner_text()
    notebook.page.mouse.wheel(0, -240)
    expect(follow).to_have_attribute("aria-pressed", "false")
    assert readout.locator("strong").inner_text() == title
    # A box of its own beside the chunk, and not text across the lanes.
    expect(readout).to_have_css("position", "absolute")
    expect(readout).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")


def test_the_table_shows_the_record_and_picks_chunks(open_notebook: OpenNotebook) -> None:
    notebook, widget = talk(open_notebook)
    size = "element => [element.offsetWidth, element.offsetHeight]"
    before = widget.evaluate(size)
    widget.get_by_test_id("table").click()
    # In the lanes' place: nothing else moves.
    assert widget.evaluate(size) == before
    chunk, p_text = notebook.ask("[(d.chunk, d.p_text) for d in w.record.of_type(aiw.Decision)][-1]")
    grid = widget.get_by_role("grid")
    grid.focus()
    notebook.page.keyboard.press("End")
    notebook.page.keyboard.press("Enter")
    row = grid.locator(f"[data-chunk='{chunk}']")
    expect(row).to_have_attribute("aria-selected", "true")
    expect(row).to_contain_text(f"{p_text:.4f}")
    notebook.shot("table")
