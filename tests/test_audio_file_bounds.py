"""Bounds of what an audio file may be: length, rate, channels; and a whole file as one array."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ai_widgets.audio.files import load_audio, open_audio
from ai_widgets.errors import AudioError, AudioTooLongError
from tests.encoded_sounds import read
from tests.signals import babble


class TestBounds:
    def test_a_wav_of_1_hz_is_refused(self, encoded: Callable[[str], bytes]) -> None:
        """32 kB at 1 Hz would be a gigabyte at 16 kHz."""
        data = bytearray(encoded("a.wav")[:32_000])
        data[24:28] = struct.pack("<I", 1)
        with pytest.raises(AudioError, match=r"sample rate of 1 Hz.*between 4000 and 384000 Hz"):
            open_audio(io.BytesIO(bytes(data)))

    @pytest.mark.parametrize("channels", [0, 33, 65_535])
    def test_channels_are_bounded_as_in_arrays(self, encoded: Callable[[str], bytes], channels: int) -> None:
        data = bytearray(encoded("a.wav"))
        data[22:24] = struct.pack("<H", channels)
        with pytest.raises(AudioError, match=r"channels|cannot be read"):
            open_audio(io.BytesIO(bytes(data)))

    def test_what_the_header_says_is_refused_before_it_is_decoded(self) -> None:
        silent = io.BytesIO()
        soundfile.write(silent, np.zeros(4_000 * 60, np.int16), 4_000, format="FLAC")
        with pytest.raises(AudioTooLongError, match=r"60 seconds.*at most 30 seconds.*longest_s=60.*--longest 60"):
            open_audio(silent, longest_s=30)
        assert len(read(silent, longest_s=None)[0]) == 4_000 * 60

    def test_what_no_header_says_is_refused_while_it_is_decoded(self, encoded: Callable[[str], bytes]) -> None:
        with open_audio(io.BytesIO(encoded("a.aac")), longest_s=2) as reader:
            with pytest.raises(AudioTooLongError):
                list(reader)
            assert 2 < reader.position_s < 3.5

    def test_a_header_that_lies_about_a_short_length_is_no_way_around(self, encoded: Callable[[str], bytes]) -> None:
        data = bytearray(encoded("a.wav"))
        at = data.find(b"data")
        data[at + 4 : at + 8] = bytes(4)
        with pytest.raises(AudioTooLongError):
            read(io.BytesIO(bytes(data)), longest_s=2)

    @pytest.mark.parametrize(
        "text",
        [
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{0}\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile {0}\n",
        ],
        ids=["hls", "concat"],
    )
    def test_a_file_that_names_another_does_not_have_it_read(
        self, encoded: Callable[[str], bytes], tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "secret.aac").write_bytes(encoded("a.aac"))
        (tmp_path / "a.m3u8").write_text(text.format(tmp_path / "secret.aac"))
        with pytest.raises(AudioError, match="cannot be read as audio"):
            open_audio(tmp_path / "a.m3u8")

    def test_a_name_like_an_address_is_a_file(self, encoded: Callable[[str], bytes], tmp_path: Path) -> None:
        (tmp_path / "http:").mkdir()
        (tmp_path / "http:" / "a.wav").write_bytes(encoded("a.wav"))
        assert len(load_audio(tmp_path / "http:" / "a.wav"))

    def test_float_samples_at_16_bit_scale_are_refused(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", babble(0.5) * 32_768, 16_000, subtype="FLOAT")
        with pytest.raises(AudioError, match="16-bit scale"):
            load_audio(tmp_path / "a.wav")


class TestChannels:
    def test_channels_that_cancel_are_heard_and_said(self, tmp_path: Path) -> None:
        """One channel inverted: their average would be silence."""
        left = babble(2.0)
        soundfile.write(tmp_path / "a.wav", np.stack([left, -left * 0.9], axis=1), 16_000, subtype="FLOAT")
        samples, reader = read(tmp_path / "a.wav")
        np.testing.assert_allclose(samples[100:], left[100:], atol=1e-6)
        (notice,) = reader.notices
        assert (notice.kind, notice.data) == ("channels_cancel", {"at_s": 0.0, "channel": 1})

    def test_it_begins_and_ends_with_the_fault(self, tmp_path: Path) -> None:
        left, other = babble(2.0, rate=44_100), babble(2.0, 1, rate=44_100)
        rows = np.concatenate([np.stack(pair, axis=1) for pair in ((left, other), (left, -left), (left, other))])
        soundfile.write(tmp_path / "a.wav", rows, 44_100, subtype="FLOAT")
        samples, reader = read(tmp_path / "a.wav")
        np.testing.assert_allclose(samples[:80_000], (left + other)[:80_000] / 2, atol=1e-6)
        np.testing.assert_allclose(samples[105_000:160_000], left[105_000 - 88_200 : 160_000 - 88_200], atol=1e-6)
        np.testing.assert_allclose(samples[-40_000:], (left + other)[-40_000:] / 2, atol=1e-6)
        assert reader.notices[0].data["at_s"] == pytest.approx(2.0, abs=0.3)


class TestLoading:
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
        left, right = babble(0.2), babble(0.2, 1)
        soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
        np.testing.assert_allclose(load_audio(tmp_path / "a.wav"), (left + right) / 2, atol=1e-6)

    def test_a_broken_sample_spoils_no_other(self, tmp_path: Path) -> None:
        """One NaN in a float file at another rate must not spread through the resampler."""
        signal = babble(1.0, rate=48_000)
        signal[20_000] = np.nan
        soundfile.write(tmp_path / "a.wav", signal, 48_000, subtype="FLOAT")
        loaded = load_audio(tmp_path / "a.wav")
        assert np.flatnonzero(np.isnan(loaded)).tolist() == [20_000 // 3]

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

    def test_its_own_rate(self, tmp_path: Path) -> None:
        signal = babble(0.5, rate=22_050)
        soundfile.write(tmp_path / "a.wav", signal, 22_050, subtype="FLOAT")
        samples, rate = load_audio(tmp_path / "a.wav", with_rate=True)
        assert rate == 22_050
        np.testing.assert_array_equal(samples, signal)

    def test_in_pieces_as_in_one(self, tmp_path: Path) -> None:
        """The streaming resampler gives what resampling the whole file gives."""
        import soxr

        signal = babble(5.0, rate=44_100)
        soundfile.write(tmp_path / "a.wav", signal, 44_100, subtype="FLOAT")
        np.testing.assert_allclose(load_audio(tmp_path / "a.wav"), soxr.resample(signal, 44_100, 16_000), atol=1e-6)
