"""The controls while the microphone is open, and settings that page and Python agree on."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from .conftest import OpenNotebook
from .models import STUB, WIDGET
from .page import Notebook

NEWEST = "list(w.record.of_type(aiw.protocol.Chunk))[-1]"
SETTING_NOTICES = "[n.data['changed'] for n in w.record.of_type(aiw.Notice) if n.kind == 'settings']"


def newest_chunk(notebook: Notebook) -> int:
    count: int = notebook.ask("len(w.record.decisions)")
    return count - 1


def notice_of(notebook: Notebook, changed: dict[str, Any]) -> None:
    """Wait until the change of a setting is on the timeline."""
    notebook.wait_for_answer(f"any({changed!r}.items() <= c.items() for c in {SETTING_NOTICES})", True)


def test_mute_pause_and_the_recording_light(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    light = notebook.widget.first.get_by_test_id("light")
    expect(light).to_have_text("mic off")
    notebook.record()
    expect(light).to_have_text("mic on")
    notebook.wait_count("decisions", 2)

    # Muted: the stream goes on, without a new microphone, and what is heard is silence.
    notebook.button("mute").click()
    expect(light).to_have_text("mic muted")
    expect(notebook.button("mute")).to_have_attribute("aria-pressed", "true")
    notebook.wait_for_answer(f"'gated' in {NEWEST}.flags", True)
    muted = notebook.ask(f"{NEWEST}.chunk") + 1
    notebook.wait_count("decisions", muted + 1)
    assert notebook.ask(f"w.record.audio[{muted} * 6400:{muted + 1} * 6400].any().item()") is False
    notebook.button("mute").click()
    expect(light).to_have_text("mic on")
    notebook.wait_for_answer(f"'gated' in {NEWEST}.flags", False)
    assert notebook.page.evaluate("aiwTracks.length") == 1

    # Paused: nothing is sent, and the session's clock stands.
    notebook.button("pause").click()
    expect(notebook.widget.first).to_have_attribute("data-state", "paused")
    expect(light).to_have_text("mic paused")
    assert notebook.ask("w.wait(60)")
    stands = notebook.ask(f"{NEWEST}.chunk")
    elapsed = notebook.widget.first.get_by_test_id("elapsed").inner_text()
    for _ in range(10):
        assert notebook.ask(f"{NEWEST}.chunk") == stands
    expect(notebook.widget.first.get_by_test_id("elapsed")).to_have_text(elapsed)
    notebook.button("pause").press("p")
    notebook.wait_count("decisions", stands + 4)
    notebook.stop()
    expect(light).to_have_text("mic off")
    decided = notebook.ask("w.record.decisions['chunk'].tolist()")
    assert decided == list(range(len(decided)))


def test_another_microphone_is_chosen_by_name(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 2)
    picker = notebook.button("device")
    options = picker.locator("option")
    expect(options.nth(1)).to_be_attached()
    name, device = options.last.text_content(), options.last.get_attribute("value")
    picker.select_option(value=device)
    notebook.wait_for_answer("w.live['device']", device)
    expect(picker).to_have_value(str(device))
    notice_of(notebook, {"device": device})
    # It is asked for at once, and the recording goes on. (Chromium's fake permission gives the first all the same.)
    notebook.page.wait_for_function("aiwTracks.length === 2")
    assert notebook.page.evaluate("aiwAsked.deviceId.ideal") == device
    expect(notebook.widget.first).to_have_attribute("data-state", re.compile("listening|speaking"))
    assert notebook.page.evaluate("aiwTracks.filter(track => track.readyState === 'live').length") == 1
    if notebook.page.evaluate("aiwTracks[1].label") != name:
        notebook.expect_problem("device_absent", "not connected, so another one records")
    notebook.stop()


def test_settings_agree_and_are_notices(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, "w.set(temperature=0.5, arrival='drop')"])
    notebook.run_cell(0)
    notebook.record()
    # A session that has not heard anything begins with what was set, and has nothing to note.
    notebook.wait_count("decisions", 1)
    # In the page, seen in Python.
    notebook.setting("top_k").fill("5")
    notebook.setting("top_k").press("Enter")
    notebook.wait_for_answer("w.settings['top_k']", 5)
    notebook.setting("greedy").click()
    notebook.wait_for_answer("w.settings['greedy']", False)
    expect(notebook.setting("greedy")).not_to_be_checked()
    notebook.setting("overload").select_option("drop_oldest")
    notebook.wait_for_answer("w.live['overload']", "drop_oldest")
    notebook.setting("bias").focus()
    notebook.page.keyboard.press("ArrowLeft")
    notebook.wait_for_answer("round(w.settings['bias'], 3)", -0.1)
    expect(notebook.widget.first.get_by_test_id("held-bias")).to_have_text("−0.1")
    # In Python, seen in the page.
    notebook.run_cell(1)
    expect(notebook.setting("temperature")).to_have_value("0.5")
    expect(notebook.setting("arrival")).to_have_value("drop")
    for changed in ({"top_k": 5}, {"greedy": False}, {"overload": "drop_oldest"}, {"temperature": 0.5}):
        notice_of(notebook, changed)
    # Refused: the kernel's sentence stands at the field, and nothing has changed.
    notebook.setting("top_p").fill("7")
    notebook.setting("top_p").press("Enter")
    expect(notebook.widget.first.get_by_test_id("field-top_p").get_by_role("alert")).to_contain_text("top_p")
    assert notebook.ask("w.settings['top_p']") is None
    # The next decisions follow, and say so.
    at = newest_chunk(notebook) + 3
    notebook.wait_count("decisions", at)
    rule = notebook.ask("[d.rule for d in w.record.of_type(aiw.Decision)][-1]")
    assert (rule["top_k"], rule["temperature"], rule["greedy"]) == (5, 0.5, False)
    notebook.stop()
    notebook.shot("settings")


def test_a_reply_is_interrupted_and_a_session_begun_anew(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([STUB])
    # One after the other: the click has been heard when the next question is answered.
    notebook.comms_over_subshells(False)
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 1)
    notebook.ask("stub.speech.clear()")
    notebook.ask("w.set(bias=60)")
    expect(notebook.widget.first).to_have_attribute("data-state", "speaking")
    notebook.button("interrupt").click()
    notebook.ask("stub.speech.set()")
    notebook.wait_for_answer("'interrupted' in [t.ended for t in w.record.of_type(aiw.Turn)]", True)
    notebook.button("reset").click()
    expect(notebook.widget.first).to_have_attribute("data-decisions", "0")
    notebook.wait_for_answer("len(w.record)", 0)
    notebook.comms_over_subshells(True)
    expect(notebook.widget.first).to_have_attribute("data-mic", "closed")
