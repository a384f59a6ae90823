"""The quick start in other hosts than JupyterLab: a clip is answered, the timeline painted, the microphone heard."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, expect

from ai_widgets.audio.clips import clips

from .conftest import OPENED
from .hosts import VoilaPage, running_marimo
from .lab import Lab
from .page import Notebook
from .simulated import COLAB, KAGGLE, Kind, Output, SimulatedHost, simulated
from .test_timeline import COLOURS_IN_LANE
from .windows import Windows

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "marimo_example.py"
WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"
PLAIN = "import marimo\napp = marimo.App()\n\n@app.cell\ndef _():\n    {}\n    return\n"
"""A marimo file of one cell, with the widget as it is."""
QUICK_START = EXAMPLE.with_name("01_quickstart.ipynb")
UNTIL = "import pathlib, time\nwhile not pathlib.Path({!r}).exists():\n    time.sleep(0.05)"
"""The rest of a cell that runs until a file exists."""
HEARD = [each.text for each in clips["speech_pause_speech"].expected]
SEVEN = clips["digit"].expected[0].text
"""What the embedded checkpoint replies to the first clip, and to the second, greedily."""


SOURCE = "w.record.of_type(aiw.Notice)[0].data['source']"
Show = Callable[..., Any]


@pytest.fixture
def show(
    windows: Windows, lab: Lab, speech_microphone: Path, artifacts: Path, request: pytest.FixtureRequest
) -> Iterator[Show]:
    """Open an empty page with a microphone, as the `Notebook` that a host needs."""
    opened = request.node.stash.setdefault(OPENED, [])

    def show_(kind: Callable[[Page, Path, str], Notebook], name: str) -> Notebook:
        window = windows.window(speech_microphone, allow=True, deny=False, device=True, host=None)
        opened.append(kind(window.context.new_page(), artifacts, name))
        return opened[-1]

    yield show_
    for notebook in opened:
        notebook.page.close()
        lab.end_kernel(notebook.name)


@pytest.fixture(scope="module")
def marimo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a marimo server that has the example and the plain widget."""
    files = tmp_path_factory.mktemp("marimo-files")
    shutil.copy(EXAMPLE, files)
    (files / "plain.py").write_text(PLAIN.format(WIDGET.replace("\n", "\n    ")), encoding="utf-8")
    with running_marimo(files, tmp_path_factory.mktemp("marimo")) as url:
        yield url


def play_a_clip(notebook: Notebook) -> None:
    """One press: the clip is answered, and the decisions are painted."""
    notebook.button("pace").select_option("fast")
    notebook.button("play-first-clip").click()
    expect(notebook.button("transcript")).to_contain_text(HEARD[0])
    expect(notebook.button("playing")).to_have_attribute("data-file", "ended")
    expect(notebook.widget.first).to_have_attribute("data-state", "stopped")
    notebook.button("fit").click()
    top, height = notebook.widget.first.locator("[data-lane=decision]").evaluate("e => [e.offsetTop, e.offsetHeight]")
    painted(notebook, top, height)


def painted(notebook: Notebook, top: int, height: int) -> None:
    """Wait until the band of the timeline has more colours than an empty lane."""
    notebook.button("timeline").evaluate(
        f"""async (canvas, box) => {{
          while (({COLOURS_IN_LANE})(canvas, box) <= 8) await new Promise(requestAnimationFrame);
        }}""",
        [top, height],
    )


def speak(notebook: Notebook) -> None:
    """Record the microphone in a new session until it is heard, and stop."""
    notebook.button("reset").click()
    expect(notebook.widget.first).to_have_attribute("data-chunks", "0")
    # While a file plays, the button reads Stop.
    expect(notebook.button("record")).to_contain_text("Record")
    notebook.record()
    expect(notebook.widget.first).to_have_attribute("data-decisions", re.compile(r"[3-9]|\d\d+"))
    notebook.stop()


def opened(show: Show, host: SimulatedHost) -> Output:
    """The frame of outputs in the page of a simulated host."""
    around = show(Notebook, host.kind.name)
    with around.page.expect_websocket():
        around.page.goto(host.url)
    frame = around.page.frame(name="output")
    assert frame is not None
    return Output(frame, around.artifacts, host)


def test_notebook_7(show: Show, lab: Lab, tmp_path: Path) -> None:
    over = tmp_path / "over"
    address = lab.notebook("notebook-7.ipynb", [WIDGET, UNTIL.format(str(over))])
    notebook = show(Notebook, "notebook-7.ipynb")
    notebook.open(address.replace("/lab/tree/", "/notebooks/"))
    notebook.run_cell(0)
    play_a_clip(notebook)
    assert notebook.ask("w.record.turns['text'].tolist()") == HEARD
    notebook.shot("notebook-7", widget=False)
    # While a cell runs.
    notebook.run_cell(1, wait=False)
    speak(notebook)
    over.touch()
    assert notebook.ask(SOURCE) == "mic"
    assert notebook.errors() == []


