"""Configuration of the documentation site; `make docs` builds it."""

from __future__ import annotations

import os
import re
import shutil
from importlib.metadata import version as installed_version
from pathlib import Path

import nbformat
from plotly.io import to_html
from plotly.offline import get_plotlyjs

project = "ai_widgets"
author = "ai_widgets contributors"
version = release = installed_version("ai_widgets")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "html_image"]
myst_heading_anchors = 3
default_role = "code"
nb_execution_mode = "off"  # Notebooks are stored with their outputs, which tests compare with new ones.

autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"ai_widgets {version}"
# `make docs` writes the page with the model in it there; it becomes page/ of the site.
SITE = Path(__file__).parent.parent / "build" / "docs-extra"
html_extra_path = [str(SITE)] if SITE.is_dir() else []

# Sphinx reads documents below its own folder only: the notebooks and the teacher's notes are copied into a folder
# there, which the repository does not hold.
LESSONS = Path(__file__).parent / "notebooks"
shutil.rmtree(LESSONS, ignore_errors=True)
LESSONS.mkdir()
# Figures of Plotly are stored as numbers, which notebook hosts draw; here the library does, from a file of the site.
STATIC = Path(__file__).parent.parent / "build" / "docs-static"
STATIC.mkdir(parents=True, exist_ok=True)
(STATIC / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
html_static_path = [str(STATIC), "front.css"]
html_css_files = ["front.css"]
FIGURE = "application/vnd.plotly.v1+json"


def draw_figures(book: nbformat.NotebookNode) -> None:
    """Replace the numbers of each figure of a notebook by HTML that draws them."""
    for output in (output for cell in book.cells for output in cell.get("outputs", ())):
        figure = output.get("data", {}).pop(FIGURE, None)
        if figure is not None:
            shown = {"data": figure["data"], "layout": figure.get("layout", {})}
            html = to_html(shown, full_html=False, include_plotlyjs="../_static/plotly.min.js", validate=False)
            output.data["text/html"] = html


for lesson in sorted((*LESSONS.parents[1].glob("notebooks/*.ipynb"), *LESSONS.parents[1].glob("notebooks/*.md"))):
    if lesson.suffix == ".md":
        shutil.copy(lesson, LESSONS)
        continue
    notebook = nbformat.read(lesson, as_version=4)
    draw_figures(notebook)
    nbformat.write(notebook, LESSONS / lesson.name)

suppress_warnings = ["ref.python"]  # `chunk` in a docstring is the field of one class, and a name in many.

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md#settings": "settings.md",
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "ai_widgets/tiny/MODEL_CARD.md": "model-card.md",
    "ai_widgets/tiny/CREDITS.md": "credits.md",
    "ai_widgets/clips/CREDITS.md": "clips.md",
    **{f"notebooks/{path.name}": f"notebooks/{path.name}" for path in sorted(LESSONS.iterdir())},
}
"""Files outside of this folder that have a page on the site. Documents link to the files, which is what readers of the
repository need."""


def link_to_pages(text: str, folder: Path) -> str:
    """Link to the page of a file where it has one, and to other files from the folder of the site's documents.

    Parameters
    ----------
    text
        Markdown.
    folder
        Folder of the document.
    """

    def page(found: re.Match[str]) -> str:
        target = os.path.relpath(folder / found[1], ROOT)
        if target in PAGES:
            return f"]({PAGES[target]})"
        if target.startswith("docs/"):
            return f"]({target.removeprefix('docs/')})"
        return f"](../{target})" if (ROOT / target).exists() else found[0]

    return re.sub(r"\]\(((?!\w+:|#)[\w./#-]+)\)", page, text)


def setup(app) -> None:
    """Register the links."""

    def read(app, docname: str, source: list[str]) -> None:
        source[0] = link_to_pages(source[0], Path(app.srcdir))

    def included(app, path: Path, parent: str, source: list[str]) -> None:
        source[0] = link_to_pages(source[0], ROOT / Path(app.srcdir, path).parent)

    app.connect("source-read", read)
    app.connect("include-read", included)
