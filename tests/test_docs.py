"""Documents name files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ai_widgets as aiw
from ai_widgets.cli.main import main

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("ai_widgets", "js/src", "js/test", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".ts", ".tsx", ".js", ".css")
]


@pytest.mark.parametrize("name", ["docs/how-it-works.md", "docs/engine.md", "CONTRIBUTING.md"])
def test_every_source_file_that_a_document_names_exists(name: str) -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|tsx?|js|css))`", (ROOT / name).read_text(encoding="utf-8"))
    assert named
    there = [f"/{path.relative_to(ROOT).as_posix()}" for path in SOURCES]
    assert [each for each in named if not any(path.endswith(f"/{each}") for path in there)] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/how-it-works.md", "docs/engine.md"])
def test_every_relative_link_of_a_document_leads_somewhere(name: str) -> None:
    document = ROOT / name
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (document.parent / link).exists()] == []


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_command_prints_what_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "clip:digit", "--device", "cpu"]) == 0
    # The speed at the end is that of the machine.
    shown = capsys.readouterr().out.rpartition(", ")[0]
    assert "reply" in shown
    assert shown in README


def test_the_first_python_example_prints_what_the_readme_shows() -> None:
    with aiw.load_model("tiny", device="cpu").session(seed=0) as session:
        session.play("clip:speech_pause_speech")
    assert f"```\n{session.record}\n```" in README
