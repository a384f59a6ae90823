from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from . import sounds
from .lab import Lab, running_lab
from .page import Notebook
from .windows import Windows

ARTIFACTS = Path(__file__).parent.parent / "artifacts"
FAILED = pytest.StashKey[bool]()
OPENED = pytest.StashKey[list[Notebook]]()
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


@pytest.fixture(scope="session")
def speech_microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears unless a test says otherwise: the speech fixture, then silence."""
    return sounds.microphone_file(tmp_path_factory.mktemp("microphone"), sounds.speech())


@pytest.fixture(scope="session")
def windows(lab: Lab, playwright_: Playwright, artifacts: Path) -> Iterator[Windows]:
    opened = Windows(lab, playwright_, artifacts)
    yield opened
    opened.close()


@pytest.fixture
def open_notebook(windows: Windows, speech_microphone: Path, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Open a notebook of code cells in a browser whose microphone plays `microphone` (a WAV file).

    Tests whose notebook differs in nothing but its cells share one page and kernel, one after the other: its cells are
    replaced and its widgets closed. A test that restarts, reloads or saves says `own=True`.
    """
    opened = request.node.stash.setdefault(OPENED, [])

    def open_(
        cells: list[str],
        *,
        microphone: Path | None = None,
        allow: bool = True,
        deny: bool = False,
        device: bool = True,
        host: str | None = None,
        own: bool = False,
        script: str = "",
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
    ) -> Notebook:
        window = windows.window(microphone or speech_microphone, allow=allow, deny=deny, device=device, host=host)
        name = f"{request.node.name.replace('[', '-').replace(']', '')}-{len(opened)}.ipynb"
        notebook = windows.open(window, name, cells, own=own or bool(script), script=script)
        opened.append(notebook)
        notebook.look(width, height, dark=dark)
        return notebook

    yield open_
    for notebook in opened:
        windows.give_back(notebook, reusable=not request.node.stash.get(FAILED, False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test leaves screenshots of its pages, those that it opened itself included."""
    report = yield
    if report.when == "call" and report.failed:
        item.stash[FAILED] = True
        contexts = {notebook.page.context for notebook in item.stash.get(OPENED, [])}
        for number, page in enumerate(page for context in contexts for page in context.pages):
            page.screenshot(path=ARTIFACTS / f"failed-{item.name}-{number}.png")
    return report
