"""Write what depends on the repository's address: ``python -m tests.badges``; ``make badges`` runs it.

The address is the field `Repository` of `[project.urls]` in pyproject.toml, and nowhere else. With it, each notebook
and the README have badges that open a notebook in Colab and on Kaggle, and CITATION.cff names the repository. Without
it, notebooks say how to upload them, and there is no badge that leads nowhere.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
ADDRESS = re.compile(r'^Repository = "https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?"$', re.MULTILINE)
FIRST = "01_quickstart"
"""Notebook that the README's badges open."""
BETWEEN = re.compile(r"(?<=<!-- badges -->\n).*?(?=<!-- end of badges -->)", re.DOTALL)
CITED = re.compile(r"^repository-code: .*\n", re.MULTILINE)
BEFORE_CITED = "license: Apache-2.0\n"


def repository(project: str) -> str | None:
    """Return the repository's `owner/name` at GitHub, from the text of pyproject.toml; None without the field."""
    found = ADDRESS.search(project)
    return found[1] if found else None


def badges(name: str, repository: str) -> str:
    """Return the two badges of a notebook."""
    path = f"{repository}/blob/main/notebooks/{name}.ipynb"
    colab = f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{path})"
    kaggle = f"[![Open on Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/{path})"
    return f"{colab} {kaggle}"


def below_title(name: str, repository: str | None) -> str:
    """Return what stands below the title of a notebook."""
    if repository:
        return badges(name, repository)
    return f"*On Colab or Kaggle: upload `{name}.ipynb` and the package's wheel; the first cell installs the package.*"


def written(folder: Path, repository: str | None) -> dict[Path, str]:
    """Compute the texts of the files of a clone that say where the repository is, by their paths."""
    texts = {}
    for path in sorted((folder / "notebooks").glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        title, _, *rest = book.cells[0].source.split("\n\n")
        book.cells[0].source = "\n\n".join([title, below_title(path.stem, repository), *rest])
        texts[path] = nbformat.writes(book) + "\n"
    readme, citation = folder / "README.md", folder / "CITATION.cff"
    line = f"{badges(FIRST, repository)}\n" if repository else ""
    texts[readme] = BETWEEN.sub(lambda _: line, readme.read_text(encoding="utf-8"))
    cited = f"repository-code: https://github.com/{repository}\n" if repository else ""
    plain = CITED.sub("", citation.read_text(encoding="utf-8"))
    texts[citation] = plain.replace(BEFORE_CITED, BEFORE_CITED + cited)
    return texts


def main() -> None:
    """Write the files, and say for which repository."""
    where = repository((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for path, text in written(ROOT, where).items():
        path.write_text(text, encoding="utf-8")
    print(f"Badges lead to {where}." if where else "pyproject.toml has no Repository: there are no badges.")


if __name__ == "__main__":
    main()
