"""Audio intake: check arrays, resample any rate, and split blocks of any length into chunks of 6400 samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AudioError
from ..protocol import CHUNK_SAMPLES, SAMPLE_RATE
from .downmix import Downmix
from .origin import Origin

Array = npt.NDArray[np.float32]

MIN_RATE, MAX_RATE = 4_000, 384_000
"""Range of accepted sample rates, in Hz, for audio from Python, files and the browser."""
MAX_CHANNELS = 32
"""Maximum number of channels of an array or a file; an array with more rows and more columns is not audio."""
FULL_SCALE_LIMIT = 8.0
"""Maximum magnitude of float samples. Audio lies between −1 and 1, decoders and mixes overshoot to 2 or 3, and all but
silent audio at 16-bit scale exceeds the limit."""
CLIP_LEVEL = 0.999
"""Magnitude from which a sample counts as clipped; full scale is 1."""
CLIP_RUN = 4
"""Number of clipped samples in a chunk from which the flag `clipped` is set: fewer are inaudible."""
ENVELOPE_POINTS = 16
"""Number of peaks in a chunk's envelope: one per 25 ms."""


@dataclass(frozen=True)
class ChunkAudio:
    """Samples of one chunk, float32 [6400] at 16 kHz, with the flags of `protocol.Chunk` and their origin."""

    samples: Array
    flags: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)


def mono(samples: object, rate: int = SAMPLE_RATE) -> Array:
    """Convert an array of audio to mono float32 [n]; see `mono_with_flags`.

    Examples
    --------
    >>> mono([[0.5, -0.5], [0.25, 0.75], [0.0, 0.5]])
    array([0.  , 0.5 , 0.25], dtype=float32)
    """
    return mono_with_flags(samples, rate)[0]


def mono_with_flags(samples: object, rate: int = SAMPLE_RATE) -> tuple[Array, tuple[str, ...]]:
    """Convert an array of audio to mono float32 [n], with flags of the conversion.

    Parameters
    ----------
    samples
        Array, list, tensor, or any object that numpy converts to an array. Floats in [-1, 1], or integers of 8, 16 or
        32 bits (scaled by the range of the type). Shape [n], [n, channels] or [channels, n]; the shorter axis, of at
        most 32, is the channels. Channels are averaged; if they cancel, the loudest one is used. Masked samples become
        NaN.
    rate
        Sample rate, in Hz.

    Returns
    -------
    float32 [n], flags
        Mono samples; NaN and infinity are kept. The flags are `channels_cancel` or none.

    Raises
    ------
    AudioError
        If `samples` is not such an array: a path, bytes, a pair (samples, rate), complex numbers, three dimensions,
        floats or 32-bit integers at 16-bit scale, or 64-bit integers, whose scale is unknown.
    """
    array, masked = _as_array(samples)
    if array.size == 0:
        return np.zeros(0, np.float32), ()
    if array.ndim not in (1, 2):
        raise AudioError(f"Audio must have one or two dimensions, not {array.ndim}.")
    channels = int(np.argmin(array.shape))
    if array.ndim == 2 and array.shape[channels] > MAX_CHANNELS:
        raise AudioError(
            f"Audio of shape {array.shape} has more than {MAX_CHANNELS} rows and columns, so neither can be channels."
        )
    floats = _as_floats(array)
    if masked is not None:
        floats = np.where(masked, np.float32(np.nan), floats)
    if array.ndim == 1:
        return floats, ()
    downmix = Downmix(rate)
    row = downmix.mix(floats if channels == 1 else floats.T)
    return np.ascontiguousarray(row), ("channels_cancel",) if downmix.cancelled is not None else ()


