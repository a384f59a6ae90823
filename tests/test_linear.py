"""A linear layer of many rows multiplies with oneDNN where that is faster, and equals torch's but for rounding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ai_widgets.model import linear
from ai_widgets.model.linear import MANY_ROWS, Linear, onednn_product


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of what oneDNN multiplies from now on, as on a processor where it is faster."""
    shapes: list[tuple[int, ...]] = []

    def product(rows: Tensor, weight: Tensor, bias: Tensor | None, *rest: object) -> Tensor:
        shapes.append(tuple(rows.shape))
        if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
            result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, *rest)
            return result
        return functional.linear(rows, weight, bias)

    monkeypatch.setattr(linear, "_PRODUCT", product)
    return shapes


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, MANY_ROWS, 24), (3, MANY_ROWS, 24), (MANY_ROWS, 24)])
def test_many_rows_have_torchs_result(products: list[tuple[int, ...]], shape: tuple[int, ...], bias: bool) -> None:
    layer, rows = Linear(24, 40, bias=bias).requires_grad_(False), torch.randn(shape)
    with torch.inference_mode():
        found = layer(rows)
    assert products == [shape]
    torch.testing.assert_close(found, functional.linear(rows, layer.weight, layer.bias), rtol=1e-5, atol=1e-5)


def test_few_rows_are_torchs_own_bit_for_bit(products: list[tuple[int, ...]]) -> None:
    layer, rows = Linear(24, 40), torch.randn(1, MANY_ROWS - 1, 24)
    with torch.inference_mode():
        assert torch.equal(layer(rows), functional.linear(rows, layer.weight, layer.bias))
    assert products == []


def test_training_and_export_keep_torchs_operations(products: list[tuple[int, ...]]) -> None:
    layer = Linear(24, 40)
    with torch.no_grad():
        layer(torch.randn(1, MANY_ROWS, 24))
    layer(torch.randn(1, MANY_ROWS, 24)).sum().backward()
    assert products == []
    assert layer.weight.grad is not None


def test_other_number_formats_keep_torchs_operations(products: list[tuple[int, ...]]) -> None:
    layer = Linear(24, 40).to(torch.bfloat16)
    with torch.inference_mode():
        layer(torch.randn(1, MANY_ROWS, 24, dtype=torch.bfloat16))
    assert products == []


def test_it_is_chosen_on_amd_processors_with_avx_512_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert onednn_product(amd=lambda: False) is None
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert onednn_product(amd=lambda: True) is None
