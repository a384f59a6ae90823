"""Faults of microphone, page and kernel in a real notebook: each has a clear end, and nothing is lost silently."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from . import windows
from .conftest import OpenNotebook
from .models import WIDGET
from .page import NOTICES, Notebook

LIVE = "window.aiwTracks.filter(track => track.readyState === 'live').length"
DECIDED = "w.record.decisions['chunk'].tolist()"
HIDE = """state => {
  Object.defineProperty(document, 'visibilityState', {get: () => state, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def recording(open_notebook: OpenNotebook, *cells: str, **options: object) -> Notebook:
    """A notebook whose widget has heard some chunks and goes on."""
    notebook = open_notebook([WIDGET, *cells], **options)
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 3)
    return notebook


def decided_without_a_gap(notebook: Notebook, told: tuple[str, ...] = ()) -> int:
    """All audio is answered and nothing is missing but what notices of the kinds `told` say; returns the chunks."""
    assert notebook.ask("w.wait(60)")
    decided = notebook.ask(DECIDED)
    assert decided == list(range(len(decided)))
    kinds = set(notebook.ask("w.record.notices['kind'].tolist()"))
    assert not kinds & {"lost_blocks", "duplicate_block", "dropped"} - set(told)
    return len(decided)


def ends_with(notebook: Notebook, code: str, words: str) -> None:
    """The recording ended by itself: a problem says so, the device is free, the rest was answered, all is kept."""
    notebook.expect_problem(code, words)
    expect(notebook.widget.first).to_have_attribute("data-state", "error")
    expect(notebook.widget.first).to_have_attribute("data-mic", "closed")
    notebook.page.wait_for_function(f"{LIVE} === 0")
    notebook.wait_for_answer(NOTICES, ["stream", "stream_ended"])
    assert "track_ended" in str(notebook.ask("w.record.table('notice', details=True).to_dict('records')"))
    assert decided_without_a_gap(notebook) >= 3
    notebook.wait_count("decisions", len(notebook.ask(DECIDED)))


def test_microphone_revoked(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], allow=False, own=True)
    notebook.page.context.grant_permissions(["microphone"])
    notebook.run_cell(0)
    notebook.record()
    notebook.wait_count("decisions", 3)
    windows.deny_microphone(notebook.page)
    ends_with(notebook, "revoked", "revoked.*Allow it")
    notebook.shot("fault-revoked")


def test_machine_too_busy_to_record(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook)
    # What a laden machine does, or one that sleeps: nothing on the page runs for a while, the audio thread included.
    windows.stand_still(notebook.page, seconds=1.0)
    notebook.expect_problem("gap", r"[\d.]+ s of sound may be missing.*Close other pages")
    notebook.stop()
    decided_without_a_gap(notebook)
    lost = notebook.ask(
        "[data['seconds'] for data in w.record.table('notice', details=True).query('kind == \"gap\"')['data']]"
    )
    assert 0.2 < max(lost) < 60
    notebook.shot("fault-gap")


def test_device_unplugged(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook)
    # What the browser does when the device goes.
    notebook.page.evaluate("const [track] = aiwTracks; track.stop(); track.dispatchEvent(new Event('ended'))")
    ends_with(notebook, "track_ended", "unplugged.*Connect it again")
    # Connected again, the session goes on where it was.
    before = len(notebook.ask(DECIDED))
    notebook.record()
    expect(notebook.problem("track_ended")).to_have_count(0)
    notebook.wait_count("decisions", before + 3)
    notebook.stop()


def test_tab_hidden_and_back(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook)
    notebook.page.evaluate(HIDE, "hidden")
    notebook.wait_count("decisions", 18)
    notebook.page.evaluate(HIDE, "visible")
    notebook.expect_problem("hidden", r"in the background for \d+ s while the microphone stayed on; \d+ chunks")
    notebook.wait_count("decisions", 20)
    notebook.stop()
    assert decided_without_a_gap(notebook) >= 20


def test_websocket_drop_and_reconnect(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook, own=True)
    notebook.page.evaluate("aiwLineCut = true; for (const socket of aiwSockets) socket.close()")
    waiting = notebook.widget.first.get_by_test_id("waiting")
    expect(waiting).to_contain_text(re.compile(r"([5-9]|\d\d+) chunks waiting"))
    notebook.page.evaluate("aiwLineCut = false")
    expect(waiting).to_have_text("")
    shown = int(notebook.widget.first.get_attribute("data-decisions") or 0)
    notebook.wait_count("decisions", shown + 3)
    notebook.stop()
    # Blocks that were under way when the line broke are gone, and a notice says so; the page has every event.
    count = decided_without_a_gap(notebook, told=("lost_blocks",))
    notebook.wait_count("decisions", count)
    assert notebook.ask("len(w.record.audio)") // 6400 == count


def test_kernel_restart(open_notebook: OpenNotebook) -> None:
    notebook = recording(open_notebook, own=True)
    notebook.restart_kernel()
    notebook.page.wait_for_function(f"{LIVE} === 0")
    notebook.expect_problem("kernel_lost", "restarted or is gone.*Run the cell again")
    expect(notebook.button("record")).to_be_disabled()
    notebook.shot("kernel-restarted")
    notebook.wait_idle()
    notebook.run_cell(0)
    expect(notebook.problem("kernel_lost")).to_have_count(0)
    notebook.record()
    notebook.stop()


def test_busy_kernel_without_subshells(open_notebook: OpenNotebook) -> None:
    """While a cell runs the page says how much waits; then all of it is answered."""
    notebook = open_notebook([WIDGET, "import threading\nfree = threading.Event()", "import time\ntime.sleep(8)"])
    notebook.comms_over_subshells(False)
    notebook.run_cell(0)
    notebook.record()
    notebook.run_cell(2, wait=False)
    line = notebook.widget.first.get_by_test_id("model")
    expect(line).to_contain_text(re.compile(r"The kernel is busy: [1-9]\d* chunks \([\d.]+ s of audio\) are waiting"))
    notebook.shot("busy")
    notebook.wait_idle()
    expect(line).not_to_contain_text("busy")
    notebook.stop()
    notebook.comms_over_subshells(True)
    assert decided_without_a_gap(notebook) >= 20
