"""Any file, any array: read as 16 kHz mono float32, or refused in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ai_widgets.audio import check_rate, mono
from ai_widgets.errors import AudioError
from tests.signals import babble


class TestMono:
    @pytest.mark.parametrize(
        ("dtype", "low", "high"),
        [("int16", -(2**15), 2**15 - 1), ("int32", -(2**31), 2**31 - 1), ("int8", -128, 127), ("uint8", 0, 255)],
    )
    def test_integers_are_scaled_by_their_range(self, dtype: str, low: int, high: int) -> None:
        row = mono(np.array([low, high], dtype))
        assert row.dtype == np.float32
        assert row[0] == -1.0
        assert 0.99 < row[1] <= 1.0

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_floats_pass(self, dtype: str) -> None:
        row = mono(np.array([-0.5, 0.25], dtype))
        assert row.dtype == np.float32
        np.testing.assert_array_equal(row, [-0.5, 0.25])

    def test_float32_is_not_copied(self) -> None:
        signal = babble(0.1)
        assert mono(signal) is signal

    @pytest.mark.parametrize("shape", [(100, 2), (2, 100), (1, 100), (100, 1), (32, 40)])
    def test_channels_are_averaged(self, shape: tuple[int, int]) -> None:
        random = np.random.default_rng(0)
        signal = random.standard_normal(shape).astype(np.float32)
        np.testing.assert_allclose(mono(signal), signal.mean(axis=int(np.argmin(shape))), atol=1e-6)

    def test_lists_pass_and_nothing_is_nothing(self) -> None:
        np.testing.assert_array_equal(mono([0.5, -0.5]), [0.5, -0.5])
        assert mono([]).shape == (0,)

    @pytest.mark.parametrize(
        "bad",
        [
            "text",
            3.0,
            None,
            ["a", "b"],
            [None, 1.0],
            [[1.0], [2.0, 3.0]],
            np.zeros((2, 2, 2)),
            np.zeros((40, 40)),
            np.zeros(4, complex),
            np.zeros(4, bool),
            np.zeros(4, "uint16"),
            np.zeros(4, "datetime64[s]"),
        ],
    )
    def test_anything_else_is_an_audio_error(self, bad: Any) -> None:
        with pytest.raises(AudioError, match=r"^Audio .*\.$"):
            mono(bad)

    @given(hnp.arrays(st.sampled_from([np.float32, np.float64, np.int16]), hnp.array_shapes(max_dims=2, max_side=40)))
    def test_any_small_array_is_one_row_or_an_audio_error(self, array: np.ndarray[Any, Any]) -> None:
        try:
            row = mono(array)
        except AudioError:
            assert array.ndim == 2
            assert min(array.shape) > 32
        else:
            assert row.ndim == 1
            assert row.dtype == np.float32


class TestRate:
    @pytest.mark.parametrize("rate", [4_000, 16_000, 44_100.0, np.int64(48_000), np.float32(96_000), 384_000])
    def test_good_rates(self, rate: Any) -> None:
        assert check_rate(rate) == int(rate)

    @pytest.mark.parametrize(
        "rate", [0, -1, 3_999, 384_001, 44_100.5, True, None, "48000", float("nan"), float("inf"), np.float64("nan")]
    )
    def test_bad_rates(self, rate: Any) -> None:
        with pytest.raises(AudioError, match="sample rate"):
            check_rate(rate)
