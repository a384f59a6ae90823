"""The notebooks as they are stored, and what runs them: `test_wheel.py` does, from the wheel."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from ai_widgets.cli import demo
from ai_widgets.cli.bench.rehearsal_files import SMALL, write_release
from ai_widgets.model.convert import convert
from ai_widgets.teaching import all_exercises, check
from tests import notebooks

MOST_BYTES = 3_000_000
"""Bytes of a stored notebook: above it, hosts are slow to show it."""


def printed(*cells: tuple[str, str]) -> nbformat.NotebookNode:
    """A notebook of executed cells, each given by what it printed and by its tag."""
    made = []
    for text, tag in cells:
        cell = nbformat.v4.new_code_cell(f"show({text!r})", metadata={"tags": [tag] if tag else []})
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
        made.append(cell)
    return nbformat.v4.new_notebook(cells=made)


@pytest.mark.parametrize(
    ("now", "stored", "equal"),
    [
        (("p = 0.5000", ""), ("p = 0.5001", ""), True),
        (("p = 0.5", ""), ("p = 0.6", ""), False),
        (("p = 0.5", ""), ("q = 0.5", ""), False),
        (("1 2", ""), ("1", ""), False),
        (("12 ms", notebooks.VARIES), ("900 s", notebooks.VARIES), True),
        (("silero_vad is not installed.", "optional-silero_vad"), ("recall 0.5", "optional-silero_vad"), True),
        (("recall 0.7", "optional-silero_vad"), ("recall 0.5", "optional-silero_vad"), False),
        (("silero_vad is not installed.", ""), ("recall 0.5", ""), False),
    ],
)
def test_a_cell_that_prints_something_else_than_what_is_stored_is_found(
    now: tuple[str, str], stored: tuple[str, str], equal: bool
) -> None:
    assert notebooks.different(printed(now), printed(stored)) == ([] if equal else [f"show({now[0]!r})"])


def test_one_run_shows_each_exercise_without_an_answer_and_with_its_solution() -> None:
    exercise = 'print("one")\nanswer = None  # a number\ncheck("x.y", answer)'
    source = "from types import SimpleNamespace\ncheck = lambda name, answer: print(name, answer)"
    cells = [nbformat.v4.new_code_cell(text) for text in (source, exercise, "print(answer)")]
    book = nbformat.v4.new_notebook(cells=cells)
    assert notebooks.execute(book, {"x.y": "6 * 7"}) == {"x.y": "one\nx.y 42\n"}
    assert [notebooks.texts(cell) for cell in book.cells] == [[], ["one\nx.y None\n"], ["42\n"]]
    assert [cell.source for cell in book.cells] == [source, exercise, "print(answer)"]
    assert [cell.execution_count for cell in book.cells] == [1, 2, 3]


def test_the_kernel_of_a_notebook_reaches_no_other_machine() -> None:
    tries = "import socket\nfor address in ('192.0.2.1', 'example.org'):\n    try:\n"
    tries += "        socket.create_connection((address, 80))\n    except OSError as error:\n        print(error)"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(tries)])
    notebooks.execute(book, {})
    said = "There is no network: {} is another machine.\n"
    assert notebooks.texts(book.cells[0]) == [said.format("192.0.2.1") + said.format("example.org")]


@pytest.mark.parametrize("name", notebooks.names())
class TestAsStored:
    def test_begins_with_a_title_and_the_installation(self, name: str) -> None:
        first, install = notebooks.read(name).cells[:2]
        assert first.source.startswith("# ")
        assert install.source == notebooks.INSTALL

    def test_has_outputs_that_no_kernel_is_needed_for(self, name: str) -> None:
        text = (notebooks.FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
        assert len(text.encode()) <= MOST_BYTES
        assert notebooks.WIDGET_VIEW not in text
        assert str(notebooks.ROOT) not in text
        cells = [cell for cell in notebooks.read(name).cells if cell.cell_type == "code"]
        assert all(cell.execution_count is not None for cell in cells), "Run `make notebooks`."
        assert any(cell.outputs for cell in cells)

    def test_has_an_exercise_with_a_solution_apart(self, name: str) -> None:
        found = [exercise for exercise, _ in notebooks.exercise_cells(notebooks.read(name))]
        assert found
        assert found == list(notebooks.solutions(name))
        assert set(found) <= set(all_exercises())

    def test_an_exercise_without_an_answer_is_not_right(self, name: str) -> None:
        for exercise, cell in notebooks.exercise_cells(notebooks.read(name)):
            assert notebooks.texts(cell)[-1].startswith("No answer yet: replace None by"), exercise

    def test_asks_before_it_tells_has_a_slider_breaks_something_and_states_what_to_expect(self, name: str) -> None:
        cells = notebooks.read(name).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        assert re.search(r"^> \*\*(Guess|Question)", text, re.MULTILINE)
        assert "Slider(" in code
        assert re.search(r"^## .*Break", text, re.MULTILINE)
        assert "Expected" in text
        assert re.search("your (own )?(voice|microphone)|[Rr]ecord", text)

    def test_is_found_by_its_name(self, name: str) -> None:
        assert demo.notebook_named(name).stem == name


def only(book: nbformat.NotebookNode, *begins: str) -> nbformat.NotebookNode:
    """A notebook of the code cells that have one of these texts in them."""
    cells = [cell for cell in book.cells if cell.cell_type == "code" and any(text in cell.source for text in begins)]
    return nbformat.v4.new_notebook(cells=cells)


def test_silero_on_the_recording_of_the_notebook_gives_the_stored_table() -> None:
    pytest.importorskip("silero_vad", reason="silero-vad is not installed; pip install 'ai_widgets[eval]' brings it")
    names = ("labelled_tape()", "def judge(", "policies.Silero(")
    stored = only(notebooks.read("05_who_decides_better"), *names)
    book = deepcopy(stored)
    notebooks.execute(book, {})
    assert notebooks.different(book, stored) == []
    assert "silero, waits 0.6 s" in notebooks.texts(book.cells[-1])[-1]


class TestThePublishedModelsNotebook:
    """Its last cell loads a checkpoint: here one of random weights and small sizes, with the files of the release."""

    NAMES = ("import ai_widgets as aiw", "from ai_widgets.model.placement import Need", "GB = ", "def listen(")
    LINE = 'checkpoint = "zhifeixie/AudioInteraction"'

    def run(self, checkpoint: Path, before: str = "") -> str:
        book = only(notebooks.read("07_the_published_model"), *self.NAMES)
        last = book.cells[-1]
        assert last.source.count(self.LINE) == 1
        last.source = before + last.source.replace(self.LINE, f"checkpoint = {str(checkpoint)!r}")
        # Random weights hardly ever end a reply.
        last.source = last.source.replace("max_reply_tokens=256", "max_reply_tokens=2")
        notebooks.execute(book, {})
        return "\n".join(notebooks.texts(last))

    @pytest.fixture(scope="class")
    def converted(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("stand-in")
        write_release(folder / "release", SMALL)
        convert(folder / "release", folder / "converted", "bfloat16", progress=False)
        return folder / "converted"

    def test_loads_a_converted_folder_and_runs_it(self, converted: Path) -> None:
        said = self.run(converted)
        assert "11.6 s heard, 29 decisions" in said
        assert re.search(r"a chunk takes \d+ ms; expected on a T4", said)

    def test_says_where_the_memory_is_too_small(self, converted: Path) -> None:
        little = "import ai_widgets.model.placement as placement\n"
        little += "placement.look = lambda: Machine(Hardware('cpu', 'small', 10**6, 10**7, False))\n"
        said = self.run(converted, little)
        assert re.match(r"Not loaded\. The model needs .* on cpu .* but .* are free", said)


def test_no_exercise_lacks_its_notebook() -> None:
    used = {exercise for name in notebooks.names() for exercise, _ in notebooks.exercise_cells(notebooks.read(name))}
    assert used == set(all_exercises())


def test_a_check_without_an_answer_fails() -> None:
    for name in all_exercises():
        assert not check(name, None)


def test_a_normalised_notebook_is_the_same_file_again() -> None:
    """Execution counts, widgets of a kernel, addresses of objects and how a stream was cut differ from run to run."""

    def book(count: int, address: str, cut: int) -> nbformat.NotebookNode:
        text = "one\ntwo\n"
        cell = nbformat.v4.new_code_cell("x", execution_count=count)
        cell.outputs = [
            nbformat.v4.new_output("stream", name="stdout", text=text[a:b]) for a, b in ((0, cut), (cut, 8))
        ]
        view = {notebooks.WIDGET_VIEW: {"model_id": address}, "text/plain": "Slider()"}
        cell.outputs.append(nbformat.v4.new_output("display_data", data=view))
        shown = {"text/plain": f"<object at {address}>"}
        cell.outputs.append(nbformat.v4.new_output("execute_result", data=shown, execution_count=count))
        made = nbformat.v4.new_notebook(cells=[cell])
        notebooks.normalise(made)
        return made

    assert json.dumps(book(3, "0x7f01", 4)) == json.dumps(book(9, "0x7fff", 2))
