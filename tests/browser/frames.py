"""Frame times of the timeline in Chromium, with talks of one and of two hours.

python -m tests.browser.frames

Pans, zooms and points; prints for each the time from frame to frame (median, 95th percentile, share above 16.7 ms) and
the processor time that each frame took of the page's thread, scripts alone and all in all. The latter is what the
widget answers for, and what must stay below 16.7 ms: without a graphics card, and on a machine that has other work, the
time from frame to frame says more of the machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from . import chromium

ROOT = Path(__file__).parent.parent.parent
CHUNKS = (9_000, 18_000)
FRAMES = 180
FRAME_MS = 1000 / 60
ARGUMENTS = ("--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update")
VIEWS = {"16 s": "aiwBench.look(600, 16)", "10 min": "aiwBench.look(600, 600)", "all": "aiwBench.fit()"}
"""What is in sight when panning or zooming begins."""
MOVES = ("pan", "zoom", "hover", "idle")


def node() -> str:
    """Path of Node: the system's, or the one that `make setup` noted."""
    found = shutil.which("node")
    noted = ROOT / ".venv" / "node-path"
    if found is None and noted.exists():
        found = shutil.which("node", path=noted.read_text().strip())
    if found is None:
        sys.exit("The frame benchmark needs Node to bundle its page and found none. Run `make setup` first.")
    return found


def build(folder: Path) -> Path:
    """Bundle the page of the benchmark into `folder`; returns its index.html."""
    subprocess.run([node(), "bench/build.mjs", str(folder)], cwd=ROOT / "js", check=True)
    return folder / "index.html"


class Clock:
    """Processor time that the page's thread has spent, as Chromium counts it.

    Parameters
    ----------
    page
        The page to watch.
    """

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read(self) -> tuple[float, float]:
        """Milliseconds of its scripts, and of everything: scripts, layout, drawing."""
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        seconds = {metric["name"]: metric["value"] for metric in metrics}
        return 1000 * seconds["ScriptDuration"], 1000 * seconds["TaskDuration"]


def row(name: str, intervals: NDArray[np.float64], script_ms: float, thread_ms: float) -> str:
    """One line of the report."""
    # A display tells its frames only to a part of a millisecond.
    slow = float(np.mean(intervals > FRAME_MS + 0.5))
    return (
        f"{name:16} {np.median(intervals):9.1f} {np.percentile(intervals, 95):9.1f} {slow:9.1%}"
        f" {script_ms:12.2f} {thread_ms:12.2f}"
    )


def report(page: Page, chunks: int) -> Iterator[str]:
    """Measure every move in every view of a talk that long; a line each."""
    page.evaluate("chunks => aiwBench.fill(chunks)", chunks)
    kilobytes = page.evaluate("aiwBench.bytes()") / 1000
    yield f"\n{chunks} chunks ({chunks * 0.4 / 3600:.0f} h), {kilobytes / chunks:.2f} kB each in memory"
    yield f"{'':16} {'frame ms':>9} {'p95':>9} {'>16.7 ms':>9} {'CPU: script':>12} {'page thread':>12}"
    clock = Clock(page)
    for view, look in VIEWS.items():
        for move in MOVES:
            page.evaluate(look)
            before = clock.read()
            intervals = np.array(page.evaluate(f"aiwBench.{move}({FRAMES})"))
            script_ms, thread_ms = ((b - a) / len(intervals) for a, b in zip(before, clock.read(), strict=True))
            yield row(f"{move}, {view}", intervals, script_ms, thread_ms)


def main() -> None:
    """Print a table for each length of talk."""
    executable = chromium.find()
    if executable is None:
        sys.exit(chromium.HOW)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        index = build(Path(folder))
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=list(ARGUMENTS))
        for chunks in CHUNKS:
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.goto(index.as_uri())
            for line in report(page, chunks):
                print(line, flush=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
