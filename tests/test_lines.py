"""Lines: what gain control, codecs and lost packets do to training material."""

from __future__ import annotations

import numpy as np
import pytest

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import lines

TONE = (0.4 * np.sin(2 * np.pi * 440 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)


def levels(samples: np.ndarray) -> np.ndarray:
    """Level of each 20 ms in dB relative to the tone."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    return 10 * np.log10((frames**2).mean(1) / 0.08 + 1e-9)


@pytest.mark.parametrize("effect", [lines.gain_steps, lines.coded, lines.packets_lost])
def test_length_type_and_seed_decide(effect: object) -> None:
    first, again, other = (effect(TONE, np.random.default_rng(seed)) for seed in (1, 1, 2))  # type: ignore[operator]
    assert (first.shape, first.dtype) == (TONE.shape, np.float32)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(effect(TONE[:100], np.random.default_rng(0))) == 100  # type: ignore[operator]


def test_the_gain_changes_in_steps_of_at_most_twelve_decibels() -> None:
    for seed in range(20):
        heard = levels(lines.gain_steps(TONE, np.random.default_rng(seed)))
        assert abs(heard[0]) < 0.1 or abs(heard[1]) > 0.1  # it begins as it was, unless a step comes at once
        assert np.abs(heard).max() < lines.STEP_DB + 0.2
        assert np.count_nonzero(np.abs(np.diff(heard)) > 0.3) <= 3 * 4  # three ramps of 50 ms


def test_a_codec_keeps_the_tone() -> None:
    for seed in range(8):
        heard = lines.coded(TONE, np.random.default_rng(seed))
        spectrum = np.abs(np.fft.rfft(heard[SAMPLE_RATE : 2 * SAMPLE_RATE]))
        assert abs(int(spectrum.argmax()) - 440) <= 1
        assert np.abs(levels(heard)[20:-20]).max() < 3


def test_some_packets_are_silent_or_repeated_and_the_rest_is_as_it_was() -> None:
    changed = [lines.packets_lost(TONE, np.random.default_rng(seed)) != TONE for seed in range(20)]
    shares = np.array([mask.mean() for mask in changed])
    assert 0.005 < shares.mean() < 0.15
    assert all(not mask[: int(0.02 * SAMPLE_RATE)].any() for mask in changed)
