"""The viewer that a saved notebook keeps beside picture and transcript."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

from ai_widgets.protocol import CHUNK_SAMPLES
from ai_widgets.record import saved_viewer as module
from ai_widgets.record.record import SessionRecord
from ai_widgets.record.saved_viewer import MOST_BYTES, MOST_CHUNKS, saved_viewer
from tests.page import Build
from tests.signals import babble

from .page_record import record_of


def page_in(section: str) -> str:
    """The document in the frame of a section."""
    found = re.search(r'srcdoc="([^"]*)"', section)
    assert found
    return unescape(found[1])


def test_it_is_the_page_of_the_record_with_its_audio() -> None:
    record = record_of(30, audio=True)
    assert page_in(saved_viewer(record)) == str(record.to_html())


def test_longer_audio_is_left_out() -> None:
    record = record_of(300, audio=True)
    assert page_in(saved_viewer(record)) == str(record.to_html(audio=False))


@pytest.mark.parametrize("chunks", [0, MOST_CHUNKS + 1])
def test_of_nothing_and_of_a_long_session_none_is_saved(chunks: int) -> None:
    assert saved_viewer(record_of(chunks) if chunks else SessionRecord()) == ""


def test_the_longest_one_is_within_its_size() -> None:
    section = saved_viewer(record_of(MOST_CHUNKS))
    assert 0 < len(section.encode("utf-8")) <= MOST_BYTES


def test_what_is_larger_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(30, audio=True)
    without = len(record.to_html(audio=False)._repr_html_()) + 1_000
    monkeypatch.setattr(module, "MOST_BYTES", without)
    assert page_in(saved_viewer(record)) == str(record.to_html(audio=False))
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)
    assert saved_viewer(record) == ""


def test_its_frame_is_loaded_when_it_is_near_and_cannot_reach_the_notebook() -> None:
    section = saved_viewer(record_of(5))
    (frame,) = re.findall(r"<iframe[^>]*>", section)
    assert 'sandbox="allow-scripts"' in frame
    assert 'loading="lazy"' in frame
    assert section.startswith("<details><summary>")


class TestWidget:
    def saved(self, page: object) -> str:
        widget = page.widget  # type: ignore[attr-defined]
        html: str = widget._view.saved("A widget", widget.record)["text/html"]
        return html

    def test_a_notebook_and_its_export_have_it_below_the_transcript(self, build: Build) -> None:
        page = build()
        page.widget.feed(babble(1), 16_000)
        html = self.saved(page)
        assert html.index("<img") < html.index("<strong>") < html.index("<details>")
        book = new_notebook(cells=[new_code_cell("w", outputs=[new_output("display_data", {"text/html": html})])])
        exported, _ = HTMLExporter().from_notebook_node(book)
        assert page_in(html) == page_in(exported)

    def test_it_can_be_left_out(self, build: Build) -> None:
        page = build(save_viewer=False)
        page.widget.feed(babble(1), 16_000)
        assert "<iframe" not in self.saved(page)
        assert "<img" in self.saved(page)


def test_audio_that_is_not_kept_is_none() -> None:
    record = SessionRecord(audio_seconds=0)
    record.append_audio(np.zeros(CHUNK_SAMPLES, np.float32))
    assert saved_viewer(record) == ""
