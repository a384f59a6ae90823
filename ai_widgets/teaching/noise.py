"""A sound in white noise, and the level of noise at which a model is undecided about it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..analysis import what_if
from ..errors import AudioError
from ..inference import Model
from ..protocol import CHUNK_SAMPLES

SEED = 0
"""Seed of the noise, so that a level names the same samples each time."""
PEAK = 0.5
"""Largest sample of a mixture, of 1: another level of noise then neither clips nor changes how loud the whole is."""
CLEAR_DB, BURIED_DB = 30.0, -20.0
"""Levels of the sound over the noise, in dB, between which a level is searched for: from noise that is hardly heard to
noise that hides the sound."""
STEPS = 14
"""Halvings of that range: the level is found to within 0.003 dB."""
A_LITTLE_ABOVE_HALF = 0.6
"""Probability of an undecided draw by default: both tokens are drawn often, and TEXT_BEGIN is the likelier one."""


def in_noise(samples: npt.NDArray[np.float32], level_db: float) -> npt.NDArray[np.float32]:
    """Mix a sound with white noise; the sound's power is `level_db` above the noise's.

    Parameters
    ----------
    samples
        float32 [n] at 16 kHz.
    level_db
        Level of the sound over the noise (signal-to-noise ratio), in dB.

    Returns
    -------
    numpy.ndarray
        float32 [n], whose largest sample has the size 0.5.

    Raises
    ------
    AudioError
        If the sound is silent, which no level lies above.

    Examples
    --------
    >>> noisy = in_noise(aiw.clips["alarm"].samples(), 6.0)
    """
    loudness = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    if loudness == 0:
        raise AudioError("The sound has no sample other than 0, so no noise has a level relative to it; give a sound.")
    noise = np.random.default_rng(SEED).standard_normal(len(samples))
    mixture = samples + noise * (loudness / np.sqrt(np.mean(noise**2)) * 10 ** (-level_db / 20))
    return np.asarray(mixture * (PEAK / np.abs(mixture).max()), np.float32)


def p_drawn_from(model: Model, samples: npt.NDArray[np.float32], chunk: int) -> float:
    """Return the probability of TEXT_BEGIN after a chunk, in the distribution that is drawn from.

    A new session with the default settings hears the samples up to the end of the chunk.
    """
    with model.session(seed=0) as session:
        session.push(samples[: (chunk + 1) * CHUNK_SAMPLES])
    return float(what_if(session.record).p_text[chunk])


def undecided_level(
    model: Model, samples: npt.NDArray[np.float32], chunk: int, p: float = A_LITTLE_ABOVE_HALF
) -> float:
    """Find the level over the noise, in dB, at which the decision after a chunk is drawn with a given probability.

    The range of levels is halved again and again; each step keeps the half that has `p` between its ends.

    Parameters
    ----------
    model, samples, chunk
        As in `p_drawn_from`; the samples without noise.
    p
        Probability of TEXT_BEGIN that is wanted, after the temperature.

    Raises
    ------
    AudioError
        If no such level lies between 30 dB and −20 dB, because the model is sure at both ends.

    Examples
    --------
    >>> level = undecided_level(model, clip.samples(), chunk=5)
    """
    low, high = BURIED_DB, CLEAR_DB
    ends = [p_drawn_from(model, in_noise(samples, level), chunk) for level in (low, high)]
    if not ends[0] < p <= ends[1]:
        raise AudioError(
            f"No level between {low:g} dB and {high:g} dB was found at which the model speaks after chunk {chunk} with "
            f"probability {p:g}: in the strongest noise it is {ends[0]:.3f}, and in the weakest {ends[1]:.3f}. "
            "Take a sound that the model answers, and the chunk after which it does."
        )
    for _ in range(STEPS):
        middle = (low + high) / 2
        if p_drawn_from(model, in_noise(samples, middle), chunk) < p:
            low = middle
        else:
            high = middle
    return round(high, 2)
