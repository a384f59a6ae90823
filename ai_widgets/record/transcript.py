"""Transcript of a record: a summary line, plain text, or a self-contained HTML table.

Jupyter and other front ends show the transcript for a record, a session or a widget, also in a saved notebook and
without any script or style sheet. All text from audio, a model or a file name is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from ..errors import printable
from ..protocol import CHUNK_SECONDS, Decision, Turn

if TYPE_CHECKING:
    from .views import RecordViews

MAX_REPLIES = 50
"""Maximum number of replies in a transcript, the newest ones: a saved notebook stores the transcript."""
MAX_TEXT = 500
"""Maximum length of one reply in a transcript, in characters; longer text is truncated."""

_CELL = 'style="padding:2px 10px 2px 0;text-align:left;vertical-align:top"'
_NUMBER = 'style="padding:2px 10px 2px 0;text-align:right;vertical-align:top;white-space:nowrap"'


def clock(seconds: float) -> str:
    """Format a time of the session's audio clock, such as ``1:04.8``."""
    # Rounded to tenths first, so that 59.96 s gives 1:00.0 and not 0:60.0.
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


def summary(record: RecordViews) -> str:
    """Format the length and the counts of a record in one line."""
    decisions, replies = record.count(Decision), record.count(Turn)
    return f"{record.seconds:.1f} s heard, {counted(decisions, 'decision')}, {counted(replies, 'reply')}"


def transcript_text(record: RecordViews) -> str:
    """Format the summary and the replies of a record as plain text, one line each.

    Examples
    --------
    >>> print(transcript_text(session.record))
    12.8 s heard, 32 decisions, 1 reply
    0:04.8  The telephone is ringing.  [normal]
    """
    lines = [summary(record)]
    turns, hidden = _newest(record)
    if hidden:
        lines.append(f"({hidden} earlier)")
    for turn in turns:
        ended = "" if turn.ended == "TEXT_END" else f"  ({turn.ended})"
        emotion = "" if turn.emotion is None else f"  [{turn.emotion.value}]"
        lines.append(f"{_time(turn)}  {printable(_text(turn))}{emotion}{ended}")
    return "\n".join(lines)


def transcript_html(record: RecordViews, title: str, facts: Mapping[str, str] | None = None) -> str:
    """Format a record as self-contained HTML: a title, the summary, and a table of the replies.

    Parameters
    ----------
    record
        Record to show.
    title
        Title, as plain text.
    facts
        Additional lines by name, as plain text, such as the state of a session.

    Returns
    -------
    str
        One ``<div>`` without scripts, style sheets or URLs.
    """
    turns, hidden = _newest(record)
    rows = [
        f"<tr><td {_NUMBER}>{_time(turn)}</td>"
        f'<td {_CELL} dir="auto">{escape(_text(turn))}</td>'
        f"<td {_CELL}>{'' if turn.emotion is None else escape(turn.emotion.value)}</td>"
        f"<td {_CELL}>{'' if turn.ended == 'TEXT_END' else escape(turn.ended)}</td></tr>"
        for turn in turns
    ]
    parts = [f"<div><strong>{escape(title)}</strong> — {escape(summary(record))}"]
    parts += [f"<div>{escape(name)}: {escape(value)}</div>" for name, value in (facts or {}).items() if value]
    if rows:
        heads = "".join(f'<th scope="col" {_CELL}>{head}</th>' for head in ("time", "reply", "emotion", "ended"))
        parts.append(f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>")
    if hidden:
        parts.append(f"<div>The newest {len(turns)} replies are shown; {hidden} earlier ones are not.</div>")
    return "".join(parts) + "</div>"


def facts_html(title: str, facts: Mapping[str, str]) -> str:
    """Format a title and named values as self-contained HTML."""
    rows = "".join(
        f'<tr><th scope="row" {_CELL}>{escape(name)}</th><td {_CELL}>{escape(value)}</td></tr>'
        for name, value in facts.items()
        if value
    )
    return f"<div><strong>{escape(title)}</strong><table><tbody>{rows}</tbody></table></div>"


def _newest(record: RecordViews) -> tuple[list[Turn], int]:
    turns = record.of_type(Turn)
    return turns[-MAX_REPLIES:], max(0, len(turns) - MAX_REPLIES)


def _time(turn: Turn) -> str:
    """Format the start of a reply: the end of the chunk whose decision began the reply."""
    return clock((turn.chunk + 1) * CHUNK_SECONDS)


def _text(turn: Turn) -> str:
    text = turn.text.strip() or "(empty reply)"
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, in the singular for one."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