def test_voila(show: Show, lab: Lab) -> None:
    lab.notebook("voila.ipynb", [WIDGET])
    page = show(partial(VoilaPage, lab=lab), "voila.ipynb")
    page.page.goto(f"{lab.url}/voila/render/{page.name}")
    play_a_clip(page)
    assert page.ask("w.record.turns['text'].tolist()") == HEARD
    page.shot("voila", widget=False)
    speak(page)
    assert page.ask(SOURCE) == "mic"


def test_marimo_with_reactive_cells(show: Show, marimo: str) -> None:
    page = show(Notebook, EXAMPLE.name)
    page.page.goto(f"{marimo}/?file={EXAMPLE.name}")
    told = page.page.get_by_text(re.compile(r"with bias .* decisions"))
    play_a_clip(page)
    # A cell reads `w.value` and `w.record` in the kernel.
    expect(told).to_contain_text("2 replies. " + HEARD[0])
    expect(told).to_contain_text("stopped with bias 0")
    page.page.get_by_role("slider", name="bias").press("ArrowRight")
    expect(told).to_contain_text("bias 0.5")
    page.shot("marimo", widget=False)
    speak(page)
    expect(told).to_contain_text(re.compile(r"bias 0.5: ([3-9]|1\d) decisions, 0 replies"))


def test_marimo_with_the_plain_widget(show: Show, marimo: str) -> None:
    page = show(Notebook, "plain.py")
    page.page.goto(f"{marimo}/?file=plain.py")
    play_a_clip(page)


@pytest.mark.parametrize("kind", [COLAB, KAGGLE], ids=lambda kind: kind.name)
def test_a_simulated_host_runs_the_quick_start_to_its_end_live(show: Show, tmp_path: Path, kind: Kind) -> None:
    cells = [cell.source for cell in nbformat.read(QUICK_START, 4).cells if cell.cell_type == "code"]
    with simulated(kind, tmp_path) as host:
        output = opened(show, host)
        for cell in cells:
            assert host.run(cell).errors == []
        turns = output.ask("len(w.record.turns)")
        assert turns > 0
        expect(output.widget.first).to_have_attribute("data-turns", str(turns))
        expect(output.widget.first).to_have_attribute("data-state", "stopped")
        output.expect_problem("no_buffers", "drops the binary part.*sent as text.*Nothing has to be done")
        expect(output.problem("no_buffers")).to_have_attribute("role", "status")

        # What a cell changes without waiting is shown after its end, because the page asks for what is new.
        assert host.run("w.set(greedy=True)\nw.reset()").errors == []
        expect(output.widget.first).to_have_attribute("data-chunks", "0")

        # While no cell runs.
        play_a_clip(output)
        assert output.ask("w.record.turns['text'].tolist()") == HEARD
        # What the kernel's threads sent by themselves never arrived, and the page shows all the same.
        assert host.withheld > 0

        # While a cell runs, what it plays is shown before its end.
        over = tmp_path / "over"
        running = host.begin(f"w.reset()\nw.play('clip:digit')\n{UNTIL.format(str(over))}")
        expect(output.button("transcript")).to_contain_text(SEVEN)
        assert not running.done()
        # What the page asks meanwhile is handled after the cell, and is not lost.
        output.button("clip").select_option("rooster")
        over.touch()
        assert running.result(60).errors == []
        expect(output.button("transcript")).to_contain_text("rooster")
        expect(output.button("playing")).to_have_attribute("data-file", "ended")

        if kind.microphone:
            speak(output)
            assert output.ask(SOURCE) == "mic"
        else:
            output.button("record").click()
            output.expect_problem("frame_policy", r"is not allowed to use the microphone.*Play a clip or choose a file")
            output.expect_problem("frame_policy", r"pass an array to `w\.feed\(samples, rate\)`")
            turns = output.ask("len(w.record.turns)")
            assert host.run("w.feed(aiw.clips['digit'].samples(), 16_000, end=True)").errors == []
            expect(output.widget.first).to_have_attribute("data-turns", str(turns + 1))
        output.page.page.screenshot(path=output.artifacts / f"simulated-{kind.name}.png")


def test_html_of_nbconvert_shows_the_session_and_says_how_to_use_the_widget(
    show: Show, artifacts: Path, tmp_path: Path
) -> None:
    """The quick start as a notebook keeps it, without saved widget state, and read offline."""
    cells = [new_code_cell(WIDGET), new_code_cell("w.play('clip:digit')")]
    book = NotebookClient(new_notebook(cells=cells), resources={"metadata": {"path": str(tmp_path)}}).execute()
    html, _ = HTMLExporter().from_notebook_node(book)
    file = tmp_path / "quick-start.html"
    file.write_text(html, encoding="utf-8")
    page = show(Notebook, file.name).page
    page.route(re.compile("^https?:"), lambda route: route.abort())
    page.goto(file.as_uri())
    expect(page.get_by_role("cell", name=SEVEN)).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Timeline: "))).to_be_visible()
    expect(page.get_by_text("to use the widget, run this cell with a kernel")).to_be_visible()
    page.screenshot(path=artifacts / "nbconvert.png")
