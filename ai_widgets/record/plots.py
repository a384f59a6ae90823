"""Plotly figures of a record: `timeline`, `tokens`, `latency`, `calibration`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import SettingError, printable
from ..protocol import CHUNK_SECONDS, Decision, Notice, Turn

if TYPE_CHECKING:
    from plotly import graph_objects as go

    from .views import RecordViews

BINS = 10
"""Bins of the calibration, of equal width in probability."""
MAX_HOVER = 300
"""Characters of a reply in a hover label; longer text is truncated."""
COLOURS = {"level": "#7a7f87", "p": "#2f6fb0", "reply": "#c4472f", "context": "#5b8c5a", "notice": "#b8860b"}
STAGES = {
    "capture_ms": "page and connection",
    "queue_ms": "queues",
    "network_ms": "class server's network",
    "features_ms": "log-mel",
    "tower_ms": "encoder",
    "decide_ms": "decision",
    "reply_ms": "reply",
}
"""Columns of the latency figure, in the order in which a chunk passes them, with their labels."""
LAYOUT: dict[str, Any] = {"template": "plotly_white", "margin": {"l": 70, "r": 20, "t": 60, "b": 50}}
"""Layout of all figures; margins in pixels."""


def figure(record: RecordViews, kind: str, labels: Sequence[bool] | None) -> go.Figure:
    """Draw a figure; see `RecordExports.plot`.

    Raises
    ------
    SettingError
        If there is no such figure, or `labels` are missing, unneeded, or of another number than the decisions.
    """
    makers: dict[str, Callable[[RecordViews], go.Figure]] = {"timeline": timeline, "tokens": tokens, "latency": latency}
    if kind == "calibration":
        if labels is None:
            raise SettingError("plot('calibration') needs labels=, for each decision whether a reply was due.")
        return calibration(record, labels)
    if kind not in makers:
        raise SettingError(f"There is no figure {kind!r}; the figures are {', '.join(makers)}, calibration.")
    if labels is not None:
        raise SettingError(f"labels are for plot('calibration'), not for plot({kind!r}).")
    return makers[kind](record)


def timeline(record: RecordViews) -> go.Figure:
    """Draw level, p(TEXT_BEGIN) with the replies, context, and notices over time."""
    from plotly.subplots import make_subplots

    chunks, decisions = record.chunks, record.decisions
    drawn = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.3, 0.45, 0.25])
    level = {
        "name": "level",
        "line": {"color": COLOURS["level"], "shape": "hv"},
        "hovertemplate": "%{x:.1f} s: %{y:.1f} dBFS",
    }
    drawn.add_scatter(x=chunks.start_s, y=chunks.rms_db, row=1, col=1, **level)
    # The decision falls at the end of its chunk.
    ends = decisions.start_s + CHUNK_SECONDS
    p_text = {"name": "p(TEXT_BEGIN)", "line": {"color": COLOURS["p"], "shape": "hv"}}
    drawn.add_scatter(x=ends, y=decisions.p_text, row=2, col=1, hovertemplate="%{x:.1f} s: %{y:.3g}", **p_text)
    turns, first = record.of_type(Turn), {d.chunk: d.p_text for d in _beginnings(record)}
    drawn.add_scatter(
        x=[(turn.chunk + 1) * CHUNK_SECONDS for turn in turns],
        y=[first.get(turn.chunk, 1.0) for turn in turns],
        text=[_hover(turn.text) for turn in turns],
        name="reply",
        mode="markers",
        marker={"color": COLOURS["reply"], "size": 10, "symbol": "diamond"},
        hovertemplate="%{x:.1f} s: %{text}<extra>reply</extra>",
        row=2,
        col=1,
    )
    context = {"name": "context", "fill": "tozeroy", "line": {"color": COLOURS["context"]}}
    drawn.add_scatter(x=ends, y=decisions.used, row=3, col=1, hovertemplate="%{x:.1f} s: %{y} positions", **context)
    limit = {"name": "limit", "line": {"color": COLOURS["context"], "dash": "dot"}}
    drawn.add_scatter(x=ends, y=decisions.limit, row=3, col=1, hoverinfo="skip", **limit)
    _notices(drawn, record)
    drawn.update_yaxes(title_text="level [dBFS]", row=1, col=1)
    drawn.update_yaxes(title_text="p(TEXT_BEGIN)", range=[-0.03, 1.08], row=2, col=1)
    drawn.update_yaxes(title_text="context [positions]", rangemode="tozero", row=3, col=1)
    drawn.update_xaxes(title_text="time [s]", row=3, col=1)
    title = f"Session of {record.seconds:.1f} s: {record.count(Decision):,} decisions, {len(turns):,} replies"
    return drawn.update_layout(**LAYOUT, title=title, height=640, legend={"orientation": "h", "y": -0.12})


def _notices(drawn: go.Figure, record: RecordViews) -> None:
    notices = record.of_type(Notice)
    if not notices:
        return
    drawn.add_scatter(
        x=[max(0, notice.chunk) * CHUNK_SECONDS for notice in notices],
        y=[1.04] * len(notices),
        text=[_hover(notice.message) for notice in notices],
        name="notice",
        mode="markers",
        marker={"color": COLOURS["notice"], "symbol": "triangle-down"},
        hovertemplate="%{x:.1f} s: %{text}<extra>notice</extra>",
        row=2,
        col=1,
    )


def tokens(record: RecordViews) -> go.Figure:
    """Draw the raw probability of each reply token, and the probability it was drawn with."""
    from plotly import graph_objects as go

    table = record.tokens
    texts = [_hover(text) or f"token {token}" for text, token in zip(table.text, table.token, strict=True)]
    place = np.arange(len(table))
    drawn = go.Figure()
    hover = "reply %{customdata}: %{text}, p %{y:.3g}"
    raw = {"color": COLOURS["p"], "size": 7}
    drawn.add_scatter(
        x=place,
        y=table.p,
        mode="markers",
        name="raw p",
        marker=raw,
        text=texts,
        customdata=table.turn,
        hovertemplate=hover,
    )
    sampled = {"color": COLOURS["reply"], "size": 7, "symbol": "circle-open"}
    drawn.add_scatter(
        x=place,
        y=table.p_drawn,
        mode="markers",
        name="p after temperature, top-k and top-p",
        marker=sampled,
        text=texts,
        customdata=table.turn,
        hovertemplate=hover,
    )
    for edge in np.flatnonzero(np.diff(table.turn.to_numpy())) if len(table) else ():
        drawn.add_vline(x=edge + 0.5, line={"color": "#c8ccd2", "width": 1})
    drawn.update_xaxes(title_text="token [number in the session]")
    drawn.update_yaxes(title_text="probability", range=[-0.03, 1.03])
    title = f"Probabilities of {len(table):,} tokens in {record.count(Turn):,} replies"
    return drawn.update_layout(**LAYOUT, title=title, height=440)


def latency(record: RecordViews) -> go.Figure:
    """Draw the milliseconds of each chunk by stage, and the length of a chunk, which bounds them in a live session."""
    from plotly import graph_objects as go

    table = record.timings
    drawn = go.Figure()
    for name, label in STAGES.items():
        drawn.add_bar(x=table.start_s, y=table[name], name=label, hovertemplate="%{x:.1f} s: %{y:.1f} ms")
    limit = CHUNK_SECONDS * 1000
    drawn.add_hline(y=limit, line={"color": COLOURS["reply"], "dash": "dot"}, annotation_text="one chunk")
    total = table[["features_ms", "tower_ms", "decide_ms", "reply_ms"]].sum(axis=1).to_numpy(float)
    words = ""
    if len(total):
        words = f": computing {np.median(total):.1f} ms (median), {np.quantile(total, 0.95):.1f} ms (95 %)"
    drawn.update_xaxes(title_text="time [s]")
    drawn.update_yaxes(title_text="time per chunk [ms]")
    return drawn.update_layout(**LAYOUT, title=f"Latency by stage{words}", height=440, barmode="stack", bargap=0)


def calibration(record: RecordViews, labels: Sequence[bool]) -> go.Figure:
    """Draw the share of decisions after which a reply was due, by p(TEXT_BEGIN).

    Raises
    ------
    SettingError
        If the number of labels is not that of the decisions.
    """
    from plotly import graph_objects as go

    p = record.decisions.p_text.to_numpy(float)
    due = np.asarray(labels, dtype=bool)
    if due.shape != p.shape:
        message = f"There are {len(p):,} decisions and {due.size:,} labels; each decision needs one."
        raise SettingError(message, ("labels",))
    mean, share, count = _binned(p, due)
    error = float(np.sum(count * np.abs(mean - share)) / max(1, count.sum()))
    drawn = go.Figure()
    ideal = {"color": COLOURS["level"], "dash": "dot"}
    drawn.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="calibrated", line=ideal, hoverinfo="skip")
    drawn.add_scatter(
        x=mean,
        y=share,
        mode="lines+markers",
        name="this record",
        line={"color": COLOURS["p"]},
        marker={"size": 6 + 18 * np.sqrt(count / max(1, count.max(initial=0)))},
        customdata=count,
        hovertemplate="p %{x:.3f}: %{y:.3f} of %{customdata} decisions",
    )
    drawn.update_xaxes(title_text="p(TEXT_BEGIN), mean of a bin", range=[-0.03, 1.03])
    drawn.update_yaxes(title_text="share of decisions with a reply due", range=[-0.05, 1.05])
    title = f"Calibration of {len(p):,} decisions, {int(due.sum()):,} with a reply due: error (ECE) {error:.3f}"
    return drawn.update_layout(**LAYOUT, title=title, height=480)


def _binned(
    p: npt.NDArray[np.float64], due: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return mean probability, share of `due` and number of decisions of each bin that is not empty."""
    place = np.clip((p * BINS).astype(int), 0, BINS - 1)
    count = np.bincount(place, minlength=BINS)
    filled = count > 0
    mean = np.bincount(place, p, BINS)[filled] / count[filled]
    share = np.bincount(place, due.astype(float), BINS)[filled] / count[filled]
    return mean, share, count[filled]


def _beginnings(record: RecordViews) -> list[Any]:
    """Return the rows of the decisions that began a reply, with `chunk` and `p_text`."""
    table = record.decisions
    return list(table[table.choice == "TEXT_BEGIN"][["chunk", "p_text"]].itertuples())


def _hover(text: str) -> str:
    """Return a text for a hover label, which interprets a part of HTML."""
    short = text if len(text) <= MAX_HOVER else f"{text[:MAX_HOVER]}…"
    return escape(printable(short))
