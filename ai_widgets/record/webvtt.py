"""The replies of a record as WebVTT captions (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ..errors import printable
from .reply_spans import reply_spans

if TYPE_CHECKING:
    from .views import RecordViews


def webvtt(record: RecordViews) -> str:
    """Format the replies as captions, one cue each; an emotion is a class of the cue's text.

    Examples
    --------
    >>> print(webvtt(record))
    WEBVTT
    <BLANKLINE>
    1
    00:00:04.800 --> 00:00:06.400
    <c.normal>The telephone is ringing.</c>
    """
    cues = ["WEBVTT\n"]
    for span in reply_spans(record):
        # One line without `<`, `>` and `&`, so that no text is a tag, an arrow or the end of its cue.
        text = " ".join(escape(printable(span.turn.text), quote=False).split()) or "(empty reply)"
        if span.turn.emotion is not None:
            text = f"<c.{span.turn.emotion.value}>{text}</c>"
        cues.append(f"{span.turn.turn + 1}\n{_time(span.start_s)} --> {_time(span.end_s)}\n{text}\n")
    return "\n".join(cues)


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
