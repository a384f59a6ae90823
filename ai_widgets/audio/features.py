"""Log-mel spectrograms in the model's training format: of a whole clip, and incrementally for a stream.

The format is Whisper's with 128 bins (docs/protocol.md §6): Hann window 400, hop 160, centred with reflect padding,
last STFT frame dropped, power, Slaney mel filters, clamp at 1e-10, log10, floor at (max − 8), then (x + 4) / 4. Two
floors exist: the authors' offline runner uses the maximum of the whole clip; their web server encodes the whole history
again for every chunk, so that the maximum is that of the history and the right edge of the newest chunk is reflected.
`StreamingLogMel` computes the second from 360 samples of left context, at a cost that does not grow.
"""

from __future__ import annotations

import math
from base64 import b64encode
from functools import cache

import numpy as np
import numpy.typing as npt

from ..errors import AudioError
from ..protocol import CHUNK_SAMPLES, MELS_PER_CHUNK, SAMPLE_RATE

MEL_BINS = 128
"""Number of mel bins of a frame."""
N_FFT = 400
"""Length of the STFT window, in samples (25 ms)."""
HOP = 160
"""Distance of two frames, in samples (10 ms)."""
EDGE = N_FFT // 2
"""Number of samples by which a window extends to each side of its centre; the length of the reflect padding."""
LEFT_CONTEXT = EDGE + HOP
"""Number of samples before a chunk that its features need: 200 for its first frame, and 160 for the last frame of the
previous chunk, whose reflected right edge is replaced by the real samples."""
FILTER_ROWS = 8
"""Number of frames in one product with the mel filters, small enough to stay on one thread (see `_filter`)."""
LINEAR_UP_TO, HERTZ_PER_MEL, LOG_STEP = 1000.0, 200 / 3, math.log(6.4) / 27
"""Slaney's mel scale: upper end of the linear part in Hz, its slope in Hz per mel, and the logarithmic step per mel
above."""
LEAST_POWER = 1e-10
"""Mel power of digital silence; lower values are raised to it before the logarithm."""
DYNAMIC_RANGE = 8.0
"""Distance of the spectrogram's floor from its maximum, in decades."""

THUMBNAIL_BANDS, THUMBNAIL_FRAMES = 32, 10
"""Size of a chunk's thumbnail: a band is 4 mel bins, a frame 4 mel frames (40 ms, one encoder frame)."""
THUMBNAIL_LOW, THUMBNAIL_RANGE = -1.0, 2.5
"""Log-mel value of byte 0, and distance to the value of byte 255. Digital silence is −1.5, a loud voice about 1."""

Array = npt.NDArray[np.float32]
Mark = tuple[Array | None, float]
"""State of a stream's features: the last 360 samples (None before the first chunk), and the running maximum."""


