"""The static picture of a timeline, as saved notebooks contain it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from base64 import b64decode

import pytest

from ai_widgets.record.picture import MAX_COLUMNS, MAX_MARKS, WIDTH, timeline_image, timeline_svg
from ai_widgets.record.record import SessionRecord

from .page_record import SENTENCE, record_of


def paths(svg: str) -> list[str]:
    return [element.get("d", "") for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")]  # noqa: S314


def test_an_empty_record_has_no_picture() -> None:
    assert timeline_svg(SessionRecord()) == ""
    assert timeline_image(SessionRecord()) == ""


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


def test_a_page_has_it_as_an_image_that_says_the_same_in_words() -> None:
    """JupyterLab removes `svg` elements of notebooks that are not trusted, and keeps images."""
    found = re.fullmatch(
        r'<img alt="([^"]*)" width="100%" src="data:image/svg\+xml;base64,([^"]*)">', timeline_image(record_of(30))
    )
    assert found
    svg = b64decode(found[2]).decode()
    assert svg == timeline_svg(record_of(30))
    assert ElementTree.fromstring(svg).get("aria-label") == found[1]  # noqa: S314
