"""The version of a release is the same wherever it is written."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

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


def test_software_and_paper_are_cited_with_their_authors() -> None:
    """The software's author is an entity, as the format allows."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["authors"] == [{"name": "ai_widgets contributors"}]
    (paper,) = cited["references"]
    assert paper["title"] == "Audio Interaction Model"
    assert [name["family-names"] for name in paper["authors"]][:2] == ["Xie", "Liu"]
    assert paper["identifiers"][0]["value"] == "arXiv:2606.05121"
