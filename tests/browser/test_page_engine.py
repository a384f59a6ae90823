"""``engine="page"``: the notebook's page decides on its own, and the kernel records it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from .conftest import OpenNotebook
from .page import Notebook
from .test_access import STICKING_OUT

WIDGET = 'import ai_widgets as aiw\nw = aiw.AudioInteraction(engine="page", greedy=True)\nw'
BUSY = "import os\nwhile not os.path.exists({path!r}):\n    pass"
"""A cell that keeps the kernel at work until a file appears."""


ALL_TAKEN = """() => {
  const [widget, delivery] = ["aiw", "delivery"].map(name => document.querySelector(`[data-testid=${name}]`));
  return delivery.dataset.taken === widget.dataset.chunks;
}"""
"""Whether the kernel has all chunks that the page has."""


def wait_loaded(notebook: Notebook) -> None:
    expect(notebook.button("model")).to_have_text("tiny · runs in this page")
    expect(notebook.button("engine")).to_contain_text("Engine: onnxruntime-web")
    expect(notebook.button("record")).to_be_enabled()


def all_taken(notebook: Notebook) -> int:
    """Number of chunks of the session, when the kernel has all of them.

    The padded end of the sound is decided after the button says that it has stopped: the number counts when it is the
    same after a message to the kernel and back.
    """
    before, heard = -1, 0
    while heard != before:
        before = heard
        notebook.page.wait_for_function(ALL_TAKEN)
        heard = int(notebook.widget.first.get_attribute("data-chunks") or 0)
        notebook.ask("len(w.record)")
    return heard


def test_the_page_decides_while_the_kernel_runs_a_cell_and_the_record_follows(
    open_notebook: OpenNotebook, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    notebook = open_notebook([WIDGET, BUSY.format(path=str(go_on))])
    notebook.comms_over_subshells(False)
    notebook.run_cell(0)
    notebook.shot("page-engine-loading")
    wait_loaded(notebook)
    notebook.shot("page-engine-loaded")
    notebook.run_cell(1, wait=False)
    notebook.record()
    expect(notebook.widget.first).to_have_attribute("data-turns", "1")
    expect(notebook.button("delivery")).to_contain_text(re.compile("The kernel has 0 of [0-9]+ chunks"))
    notebook.look(dark=True)
    notebook.shot("page-engine-behind-dark")
    around = notebook.widget.first.evaluate("element => innerWidth - element.offsetWidth")
    notebook.page.set_viewport_size({"width": 360 + around, "height": 900})
    notebook.page.wait_for_function("document.querySelector('[data-testid=aiw]').offsetWidth <= 362")
    assert notebook.widget.first.evaluate(STICKING_OUT) == []
    notebook.shot("page-engine-behind-narrow")
    notebook.look()
    notebook.stop()
    go_on.touch()
    heard = all_taken(notebook)
    expect(notebook.button("delivery")).to_have_text("The kernel’s record is up to date.")
    notebook.shot("page-engine-complete")
    assert notebook.ask("w.record.chunks_heard") == heard
    assert notebook.ask("len(w.record.audio)") == heard * 6400
    assert notebook.ask("[turn.text for turn in w.record.of_type(aiw.protocol.Turn)][0]") == "I heard you speak."
    assert notebook.ask("w.record.replay(w.model).reproduced") is True
    assert notebook.errors() == []
    notebook.comms_over_subshells(True)
