"""Log-mel spectrograms as the model was trained on them: of a whole clip, and incrementally for a live stream.

As in Whisper with 128 bins (docs/protocol.md §6): Hann 400 / hop 160, centred with reflect padding, last STFT frame
dropped, power, Slaney mel filters, clamp at 1e-10, log10, floor at (max − 8), then (x + 4) / 4. Two floors exist: the
authors' offline runner takes the maximum of the whole clip; their web server re-encodes the whole history for every
chunk, so its maximum is that of the history and the newest chunk's right edge is reflected. `StreamingLogMel` gives the
second from 360 samples of left context, at a cost that does not grow.
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
N_FFT = 400
HOP = 160
EDGE = N_FFT // 2
LEFT_CONTEXT = EDGE + HOP
"""Samples before a chunk that its features need: 200 for its own first frame, one hop more for the frame before it,
whose right edge was reflected when that chunk was new and is known now."""
FILTER_ROWS = 8
"""Frames that are filtered at a time."""
LINEAR_UP_TO, HERTZ_PER_MEL, LOG_STEP = 1000.0, 200 / 3, math.log(6.4) / 27
"""Slaney's mel scale: hertz up to which it is linear, with what slope, and the logarithmic step of a mel above."""
DYNAMIC_RANGE = 8.0
"""Decades below the maximum at which the spectrogram is floored."""

THUMBNAIL_BANDS, THUMBNAIL_FRAMES = 32, 10
"""A chunk's log-mel as it is shown: 4 mel bins a band, 4 mel frames (40 ms, one encoder frame) a frame."""
THUMBNAIL_LOW, THUMBNAIL_RANGE = -1.0, 2.5
"""Log-mel values that become 0 and 255. Digital silence lies at −1.5, a loud voice at about 1."""

Array = npt.NDArray[np.float32]


