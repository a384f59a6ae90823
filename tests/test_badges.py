"""Badges and the citation lead to the repository that pyproject.toml names, or are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from tests import badges

PROJECT = '[project.urls]\nRepository = "{}"\n'
FILES = ("README.md", "CITATION.cff", "notebooks")


def clone(folder: Path) -> Path:
    """A copy of the files that say where the repository is."""
    for name in FILES:
        source = badges.ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder


def write(folder: Path, repository: str | None) -> None:
    for path, text in badges.written(folder, repository).items():
        path.write_text(text, encoding="utf-8")


def all_texts(folder: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in badges.written(folder, None)}


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://github.com/owner/name", "owner/name"),
        ("https://github.com/owner/name.git", "owner/name"),
        ("https://github.com/some-owner/a.name/", "some-owner/a.name"),
        ("https://example.org/owner/name", None),
    ],
)
def test_the_repository_is_a_field_of_the_project(address: str, found: str | None) -> None:
    assert badges.repository(PROJECT.format(address)) == found


def test_no_field_is_no_repository() -> None:
    assert badges.repository("[project]\n") is None


def test_what_is_stored_is_what_the_field_says() -> None:
    """Run `make badges` after a change of the field."""
    where = badges.repository((badges.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert all_texts(badges.ROOT) == badges.written(badges.ROOT, where)


def test_with_a_repository_each_notebook_and_the_readme_have_two_badges(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    write(folder, "owner/name")
    for path in sorted(folder.glob("notebooks/*.ipynb")):
        colab, kaggle = nbformat.read(path, as_version=4).cells[0].source.split("\n\n")[1].rsplit(" ", 1)
        there = f"owner/name/blob/main/notebooks/{path.name}"
        assert colab.startswith("[![Open in Colab](")
        assert f"](https://colab.research.google.com/github/{there}) " in f"{colab} {kaggle}"
        assert kaggle.endswith(f"?src=https://github.com/{there})")
    assert badges.badges(badges.FIRST, "owner/name") in (folder / "README.md").read_text(encoding="utf-8")
    cited = (folder / "CITATION.cff").read_text(encoding="utf-8")
    assert cited.count("repository-code: https://github.com/owner/name\n") == 1


def test_without_a_repository_there_is_no_badge(tmp_path: Path) -> None:
    """Also where there was one before."""
    folder = clone(tmp_path)
    write(folder, None)
    before = all_texts(folder)
    assert not [path for path, text in before.items() if "badge.svg" in text or "open-in-kaggle" in text]
    write(folder, "owner/name")
    write(folder, "other/name")
    write(folder, None)
    assert all_texts(folder) == before
