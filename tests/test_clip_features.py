"""A whole clip's features in pieces are those of the clip in one piece, whatever the clip and wherever it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.audio import clip_features
from ai_widgets.audio.clip_features import PIECE_CHUNKS, ArraySamples, ClipLogMel
from ai_widgets.audio.features import log_mel
from ai_widgets.audio.file_samples import KEPT, FileSamples
from ai_widgets.audio.files import load_audio
from ai_widgets.audio.intake import cut
from ai_widgets.protocol import CHUNK_SAMPLES
from tests.signals import Array, babble

PIECE = PIECE_CHUNKS * CHUNK_SAMPLES


def in_pieces(clip: ClipLogMel) -> tuple[Array, Array, list[tuple[str, ...]]]:
    clip.measure()
    mels, samples, flags = [], [], []
    while (piece := clip.piece(len(samples))) is not None:
        chunks, features = piece
        samples += [chunk.samples for chunk in chunks]
        flags += [chunk.flags for chunk in chunks]
        mels.append(features)
    return np.concatenate(mels, axis=1), np.concatenate(samples), flags


def padded(samples: Array) -> Array:
    return np.concatenate([chunk.samples for chunk in cut(samples)])


@settings(max_examples=40)
@given(
    st.one_of(
        st.integers(1, 3 * PIECE),
        # Ends beside the places where one piece needs samples of the next.
        st.builds(lambda pieces, more: pieces * PIECE + more, st.integers(1, 2), st.integers(-250, 250)),
    ),
    st.integers(0, 99),
)
def test_pieces_are_the_clip(length: int, seed: int) -> None:
    samples = babble(length / 16_000 + 0.1, seed)[:length]
    mels, heard, _ = in_pieces(ClipLogMel(ArraySamples(samples, 16_000)))
    np.testing.assert_array_equal(heard, padded(samples))
    np.testing.assert_array_equal(mels, log_mel(padded(samples)))


def test_the_loudest_moment_may_come_last(tmp_path: Path) -> None:
    """Its floor holds for the first chunk: that is why a clip takes two passes."""
    samples = np.concatenate([babble(9) * 1e-4, babble(0.4)])
    mels, _, _ = in_pieces(ClipLogMel(ArraySamples(samples, 16_000)))
    np.testing.assert_array_equal(mels, log_mel(padded(samples)))


def test_a_piece_may_be_asked_for_again() -> None:
    """After an interrupt."""
    clip = ClipLogMel(ArraySamples(babble(20), 16_000))
    clip.measure()
    first, again = clip.piece(16), clip.piece(16)
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first[1], again[1])


def test_only_the_chunk_with_a_nan_is_flagged() -> None:
    samples = babble(2)
    samples[CHUNK_SAMPLES + 5] = np.nan
    mels, heard, flags = in_pieces(ClipLogMel(ArraySamples(samples, 16_000)))
    assert flags == [(), ("repaired",), (), (), ()]
    assert np.isfinite(mels).all()
    assert np.isfinite(heard).all()


def test_nothing_has_no_pieces() -> None:
    clip = ClipLogMel(ArraySamples(np.zeros(0, np.float32), 16_000))
    clip.measure()
    assert clip.piece(0) is None


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.wav"
    rows = np.stack([babble(40, 0, rate=44_100), babble(40, 1, rate=44_100)], axis=1)
    soundfile.write(path, rows, 44_100, subtype="FLOAT")
    return path


class TestFiles:
    def test_a_file_in_pieces_is_the_file(self, file: Path) -> None:
        whole = load_audio(file)
        with FileSamples(file, 16_000) as samples:
            mels, heard, _ = in_pieces(ClipLogMel(samples))
        np.testing.assert_array_equal(heard, padded(whole))
        np.testing.assert_array_equal(mels, log_mel(padded(whole)))

    def test_progress_is_told(self, file: Path) -> None:
        told: list[tuple[float, float | None]] = []
        with FileSamples(file, 16_000) as samples:
            ClipLogMel(samples).measure(lambda done, of: told.append((done, of)))
        assert [done for done, _ in told] == pytest.approx([6.4, 12.8, 19.2, 25.6, 32, 38.4, 40])
        assert {of for _, of in told} == {40.0}

    @settings(max_examples=20)
    @given(st.lists(st.tuples(st.integers(0, 700_000), st.integers(0, 40_000)), min_size=1, max_size=6))
    def test_any_place_may_be_read_in_any_order(self, file: Path, reads: list[tuple[int, int]]) -> None:
        whole = load_audio(file)
        with FileSamples(file, 16_000) as samples:
            for start, count in reads:
                np.testing.assert_array_equal(samples.read(start, count), whole[start : start + count])

    def test_what_was_read_is_not_kept(self, file: Path) -> None:
        with FileSamples(file) as samples:
            for start in range(0, 40 * 44_100, 10_000):
                samples.read(start, 10_000)
                held = samples._window[1].nbytes
                assert held <= 4 * (KEPT + 10_000 + 2 * 65_536)

    @pytest.mark.parametrize("at", [1, 2, 5])
    def test_an_interrupt_while_it_decodes_loses_nothing(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, at: int
    ) -> None:
        from ai_widgets.audio.decoding import SoundfileDecoder

        whole, decode, count = load_audio(file), SoundfileDecoder.blocks, 0

        def interrupted(self: SoundfileDecoder) -> Any:
            nonlocal count
            for block in decode(self):
                count += 1
                if count == at:
                    raise KeyboardInterrupt
                yield block

        monkeypatch.setattr(SoundfileDecoder, "blocks", interrupted)
        got: list[Array] = []
        with FileSamples(file, 16_000) as samples:
            while sum(map(len, got)) < len(whole):
                try:
                    got.append(samples.read(sum(map(len, got)), 20_000))
                except KeyboardInterrupt:
                    continue
        assert count > at
        np.testing.assert_array_equal(np.concatenate(got), whole)


def test_a_clip_of_one_piece_is_transformed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short clips by the hundred, each measured and then scaled; a longer one keeps its last piece alone."""
    transformed: list[int] = []
    transform = clip_features.log10_mel

    def counted(samples: Array) -> npt.NDArray[np.float64]:
        transformed.append(len(samples))
        return transform(samples)

    monkeypatch.setattr(clip_features, "log10_mel", counted)
    for pieces, transforms in ((1, 1), (3, 5)):
        transformed.clear()
        in_pieces(ClipLogMel(ArraySamples(babble(6.0 * pieces), 16_000)))
        assert len(transformed) == transforms
