"""The saved form of a widget in a notebook: short text, and a picture with the transcript as self-contained HTML.

The view of a widget needs a kernel, or saved widget state and the network. So a second output beside the view holds the
transcript: the page hides it while the view is shown, and the kernel updates it whenever a recording has been decided.
Updating the output of the view itself would rebuild the view, and end the recording in it.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any
from uuid import uuid4

import traitlets

from ..record.picture import timeline_svg
from ..record.transcript import summary, transcript_html, transcript_text
from .loading import ModelSource
from .pipeline import Pipeline
from .setting_traits import SettingTraits
from .wire.outbox import Outbox

logger = logging.getLogger(__name__)

Bundle = dict[str, Any]


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


class ShownWidget(SettingTraits):
    """A widget with a text and an HTML representation, and with the outputs of its cell."""

    transcript = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, name: str, source: ModelSource, pipeline: Pipeline, outbox: Outbox, pull: bool) -> None:
        self._transcript = SavedTranscript()
        super().__init__(name, source, pipeline, outbox, pull)
        self.set_trait("transcript", self._transcript.name)

    def __repr__(self) -> str:
        # A widget whose arguments were refused has no session.
        if not hasattr(self, "_transcript"):
            return object.__repr__(self)
        return f"<{self._headline}; {summary(self._pipeline.record)}>"

    @property
    def _headline(self) -> str:
        """Name and state of the widget: the model's state until it is ready, then the session's."""
        state = self.state if self._source.status == "ready" else f"model {self._source.status}"
        return f"AudioInteraction {self._name}: {'closed' if self.comm is None else state}"

    def _saved(self) -> Bundle:
        """Return text and HTML that need neither kernel nor extension."""
        headline, record = self._headline, self._pipeline.record
        return {
            "text/plain": f"{headline}\n{transcript_text(record)}",
            "text/html": f'<div class="{self._transcript.name}">{timeline_svg(record)}'
            f"{transcript_html(record, headline)}</div>",
        }

    def _save_transcript(self) -> None:
        """Update the transcript that the notebook saves."""
        self._transcript.update(self._saved())

    def _repr_mimebundle_(self, **_: Any) -> tuple[Bundle, Bundle]:
        view, metadata = super()._repr_mimebundle_() if self.comm is not None else ({}, {})
        return {**view, **self._saved()}, metadata

    def _ipython_display_(self) -> None:
        """Display the view, and below it the transcript that the notebook saves."""
        bundle, metadata = self._repr_mimebundle_()
        if self.comm is None or not in_notebook():
            publish(bundle, metadata)
            return
        del bundle["text/html"]
        # This output is never updated, so its text must stay true.
        stands_in = f"AudioInteraction {self._name}: run this cell to use it; its transcript follows."
        publish({**bundle, "text/plain": stands_in}, metadata)
        self._transcript.display(self._saved())
