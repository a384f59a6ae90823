"""`Linear`: a linear layer that multiplies many rows by the faster of torch's two libraries.

torch multiplies float32 matrices with Intel's MKL, which does not use the AVX-512 units of AMD processors. oneDNN, with
which torch multiplies bfloat16, does: 230 GFLOP/s in place of 112 on one thread (EPYC, 208 rows). It pays from some
tens of rows on, that is for the sessions of a common pass and the chunks of a clip. The step of one session has 13 rows
or one, and uses torch's own function everywhere.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MANY_ROWS = 64
"""Number of rows from which on oneDNN multiplies: at 13 rows MKL is faster in small layers, at 104 oneDNN in all."""


def is_amd() -> bool:
    """Return whether the processor is made by AMD."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "AuthenticAMD" in platform.processor()


def onednn_product(amd: Callable[[], bool] = is_amd) -> Callable[..., Any] | None:
    """Return oneDNN's product of rows, weight and bias where it is faster than MKL's, else None."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not amd():
        return None
    # Absent in a torch that was built without oneDNN.
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return None
    product: Callable[..., Any] = torch.ops.mkldnn._linear_pointwise.default
    return product


_PRODUCT = onednn_product()


class Linear(nn.Linear):
    """Linear layer of a loaded model; equal to torch's except for rounding.

    Only in inference mode, so that graphs that are traced for an export keep torch's own operations.
    """

    def forward(self, hidden: Tensor) -> Tensor:
        weight = self.weight
        if (
            _PRODUCT is not None
            and hidden.numel() >= MANY_ROWS * self.in_features
            and hidden.dtype is torch.float32
            and torch.is_inference_mode_enabled()
            and type(weight) is nn.Parameter
            and weight.dtype is torch.float32
            and weight.device.type == "cpu"
        ):
            result: Tensor = _PRODUCT(hidden, weight, self.bias, "none", [], "")
            return result
        return super().forward(hidden)
