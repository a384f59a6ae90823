"""Execute the notebooks and save their outputs: ``python -m tests.notebooks [NAME…]``; ``make notebooks`` runs it.

What is saved is the learner's view: exercises without answers. The same run executes a copy of each exercise with its
solution, and prints what the check says. Saved outputs hold no paths and no widget that only a running kernel can show,
so that the same notebook executed twice differs in nothing but the latencies in a viewer.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

import ai_widgets

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
SECONDS = 300
"""Time limit of one cell. A whole notebook takes at most 30 s on two cores; machines of tests may be busy."""
INSTALL = f"""# On Colab and Kaggle only: install the package. Elsewhere this cell does nothing.
import os

if {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}} & os.environ.keys():
    %pip install --quiet --find-links . "ai_widgets=={ai_widgets.__version__}\""""
"""The first code cell of every notebook. pip keeps the host's torch, and takes a wheel that lies beside the file."""
UNANSWERED = "answer = None"
"""Line of an exercise that a learner replaces."""
CHECK = re.compile(r'check\("([\w.]+)", answer\)')
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
VARIES = "varies"
"""Tag of a cell whose output differs from run to run or from machine to machine."""
SOLVED = "solved"
"""Tag of the copy of an exercise that has its solution; only a running notebook has one."""
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")
OPTIONAL = "optional-"
"""Beginning of the tag of a cell that needs a package beyond those of `ai_widgets`; the rest is the module's name. Its
saved output is of a run with this package; without it the cell prints `LACKING`."""
LACKING = "is not installed"
"""Words of the sentence that such a cell prints instead."""
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    "TQDM_DISABLE": "1",
    "PLOTLY_RENDERER": "plotly_mimetype",
}
"""Environment of the kernel: no GPU, no progress bars, and figures saved as data without plotly.js."""
NO_NETWORK = Path(__file__).parent / "offline"
"""Folder of the module that refuses connections to other machines."""


@dataclass(frozen=True)
class Home:
    """Where kernels run.

    Attributes
    ----------
    python
        The environment's interpreter, which has ipykernel.
    packages
        Folders whose packages it imports before its own.
    """

    python: Path
    packages: tuple[Path, ...] = ()


CLONE = Home(Path(sys.executable), (ROOT,))
"""The environment of this program, with the package of this clone."""


def names() -> list[str]:
    """List the notebooks by name."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name: str) -> nbformat.NotebookNode:
    """Read a notebook as it is stored."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def solutions(name: str) -> dict[str, str]:
    """Read the solutions of a notebook: Python expressions by exercise; empty where there are none."""
    path = FOLDER / "solutions" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def exercise_of(cell: Mapping[str, Any]) -> str | None:
    """Return the name of the exercise of a cell, or None if it has none."""
    found = CHECK.search(cell["source"])
    return found[1] if found and cell["cell_type"] == "code" else None


def exercise_cells(book: nbformat.NotebookNode) -> Iterator[tuple[str, nbformat.NotebookNode]]:
    """Yield the exercises of a notebook with their cells."""
    for cell in book.cells:
        name = exercise_of(cell)
        if name is not None:
            yield name, cell


def add_solved(book: nbformat.NotebookNode, answers: Mapping[str, str]) -> None:
    """Insert a copy with its answer after each exercise, so that one run shows the check without and with it."""
    cells = []
    for cell in book.cells:
        cells.append(cell)
        name = exercise_of(cell)
        if name is None:
            continue
        solved = deepcopy(cell)
        before, line, after = solved.source.partition(UNANSWERED)
        assert line, f"The exercise {name} has no line {UNANSWERED!r}."
        solved.source = f"{before}answer = {answers[name]}{after[after.find(chr(10)) :] if chr(10) in after else ''}"
        solved.id, solved.metadata["tags"] = f"{cell.id}-{SOLVED}", [SOLVED]
        cells.append(solved)
    book.cells = cells


def remove_solved(book: nbformat.NotebookNode) -> dict[str, str]:
    """Remove the copies again; return what the check said to each, by exercise."""
    solved = [cell for cell in book.cells if SOLVED in cell.metadata.get("tags", ())]
    book.cells = [cell for cell in book.cells if cell not in solved]
    return {str(exercise_of(cell)): texts(cell)[-1] for cell in solved}


