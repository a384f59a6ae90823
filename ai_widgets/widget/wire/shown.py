"""`Shown`: a widget as its presenter and channel see it; `Pulled`: the same for hosts that drop what threads send."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock
from typing import Any, Protocol

from ...record.record import SessionRecord


class Shown(Protocol):
    """A widget as its presenter and channel see it. Every method may be called on any thread.

    Attributes
    ----------
    send_lock
        Held while a message is sent.
    """

    send_lock: RLock

    def send(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        """Send a message to all pages."""

    def show(self, trait: str, value: object) -> bool:
        """Set a synced trait. Return whether its value changed."""

    def show_again(self, *traits: str) -> None:
        """Send the present values of synced traits, where a page shows others."""

    def save(self, headline: str, record: SessionRecord) -> None:
        """Update the transcript that the notebook saves."""


class Pulled:
    """A `Shown` that remembers which traits changed since the last answer, because the host may have dropped them.

    Parameters
    ----------
    shown
        The widget.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self.send_lock: RLock = shown.send_lock
        self._changed: set[str] = set()

    def send(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        """Send a message to all pages."""
        self._shown.send(content, buffers)

    def show(self, trait: str, value: object) -> bool:
        """Set a synced trait, and remember it if its value changed. Return whether it did."""
        changed = self._shown.show(trait, value)
        if changed:
            with self.send_lock:
                self._changed.add(trait)
        return changed

    def show_again(self, *traits: str) -> None:
        """Send the present values of synced traits, where a page shows others."""
        self._shown.show_again(*traits)

    def save(self, headline: str, record: SessionRecord) -> None:
        """Update the transcript that the notebook saves."""
        self._shown.save(headline, record)

    def answer(self) -> None:
        """Send the traits that changed since the last call. Called while the host shows what is sent."""
        with self.send_lock:
            changed, self._changed = sorted(self._changed), set()
        if changed:
            self._shown.show_again(*changed)
