"""The notebooks run from top to bottom without microphone, network and GPU; checks pass with the solutions only."""

from __future__ import annotations

import json
import math
import re

import nbformat
import pytest

from ai_widgets.cli import demo
from ai_widgets.teaching import all_exercises, check
from tests import notebooks

NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")
MOST_BYTES = 3_000_000
"""Bytes of a stored notebook: above it, hosts are slow to show it."""


def same(now: list[str], stored: list[str]) -> bool:
    """Whether two outputs have the same words, and numbers that are equal up to rounding on another machine."""
    one, two = "\n".join(now), "\n".join(stored)
    if NUMBER.sub("#", one).split() != NUMBER.sub("#", two).split():
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(two), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-2, abs_tol=2e-3) for a, b in pairs)


def test_other_words_and_other_numbers_are_seen() -> None:
    assert same(["p = 0.5000"], ["p = 0.5001"])
    assert not same(["p = 0.5"], ["p = 0.6"])
    assert not same(["p = 0.5"], ["q = 0.5"])
    assert not same(["1 2"], ["1"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", notebooks.names())
def test_runs_with_its_solutions_and_gives_the_stored_outputs(name: str) -> None:
    stored, book = notebooks.read(name), notebooks.read(name)
    notebooks.solve(book, notebooks.solutions(name))
    notebooks.execute(book)
    for now, before in zip(book.cells, stored.cells, strict=True):
        if now.cell_type != "code":
            continue
        exercise = notebooks.exercise_of(now)
        if exercise is not None:
            assert notebooks.texts(now)[-1] == "Right.", exercise
            assert notebooks.texts(before)[-1].startswith("No answer yet: replace None by"), exercise
        elif notebooks.VARIES not in now.metadata.get("tags", ()):
            assert same(notebooks.texts(now), notebooks.texts(before)), now.source


@pytest.mark.parametrize("name", notebooks.names())
class TestAsStored:
    def test_begins_with_a_title_a_way_to_colab_and_the_installation(self, name: str) -> None:
        first, install = notebooks.read(name).cells[:2]
        assert first.source.startswith("# ")
        assert notebooks.badges(name) in first.source
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

    def test_is_found_by_its_name(self, name: str) -> None:
        assert demo.notebook_named(name).stem == name


def test_with_a_repository_there_are_two_badges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebooks, "REPOSITORY", "owner/name")
    colab, kaggle = notebooks.badges("01_quickstart").split(" ")
    path = "owner/name/blob/main/notebooks/01_quickstart.ipynb"
    assert colab.endswith(f"(https://colab.research.google.com/github/{path})")
    assert kaggle.endswith(f"?src=https://github.com/{path})")


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
