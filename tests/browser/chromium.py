"""Finds a Chromium for the browser tests, and installs one where there is none.

python -m tests.browser.chromium --install
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
HOW = (
    "The browser tests need Chromium and none was found. Install it (Debian/Ubuntu: apt-get install chromium; else: "
    "python -m playwright install chromium), or name one in the environment variable CHROMIUM."
)


def find() -> str | None:
    """Path of a Chromium: the variable CHROMIUM, the system's, or Playwright's own."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> str:
    """Find one, or install one by whichever way this machine offers; exits with instructions where none does."""
    ways = []
    if shutil.which("apt-get"):
        root = [] if os.geteuid() == 0 else (["sudo", "-n"] if shutil.which("sudo") else None)
        if root is not None:
            ways.append([*root, "apt-get", "update", "-qq"])
            ways.append([*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"])
    ways.append([sys.executable, "-m", "playwright", "install", "chromium"])
    for way in ways:
        found = find()
        if found:
            return found
        print("$", " ".join(way), flush=True)
        subprocess.run(way, check=False, stdout=subprocess.DEVNULL)
    found = find()
    if not found:
        sys.exit(HOW)
    return found


if __name__ == "__main__":
    print(install() if "--install" in sys.argv else find() or HOW)
