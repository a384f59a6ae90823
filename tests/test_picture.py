"""The static picture of a timeline, as saved notebooks contain it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from ai_widgets.record.picture import MAX_COLUMNS, MAX_MARKS, WIDTH, timeline_svg
from ai_widgets.record.record import SessionRecord

from .page_record import SENTENCE, record_of


def paths(svg: str) -> list[str]:
    return [element.get("d", "") for element in ElementTree.fromstring(svg).iter("path")]  # noqa: S314


def test_an_empty_record_has_no_picture() -> None:
    assert timeline_svg(SessionRecord()) == ""


def test_it_is_well_formed_and_says_in_words_what_it_shows() -> None:
    root = ElementTree.fromstring(timeline_svg(record_of(30)))  # noqa: S314
    assert root.get("role") == "img"
    assert "30 decisions" in (root.get("aria-label") or "")


def test_replies_are_marked_at_the_end_of_their_chunk() -> None:
    *_, marks = paths(timeline_svg(record_of(2 * SENTENCE)))
    places = [float(x) + 4 for x in re.findall(r"M([\d.]+) ", marks)]
    assert places == pytest.approx([(at + 1) * WIDTH / (2 * SENTENCE) for at in (11, 11 + SENTENCE)], abs=0.06)


@pytest.mark.parametrize("chunks", [1, 30, 9000])
def test_it_takes_less_than_30_kilobytes_however_long_the_record_is(chunks: int) -> None:
    svg = timeline_svg(record_of(chunks))
    assert len(svg) < 30_000
    assert all(path.count("M") <= max(MAX_COLUMNS, MAX_MARKS) for path in paths(svg))


def test_it_loads_nothing_and_runs_nothing() -> None:
    svg = timeline_svg(record_of(30))
    assert not re.search(r"href|script|style=|url\(|\bon\w+=", svg)
