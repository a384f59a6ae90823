"""What holds, closes or forbids the microphone of a page: each is noticed, said, and left on the timeline."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Frame, expect

from .conftest import OpenNotebook
from .models import STUB, WATCH_CONTEXT, WIDGET
from .page import Notebook
from .test_faults import LIVE

HOLD = """async () => {
  aiwContext.aiwResume = aiwContext.resume;
  aiwContext.resume = () => new Promise(() => {});
  await aiwContext.suspend();
}"""
KINDS = "w.record.notices['kind'].tolist()"
SECONDS = "[n.data['seconds'] for n in w.record.of_type(aiw.Notice) if n.kind == 'gap' and n.data.get('why')]"


def recording(open_notebook: OpenNotebook, cell: str = WIDGET) -> Notebook:
    notebook = open_notebook([cell])
    notebook.run_cell(0)
    notebook.page.evaluate(WATCH_CONTEXT)
    notebook.record()
    notebook.wait_count("decisions", 3)
    return notebook


def released(notebook: Notebook, code: str, words: str, reason: str) -> None:
    """The page noticed it by itself: a sentence, the device free, the stream closed, what was heard kept."""
    notebook.expect_problem(code, words)
    expect(notebook.widget.first).to_have_attribute("data-state", "error")
    expect(notebook.widget.first).to_have_attribute("data-mic", "closed")
    notebook.page.wait_for_function(f"{LIVE} === 0")
    notebook.wait_for_answer("w.state", "error")
    assert notebook.ask("w.wait(60)")
    ended = notebook.ask("[n.data['reason'] for n in w.record.of_type(aiw.Notice) if n.kind == 'stream_ended']")
    assert ended == [reason]
    assert notebook.ask("len(w.record.decisions)") >= 3


def test_audio_that_the_system_holds_for_5_s_is_a_gap_on_the_timeline(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook)
    notebook.page.evaluate(HOLD)
    notebook.expect_problem("interrupted", "has paused audio.*continues when")
    expect(notebook.widget.first.get_by_test_id("state")).to_contain_text("suspended by the system")
    # What is measured is that time passes.
    notebook.page.wait_for_timeout(5_000)
    notebook.shot("suspended-by-the-system")
    decided = int(notebook.widget.first.get_attribute("data-decisions") or 0)
    notebook.page.evaluate("aiwContext.aiwResume()")
    expect(notebook.problem("interrupted")).to_have_count(0)
    notebook.wait_count("decisions", decided + 3)
    notebook.stop()
    (missing,) = notebook.ask(SECONDS)
    assert missing >= 4.5
    notebook.expect_problem("suspended", r"[5-9]\.\d s of sound are missing: the operating system suspended the audio")
    assert notebook.ask(KINDS).count("microphone") == 2
    notebook.shot("gap")


def test_a_context_that_other_code_closes(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook)
    notebook.page.evaluate("aiwContext.close()")
    released(notebook, "audio_closed", "Other code on this page closed.*Press Record", "stalled")
    notebook.record()
    expect(notebook.problem("audio_closed")).to_have_count(0)
    notebook.stop()


def test_a_track_that_other_code_stops(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook)
    # No event tells of it, and the graph goes on with silence.
    notebook.page.evaluate("aiwTracks[0].stop()")
    released(notebook, "track_ended", "unplugged or switched off.*Connect it again", "track_ended")


def test_an_audio_thread_that_delivers_nothing_more(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.page.evaluate(WATCH_CONTEXT)
    notebook.page.evaluate("""() => {
      const Node = window.AudioWorkletNode;
      window.AudioWorkletNode = class extends Node {
        constructor(...given) {
          super(...given);
          window.AudioWorkletNode = Node;
          window.aiwNode = this;
        }
      };
    }""")
    notebook.record()
    notebook.wait_count("decisions", 3)
    notebook.page.evaluate("aiwNode.port.close()")
    released(notebook, "stalled", "stopped delivering sound.*press Record", "stalled")
    notebook.shot("stalled")


class Framed(Notebook):
    """A notebook in a frame of another page."""

    def __init__(self, frame: Frame, outer: Notebook) -> None:
        self.page: Any = frame
        self.artifacts, self.name = outer.artifacts, outer.name


def test_a_frame_that_may_not_use_the_microphone_is_named(open_notebook: OpenNotebook) -> None:
    outer = open_notebook([WIDGET], own=True)
    page = outer.page
    address = page.url.replace("/lab/", "/lab/")
    around = f"<title>Course</title><iframe name=nb width=1200 height=800 allow=\"microphone 'none'\" src={address!r}>"
    page.route("**/around-the-notebook", lambda route: route.fulfill(content_type="text/html", body=around))
    page.goto(re.sub(r"/lab/.*", "/around-the-notebook", address))
    frame = page.frame(name="nb")
    assert frame is not None
    notebook = Framed(frame, outer)
    notebook.wait_open()
    notebook.run_cell(0)
    notebook.button("record").click()
    origin = re.escape(re.sub(r"/lab/.*", "", address))
    notebook.expect_problem("frame_policy", rf"The frame “.*” \({origin}/lab/.* is not allowed to use the microphone")
    notebook.expect_problem("frame_policy", 'Play a clip.*w.feed.*tab of its own.*allow="microphone" to that frame')
    expect(notebook.problem("frame_policy")).not_to_contain_text("VS Code")
    page.screenshot(path=outer.artifacts / "frame-policy.png")


def test_after_twenty_problems_a_refusal_is_answered_and_a_failure_ends_the_recording(
    open_notebook: OpenNotebook,
) -> None:
    notebook = recording(open_notebook, STUB)
    notebook.ask("[w._channel.presenter.problem('message', 'This message is none.') for _ in range(60)] and None")
    notebook.expect_problem("message", "This message is none.*×60")
    temperature = notebook.setting("temperature")
    field = notebook.widget.first.get_by_test_id("field-temperature")
    for number in range(1, 23):
        temperature.fill(f"-{number}")
        temperature.press("Enter")
        expect(field.get_by_role("alert")).to_contain_text(f"not -{number}.")
        expect(field).to_have_attribute("data-asking", "false")
    notebook.shot("problems-counted")
    notebook.ask("setattr(stub, 'error', RuntimeError('no such kernel image'))")
    notebook.expect_problem("model", "RuntimeError: no such kernel image.*Press Reset")
    expect(notebook.widget.first).to_have_attribute("data-mic", "closed")
    notebook.page.wait_for_function(f"{LIVE} === 0")
    notebook.ask("setattr(stub, 'error', None)")


def test_chunks_of_a_busy_kernel_are_late_and_the_lag_is_shown(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET, "import time\ntime.sleep(8)"])
    notebook.comms_over_subshells(False)
    notebook.run_cell(0)
    notebook.record()
    notebook.run_cell(1, wait=False)
    expect(notebook.widget.first.get_by_test_id("waiting")).to_contain_text(re.compile(r"1\d chunks waiting"))
    expect(notebook.widget.first.get_by_test_id("lag")).to_contain_text(re.compile(r"lag [4-9]\.\d s"))
    notebook.shot("lag")
    notebook.wait_idle()
    notebook.stop()
    notebook.comms_over_subshells(True)
    assert notebook.ask("w.wait(60)")
    flags = notebook.ask("[list(c.flags) for c in w.record.of_type(aiw.protocol.Chunk)]")
    assert sum("late" in each for each in flags) >= 10
    longest = notebook.ask("max(t.capture_ms + t.queue_ms for t in w.record.of_type(aiw.protocol.Timing))")
    assert longest > 4_000
