"""Plotly figures of the analyses, in the colours and on the time axis of `record.plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..protocol import CHUNK_SECONDS
from ..record.plots import COLOURS, LAYOUT

if TYPE_CHECKING:
    from plotly import graph_objects as go

    from .onset import Onset
    from .seeds import Seeds

SEED_PX = 14
"""Height of a seed's row in pixels."""


def onset_figure(curve: Onset) -> go.Figure:
    """Draw P(first reply) after each chunk, and the hazard."""
    from plotly import graph_objects as go

    ends = (curve.chunk + 1) * CHUNK_SECONDS
    drawn = go.Figure()
    drawn.add_bar(
        x=ends,
        y=curve.first,
        name="P(first reply)",
        marker={"color": COLOURS["reply"]},
        customdata=curve.chunk,
        hovertemplate="chunk %{customdata}, %{x:.1f} s: %{y:.3g}",
    )
    drawn.add_scatter(
        x=ends,
        y=curve.hazard,
        name="P(reply | none before)",
        line={"color": COLOURS["p"], "shape": "hv"},
        hovertemplate="%{x:.1f} s: %{y:.3g}",
    )
    drawn.update_xaxes(title_text="time [s]", rangemode="tozero")
    drawn.update_yaxes(title_text="probability", range=[-0.03, 1.03])
    return drawn.update_layout(**LAYOUT, title=str(curve), height=440, bargap=0, legend={"orientation": "h", "y": -0.2})


def seeds_figure(raster: Seeds) -> go.Figure:
    """Draw a row of marks per seed, and the share of the seeds that begin a reply after each chunk."""
    from plotly.subplots import make_subplots

    names = [str(seed) for seed in raster.begun]
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.7, 0.3])
    times = {seed: (np.asarray(chunks) + 1) * CHUNK_SECONDS for seed, chunks in raster.begun.items()}
    drawn.add_scatter(
        x=np.concatenate(list(times.values())),
        y=[str(seed) for seed, chunks in raster.begun.items() for _ in chunks],
        name="reply begins",
        mode="markers",
        marker={"color": COLOURS["reply"], "symbol": "square", "size": 8},
        hovertemplate="seed %{y}: %{x:.1f} s",
        row=1,
        col=1,
    )
    share = raster.table.mean(axis=1)
    drawn.add_bar(
        x=(share.index.to_numpy(float) + 1) * CHUNK_SECONDS,
        y=share.to_numpy(float),
        name="share of the seeds",
        marker={"color": COLOURS["p"]},
        hovertemplate="%{x:.1f} s: %{y:.2f}",
        row=2,
        col=1,
    )
    rows = {"type": "category", "categoryorder": "array", "categoryarray": names[::-1]}
    drawn.update_yaxes(title_text="seed", **rows, row=1, col=1)
    drawn.update_yaxes(title_text="share", range=[0, 1.05], row=2, col=1)
    drawn.update_xaxes(title_text="time [s]", rangemode="tozero", row=2, col=1)
    height = 240 + SEED_PX * len(names)
    return drawn.update_layout(**LAYOUT, title=str(raster), height=height, bargap=0, legend={"orientation": "h"})