@cache
def mel_filters() -> npt.NDArray[np.float64]:
    """Slaney mel filters, [201 frequency bins, 128 mel bins]: triangles of equal area, evenly spaced in mel.

    As librosa's `filters.mel` and transformers' `mel_filter_bank` make them, neither of which is imported for it: that
    takes a second.
    """
    corners = mel_to_hertz(np.linspace(0, hertz_to_mel(SAMPLE_RATE / 2), MEL_BINS + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)[:, None]
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


def hertz_to_mel(frequency: float) -> float:
    """Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, 15 mel; above, 27 mel for a factor of 6.4."""
    if frequency < LINEAR_UP_TO:
        return frequency / HERTZ_PER_MEL
    return LINEAR_UP_TO / HERTZ_PER_MEL + math.log(frequency / LINEAR_UP_TO) / LOG_STEP


def mel_to_hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The inverse of `hertz_to_mel`."""
    border = LINEAR_UP_TO / HERTZ_PER_MEL
    above = LINEAR_UP_TO * np.exp(LOG_STEP * (np.maximum(mel, border) - border))
    return np.where(mel < border, mel * HERTZ_PER_MEL, above)


@cache
def _window() -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def log10_mel(padded: Array) -> npt.NDArray[np.float64]:
    """Unfloored log10 mel power of every full window of `padded`.

    Parameters
    ----------
    padded
        Samples [..., n] with whatever context the windows need on both sides.

    Returns
    -------
    array [..., 128, 1 + (n − 400) // 160]
    """
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT, axis=-1)[..., ::HOP, :]
    # Double precision costs microseconds here and keeps quiet bins exact beside loud ones.
    spectrum = np.fft.rfft(windows * _window(), axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    mels = _filter(power.reshape(-1, power.shape[-1])).reshape(*power.shape[:-1], MEL_BINS)
    return np.swapaxes(np.log10(np.maximum(mels, 1e-10)), -1, -2)


def _filter(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mel filters over rows of power, a few rows at a time.

    One large product would be shared out to several threads, which takes 0.1 ms on an idle machine and 16 ms as soon as
    another process (a browser) wants a core. Pieces this small stay on one thread.
    """
    filters = mel_filters()
    mels = np.empty((len(power), MEL_BINS))
    for start in range(0, len(power), FILTER_ROWS):
        np.matmul(power[start : start + FILTER_ROWS], filters, out=mels[start : start + FILTER_ROWS])
    return mels


def scale(log_mel_power: npt.NDArray[np.float64], maximum: npt.ArrayLike) -> Array:
    """Floor at (maximum − 8) and bring to the model's range; `maximum` broadcasts against the array."""
    floored = np.maximum(log_mel_power, np.asarray(maximum) - DYNAMIC_RANGE)
    return ((floored + 4.0) / 4.0).astype(np.float32)


def log_mel(samples: Array) -> Array:
    """Log-mel of a whole clip with one floor, as the authors' offline runner computes it.

    Parameters
    ----------
    samples
        16 kHz mono float32, at least 201 samples (the reflection needs them).

    Returns
    -------
    float32 [128, len(samples) // 160]
    """
    if samples.ndim != 1 or len(samples) <= EDGE:
        raise AudioError(f"A clip must have one dimension and more than {EDGE} samples, not shape {samples.shape}.")
    power = log10_mel(np.pad(samples, EDGE, mode="reflect"))[:, :-1]
    return scale(power, power.max())


class StreamingLogMel:
    """Log-mel of a live stream, chunk by chunk, equal to re-encoding the whole history for every chunk.

    State: the last 360 samples and the maximum so far. Cost and memory do not depend on the stream's length.
    """

    def __init__(self) -> None:
        self._left: Array | None = None
        self._maximum = -np.inf

    def mark(self) -> tuple[Array | None, float]:
        """Where the stream stands; `return_to` undoes what was pushed since."""
        return self._left, self._maximum

    def return_to(self, mark: tuple[Array | None, float]) -> None:
        """Go on from a mark, as if nothing had been pushed after it."""
        self._left, self._maximum = mark

    def push(self, chunk: Array) -> Array:
        """Features of the next chunk.

        Parameters
        ----------
        chunk
            float32 [6400], 16 kHz mono.

        Returns
        -------
        float32 [128, 40]
        """
        if chunk.shape != (CHUNK_SAMPLES,):
            raise AudioError(f"A chunk must have shape ({CHUNK_SAMPLES},), not {chunk.shape}.")
        right = chunk[-EDGE - 1 : -1][::-1]
        if self._left is None:
            power = log10_mel(np.concatenate([chunk[1 : EDGE + 1][::-1], chunk, right]))
            finished = power[:, : MELS_PER_CHUNK - 1]
        else:
            power = log10_mel(np.concatenate([self._left, chunk, right]))
            # The first frame is the last one of the chunk before, now with its true right edge: only the maximum needs
            # it.
            finished = power[:, :MELS_PER_CHUNK]
            power = power[:, 1:]
        power = power[:, :MELS_PER_CHUNK]
        self._maximum = max(self._maximum, float(finished.max()))
        self._left = chunk[-LEFT_CONTEXT:].copy()
        return scale(power, max(self._maximum, float(power.max())))


def thumbnail(mels: Array) -> str:
    """What the model heard in one chunk, small enough to be sent and kept for every chunk.

    Parameters
    ----------
    mels
        float32 [128, 40], the features that the tower gets.

    Returns
    -------
    base64 of 320 bytes: 10 frames × 32 bands, ``byte[frame * 32 + band]``, band 0 the lowest. Each is the mean of its
    4 × 4 values, −1 … 1.5 mapped to 0 … 255.
    """
    cells = mels.reshape(THUMBNAIL_BANDS, -1, THUMBNAIL_FRAMES, mels.shape[1] // THUMBNAIL_FRAMES).mean(axis=(1, 3))
    levels = np.clip((cells.T - THUMBNAIL_LOW) * (255 / THUMBNAIL_RANGE), 0, 255)
    return b64encode(np.rint(levels).astype(np.uint8).tobytes()).decode("ascii")
