"""For everybody: without a mouse, with a screen reader, in dark, narrow and high-contrast windows, without motion."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .axe import grave_findings
from .conftest import OpenNotebook
from .models import WIDGET
from .page import Notebook
from .sounds import SPEECH

PLAY = f"w.play({str(SPEECH)!r})"
FOCUSED = """() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return {
    name: element.dataset.testid ?? element.className,
    inside: !!element.closest('[data-testid=aiw]'),
    ring: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
    shown: element.getClientRects().length > 0,
  };
}"""
MOVING = """element => element.getAnimations({subtree: true}).length
  + [...element.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0).length"""
STICKING_OUT = """element => [...element.querySelectorAll('*')].filter(e => {
  const box = e.getBoundingClientRect(), frame = element.getBoundingClientRect();
  const scrolls = e.closest('.aiw-timeline, table, pre, .aiw-hidden, .aiw-cells, svg, select');
  return !scrolls && box.width > 0 && (box.right > frame.right + 1 || box.left < frame.left - 1);
}).map(e => e.outerHTML.slice(0, 120))"""


def everything_open(open_notebook: OpenNotebook, *, dark: bool = False) -> Notebook:
    """A finished talk with a picked chunk, open settings, a problem, and step mode with a guess asked for."""
    notebook = open_notebook([WIDGET, PLAY], dark=dark)
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    widget = notebook.widget.first
    widget.get_by_test_id("transcript").locator(".aiw-token[data-index]").first.click()
    expect(widget.get_by_test_id("sampling")).to_be_visible()
    for fold in widget.get_by_test_id("inspector").locator("summary").all():
        fold.click()
    notebook.setting("bias")
    notebook.ask("w.set(temperature=0.5)")
    return notebook


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_grave_finding_of_axe(open_notebook: OpenNotebook, dark: bool) -> None:
    notebook = everything_open(open_notebook, dark=dark)
    widget = notebook.widget.first
    assert grave_findings(notebook.page) == []
    notebook.shot("everything-dark" if dark else "everything")
    # Another way of looking, and the states that come and go.
    notebook.button("settings-toggle").click()
    notebook.button("table").click()
    notebook.button("step-mode").click()
    widget.get_by_test_id("step-replay").click()
    widget.get_by_test_id("predict").check()
    widget.get_by_test_id("step-next").focus()
    for key in "n1n":
        notebook.page.keyboard.press(key)
    expect(widget.get_by_test_id("reveal")).to_contain_text("Chunk")
    assert grave_findings(notebook.page) == []
    notebook.shot("step-table-dark" if dark else "step-table")


def test_an_empty_and_a_recording_widget_have_no_grave_finding(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    expect(notebook.widget.first).to_have_attribute("data-line", "ready")
    assert grave_findings(notebook.page) == []
    notebook.record()
    notebook.wait_count("turns", 1)
    notebook.page.evaluate("aiwTracks[0].dispatchEvent(new Event('mute'))")
    notebook.expect_problem("muted_by_system", "hears silence")
    assert grave_findings(notebook.page) == []
    notebook.stop()


def test_the_keyboard_reaches_everything_and_the_focus_is_seen(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, PLAY])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    press = notebook.page.keyboard.press
    notebook.button("record").focus()
    reached: list[str] = []
    while len(reached) < 80:
        focused = notebook.page.evaluate(FOCUSED)
        if not focused["inside"]:
            break
        assert focused["shown"], focused
        if reached:  # the first was focused by the test, which shows no ring
            assert focused["ring"], focused
        reached.append(focused["name"])
        press("Tab")
    assert len(reached) < 80, "the focus never leaves the widget"
    wanted = ["record", "reset", "step-mode", "settings-toggle", "file", "pace", "zoom-out", "fit", "follow", "table"]
    assert [name for name in wanted if name not in reached] == []
    # From the first button to a chunk, a token and back without a mouse.
    widget = notebook.widget.first
    widget.get_by_role("slider", name="Timeline of chunks").focus()
    press("Home")
    press("PageUp")
    press("Enter")
    expect(widget.get_by_test_id("inspector")).to_have_attribute("data-chunk", "10")
    press("Escape")
    widget.get_by_test_id("turn").first.locator(".aiw-token").first.focus()
    press("ArrowRight")
    press("Enter")
    expect(widget.get_by_test_id("inspected-step")).to_contain_text("Token")
    # One key records, from anywhere but a field, and JupyterLab does not take it.
    notebook.button("fit").focus()
    press("r")
    expect(widget).to_have_attribute("data-mic", "open")
    press("r")
    expect(widget).to_have_attribute("data-state", "stopped")
    expect(notebook.page.locator(".jp-CodeCell")).to_have_count(2)


def test_narrow_high_contrast_and_without_motion(open_notebook: OpenNotebook) -> None:
    notebook = everything_open(open_notebook)
    page, widget = notebook.page, notebook.widget.first
    # A cell of 360 px, whatever JupyterLab puts beside it.
    around = widget.evaluate("element => innerWidth - element.offsetWidth")
    page.set_viewport_size({"width": 360 + around, "height": 900})
    page.wait_for_function("document.querySelector('[data-testid=aiw]').offsetWidth <= 362")
    assert widget.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert widget.evaluate(STICKING_OUT) == []
    notebook.shot("narrow")
    notebook.look(forced=True)
    notebook.shot("high-contrast")
    # Colours are the system's: what is told by colour alone is told otherwise too.
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    assert grave_findings(page) == []
    notebook.look()
    page.emulate_media(reduced_motion="reduce")
    notebook.record()
    notebook.wait_count("chunks", 30)
    assert widget.evaluate(MOVING) == 0
    notebook.stop()
