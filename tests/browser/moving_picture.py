"""Pictures of real sessions for the README and the documents.

python -m tests.browser.moving_picture [FOLDER]

Writes into `docs` (or FOLDER): `session.webp`, a recording of the widget in JupyterLab while a fake microphone plays a
spoken digit, a rooster and a sentence; `widget.png`, the same widget afterwards with one chunk selected; `show.png`,
its Show view; `phone.png`, the page with the model in it on a telephone's screen.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import soxr
from PIL import Image
from playwright.sync_api import CDPSession, FloatRect, Locator, Page, Playwright, ViewportSize, expect, sync_playwright

import ai_widgets as aiw
from ai_widgets.page.contents import contents
from ai_widgets.page.site import write_site

from . import sounds
from .lab import running_lab
from .page import Notebook
from .site import Sites, served
from .test_narrow import NARROW
from .windows import Windows

DOCS = Path(__file__).parents[2] / "docs"
WIDGET = "import ai_widgets as aiw\n\nw = aiw.AudioInteraction(greedy=True)\nw"
HEARD = (("digit", 2.8), ("rooster", 1.2), ("speech_pause_speech", 2.4))
"""Clips that the microphone hears, each with another reply, and the silence after each in seconds: as long as the reply
lane needs to show it whole, or as the reply needs to begin."""
SENTENCE_SECONDS = 2.8
"""Length of the first sentence of the last clip."""
WIDTH = 1100
"""Width of the widget in CSS pixels: its controls take two rows, as in a notebook of usual width."""
HEIGHT = 1450
"""Height of the window in CSS pixels: that of the widget with a reply in its inspector, and of JupyterLab's bars."""
MOVING_WIDTH = 1000
"""Width of the moving picture in pixels: that of the column in which sites show a README."""
FRAMES_PER_SECOND = 5
"""Rate of the moving picture: twice that of decisions."""
LAST_FRAME_MS = 3000
"""Time for which the last frame stays before the picture begins again."""
STILL_SCALE = 1640 / WIDTH
"""Pixels of the still pictures per CSS pixel."""
TAKES = 4
"""Sessions that are recorded until one is without a flaw; else the best of them is shown."""
LEFT_TO_SEE_MS = 1200
"""Time for which the session goes on after its last reply."""
FLAWS = (
    "len(w.record.notices.query('kind == \"gap\"'))"
    " + int(w.record.table('chunk')['flags'].astype(str).str.contains('late|waited').sum())"
)
"""Number of gaps and of chunks that were late or waited: a busy machine interrupts the fake microphone."""
PAINTED = "() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
"""Resolves when the lanes have been drawn again."""
PHONE_CLIP = "digit"
"""Clip that the page on the telephone plays."""
PHONE = ViewportSize(width=390, height=844)


def heard() -> sounds.Array:
    """Join the clips, without the silence at their ends, with pauses; 48 kHz."""
    parts = []
    for name, pause_s in HEARD:
        samples = aiw.load_audio(aiw.clips[name])
        loud = np.flatnonzero(np.abs(samples) > sounds.SPOKEN * np.abs(samples).max())
        kept = samples[loud[0] : min(loud[-1] + 1, loud[0] + round(SENTENCE_SECONDS * 16_000))]
        parts += [kept, np.zeros(round(pause_s * 16_000), np.float32)]
    joined: sounds.Array = soxr.resample(np.concatenate(parts), 16_000, sounds.RATE)
    return joined


@dataclass(frozen=True)
class Frame:
    """What the page showed at a time."""

    at: float
    """Seconds of the browser's clock."""
    picture: bytes
    """As JPEG: a PNG costs the browser several times as much, which the latency lane would show."""


class Camera:
    """Collects what a page paints, while Playwright's calls on it run.

    Parameters
    ----------
    page
        The page.
    """

    def __init__(self, page: Page) -> None:
        self.frames: list[Frame] = []
        self._line: CDPSession = page.context.new_cdp_session(page)
        self._line.on("Page.screencastFrame", self._take)

    def _take(self, frame: dict[str, object]) -> None:
        metadata = frame["metadata"]
        assert isinstance(metadata, dict)
        self.frames.append(Frame(float(metadata["timestamp"]), base64.b64decode(str(frame["data"]))))
        self._line.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def start(self) -> None:
        """Begin to collect."""
        self._line.send("Page.startScreencast", {"format": "jpeg", "quality": 95, "everyNthFrame": 6})

    def stop(self) -> None:
        """End collecting."""
        self._line.send("Page.stopScreencast")


def write_moving(frames: list[Frame], box: FloatRect, path: Path) -> None:
    """Write an animated WebP of the part of the frames inside a box, at an even rate."""
    left, top = round(box["x"]), round(box["y"])
    area = (left, top, left + round(box["width"]), top + round(box["height"]))
    size = (MOVING_WIDTH, round(MOVING_WIDTH * box["height"] / box["width"]))
    pictures, times, next_at = [], [], frames[0].at
    for frame, after in zip(frames, [*frames[1:], None], strict=True):
        if after is not None and after.at <= next_at:
            continue
        picture = Image.open(io.BytesIO(frame.picture)).convert("RGB").crop(area)
        pictures.append(picture.resize(size, Image.Resampling.LANCZOS))
        times.append(frame.at)
        next_at = max(next_at, frame.at) + 1 / FRAMES_PER_SECOND
    durations = [round(1000 * (end - start)) for start, end in pairwise(times)]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=[*durations, LAST_FRAME_MS],
        loop=0,
        quality=75,
        method=6,
    )


