"""Audio in: check arrays, resample any rate, cut exact chunks of 6400 samples out of blocks of any length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AudioError
from ..protocol import CHUNK_SAMPLES, SAMPLE_RATE
from .downmix import Downmix

Array = npt.NDArray[np.float32]

MIN_RATE, MAX_RATE = 4_000, 384_000
"""Sample rates that are taken, from Python and from the browser."""
MAX_CHANNELS = 32
"""Channels that an array or a file may have: an array with more in both directions is no sound."""
FULL_SCALE_LIMIT = 8.0
"""Magnitude of float samples from which they are refused: sound lies within 1, decoders and mixes overshoot to 2 or 3,
and samples at 16-bit scale pass this limit with all but silence."""
CLIP_LEVEL = 0.999
"""Magnitude from which a sample counts as clipped."""
CLIP_RUN = 4
"""Clipped samples in a chunk from which its flag is set: fewer are inaudible."""
ENVELOPE_POINTS = 16
"""Peaks a chunk's envelope holds: one each 25 ms."""


@dataclass(frozen=True)
class ChunkAudio:
    """Exactly one chunk: float32 [6400] at 16 kHz, with the flags of `protocol.Chunk`."""

    samples: Array
    flags: tuple[str, ...] = ()


def mono(samples: object, rate: int = SAMPLE_RATE) -> Array:
    """Check an array of audio and return it as one row of float32; see `mono_with_flags`."""
    return mono_with_flags(samples, rate)[0]


def mono_with_flags(samples: object, rate: int = SAMPLE_RATE) -> tuple[Array, tuple[str, ...]]:
    """Check an array of audio and return it as one row of float32, with the flags of what became of it.

    Parameters
    ----------
    samples
        Float in [-1, 1], or integer of 8, 16 or 32 bits (scaled by its type's range); [n] or [n, channels] or
        [channels, n], at most 32 channels, which lie along the shorter axis. They are averaged; where they cancel, the
        louder one is taken. Arrays, lists, tensors and whatever numpy makes an array of; masked samples become NaN.
    rate
        Samples per second.

    Returns
    -------
    float32 [n], flags
        NaN and infinity stay in their places. Flags: `channels_cancel`, or none.

    Raises
    ------
    AudioError
        Anything else, such as a path, bytes, a pair (samples, rate), complex numbers or three dimensions; floats or
        32-bit integers at 16-bit scale; integers of 64 bits, which do not say their scale.
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
    """What was given as an array, and which of its samples are masked."""
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
    """Samples as float32, scaled by the range of their type; refused where that is not their scale."""
    if np.issubdtype(array.dtype, np.floating):
        loudest = _loudest(array)
        if loudest > FULL_SCALE_LIMIT:
            raise AudioError(
                f"Float audio must lie between −1 and 1; the largest sample is {loudest:.6g}. Divide samples at 16-bit "
                "scale by 32768, or pass them as an array of numpy.int16."
            )
        # What float32 cannot hold is far beyond the limit; infinity stays, and is repaired and flagged later.
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
    """Largest finite magnitude."""
    low, high = float(np.fmin.reduce(array, axis=None)), float(np.fmax.reduce(array, axis=None))
    if np.isinf(low) or np.isinf(high):
        return float(np.abs(array[np.isfinite(array)]).max(initial=0))
    return 0.0 if np.isnan(high) else max(high, -low)


def check_rate(rate: object) -> int:
    """`rate` as a whole number of samples per second, or an `AudioError`."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.integer, np.floating)):
        raise AudioError(f"The sample rate must be a whole number of samples per second, not {rate!r}.")
    if not np.isfinite(rate) or rate != int(rate):
        raise AudioError(f"The sample rate must be a whole number of samples per second, not {rate!r}.")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(f"The sample rate must lie between {MIN_RATE} and {MAX_RATE} Hz, not {rate!r}.")
    return int(rate)


def repair(samples: Array) -> tuple[Array, bool]:
    """Replace NaN and infinity by 0; also says whether there were any."""
    finite = np.isfinite(samples)
    if finite.all():
        return samples, False
    repaired: Array = np.where(finite, samples, np.float32(0)).astype(np.float32)
    return repaired, True


