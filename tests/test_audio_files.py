"""Audio files: one reader for every format, in pieces; what is wrong with a file is said, and what is there is read."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.audio.files import AUDIO_SUFFIXES, load_audio, open_audio
from ai_widgets.audio.headers import inspect
from ai_widgets.errors import AudioError, AudioWarning
from tests.encoded_sounds import FFMPEG, LIBSNDFILE, RATE, SECONDS, read


class TestPieces:
    @pytest.mark.parametrize("name", [*LIBSNDFILE, *FFMPEG])
    def test_every_format_comes_in_blocks_of_at_most_a_second(self, encoded: Callable[[str], bytes], name: str) -> None:
        with open_audio(io.BytesIO(encoded(name)), name=name) as reader:
            blocks = list(reader)
        samples = np.concatenate(blocks)
        assert max(map(len, blocks)) <= reader.rate
        assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
        assert {block.ndim for block in blocks} == {1}
        assert reader.channels == 2
        assert len(samples) / reader.rate == pytest.approx(SECONDS, abs=0.08)
        assert reader.position_s == len(samples) / reader.rate
        assert reader.seconds == pytest.approx(SECONDS, rel=0.06)
        assert reader.notices == []
        middle = samples[reader.rate : 3 * reader.rate]
        assert np.argmax(np.abs(np.fft.rfft(middle))) / 2 == pytest.approx(440, abs=1)

    @pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a"])
    def test_a_path_and_an_open_file_read_the_same(
        self, encoded: Callable[[str], bytes], tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_bytes(encoded(name))
        file = io.BytesIO(encoded(name))
        np.testing.assert_array_equal(read(tmp_path / name)[0], read(file)[0])
        assert not file.closed

    def test_the_first_block_does_not_wait_for_the_end(self, encoded: Callable[[str], bytes]) -> None:
        """A file that is still being fetched is decoded from its beginning on."""
        for name in ("a.wav", "a.flac", "fast.m4a", "a.webm"):
            data = encoded(name)
            file = Counting(data)
            with open_audio(file) as reader:
                next(reader)
                assert file.total < len(data), name

    def test_an_error_of_the_file_object_comes_out(self, encoded: Callable[[str], bytes]) -> None:
        """Decoders call back from C, where an exception would be printed and lost."""
        for name in ("a.wav", "a.flac", "a.mp3", "a.webm"):
            with (
                pytest.raises(ConnectionError, match="the page has gone"),
                open_audio(Failing(encoded(name))) as reader,
            ):
                list(reader)

    def test_what_is_neither_path_nor_file(self) -> None:
        with pytest.raises(AudioError, match="must be a path or an open binary file"):
            open_audio(3)  # type: ignore[arg-type]

    def test_several_suffixes_of_telephones_are_known(self) -> None:
        assert {".m4a", ".webm", ".mp4", ".mka", ".aac", ".opus", ".wav", ".mp3", ".amr", ".3gp"} <= AUDIO_SUFFIXES


class Counting(io.BytesIO):
    """A file that counts the bytes that were read."""

    total = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


class Failing(io.BytesIO):
    """A file whose second half cannot be read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > len(self.getbuffer()) // 2 and size not in (128, 10):
            raise ConnectionError("the page has gone")
        return super().read(size)


