from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
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
    *("--disable-component-update", "--disable-sync"),
)
# Remembers every microphone track that was ever handed out, so that a test can see which of them live.
WATCH_TRACKS = """
window.aiwTracks = [];
if (navigator.mediaDevices) {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async constraints => {
    const stream = await ask(constraints);
    window.aiwTracks.push(...stream.getTracks());
    return stream;
  };
}
"""
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
def open_notebook(
    lab: Lab, playwright_: Playwright, artifacts: Path, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Open a notebook of code cells in a browser whose microphone plays `microphone` (a WAV file)."""
    with ExitStack() as stack:

        def open_(
            cells: list[str],
            *,
            microphone: Path | None = None,
            allow: bool = True,
            deny: bool = False,
            device: bool = True,
            host: str | None = None,
            width: int = 1280,
            dark: bool = False,
        ) -> Notebook:
            executable = chromium.find()
            if executable is None:
                pytest.fail(chromium.HOW)
            arguments = [*ARGUMENTS]
            if allow:
                arguments.append("--use-fake-ui-for-media-stream")
            if device:
                arguments.append("--use-fake-device-for-media-stream")
            if microphone is not None:
                arguments.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
            if host is not None:
                arguments.append(f"--host-resolver-rules=MAP {host} 127.0.0.1")
            browser = playwright_.chromium.launch(executable_path=executable, headless=True, args=arguments)
            stack.callback(browser.close)
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
            )
            page = context.new_page()
            page.add_init_script(WATCH_TRACKS)
            if deny:
                session = context.new_cdp_session(page)
                session.send("Browser.setPermission", {"permission": {"name": "microphone"}, "setting": "denied"})
            notebook = Notebook(page, artifacts)
            request.node.notebooks = [*getattr(request.node, "notebooks", []), notebook]
            name = f"{request.node.name.replace('[', '-').replace(']', '')}.ipynb"
            url = lab.notebook(name, cells)
            notebook.open(url if host is None else url.replace("127.0.0.1", host), dark=dark)
            return notebook

        yield open_


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test leaves a screenshot of its page."""
    report = yield
    pages: list[Notebook] = getattr(item, "notebooks", [])
    if report.when == "call" and report.failed:
        for notebook in pages:
            notebook.page.screenshot(path=ARTIFACTS / f"failed-{item.name}.png")
    return report
