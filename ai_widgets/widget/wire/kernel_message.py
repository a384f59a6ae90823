"""The base of the messages that the kernel sends to its pages."""

from __future__ import annotations

import msgspec


class KernelMessage(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Message of the kernel. Its `type` is the class's name in lower case, or the given `tag`."""