class TestCut:
    """Cut files: what is there is read, and a notice says how much is missing."""

    @pytest.mark.parametrize("name", [name for name in (*LIBSNDFILE, *FFMPEG) if name not in ("a.m4a", "a.aac")])
    def test_half_a_file_is_half_the_sound_and_a_notice(self, encoded: Callable[[str], bytes], name: str) -> None:
        data = encoded(name)
        samples, reader = read(io.BytesIO(data[: len(data) // 2]), name=name)
        assert len(samples) / reader.rate == pytest.approx(SECONDS / 2, abs=0.6)
        (notice,) = reader.notices
        assert notice.kind == "cut"
        assert name in notice.message
        assert "is truncated" in notice.message
        missing = notice.data["missing_s"]
        if name == "a.ogg":
            assert missing is None
        else:
            assert missing == pytest.approx(SECONDS - len(samples) / reader.rate, abs=0.1)
            assert f"{missing:.1f} s of 4.0 s" in notice.message

    def test_a_cut_file_of_a_format_that_does_not_say_its_length(self, encoded: Callable[[str], bytes]) -> None:
        data = encoded("a.aac")
        _, reader = read(io.BytesIO(data[: len(data) // 2]))
        assert [notice.kind for notice in reader.notices] == ["cut"]

    def test_an_unfinished_mp4_says_what_it_lacks(self, encoded: Callable[[str], bytes]) -> None:
        data = encoded("a.m4a")
        with pytest.raises(AudioError, match=r"index \(moov\).*is missing"):
            open_audio(io.BytesIO(data[: len(data) // 2]))

    @pytest.mark.parametrize("riff", [True, False])
    def test_a_wav_whose_recorder_crashed_is_read_to_its_end(self, encoded: Callable[[str], bytes], riff: bool) -> None:
        """Its header says 0 bytes of data."""
        data = bytearray(encoded("a.wav"))
        whole, _ = read(io.BytesIO(bytes(data)))
        at = data.find(b"data")
        data[at + 4 : at + 8] = bytes(4)
        if riff:
            data[4:8] = bytes(4)
        samples, reader = read(io.BytesIO(bytes(data)))
        np.testing.assert_array_equal(samples, whole)
        assert [notice.kind for notice in reader.notices] == ["header_repaired"]
        assert "never completed" in reader.notices[0].message

    def test_an_empty_wav_with_a_title_stays_empty(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", np.zeros(0, np.int16), RATE)
        data = (tmp_path / "a.wav").read_bytes() + b"LIST" + struct.pack("<I", 12) + b"INFOINAM" + bytes(4)
        with pytest.raises(AudioError, match="no audio samples"):
            read(io.BytesIO(data))

    def test_five_gibibytes_that_the_header_counts_as_one(self, tmp_path: Path) -> None:
        """A WAV counts modulo 4 GiB; the file is sparse, only its header is looked at."""
        soundfile.write(tmp_path / "a.wav", np.zeros(100, np.int16), RATE)
        with (tmp_path / "a.wav").open("r+b") as file:
            file.seek(40)
            file.write(struct.pack("<I", 1 << 30))
            file.truncate(44 + (5 << 30))
        with (tmp_path / "a.wav").open("rb") as file:
            header = inspect(file)
        assert header.unfinished
        assert header.present == 5 << 30

    def test_damage_in_the_middle_costs_its_own_place_only(self, encoded: Callable[[str], bytes]) -> None:
        for name in ("a.flac", "a.mp3"):
            data = bytearray(encoded(name))
            third = len(data) // 3
            data[third : third + 20_000] = bytes(20_000)
            samples, reader = read(io.BytesIO(bytes(data)))
            assert len(samples) / reader.rate > SECONDS / 2
            assert reader.notices, name

    def test_load_audio_warns(self, encoded: Callable[[str], bytes], tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(encoded("a.wav")[:200_000])
        with pytest.warns(AudioWarning, match=r"a\.wav is truncated"):
            load_audio(tmp_path / "a.wav")

    @given(st.sampled_from(["a.wav", "a.flac", "a.ogg", "a.mp3", "a.webm", "frag.mp4"]), st.data())
    def test_a_file_cut_or_damaged_anywhere_is_read_or_refused_in_a_sentence(
        self, encoded: Callable[[str], bytes], name: str, draw: st.DataObject
    ) -> None:
        data = bytearray(encoded(name))
        end = draw.draw(st.integers(0, len(data)))
        at = draw.draw(st.integers(0, len(data)))
        data[at : at + 40] = draw.draw(st.binary(max_size=40))
        try:
            samples, reader = read(io.BytesIO(bytes(data[:end])), longest_s=60)
        except AudioError as error:
            said = str(error)
            assert said.endswith(".")
        else:
            assert len(samples)
            assert len(samples) / reader.rate <= 61
