"""How long the exported page of an hour takes until it is painted: ``python -m tests.browser.opening``.

Times are those of the page itself: from the start of its navigation to the frame after the lanes were drawn.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from ..page_record import record_of
from . import chromium
from .windows import ARGUMENTS

CHUNKS = 9000
"""One hour."""
RUNS = 5
PAINTED = """() => new Promise(resolve => {
  const look = () => document.querySelector('[data-testid=aiw]')
    ? requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())))
    : requestAnimationFrame(look);
  look();
})"""


def main() -> None:
    executable = chromium.find()
    if executable is None:
        raise SystemExit(chromium.HOW)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "hour.html"
        record_of(CHUNKS).to_html(path, audio=False)
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        times = []
        for _ in range(RUNS):
            page = browser.new_context(offline=True).new_page()
            page.goto(path.as_uri(), wait_until="commit")
            times.append(page.evaluate(PAINTED))
            page.context.close()
        browser.close()
        print(
            f"{path.stat().st_size / 1e6:.2f} MB, painted after {median(times):.0f} ms (of {RUNS}: "
            f"{min(times):.0f} to {max(times):.0f} ms)"
        )


if __name__ == "__main__":
    main()
