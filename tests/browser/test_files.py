"""Long audio files in a real browser: pulled in ranges, shown with their position, and ended in every way."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Page, expect

from . import sounds
from .conftest import OpenNotebook
from .page import Notebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"
NOTICES = "[event.to_json() for event in w.record.events if event.type == 'notice']"
TAB_MB = 150
"""What a tab may grow by while an hour's file plays: events, drawings and what V8 has not collected yet. The file
itself has 345 MB, and decoded it would take 690."""


def hour_file(folder: Path, speech: sounds.Array) -> Path:
    """An hour of WAV at 48 kHz that begins with speech; the silence behind it takes no room on the disk."""
    path = folder / "hour.wav"
    size = 3600 * sounds.RATE * 2
    with path.open("wb") as file:
        header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, 48_000, 96_000, 2, 16)
        file.write(header + b"data" + struct.pack("<I", size))
        file.write((speech * 32767).astype("<i2").tobytes())
        file.truncate(44 + size)
    return path


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hour_file(tmp_path_factory.mktemp("hour"), np.clip(sounds.speech(), -1, 1))


def tab_mb(page: Page) -> float:
    """Memory of the largest page process of this browser, in MB."""
    assert page.context.browser is not None
    session = page.context.browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return max(psutil.Process(each["id"]).memory_info().rss for each in processes if each["type"] == "renderer") / 1e6


def end(notebook: Notebook) -> None:
    notebook.button("file-end").click()
    expect(notebook.button("playing")).to_have_attribute("data-file", "stopped")


def test_an_hour_plays_in_a_small_tab_with_its_position_and_can_be_cancelled(
    open_notebook: OpenNotebook, hour: Path
) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.wait_count("decisions", 0)
    before = tab_mb(notebook.page)
    notebook.choose_file(hour, "fast")
    notebook.wait_count("turns", 2)
    notebook.wait_count("decisions", 150)
    assert tab_mb(notebook.page) - before < TAB_MB
    expect(notebook.button("file-position")).to_have_text(re.compile(r"^\d+:\d\d of 1:00:00$"))
    expect(notebook.button("file-left")).to_have_text(re.compile(r"× · [\d:]+ left$"))
    expect(notebook.button("lag")).to_have_count(0)
    expect(notebook.button("waiting")).to_have_count(0)
    expect(notebook.widget.first).to_have_attribute("data-state", re.compile("listening|speaking"))
    playing = notebook.ask("w.playing")
    assert (playing["name"], playing["seconds"]) == ("hour.wav", 3600.0)

    notebook.button("file-end").focus()
    notebook.page.keyboard.press("Enter")
    expect(notebook.button("playing")).to_have_attribute("data-file", "stopped")
    assert notebook.ask("w.wait(30)")
    kinds = {notice["kind"]: notice["data"] for notice in notebook.ask(NOTICES)}
    assert kinds["stream_ended"]["reason"] == "stopped"
    heard = notebook.ask("len(w.record.decisions)")
    # What was read is answered, its end padded to a chunk, and three chunks of silence follow.
    assert notebook.ask("w.record.seconds") == pytest.approx(heard * 0.4)
    assert -1e-3 <= (heard - 3) * 0.4 - kinds["stream_ended"]["position_s"] < 0.4
    assert notebook.errors() == []


def test_pause_and_step_hold_a_file(open_notebook: OpenNotebook, hour: Path) -> None:
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.choose_file(hour, "fast")
    notebook.wait_count("decisions", 5)
    notebook.button("pause").click()
    expect(notebook.button("playing")).to_have_attribute("data-file", "paused")
    expect(notebook.button("file-position")).to_have_text(re.compile("^paused at .* of 1:00:00$"))
    expect(notebook.widget.first).to_have_attribute("data-state", re.compile("paused|speaking"))
    notebook.button("pause").click()
    expect(notebook.button("playing")).to_have_attribute("data-file", "playing")
    notebook.ask("w.pause()")
    decided = notebook.ask("len(w.record.decisions)")
    for _ in range(3):
        notebook.ask("w.step()")
    assert notebook.ask("len(w.record.decisions)") in (decided, decided + 1)
    assert notebook.ask("w.waiting") <= 13
    notebook.ask("w.resume()")
    end(notebook)


def test_a_reloaded_page_ends_its_file_with_a_notice(open_notebook: OpenNotebook, hour: Path) -> None:
    notebook = open_notebook([WIDGET], own=True)
    notebook.run_cell(0)
    notebook.save()
    notebook.choose_file(hour, "fast")
    notebook.wait_count("decisions", 5)
    notebook.page.reload()
    notebook.wait_open()
    notebook.wait_for_answer("w.playing", None)
    assert "view_removed" in str(notebook.ask(NOTICES))
    assert notebook.ask("w.wait(30)")


def test_a_second_view_shows_the_file_and_may_end_it(open_notebook: OpenNotebook, hour: Path) -> None:
    notebook = open_notebook([WIDGET, "w"])
    notebook.run_cell(0)
    notebook.choose_file(hour, "fast")
    notebook.wait_count("decisions", 5)
    notebook.run_cell(1)
    second = notebook.widget.nth(1)
    expect(second.get_by_test_id("playing")).to_have_attribute("data-file", "playing")
    second.get_by_test_id("file-end").click()
    expect(notebook.button("playing")).to_have_attribute("data-file", "stopped")


def test_a_restarted_kernel_leaves_no_file_on_the_page(open_notebook: OpenNotebook, hour: Path) -> None:
    notebook = open_notebook([WIDGET], own=True)
    notebook.run_cell(0)
    notebook.choose_file(hour, "fast")
    notebook.wait_count("decisions", 5)
    notebook.restart_kernel()
    expect(notebook.problem("kernel_lost")).to_have_count(1)
    expect(notebook.button("playing")).to_have_count(0)
    notebook.wait_idle()


def test_what_is_no_audio_is_said_in_a_sentence(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    path = tmp_path / "notes.mp3"
    path.write_bytes(b"These are notes and no sound. " * 1000)
    notebook = open_notebook([WIDGET])
    notebook.run_cell(0)
    notebook.choose_file(path, "fast")
    notebook.expect_problem("file", "notes.mp3 cannot be read as audio.*Choose the file again, or another one")
    expect(notebook.button("file-position")).to_have_text("could not be read")


def test_a_file_from_python_shows_on_the_page(open_notebook: OpenNotebook, hour: Path) -> None:
    notebook = open_notebook([WIDGET, f"w.play({str(hour)!r}, wait=False)"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait_count("decisions", 5)
    expect(notebook.button("file-position")).to_have_text(re.compile("of 1:00:00$"))
    end(notebook)
    notebook.wait_for_answer("w.playing", None)


@pytest.mark.parametrize(
    ("name", "width", "dark"), [("file-light", 1280, False), ("file-dark", 1280, True), ("file-narrow", 1000, False)]
)
def test_screenshots(open_notebook: OpenNotebook, hour: Path, name: str, width: int, dark: bool) -> None:
    notebook = open_notebook([WIDGET], width=width, dark=dark)
    notebook.run_cell(0)
    notebook.choose_file(hour, "fast")
    notebook.wait_count("turns", 2)
    notebook.wait_count("decisions", 60)
    if name == "file-narrow":
        notebook.page.evaluate("document.querySelector('[data-testid=aiw]').style.width = '300px'")
        box = notebook.button("file-end").bounding_box()
        frame = notebook.widget.first.bounding_box()
        assert box is not None
        assert frame is not None
        assert box["x"] + box["width"] <= frame["x"] + frame["width"]
    notebook.page.mouse.move(0, 0)
    notebook.shot(name)
    end(notebook)
