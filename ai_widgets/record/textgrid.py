"""A record as a Praat TextGrid (long text format): tiers `decisions`, `replies`, `tokens` and `notices`.

Source: the Praat manual, "TextGrid file formats". The tiers `decisions`, `replies` and `tokens` are interval tiers,
whose intervals fill the whole time without a gap; `notices` is a point tier, whose times increase strictly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import printable
from ..protocol import CHUNK_SECONDS, Notice, Token
from .reply_spans import ReplySpan, reply_spans

if TYPE_CHECKING:
    from .views import RecordViews

Interval = tuple[float, float, str]


def textgrid(record: RecordViews) -> str:
    """Format a record as a TextGrid.

    Examples
    --------
    >>> Path("talk.TextGrid").write_text(textgrid(record))
    """
    spans = reply_spans(record)
    end = max([record.seconds, CHUNK_SECONDS, *(span.end_s for span in spans)])
    tiers = [
        _interval_tier("decisions", _decisions(record), end),
        _interval_tier("replies", [(span.start_s, span.end_s, _reply(span)) for span in spans], end),
        _interval_tier("tokens", _tokens(record, spans), end),
        _point_tier("notices", _notices(record), end),
    ]
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_time(end)}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, tier in enumerate(tiers, 1):
        lines += [f"    item [{number}]:", *(f"        {line}" for line in tier)]
    return "\n".join(lines) + "\n"


def _decisions(record: RecordViews) -> list[Interval]:
    table = record.decisions
    found: dict[int, str] = {}
    for chunk, choice, p_text in zip(table.chunk, table.choice, table.p_text, strict=True):
        found[int(chunk)] = f"{choice} {p_text:.3f}"
    return [(chunk * CHUNK_SECONDS, (chunk + 1) * CHUNK_SECONDS, label) for chunk, label in sorted(found.items())]


def _reply(span: ReplySpan) -> str:
    emotion = "" if span.turn.emotion is None else f"[{span.turn.emotion.value}] "
    return emotion + (span.turn.text.strip() or "(empty reply)")


def _tokens(record: RecordViews, spans: list[ReplySpan]) -> list[Interval]:
    """Return the tokens of each reply, in equal parts of its time: they have no times of their own."""
    texts: dict[int, list[str]] = {}
    for token in record.of_type(Token):
        texts.setdefault(token.turn, []).append(token.text or f"<{token.token}>")
    found: list[Interval] = []
    for span in spans:
        parts = texts.get(span.turn.turn, [])
        step = (span.end_s - span.start_s) / max(1, len(parts))
        edges = [span.start_s + number * step for number in range(len(parts))] + [span.end_s]
        found += [(edges[number], edges[number + 1], text) for number, text in enumerate(parts)]
    return found


def _notices(record: RecordViews) -> list[tuple[float, str]]:
    found: dict[float, list[str]] = {}
    for notice in record.of_type(Notice):
        found.setdefault(max(0, notice.chunk) * CHUNK_SECONDS, []).append(f"{notice.kind}: {notice.message}")
    return [(time, " | ".join(words)) for time, words in sorted(found.items())]


def _interval_tier(name: str, intervals: Iterable[Interval], end: float) -> list[str]:
    whole: list[Interval] = []
    at = 0.0
    for start, stop, label in intervals:
        # Compared as written, so that rounding leaves neither an overlap nor an empty interval.
        if _time(start) != _time(at):
            whole.append((at, start, ""))
        if _time(stop) != _time(start):
            whole.append((start, stop, label))
            at = stop
    if _time(at) != _time(end):
        whole.append((at, end, ""))
    lines = ['class = "IntervalTier"', f"name = {_text(name)}", "xmin = 0", f"xmax = {_time(end)}"]
    lines.append(f"intervals: size = {len(whole)}")
    for number, (start, stop, label) in enumerate(whole, 1):
        lines += [f"intervals [{number}]:", f"    xmin = {_time(start)}", f"    xmax = {_time(stop)}"]
        lines.append(f"    text = {_text(label)}")
    return lines


def _point_tier(name: str, points: list[tuple[float, str]], end: float) -> list[str]:
    lines = ['class = "TextTier"', f"name = {_text(name)}", "xmin = 0", f"xmax = {_time(end)}"]
    lines.append(f"points: size = {len(points)}")
    for number, (time, label) in enumerate(points, 1):
        lines += [f"points [{number}]:", f"    number = {_time(min(time, end))}", f"    mark = {_text(label)}"]
    return lines


def _time(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _text(label: str) -> str:
    """Quote a label: one line, quotation marks doubled."""
    return '"' + printable(label).replace('"', '""') + '"'
