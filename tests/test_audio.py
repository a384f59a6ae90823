"""Any file, any array: read as 16 kHz mono float32, or refused in a sentence."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ai_widgets.audio.intake import check_rate, mono, mono_with_flags
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

    def test_channels_that_cancel_are_heard_and_flagged(self) -> None:
        signal = babble(1)
        for inverted in (np.stack([signal, -signal]), np.stack([signal, -signal], axis=1)):
            row, flags = mono_with_flags(inverted)
            np.testing.assert_allclose(np.abs(row[100:]), np.abs(signal[100:]), atol=1e-6)
            assert flags == ("channels_cancel",)
        assert mono_with_flags(np.stack([signal, babble(1, 1)]))[1] == ()
        assert mono_with_flags(np.zeros((2, 100)))[1] == ()

    @pytest.mark.parametrize(
        "samples",
        [
            (babble(0.1) * 32_767).astype(np.int16).tolist(),
            (babble(0.1) * 32_767).astype(np.int16).astype(np.int64),
            (babble(0.1) * 32_767).astype(np.int16).astype(np.int32),
            (babble(0.1) * 32_767).astype(np.int16).astype(np.int32).reshape(-1, 2),
            np.array([-32_768, 32_767], np.int32),
            torch.tensor([1, -5, 300]),
        ],
        ids=["list", "int64", "int32", "channels", "int32 bounds", "tensor"],
    )
    def test_16_bit_samples_in_a_wider_type_are_refused(self, samples: Any) -> None:
        """Read by their type's range they would be -115 dBFS of nothing."""
        with pytest.raises(AudioError, match=r"^Audio of type int.*int16.*\.$"):
            mono(samples)

    @pytest.mark.parametrize("scale", [32_768, 32_768.0 / 4, 100])
    def test_floats_at_16_bit_scale_are_refused(self, scale: float) -> None:
        with pytest.raises(AudioError, match=r"between −1 and 1; the largest sample is \d.*by 32768"):
            mono(babble(0.5) * scale)

    def test_a_little_above_1_is_kept_for_the_flag(self) -> None:
        np.testing.assert_array_equal(mono([1.5, -2.0]), [1.5, -2.0])

    def test_quiet_32_bit_audio_of_a_24_bit_device_is_read(self) -> None:
        """Its noise lies within the 16-bit range, but its last eight bits are empty."""
        quiet = np.array([256, -512, 7_168, 0], np.int32)
        np.testing.assert_allclose(mono(quiet), quiet / 2**31)

    def test_zeros_of_any_integer_type_are_silence(self) -> None:
        for dtype in (np.int8, np.int16, np.int32, np.int64):
            assert not mono(np.zeros(10, dtype)).any()
        assert not mono([0, 0, 0]).any()

    @pytest.mark.parametrize(
        ("samples", "words"),
        [
            ("talk.wav", r"not the file name 'talk\.wav': play\('talk\.wav'\).*load_audio"),
            (Path("talk.wav"), r"not the file name .*: play"),
            (b"\0\1", r"not bytes: numpy\.frombuffer"),
            (bytearray(4), r"not bytes"),
            ((babble(0.1), 16_000), r"not a pair \(samples, rate\)"),
            ([babble(0.1), 16_000], r"not a pair \(samples, rate\)"),
            ((torch.zeros(2, 100), 16_000), r"not a pair \(samples, rate\)"),
            ({"array": babble(0.1), "sampling_rate": 16_000}, r"'array', 'sampling_rate'"),
        ],
    )
    def test_what_is_no_array_of_samples_is_told_the_way(self, samples: Any, words: str) -> None:
        with pytest.raises(AudioError, match=words):
            mono(samples)

    def test_tensors_series_and_masked_arrays(self) -> None:
        signal = babble(0.1)
        for same in (
            torch.from_numpy(signal),
            torch.from_numpy(signal).requires_grad_(),
            torch.from_numpy(signal)[None],
            pd.Series(signal),
            pd.DataFrame({"left": signal, "right": signal}),
            array("f", signal),
            memoryview(signal),
        ):
            np.testing.assert_allclose(mono(same), signal, atol=1e-7)
        half = torch.from_numpy(signal).bfloat16()
        np.testing.assert_allclose(mono(half), signal, atol=5e-3)
        masked = mono(np.ma.masked_array(signal, signal > 0.1))
        np.testing.assert_array_equal(np.isnan(masked), signal > 0.1)

    def test_a_tensor_of_another_device_is_brought_here(self) -> None:
        class OnDevice:
            """As a CUDA tensor: numpy cannot read it where it is."""

            def detach(self) -> OnDevice:
                return self

            def cpu(self) -> torch.Tensor:
                return torch.zeros(5)

            def __array__(self, *_: object) -> None:
                raise TypeError("can't convert cuda:0 device type tensor to numpy")

        OnDevice.__module__ = "torch"
        assert mono(OnDevice()).shape == (5,)

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
        except AudioError as error:
            said = str(error)
            assert (array.ndim == 2 and min(array.shape) > 32) or "largest sample" in said
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
