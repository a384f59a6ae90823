"""The file of an evaluation's results, one line a stream, with which the same command goes on after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from ai_widgets.errors import SettingError
from ai_widgets.evaluation.playing import Line
from ai_widgets.evaluation.streams import Key, Stream

VERSION = 1
"""Version of the lines; raised when a field changes its meaning."""


class Results:
    """Lines of the streams that have been heard, in memory and, if a path is given, in a file.

    A file that exists is continued: its complete lines are kept, and a last one that a kill cut off is dropped.

    Parameters
    ----------
    path
        File; None to keep the lines in memory only.
    first
        What determines the results: checkpoint, settings, recordings and seed. It is the file's first line.

    Raises
    ------
    SettingError
        If the file was begun with other values, is no file of results, or cannot be read or written. It is unchanged.

    Examples
    --------
    >>> with Results(Path("results.jsonl"), {"checkpoint": "tiny"}) as results:
    ...     for line in play(players, results.missing(streams(materials, hours=1, seed=0))):
    ...         results.add(line)
    """

    def __init__(self, path: Path | None, first: Mapping[str, Any]) -> None:
        self.lines: dict[Key, Line] = {}
        self._out: TextIO | None = None
        if path is None:
            return
        # As JSON gives it back.
        begins = json.loads(_text({"type": "evaluation", "version": VERSION, **first}))
        try:
            kept = self._read(path, begins) if path.exists() else 0
            self._out = path.open("a", encoding="utf-8", newline="\n")
            self._out.truncate(kept)
            if not kept:
                self._write(begins)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            if isinstance(error, SettingError):
                raise
            said = (
                (error.strerror or error) if isinstance(error, OSError) else "it is no file of an evaluation's results"
            )
            raise SettingError(f"--results cannot continue {path}: {said}. Give the name of a new file.") from error

    @classmethod
    def of_hashes(cls, hashes: Mapping[Key, str]) -> Results:
        """Return results that know of each stream its hash alone, to find those that are missing."""
        found = cls(None, {})
        found.lines = {key: {"sha256": sha256} for key, sha256 in hashes.items()}
        return found

    def add(self, line: Line) -> None:
        """Keep the line of a stream, and write it at once, so that a kill loses the streams in progress alone.

        Raises
        ------
        SettingError
            If a player has other weights than in the lines before.
        """
        before = next(iter(self.lines.values()), line)
        if _weights(before) != _weights(line):
            raise SettingError(
                "The checkpoint has other weights than in the earlier run: begin a new file with --results."
            )
        self.lines[_key(line)] = line
        self._write(line)

    def missing(self, streams: Iterator[Stream]) -> Iterator[Stream]:
        """Yield the streams that have no line.

        Raises
        ------
        SettingError
            If a stream that has a line is composed of other audio now.
        """
        for stream in streams:
            if not self.has(stream.key, stream.sha256):
                yield stream

    def has(self, key: Key, sha256: str) -> bool:
        """Return whether a stream has a line, and check the hash of its audio; raises as `missing`."""
        line = self.lines.get(key)
        if line is None:
            return False
        if line["sha256"] != sha256:
            raise SettingError(
                f"The recordings have changed since the earlier run (stream {key[2]} of {key[1]}, {key[0]}): begin a "
                "new file with --results."
            )
        return True

    def close(self) -> None:
        """Close the file."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def __enter__(self) -> Results:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _read(self, path: Path, first: Line) -> int:
        """Read the complete lines and return their length in bytes; 0 if the first one is not complete."""
        kept = 0
        with path.open("rb") as lines:
            for number, text in enumerate(lines):
                if not text.endswith(b"\n"):
                    break
                line = json.loads(text)
                if not isinstance(line, dict):
                    raise ValueError("A line is no object.")
                if number:
                    self.lines[_key(line)] = line
                elif line != first:
                    names = {*line, *first}
                    differs = sorted(name for name in names if line.get(name) != first.get(name))
                    raise SettingError(
                        f"{path} was begun with other values of {', '.join(differs)}; give the same, or another file."
                    )
                kept += len(text)
        return kept

    def _write(self, line: Line) -> None:
        if self._out is not None:
            self._out.write(_text(line) + "\n")
            self._out.flush()


def _key(line: Line) -> Key:
    return line["part"], line["kind"], line["number"]


def _weights(line: Line) -> dict[str, str | None]:
    return {name: player["fingerprint"] for name, player in line["players"].items()}


def _text(line: Mapping[str, Any]) -> str:
    # ASCII, since the text of a reply may be no valid Unicode.
    return json.dumps(line, ensure_ascii=True, allow_nan=False)
