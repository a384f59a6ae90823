"""A baseline policy in a real notebook: its score and its rule, and none of the panels that need tokens."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from . import sounds
from .conftest import OpenNotebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(aiw.policies.Energy())\nw"
PLAY = f"w.play({str(sounds.SPEECH)!r})"


def test_a_policy_listens_in_the_widget_and_the_page_says_what_it_has_not(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, PLAY])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("turns", 1)
    widget = notebook.widget.first
    expect(widget.get_by_test_id("model")).to_contain_text("energy · baseline · threshold 12.0")
    expect(widget.locator("[data-lane=probability]")).to_contain_text("speech")
    # The lane of the log-mel, which a policy does not hear, is folded at first.
    heard = widget.locator("[data-lane=heard]")
    expect(heard).to_have_attribute("aria-expanded", "false")
    heard.click()
    expect(heard).to_contain_text("no log-mel")
    # The chunk of the reply.
    chunk, score = notebook.ask("[(d.chunk, d.rule['score']) for d in w.record.of_type(aiw.Decision) if d.p_text][0]")
    widget.get_by_role("slider").focus()
    notebook.page.keyboard.press("Home")
    for _ in range(chunk):
        notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("Enter")
    inspector = widget.get_by_test_id("inspector")
    expect(inspector).to_have_attribute("data-chunk", str(chunk))
    expect(inspector.get_by_test_id("policy-score")).to_contain_text(f"{score:.2f}")
    expect(inspector).to_contain_text("no tokens, no logits and no context")
    for absent in ("strip", "sampling", "gauge"):
        expect(inspector.get_by_test_id(absent)).to_have_count(0)
    widget.get_by_role("button", name=re.compile("[Ss]ettings")).first.click()
    expect(widget.get_by_test_id("settings-of-policy")).to_be_visible()
    assert widget.get_by_label("Temperature").count() == 0
    notebook.shot("policy")