@cache
def mel_filters() -> npt.NDArray[np.float64]:
    """Compute Slaney's mel filters, [201 frequency bins, 128 mel bins]: triangles of equal area, evenly spaced in mel.

    The values equal those of librosa's `filters.mel` and transformers' `mel_filter_bank`, which are not used because
    importing either takes a second.
    """
    corners = mel_to_hertz(np.linspace(0, hertz_to_mel(SAMPLE_RATE / 2), MEL_BINS + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)[:, None]
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


def hertz_to_mel(frequency: float) -> float:
    """Convert Hz to Slaney's mel scale: linear up to 1 kHz (15 mel); above, 27 mel for a factor of 6.4.

    Source: M. Slaney, Auditory Toolbox, 1998.
    """
    if frequency < LINEAR_UP_TO:
        return frequency / HERTZ_PER_MEL
    return LINEAR_UP_TO / HERTZ_PER_MEL + math.log(frequency / LINEAR_UP_TO) / LOG_STEP


def mel_to_hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert Slaney's mel scale to Hz, the inverse of `hertz_to_mel`."""
    border = LINEAR_UP_TO / HERTZ_PER_MEL
    above = LINEAR_UP_TO * np.exp(LOG_STEP * (np.maximum(mel, border) - border))
    return np.where(mel < border, mel * HERTZ_PER_MEL, above)


@cache
def _window() -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def log10_mel(padded: Array) -> npt.NDArray[np.float64]:
    """Compute the log10 mel power of every full window of `padded`, without a floor.

    Parameters
    ----------
    padded
        Samples [..., n] at 16 kHz, with the context of the windows on both sides.

    Returns
    -------
    array [..., 128, 1 + (n − 400) // 160]
    """
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT, axis=-1)[..., ::HOP, :]
    # Double precision costs microseconds, and keeps quiet bins exact next to loud ones.
    spectrum = np.fft.rfft(windows * _window(), axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    mels = _filter(power.reshape(-1, power.shape[-1])).reshape(*power.shape[:-1], MEL_BINS)
    return np.swapaxes(np.log10(np.maximum(mels, LEAST_POWER)), -1, -2)


def _filter(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Apply the mel filters to rows of power, `FILTER_ROWS` rows at a time.

    numpy distributes one large product over several threads, which takes 0.1 ms on an idle machine, but 16 ms when
    another process (a browser) uses a core. Products of a few rows run on one thread.
    """
    filters = mel_filters()
    mels = np.empty((len(power), MEL_BINS))
    for start in range(0, len(power), FILTER_ROWS):
        np.matmul(power[start : start + FILTER_ROWS], filters, out=mels[start : start + FILTER_ROWS])
    return mels


def scale(log_mel_power: npt.NDArray[np.float64], maximum: npt.ArrayLike) -> Array:
    """Floor log10 mel power at (maximum − 8) and scale to the model's range; `maximum` broadcasts against the array."""
    floored = np.maximum(log_mel_power, np.asarray(maximum) - DYNAMIC_RANGE)
    return ((floored + 4.0) / 4.0).astype(np.float32)


def log_mel(samples: Array) -> Array:
    """Compute the log-mel features of a whole clip with one floor, as the authors' offline runner does.

    Parameters
    ----------
    samples
        float32 [n], 16 kHz mono, n ≥ 201 (the length of the reflection).

    Returns
    -------
    float32 [128, n // 160]

    Raises
    ------
    AudioError
        If the array has another shape or is too short.

    Examples
    --------
    >>> log_mel(np.zeros(16_000, np.float32)).shape
    (128, 100)
    """
    if samples.ndim != 1 or len(samples) <= EDGE:
        raise AudioError(f"A clip must have one dimension and more than {EDGE} samples, not shape {samples.shape}.")
    power = log10_mel(np.pad(samples, EDGE, mode="reflect"))[:, :-1]
    return scale(power, power.max())


class StreamingLogMel:
    """Incremental log-mel features of a stream, equal to encoding the whole history again for every chunk.

    The state is the last 360 samples and the running maximum. Cost and memory do not depend on the stream's length.
    """

    def __init__(self) -> None:
        self._left: Array | None = None
        self._maximum = -np.inf

    def mark(self) -> Mark:
        """Return the state of the stream, for `return_to`."""
        return self._left, self._maximum

    def return_to(self, mark: Mark) -> None:
        """Restore the state that `mark` returned; chunks pushed since then have no effect."""
        self._left, self._maximum = mark

    def push(self, chunk: Array) -> Array:
        """Compute the features of the next chunk.

        Parameters
        ----------
        chunk
            float32 [6400], 16 kHz mono.

        Returns
        -------
        float32 [128, 40]

        Raises
        ------
        AudioError
            If the chunk has another shape.
        """
        if chunk.shape != (CHUNK_SAMPLES,):
            raise AudioError(f"A chunk must have shape ({CHUNK_SAMPLES},), not {chunk.shape}.")
        right = chunk[-EDGE - 1 : -1][::-1]
        if self._left is None:
            power = log10_mel(np.concatenate([chunk[1 : EDGE + 1][::-1], chunk, right]))
            finished = power[:, : MELS_PER_CHUNK - 1]
        else:
            power = log10_mel(np.concatenate([self._left, chunk, right]))
            # The first frame is the last frame of the previous chunk with its real right edge; it only updates the
            # maximum.
            finished = power[:, :MELS_PER_CHUNK]
            power = power[:, 1:]
        power = power[:, :MELS_PER_CHUNK]
        self._maximum = max(self._maximum, float(finished.max()))
        self._left = chunk[-LEFT_CONTEXT:].copy()
        return scale(power, max(self._maximum, float(power.max())))


def thumbnail(mels: Array) -> str:
    """Encode the features of one chunk as a small image, which is sent and stored with every chunk.

    Parameters
    ----------
    mels
        float32 [128, 40], the input of the audio tower.

    Returns
    -------
    str
        base64 of 320 bytes: 10 frames × 32 bands, ``byte[frame * 32 + band]``, band 0 the lowest. A byte is the mean of
        4 × 4 values, with −1 … 1.5 mapped to 0 … 255.
    """
    cells = mels.reshape(THUMBNAIL_BANDS, -1, THUMBNAIL_FRAMES, mels.shape[1] // THUMBNAIL_FRAMES).mean(axis=(1, 3))
    levels = np.clip((cells.T - THUMBNAIL_LOW) * (255 / THUMBNAIL_RANGE), 0, 255)
    return b64encode(np.rint(levels).astype(np.uint8).tobytes()).decode("ascii")
