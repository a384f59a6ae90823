"""The widget 300 pixels wide, and replies in any script: all can be reached, and reads as a browser writes it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PatienceError

from .conftest import OpenNotebook
from .models import WIDGET
from .page import PATIENCE_MS, Notebook

WIDTH = 300
NARROW = """width => {
  const root = document.querySelector('[data-testid=aiw]');
  root.parentElement.style.cssText = `width: ${width}px; flex: none`;
}"""
OUT_OF_REACH = """() => {
  const root = document.querySelector('[data-testid=aiw]');
  const edge = root.getBoundingClientRect();
  const controls = 'button, input, select, textarea, summary, a, [tabindex="0"], meter, progress, canvas';
  const unseen = '[aria-hidden=true], .aiw-hidden, .aiw-tip, .aiw-hover, svg';
  const hasWords = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  const isVisible = element => element.getClientRects().length > 0
    && getComputedStyle(element).visibility !== 'hidden' && !element.closest(unseen);
  // What a person may scroll is within reach, if the part that scrolls is.
  const frameOf = element => {
    for (let around = element.parentElement; around !== root.parentElement; around = around.parentElement) {
      const { overflowX } = getComputedStyle(around);
      if (overflowX === 'auto' || overflowX === 'scroll') return [around, true];
      if (overflowX === 'hidden' || overflowX === 'clip' || around === root) return [around, false];
    }
  };
  const within = (inner, outer) => inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
  const wrong = element => {
    const words = hasWords(element);
    if (!isVisible(element) || !(words || element.matches(controls))) return '';
    const [frame, scrolls] = frameOf(element);
    const [inner, outer] = [element.getBoundingClientRect(), frame.getBoundingClientRect()];
    if (!within(outer, edge)) return 'its frame sticks out';
    if (!scrolls && !within(inner, outer)) return `from ${inner.left - outer.left} to ${inner.right - outer.left}`;
    const cut = words && getComputedStyle(element).overflowX === 'hidden' && !element.title
      && element.scrollWidth > element.clientWidth + 1 && !element.matches('select');
    return cut ? `cut off at ${element.clientWidth} of ${element.scrollWidth}` : '';
  };
  return [...root.querySelectorAll('*')].map(element => [element.outerHTML.slice(0, 80), wrong(element)])
    .filter(([, how]) => how);
}"""
"""Controls and words that stick out of the widget, or are cut off where nothing scrolls."""
SAY = """\
from ai_widgets.protocol import Alternative, Chunk, Decision, Notice, Timing, Token, Turn

RULE = {"greedy": False, "temperature": 0.3, "top_k": 3, "top_p": 1.0, "bias": 0.0, "mask": True, "seed": 0}
NUMBERS = dict(p_keep=0.3, p_text=0.7, p_other=0.0, logit_keep=1.0, logit_text=2.0, p_drawn=0.7, draw=0.4)



def say(number, *words):
    record, chunk = w.record, 4 * number
    others = tuple(Alternative(9 + i, word, 0.1, 0.1, 0.1) for i, word in enumerate(words[:5]))
    for k in range(chunk, chunk + 4):
        start = k * 0.4
        record.append(Chunk(k, 0, start, -30.0, (0.2,) * 16))
        token, choice = (1, "TEXT_BEGIN") if k == chunk else (2, "KEEP_SILENCE")
        place = dict(position=60 + 13 * k, used=61 + 13 * k, limit=2000, before=(2,))
        decided = dict(alternatives=others, rule=RULE, argmax=token, **place, **NUMBERS)
        record.append(Decision(k, 0, start, token, choice, **decided))
        if k == chunk:
            for i, word in enumerate(words):
                record.append(Token(k, number, i, 9 + i, 0.4, word, 0.4, 0.5, 9 + i, 61 + i, others))
            record.append(Turn(k, number, 0, start, None, "".join(words), (), "TEXT_END"))
        record.append(Timing(k, 1.0, 20.0, 30.0, 1200.0 if k == chunk else 0.0, 2.0))
    record.append(Notice(chunk, "gap", "1.0 s of sound may be missing. This page was too busy to record it.", {}))
    w._channel.presenter.events_came(True)
