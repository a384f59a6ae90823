"""What a notebook keeps of a widget: short text, and a transcript as a small HTML table that needs nothing else.

A widget's own view needs a kernel, or saved widget state and the network. So beside the view a second output holds the
transcript: the page hides it while it shows the view, and the kernel brings it up to date whenever a recording has been
answered. Replacing the output of the view itself would build the view anew, and end the recording that it shows.
"""

from __future__ import annotations

import logging
import sys
from html import escape
from importlib import import_module
from typing import Any
from uuid import uuid4

import traitlets

from ..protocol import Decision, Turn
from ..record import SessionRecord
from .conversing import Conversing
from .loading import ModelSource
from .outbox import Outbox
from .worker import Worker

logger = logging.getLogger(__name__)

TEXT_REPLIES = 3
"""Newest replies in the text representation: it is one output of a cell."""
HTML_REPLIES = 200
"""Newest replies in the table, about 40 kB: every save of the notebook holds it."""
MOST_TEXT = 500
"""Characters of one reply that the table shows."""

Bundle = dict[str, Any]


def counts(record: SessionRecord) -> str:
    """What a record holds, in a few words."""
    decisions, turns = len(record.of_type(Decision)), len(record.of_type(Turn))
    replies = "1 reply" if turns == 1 else f"{turns} replies"
    return f"{record.seconds:.1f} s heard, {decisions} decisions, {replies}"


def text_of(headline: str, record: SessionRecord) -> str:
    """The headline and the newest replies, as lines of text."""
    turns = record.of_type(Turn)
    left = len(turns) - TEXT_REPLIES
    lines = [headline, *([f"  … {left} earlier"] if left > 0 else [])]
    return "\n".join([*lines, *(f"  {turn.start_s:7.1f} s  {_reply(turn)}" for turn in turns[-TEXT_REPLIES:])])


def html_of(headline: str, record: SessionRecord, name: str = "") -> str:
    """The headline and the newest replies as HTML that stands alone: no script, no address, the page's own colours.

    Parameters
    ----------
    headline
        What the widget is and does.
    record
        Whose replies are shown.
    name
        Class of the outer element, by which a page finds it.
    """
    turns = record.of_type(Turn)
    rows = "".join(map(_row, turns[-HTML_REPLIES:]))
    left = len(turns) - HTML_REPLIES
    earlier = f"<p>{left:,} earlier replies are in the record, not here.</p>" if left > 0 else ""
    head = _cells("th", 'scope="col"', "at [s]", "emotion", "reply")
    table = f"{earlier}<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if turns else ""
    return f'<div class="{escape(name)}"><p>{escape(headline)}</p>{table}</div>'


def _row(turn: Turn) -> str:
    return _cells("td", 'dir="auto"', f"{turn.start_s:.1f}", turn.emotion.value if turn.emotion else "", _reply(turn))


def _cells(tag: str, attribute: str, *texts: str) -> str:
    """One row: a number and two texts."""
    sides = ("right", "left", "left")
    cells = (
        f'<{tag} {attribute} style="text-align:{side}">{escape(text)}</{tag}>'
        for side, text in zip(sides, texts, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _reply(turn: Turn) -> str:
    text = turn.text if len(turn.text) <= MOST_TEXT else f"{turn.text[:MOST_TEXT]}…"
    return text if turn.ended == "TEXT_END" else f"{text} [{turn.ended}]"


class SavedTranscript:
    """The output beside a widget's view.

    Attributes
    ----------
    name
        Class of its element: the page hides what has it while the view is there.
    """

    def __init__(self) -> None:
        self.name = f"aiw-transcript-{uuid4().hex}"
        self._shown: Bundle | None = None

    def display(self, bundle: Bundle) -> None:
        """Show it below what the running cell has shown so far."""
        self._publish(bundle, update=False)

    def update(self, bundle: Bundle) -> None:
        """Bring it up to date where it was displayed. Safe on any thread."""
        if self._shown is not None and bundle != self._shown:
            self._publish(bundle, update=True)

    def _publish(self, bundle: Bundle, update: bool) -> None:
        self._shown = bundle
        try:
            publish(bundle, display_id=self.name, update=update)
        except Exception:
            # A kernel that ends closes its sockets first; what was shown before stays.
            logger.exception("The transcript in the notebook could not be brought up to date.")


def publish(bundle: Bundle, metadata: Bundle | None = None, **options: Any) -> None:
    """Make an output of the running cell, or with `display_id` and `update` replace one."""
    display: Any = import_module("IPython.display").display
    display(bundle, metadata=metadata, raw=True, **options)


def in_notebook() -> bool:
    """Whether outputs go to a front end that keeps them, and not to a terminal."""
    if "IPython" not in sys.modules:
        return False
    return getattr(sys.modules["IPython"].get_ipython(), "kernel", None) is not None


class ShownWidget(Conversing):
    """A widget as text and HTML, and as the outputs of a cell."""

    transcript = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, name: str, source: ModelSource, worker: Worker, outbox: Outbox, pull: bool) -> None:
        self._transcript = SavedTranscript()
        super().__init__(name, source, worker, outbox, pull)
        self.set_trait("transcript", self._transcript.name)

    def __repr__(self) -> str:
        # A widget whose arguments were refused has no session.
        return f"<{self._headline}>" if hasattr(self, "_transcript") else object.__repr__(self)

    @property
    def _headline(self) -> str:
        """What the widget is, does and holds; the model's state where that is not ready, else the session's."""
        state = self.state if self._source.status == "ready" else f"model {self._source.status}"
        if self.comm is None:
            state = "closed"
        return f"AudioInteraction {self._name}: {state}; {counts(self._worker.record)}"

    def _saved(self) -> Bundle:
        """Text and HTML that need neither kernel nor extension."""
        headline, record = self._headline, self._worker.record
        return {
            "text/plain": text_of(headline, record),
            "text/html": html_of(headline, record, self._transcript.name),
        }

    def _save_transcript(self) -> None:
        """Bring the transcript that the notebook keeps up to date."""
        self._transcript.update(self._saved())

    def _repr_mimebundle_(self, **_: Any) -> tuple[Bundle, Bundle]:
        view, metadata = super()._repr_mimebundle_() if self.comm is not None else ({}, {})
        return {**view, **self._saved()}, metadata

    def _ipython_display_(self) -> None:
        """Show the view, and beside it the transcript that the notebook keeps."""
        bundle, metadata = self._repr_mimebundle_()
        if self.comm is None or not in_notebook():
            publish(bundle, metadata)
            return
        del bundle["text/html"]
        # This output is not brought up to date, so it holds nothing that changes.
        stands_in = f"AudioInteraction {self._name}: run this cell to use it; its transcript follows."
        publish({**bundle, "text/plain": stands_in}, metadata)
        self._transcript.display(self._saved())