def execute(book: nbformat.NotebookNode, answers: Mapping[str, str], home: Home = CLONE) -> dict[str, str]:
    """Execute a notebook from its first cell to its last, in an empty folder, and normalise its outputs.

    Returns
    -------
    dict
        What the check says to the answer of each exercise, by exercise. The notebook itself stays without answers.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        Where a cell raises, and it has not the tag `raises-exception`.
    """
    add_solved(book, answers)
    paths = os.pathsep.join(map(str, (NO_NETWORK, *home.packages)))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as specifications:
        client = NotebookClient(
            book,
            km=kernel_manager(home, Path(specifications)),
            timeout=SECONDS,
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute(env=os.environ | QUIET | {"PYTHONPATH": paths}, cleanup_kc=True)
        unfold(book, client.widget_state)
        said = remove_solved(book)
        normalise(book, folder)
    return said


def kernel_manager(home: Home, folder: Path) -> AsyncKernelManager:
    """Return the manager of kernels there; their specification is written into the folder."""
    name = "notebook"
    specification = {
        "argv": [str(home.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
    }
    (folder / name).mkdir()
    (folder / name / "kernel.json").write_text(json.dumps(specification), encoding="utf-8")
    return AsyncKernelManager(kernel_name=name, kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder)]))


def unfold(book: nbformat.NotebookNode, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Put what is printed below a slider into the outputs of its cell, for readers without a kernel."""

    def shown(model: str) -> Iterator[Mapping[str, Any]]:
        state = states.get(model, {})
        yield from state.get("outputs", ())
        for child in state.get("children", ()):
            yield from shown(child.removeprefix("IPY_MODEL_"))

    for cell in book.cells:
        for view in [each for each in cell.get("outputs", ()) if WIDGET_VIEW in each.get("data", {})]:
            cell.outputs += map(nbformat.from_dict, shown(view.data[WIDGET_VIEW]["model_id"]))


def normalise(book: nbformat.NotebookNode, folder: str = "") -> None:
    """Remove from outputs what no other run repeats, and what only a running kernel can show."""
    book.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    count = 0
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"
        if cell.cell_type != "code":
            continue
        cell.metadata = nbformat.from_dict({key: value for key, value in cell.metadata.items() if key == "tags"})
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        outputs = []
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]
            data = output.get("data")
            if data is not None:
                # An interactive widget is saved as what a reader without a kernel sees, or not at all.
                if data.pop(WIDGET_VIEW, None) is not None and set(data) <= {"text/plain"}:
                    continue
                output.metadata = {}
            outputs.append(output)
        cell.outputs = merged(outputs)
    text = nbformat.writes(book)
    for place, shown in ((folder, "."), (str(ROOT), "."), (str(Path.home()), "~")):
        text = text.replace(place, shown) if len(place) > 1 else text
    text = re.sub(r"(\bat )0x[0-9a-f]+", r"\g<1>0x0", text)
    book.update(nbformat.reads(text, as_version=4))


def merged(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join pieces of the same stream: how a stream is cut into messages differs from run to run."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def texts(cell: Mapping[str, Any]) -> list[str]:
    """Return the text outputs of a cell, as they are compared: not its pictures and pages."""
    found = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            found.append(output["text"])
        elif output["output_type"] == "error":
            found.append(f"{output['ename']}: {output['evalue']}")
        elif "text/plain" in output["data"]:
            found.append(output["data"]["text/plain"])
    return found


def same(now: list[str], stored: list[str]) -> bool:
    """Whether two outputs have the same words, and numbers that are equal up to rounding on another machine."""
    one, two = "\n".join(now), "\n".join(stored)
    if NUMBER.sub("#", one).split() != NUMBER.sub("#", two).split():
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(two), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-2, abs_tol=2e-3) for a, b in pairs)


def different(now: nbformat.NotebookNode, stored: nbformat.NotebookNode) -> list[str]:
    """List the cells of an executed notebook that do not print what is stored."""
    found = []
    for one, two in zip(now.cells, stored.cells, strict=True):
        tags = one.metadata.get("tags", ())
        if one.cell_type != "code" or VARIES in tags:
            continue
        printed = texts(one)
        without = any(tag.startswith(OPTIONAL) for tag in tags) and len(printed) == 1 and LACKING in printed[0]
        if not without and not same(printed, texts(two)):
            found.append(one.source)
    return found


def main(wanted: list[str]) -> int:
    """Execute notebooks, all or those whose name contains one of the given texts, and save them with their outputs.

    Return the exit code: 1 where a stored solution is not right, else 0.
    """
    wrong = 0
    for name in names():
        if wanted and not any(each in name for each in wanted):
            continue
        book = read(name)
        for cell in book.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        print(f"{name} …", flush=True)
        for exercise, verdict in execute(book, solutions(name)).items():
            print(f"  {exercise} with its solution: {verdict}", flush=True)
            wrong += verdict != "Right."
        nbformat.write(book, FOLDER / f"{name}.ipynb")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
