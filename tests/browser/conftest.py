from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from . import chromium
from .lab import Lab, running_lab
from .page import Notebook

ARTIFACTS = Path(__file__).parent.parent / "artifacts"
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream"),
)
OpenNotebook = Callable[..., Notebook]


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots of this run go."""
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    ARTIFACTS.mkdir(parents=True)
    return ARTIFACTS


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("notebooks")
    with running_lab(tmp_path_factory.mktemp("jupyter"), root) as server:
        yield server


@pytest.fixture(scope="session")
def playwright_() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def open_notebook(lab: Lab, playwright_: Playwright, artifacts: Path, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Open a notebook of code cells in a browser whose microphone plays `microphone` (a WAV file)."""
    with ExitStack() as stack:

        def open_(
            cells: list[str],
            *,
            microphone: Path | None = None,
            allow: bool = True,
            width: int = 1280,
            dark: bool = False,
        ) -> Notebook:
            executable = chromium.find()
            if executable is None:
                pytest.fail(chromium.HOW)
            arguments = [*ARGUMENTS]
            if allow:
                arguments.append("--use-fake-ui-for-media-stream")
            if microphone is not None:
                arguments.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
            browser = playwright_.chromium.launch(executable_path=executable, headless=True, args=arguments)
            stack.callback(browser.close)
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
            notebook = Notebook(page, artifacts)
            notebook.open(lab.notebook(f"{request.node.name.replace('[', '-').replace(']', '')}.ipynb", cells))
            return notebook

        yield open_
