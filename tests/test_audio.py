"""Any file, any array: read as 16 kHz mono float32, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ai_widgets.audio import check_rate, load_audio, mono
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


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "form", "subtype"),
        [
            ("a.wav", "WAV", "PCM_16"),
            ("a.wav", "WAV", "PCM_24"),
            ("a.wav", "WAV", "FLOAT"),
            ("a.flac", "FLAC", "PCM_16"),
            ("a.ogg", "OGG", "VORBIS"),
            ("a.opus", "OGG", "OPUS"),
            ("a.mp3", "MP3", "MPEG_LAYER_III"),
            ("a.aiff", "AIFF", "PCM_16"),
        ],
    )
    def test_formats(self, tmp_path: Path, name: str, form: str, subtype: str) -> None:
        signal = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32) * 0.5
        soundfile.write(tmp_path / name, signal, 16_000, format=form, subtype=subtype)
        loaded = load_audio(tmp_path / name)
        assert loaded.dtype == np.float32
        assert abs(len(loaded) - 16_000) < 3_000
        spectrum = np.abs(np.fft.rfft(loaded[2_000:14_000]))
        assert np.argmax(spectrum) * 16_000 / 12_000 == pytest.approx(440, abs=2)

    def test_a_16_khz_wav_is_read_exactly(self, tmp_path: Path) -> None:
        samples = (babble(0.5) * 30_000).astype(np.int16)
        soundfile.write(tmp_path / "a.wav", samples, 16_000)
        np.testing.assert_array_equal(load_audio(str(tmp_path / "a.wav")), samples / np.float32(32_768))

    @pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
    def test_other_rates_are_resampled(self, tmp_path: Path, rate: int) -> None:
        signal = np.sin(2 * np.pi * 1_000 * np.arange(rate) / rate).astype(np.float32) * 0.5
        soundfile.write(tmp_path / "a.wav", signal, rate, subtype="FLOAT")
        loaded = load_audio(tmp_path / "a.wav")
        assert abs(len(loaded) - 16_000) <= 1
        expected = np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000) * 0.5
        np.testing.assert_allclose(loaded[500:15_500], expected[500:15_500], atol=2e-3)

    def test_what_16_khz_cannot_hold_is_filtered_not_folded(self, tmp_path: Path) -> None:
        signal = np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000).astype(np.float32)
        soundfile.write(tmp_path / "a.wav", signal, 48_000, subtype="FLOAT")
        assert np.abs(load_audio(tmp_path / "a.wav")[500:-500]).max() < 1e-3

    def test_channels_are_averaged(self, tmp_path: Path) -> None:
        left = babble(0.2)
        soundfile.write(tmp_path / "a.wav", np.stack([left, -left], axis=1), 16_000, subtype="FLOAT")
        assert not load_audio(tmp_path / "a.wav").any()

    def test_a_broken_sample_spoils_no_other(self, tmp_path: Path) -> None:
        """One NaN in a float file at another rate must not spread through the resampler."""
        signal = babble(1.0, rate=48_000)
        signal[20_000] = np.nan
        soundfile.write(tmp_path / "a.wav", signal, 48_000, subtype="FLOAT")
        loaded = load_audio(tmp_path / "a.wav")
        assert np.isnan(loaded).sum() <= 1 or np.isfinite(loaded).all()

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match=r"no audio file .*gone\.wav"):
            load_audio(tmp_path / "gone.wav")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match="is a folder"):
            load_audio(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"not audio at all", b"RIFF\x00\x00\x00\x00WAVE", b"OggS" + bytes(60)])
    def test_not_audio(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "a.wav").write_bytes(content)
        with pytest.raises(AudioError, match="cannot be read as audio"):
            load_audio(tmp_path / "a.wav")

    def test_no_samples(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", np.zeros(0, np.int16), 16_000)
        with pytest.raises(AudioError, match="holds no audio samples"):
            load_audio(tmp_path / "a.wav")
