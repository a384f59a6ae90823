"""Write the figures of an evaluation as one self-contained HTML page of tables and Plotly figures."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from ai_widgets.evaluation.figures import COLUMNS, front
from ai_widgets.evaluation.words import ability_lines, estimate, headlines, title

COLOURS = ("#3366cc", "#dc6900", "#2e8b57", "#a0522d", "#7b68ae")
LAYOUT = {"template": "plotly_white", "height": 440, "margin": {"l": 60, "r": 20, "t": 90, "b": 50},
          "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"}}  # fmt: skip
"""Layout of all figures; sizes in pixels."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
"""
NOTE = """Intervals are 95 % intervals: Wilson for shares, exact Poisson for rates, bootstrap over streams otherwise.
A reply answers an utterance from the chunk that holds the utterance's end to three chunks later; an earlier reply is
early. A false reply belongs to no utterance or sound; repeated and late replies are counted separately. All recordings
are from the validation and evaluation splits."""


def page(result: dict[str, Any]) -> str:
    """Return the whole page as HTML."""
    from plotly import graph_objects as go  # with the first report, not with the package

    policies: dict[str, Any] = result["policies"]
    makers: list[Callable[[Any, dict[str, Any]], Any]] = [curves, false_by_class, latencies, reliability]
    if result["streams"]["long_sessions"]["hours"]:
        makers.append(recall_by_minute)
    drawn = [make(go, policies) for make in makers]
    drawn += [confusion(go, name, policy) for name, policy in policies.items()]
    figures = [f.to_html(full_html=False, include_plotlyjs=number == 0) for number, f in enumerate(drawn)]
    streams = result["streams"]
    heading = f"Evaluation: {escape(', '.join(title(result, name) for name in policies))}"
    origin = f"{streams['hours']:.2f} h of streams, seed {streams['seed']}, audio sha256 {streams['sha256'][:16]}."
    return "\n".join([
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading}</title>',
        f"<style>{STYLE}</style></head><body><h1>{heading}</h1>",
        f"<p>{origin} {NOTE}</p>",
        _headline_table(result), _equal_recall(result), *figures, _origin_table(policies),
        _age_table(streams, policies), _ability_table(result), _ambience_table(streams, policies),
        _material_table(streams), "</body></html>",
    ])  # fmt: skip


def curves(go: Any, policies: dict[str, Any]) -> Any:
    """Draw false replies per hour against recall, with a point for each operating point."""
    figure = go.Figure()
    for colour, (name, policy) in zip(COLOURS, policies.items(), strict=False):
        points = sorted((p for p in policy["curve"] if p["recall"] is not None), key=lambda p: p["recall"])
        figure.add_scatter(
            x=[p["recall"] for p in points],
            y=[p["false_per_hour"]["value"] for p in points],
            text=[_setting(p) for p in points],
            mode="markers",
            name=name,
            marker={"color": colour},
            hovertemplate="%{text}<br>recall %{x:.3f}, %{y:.1f} false per hour",
        )
        best = front(policy["curve"], "false_per_hour")
        figure.add_scatter(
            x=[recall for recall, _ in best], y=[false for _, false in best], mode="lines", name=f"{name}, best",
            line={"color": colour}, hoverinfo="skip",
        )  # fmt: skip
    figure.update_layout(
        **LAYOUT, title="False replies at equal recall (every fourth stream, all operating points)",
        xaxis_title="spoken turns answered within 3 chunks", yaxis_title="false replies per hour",
    )  # fmt: skip
    return figure


def false_by_class(go: Any, policies: dict[str, Any]) -> Any:
    """Draw false replies per hour of each class of ambience, with intervals."""
    figure = go.Figure()
    for colour, (name, policy) in zip(COLOURS, policies.items(), strict=False):
        classes = policy["ambience"]["classes"]
        rates = [row["false_per_hour"] for row in classes.values()]
        figure.add_bar(
            x=list(classes),
            y=[r["value"] for r in rates],
            name=name,
            marker={"color": colour},
            error_y={
                "array": [r["high"] - r["value"] for r in rates],
                "arrayminus": [r["value"] - r["low"] for r in rates],
            },
        )
    figure.update_layout(**LAYOUT, title="False replies by class of ambience", yaxis_title="per hour")
    return figure


def latencies(go: Any, policies: dict[str, Any]) -> Any:
    """Draw the latency in chunks between the end of speech and the reply."""
    figure = go.Figure()
    for colour, (name, policy) in zip(COLOURS, policies.items(), strict=False):
        counts = policy["spoken"]["latency_chunks"]
        figure.add_bar(x=[int(k) for k in counts], y=list(counts.values()), name=name, marker={"color": colour})
    figure.update_layout(
        **LAYOUT, title="Latency of answered spoken turns", yaxis_title="turns",
        xaxis={"title": "chunks (0.4 s) after the chunk that holds the end of speech", "dtick": 1},
    )  # fmt: skip
    return figure


def reliability(go: Any, policies: dict[str, Any]) -> Any:
    """Draw the share of chunks with a reply due against p(TEXT_BEGIN)."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#999"}, showlegend=False)
    for colour, (name, policy) in zip(COLOURS, policies.items(), strict=False):
        bins = policy["calibration"]["bins"]
        figure.add_scatter(
            x=[b["p"] for b in bins],
            y=[b["frequency"] for b in bins],
            text=[f"{b['chunks']} chunks" for b in bins],
            mode="lines+markers",
            name=f"{name}, ECE {policy['calibration']['ece']['value']}",
            marker={"color": colour},
        )
    figure.update_layout(
        **LAYOUT, title="Calibration", xaxis_title="p(TEXT_BEGIN)", yaxis_title="share of chunks with a reply due"
    )
    return figure


