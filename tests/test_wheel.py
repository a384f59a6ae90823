"""The wheel, built and used as a stranger would: in an environment of its own, away from the clone."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from ai_widgets.page.files import BUILT

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
    assert sizes["ai_widgets/widget/static/answer.js"] <= 60_000
    assert sizes["ai_widgets/record/static/viewer.js"] <= 180_000
    assert {"ai_widgets/record/static/viewer.css", "ai_widgets/record/static/viewer.licenses.txt"} <= sizes.keys()
    page = {
        name.removeprefix("ai_widgets/page/static/") for name in sizes if name.startswith("ai_widgets/page/static/")
    }
    assert page == set(BUILT)
    assert sizes["ai_widgets/page/static/page.js"] <= 380_000
    # Preact's licence asks to be passed on with it.
    assert "ai_widgets/widget/static/widget.licenses.txt" in sizes
    learnt = {f"ai_widgets/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "notebooks").rglob("*.[ijmp]*")}
    assert {name for name in sizes if name.startswith("ai_widgets/notebooks/")} == learnt
    assert "ai_widgets/notebooks/01_quickstart.ipynb" in learnt
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


@pytest.mark.timeout(900)
def test_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "clean", with_pip=True)
    python = str(tmp_path / "clean" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, cwd=tmp_path)
    done = subprocess.run([python, "-c", USE], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.strip().endswith("used"), done.stderr
