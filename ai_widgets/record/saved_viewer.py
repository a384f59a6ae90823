"""The viewer of a record as a closed section of a notebook's output, small enough to be saved with the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol import CHUNK_SECONDS, Chunk
from .html import html_page

if TYPE_CHECKING:
    from .record import SessionRecord

MOST_CHUNKS = 750
"""Chunks of a record from which on no viewer is saved: five minutes, whose page is built in about a second."""
MOST_AUDIO_S = 100.0
"""Seconds of audio from which on the viewer has none: 32 kbit/s as base64 are 0.5 MB."""
MOST_BYTES = 1_000_000
"""Bytes of the section. The viewer itself takes 0.2 MB; Jupyter writes the whole notebook at each save."""
SUMMARY = "Timeline, inspector and replay of this recording (in a trusted notebook)"
"""Title of the section. An untrusted notebook removes the frame below it."""


def saved_viewer(record: SessionRecord) -> str:
    """Return a closed section with the page of a record in a frame; empty if it would be too large, or shows nothing.

    The frame has its own origin: its script cannot access the notebook.

    Examples
    --------
    >>> saved_viewer(SessionRecord())
    ''
    """
    if not 0 < record.count(Chunk) <= MOST_CHUNKS:
        return ""
    kept_s = record.chunks_heard * CHUNK_SECONDS - record.audio_start_s
    for audio in (True, False):
        if audio and kept_s > MOST_AUDIO_S:
            continue
        frame = html_page(record, audio=audio)._repr_html_()
        section = f"<details><summary>{SUMMARY}</summary>{frame}</details>"
        if len(section.encode("utf-8")) <= MOST_BYTES:
            return section
    return ""
