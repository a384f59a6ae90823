"""Log-mel features of whole training streams at once, equal to what the model gets at run time.

`running_mels` equals `StreamingLogMel` pushed chunk by chunk, `clip_mels` equals `log_mel`; both only arrange windows
and maxima for all chunks together, the arithmetic is that of `ai_widgets.audio.features`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_widgets.audio.features import EDGE, HOP, LEFT_CONTEXT, MEL_BINS, Array, log10_mel, log_mel, scale
from ai_widgets.protocol import CHUNK_SAMPLES, MELS_PER_CHUNK


def running_mels(samples: Array) -> Array:
    """Features [chunks, 128, 40] of a live stream (running floor, right edge of every chunk reflected).

    Parameters
    ----------
    samples
        float32, a whole number of chunks.
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
    """Features [chunks, 128, 40] of a whole clip with one floor, as the command line takes them by default."""
    whole = log_mel(samples)
    return np.ascontiguousarray(whole.reshape(MEL_BINS, -1, MELS_PER_CHUNK).transpose(1, 0, 2))
