"""The base of the messages that a page sends."""

from __future__ import annotations

import msgspec


class PageMessage(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Message of a page. Its `type` is the class's name in lower case, or the given `tag`.

    Attributes
    ----------
    page
        Name of the page, in most messages.
    """
