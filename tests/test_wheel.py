"""The wheel, built and used as a stranger would: in an environment of its own, away from the clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from ai_widgets.page.files import BUILT
from tests import notebooks

ROOT = Path(__file__).parent.parent
MAX_CHECKPOINT_BYTES = 12_000_000
USE = """
import sys
import ai_widgets as aiw
assert "site-packages" in aiw.__file__, aiw.__file__
assert "torch" not in sys.modules
import numpy as np
session = aiw.load_model("tiny").session()
events = list(session.push(np.zeros(16000, np.float32)))
assert [d.choice for d in events if isinstance(d, aiw.Decision)] == ["KEEP_SILENCE"] * 2
widget = aiw.AudioInteraction()
widget.feed(np.zeros(6400, np.float32), 16000)
assert len(widget.record.decisions) == 1
widget.close()
print("used")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_holds_front_end_checkpoint_and_notebook(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
    assert sizes["ai_widgets/widget/static/widget.js"] <= 256_000
    assert {"ai_widgets/widget/static/widget.css", "ai_widgets/widget/static/answer.css"} <= sizes.keys()
    assert sizes["ai_widgets/widget/static/page_widget.js"] <= 420_000
    assert sizes["ai_widgets/widget/static/answer.js"] <= 60_000
    assert sizes["ai_widgets/record/static/viewer.js"] <= 180_000
    assert {"ai_widgets/record/static/viewer.css", "ai_widgets/record/static/viewer.licenses.txt"} <= sizes.keys()
    page = {
        name.removeprefix("ai_widgets/page/static/") for name in sizes if name.startswith("ai_widgets/page/static/")
    }
    assert page == set(BUILT)
    assert sizes["ai_widgets/page/static/page.js"] <= 380_000
    # Preact's licence asks to be passed on with it.
    assert {f"ai_widgets/widget/static/{name}.licenses.txt" for name in ("widget", "page_widget")} <= sizes.keys()
    files = [path.relative_to(ROOT) for path in (ROOT / "notebooks").rglob("*") if path.is_file()]
    left_by_programs = (".ipynb_checkpoints", "__pycache__")
    learnt = {f"ai_widgets/{file.as_posix()}" for file in files if not set(file.parts) & set(left_by_programs)}
    assert {name for name in sizes if name.startswith("ai_widgets/notebooks/")} == learnt
    assert {"ai_widgets/notebooks/01_quickstart.ipynb", "ai_widgets/notebooks/teachers_notes.md"} <= learnt
    assert "ai_widgets/model/published.json" in sizes
    assert {"ai_widgets/clips/clips.json", "ai_widgets/clips/CREDITS.md", "ai_widgets/clips/rain.flac"} <= sizes.keys()
    tiny = sum(size for name, size in sizes.items() if name.startswith("ai_widgets/tiny/"))
    assert 0 < tiny <= MAX_CHECKPOINT_BYTES
    with zipfile.ZipFile(wheel) as archive:
        (server,) = [name for name in sizes if name.endswith("etc/jupyter/jupyter_server_config.d/ai_widgets.json")]
        assert json.loads(archive.read(server)) == {
            "ServerApp": {"jpserver_extensions": {"ai_widgets.server_extension": False}}
        }
    strangers = [name for name in sizes if not name.startswith(("ai_widgets/", "ai_widgets-"))]
    assert strangers == []


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the wheel and ipykernel; return its interpreter.

    pip is the one of this environment, and compiles nothing: the new one imports a fifth of what is installed.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-compile", "--constraint", str(ROOT / "constraints.txt")]
    done = subprocess.run(
        [*pip, *options, str(wheel), "ipykernel"], check=False, capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.timeout(900)
def test_works_in_a_clean_environment(clean: Path, tmp_path: Path) -> None:
    """The clone is not on its path."""
    apart = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([clean, "-c", USE], capture_output=True, text=True, check=False, cwd=tmp_path, env=apart)
    assert done.stdout.strip().endswith("used"), done.stderr


def lessons(clean: Path) -> Path:
    """The folder of the notebooks that the wheel brought."""
    (there,) = (clean.parents[1] / "lib").glob("python*/site-packages/ai_widgets/notebooks")
    return there


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_of_the_wheel_runs_there_without_microphone_network_and_gpu(clean: Path, name: str) -> None:
    """It prints what is stored, and its exercises are right with the solutions only."""
    book = nbformat.read(lessons(clean) / f"{name}.ipynb", as_version=4)
    stored = deepcopy(book)
    said = notebooks.execute(book, notebooks.solutions(name), notebooks.Home(clean))
    assert notebooks.different(book, stored) == []
    assert said == dict.fromkeys(notebooks.solutions(name), "Right.")
    for exercise, cell in notebooks.exercise_cells(book):
        assert notebooks.texts(cell)[-1].startswith("No answer yet: replace None by"), exercise


def test_the_wheel_has_every_notebook_as_it_is_here(clean: Path) -> None:
    there = {path.name: path.read_bytes() for path in lessons(clean).glob("*.ipynb")}
    assert there == {path.name: path.read_bytes() for path in notebooks.FOLDER.glob("*.ipynb")}
