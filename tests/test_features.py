"""Log-mel as Whisper defines it; a stream's features equal re-encoding its whole history for every chunk."""

from __future__ import annotations

import base64

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.audio.features import LEFT_CONTEXT, StreamingLogMel, log_mel, mel_filters, thumbnail
from ai_widgets.errors import AudioError
from ai_widgets.protocol import CHUNK_SAMPLES, MELS_PER_CHUNK
from tests.signals import Array, babble

TOLERANCE = 2e-5


def whisper_log_mel(samples: Array) -> Array:
    """The definition of docs/protocol.md §6, written with torch and librosa alone."""
    spectrum = torch.stft(
        torch.from_numpy(samples).double(),
        n_fft=400,
        hop_length=160,
        window=torch.hann_window(400, dtype=torch.float64),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum[:, :-1].abs() ** 2
    filters = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=400, n_mels=128)).double()
    log_power = torch.log10(torch.clamp(filters @ power, min=1e-10))
    floored = torch.maximum(log_power, log_power.max() - 8)
    return ((floored + 4) / 4).float().numpy()


def chunks_of(samples: Array) -> list[Array]:
    return list(samples.reshape(-1, CHUNK_SAMPLES))


def piece(kind: str, seed: int) -> Array:
    """One chunk of audio of some kind."""
    random = np.random.default_rng(seed)
    if kind == "silence":
        return np.zeros(CHUNK_SAMPLES, np.float32)
    if kind == "faint":
        return (1e-5 * random.standard_normal(CHUNK_SAMPLES)).astype(np.float32)
    if kind == "click":
        click = np.zeros(CHUNK_SAMPLES, np.float32)
        click[random.integers(CHUNK_SAMPLES)] = 1
        return click
    if kind == "edge":
        # Loud in the last samples only: what the next chunk's left context must bring along.
        edge = np.zeros(CHUNK_SAMPLES, np.float32)
        edge[-random.integers(1, 400) :] = 1
        return edge
    return babble(0.4, seed)


kinds = st.sampled_from(["silence", "faint", "click", "edge", "babble"])


def test_filters_are_librosas_slaney_filters() -> None:
    expected = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=128, htk=False, norm="slaney")
    np.testing.assert_allclose(mel_filters().T, expected, atol=1e-7)


@given(st.integers(201, 20_000), st.integers(0, 99))
def test_a_clip_follows_the_definition(length: int, seed: int) -> None:
    samples = babble(length / 16_000, seed)
    np.testing.assert_allclose(log_mel(samples), whisper_log_mel(samples), atol=TOLERANCE)


def test_a_frame_every_10_ms() -> None:
    mels = log_mel(np.zeros(CHUNK_SAMPLES * 3, np.float32))
    assert mels.shape == (128, 3 * MELS_PER_CHUNK)
    assert mels.dtype == np.float32


def test_digital_silence_is_flat() -> None:
    assert np.unique(log_mel(np.zeros(CHUNK_SAMPLES, np.float32))).tolist() == [(np.float32(-10) + 4) / 4]


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(200), np.zeros((2, 400))])
def test_what_cannot_be_reflected_is_refused(samples: Array) -> None:
    with pytest.raises(AudioError, match="more than 200 samples"):
        log_mel(samples.astype(np.float32))


@settings(max_examples=25)
@given(st.lists(st.tuples(kinds, st.integers(0, 999)), min_size=1, max_size=7))
def test_streaming_equals_re_encoding_the_whole_history(pieces: list[tuple[str, int]]) -> None:
    chunks = [piece(kind, seed) for kind, seed in pieces]
    streaming = StreamingLogMel()
    for count, chunk in enumerate(chunks, start=1):
        newest = whisper_log_mel(np.concatenate(chunks[:count]))[:, -MELS_PER_CHUNK:]
        np.testing.assert_allclose(streaming.push(chunk), newest, atol=TOLERANCE)


def test_the_floor_follows_the_loudest_so_far() -> None:
    streaming = StreamingLogMel()
    faint, loud = piece("faint", 1), np.full(CHUNK_SAMPLES, 0.9, np.float32) * np.sign(babble(0.4, 2))
    before = streaming.push(faint)
    streaming.push(loud)
    streaming.push(piece("silence", 0))
    after = streaming.push(faint)
    assert after.min() > before.min()


def test_state_does_not_grow() -> None:
    streaming = StreamingLogMel()
    sizes = set()
    for chunk in chunks_of(babble(12)):
        streaming.push(chunk)
        sizes.add(sum(np.size(value) for value in vars(streaming).values()))
        owned = [value for value in vars(streaming).values() if isinstance(value, np.ndarray)]
        assert all(value.base is None for value in owned)
    assert sizes == {LEFT_CONTEXT + 1}


def test_the_left_context_is_all_that_is_needed() -> None:
    """Two histories that differ before the last 360 samples only, with the same maximum, go on alike."""
    loud = piece("click", 5) * 0
    loud[1_000] = 1
    other = loud[::-1].copy()
    other[:] = 0
    other[4_200] = 1
    after = []
    for history in (loud, other):
        streaming = StreamingLogMel()
        streaming.push(history)
        after.append(streaming.push(babble(0.4, 3)))
    np.testing.assert_array_equal(*after)


@pytest.mark.parametrize("shape", [(6_399,), (6_401,), (2, 3_200), (0,)])
def test_only_whole_chunks_are_taken(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match="shape"):
        StreamingLogMel().push(np.zeros(shape, np.float32))


class TestThumbnail:
    def test_a_byte_a_cell_frame_by_frame_lowest_band_first(self) -> None:
        mels = np.full((128, 40), -1.0, np.float32)
        mels[4:8, 36:] = 1.5  # band 1 of the last frame
        mels[124:, :4] = 0.25  # the highest band of the first
        cells = np.frombuffer(base64.b64decode(thumbnail(mels)), np.uint8).reshape(10, 32)
        assert cells[9, 1] == 255
        assert cells[0, 31] == 128
        assert np.count_nonzero(cells) == 2

    def test_what_lies_outside_is_clipped(self) -> None:
        assert set(base64.b64decode(thumbnail(np.full((128, 40), -1.5, np.float32)))) == {0}
        assert set(base64.b64decode(thumbnail(np.full((128, 40), 9.0, np.float32)))) == {255}

    def test_a_tone_stands_where_it_sounds(self) -> None:
        times = np.arange(6_400) / 16_000
        low, high = (
            np.frombuffer(base64.b64decode(thumbnail(StreamingLogMel().push(tone.astype(np.float32)))), np.uint8)
            .reshape(10, 32)
            .mean(axis=0)
            .argmax()
            for tone in (0.5 * np.sin(2 * np.pi * 200 * times), 0.5 * np.sin(2 * np.pi * 4_000 * times))
        )
        assert low < 6
        assert high > 20
