"""The audio of one clip that is answered as a whole: read, checked, and padded to whole chunks."""

from __future__ import annotations

import os
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from ..audio.features import Array
from ..audio.files import load_audio
from ..audio.resampling import resampled
from ..errors import AudioTooLongError
from ..protocol import CHUNK_SAMPLES
from .given_audio import block

LONGEST_CLIP_S = 20.0
"""Longest clip of the offline tasks in seconds: that of the training."""
ADVICE = (
    "Answer it in parts (samples[a:b] with their rate), or listen to all of it with model.session() or run_inference()."
)


def whole_clip(audio: str | os.PathLike[str] | BinaryIO | npt.ArrayLike, rate: int | None = None) -> Array:
    """Read a clip and pad it with silence to whole chunks.

    Parameters
    ----------
    audio
        What `load_audio` takes, or samples (mono, or with channels).
    rate
        Sample rate of samples in Hz; None: 16 kHz. A file has its own.

    Returns
    -------
    float32 [6400 · chunks], 16 kHz mono

    Raises
    ------
    AudioError
        If it is no audio.
    AudioTooLongError
        If it is longer than `LONGEST_CLIP_S`.
    """
    if isinstance(audio, (str, os.PathLike)) or hasattr(audio, "read"):
        try:
            samples = load_audio(cast("str | os.PathLike[str] | BinaryIO", audio), longest_s=LONGEST_CLIP_S)
        except AudioTooLongError as error:
            raise _too_long("") from error
    else:
        sound = block(audio, rate).sound
        seconds = sound.seconds or 0.0
        if seconds > LONGEST_CLIP_S:
            raise _too_long(f" of {seconds:.1f} s")
        whole = sound.read(0, int(seconds * sound.rate) + 1)
        samples = np.concatenate([*resampled([whole], sound.rate)])
    return np.pad(np.nan_to_num(samples), (0, -len(samples) % CHUNK_SAMPLES))


def _too_long(length: str) -> AudioTooLongError:
    return AudioTooLongError(
        f"A clip{length} is too long for one answer: the tasks were trained on at most {LONGEST_CLIP_S:g} s. {ADVICE}"
    )