def recall_by_minute(go: Any, policies: dict[str, Any]) -> Any:
    """Draw the share of spoken turns answered within 3 chunks in each minute of a session, with intervals."""
    figure = go.Figure()
    for colour, (name, policy) in zip(COLOURS, policies.items(), strict=False):
        minutes = {minute: row["spoken"] for minute, row in policy["age"]["minutes"].items() if row["spoken"]["of"]}
        figure.add_scatter(
            x=[int(minute) for minute in minutes],
            y=[share["value"] for share in minutes.values()],
            text=[f"{share['count']} of {share['of']}" for share in minutes.values()],
            error_y={
                "array": [share["high"] - share["value"] for share in minutes.values()],
                "arrayminus": [share["value"] - share["low"] for share in minutes.values()],
            },
            mode="lines+markers",
            name=name,
            marker={"color": colour},
        )
    figure.update_layout(
        **LAYOUT, title="Spoken turns answered, by age of session", yaxis_title="answered within 3 chunks",
        xaxis={"title": "minute of the session", "dtick": 1},
    )  # fmt: skip
    return figure


def confusion(go: Any, name: str, policy: dict[str, Any]) -> Any:
    """Draw what sounded against what was said, as shares of each row."""
    table: dict[str, dict[str, int]] = policy["naming"]["confusion"]
    columns = [c for c in COLUMNS if any(c in row for row in table.values())]
    counts = [[row.get(c, 0) for c in columns] for row in table.values()]
    figure = go.Figure()
    figure.add_heatmap(
        x=columns, y=list(table), z=[[n / max(1, sum(row)) for n in row] for row in counts], text=counts,
        texttemplate="%{text}", colorscale="Blues", zmin=0, zmax=1, showscale=False,
    )  # fmt: skip
    figure.update_layout(
        **{**LAYOUT, "height": 180 + 24 * len(table)}, title=f"Named by {name}", yaxis={"autorange": "reversed"},
        xaxis_title="reply", yaxis_title="sound",
    )  # fmt: skip
    return figure


def _headline_table(result: dict[str, Any]) -> str:
    columns = {title(result, name): dict(headlines(policy)) for name, policy in result["policies"].items()}
    names = next(iter(columns.values()), {})
    return _table(["", *columns], [[words, *(column[words] for column in columns.values())] for words in names])


def _equal_recall(result: dict[str, Any]) -> str:
    rows = [
        [name, _setting(p), _three(p["recall"]) + ("" if p.get("reached", True) else " (its maximum)"),
         estimate(p["false_per_hour"]), estimate(p["false_per_hour_of_ambience"]), _three(p["early"])]
        for name, p in result["at_equal_recall"].items() if p is not None
    ]  # fmt: skip
    if not rows:
        return ""
    head = ["at equal recall", "setting", "recall", "false per hour", "… of ambience", "early"]
    return _table(head, rows) + _same_recalls(result["equal_recall"])


def _three(share: float | None) -> str:
    """Format a share with three decimals; a dash where nothing was due, as in a short evaluation."""
    return "–" if share is None else f"{share:.3f}"


