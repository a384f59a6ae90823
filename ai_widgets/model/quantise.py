"""Weight-only quantisation of the language model's matrices, through torchao: `int8` rows, or `int4` groups of a row.

torchao chooses the scales and holds the numbers. Where a processor has integer units, the multiplication is ours:
torchao's turns all weights back into floating point for every product, which costs more than it saves.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import SettingError
from .placement import Placement
from .skeleton import HEAD, linear_layers
from .weights import Dense, Destination

GROUPS = (128, 64, 32)
"""Weights that may share a scale in int4; the largest that divides every matrix is taken."""
STEPS = 127
"""Largest number of a symmetric int8."""


def destinations(placement: Placement, model: Any) -> Callable[[str, tuple[int, ...]], Destination]:
    """Where each of the language model's tensors goes under a placement."""
    layers = {f"{name}.weight" for name in linear_layers(model)}
    make: Callable[[tuple[int, ...]], Destination] | None = None
    if placement.quantize is not None:
        require_torchao()
    if placement.quantize == "int8":

        def make(shape: tuple[int, ...]) -> Destination:
            return Int8(shape, placement)

    elif placement.quantize == "int4":
        # The head stays as it is: it is one matrix of many, and the one whose errors show in every logit.
        layers.discard(f"{HEAD}.weight")
        widths = {layer.in_features for name, layer in linear_layers(model).items() if name != HEAD}
        group = next((size for size in GROUPS if not any(width % size for width in widths)), None)
        if group is None:
            raise SettingError(
                f"quantize 'int4' needs matrices whose width is a multiple of {GROUPS[-1]}; this model has "
                f"{', '.join(map(str, sorted(widths)))}. Use int8."
            )

        def make(shape: tuple[int, ...]) -> Destination:
            return Int4(shape, placement, group)

    def destination(name: str, shape: tuple[int, ...]) -> Destination:
        if make is not None and name in layers:
            return make(shape)
        return Dense(shape, placement.dtype, placement.device)

    return destination


def require_torchao() -> None:
    """Say how to get torchao where it is missing."""
    try:
        import torchao  # noqa: F401
    except ImportError as error:
        raise SettingError(
            "quantize needs torchao, which is not installed; pip install 'ai_widgets[quant]'."
        ) from error


class Int8:
    """A matrix of int8 numbers, with one scale for each row, quantised row by row as it is read."""

    def __init__(self, shape: tuple[int, ...], placement: Placement) -> None:
        self._numbers = torch.empty(shape, dtype=torch.int8, device=placement.device)
        self._scales = torch.empty((shape[0], 1), dtype=torch.float32, device=placement.device)
        self._dtype = placement.dtype

    def put(self, first: int, last: int, rows: Tensor) -> None:
        from torchao.quantization import Int8Tensor, PerRow

        part = Int8Tensor.from_hp(rows.float(), PerRow())
        self._numbers[first:last].copy_(part.qdata)
        self._scales[first:last].copy_(part.scale)

    def finish(self) -> nn.Parameter:
        from torchao.quantization import Int8Tensor

        block = [1, self._numbers.shape[1]]
        return nn.Parameter(Int8Tensor(self._numbers, self._scales, block, self._dtype), requires_grad=False)


class Int4:
    """A matrix of 4-bit numbers with a scale and an offset for each group; packed when it is complete."""

    def __init__(self, shape: tuple[int, ...], placement: Placement, group: int) -> None:
        self._dense = Dense(shape, placement.dtype, placement.device)
        self._device, self._group = placement.device, group

    def put(self, first: int, last: int, rows: Tensor) -> None:
        self._dense.put(first, last, rows)

    def finish(self) -> nn.Parameter:
        weight, block = self._dense.finish().data, [1, self._group]
        packed: Tensor
        if self._device.type == "cpu":
            from torchao.prototype.quantization.int4 import Int4OpaqueTensor

            packed = Int4OpaqueTensor.from_hp(weight, block)
        else:
            from torchao.quantization import Int4TilePackedTo4dTensor

            packed = Int4TilePackedTo4dTensor.from_hp(weight, block)
        return nn.Parameter(packed, requires_grad=False)


def install(model: Any) -> None:
    """Give the int8 matrices of a filled model the processor's own multiplication, where there is one."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for name, layer in linear_layers(model).items():
        if (
            layer.weight.device.type == "cpu"
            and hasattr(layer.weight, "qdata")
            and layer.weight.qdata.dtype == torch.int8
        ):
            owner, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(owner), attribute, Int8Linear(layer.weight, layer.bias))


class Int8Linear(nn.Module):
    """A linear layer of int8 weights that multiplies in integers, and as exactly as bfloat16 does.

    Each row of the input is written as the sum of two rows of int8, a coarse one and what remains times 254: sixteen
    bits for the whole row, where bfloat16 has eight for each number: better, unless one number of a row is a thousand
    times the others. Both go through one integer product, which reads a byte for each weight.
    """

    def __init__(self, weight: Any, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), bias
        self.in_features, self.out_features = weight.shape[1], weight.shape[0]
        self._numbers, self._scales = weight.qdata.t(), weight.scale.flatten()

    def forward(self, hidden: Tensor) -> Tensor:
        rows = hidden.reshape(-1, self.in_features).float()
        count = len(rows)
        scale = rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / STEPS
        exact = rows / scale
        coarse = exact.round()
        fine = ((exact - coarse) * (2 * STEPS)).round()
        product = torch._int_mm(torch.cat([coarse, fine]).to(torch.int8), self._numbers).float()
        total = product[:count].add_(product[count:], alpha=1 / (2 * STEPS)).mul_(scale).mul_(self._scales)
        if self.bias is not None:
            total += self.bias
        return total.to(hidden.dtype).reshape(*hidden.shape[:-1], self.out_features)
