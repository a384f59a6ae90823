"""An exported page of a record, opened from disk in a browser without network: it shows, plays and inspects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, expect

import ai_widgets as aiw
from ai_widgets.protocol import Decision
from ai_widgets.record.record import SessionRecord
from ai_widgets.record.saved_viewer import saved_viewer

from ..page_record import record_of
from . import chromium
from .axe import grave_findings
from .sounds import SPEECH
from .test_access import STICKING_OUT
from .windows import ARGUMENTS

HOSTILE = "<img src=x onerror=window.hacked=1></script><script>window.hacked=1</script><!--"
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def talk() -> SessionRecord:
    """A talk with two replies."""
    with aiw.load_model("tiny").session(seed=1) as session:
        session.play(SPEECH)
        session.finish()
        return session.record


@pytest.fixture(scope="module")
def browser(playwright_: Playwright) -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        pytest.fail(chromium.HOW)
    opened = playwright_.chromium.launch(
        executable_path=executable, args=[*ARGUMENTS, "--autoplay-policy=no-user-gesture-required"]
    )
    yield opened
    opened.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Open a document from disk with the network off. Errors, warnings and requests of the page fail the test."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_(document: str, *, width: int = 1280, dark: bool = False, scripts: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1000},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            offline=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith(("file:", "blob:", "data:", "about:")) else faults.append(asked.url)
            ),
        )
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(document, encoding="utf-8")
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def viewer(page: Page, record: SessionRecord) -> Locator:
    """The viewer, once it shows all decisions of a record."""
    shown = page.get_by_test_id("aiw")
    expect(shown).to_have_attribute("data-decisions", str(len(record.of_type(Decision))))
    return shown


def position(page: Page) -> float:
    minutes, seconds = page.get_by_test_id("replay-position").locator("b").inner_text().split(":")
    return 60 * int(minutes) + float(seconds)


def went_back(positions: list[float]) -> bool:
    return any(after < before for before, after in pairwise(positions))


def test_it_shows_a_record_from_disk_without_a_network(
    open_page: OpenPage, talk: SessionRecord, artifacts: Path
) -> None:
    page = open_page(str(talk.to_html(title="A talk")))
    shown = viewer(page, talk)
    expect(page).to_have_title("A talk")
    expect(shown.get_by_role("heading", level=1)).to_have_text("A talk")
    expect(shown.get_by_test_id("turn-text").first).to_have_text(talk.text.splitlines()[0])
    # What needs a kernel is not there.
    for name in ("record", "reset", "interrupt", "settings-toggle", "step-mode", "play-raw", "follow"):
        expect(shown.get_by_test_id(name)).to_have_count(0)
    page.screenshot(path=artifacts / "viewer.png", full_page=True)


def test_it_plays_with_a_cursor_at_a_speed_and_loops_a_span(open_page: OpenPage, talk: SessionRecord) -> None:
    page = open_page(str(talk.to_html()))
    viewer(page, talk)
    surface = page.get_by_role("slider", name="Timeline of chunks")
    surface.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("replay-position").locator("b")).to_have_text(re.compile(r"0:00\.[5-9]|0:0[1-9]"))
    expect(page.get_by_test_id("replay-play")).to_contain_text("Pause")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("replay-play")).to_contain_text("Play")
    stopped = position(page)
    # A span by keyboard; it begins again at its end.
    page.keyboard.press("Home")
    for key in ("ArrowRight", "[", "]", "l", "Space"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("replay-span")).to_contain_text("0:00.4 – 0:00.8")
    page.get_by_test_id("replay-speed").select_option("2")
    positions = [position(page)]
    while len(positions) < 400 and not went_back(positions):
        page.wait_for_timeout(20)
        positions.append(position(page))
    assert stopped >= 0.5
    assert [at for at in positions if not 0.4 <= at <= 0.8] == []
    assert went_back(positions)
    expect(page.get_by_test_id("replay-said")).to_be_empty()


def test_a_drag_with_shift_selects_and_a_drag_without_it_moves(open_page: OpenPage, talk: SessionRecord) -> None:
    page = open_page(str(talk.to_html(audio=False)))
    viewer(page, talk)
    box = page.get_by_role("slider", name="Timeline of chunks").bounding_box()
    assert box is not None

    def drag() -> None:
        page.mouse.move(box["x"] + 100, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 60, steps=4)
        page.mouse.up()

    drag()
    expect(page.get_by_test_id("replay-span")).to_have_count(0)
    page.keyboard.press("f")
    page.keyboard.down("Shift")
    drag()
    page.keyboard.up("Shift")
    expect(page.get_by_test_id("replay-span")).to_be_visible()
    page.get_by_role("button", name="Clear the selection (Escape)").click()
    page.get_by_test_id("replay-select").click()
    drag()
    expect(page.get_by_test_id("replay-span")).to_be_visible()


def test_it_inspects_a_chunk_with_the_numbers_of_the_record(open_page: OpenPage, talk: SessionRecord) -> None:
    page = open_page(str(talk.to_html(audio=False)))
    shown = viewer(page, talk)
    spoken = next(decision for decision in talk.of_type(Decision) if decision.choice == "TEXT_BEGIN")
    shown.get_by_test_id("turn").first.get_by_role("button").first.click()
    inspector = shown.get_by_test_id("inspector")
    expect(inspector).to_have_attribute("data-chunk", str(spoken.chunk))
    inspector.get_by_role("button", name="exact").click()
    expect(inspector).to_contain_text(repr(spoken.p_text))
    expect(inspector).to_contain_text(repr(spoken.logit_text))


def test_a_chunk_is_heard_from_the_page(open_page: OpenPage, talk: SessionRecord) -> None:
    page = open_page(str(talk.to_html()))
    viewer(page, talk)
    page.get_by_role("slider", name="Timeline of chunks").focus()
    for key in ("Home", "Enter"):
        page.keyboard.press(key)
    button = page.get_by_test_id("play-heard")
    button.click()
    expect(button).to_have_attribute("data-playing", "false")
    expect(page.locator(".aiw-play-said")).to_be_empty()


def test_what_if_marks_the_first_other_decision(open_page: OpenPage, talk: SessionRecord, artifacts: Path) -> None:
    page = open_page(str(talk.to_html(audio=False)))
    shown = viewer(page, talk)
    shown.get_by_test_id("what-if").locator("summary").click()
    shown.get_by_test_id("what-if-bias").fill("-8")
    result = shown.get_by_test_id("what-if-result")
    first = shown.get_by_test_id("what-if-result").get_attribute("data-first")
    assert first
    assert {d.chunk: d.choice for d in talk.of_type(Decision)}[int(first)] == "TEXT_BEGIN"
    expect(result).to_have_attribute("data-exact-until", first)
    shown.get_by_test_id("what-if-next").click()
    expect(shown.get_by_test_id("inspector")).to_have_attribute("data-chunk", first)
    page.screenshot(path=artifacts / "viewer-what-if.png", full_page=True)


def test_markup_in_a_reply_and_in_the_title_does_nothing(open_page: OpenPage) -> None:
    record = record_of(30, text=f" {HOSTILE}")
    page = open_page(str(record.to_html(title=HOSTILE)))
    shown = viewer(page, record)
    expect(shown.get_by_test_id("turn-text").first).to_have_text(HOSTILE)
    expect(shown.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page).to_have_title(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0


def test_a_notebooks_output_shows_and_plays_it(open_page: OpenPage, talk: SessionRecord) -> None:
    page = open_page(f"<!doctype html><title>Notebook</title>{talk.to_html()._repr_html_()}")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_test_id("aiw")).to_have_attribute("data-decisions", str(len(talk.of_type(Decision))))
    frame.get_by_test_id("replay-play").click()
    expect(frame.get_by_test_id("replay-position").locator("b")).not_to_have_text("0:00.0")
    # The frame is of another origin: the notebook's page is out of its reach.
    assert (
        page.frames[1].evaluate("(() => { try { return String(parent.document) } catch { return 'kept out' } })()")
        == "kept out"
    )


def test_without_scripts_the_replies_can_be_read(open_page: OpenPage, talk: SessionRecord) -> None:
    page = open_page(str(talk.to_html()), scripts=False)
    expect(page.get_by_text(talk.text.splitlines()[0]).first).to_be_visible()


@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (1280, True), (390, False)], ids=["light", "dark", "narrow"]
)
def test_no_grave_finding_of_axe_and_nothing_sticks_out(
    open_page: OpenPage, talk: SessionRecord, artifacts: Path, width: int, dark: bool
) -> None:
    page = open_page(str(talk.to_html()), width=width, dark=dark)
    shown = viewer(page, talk)
    shown.get_by_test_id("what-if").locator("summary").click()
    shown.get_by_test_id("what-if-bias").fill("3")
    page.get_by_role("slider", name="Timeline of chunks").focus()
    for key in ("Home", "ArrowRight", "[", "ArrowRight", "ArrowRight", "]", "Enter"):
        page.keyboard.press(key)
    for fold in shown.get_by_test_id("inspector").locator("summary").all():
        fold.click()
    assert grave_findings(page) == []
    assert shown.evaluate(STICKING_OUT) == []
    page.screenshot(path=artifacts / f"viewer-{width}{'-dark' if dark else ''}.png", full_page=True)


def test_a_saved_notebook_shows_it_when_its_section_is_opened(open_page: OpenPage, talk: SessionRecord) -> None:
    """As nbconvert writes an output."""
    page = open_page(f"<!doctype html><title>Notebook</title><div>{saved_viewer(talk)}</div>")
    expect(page.locator("iframe")).to_be_hidden()
    page.locator("summary").click()
    shown = page.frame_locator("iframe").get_by_test_id("aiw")
    expect(shown).to_have_attribute("data-decisions", str(len(talk.of_type(Decision))))
    expect(shown.get_by_test_id("turn-text").first).to_have_text(talk.text.splitlines()[0])
