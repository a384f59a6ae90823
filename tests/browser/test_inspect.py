"""Inspector, transcript and step mode in a real notebook: what they show is what the kernel recorded."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Locator, expect

from . import sounds
from .conftest import OpenNotebook
from .page import Notebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(temperature=0.7, top_k=3, seed=3)\nw"
PLAY = f"w.play({str(sounds.SPEECH)!r})"
DECIDED = "len(w.record.of_type(aiw.Decision))"


def shown(p: float) -> str:
    """A probability as the inspector rounds it."""
    return f"{p:.1e}" if 0 < p < 0.00005 else f"{p:.4f}"


def events_of(notebook: Notebook, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = notebook.ask(f"[e.to_json() for e in w.record.of_type(aiw.{kind})]")
    return found


def numbers(row: Locator) -> list[str]:
    return row.locator(".aiw-number").all_inner_texts()


def test_every_step_of_a_draw_is_that_of_the_record(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, PLAY])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 1)
    widget = notebook.widget.first
    token = next(t for t in events_of(notebook, "Token") if t["text"])
    decision = next(d for d in events_of(notebook, "Decision") if d["chunk"] == token["chunk"])
    inspector = widget.get_by_test_id("inspector")

    widget.locator(f".aiw-token[data-index='{token['index']}']").first.click()
    expect(inspector).to_have_attribute("data-chunk", str(token["chunk"]))
    expect(widget.get_by_test_id("inspected-step")).to_contain_text(f"position {token['position']}")
    for other in token["alternatives"]:
        row = inspector.locator(f"tr[data-token='{other['token']}']")
        kept = [shown(other["kept"])] if other["kept"] else []
        assert numbers(row) == [shown(other["p"]), shown(other["scaled"]), *kept]
    expect(widget.get_by_test_id("sampling")).to_contain_text(f"{token['draw']:.4f} lies in")

    # The decision before it, with all digits.
    inspector.locator("[data-kind=decision] button").click()
    inspector.get_by_role("button", name="exact").click()
    for name, logit, p in (("TEXT_BEGIN", "logit_text", "p_text"), ("KEEP_SILENCE", "logit_keep", "p_keep")):
        other = next(a for a in decision["alternatives"] if a["text"] == name)
        row = inspector.locator(f"tr[data-token='{other['token']}']")
        kept = [repr(other["kept"])] if other["kept"] else []
        assert numbers(row) == [repr(decision[logit]), repr(decision[p]), repr(other["scaled"]), *kept]
    expect(widget.get_by_test_id("sampling")).to_contain_text(f"{decision['draw']!r} lies in")
    expect(widget.get_by_test_id("gauge")).to_contain_text(f"{decision['used']} / {decision['limit']} positions")
    strip = widget.get_by_test_id("strip")
    expect(strip).to_contain_text(f"ASSISTANT{decision['position']}")

    for fold in inspector.locator("summary").all():
        fold.click()
    text = widget.get_by_test_id("event-json").inner_text()
    written = json.JSONDecoder().raw_decode(text, text.index('{\n "type": "decision"'))[0]
    assert written == decision
    notebook.shot("inspector")


def test_one_press_does_one_phase_and_a_guess_comes_first(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, PLAY])
    notebook.run_cell(0)
    widget = notebook.widget.first
    expect(widget).to_have_attribute("data-line", "ready")
    widget.get_by_test_id("step-mode").click()
    expect(widget).to_have_attribute("data-loop", "step")
    step, press = widget.get_by_test_id("step"), notebook.page.keyboard.press
    expect(widget.get_by_test_id("step-hint")).to_contain_text("No chunk is waiting")
    notebook.run_cell(1)
    expect(widget.get_by_test_id("step-hint")).to_have_text("")
    assert notebook.ask(DECIDED) == 0

    widget.get_by_test_id("step-next").focus()
    press("n")
    expect(step).to_have_attribute("data-phase", "perceive")
    assert notebook.ask(DECIDED) == 0
    press("n")
    expect(step).to_have_attribute("data-phase", "decide")
    notebook.wait_count("decisions", 1)

    widget.get_by_test_id("predict").check()
    widget.get_by_test_id("step-next").focus()
    press("n")
    expect(step).to_have_attribute("data-phase", "perceive")
    expect(widget.get_by_test_id("step-hint")).to_contain_text("First guess")
    press("n")
    assert notebook.ask(DECIDED) == 1
    press("1")
    press("n")
    notebook.wait_for_answer(DECIDED, 2)
    expect(widget.get_by_test_id("reveal")).to_contain_text("Chunk 1.")
    expect(widget.get_by_test_id("score")).to_be_visible()
    notebook.shot("step-mode")

    # Leaving lets the loop run on; what was heard can then be gone through once more.
    step.get_by_role("button", name="Leave step mode").click()
    expect(widget).to_have_attribute("data-loop", "run")
    notebook.wait_count("turns", 1)
    widget.get_by_test_id("step-mode").click()
    widget.get_by_test_id("step-replay").click()
    expect(widget.get_by_test_id("transcript")).to_contain_text("Replies are hidden")
    notebook.shot("step-replay")
