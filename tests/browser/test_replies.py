"""The transcript: shaded tokens, their alternatives, the way to timeline and inspector, reading aloud."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from .conftest import OpenNotebook
from .models import WIDGET
from .page import Notebook
from .sounds import SPEECH

SPEAK = """() => {
  window.aiwSpoken = [];
  speechSynthesis.speak = said => { aiwSpoken.push(said); setTimeout(() => said.onstart?.(new Event('start'))); };
  speechSynthesis.cancel = () => {};
  Object.defineProperty(speechSynthesis, 'speaking', {configurable: true, get: () => true});
}"""
"""A voice that goes on until the test ends it: this machine has none, or one that is done at any time."""
VOICELESS = "() => ['speak', 'cancel', 'speaking'].forEach(name => delete speechSynthesis[name])"
"""The next test may use the same page, with the browser's own voices."""


def answered(open_notebook: OpenNotebook) -> tuple[Notebook, Locator]:
    notebook = open_notebook([WIDGET, f"w.play({str(SPEECH)!r})"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 2)
    return notebook, notebook.widget.first.get_by_test_id("transcript")


def test_a_token_tells_its_alternatives_and_opens_the_inspector(open_notebook: OpenNotebook) -> None:
    notebook, transcript = answered(open_notebook)
    turns = notebook.ask("[(t.chunk, t.text, t.emotion) for t in w.record.of_type(aiw.Turn)]")
    token = next(t for t in notebook.ask("[t.to_json() for t in w.record.of_type(aiw.Token)]") if t["text"])
    first = transcript.get_by_test_id("turn").first
    chunk, text, emotion = turns[0]
    expect(first.get_by_test_id("turn-text")).to_have_text(text)
    if emotion:
        expect(first).to_contain_text(emotion)
    shade = transcript.locator(".aiw-legend [data-shade]")
    assert shade.count() >= 3
    drawn = first.locator(f".aiw-token[data-index='{token['index']}']")
    assert drawn.get_attribute("data-shade") is not None
    drawn.hover()
    tip = transcript.get_by_role("tooltip")
    expect(tip).to_contain_text(f"{token['p']:.4f}" if token["p"] >= 0.00005 else f"{token['p']:.1e}")
    assert tip.locator(".aiw-tip-row").count() == min(6, len({a["token"] for a in token["alternatives"]}))
    drawn.click()
    inspector = notebook.widget.first.get_by_test_id("inspector")
    expect(inspector).to_have_attribute("data-chunk", str(chunk))
    expect(notebook.widget.first.get_by_test_id("inspected-step")).to_contain_text(f"position {token['position']}")
    # One reply is announced, not each of its tokens.
    expect(transcript.get_by_test_id("announcement")).to_have_text(turns[-1][1])
    notebook.shot("token")


def test_a_reply_is_copied_and_shown_in_the_timeline(open_notebook: OpenNotebook) -> None:
    notebook, transcript = answered(open_notebook)
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write", "microphone"])
    chunk, text = notebook.ask("[(t.chunk, t.text) for t in w.record.of_type(aiw.Turn)][-1]")
    last = transcript.get_by_test_id("turn").last
    last.hover()
    last.get_by_role("button", name="Copy this reply").click()
    notebook.page.wait_for_function("async text => await navigator.clipboard.readText() === text", arg=text)
    last.locator(".aiw-turn-time").click()
    expect(notebook.widget.first.get_by_test_id("inspector")).to_have_attribute("data-chunk", str(chunk))
    slider = notebook.widget.first.get_by_role("slider", name="Timeline of chunks")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(f"^chunk {chunk} .*{re.escape(text)}"))


def test_reading_aloud_gates_the_microphone_or_listens_with_echo_cancellation(open_notebook: OpenNotebook) -> None:
    notebook, transcript = answered(open_notebook)
    notebook.page.evaluate(SPEAK)
    read = transcript.get_by_test_id("read-aloud").last
    notebook.record()
    light = notebook.widget.first.get_by_test_id("light")
    expect(light).to_have_text("mic on")
    read.click()
    expect(light).to_have_text("mic gated")
    expect(transcript.get_by_test_id("reading")).to_contain_text("the microphone is muted meanwhile")
    gated = "sum('gated' in c.flags for c in w.record.of_type(aiw.protocol.Chunk)) >= 2"
    notebook.wait_for_answer(gated, True)
    notebook.shot("reading-aloud")
    notebook.setting("reading").select_option("listen")
    expect(transcript.get_by_test_id("reading")).to_contain_text(
        re.compile("the microphone stays on.*echo cancellation is on")
    )
    read.click()
    expect(transcript.get_by_test_id("reading")).to_have_count(0)
    expect(light).to_have_text("mic on")
    notebook.stop()
    notebook.page.evaluate(VOICELESS)


def test_without_a_voice_a_sentence_says_so(open_notebook: OpenNotebook) -> None:
    notebook, transcript = answered(open_notebook)
    assert notebook.page.evaluate("speechSynthesis.getVoices().length") == 0
    transcript.get_by_test_id("read-aloud").last.click()
    expect(transcript.get_by_test_id("reading-problem")).to_contain_text("Install a voice")
