"""The comparison of slid and fresh contexts: exact where nothing can be carried along, close on the real checkpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ai_widgets.audio.files import load_audio
from ai_widgets.audio.intake import cut
from ai_widgets.evaluation.sliding import SHORTER_S, compare, figures
from ai_widgets.inference import Model, load_model
from ai_widgets.model.decoder import Decoder
from ai_widgets.session.perceive import hear_clip
from tests.networks import random_language_model
from tests.signals import FIXTURES, babble


def frames_of(model: Model, samples: object) -> Tensor:
    return torch.stack([heard.frames for heard in hear_clip(model, cut(samples), 0)])  # type: ignore[arg-type]


def test_with_one_layer_nothing_of_what_left_is_carried_along(toy: Model) -> None:
    """Keys and values then come from the embeddings alone: every decision must be that of a fresh context."""
    shallow = random_language_model(replace(toy.decoder.model.shape, layers=1), seed=7)
    with torch.no_grad():
        # So that decisions are near and differ from chunk to chunk.
        shallow.lm_head.weight *= 20
    model = replace(toy, decoder=Decoder(shallow, "exact"))
    compared = list(compare(model, frames_of(toy, babble(30)), context_limit=300, max_reply_tokens=9))
    assert len(compared) > 30
    for one in compared:
        assert one.fresh == pytest.approx(one.slid, abs=1e-4)
    # What is measured does depend on what is fed.
    assert max(abs(one.shorter[-1] - one.slid) for one in compared) > 1e-3
    found = figures(compared)
    assert found["a fresh context over"]["the same window"]["agreement"] == 1
    assert set(found["a fresh context over"]) == {
        "the same window",
        *(f"{s:g} s before the last slide" for s in SHORTER_S),
    }


def test_the_embedded_checkpoint_decides_as_in_a_fresh_context() -> None:
    model = load_model("tiny", "cpu")
    speech = load_audio(FIXTURES / "speech_pause_speech.ogg")
    frames = frames_of(model, speech).repeat(4, 1, 1)
    compared = list(compare(model, frames, context_limit=450))
    assert len(compared) > 40
    found = figures(compared)["a fresh context over"]["the same window"]
    assert found["agreement"] >= 0.98
