"""Browsers with a fake microphone, and the notebooks open in them: started once, and used by many tests."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from . import chromium
from .lab import Lab
from .page import Notebook

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
WATCH = """
// What was asked for last, and every microphone track that was ever handed out, to see which of them live.
window.aiwTracks = [];
if (navigator.mediaDevices) {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async constraints => {
    window.aiwAsked = constraints.audio;
    const stream = await ask(constraints);
    window.aiwTracks.push(...stream.getTracks());
    return stream;
  };
}
// Every line to a kernel; while `aiwLineCut` holds, no new one comes about.
window.aiwSockets = new Set();
window.WebSocket = class extends WebSocket {
  constructor(address, protocols) {
    super(window.aiwLineCut ? 'ws://127.0.0.1:9/' : address, protocols);
    window.aiwSockets.add(this);
    this.addEventListener('close', () => window.aiwSockets.delete(this));
  }
};
"""


def deny_microphone(page: Page) -> None:
    """Deny a page's window the microphone, as a person does in the site settings: what runs ends."""
    session = page.context.new_cdp_session(page)
    context = session.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
    denied = {"permission": {"name": "microphone"}, "setting": "denied", "browserContextId": context}
    session.send("Browser.setPermission", denied)


def stand_still(page: Page, seconds: float) -> None:
    """Stop all that runs on the pages of a browser, their audio threads included, and let it go on."""
    browser = page.context.browser
    assert browser is not None
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [process["id"] for process in processes if process["type"] == "renderer"]
    for renderer in renderers:
        os.kill(renderer, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        for renderer in renderers:
            os.kill(renderer, signal.SIGCONT)


@dataclass
class Window:
    """One browser context: a microphone, permissions, and a notebook that waits to be used again."""

    context: BrowserContext
    microphone: bool
    host: str | None
    waiting: Notebook | None = None
    lent: set[str] = field(default_factory=set)
    """Names of the notebooks that are in use and may be used again."""


class Windows:
    """Starts browsers as tests ask for them, and opens notebooks there.

    Parameters
    ----------
    lab
        The server.
    playwright
        What drives the browsers.
    artifacts
        Folder for screenshots.
    """

    def __init__(self, lab: Lab, playwright: Playwright, artifacts: Path) -> None:
        self._lab, self._playwright, self._artifacts = lab, playwright, artifacts
        self._browsers: dict[tuple[str, ...], Browser] = {}
        self._windows: dict[tuple[object, ...], Window] = {}

    def window(self, microphone: Path, *, allow: bool, deny: bool, device: bool, host: str | None) -> Window:
        """The window with this microphone and these permissions."""
        arguments = [*ARGUMENTS]
        if allow:
            arguments.append("--use-fake-ui-for-media-stream")
        if device:
            arguments += [
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}%noloop",
            ]
        if host is not None:
            arguments.append(f"--host-resolver-rules=MAP {host} 127.0.0.1")
        key = (*arguments, deny)
        if key not in self._windows:
            context = self._browser(tuple(arguments)).new_context()
            context.add_init_script(WATCH)
            if deny:
                page = context.new_page()
                deny_microphone(page)
                page.close()
            self._windows[key] = Window(context, device and allow and not deny, host)
        return self._windows[key]

    def _browser(self, arguments: tuple[str, ...]) -> Browser:
        if arguments not in self._browsers:
            executable = chromium.find()
            if executable is None:
                pytest.fail(chromium.HOW)
            self._browsers[arguments] = self._playwright.chromium.launch(
                executable_path=executable, headless=True, args=list(arguments)
            )
        return self._browsers[arguments]

    def open(self, window: Window, name: str, cells: list[str], *, own: bool, script: str) -> Notebook:
        """A notebook with these cells: the one that waits in this window, unless the test wants its own."""
        if window.waiting is not None and not own:
            notebook, window.waiting = window.waiting, None
            notebook.begin(cells)
        else:
            page = window.context.new_page()
            if script:
                page.add_init_script(script)
            notebook = Notebook(page, self._artifacts, name)
            url = self._lab.notebook(name, cells)
            notebook.open(url if window.host is None else url.replace("127.0.0.1", window.host))
        if not own:
            window.lent.add(notebook.name)
        return notebook

    def second(self, notebook: Notebook) -> Notebook:
        """Another page with the same notebook, in the same window."""
        other = Notebook(notebook.page.context.new_page(), self._artifacts, notebook.name)
        other.open(self._lab.address(notebook.name))
        return other

    def give_back(self, notebook: Notebook, *, reusable: bool) -> None:
        """A test is done with a notebook: it waits for the next one, or ends with its kernel."""
        for window in self._windows.values():
            if notebook.name in window.lent:
                window.lent.remove(notebook.name)
                if reusable and window.waiting is None:
                    window.waiting = notebook
                    return
        if not notebook.page.is_closed():
            notebook.page.close()
        self._lab.end_kernel(notebook.name)

    def close(self) -> None:
        for browser in self._browsers.values():
            browser.close()
