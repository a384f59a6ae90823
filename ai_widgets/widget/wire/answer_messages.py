"""What `AnswerView` and its page tell each other: requests of the page, and the state that its trait holds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .limits import Text
from .page_message import PageMessage

MAX_FILE_BYTES = 6_000_000
"""Bytes of a page's file: 20 s of stereo WAV at 48 kHz have 3.8 MB, and as base64 it stays below a message's 10 MB."""
MAX_REQUEST = 4_000
"""Characters of a request: far more than a question needs, and fewer than the positions of any checkpoint."""

AnswerStatus = Literal["loading", "ready", "running", "done", "failed"]
"""State of the widget: the model loads, nothing was asked, tokens are drawn, the answer has ended, it failed."""


class Ask(PageMessage, frozen=True):
    """Request for an answer to a clip of the package, or to a file of the page.

    Attributes
    ----------
    clip
        Name of the clip, one of `CLIPS`; empty for a file.
    name, data
        Name of the file, and its bytes as base64.
    text
        Request or question; empty for none.
    """

    clip: Text = ""
    name: Text = ""
    data: Annotated[str, Meta(max_length=MAX_FILE_BYTES * 4 // 3 + 4)] = ""
    text: Annotated[str, Meta(max_length=MAX_REQUEST)] = ""


class Cancel(PageMessage, frozen=True):
    """Request to end the answer that is drawn."""


REQUESTS: tuple[type[PageMessage], ...] = (Ask, Cancel)
"""All messages of the page of an `AnswerView`."""


class Answered(msgspec.Struct, frozen=True):
    """State of an `AnswerView`, the value of its trait `answer`.

    Attributes
    ----------
    state
        What the widget does.
    model
        Name of the model.
    heard, asked
        Name of the clip or file, and the request.
    tokens
        Tokens of the answer so far.
    emotion
        Emotion at its start, or empty.
    ended
        How it ended, or empty.
    notes
        Sentences that a reader should know.
    problem
        Why the last request could not be answered; empty if it could.
    """

    state: AnswerStatus
    model: str
    heard: str = ""
    asked: str = ""
    tokens: tuple[dict[str, Any], ...] = ()
    emotion: str = ""
    ended: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
