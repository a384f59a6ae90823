"""`RecordExports`: a record as files for other programs, and as figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..protocol import Event
from .views import RecordViews

if TYPE_CHECKING:
    from plotly import graph_objects as go


class RecordExports(RecordViews):
    """Exports of a record. Each writes a file, replaces one of the same name, and returns its path."""

    def to_wav(self, path: str | Path, *, bits: int = 32) -> Path:
        """Write the audio that is kept as a WAV file, 16 kHz mono.

        Parameters
        ----------
        path
            File to write.
        bits
            32: float, exactly what the model heard. 16: for programs that read whole numbers only; louder samples than
            full scale are clipped.

        Raises
        ------
        SettingError
            If `bits` is neither 16 nor 32.
        RecordError
            If no audio is kept, or the file cannot be written.

        Warns
        -----
        RecordWarning
            If older audio was discarded, so that the file begins later than the session.

        Examples
        --------
        >>> record.to_wav("talk.wav")
        """
        from .wav import write_wav

        return write_wav(self, Path(path).expanduser(), bits)

    def to_jsonl(self, path: str | Path) -> Path:
        """Write all events as JSON, one line each, as `events.jsonl` of a recording (docs/record-format.md).

        Raises
        ------
        RecordError
            If the file cannot be written.

        Examples
        --------
        >>> record.to_jsonl("talk.jsonl")
        """
        from .files import writing

        target = Path(path).expanduser()
        with writing(target) as made, made.open("wb") as file:
            self.copy_events(file.write)
        return target

    def to_csv(self, path: str | Path, kind: type[Event] | str, *, details: bool = False) -> Path:
        """Write one table as comma-separated values, UTF-8 with a line of column names.

        Parameters
        ----------
        path
            File to write.
        kind, details
            As in `table`. Lists and mappings of `details` are written as JSON.

        Raises
        ------
        SettingError
            If there is no such kind.
        RecordError
            If the file cannot be written.

        Examples
        --------
        >>> record.to_csv("decisions.csv", "decision")
        """
        from .table_files import write_csv

        return write_csv(self.table(kind, details=details), Path(path).expanduser())

    def to_parquet(self, path: str | Path, kind: type[Event] | str, *, details: bool = False) -> Path:
        """Write one table as a Parquet file (needs ``ai_widgets[parquet]``).

        Parameters
        ----------
        path
            File to write.
        kind, details
            As in `table`. Lists and mappings of `details` are written as JSON.

        Raises
        ------
        MissingPackageError
            If pyarrow is not installed.
        SettingError
            If there is no such kind.
        RecordError
            If the file cannot be written.

        Examples
        --------
        >>> record.to_parquet("decisions.parquet", "decision")
        """
        from .table_files import write_parquet

        return write_parquet(self.table(kind, details=details), Path(path).expanduser())

    def to_textgrid(self, path: str | Path) -> Path:
        """Write decisions, replies, tokens and notices as tiers of a Praat TextGrid, on the session's audio clock.

        Raises
        ------
        RecordError
            If the file cannot be written.

        Examples
        --------
        >>> record.to_textgrid("talk.TextGrid")
        """
        from .textgrid import textgrid

        return _write_text(Path(path).expanduser(), textgrid(self))

    def to_webvtt(self, path: str | Path) -> Path:
        """Write the replies as WebVTT captions, on the session's audio clock.

        Raises
        ------
        RecordError
            If the file cannot be written.

        Examples
        --------
        >>> record.to_webvtt("talk.vtt")
        """
        from .webvtt import webvtt

        return _write_text(Path(path).expanduser(), webvtt(self))

    def plot(self, kind: str = "timeline", *, labels: Sequence[bool] | None = None) -> go.Figure:
        """Draw a figure of the record.

        Parameters
        ----------
        kind
            `timeline`: level, p(TEXT_BEGIN), replies, context and notices over time. `tokens`: probability of every
            token. `latency`: milliseconds of every chunk by stage. `calibration`: how often a reply was due, by
            p(TEXT_BEGIN).
        labels
            For `calibration`: one value for each decision, whether a reply was due after it.

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        SettingError
            If there is no such figure, or the labels do not match the decisions.

        Examples
        --------
        >>> record.plot().show()
        >>> record.plot("calibration", labels=record.decisions.start_s > 4.0)
        """
        from .plots import figure

        return figure(self, kind, labels)


def _write_text(target: Path, text: str) -> Path:
    from .files import writing

    # Lone surrogates, which UTF-8 cannot hold, become question marks.
    with writing(target) as made:
        made.write_bytes(text.encode("utf-8", "replace"))
    return target
