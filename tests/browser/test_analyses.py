"""Onset curve, raster of seeds and other audio: asked for in the widget, and shown in an exported page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import ai_widgets as aiw
from ai_widgets import analysis
from ai_widgets.record.record import SessionRecord

from .axe import grave_findings
from .conftest import OpenNotebook
from .sounds import SPEECH
from .test_narrow import NARROW, expect_all_within_reach
from .test_viewer import OpenPage, browser, open_page, talk, viewer

__all__ = ["browser", "open_page", "talk"]
DRAWN = "import ai_widgets as aiw\nw = aiw.AudioInteraction(seed=1)\nw"
PLAY = f"w.play({str(SPEECH)!r})"
WIDTHS = ((1280, False), (1280, True), (390, False), (300, False))

CUT_PLACEHOLDERS = """() => {
  const pen = document.createElement('canvas').getContext('2d');
  return [...document.querySelectorAll('[data-testid=aiw] input[placeholder]')].filter(field => {
    const { font, paddingLeft, paddingRight } = getComputedStyle(field);
    pen.font = font;
    const room = field.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    return pen.measureText(field.placeholder).width > room;
  }).map(field => field.placeholder);
}"""
"""Placeholders that their fields cut off."""


def test_the_widget_shows_onset_and_seeds_and_changes_audio(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([DRAWN, PLAY])
    notebook.run_all()
    notebook.wait_count("turns", 2)
    notebook.look(1280, 1700, dark=False)
    widget = notebook.widget.first
    widget.get_by_test_id("what-if").locator("summary").click()
    widget.get_by_test_id("onset-start").click()
    onset = widget.get_by_test_id("lane-onset")
    expect(onset).to_contain_text("The first reply most likely comes after chunk")
    assert onset.locator(".aiw-branch-said").inner_text() == notebook.ask("str(aiw.analysis.onset(w.record, w.model))")
    widget.get_by_test_id("seeds-count").fill("5")
    widget.get_by_test_id("seeds-start").click()
    expect(widget.get_by_test_id("lane-seeds")).to_contain_text("5 seeds", timeout=60_000)

    # A span: chosen with the keyboard, exchanged with the chunks from the clicked one on.
    widget.get_by_role("slider", name="Timeline of chunks").focus()
    notebook.page.keyboard.press("Home")
    for key in ("ArrowRight", "[", "ArrowRight", "]"):
        notebook.page.keyboard.press(key)
    widget.get_by_test_id("span-more").click()
    widget.get_by_test_id("span-other").fill("4")
    widget.get_by_test_id("span-swap").click()
    exchanged = widget.locator("[data-testid=branch][data-branch='1']")
    expect(exchanged).to_have_attribute("data-state", "done")
    expect(exchanged.locator("header")).to_contain_text("exchanged")
    widget.get_by_test_id("span-file").set_input_files(SPEECH)
    replaced = widget.locator("[data-testid=branch][data-branch='2']")
    expect(replaced).to_have_attribute("data-state", "done")
    expect(replaced.locator("header")).to_contain_text("other audio at chunks 1 to")
    assert grave_findings(notebook.page) == []
    notebook.shot("analyses-light")
    notebook.look(1280, 1700, dark=True)
    notebook.shot("analyses-dark")
    widget.get_by_test_id("settings-toggle").click()
    for width in (390, 300):
        notebook.page.evaluate(NARROW, width)
        expect_all_within_reach(notebook.page)
        assert widget.locator("input[placeholder='all that fit']").count() == 1
        assert notebook.page.evaluate(CUT_PLACEHOLDERS) == []
        notebook.shot(f"analyses-{width}")
    assert notebook.errors() == []


def picture(page: Page, artifacts: Path, name: str) -> None:
    page.screenshot(path=artifacts / f"{name}.png", full_page=True)


def test_an_exported_page_shows_what_was_computed(open_page: OpenPage, talk: SessionRecord, artifacts: Path) -> None:
    model = aiw.load_model("tiny")
    curve, raster = analysis.onset(talk, model), analysis.seeds(model, talk, 4)
    page = open_page(str(talk.to_html(analyses=[curve, raster])))
    shown = viewer(page, talk)
    expect(shown.get_by_test_id("lane-onset")).to_contain_text(str(curve))
    expect(shown.get_by_test_id("lane-seeds")).to_contain_text(str(raster))
    shown.get_by_test_id("what-if").locator("summary").click()
    expect(shown.get_by_test_id("analyses-none")).to_be_visible()
    assert grave_findings(page) == []
    for width, dark in WIDTHS:
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_viewport_size({"width": width, "height": 1000})
        expect_all_within_reach(page)
        picture(page, artifacts, f"analyses-page-{width}{'-dark' if dark else ''}")


def test_a_silent_record_has_its_curve_computed_in_the_page(open_page: OpenPage, talk: SessionRecord) -> None:
    curve = analysis.onset(talk, aiw.load_model("tiny"))
    page = open_page(str(curve.record.to_html()))
    shown = viewer(page, curve.record)
    shown.get_by_test_id("what-if").locator("summary").click()
    shown.get_by_test_id("onset-start").click()
    expect(shown.get_by_test_id("lane-onset")).to_contain_text(str(curve))


@pytest.mark.parametrize("width", [1280, 300])
def test_the_page_of_a_policy_has_no_panel_of_logits(open_page: OpenPage, artifacts: Path, width: int) -> None:
    with aiw.policies.Energy().session() as session:
        session.play(SPEECH)
        session.finish()
        record = session.record
    page = open_page(str(record.to_html()), width=width)
    shown = viewer(page, record)
    expect(shown.get_by_test_id("what-if")).to_have_count(0)
    shown.get_by_test_id("turn").first.locator(".aiw-turn-time").click()
    expect(shown.get_by_test_id("policy-step")).to_be_visible()
    for absent in ("strip", "sampling", "gauge", "run-on", "lane-onset"):
        expect(shown.get_by_test_id(absent)).to_have_count(0)
    expect_all_within_reach(page)
    picture(page, artifacts, f"policy-page-{width}")
