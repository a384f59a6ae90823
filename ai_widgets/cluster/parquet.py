"""The folder of a corpus: events as Parquet with one schema, written whole parts at a time, resumed after a kill.

Files of the folder: `part-00001.parquet` and so on, `_run.json` (what was asked for) and `_report.json` (the summary).
Names with `_` are skipped by the readers of such folders: ``pandas.read_parquet(FOLDER)`` reads the parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import RecordError, SettingError

RUN, REPORT = "_run.json", "_report.json"
COLUMNS = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        *(pa.field(name, pa.int64()) for name in ("chunk", "turn", "token", "index", "position")),
        *(pa.field(name, pa.float64()) for name in ("p", "p_text")),
        *(pa.field(name, pa.string()) for name in ("choice", "text", "ended", "kind", "message", "error")),
        pa.field("event", pa.string(), nullable=False),
    ]
)
"""Columns of a row: file; type, which is `decision`, `token`, `turn`, `notice`, or `file` for a file's last row,
with the whole text and the error that ended it; the fields of events that tables need, null where an event has none of
that name; and in `event` the whole line as JSON, as `run --separate --json` writes it."""
PART_FILES, PART_SECONDS = 500, 20.0
"""Audio files, and seconds, after which a part is written: a kill loses less than this."""


def table_of(lines: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Convert lines of `run --separate` to rows."""
    rows = []
    for line in lines:
        row = {field.name: _cell(line.get(field.name), field.type) for field in COLUMNS}
        # ASCII, since text may be no valid Unicode.
        rows.append({**row, "event": json.dumps(line, ensure_ascii=True, allow_nan=False)})
    return pa.Table.from_pylist(rows, schema=COLUMNS)


def packed(rows: pa.Table) -> bytes:
    """Return rows as an Arrow stream."""
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, rows.schema) as stream:
        stream.write_table(rows)
    found: bytes = out.getvalue().to_pybytes()
    return found


def unpacked(stream: bytes) -> pa.Table:
    """Return the rows of an Arrow stream."""
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


class Parts:
    """Parts of a folder.

    Parameters
    ----------
    folder
        New or empty folder, or that of an earlier run with ``resume``.
    asked
        What determines the events.
    resume
        Keep the files that are complete in the folder.

    Attributes
    ----------
    done
        Last line of each file that was heard before. A file that failed is removed, and heard again.

    Raises
    ------
    SettingError
        If the folder has files and `resume` is not given, or it was begun with other settings.
    RecordError
        If it cannot be read or written.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], *, resume: bool) -> None:
        self._folder = folder
        self._tables: list[pa.Table] = []
        self._since = monotonic()
        self.done: dict[str, dict[str, Any]] = {}
        # As JSON gives it back.
        wanted = json.loads(json.dumps(asked))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                self._check(wanted, resume)
                for part in self._written():
                    self._keep(part)
            _write_text(folder / RUN, wanted)
        except (OSError, ValueError, pa.ArrowException) as error:
            if isinstance(error, SettingError):
                raise
            raise RecordError(f"--parquet cannot continue {folder}: {error}") from error

    def add(self, rows: pa.Table) -> None:
        """Add the rows of one file; they are written with those of others."""
        self._tables.append(rows)
        if len(self._tables) >= PART_FILES or monotonic() - self._since >= PART_SECONDS:
            self.write()

    def write(self) -> None:
        """Write the rows that are not written yet, as a part, whole or not at all.

        Raises
        ------
        RecordError
            If it cannot be written.
        """
        self._since = monotonic()
        if not self._tables:
            return
        numbers = [int(part.stem.split("-")[1]) for part in self._written()]
        self._replace(self._folder / f"part-{max(numbers, default=0) + 1:05}.parquet", pa.concat_tables(self._tables))
        self._tables = []

    def report(self, summary: Mapping[str, Any]) -> None:
        """Write the report of the run."""
        _write_text(self._folder / REPORT, summary)

    def _written(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))

    def _check(self, wanted: Mapping[str, Any], resume: bool) -> None:
        """Check that the folder holds an earlier run with the same settings."""
        if not resume:
            raise SettingError(f"{self._folder} is not empty: give --resume to continue it, or another folder.")
        if not (self._folder / RUN).is_file():
            raise SettingError(f"{self._folder} holds no earlier run ({RUN} is missing): give a new folder.")
        begun = json.loads((self._folder / RUN).read_text(encoding="utf-8"))
        if begun != wanted:
            differs = sorted(name for name in {*begun, *wanted} if begun.get(name) != wanted.get(name))
            raise SettingError(
                f"{self._folder} was begun with other values of {', '.join(differs)}; --resume needs the same."
            )

    def _keep(self, part: Path) -> None:
        """Note the files of a part, and remove those that failed from it."""
        last = pq.read_table(part, columns=["event"], filters=pc.field("type") == "file").column("event").to_pylist()
        lines: Sequence[dict[str, Any]] = [json.loads(each) for each in last]
        failed = [line["file"] for line in lines if line["error"] is not None]
        self.done |= {line["file"]: line for line in lines if line["error"] is None}
        if failed:
            rows = pq.read_table(part)
            left = rows.filter(pc.invert(pc.is_in(rows["file"], pa.array(failed))))
            if len(left):
                self._replace(part, left)
            else:
                part.unlink()

    @staticmethod
    def _replace(part: Path, rows: pa.Table) -> None:
        made = part.with_name(f"_{part.name}.new")
        try:
            pq.write_table(rows, made)
            made.replace(part)
        except OSError as error:
            raise RecordError(f"{part} cannot be written: {error.strerror or error}.") from error


def _cell(value: Any, kind: pa.DataType) -> Any:
    """Return a value of a line as a cell, or None where the field has another type in this event."""
    if kind == pa.string():
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if kind == pa.float64() or isinstance(value, int) else None


def _write_text(path: Path, values: Mapping[str, Any]) -> None:
    made = path.with_name(f"{path.name}.new")
    made.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    made.replace(path)
