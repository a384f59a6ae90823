"""`PageView`: the method of a record that exports it as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .html import Analysis
    from .html_document import HtmlPage
    from .record import SessionRecord


class PageView:
    """Base class of `SessionRecord` with `to_html`."""

    def to_html(
        self,
        path: str | Path | None = None,
        *,
        title: str | None = None,
        audio: bool = True,
        progress: bool = True,
        analyses: Iterable[Analysis] = (),
    ) -> HtmlPage:
        """Build one HTML page with timeline, inspector, transcript and audio. It needs no network and no kernel.

        Parameters
        ----------
        path
            File to write as well.
        title
            Title, as plain text; None for one with the model's name.
        audio
            Whether the page contains the audio that the record keeps, as MP3: 14 MB per hour.
        progress
            Whether a bar is shown where encoding takes longer than two seconds (about ten minutes of audio).
        analyses
            Results that the page shows below the timeline: `analysis.onset(…)`, `analysis.seeds(…)`.

        Returns
        -------
        HtmlPage
            The page: `str` gives the document, and a notebook shows it. Without audio at most 1 MB for an hour.

        Raises
        ------
        RecordError
            If the file cannot be written, or the package was built without the viewer.

        Examples
        --------
        >>> record.to_html("talk.html")
        """
        from .html import html_page

        page = html_page(cast("SessionRecord", self), title=title, audio=audio, progress=progress, analyses=analyses)
        if path is not None:
            page.save(path)
        return page
