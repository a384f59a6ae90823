"""Each problem has its own sentence and its own way out, and leaves the widget usable."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import OpenNotebook
from .models import LOADING, STUB, WATCH_CONTEXT, WIDGET
from .page import Notebook

REFUSE = """([error, permission, policy]) => {
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia;
  devices.getUserMedia = async () => {
    devices.getUserMedia = ask;
    throw new DOMException('refused by the test', error);
  };
  if (permission) navigator.permissions.query = async () => ({state: permission});
  if (!policy) document.featurePolicy.allowsFeature = () => false;
}"""
"""The next question for the microphone ends with an error; without `policy` the page's server forbids it."""
ALLOW = "() => { delete navigator.permissions.query; delete document.featurePolicy.allowsFeature; }"


def press_record(notebook: Notebook, code: str, words: str) -> None:
    """Press Record and expect a problem that says so, here and in the kernel."""
    notebook.button("record").click()
    notebook.expect_problem(code, words)
    expect(notebook.problem(code)).to_have_attribute("role", "alert")
    expect(notebook.widget.first).to_have_attribute("data-state", "error")
    expect(notebook.widget.first).to_have_attribute("data-mic", "closed")
    notebook.wait_for_answer("w.state", "error")
    # A file still works.
    expect(notebook.button("file")).to_be_enabled()


def test_permission_denied(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], allow=False, deny=True)
    notebook.run_cell(0)
    press_record(notebook, "denied", "does not let this page use.*Allow the microphone in the site settings")
    notebook.shot("problem-denied")


def test_no_microphone(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], device=False)
    notebook.run_cell(0)
    press_record(notebook, "no_device", "no microphone was found.*Connect one")
    notebook.shot("problem-no-device")


def test_insecure_origin(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], host="nb.example")
    notebook.run_cell(0)
    press_record(notebook, "insecure_origin", "secure pages.*https or as localhost")
    notebook.shot("problem-insecure")


@pytest.mark.parametrize(
    ("code", "error", "permission", "policy", "words"),
    [
        # Nobody can leave the question open in a browser without a window, which answers "denied" at once.
        ("dismissed", "NotAllowedError", "prompt", True, "closed without an answer.*choose Allow"),
        ("device_busy", "NotReadableError", "", True, "in use by another program.*Close the other program"),
        ("server_policy", "NotAllowedError", "", False, "The server of this page.*Permissions-Policy"),
        ("unsupported", "NotSupportedError", "", True, "cannot record audio here.*choose a file"),
        ("capture_failed", "OperationError", "", True, "could not be started.*Press Record again"),
    ],
)
def test_the_microphone_is_refused(
    open_notebook: OpenNotebook, code: str, error: str, permission: str, policy: bool, words: str
) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.page.evaluate(REFUSE, [error, permission, policy])
    press_record(notebook, code, words)
    notebook.page.evaluate(ALLOW)
    # The way out is open: pressing Record again ends the problem.
    notebook.record()
    expect(notebook.problem(code)).to_have_count(0)
    notebook.stop()


def test_without_an_audio_thread_it_records_and_says_so(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.page.evaluate("() => { window.aiwNode = AudioWorkletNode; window.AudioWorkletNode = undefined; }")
    notebook.record()
    notebook.page.evaluate("() => { window.AudioWorkletNode = window.aiwNode; }")
    notebook.expect_problem("degraded", "no audio thread.*Use a current Chrome")
    expect(notebook.widget.first.get_by_test_id("state")).to_contain_text("degraded")
    notebook.wait_count("decisions", 5)
    notebook.stop()


def test_the_system_holds_or_mutes_the_audio(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.page.evaluate(WATCH_CONTEXT)
    notebook.record()
    notebook.page.evaluate("""async () => {
      aiwContext.aiwResume = aiwContext.resume;
      aiwContext.resume = () => new Promise(() => {});
      await aiwContext.suspend();
    }""")
    notebook.expect_problem("interrupted", "has paused audio.*continues when")
    notebook.page.evaluate("aiwContext.aiwResume()")
    expect(notebook.problem("interrupted")).to_have_count(0)
    notebook.page.evaluate("aiwTracks[0].dispatchEvent(new Event('mute'))")
    notebook.expect_problem("muted_by_system", "hears silence.*continues by itself")
    notebook.page.evaluate("aiwTracks[0].dispatchEvent(new Event('unmute'))")
    expect(notebook.problem("muted_by_system")).to_have_count(0)
    before = int(notebook.widget.first.get_attribute("data-decisions") or 0)
    notebook.wait_count("decisions", before + 3)
    notebook.stop()


def test_a_loading_model_says_how_far_it_is_and_answers_what_it_missed(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOADING])
    notebook.run_cell(0)
    line = notebook.widget.first.get_by_test_id("model")
    expect(line).to_contain_text("Loading the model")
    expect(line).to_contain_text("1.0 GB of 4.0 GB")
    assert notebook.widget.first.get_by_test_id("loading").get_attribute("value") == "0.25"
    notebook.record()
    expect(line).to_contain_text(re.compile(r"\d+ chunks .* are waiting until the model is loaded; none is lost"))
    notebook.shot("loading")
    notebook.ask("go.set()")
    notebook.wait_count("decisions", 8)
    expect(line).to_contain_text("tiny")
    notebook.stop()
    assert notebook.ask("w.wait(60)")
    decided = notebook.ask("w.record.decisions['chunk'].tolist()")
    assert decided == list(range(len(decided)))


def test_a_slow_model_lags_and_a_failing_one_shows_its_traceback(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([STUB])
    notebook.run_cell(0)
    widget = notebook.widget.first
    notebook.record()
    notebook.wait_count("decisions", 2)
    notebook.ask("stub.free.clear()")
    expect(widget.get_by_test_id("model")).to_contain_text(re.compile(r"The kernel is busy: \d+ chunks"))
    expect(widget.get_by_test_id("waiting")).to_contain_text(re.compile(r"\d+ chunks waiting"))
    expect(widget.get_by_test_id("lag")).to_contain_text(re.compile(r"lag [1-9]\d*\.\d s"))
    notebook.ask("stub.free.set()")
    expect(widget.get_by_test_id("waiting")).to_have_text("")
    # A person in need of the traceback opens it.
    notebook.ask("setattr(stub, 'error', RuntimeError('no such kernel image'))")
    notebook.expect_problem("model", "RuntimeError: no such kernel image.*Press Reset")
    traceback = notebook.problem("model").locator("pre")
    expect(traceback).to_be_hidden()
    notebook.problem("model").locator("summary").click()
    expect(traceback).to_contain_text("Traceback (most recent call last)")
    notebook.shot("errors")
    assert "no such kernel image" in notebook.ask("str(w.error)")
    # The way out.
    notebook.ask("setattr(stub, 'error', None)")
    notebook.button("reset").click()
    expect(notebook.problem("model")).to_have_count(0)
    notebook.wait_for_answer("len(w.record.decisions)", 0)
    notebook.record()
    notebook.wait_count("decisions", 2)
    notebook.stop()
