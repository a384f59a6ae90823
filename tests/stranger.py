"""How long a stranger waits for a first reply: ``python -m tests.stranger [clone] [wheel] [link]``.

Three paths, each in a temporary folder and timed from its first command to the first reply of the embedded checkpoint:

- *clone*: a clone of the committed state, ``make setup``, ``ai-widgets run clip:digit``;
- *wheel*: a new environment, ``pip install`` of torch for CPUs and then of the built wheel, as the README says,
  ``ai-widgets run clip:digit``;
- *link*: a new browser opens the page with the model in it, and a press plays a clip as fast as possible.

What is built beforehand (the wheel, the page) is not counted: others do that. Times include downloads, so they depend
on caches of pip and npm; the table says the load of the machine too. No test asserts these times.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from playwright.sync_api import expect, sync_playwright

import ai_widgets as aiw
from ai_widgets.page.contents import contents
from ai_widgets.page.site import write_site

from .browser import chromium
from .browser.page import PATIENCE_MS
from .browser.site import served
from .browser.windows import ARGUMENTS

ROOT = Path(__file__).parent.parent
SAID = "seven"
"""A word of each reply of the embedded checkpoint to the clip `digit`; the page draws the others by chance."""
RUN = ("run", "clip:digit", "--greedy")


@dataclass(frozen=True)
class Way:
    """One path: its name, what takes it in a folder and returns its seconds, and the most seconds it should take."""

    name: str
    take: Callable[[Path], float]
    bound_s: float


def reply_of(program: Path, folder: Path) -> None:
    """Run the clip, and check the reply."""
    text = subprocess.run([program, *RUN], cwd=folder, check=True, capture_output=True, text=True).stdout
    if SAID not in text:
        raise RuntimeError(f"The reply should have the word {SAID!r}; the program wrote:\n{text}")


def clone(folder: Path) -> float:
    """Seconds from `git clone` to the first reply."""
    begun = perf_counter()
    there = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(there)], check=True)
    # The environment of this program would be taken for the new one.
    apart = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    subprocess.run(["make", "--silent", "setup"], cwd=there, env=apart, check=True, capture_output=True)
    reply_of(there / ".venv" / "bin" / "ai-widgets", there)
    return perf_counter() - begun


def cpu_torch() -> str:
    """The version of torch in constraints.txt, which has builds for CPUs; by itself pip takes CUDA's on Linux."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def wheel(folder: Path) -> float:
    """Seconds from a new environment to the first reply, with a wheel that is built already."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    begun = perf_counter()
    venv.create(folder / "new", with_pip=True)
    programs = folder / "new" / "bin"
    for wanted in (cpu_torch(), str(built)):
        install = [programs / "python", "-m", "pip", "install", "--quiet", wanted]
        subprocess.run(install, check=True, capture_output=True, cwd=folder)
    reply_of(programs / "ai-widgets", folder)
    return perf_counter() - begun


def link(folder: Path) -> float:
    """Seconds from the address of the page with the model in it to the first reply there."""
    executable = chromium.find()
    if executable is None:
        raise SystemExit(chromium.HOW)
    site = folder / "site"
    write_site(contents(aiw.load_model("tiny")), site)
    with served(site) as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE_MS)
        begun = perf_counter()
        page.goto(address)
        expect(page.get_by_test_id("aiw")).to_have_attribute("data-line", "ready", timeout=PATIENCE_MS)
        page.get_by_test_id("pace").select_option("fast")
        page.get_by_test_id("clip").select_option("digit")
        expect(page.get_by_test_id("show-reply").first).to_contain_text(SAID, timeout=PATIENCE_MS)
        seconds = perf_counter() - begun
        browser.close()
    return seconds


WAYS = (Way("clone", clone, 240), Way("wheel", wheel, 120), Way("link", link, 15))
"""The three paths, with the bounds in seconds that the project has set itself."""


def main(wanted: list[str]) -> None:
    """Take the wanted paths, by default all, and print a table."""
    print(f"{'path':8} {'first reply':>12} {'bound':>8} {'load before':>12}")
    for way in WAYS:
        if wanted and way.name not in wanted:
            continue
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:
            seconds = way.take(Path(folder))
            # Removing an environment takes its time too.
            print(f"{way.name:8} {seconds:10.1f} s {way.bound_s:6.0f} s {load:12.1f}", flush=True)
    print(f"{os.cpu_count()} cores; times include downloads through the caches of this machine.")


if __name__ == "__main__":
    main(sys.argv[1:])
