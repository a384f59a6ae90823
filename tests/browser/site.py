"""The page with the model in it, served to a Chromium with a fake microphone; and what a person does there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, expect

from . import chromium
from .page import PATIENCE_MS
from .windows import ARGUMENTS

SPOKEN = "I heard you speak."
"""What the embedded checkpoint answers to an utterance."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder as `python -m http.server` does, without its lines."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Write nothing."""


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, ThreadingHTTPServer]]:
    """Serve a folder on a free port of this machine; gives its address and the server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Site:
    """One page in its own context, and what went wrong there."""

    page: Page
    host: str
    faults: list[str] = field(default_factory=list)

    @property
    def widget(self) -> Locator:
        """The widget's root element."""
        return self.page.get_by_test_id("aiw")

    def open(self, address: str) -> None:
        """Open an address, and wait until the model is loaded."""
        self.page.goto(address)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the model is loaded."""
        expect(self.widget).to_have_attribute("data-line", "ready")

    def button(self, name: str) -> Locator:
        """A button by its name in the code."""
        return self.page.get_by_test_id(name)

    def play(self, clip: str = "speech_pause_speech") -> None:
        """Play a clip of the package as fast as possible, to its end."""
        self.button("pace").select_option("fast")
        self.button("clip").select_option(clip)
        expect(self.button("playing")).to_have_attribute("data-file", "ended")

    def select(self, chunk: int) -> None:
        """Select a chunk on the timeline, by keys."""
        self.page.get_by_role("slider", name="Timeline of chunks").focus()
        for key in ("Home", *["ArrowRight"] * chunk, "Enter"):
            self.page.keyboard.press(key)

    def replies(self) -> list[str]:
        """Texts of the replies."""
        return self.page.get_by_test_id("turn-text").all_inner_texts()

    def wait_replies(self, count: int) -> list[str]:
        """Wait for a number of finished replies, and return their texts."""
        expect(self.widget).to_have_attribute("data-turns", str(count))
        expect(self.button("interrupt")).to_be_disabled()
        return self.replies()

    def problems(self) -> list[str]:
        """Sentences of the problems that are shown."""
        return self.page.locator("[data-testid=problem] strong").all_inner_texts()


VISITED = """try {
  if (localStorage.getItem("ai_widgets.view") === null) localStorage.setItem("ai_widgets.view", "explore");
} catch {}"""
"""Chooses the view Explore before a page's scripts run, as a person did at an earlier visit."""


class Sites:
    """Opens pages in browsers that differ in their microphone; each page has a context of its own."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browsers: dict[Path, Browser] = {}
        self._contexts: list[BrowserContext] = []

    def new(
        self,
        microphone: Path,
        address: str,
        *,
        width: int = 1280,
        dark: bool = False,
        allow: bool = True,
        first_visit: bool = False,
    ) -> Site:
        """A new page, which is not opened yet. Requests to another host are faults.

        Except at a `first_visit`, the browser remembers the view Explore, whose controls the methods of `Site` use.
        """
        scheme = "dark" if dark else "light"
        context = self._browser(microphone).new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
        )
        if allow:
            context.grant_permissions(["microphone"])
        if not first_visit:
            context.add_init_script(VISITED)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        site = Site(page, address)
        page.on("pageerror", lambda error: site.faults.append(str(error)))
        page.on("console", lambda said: site.faults.append(said.text) if said.type in ("error", "warning") else None)
        context.on("request", lambda asked: self._check(site, asked.url))
        return site

    def _check(self, site: Site, url: str) -> None:
        if not url.startswith((site.host, "blob:", "data:")):
            site.faults.append(f"a request to {url}")

    def _browser(self, microphone: Path) -> Browser:
        if microphone not in self._browsers:
            executable = chromium.find()
            if executable is None:
                pytest.fail(chromium.HOW)
            self._browsers[microphone] = self._playwright.chromium.launch(
                executable_path=executable,
                args=[
                    *ARGUMENTS,
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-audio-capture={microphone}%noloop",
                ],
            )
        return self._browsers[microphone]

    def end_pages(self) -> None:
        """Close all pages; the browsers stay."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def close(self) -> None:
        """Close the browsers."""
        for browser in self._browsers.values():
            browser.close()
