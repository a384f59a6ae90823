"""Messages of a page about recordings: save the one that is shown, open one, run it again."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .limits import AnalysisKind, Count, RecordingFormat, SeedCount, StreamNumber, Text
from .page_message import PageMessage


class Save(PageMessage, frozen=True):
    """Request to write what is shown to a file, answered by `saved`; the page asks for its parts with `part`.

    Attributes
    ----------
    format
        Format of the file: a recording, or an HTML page.
    request
        Number that the answers repeat.
    """

    format: RecordingFormat
    request: Count
    page: Text = ""


class Part(PageMessage, frozen=True):
    """Request for a part of the file that `saved` announced, answered by `part` of the kernel.

    Attributes
    ----------
    request
        Number of the `save`.
    offset
        Offset of the part in bytes.
    """

    request: Count
    offset: Count
    page: Text = ""


class Release(PageMessage, frozen=True):
    """Notice that the page has the file of a `save`, or no longer wants it; the kernel removes the file.

    Attributes
    ----------
    request
        Number of the `save`.
    """

    request: Count
    page: Text = ""


class Load(PageMessage, frozen=True):
    """Announcement of a recording that the page holds; the kernel asks for its parts with `need` and shows it.

    Attributes
    ----------
    stream
        Number of the file, counted as in `open`.
    name, size
        Name of the file, and its size in bytes.
    """

    stream: StreamNumber
    name: Text
    size: Count
    page: Text = ""


class Unload(PageMessage, frozen=True):
    """Request to end loading a recording, or to show the session again in place of a recording."""

    page: Text = ""


class Replay(PageMessage, frozen=True):
    """Request to run what is shown again with the model and to compare, answered by `replayed`; or to cancel that.

    Attributes
    ----------
    action
        What to do.
    """

    action: Literal["start", "cancel"]
    page: Text = ""


class Analyse(PageMessage, frozen=True):
    """Request to analyse what is shown with the model, answered by `analysed`; or to cancel that.

    Attributes
    ----------
    what
        Kind of the analysis.
    action
        What to do.
    settings
        Settings of the decision that differ from the record's, at most `MAX_CHANGES_BYTES`.
    count
        Number of seeds.
    """

    what: AnalysisKind
    action: Literal["start", "cancel"]
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    count: SeedCount = 20
    page: Text = ""
