"""Static picture of a record's timeline: one SVG file without scripts, style sheets or addresses, in an `img` element.

A saved notebook and its HTML export contain the picture, so that the timeline is seen without a kernel, widget state or
trust: hosts remove `svg` elements from notebooks that are not trusted and leave their words, but not `img` elements. An
image does not know the page around it, so that its colours are legible on light and on dark pages.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..protocol import CHUNK_SECONDS, Chunk, Decision
from .transcript import clock, summary

if TYPE_CHECKING:
    from .record import SessionRecord

MAX_COLUMNS = 240
"""Columns of the picture at most: a longer record shows the maximum of several chunks in each."""
MAX_MARKS = 120
"""Replies that are marked at most, the newest ones; the picture then takes less than 30 kB."""
WIDTH, HEIGHT = 720, 104
"""Size of the picture in its own units; it takes the width of the page."""
LEVEL, PROBABILITY = (16, 40), (56, 86)
"""Top and bottom of the two lanes."""
QUIET_DB, LOUD_DB = -60.0, -5.0
"""Levels that are drawn as nothing and as the full height, in dBFS."""
ACCENT = "#d9640b"
"""Colour of replies: at least 3:1 on white and on dark grey."""

GREY = "#7d7d7d"
"""Colour of everything else: at least 4:1 on white and on the dark grey of dark pages."""

Floats = npt.NDArray[np.float64]


def timeline_image(record: SessionRecord) -> str:
    """Return the picture as an HTML image that holds its file, with its alternative text; empty if nothing was heard.

    Examples
    --------
    >>> HTML(timeline_image(record))
    """
    svg = timeline_svg(record)
    if not svg:
        return ""
    file = b64encode(svg.encode()).decode("ascii")
    return f'<img alt="{escape(said(record))}" width="100%" src="data:image/svg+xml;base64,{file}">'


def said(record: SessionRecord) -> str:
    """Say in words what the picture shows."""
    return f"Timeline: {summary(record)}."


def timeline_svg(record: SessionRecord) -> str:
    """Draw level, probability of TEXT_BEGIN and replies over time; empty if nothing was heard.

    Examples
    --------
    >>> SVG(timeline_svg(record))
    """
    chunks, decisions = record.of_type(Chunk), record.of_type(Decision)
    count = max((event.chunk + 1 for event in (*chunks[-1:], *decisions[-1:])), default=0)
    if count == 0:
        return ""
    level, p_text = np.zeros(count), np.zeros(count)
    for chunk in chunks:
        level[chunk.chunk] = (chunk.rms_db - QUIET_DB) / (LOUD_DB - QUIET_DB)
    for decision in decisions:
        p_text[decision.chunk] = decision.p_text
    spoken = [decision.chunk for decision in decisions if decision.choice == "TEXT_BEGIN"]
    step = WIDTH / count
    marks = "".join(_mark((chunk + 1) * step) for chunk in spoken[-MAX_MARKS:])
    words = escape(said(record))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{words}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'fill="{GREY}" font-family="sans-serif" font-size="10"><title>{words}</title>'
        f'<g><text y="11">level</text>{_ticks(count * CHUNK_SECONDS)}</g>'
        f'<path opacity="0.7" d="{_bars(level, *LEVEL)}"/>'
        f'<path fill="{ACCENT}" d="{_bars(p_text, *PROBABILITY)}"/>'
        f'<path opacity="0.5" d="M0 {PROBABILITY[1]}h{WIDTH}v1h-{WIDTH}z"/>'
        f'<text y="{PROBABILITY[0] - 4}">p(TEXT_BEGIN)</text>'
        f'<path fill="{ACCENT}" d="{marks}"/></svg>'
    )


def _bars(values: Floats, top: int, bottom: int) -> str:
    """Draw columns from the bottom of a lane; a column is the maximum of its chunks."""
    columns = min(len(values), MAX_COLUMNS)
    starts = np.arange(columns) * len(values) // columns
    heights = np.maximum.reduceat(np.clip(values, 0, 1), starts) * (bottom - top)
    edges = np.append(starts, len(values)) * WIDTH / len(values)
    gap = 0.6 if columns < MAX_COLUMNS else 0.0
    return "".join(
        f"M{left:.1f} {bottom}v-{height:.1f}h{right - left - gap:.1f}v{height:.1f}z"
        for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True)
        if height >= 0.05
    )


def _mark(x: float) -> str:
    return f"M{x - 4:.1f} {HEIGHT - 14}l8 5l-8 5z"


def _ticks(seconds: float) -> str:
    return "".join(
        f'<text x="{WIDTH * part:.0f}" y="11" text-anchor="{"end" if part == 1 else "middle"}">'
        f"{escape(clock(seconds * part))}</text>"
        for part in (0.25, 0.5, 0.75, 1)
    )
