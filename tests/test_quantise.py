"""Weight-only int8 and int4: how far from the exact products, and what becomes of the decisions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ai_widgets as aiw
from ai_widgets.errors import SettingError
from ai_widgets.inference import Model, load_model
from ai_widgets.model.placement import Placement
from ai_widgets.model.quantise import Int8, Int8Linear
from ai_widgets.protocol import SAMPLE_RATE, Decision

pytest.importorskip("torchao", reason="torchao is not installed; make test-quant brings it")

BFLOAT16_ERROR = 2.0**-8


def quantised(weight: torch.Tensor, dtype: torch.dtype) -> nn.Parameter:
    """A matrix that came in two pieces."""
    goal = Int8(tuple(weight.shape), Placement(torch.device("cpu"), dtype))
    goal.put(0, 5, weight[:5])
    goal.put(5, len(weight), weight[5:])
    return goal.finish()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("rows", [1, 13, 40])
def test_integer_products_are_those_of_the_dequantised_weights(dtype: torch.dtype, rows: int) -> None:
    source = torch.Generator().manual_seed(rows)
    weight = torch.randn(96, 64, generator=source)
    parameter, bias = quantised(weight, dtype), torch.randn(96, generator=source)
    layer = Int8Linear(parameter, bias)
    hidden = torch.randn(1, rows, 64, generator=source).to(dtype)
    hidden[..., 3] *= 300  # an outlier, as these models have them: the rest of its row must not vanish
    exact = hidden.float() @ parameter.data.dequantize(torch.float32).t() + bias
    with torch.inference_mode():
        product = layer(hidden)
    assert (product.shape, product.dtype) == ((1, rows, 96), dtype)
    allowed = 2e-4 if dtype == torch.float32 else BFLOAT16_ERROR
    assert float((product - exact).norm() / exact.norm()) < allowed


def test_zeros_are_zeros() -> None:
    layer = Int8Linear(quantised(torch.randn(16, 32), torch.float32), None)
    assert not layer(torch.zeros(2, 32)).any()


def test_each_row_keeps_eight_bits_of_its_own_size() -> None:
    weight = torch.randn(16, 256) * torch.logspace(-4, 2, 16)[:, None]
    back = quantised(weight, torch.float32).data.dequantize(torch.float32)
    step = weight.abs().amax(1, keepdim=True) / 127
    assert bool(((back - weight).abs() <= 0.51 * step).all())


def decisions(model: Model, clip: aiw.Clip) -> list[Decision]:
    session = model.session(greedy=True, max_reply_tokens=4)
    heard = [*session.push(clip.samples()), *session.push(np.zeros(SAMPLE_RATE, np.float32))]
    return [event for event in heard if isinstance(event, Decision)]


@pytest.fixture(scope="module")
def exact() -> dict[str, list[Decision]]:
    model = load_model("tiny", "cpu", "float32")
    return {name: decisions(model, clip) for name, clip in aiw.clips.items()}


@pytest.mark.parametrize(
    ("quantize", "dtype", "apart"), [("int8", "float32", 0.02), ("int8", "bfloat16", 0.06), ("int4", "bfloat16", 0.2)]
)
def test_the_embedded_checkpoint_decides_the_same(
    exact: dict[str, list[Decision]], quantize: str, dtype: str, apart: float
) -> None:
    """Each clip is compared up to a decision so close to one half that an allowed difference may turn it."""
    model = load_model("tiny", "cpu", dtype, quantize=quantize)
    assert quantize in repr(model)
    choices = []
    for name, clip in aiw.clips.items():
        sure = list(itertools.takewhile(lambda one: abs(one.p_text - 0.5) > apart, exact[name]))
        ours = decisions(model, clip)[: len(sure)]
        assert [one.choice for one in ours] == [one.choice for one in sure], name
        np.testing.assert_allclose([one.p_text for one in ours], [one.p_text for one in sure], atol=apart)
        choices += [one.choice for one in sure]
    assert choices.count("TEXT_BEGIN") >= 5
    assert choices.count("KEEP_SILENCE") >= 80


def test_only_matrices_of_the_language_model_are_quantised() -> None:
    model = load_model("tiny", "cpu", quantize="int8")
    kinds: dict[str, Any] = {name: type(one).__name__ for name, one in model.decoder.model.named_modules()}
    assert kinds["lm_head"] == kinds["model.layers.0.self_attn.q_proj"] == "Int8Linear"
    assert kinds["model.embed_tokens"] == "Embedding"
    assert {parameter.dtype for parameter in model.encoder.tower.parameters()} == {torch.float32}


def test_int4_says_which_widths_it_needs(tmp_path: Any) -> None:
    from dataclasses import replace

    from ai_widgets.model.configuration import LanguageModelShape
    from ai_widgets.model.quantise import destinations
    from ai_widgets.model.skeleton import language_skeleton

    shape = LanguageModelShape(64, 48, 1, 3, 1, 16, 96, 64, 1e4, 1e-6, False)
    placement = Placement(torch.device("cpu"), torch.bfloat16, "int4")
    with pytest.raises(SettingError, match="multiple of 32; this model has 48, 96"):
        destinations(placement, language_skeleton(shape))
    destinations(placement, language_skeleton(replace(shape, width=64, head_size=32, heads=2)))
