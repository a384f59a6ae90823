"""Which device and number format a model gets, decided by what the hardware really does well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import SettingError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

SMALL = 50_000_000
"""Parameters below which a step on the CPU is so short that waking a second thread costs more than it saves: measured
7× slower with two threads as soon as another process uses one of the cores."""


@dataclass(frozen=True)
class Placement:
    """Where a model lives: `device` and the `dtype` of its weights."""

    device: torch.device
    dtype: torch.dtype

    def __str__(self) -> str:
        return f"{self.device} · {str(self.dtype).removeprefix('torch.')}"


def choose(device: str | torch.device = "auto", dtype: str | torch.dtype = "auto") -> Placement:
    """Resolve `device` and `dtype`.

    Parameters
    ----------
    device
        `auto` (CUDA, else Apple's mps, else CPU), or any name that torch knows.
    dtype
        `auto`: float32 on the CPU; float16 on CUDA below compute capability 8 (a T4 claims bfloat16 and emulates it
        slowly) and on mps; bfloat16 above. Or a name of `DTYPES`, or a torch dtype.

    Raises
    ------
    SettingError
        A device that is not there, or an unknown name.
    """
    chosen = _device(device)
    return Placement(chosen, _dtype(dtype, chosen))


def _device(device: str | torch.device) -> torch.device:
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise SettingError(f"device {device!r} is unknown; use auto, cpu, cuda, cuda:0 or mps.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            f"device {str(device)!r} was asked for, but torch sees no CUDA device here; use cpu or auto."
        )
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise SettingError(
            f"device {str(device)!r} does not exist: torch sees {torch.cuda.device_count()} CUDA devices."
        )
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise SettingError("device 'mps' was asked for, but torch sees no Apple GPU here; use cpu or auto.")
    if chosen.type not in ("cpu", "cuda", "mps"):
        raise SettingError(f"device {str(device)!r} is not supported; use auto, cpu, cuda, cuda:0 or mps.")
    return chosen


def _dtype(dtype: Any, device: torch.device) -> torch.dtype:
    if dtype == "auto":
        if device.type == "cpu":
            return torch.float32
        if device.type == "mps":
            return torch.float16
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    if isinstance(dtype, str):
        if dtype.removeprefix("torch.") not in DTYPES:
            raise SettingError(f"dtype {dtype!r} is unknown; use auto, {', '.join(DTYPES)}.")
        dtype = DTYPES[dtype.removeprefix("torch.")]
    if dtype not in DTYPES.values():
        raise SettingError(f"dtype {dtype} is not supported; use auto, {', '.join(DTYPES)}.")
    if dtype == torch.bfloat16 and device.type == "mps":
        raise SettingError("dtype bfloat16 is not supported on mps; use float16 or float32.")
    chosen: torch.dtype = dtype
    return chosen


def threads_for(parameters: int, device: torch.device) -> int | None:
    """Threads that torch should use inside one operation; None leaves torch's own choice."""
    return 1 if device.type == "cpu" and parameters < SMALL else None


@contextmanager
def intra_op_threads(count: int | None) -> Iterator[None]:
    """Run a block with `count` torch threads, then restore what was set before."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
