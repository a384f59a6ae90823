"""`import ai_widgets` is light; its public names are all there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ai_widgets

HEAVY = (
    *("torch", "transformers", "ipywidgets", "anywidget", "pandas", "soxr", "soundfile", "huggingface_hub", "numpy"),
    *("librosa", "numba", "plotly", "scipy"),
)


def modules_after(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after one statement."""
    code = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import ai_widgets").intersection(HEAVY)


def test_the_nouns_and_settings_load_no_torch() -> None:
    loaded = modules_after(
        "from ai_widgets import Decision, Settings, Turn; from ai_widgets.audio.intake import Chunker"
    )
    assert not loaded.intersection(("torch", "transformers", "ipywidgets", "pandas", "soxr"))


def test_the_widget_is_made_before_torch_is_loaded() -> None:
    # So that it is on screen at once; torch comes with the model, on a thread of its own.
    assert not modules_after("from ai_widgets import AudioInteraction").intersection(
        ("torch", "transformers", "pandas", "librosa", "plotly")
    )


def test_libraries_of_figures_and_sound_analysis_are_installed_with_the_package() -> None:
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    required = project.split("\ndependencies = [")[1].split("]")[0]
    assert {"librosa", "plotly"} <= set(re.findall(r'"([\w-]+)', required))


SECONDS = ("transformers", "torch._dynamo", "torch.distributed.tensor", "sympy", "scipy", "librosa", "plotly", "pandas")
"""Packages that take long to import, and that neither loading a model nor deciding needs."""

FIRST_DECISION = """
import numpy as np
import ai_widgets
session = ai_widgets.load_model("tiny", "cpu").session(bias=-1000.0)
session.push(np.zeros(6400, np.float32), rate=16000)
"""


def test_a_first_decision_needs_little_beside_torch() -> None:
    # From the widget to its first decision, imports take nearly all of the time.
    assert not modules_after(FIRST_DECISION).intersection(SECONDS)


def test_command_line_help_loads_no_torch() -> None:
    loaded = modules_after("from ai_widgets.cli.main import main\ntry: main(['--version'])\nexcept SystemExit: print()")
    assert "torch" not in loaded


@pytest.mark.parametrize("name", sorted({*ai_widgets.__all__} - {"clips"}))
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(ai_widgets, name).__name__.removeprefix("ai_widgets.") == name


def test_the_clips_are_a_mapping_and_no_module() -> None:
    assert "rain" in ai_widgets.clips


def test_dir_lists_the_public_names() -> None:
    assert set(ai_widgets.__all__) <= set(dir(ai_widgets))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="load_modle"):
        ai_widgets.load_modle  # noqa: B018


def test_every_error_is_also_a_standard_error() -> None:
    for name in ("AudioError", "SettingError", "CheckpointError", "MessageError"):
        assert issubclass(getattr(ai_widgets, name), (ai_widgets.AiWidgetsError, ValueError))
    assert issubclass(ai_widgets.SessionError, RuntimeError)