def _same_recalls(equal: dict[str, Any]) -> str:
    """Tabulate false replies per hour at the same recalls, interpolated linearly between operating points."""
    columns = equal["false_per_hour"]
    rows = [
        [f"{recall:.3f}", *("not reached" if v[place] is None else f"{v[place]:.1f}" for v in columns.values())]
        for place, recall in enumerate(equal["recalls"])
    ]
    return _table(["false per hour at recall", *columns], rows)


def _origin_table(policies: dict[str, Any]) -> str:
    """Tabulate the shares of sounds named correctly, separately for recorded and generated sounds."""
    tables = {name: policy["naming"]["by_origin"] for name, policy in policies.items()}
    rows = [
        [f"{sound}, {origin}", str(share["of"]), *(estimate(table[sound][origin]) for table in tables.values())]
        for sound, origins in next(iter(tables.values())).items()
        for origin, share in origins.items()
    ]
    return _table(["sounds named", "due", *tables], rows)


def _age_table(streams: dict[str, Any], policies: dict[str, Any]) -> str:
    """Tabulate recall in the first and second minute of a session and later, and in each minute."""
    long = streams["long_sessions"]
    if not long["hours"]:
        return ""
    rows = [
        [f"{name}, {age}", str(row["spoken"]["of"]), estimate(row["spoken"]), estimate(row["sounds"]),
         estimate(row["named"]), str(row["false"]), estimate(row["false_per_hour"])]
        for name, policy in policies.items()
        for age, row in (*policy["age"]["ages"].items(), *policy["age"]["minutes"].items())
    ]  # fmt: skip
    head = ["minute of the session", "spoken turns", "answered", "sounds answered", "named", "false", "false per hour"]
    words = (
        f"<p>{long['hours']:.2f} h of continuous sessions of {long['minutes_each']} minutes, composed from "
        f"{long['recordings']} recordings, each used at most once in a session.</p>"
    )
    return words + _table(head, rows)


def _ability_table(result: dict[str, Any]) -> str:
    """Tabulate the figures of the abilities, of unseen sources too, and counting by kind of sound."""
    columns = {title(result, name): policy["abilities"] for name, policy in result["policies"].items()}
    if "unseen" in result:
        others = result["unseen"]["policies"]
        columns |= {f"{title(result, name)}, unseen sources": policy["abilities"] for name, policy in others.items()}
    columns = {name: figures for name, figures in columns.items() if figures}
    if not columns:
        return ""
    cells = {name: dict(ability_lines({"abilities": figures})) for name, figures in columns.items()}
    rows = [[words, *(column[words] for column in cells.values())] for words in next(iter(cells.values()))]
    kinds = [
        [f"{name}, {kind}", str(row["sessions"]), estimate(row["answered"]), estimate(row["counted_to"]["5"])]
        for name, figures in columns.items()
        for kind, row in figures["counting"]["kinds"].items()
    ]
    head = ["counting", "sessions of ten sounds", "sounds answered", "sessions counted to five"]
    return _table(["abilities", *columns], rows) + _table(head, kinds)


def _ambience_table(streams: dict[str, Any], policies: dict[str, Any]) -> str:
    heard = streams["ambience"]
    rows = [
        [name, f"{row['hours']:.3f}", str(heard["classes"][name]["recordings"]),
         f"{heard['classes'][name]['recorded_hours'] * 60:.1f}",
         *(estimate(policy["ambience"]["classes"][name]["false_per_hour"]) for policy in policies.values())]
        for name, row in next(iter(policies.values()))["ambience"]["classes"].items()
    ]  # fmt: skip
    head = ["ambience", "hours", "distinct recordings", "minutes of them", *(f"{n}, false per hour" for n in policies)]
    words = (
        f"<p>{heard['hours']:.2f} h of ambience, from {heard['recordings']} recordings with a total length of "
        f"{heard['recorded_hours']:.2f} h, and {heard['generated_hours']:.2f} h of generated ambience.</p>"
    )
    return words + _table(head, rows)


def _material_table(streams: dict[str, Any]) -> str:
    rows = [[name, str(row["clips"]), f"{row['seconds']:.0f}"] for name, row in streams["material"].items()]
    return _table(["held-out recordings", "number", "seconds"], rows)


def _setting(point: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in point["setting"].items())


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td class="number">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
