"""`heatmap`: an array as a picture in a notebook, without a plotting library and small enough to be saved with it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

COLOURS = np.array([[13, 17, 40], [70, 50, 140], [200, 70, 110], [250, 210, 120]], np.float64)
"""Colours from the lowest to the highest value, as red, green and blue from 0 to 255; the ones between are mixed."""


@dataclass(frozen=True)
class Picture:
    """A picture that a notebook shows.

    Attributes
    ----------
    png
        The file.
    alternative
        What is seen, in words.
    """

    png: bytes = field(repr=False)
    alternative: str

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"<Picture: {self.alternative}>"


def heatmap(values: npt.ArrayLike, zoom: int = 6) -> Picture:
    """Draw an array: a value is a square, the first row is the lowest, and the highest value is the lightest.

    Parameters
    ----------
    values
        Numbers [rows, columns], all finite.
    zoom
        Side of a square, in pixels.

    Examples
    --------
    >>> heatmap(np.eye(3))
    <Picture: 3 × 3 values from 0 to 1>
    """
    numbers = np.atleast_2d(np.asarray(values, np.float64))
    low, high = float(numbers.min()), float(numbers.max())
    places = (numbers[::-1] - low) / ((high - low) or 1.0) * (len(COLOURS) - 1)
    steps = np.arange(len(COLOURS))
    pixels = np.stack([np.interp(places, steps, colour) for colour in COLOURS.T], axis=-1).round().astype(np.uint8)
    pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    rows, columns = numbers.shape
    return Picture(png(pixels), f"{rows} × {columns} values from {low:.4g} to {high:.4g}")


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Write pixels [height, width, 3] as a PNG file (ISO/IEC 15948): header, compressed rows, end."""
    height, width, _ = pixels.shape

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    # Eight bits a colour, red-green-blue; each row begins with the number of its filter, 0 for none.
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + part(b"IEND", b"")
    )
