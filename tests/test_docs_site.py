"""The documentation site: built without a warning, every link inside it leads somewhere, every public name is in it."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ai_widgets
from tests import notebooks

ROOT = Path(__file__).parents[1]
WRITTEN_APART = "page/index.html"
"""The page with the model in it, which `make docs` adds."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class Links(HTMLParser):
    """Targets of the links of a page, and the anchors in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.targets += [value for name in ("href", "src") if (value := values.get(name))]
        self.anchors |= {value for name in ("id", "name") if (value := values.get(name))}


def test_every_link_inside_the_site_leads_somewhere(site: Path) -> None:
    pages = {page: Links(page) for page in site.rglob("*.html") if "_static" not in page.parts}
    assert len(pages) > 15
    broken = []
    for page, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or target == WRITTEN_APART:
                continue
            file = (page.parent / unquote(parts.path)) if parts.path else page
            if not file.exists() or (parts.fragment and file in pages and parts.fragment not in pages[file].anchors):
                broken.append((page.name, target))
    assert broken == []


def test_the_site_opens_with_the_page_that_has_the_model_in_it(site: Path) -> None:
    """`make docs` writes the page beside the site's own; its frame may use the microphone."""
    text = (site / "index.html").read_text(encoding="utf-8")
    frame = re.search(r"<iframe[^>]*>", text)
    assert frame
    assert f'src="{WRITTEN_APART}"' in frame[0]
    assert re.search(r'allow="[^"]*microphone', frame[0])
    assert frame.start() < text.index("session.webp")


def test_every_public_name_is_explained(site: Path) -> None:
    anchors = Links(site / "api.html").anchors
    explained = {anchor.rsplit(".", 1)[-1] for anchor in anchors}
    modules = {"analysis", "page", "policies"}
    assert "ai_widgets.page.hand_out.to_html" in anchors
    assert set(ai_widgets.__all__) - explained - modules == set()


@pytest.mark.parametrize("name", [*notebooks.names(), "teachers_notes"])
def test_every_notebook_is_a_page_with_its_outputs(site: Path, name: str) -> None:
    text = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    assert f"notebooks/{name}.html" in Links(site / "index.html").targets
    assert "No answer yet: replace None by" in text or name == "teachers_notes"


@pytest.mark.usefixtures("site")
def test_the_site_has_no_solutions_but_those_of_the_teachers_notes() -> None:
    copied = [path.name for path in (ROOT / "docs" / "notebooks").rglob("*")]
    assert sorted(copied) == [*(f"{name}.ipynb" for name in notebooks.names()), "teachers_notes.md"]
