"""Chunks through the audio tower: what transformers' own forward gives when each chunk is a segment of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ai_widgets.audio.features import log_mel
from ai_widgets.inference import Model
from ai_widgets.model.encoder import BATCH, Encoder
from tests.networks import their_audio_tower
from tests.signals import Array, babble


@pytest.fixture(scope="module")
def encoder(toy: Model) -> Encoder:
    return toy.encoder


def mels_of(chunks: int, seed: int = 0) -> Array:
    return log_mel(babble(chunks * 0.4, seed))


@pytest.mark.parametrize("chunks", [1, 2, 7])
def test_frames_are_those_of_transformers_forward(encoder: Encoder, chunks: int) -> None:
    mels = mels_of(chunks)
    with torch.inference_mode():
        expected = their_audio_tower(encoder.tower)(
            torch.from_numpy(mels),
            feature_lens=torch.tensor([40] * chunks),
            aftercnn_lens=torch.tensor([20] * chunks),
        ).last_hidden_state
    assert expected.shape == (10 * chunks, 64)
    frames = encoder.encode(mels)
    assert frames.shape == (chunks, 10, 64)
    torch.testing.assert_close(frames.reshape(-1, 64), expected, atol=1e-4, rtol=0)


def test_a_chunk_alone_has_the_frames_it_has_in_a_batch(encoder: Encoder) -> None:
    mels = mels_of(BATCH + 3)
    together = encoder.encode(mels)
    alone = torch.cat([encoder.encode(mels[:, start : start + 40]) for start in range(0, mels.shape[1], 40)])
    assert together.shape == (BATCH + 3, 10, 64)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_chunks_do_not_see_each_other(encoder: Encoder) -> None:
    mels = mels_of(3)
    other = mels.copy()
    other[:, 40:80] = mels_of(1, seed=9)
    before, after = encoder.encode(mels), encoder.encode(other)
    torch.testing.assert_close(before[[0, 2]], after[[0, 2]], atol=0, rtol=0)
    assert not torch.allclose(before[1], after[1])


def test_bfloat16_is_close(encoder: Encoder, toy_folder: object) -> None:
    from ai_widgets.inference import load_model

    half = load_model(str(toy_folder), "cpu", "bfloat16").encoder
    assert half.dtype == torch.bfloat16
    frames = half.encode(mels_of(2))
    assert frames.dtype == torch.bfloat16
    apart = (frames.float() - encoder.encode(mels_of(2))).abs().max()
    assert float(apart) < 0.5


def test_the_tower_does_not_learn(encoder: Encoder) -> None:
    assert not any(parameter.requires_grad for parameter in encoder.tower.parameters())
    assert not encoder.tower.training
    assert encoder.encode(np.zeros((128, 40), np.float32)).is_inference()