@contextmanager
def scaled(page: Page, scale: float) -> Iterator[CDPSession]:
    """Show a page with a number of pixels per CSS pixel."""
    line = page.context.new_cdp_session(page)
    size = page.viewport_size
    assert size is not None
    line.send("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": scale, "mobile": False})
    yield line
    line.detach()


def write_still(line: CDPSession, box: FloatRect, path: Path) -> None:
    """Write what is inside a box as a PNG with 256 colours."""
    shot = line.send("Page.captureScreenshot", {"clip": {**box, "scale": 1}})
    picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def box_of(widget: Locator) -> FloatRect:
    """Place of a widget in the page."""
    box = widget.bounding_box()
    assert box is not None
    return box


def centre_of(part: Locator) -> tuple[float, float]:
    """Middle of a part of the widget in the page."""
    box = box_of(part)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def open_notebook(windows: Windows, microphone: Path, name: str) -> Notebook:
    """Open a notebook with a widget whose model is loaded, in a window that is larger than the widget."""
    window = windows.window(microphone, allow=True, deny=False, device=True, host=None)
    notebook = windows.open(window, name, [WIDGET], own=True, script="")
    notebook.command("application:toggle-left-area")
    notebook.look(WIDTH + 180, HEIGHT)
    notebook.run_cell(0)
    widget = notebook.widget.first
    expect(widget).to_have_attribute("data-line", "ready")
    expect(widget.get_by_test_id("model")).to_contain_text("tiny ·")
    notebook.page.evaluate(NARROW, WIDTH)
    widget.get_by_role("button", name="No, thanks").click()
    widget.scroll_into_view_if_needed()
    return notebook


def record_session(notebook: Notebook) -> list[Frame]:
    """Record until all replies are there, and return what was painted."""
    notebook.record()
    notebook.wait_count("decisions", 1)
    camera = Camera(notebook.page)
    camera.start()
    notebook.wait_count("turns", len(HEARD))
    notebook.page.wait_for_timeout(LEFT_TO_SEE_MS)
    camera.stop()
    # Frames that are painted close together may arrive in another order.
    return sorted(camera.frames, key=lambda frame: frame.at)


def write_stills(notebook: Notebook, folder: Path) -> None:
    """Write the widget with the second reply's chunk selected, and its Show view."""
    widget = notebook.widget.first
    widget.get_by_test_id("turn").nth(1).locator("button").first.click()
    # The pointer leaves the lanes, and with it the box that would hide a part of them.
    notebook.page.mouse.move(*centre_of(widget.get_by_role("slider", name="Timeline of chunks")))
    notebook.page.mouse.move(0, 0)
    expect(widget.get_by_test_id("readout")).to_have_count(0)
    with scaled(notebook.page, STILL_SCALE) as line:
        for view, name in (("explore", "widget"), ("show", "show")):
            notebook.button(f"view-{view}").click()
            expect(widget).to_have_attribute("data-view", view)
            # Another width makes the lanes draw anew, at the new number of pixels.
            for width in (WIDTH - 1, WIDTH):
                notebook.page.evaluate(NARROW, width)
                notebook.page.evaluate(PAINTED)
            write_still(line, box_of(widget), folder / f"{name}.png")


def picture_sessions(windows: Windows, microphone: Path, folder: Path) -> None:
    """Record sessions until one has all its sound in time, and write the pictures of the best."""
    fewest = None
    for take in range(TAKES):
        notebook = open_notebook(windows, microphone, f"session-{take}.ipynb")
        frames = record_session(notebook)
        box = box_of(notebook.widget.first)
        notebook.stop()
        flaws = notebook.ask(FLAWS)
        print(f"take {take}: {len(frames)} frames, {flaws} flaws: {notebook.ask('w.record.text')!r}", flush=True)
        if fewest is None or flaws < fewest:
            fewest = flaws
            write_moving(frames, box, folder / "session.webp")
            write_stills(notebook, folder)
        notebook.page.evaluate("() => localStorage.clear()")
        windows.give_back(notebook, reusable=False)
        if flaws == 0:
            break


def picture_phone(playwright: Playwright, microphone: Path, root: Path, path: Path) -> None:
    """Write what the page with the model in it shows on a telephone after a clip."""
    write_site(contents(aiw.load_model("tiny")), root / "site")
    sites = Sites(playwright)
    with served(root / "site") as (address, _server):
        site = sites.new(microphone, address, width=PHONE["width"])
        site.page.set_viewport_size(PHONE)
        with scaled(site.page, 2) as line:
            site.open(address)
            site.play(PHONE_CLIP)
            site.wait_replies(1)
            write_still(line, FloatRect(x=0, y=0, **PHONE), path)
    sites.close()


def main() -> None:
    """Write all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        root = Path(temporary)
        notebooks = root / "notebooks"
        notebooks.mkdir()
        microphone = sounds.microphone_file(root, heard())
        with running_lab(root / "jupyter", notebooks) as lab:
            windows = Windows(lab, playwright, root)
            picture_sessions(windows, microphone, folder)
            windows.close()
        picture_phone(playwright, microphone, root, folder / "phone.png")


if __name__ == "__main__":
    main()