def _as_array(samples: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """Convert `samples` to an array, and return the mask of a masked array."""
    if isinstance(samples, (str, PathLike)):
        raise AudioError(
            f"Audio must be an array of samples, not the file name {str(samples)!r}: play({str(samples)!r}) plays the "
            f"file to the model, ai_widgets.load_audio({str(samples)!r}) reads it into an array."
        )
    if isinstance(samples, (bytes, bytearray)):
        raise AudioError(
            "Audio must be an array of samples, not bytes: numpy.frombuffer(data, numpy.int16) reads raw 16-bit "
            "samples, ai_widgets.load_audio(io.BytesIO(data)) reads the content of an audio file."
        )
    if isinstance(samples, dict):
        keys = ", ".join(map(repr, samples))
        raise AudioError(f"Audio must be an array of samples, not a dictionary; pass one of its values (keys: {keys}).")
    if isinstance(samples, (tuple, list)) and len(samples) == 2 and hasattr(samples[0], "__len__"):
        pair = isinstance(samples[1], (int, float, np.integer, np.floating))
        if pair and not isinstance(samples[1], bool):
            raise AudioError(
                "Audio must be an array of samples, not a pair (samples, rate); pass them as two arguments: "
                "push(samples, rate)."
            )
    if type(samples).__module__.partition(".")[0] == "torch" and hasattr(samples, "detach"):
        samples = samples.detach().cpu()
        samples = (samples.float() if samples.is_floating_point() else samples).numpy()
    try:
        array: npt.NDArray[Any] = np.asarray(samples)
    except (ValueError, TypeError, RuntimeError) as error:
        raise AudioError("Audio must be a rectangular array of samples.") from error
    masked = np.ma.getmaskarray(samples) if isinstance(samples, np.ma.MaskedArray) else None
    return array, masked


def _as_floats(array: npt.NDArray[Any]) -> Array:
    """Convert samples to float32, scaled by the range of their type; raise if the values show another scale."""
    if np.issubdtype(array.dtype, np.floating):
        loudest = _loudest(array)
        if loudest > FULL_SCALE_LIMIT:
            raise AudioError(
                f"Float audio must lie between −1 and 1; the largest sample is {loudest:.6g}. Divide samples at 16-bit "
                "scale by 32768, or pass them as an array of numpy.int16."
            )
        # Values beyond float32 exceed the limit; infinity is kept here, and replaced and flagged later.
        return array.astype(np.float32, copy=False)
    if array.dtype == np.uint8:
        return ((array.astype(np.float32) - 128) / 128).astype(np.float32)
    if not np.issubdtype(array.dtype, np.signedinteger):
        raise AudioError(f"Audio must be an array of floats or signed integers, not of {array.dtype}.")
    if array.dtype.itemsize > 4 and array.any():
        raise AudioError(
            f"Audio of type {array.dtype} (as numpy makes of a list of whole numbers) has no known scale: pass 16-bit "
            "samples as numpy.asarray(samples, numpy.int16), others as floats between −1 and 1."
        )
    if array.dtype.itemsize == 4 and 0 < max(int(array.max()), -int(array.min())) <= 1 << 15 and (array & 0xFF).any():
        raise AudioError(
            f"Audio of type {array.dtype} with no sample beyond ±32768 is 16-bit audio in the wrong type and would be "
            "inaudible: pass samples.astype(numpy.int16), or samples / 2**31 if the audio really is that quiet."
        )
    scaled: Array = (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    return scaled


def _loudest(array: npt.NDArray[Any]) -> float:
    """Return the largest finite magnitude."""
    low, high = float(np.fmin.reduce(array, axis=None)), float(np.fmax.reduce(array, axis=None))
    if np.isinf(low) or np.isinf(high):
        return float(np.abs(array[np.isfinite(array)]).max(initial=0))
    return 0.0 if np.isnan(high) else max(high, -low)


def check_rate(rate: object) -> int:
    """Return `rate` as a whole number of samples per second; raise `AudioError` if it is none or out of range."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.integer, np.floating)):
        raise AudioError(f"The sample rate must be a whole number of samples per second, not {rate!r}.")
    if not np.isfinite(rate) or rate != int(rate):
        raise AudioError(f"The sample rate must be a whole number of samples per second, not {rate!r}.")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(f"The sample rate must lie between {MIN_RATE} and {MAX_RATE} Hz, not {rate!r}.")
    return int(rate)


def repair(samples: Array) -> tuple[Array, bool]:
    """Replace NaN and infinity by 0, and return whether any sample was replaced."""
    finite = np.isfinite(samples)
    if finite.all():
        return samples, False
    repaired: Array = np.where(finite, samples, np.float32(0)).astype(np.float32)
    return repaired, True


class Chunker:
    """Splitter of blocks of any length into chunks; the remainder is kept for the next block.

    No sample is lost or added; only `flush` pads. The flags of a block apply to every chunk that contains a sample of
    the block; its origin applies to every chunk that it completes.
    """

    def __init__(self) -> None:
        self._parts: list[Array] = []
        self._length = 0
        self._flags: set[str] = set()

    def push(self, samples: Array, flags: Iterable[str] = (), origin: Origin | None = None) -> list[ChunkAudio]:
        """Add samples [n] at 16 kHz and return the completed chunks; `origin` None is audio that arrives now."""
        if not len(samples):
            return []
        origin = origin or Origin()
        self._parts.append(samples)
        self._length += len(samples)
        self._flags.update(flags)
        if self._length < CHUNK_SAMPLES:
            return []
        joined = np.concatenate(self._parts)
        whole = self._length - self._length % CHUNK_SAMPLES
        first, *others = joined[:whole].reshape(-1, CHUNK_SAMPLES)
        chunks = [_chunk(first, self._flags, origin), *(_chunk(piece, set(flags), origin) for piece in others)]
        # A copy, so that the rest does not keep the whole block alive.
        self._parts = [joined[whole:].copy()] if whole < self._length else []
        self._length -= whole
        self._flags = set(flags) if self._length else set()
        return chunks

    def flush(self) -> list[ChunkAudio]:
        """Return the pending samples as one chunk, padded with zeros; no chunk if no sample is pending."""
        if not self._length:
            return []
        padded = np.zeros(CHUNK_SAMPLES, np.float32)
        padded[: self._length] = np.concatenate(self._parts)
        chunk = _chunk(padded, self._flags | {"padded"}, Origin())  # no block completes it
        self._parts, self._length, self._flags = [], 0, set()
        return [chunk]

    @property
    def waiting(self) -> int:
        """Number of pending samples, fewer than a chunk."""
        return self._length

    def copy(self) -> Chunker:
        """Return an independent chunker with the same pending samples."""
        other = Chunker()
        other._parts, other._length, other._flags = list(self._parts), self._length, set(self._flags)
        return other


def _chunk(samples: Array, flags: set[str], origin: Origin) -> ChunkAudio:
    if int(np.count_nonzero(np.abs(samples) >= CLIP_LEVEL)) >= CLIP_RUN:
        flags = flags | {"clipped"}
    return ChunkAudio(np.ascontiguousarray(samples), tuple(sorted(flags)), origin)


class Intake:
    """Converter of blocks at any rate to chunks: repair, streaming resampler, chunker.

    The resampler (soxr) keeps its filter state between blocks, so that any split of a recording into blocks gives the
    same chunks. A change of the rate flushes the resampler and starts a new one; no sample is lost.
    """

    def __init__(self) -> None:
        import soxr  # on first audio, not with the package

        self._soxr = soxr
        self._rate: int | None = None
        self._resampler: soxr.ResampleStream | None = None
        self._chunker = Chunker()

    def push(
        self, samples: Array, rate: int, flags: tuple[str, ...] = (), origin: Origin | None = None
    ) -> list[ChunkAudio]:
        """Add one block and return the completed chunks.

        Parameters
        ----------
        samples
            float32 [n], mono. NaN and infinity are replaced by 0 and flagged `repaired`.
        rate
            Sample rate, in Hz; it may change from block to block.
        flags
            Flags of every chunk that contains a sample of the block.
        origin
            Origin of every chunk that the block completes; None for audio that arrives now.

        Examples
        --------
        >>> chunks = Intake().push(np.zeros(48_000, np.float32), 48_000)
        """
        samples, broken = repair(samples)
        if broken:
            flags = (*flags, "repaired")
        chunks: list[ChunkAudio] = []
        if rate != self._rate:
            chunks += self._end_resampler(origin)
            self._rate = rate
            if rate != SAMPLE_RATE:
                self._resampler = self._soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        return chunks + self._chunker.push(samples, flags, origin)

    @property
    def waiting(self) -> int:
        """Number of pending samples at 16 kHz, fewer than a chunk, without those in the resampler's filter."""
        return self._chunker.waiting

    def resumed(self) -> tuple[Intake, bool]:
        """Return an intake with the same pending samples, to restore after an interrupted `push`.

        Returns
        -------
        Intake, bool
            The second value is True if a resampler was in use: a resampler cannot be copied, so that its filter starts
            again and a few milliseconds of audio are lost.
        """
        other = Intake()
        other._chunker = self._chunker.copy()
        return other, self._resampler is not None

    def finish(self) -> list[ChunkAudio]:
        """End the recording and return the pending samples as chunks, the last chunk padded."""
        chunks = self._end_resampler() + self._chunker.flush()
        self._rate = None
        return chunks

    def _end_resampler(self, origin: Origin | None = None) -> list[ChunkAudio]:
        if self._resampler is None:
            return []
        rest = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        self._resampler = None
        return self._chunker.push(rest, origin=origin)


def cut(samples: Array, flags: Iterable[str] = ()) -> list[ChunkAudio]:
    """Split a whole clip into chunks, the last chunk padded with zeros (docs/protocol.md §6)."""
    chunker = Chunker()
    return chunker.push(samples, flags) + chunker.flush()


def silence(seconds: float) -> list[ChunkAudio]:
    """Return chunks of digital silence, flagged `tail`; `seconds` is rounded up to whole chunks."""
    count = -(-round(seconds * SAMPLE_RATE) // CHUNK_SAMPLES)
    return [ChunkAudio(np.zeros(CHUNK_SAMPLES, np.float32), ("tail",)) for _ in range(count)]


def level_db(samples: Array) -> float:
    """Compute the root-mean-square level in dBFS; −120 for silence."""
    power = float(np.add.reduce(np.square(samples, dtype=np.float64))) / len(samples)
    return 10 * float(np.log10(max(power, 1e-12)))


def envelope(samples: Array) -> tuple[float, ...]:
    """Compute the peak magnitude of each 25 ms of a chunk, 16 values in 0…1, rounded to 4 decimals for display."""
    peaks = np.abs(samples).reshape(ENVELOPE_POINTS, -1).max(axis=1)
    return tuple(round(peak, 4) for peak in np.minimum(peaks, 1.0).tolist())
