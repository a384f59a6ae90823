"""Messages of a page about branches: fork the session, drop a branch."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .limits import Count, Text
from .page_message import PageMessage


class Fork(PageMessage, frozen=True):
    """Request for a branch: the session's audio from a chunk on is decided again, with something changed.

    Attributes
    ----------
    chunk, until
        First chunk that is decided again, and the last one; null: the last one that the session has heard.
    settings
        Settings from that chunk on by name, at most `MAX_CHANGES_BYTES`.
    force
        Decision at the chunk, or empty.
    mute
        Whether silence replaces the chunk's audio.
    request
        Number that the `branch` message repeats.
    """

    chunk: Count
    until: Count | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    force: Literal["", "TEXT_BEGIN", "KEEP_SILENCE"] = ""
    mute: bool = False
    request: Count = 0
    page: Text = ""


class DropBranch(PageMessage, frozen=True, tag="drop_branch"):
    """Request to end a branch and keep it no longer.

    Attributes
    ----------
    branch
        Number of the branch.
    """

    branch: Count
