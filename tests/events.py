"""Events as tests compare them."""

from __future__ import annotations

from collections.abc import Iterable

from ai_widgets.protocol import Event, Timing


def said(events: Iterable[Event]) -> list[Event]:
    """Events without the clock's."""
    return [event for event in events if not isinstance(event, Timing)]
