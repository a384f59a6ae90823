"""Weight-only quantisation of the language model's matrices with torchao: `int8` per row, `int4` per group of a row.

torchao computes the scales and stores the weights. On x86 processors the int8 product is implemented here, because
torchao's product converts all weights to floating point every time, which costs more than it saves.
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
"""Allowed numbers of weights that share a scale in int4; the largest that divides the width of every matrix is used."""
STEPS = 127
"""Largest value of symmetric int8."""


def destinations(placement: Placement, model: Any) -> Callable[[str, tuple[int, ...]], Destination]:
    """Build the function that creates the receiver of each tensor of the language model under a placement.

    Raises
    ------
    SettingError
        If torchao is missing, or int4 does not fit the matrices' widths.
    """
    layers = {f"{name}.weight" for name in linear_layers(model)}
    make: Callable[[tuple[int, ...]], Destination] | None = None
    if placement.quantize is not None:
        require_torchao()
    if placement.quantize == "int8":

        def make(shape: tuple[int, ...]) -> Destination:
            return Int8(shape, placement)

    elif placement.quantize == "int4":
        # The output head is not quantised: it is one matrix of many, and its errors affect every logit directly.
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
    """Check that torchao is installed.

    Raises
    ------
    SettingError
        If torchao is missing; the message says how to install it.
    """
    try:
        import torchao  # noqa: F401
    except ImportError as error:
        raise SettingError(
            "quantize needs torchao, which is not installed; pip install 'ai_widgets[quant]'."
        ) from error


class Int8:
    """Receiver of an int8 matrix with one scale per row, quantised piece by piece."""

    def __init__(self, shape: tuple[int, ...], placement: Placement) -> None:
        self._numbers = torch.empty(shape, dtype=torch.int8, device=placement.device)
        self._scales = torch.empty((shape[0], 1), dtype=torch.float32, device=placement.device)
        self._dtype = placement.dtype

    def put(self, first: int, last: int, rows: Tensor) -> None:
        """Quantise and store rows ``[first, last)``."""
        from torchao.quantization import Int8Tensor, PerRow

        part = Int8Tensor.from_hp(rows.float(), PerRow())
        self._numbers[first:last].copy_(part.qdata)
        self._scales[first:last].copy_(part.scale)

    def finish(self) -> nn.Parameter:
        """Return the complete int8 parameter."""
        from torchao.quantization import Int8Tensor

        block = [1, self._numbers.shape[1]]
        return nn.Parameter(Int8Tensor(self._numbers, self._scales, block, self._dtype), requires_grad=False)


class Int4:
    """Receiver of an int4 matrix with a scale and an offset per group; it is packed after the last piece."""

    def __init__(self, shape: tuple[int, ...], placement: Placement, group: int) -> None:
        self._dense = Dense(shape, placement.dtype, placement.device)
        self._device, self._group = placement.device, group

    def put(self, first: int, last: int, rows: Tensor) -> None:
        """Store rows ``[first, last)`` without quantisation."""
        self._dense.put(first, last, rows)

    def finish(self) -> nn.Parameter:
        """Quantise and pack the complete matrix, and return the int4 parameter."""
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
    """Replace the int8 layers of a loaded model by `Int8Linear` on x86 processors."""
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
    """Linear layer with int8 weights and an integer product, as precise as bfloat16.

    Each input row is split into two int8 rows: a coarse row, and the remainder times 254. Together they have 16 bits
    relative to the row's maximum, while bfloat16 has 8 bits per element; bfloat16 is more precise only for elements a
    thousand times smaller than the maximum. Both rows use one integer product, which reads one byte per weight.
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
