"""The version of a release is the same wherever it is written."""

from __future__ import annotations

import re
from pathlib import Path

import ai_widgets
from ai_widgets.record.record import SessionRecord

ROOT = Path(__file__).parent.parent


def written(file: str, pattern: str) -> str:
    found = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{file} says no version"
    return found[1]


def test_one_version() -> None:
    assert written("pyproject.toml", r'^version = "(.*)"') == ai_widgets.__version__
    assert written("CITATION.cff", r"^version: (.*)") == ai_widgets.__version__


def test_the_newest_changes_are_those_of_this_version() -> None:
    assert written("CHANGELOG.md", r"^## (.*)") == ai_widgets.__version__


def test_a_recording_says_which_version_wrote_it() -> None:
    record = SessionRecord.load(Path(__file__).parent / "fixtures" / "record_0_2.aiw")
    assert record.header.versions["ai_widgets"].startswith("0.2.")


def test_the_paper_is_cited() -> None:
    assert "arXiv:2606.05121" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
