"""Execute the notebooks and save their outputs: ``python -m tests.notebooks [NAME…]``; ``make notebooks`` runs it.

What is saved is the learner's view: exercises without answers. Saved outputs hold no paths and no widget that only a
running kernel can show, so that the same notebook executed twice differs in nothing but the latencies in a viewer.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

import ai_widgets

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
SECONDS = 300
"""Time limit of one cell. A whole notebook takes at most 30 s on two cores; machines of tests may be busy."""
REPOSITORY = ""
"""The repository's `owner/name` at GitHub, for the badges that open a notebook in Colab and Kaggle. Not decided yet: as
long as it is empty, notebooks say how to upload them. This is the one place of it."""
INSTALL = f"""# On Colab and Kaggle only: install the package. Elsewhere this cell does nothing.
import os

if {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}} & os.environ.keys():
    %pip install --quiet "ai_widgets=={ai_widgets.__version__}\""""
"""The first code cell of every notebook."""
UNANSWERED = "answer = None"
"""Line of an exercise that a learner replaces."""
CHECK = re.compile(r'check\("([\w.]+)", answer\)')
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
VARIES = "varies"
"""Tag of a cell whose output differs from run to run or from machine to machine."""
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    "TQDM_DISABLE": "1",
    "PLOTLY_RENDERER": "plotly_mimetype",
}
"""Environment of the kernel: no network, no GPU, no progress bars, and figures saved as data without plotly.js."""


def names() -> list[str]:
    """List the notebooks by name."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name: str) -> nbformat.NotebookNode:
    """Read a notebook as it is stored."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def badges(name: str) -> str:
    """Return what stands below the title of a notebook: two badges, or a sentence while `REPOSITORY` is empty."""
    if not REPOSITORY:
        return f"*On Colab or Kaggle: upload `{name}.ipynb` there; the first cell installs the package.*"
    path = f"{REPOSITORY}/blob/main/notebooks/{name}.ipynb"
    colab = f"[![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{path})"
    kaggle = f"[![Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/{path})"
    return f"{colab} {kaggle}"


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


def solve(book: nbformat.NotebookNode, answers: Mapping[str, str]) -> None:
    """Write answers into the cells of their exercises."""
    for name, cell in exercise_cells(book):
        before, line, after = cell.source.partition(UNANSWERED)
        assert line, f"The exercise {name} has no line {UNANSWERED!r}."
        cell.source = f"{before}answer = {answers[name]}{after[after.find(chr(10)) :] if chr(10) in after else ''}"


def execute(book: nbformat.NotebookNode) -> None:
    """Execute a notebook from its first cell to its last, in an empty folder, and normalise its outputs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        Where a cell raises, and it has not the tag `raises-exception`.
    """
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | OFFLINE | {"PYTHONPATH": paths}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            book,
            timeout=SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute(env=environment)
        unfold(book, client.widget_state)
        normalise(book, folder)


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


def main(wanted: list[str]) -> None:
    """Execute notebooks, all or those whose name contains one of the given texts, and save them with their outputs."""
    for name in names():
        if wanted and not any(each in name for each in wanted):
            continue
        book = read(name)
        for cell in book.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        print(f"{name} …", flush=True)
        execute(book)
        nbformat.write(book, FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1:])