"""
"""`say(number, *tokens)` adds a reply to the record, as if the model had said it."""
HEBREW = ("שלום", " לכם", ", שבע")
FAMILY = "👩‍👩‍👧‍👦"
EMOJI = ("👩‍", "👩‍👧", "‍👦", " 👍🏽")
SPY = """() => {
  window.aiwDrawn = [];
  const pen = CanvasRenderingContext2D.prototype;
  const fillText = pen.fillText;
  pen.fillText = function (text, ...place) {
    window.aiwDrawn.push([text, this.direction, this.textAlign]);
    return fillText.call(this, text, ...place);
  };
}"""


def expect_all_within_reach(page: Page) -> None:
    """Wait until the layout has followed a change of width, and no control or text sticks out of the widget."""
    with suppress(PatienceError):
        page.wait_for_function(f"({OUT_OF_REACH})().length === 0", timeout=PATIENCE_MS / 6)
    assert page.evaluate(OUT_OF_REACH) == []


def opened(open_notebook: OpenNotebook, **look: Any) -> Notebook:
    """A widget whose model is loaded, and in whose record a test writes replies."""
    notebook = open_notebook([WIDGET, SAY], height=1000, **look)
    notebook.run_cell(0)
    notebook.run_cell(1)
    assert notebook.ask("w.model is not None")
    expect(notebook.widget.first.get_by_test_id("model")).to_contain_text("tiny ·")
    notebook.page.evaluate(SPY)
    return notebook


def unfold(notebook: Notebook) -> None:
    """Everything that can be opened is open: settings, step mode, table, and a reply's chunk in the inspector."""
    widget = notebook.widget.first
    widget.get_by_test_id("turn-text").last.locator(".aiw-token").first.click()
    for summary in widget.locator("summary").all():
        summary.click()
    notebook.button("settings-toggle").click()
    notebook.button("step-mode").click()
    notebook.button("table").click()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_out_of_reach_at_300_px(open_notebook: OpenNotebook, dark: bool) -> None:
    notebook = opened(open_notebook, dark=dark)
    notebook.ask("say(0, *'You  said  seven,  which is  a number  below  eight.'.split('  '))")
    notebook.ask("say(1, *['word '] * 40)")
    long_word = "A long-word-without-any-space-in-it-that-must-break-somewhere is none."
    notebook.ask(f"w._channel.presenter.problem('message', {long_word!r})")
    notebook.wait_count("turns", 2)
    notebook.page.evaluate(NARROW, WIDTH)
    expect(notebook.widget.first).to_have_css("width", f"{WIDTH}px")
    notebook.shot(f"300px-{'dark' if dark else 'light'}")
    expect_all_within_reach(notebook.page)
    unfold(notebook)
    expect(notebook.widget.first.get_by_test_id("step")).to_be_visible()
    notebook.shot(f"300px-all-{'dark' if dark else 'light'}")
    expect_all_within_reach(notebook.page)
    assert notebook.widget.first.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_replies_in_any_script(open_notebook: OpenNotebook) -> None:
    """Hebrew runs to the left in the transcript and in the picture; an emoji of several codes stays one."""
    notebook = opened(open_notebook)
    said = [HEBREW, EMOJI, ("你好", "，七"), ("नम", "स्ते"), ("مرح", "با")]
    for number, words in enumerate(said):
        notebook.ask(f"say({number}, *{words!r})")
        # The first reply has room for all its words only until the second one comes.
        if number == 0:
            notebook.page.wait_for_function("text => aiwDrawn.some(([drawn]) => drawn === text)", arg="".join(HEBREW))
    notebook.wait_count("turns", len(said))
    texts = notebook.widget.first.get_by_test_id("turn-text")
    expect(texts).to_have_text(["".join(words) for words in said])
    directions = texts.evaluate_all("all => all.map(text => getComputedStyle(text).direction)")
    assert directions == ["rtl", "ltr", "ltr", "ltr", "rtl"]
    tokens = texts.nth(1).locator(".aiw-token")
    expect(tokens).to_have_text([FAMILY, " 👍🏽"])
    drawn = notebook.page.evaluate("aiwDrawn")
    assert ["".join(HEBREW), "rtl", "right"] in drawn
    assert {how for text, how, _ in drawn if text.isascii()} == {"ltr"}
    pieces = {text for text, *_ in drawn if "👩" in text or "👧" in text}
    assert pieces <= {f"{FAMILY} 👍🏽", f"{FAMILY}…", f"{FAMILY} …"}
    notebook.shot("scripts")
