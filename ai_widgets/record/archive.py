"""Unpack the one-file form of a recording, or the readable part of a damaged one.

Members are found by fixed names, and no name of the archive is used as a path. The unpacked size is bounded by the size
of the archive, so that a small file cannot fill the disk. An archive without its directory, as after an incomplete
transfer, is read member by member from its start.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast
from zipfile import BadZipFile, ZipExtFile, ZipFile

from ..errors import ForeignRecordError, RecordError

MAX_RATIO = 200
"""Unpacked size of a member in multiples of its packed size: events as JSON reach 20, digital silence 150."""
SMALL_BYTES = 64 << 20
"""Unpacked size in bytes that any member may have: silence compresses far better than `MAX_RATIO`."""
MAX_BYTES = 64 << 30
"""Unpacked size of a member in bytes: ten days of audio."""
BLOCK = 1 << 16
"""Bytes unpacked at once."""
PACKED_BLOCK = 4096
"""Packed bytes read at once, as `zipfile` does: damage costs what the whole block unpacks to."""

_LOCAL = struct.Struct("<4s5H3I2H")
_MAGIC = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True)
class Part:
    """Member of an archive that was cut: where its data begin, how many bytes of them there are, and their format."""

    start: int
    size: int
    packed: bool


class Archive:
    """Members of a recording in one file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ForeignRecordError
        If the file is not a zip archive.
    RecordError
        If the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.cut = False
        self._parts: dict[str, Part] = {}
        self._zip: ZipFile | None = None
        try:
            with path.open("rb") as file:
                if file.read(4) != _MAGIC:
                    raise ForeignRecordError(
                        f"{path} is not a recording of ai_widgets. Audio files are played with session.play(path)."
                    )
                try:
                    self._zip = ZipFile(path)
                except (BadZipFile, ValueError, NotImplementedError):
                    self.cut = True
                    self._parts = _scan(file)
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {error.strerror or error}.") from error

    @property
    def names(self) -> list[str]:
        """Names of the members in the archive, which must not be used as paths."""
        return [*self._parts, *(self._zip.namelist() if self._zip is not None else ())]

    def __contains__(self, name: str) -> bool:
        return name in self._parts or (self._zip is not None and name in self._zip.namelist())

    def unpack(self, name: str, target: IO[bytes]) -> str | None:
        """Write the content of a member to a file; return None, or a sentence on why it is not complete.

        Raises
        ------
        RecordError
            If the member is larger than `MAX_RATIO` allows.
        """
        written = 0
        limit = min(MAX_BYTES, max(SMALL_BYTES, self._packed(name) * MAX_RATIO))
        try:
            for block in self._blocks(name):
                written += len(block)
                if written > limit:
                    raise RecordError(
                        f"{self._path} is refused: its {name} unpacks to more than {limit:,} bytes, which no recording "
                        "of this size does."
                    )
                target.write(block)
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            return f"its {name} is damaged after {written:,} bytes ({error or 'cut off'})"
        return None

    def close(self) -> None:
        """Close the file."""
        if self._zip is not None:
            self._zip.close()

    def _packed(self, name: str) -> int:
        """Return the packed size of a member, in bytes."""
        if self._zip is not None:
            return self._zip.getinfo(name).compress_size
        return self._parts[name].size

    def _blocks(self, name: str) -> Iterator[bytes]:
        if self._zip is not None:
            with self._zip.open(name) as member:
                # `read1` returns before the damaged block what came before it; the stubs of `open` do not know it.
                reader = cast("ZipExtFile", member)
                while block := reader.read1(BLOCK):
                    yield block
            return
        part = self._parts[name]
        with self._path.open("rb") as file:
            file.seek(part.start)
            yield from _inflated(file, part) if part.packed else _plain(file, part.size)


def _plain(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size and (block := file.read(min(size, BLOCK))):
        size -= len(block)
        yield block


def _inflated(file: BinaryIO, part: Part) -> Iterator[bytes]:
    inflate, more = zlib.decompressobj(-zlib.MAX_WBITS), part.size
    while not inflate.eof:
        data = inflate.unconsumed_tail or file.read(min(more, PACKED_BLOCK))
        if not inflate.unconsumed_tail:
            more -= len(data)
        if not data:
            raise EOFError
        yield inflate.decompress(data, BLOCK)


def _scan(file: BinaryIO) -> dict[str, Part]:
    """Find the members of an archive from their local headers, up to the first that is cut off or unknown."""
    parts: dict[str, Part] = {}
    end, at = file.seek(0, 2), 0
    while at + _LOCAL.size <= end:
        file.seek(at)
        magic, _, flags, method, _, _, _, packed, _, name_size, extra_size = _LOCAL.unpack(file.read(_LOCAL.size))
        if magic != _MAGIC or method not in (_STORED, _DEFLATED):
            break
        name = file.read(name_size).decode("utf-8", "replace")
        packed = _packed_size(file.read(extra_size), packed)
        start = at + _LOCAL.size + name_size + extra_size
        if flags & 8 and not packed:
            # The size follows the data: only the rest of the file bounds it.
            packed = end - start
        parts.setdefault(name, Part(start, max(0, min(packed, end - start)), method == _DEFLATED))
        at = start + packed
    return parts


def _packed_size(extra: bytes, packed: int) -> int:
    """Return the packed size of a member: of the header, or of its zip64 field if it does not fit there."""
    if packed != 0xFFFFFFFF:
        return packed
    at = 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack_from("<2H", extra, at)
        if tag == 1 and at + 20 <= len(extra) and size >= 16:
            found: int = struct.unpack_from("<Q", extra, at + 12)[0]
            return found
        at += 4 + size
    return packed