class Chunker:
    """Any blocks in, exact chunks out: what is left over waits for the next block.

    Samples are never lost or invented; `flush` alone pads. Flags given with a block mark every chunk that holds a
    sample of it.
    """

    def __init__(self) -> None:
        self._parts: list[Array] = []
        self._length = 0
        self._flags: set[str] = set()

    def push(self, samples: Array, flags: Iterable[str] = ()) -> list[ChunkAudio]:
        """Take samples [n] at 16 kHz and return the chunks they complete."""
        if not len(samples):
            return []
        self._parts.append(samples)
        self._length += len(samples)
        self._flags.update(flags)
        if self._length < CHUNK_SAMPLES:
            return []
        joined = np.concatenate(self._parts)
        whole = self._length - self._length % CHUNK_SAMPLES
        first, *others = joined[:whole].reshape(-1, CHUNK_SAMPLES)
        chunks = [_chunk(first, self._flags), *(_chunk(piece, set(flags)) for piece in others)]
        # A copy, so that the rest does not keep the whole block alive.
        self._parts = [joined[whole:].copy()] if whole < self._length else []
        self._length -= whole
        self._flags = set(flags) if self._length else set()
        return chunks

    def flush(self) -> list[ChunkAudio]:
        """The waiting rest, padded with zeros to one chunk; nothing where no sample waits."""
        if not self._length:
            return []
        padded = np.zeros(CHUNK_SAMPLES, np.float32)
        padded[: self._length] = np.concatenate(self._parts)
        chunk = _chunk(padded, self._flags | {"padded"})
        self._parts, self._length, self._flags = [], 0, set()
        return [chunk]

    @property
    def waiting(self) -> int:
        """Samples that do not fill a chunk yet."""
        return self._length

    def copy(self) -> Chunker:
        """Another chunker in which the same samples wait."""
        other = Chunker()
        other._parts, other._length, other._flags = list(self._parts), self._length, set(self._flags)
        return other


def _chunk(samples: Array, flags: set[str]) -> ChunkAudio:
    if int(np.count_nonzero(np.abs(samples) >= CLIP_LEVEL)) >= CLIP_RUN:
        flags = flags | {"clipped"}
    return ChunkAudio(np.ascontiguousarray(samples), tuple(sorted(flags)))


class Intake:
    """Native-rate blocks in, exact chunks out: repair, streaming resampler, chunker.

    The resampler (soxr) keeps its filter state between blocks, so that any split of a recording into blocks gives the
    same chunks. A change of rate ends the old resampler and begins a new one; no sample is lost.
    """

    def __init__(self) -> None:
        import soxr  # on first audio, not with the package

        self._soxr = soxr
        self._rate: int | None = None
        self._resampler: soxr.ResampleStream | None = None
        self._chunker = Chunker()

    def push(self, samples: Array, rate: int, flags: tuple[str, ...] = ()) -> list[ChunkAudio]:
        """Take one block of mono float32 at `rate` Hz and return the chunks it completes.

        `flags` mark every chunk that holds some of the block. NaN and infinity become 0 and are flagged `repaired`.
        """
        samples, broken = repair(samples)
        if broken:
            flags = (*flags, "repaired")
        chunks: list[ChunkAudio] = []
        if rate != self._rate:
            chunks += self._end_resampler()
            self._rate = rate
            if rate != SAMPLE_RATE:
                self._resampler = self._soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        return chunks + self._chunker.push(samples, flags)

    @property
    def waiting(self) -> int:
        """Samples at 16 kHz that do not fill a chunk yet, without those the resampler still holds."""
        return self._chunker.waiting

    def resumed(self) -> tuple[Intake, bool]:
        """Another intake in which the same samples wait, for a block whose `push` may be interrupted.

        A resampler cannot be copied: where one is at work, its filter begins anew and the few milliseconds it held are
        not heard; True says so.
        """
        other = Intake()
        other._chunker = self._chunker.copy()
        return other, self._resampler is not None

    def finish(self) -> list[ChunkAudio]:
        """End the recording: what the resampler and the chunker still hold, the last chunk padded."""
        chunks = self._end_resampler() + self._chunker.flush()
        self._rate = None
        return chunks

    def _end_resampler(self) -> list[ChunkAudio]:
        if self._resampler is None:
            return []
        rest = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        self._resampler = None
        return self._chunker.push(rest)


def cut(samples: Array, flags: Iterable[str] = ()) -> list[ChunkAudio]:
    """A whole clip as chunks, the last one padded with zeros (docs/protocol.md §6)."""
    chunker = Chunker()
    return chunker.push(samples, flags) + chunker.flush()


def silence(seconds: float) -> list[ChunkAudio]:
    """The digital silence that follows a clip so that the model can reply: `seconds` rounded up to whole chunks."""
    count = -(-round(seconds * SAMPLE_RATE) // CHUNK_SAMPLES)
    return [ChunkAudio(np.zeros(CHUNK_SAMPLES, np.float32), ("tail",)) for _ in range(count)]


def level_db(samples: Array) -> float:
    """Root-mean-square level in dBFS, −120 for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * float(np.log10(max(power, 1e-12)))


def envelope(samples: Array) -> tuple[float, ...]:
    """Peak magnitude of each 25 ms of a chunk, rounded to what a screen can show."""
    peaks = np.abs(samples).reshape(ENVELOPE_POINTS, -1).max(axis=1)
    return tuple(round(float(p), 4) for p in np.minimum(peaks, 1.0))
