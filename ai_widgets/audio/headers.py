"""Comparison of an audio file's header with the file's size, to detect truncated and unfinished files.

Decoders do not report them: libsndfile reads a truncated WAV to its end without an error, and treats a WAV whose size
was never written (the recorder crashed) as empty. Only a few bytes of the file are read, which matters for a file that
is fetched from the browser in ranges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

UNKNOWN_SIZES = (0, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000, 0xFFFF_FFFF_FFFF_FFFF)
"""Data sizes, in bytes, that recorders write before the real size is known."""
WRAP = 1 << 32
"""Modulus of a WAV's size field, in bytes: 5 GiB of sound may be declared as 1 GiB."""
LONGEST_WALK = 1_000
"""Maximum number of chunks or boxes of a file that are examined: a real file has a few, a malicious one may have
millions."""
OGG_TAIL = 65_536 + 512
"""Number of bytes at the end of an Ogg file that contain its last page, which has at most 65,307 bytes."""


@dataclass(frozen=True)
class Header:
    """Facts of an audio file before decoding.

    Attributes
    ----------
    form
        `WAV`, `AIFF`, `AU`, `CAF`, `W64`, `MP3`, `AAC`, `Ogg`, `MP4`, or empty for another format.
    declared, present
        Size of the sound according to the header, and according to the file's size, in bytes; None if the format does
        not give it.
    unfinished
        Whether the header's size was never written, so that the sound extends to the end of the file.
    length_known
        Whether a decoder's length comes from the header, rather than from an estimate by the bit rate.
    """

    form: str = ""
    declared: int | None = None
    present: int | None = None
    unfinished: bool = False
    length_known: bool = True

    @property
    def missing(self) -> float:
        """Ratio of the missing sound to the present sound: 1.0 if half of the declared sound is missing."""
        if self.unfinished or not self.declared or not self.present:
            return 0.0
        return max(0, self.declared - self.present) / self.present


def inspect(source: BinaryIO) -> Header:
    """Read the header of a file. No content of the file raises an error; the position of `source` changes."""
    size = source.seek(0, 2)
    source.seek(0)
    start = source.read(16)
    if start[:4] in (b"RIFF", b"RF64", b"RIFX", b"BW64") and start[8:12] == b"WAVE":
        return _wave(source, size, "big" if start[:4] == b"RIFX" else "little")
    if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
        return _sized("AIFF", size, _chunks(source, 12, size, "big"), b"SSND", extra=8)
    if start[:4] == b".snd" and len(start) >= 12:
        offset, declared = int.from_bytes(start[4:8], "big"), int.from_bytes(start[8:12], "big")
        return Header("AU") if declared == 0xFFFF_FFFF else _header("AU", declared, size - offset)
    if start[:4] == b"caff":
        return _sized("CAF", size, _caf_chunks(source), b"data", extra=4)
    if start[:4] == b"riff":
        return _sized("W64", size, _w64_chunks(source), b"data")
    if start[:4] == b"OggS":
        return Header("Ogg")
    if start[4:8] == b"ftyp":
        return Header("MP4")
    return _mpeg(source, start)


def ogg_ended(source: BinaryIO) -> bool:
    """Return whether an Ogg file ends with a complete page that is marked as the last; false for a truncated file."""
    size = source.seek(0, 2)
    source.seek(max(0, size - OGG_TAIL))
    tail = source.read(OGG_TAIL)
    at = tail.rfind(b"OggS\x00")
    if at < 0 or at + 27 > len(tail):
        return False
    segments = tail[at + 26]
    sizes = tail[at + 27 : at + 27 + segments]
    whole = len(sizes) == segments and at + 27 + segments + sum(sizes) <= len(tail)
    return whole and bool(tail[at + 5] & 4)


def mp4_index_missing(source: BinaryIO) -> bool:
    """Return whether an MP4 file (M4A, MOV) lacks its index, which recorders write last and decoders require."""
    size = source.seek(0, 2)
    at = 0
    for _ in range(LONGEST_WALK):
        source.seek(at)
        head = source.read(16)
        if len(head) < 8:
            return True
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if name == b"moov":
            return at + length > size
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            return True
        at += length
    return True


def _header(form: str, declared: int, present: int) -> Header:
    unfinished = declared in UNKNOWN_SIZES and present > 0 and declared != present
    return Header(form, declared, max(0, present), unfinished)


def _sized(form: str, size: int, chunks: Iterator[tuple[bytes, int, int]], wanted: bytes, extra: int = 0) -> Header:
    """Build the header of a format whose sound is in the chunk `wanted`, after `extra` bytes of other data."""
    for name, at, length in chunks:
        if name == wanted:
            if form == "CAF" and length == 0xFFFF_FFFF_FFFF_FFFF:
                return Header(form)
            declared = length if length in UNKNOWN_SIZES else max(0, length - extra)
            return _header(form, declared, size - at - extra)
    return Header(form)


def _wave(source: BinaryIO, size: int, order: str) -> Header:
    wide = 0
    for name, at, length in _chunks(source, 12, size, order):
        if name == b"ds64":
            source.seek(at + 8)
            wide = int.from_bytes(source.read(8), "little")
        elif name == b"data":
            present = size - at
            declared = wide if length == 0xFFFF_FFFF and wide else length
            if declared == 0 and _only_chunks(source, at, size, order):
                # An empty recording with metadata: the following chunks are not sound.
                return Header("WAV", 0, 0)
            wrapped = declared < present and present >= WRAP and declared == length
            if wrapped and (present - declared) % WRAP < 1 << 16:
                return Header("WAV", declared, present, unfinished=True)
            return _header("WAV", declared, present)
    return Header("WAV")


def _only_chunks(source: BinaryIO, at: int, size: int, order: str) -> bool:
    """Return whether the bytes from `at` to the end of the file are a sequence of named chunks."""
    end = at
    for name, start, length in _chunks(source, at, size, order):
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return False
        end = start + length
    return size - 1 <= end <= size + 1


def _chunks(source: BinaryIO, at: int, size: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset of the content and length of each chunk of a RIFF or FORM file."""
    for _ in range(LONGEST_WALK):
        if at + 8 > size:
            return
        source.seek(at)
        head = source.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[4:], "big" if order == "big" else "little")
        yield head[:4], at + 8, length
        at += 8 + length + length % 2


def _caf_chunks(source: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    at = 8
    for _ in range(LONGEST_WALK):
        source.seek(at)
        head = source.read(12)
        if len(head) < 12:
            return
        length = int.from_bytes(head[4:], "big")
        yield head[:4], at + 12, length
        at += 12 + length


def _w64_chunks(source: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks of a Wave64 file: 16-byte names, lengths that include the 24-byte chunk header, padded to 8."""
    at = 40
    for _ in range(LONGEST_WALK):
        source.seek(at)
        head = source.read(24)
        if len(head) < 24:
            return
        length = int.from_bytes(head[16:], "little")
        yield head[:4], at + 24, max(0, length - 24)
        if length < 24:
            return
        at += length + -length % 8


def _mpeg(source: BinaryIO, start: bytes) -> Header:
    """Recognise MP3 (also after an ID3 tag) and raw AAC; their length is estimated if no encoder wrote it."""
    at = 0
    if start[:3] == b"ID3":
        at = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
    source.seek(at)
    frame = source.read(512)
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return Header("MP3", length_known=False) if at else Header()
    if not frame[1] & 0x06:
        return Header("AAC", length_known=False)
    return Header("MP3", length_known=any(tag in frame for tag in (b"Xing", b"Info", b"VBRI")))
