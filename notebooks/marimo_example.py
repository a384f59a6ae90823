"""The widget in marimo: `marimo edit notebooks/marimo_example.py`, or `marimo run` for the page alone.

A cell of marimo runs again when a value that it reads has changed. What a person sets reaches the session that way.
What the session did is read whenever the refresh button says so: from `w.value`, the synced traits as a dictionary, and
from `w.record`, all events as tables.
"""

import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    import ai_widgets as aiw

    return aiw, mo


@app.cell
def _(aiw, mo):
    w = mo.ui.anywidget(aiw.AudioInteraction(greedy=True))
    w
    return (w,)


@app.cell
def _(mo):
    bias = mo.ui.slider(-3, 3, step=0.5, value=0, label="bias of speaking", show_value=True)
    refresh = mo.ui.refresh(options=["1s", "5s"], default_interval="1s", label="read the session")
    mo.hstack([bias, refresh], justify="start")
    return bias, refresh


@app.cell
def _(bias, w):
    # Runs again whenever the slider moves: the session decides with the new bias from the next chunk on.
    w.set(bias=bias.value)
    return


@app.cell
def _(mo, refresh, w):
    # Read, so that this cell runs again with it.
    refresh
    mo.md(
        f"**{w.value['state']}** with bias {w.value['settings']['bias']:g}: "
        f"{len(w.record.decisions)} decisions, {len(w.record.turns)} replies. {w.record.text}"
    )
    return


if __name__ == "__main__":
    app.run()
