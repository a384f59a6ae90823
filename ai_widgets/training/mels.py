"""Compute the log-mel features of whole training streams in one pass, equal to those at run time.

`running_mels` equals `StreamingLogMel` pushed chunk by chunk, and `clip_mels` equals `log_mel`. Both only arrange the
windows and maxima of all chunks; the arithmetic is that of `ai_widgets.audio.features`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_widgets.audio.features import EDGE, HOP, LEFT_CONTEXT, MEL_BINS, Array, log10_mel, log_mel, scale
from ai_widgets.protocol import CHUNK_SAMPLES, MELS_PER_CHUNK


def running_mels(samples: Array) -> Array:
    """Compute features [chunks, 128, 40] of a stream (running floor, right edge of every chunk reflected).

    Parameters
    ----------
    samples
        float32 at 16 kHz, a whole number of chunks.
    """
    chunks = samples.reshape(-1, CHUNK_SAMPLES)
    left: npt.NDArray[np.float32] = np.zeros((len(chunks), LEFT_CONTEXT), np.float32)
    left[1:] = chunks[:-1, -LEFT_CONTEXT:]
    left[0, HOP:] = chunks[0, 1 : EDGE + 1][::-1]
    right = chunks[:, -EDGE - 1 : -1][:, ::-1]
    power = log10_mel(np.concatenate([left, chunks, right], axis=1))[:, :, : MELS_PER_CHUNK + 1]
    power[0, :, 0] = -np.inf  # there is no frame before the first chunk
    finished = np.maximum.accumulate(power[:, :, :MELS_PER_CHUNK].max((1, 2)))
    newest = power[:, :, MELS_PER_CHUNK].max(1)
    return scale(power[:, :, 1:], np.maximum(finished, newest)[:, None, None])


def clip_mels(samples: Array) -> Array:
    """Compute features [chunks, 128, 40] of a whole clip with one floor, the default of the command line."""
    whole = log_mel(samples)
    return np.ascontiguousarray(whole.reshape(MEL_BINS, -1, MELS_PER_CHUNK).transpose(1, 0, 2))
