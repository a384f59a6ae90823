"""Events as tests compare them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ai_widgets.protocol import Chunk, Event, Notice, Timing


def said(events: Iterable[Event]) -> list[Event]:
    """Events without what depends on the clock, and without the notices that say where audio comes from."""
    return [_timeless(event) for event in events if not isinstance(event, Timing) and not _source(event)]


def remarked(events: Iterable[Event]) -> list[Notice]:
    """Notices, without those that say where audio comes from."""
    return [event for event in events if isinstance(event, Notice) and not _source(event)]


def _source(event: Event) -> bool:
    return isinstance(event, Notice) and event.kind == "stream"


def _timeless(event: Event) -> Event:
    if isinstance(event, Chunk):
        return replace(event, flags=tuple(flag for flag in event.flags if flag not in ("late", "waited")))
    return event
