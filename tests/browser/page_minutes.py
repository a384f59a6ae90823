"""Ten minutes of the page in a real Chromium: its memory, its decisions' delay, and what it missed.

python -m tests.browser.page_minutes [MINUTES]

A fake microphone plays speech and pauses. Prints the time from opening the page to the first decision of a cold start,
the heap of the page and the memory of its processes each minute, the chunks that were not decided, and the delay of the
decisions after the end of their chunk, as the page measured it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import expect, sync_playwright

import ai_widgets as aiw
from ai_widgets.page.contents import contents
from ai_widgets.page.site import write_site
from ai_widgets.protocol import CHUNK_SECONDS, Chunk, Decision, Timing
from ai_widgets.record.record import SessionRecord

from . import sounds
from .site import Site, Sites, served

MINUTES = 10


def first_decision(sites: Sites, microphone: Path, address: str) -> float:
    """Seconds from opening the page, with nothing stored, to the first decision on a clip."""
    site = sites.new(microphone, address)
    started = time.monotonic()
    site.page.goto(address)
    site.wait_ready()
    site.button("pace").select_option("fast")
    site.button("clip").select_option("digit")
    site.page.locator("[data-testid=aiw]:not([data-decisions='0'])").wait_for()
    return time.monotonic() - started


def heap(site: Site) -> float:
    """Heap of the page's main thread after a collection, in MB."""
    session = site.page.context.new_cdp_session(site.page)
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    session.detach()
    return used


def processes(site: Site) -> float:
    """Resident memory of the browser's renderers, in MB."""
    browser = site.page.context.browser
    assert browser is not None
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [process["id"] for process in found if process["type"] == "renderer"]
    return float(sum(psutil.Process(number).memory_info().rss for number in renderers)) / 1e6


def report(record: SessionRecord) -> None:
    """Print what the saved record says of the chunks."""
    chunks, decisions = record.of_type(Chunk), record.of_type(Decision)
    late = sum("late" in chunk.flags for chunk in chunks)
    delays = [
        timing.capture_ms + timing.queue_ms + timing.features_ms + timing.tower_ms + timing.decide_ms
        for timing in record.of_type(Timing)
        if timing.seq >= 0
    ]
    p50, p95, worst = np.percentile(delays, [50, 95, 100])
    print(
        f"{len(chunks)} chunks, {len(chunks) - len(decisions)} not decided, {late} late; {len(record.notices)} notices"
    )
    print(f"decision after the chunk's end: median {p50:.0f} ms, p95 {p95:.0f} ms, worst {worst:.0f} ms")


def main() -> None:
    """Measure, and print as it goes."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder)
        write_site(contents(aiw.load_model("tiny")), root / "site")
        speech = np.tile(sounds.speech(), int(minutes * 60 / (len(sounds.speech()) / sounds.RATE)) + 1)
        microphone = sounds.microphone_file(root, speech)
        sites = Sites(playwright)
        with served(root / "site") as (address, _):
            print(f"first decision, cold: {first_decision(sites, microphone, address):.1f} s after the page is opened")
            sites.end_pages()
            site = sites.new(microphone, address)
            site.open(address)
            site.button("record").click()
            for minute in range(round(minutes)):
                count = round((minute + 1) * 60 / CHUNK_SECONDS)
                site.page.wait_for_timeout(60_000)
                decided = site.widget.get_attribute("data-decisions")
                lag = site.button("lag").inner_text()
                print(
                    f"minute {minute + 1}: {decided} decisions of about {count}, {lag}; heap {heap(site):.1f} MB, "
                    f"processes {processes(site):.0f} MB",
                    flush=True,
                )
            site.button("record").click()
            expect(site.widget).to_have_attribute("data-state", "stopped")
            site.button("save").click()
            with site.page.expect_download() as download:
                site.button("save-aiw").click()
            download.value.save_as(root / "minutes.aiw")
            report(SessionRecord.load(root / "minutes.aiw"))
            print("\n".join(site.faults) or "no errors, no requests to other hosts")
        sites.end_pages()
        sites.close()


if __name__ == "__main__":
    main()
