"""The saved form of a widget in a notebook: short text, and a picture with the transcript as self-contained HTML.

The view of a widget needs a kernel, or saved widget state and the network. So a second output beside the view holds the
transcript: the page hides it while the view is shown, and the kernel updates it whenever a recording has been decided.
Updating the output of the view itself would rebuild the view, and end the recording in it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from threading import RLock
from typing import Any
from uuid import uuid4

from ..record.picture import timeline_image
from ..record.record import SessionRecord
from ..record.saved_viewer import saved_viewer
from ..record.transcript import transcript_html, transcript_text
from .wire.comm import ShellSafeWidget

logger = logging.getLogger(__name__)

Bundle = dict[str, Any]
INSTEAD = "What a saved notebook keeps of the widget; to use the widget, run this cell with a kernel."
"""Sentence for readers of a page without a kernel, such as nbconvert's HTML."""


class SavedTranscript:
    """The output beside a widget's view that holds the transcript.

    Attributes
    ----------
    name
        CSS class of its element, which the page hides while the view is shown.
    """

    def __init__(self) -> None:
        self.name = f"aiw-transcript-{uuid4().hex}"
        self._shown: Bundle | None = None

    def display(self, bundle: Bundle) -> None:
        """Display the transcript as the next output of the running cell."""
        self._publish(bundle, update=False)

    def update(self, bundle: Bundle) -> None:
        """Update the transcript where it was displayed. Safe on any thread."""
        if self._shown is not None and bundle != self._shown:
            self._publish(bundle, update=True)

    def _publish(self, bundle: Bundle, update: bool) -> None:
        self._shown = bundle
        try:
            publish(bundle, display_id=self.name, update=update)
        except Exception:
            # A kernel that shuts down closes its sockets first; the last displayed transcript stays.
            logger.exception("The transcript in the notebook could not be updated.")


def publish(bundle: Bundle, metadata: Bundle | None = None, **options: Any) -> None:
    """Display an output of the running cell, or with `display_id` and `update` replace one."""
    display: Any = import_module("IPython.display").display
    display(bundle, metadata=metadata, raw=True, **options)


def in_notebook() -> bool:
    """Return whether outputs go to a notebook front end, which saves them, and not to a terminal."""
    if "IPython" not in sys.modules:
        return False
    return getattr(sys.modules["IPython"].get_ipython(), "kernel", None) is not None


class WidgetView:
    """The `Shown` of a widget: its traits, its comm, and the transcript beside its view.

    Parameters
    ----------
    widget
        The widget. It is not used before its constructor has run.
    title
        The widget's class and the name of its model.
    viewer
        Whether the notebook also saves the viewer of a short record.

    Attributes
    ----------
    send_lock
        Held while a message is sent.
    transcript
        The output that holds the transcript.
    """

    def __init__(self, widget: ShellSafeWidget, title: str, viewer: bool = True) -> None:
        self._widget, self._title, self._viewer = widget, title, viewer
        self.send_lock = RLock()
        self.transcript = SavedTranscript()

    def send(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        """Send a message to all pages."""
        self._widget.send(content, buffers)

    def show(self, trait: str, value: object) -> bool:
        """Set a synced trait. Return whether its value changed."""
        if getattr(self._widget, trait) == value:
            return False
        self._widget.set_trait(trait, value)
        return True

    def show_again(self, *traits: str) -> None:
        """Send the present values of synced traits, where a page shows others."""
        self._widget.send_state(list(traits))

    def save(self, headline: str, record: SessionRecord) -> None:
        """Update the transcript that the notebook saves."""
        self.transcript.update(self.saved(headline, record))

    def saved(self, headline: str, record: SessionRecord) -> Bundle:
        """Return text and HTML that need neither kernel nor extension."""
        return {
            "text/plain": f"{headline}\n{transcript_text(record)}",
            "text/html": f'<div class="{self.transcript.name}">{timeline_image(record)}<div>{INSTEAD}</div>'
            f"{transcript_html(record, headline)}{saved_viewer(record) if self._viewer else ''}</div>",
        }

    def display(self, bundle: Bundle, metadata: Bundle, headline: str, record: SessionRecord) -> None:
        """Display the view, and below it the transcript that the notebook saves."""
        if self._widget.comm is None or not in_notebook():
            publish(bundle, metadata)
            return
        del bundle["text/html"]
        # This output is never updated, so its text must stay true.
        stands_in = f"{self._title}: run this cell to use it; its transcript follows."
        publish({**bundle, "text/plain": stands_in}, metadata)
        self.transcript.display(self.saved(headline, record))
