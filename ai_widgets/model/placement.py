"""Choice of device and number format for a model, by hardware support and free memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import NotEnoughMemoryError, SettingError
from .machine import Hardware, Machine, gigabytes, look

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Supported number formats by name."""
QUANTIZE = ("int8", "int4")
"""Weight-only formats of the language model's matrices; see `quantise`."""

SMALL = 50_000_000
"""Number of parameters below which a step on the CPU uses one thread, because a second thread costs more than it saves:
two threads were measured to be 7× slower when another process uses one of the cores."""

LARGE = 500_000_000
"""Number of parameters from which a step on the CPU is limited by memory bandwidth, so that half the bytes take half
the time."""

CACHE_POSITIONS = 4096
"""Number of context positions whose KV cache is included in the memory need."""
MARGIN = {"cpu": 300_000_000, "cuda": 700_000_000, "mps": 700_000_000}
"""Memory in addition to weights and cache, in bytes: working space and the device's libraries."""
NOTHING_FITS = "No smaller number format fits either: close other programs, or use a machine with more memory"
"""End of the error message if no choice fits into the memory."""
GROUP = 128
"""Number of weights that share a scale in int4."""


@dataclass(frozen=True)
class Need:
    """Memory need of a model, as numbers of elements.

    Attributes
    ----------
    matrices
        Weights of the language model's linear layers, which `quantize` reduces.
    rows
        Rows of these matrices; each row has a scale in int8.
    head
        Weights of the output head, which int4 does not reduce; part of `matrices`.
    others
        All other parameters: embedding, norms, audio tower.
    cache_width
        Elements of the KV cache per position.
    """

    matrices: int
    rows: int
    head: int
    others: int
    cache_width: int

    @property
    def parameters(self) -> int:
        """Total number of parameters."""
        return self.matrices + self.others

    def weights(self, dtype: torch.dtype, quantize: str | None = None) -> int:
        """Compute the size of the weights, in bytes."""
        size = dtype.itemsize
        if quantize == "int8":
            return self.matrices + 4 * self.rows + self.others * size
        if quantize == "int4":
            small = self.matrices - self.head
            return small // 2 + small // GROUP * 2 * size + (self.head + self.others) * size
        return self.parameters * size

    def total(self, kind: str, dtype: torch.dtype, quantize: str | None = None) -> int:
        """Compute the size of weights, KV cache and working space on a kind of device, in bytes."""
        margin = MARGIN[kind] if self.parameters >= LARGE else 0
        return self.weights(dtype, quantize) + CACHE_POSITIONS * self.cache_width * dtype.itemsize + margin


@dataclass(frozen=True)
class Placement:
    """Device, dtype and quantisation of a model, and the reason of the choice (`why`)."""

    device: torch.device
    dtype: torch.dtype
    quantize: str | None = None
    why: str = ""

    def __str__(self) -> str:
        parts = [str(self.device), _name(self.dtype), *([self.quantize] if self.quantize else [])]
        return " · ".join(parts)

    @property
    def line(self) -> str:
        """Device, format and reason in one line."""
        return f"{self} ({self.why})" if self.why else str(self)


def choose(
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    quantize: str | None = None,
    need: Need | None = None,
    machine: Machine | None = None,
) -> Placement:
    """Resolve `device`, `dtype` and `quantize`.

    Parameters
    ----------
    device
        `auto`: the CUDA device with the most free memory, else Apple's mps, else the CPU; a device with too little
        memory is skipped. Or a device name of torch.
    dtype
        `auto`: on CUDA bfloat16 from compute capability 8, float16 below (a T4 reports bfloat16, but emulates it);
        on mps float16; on the CPU float32, but for large models bfloat16 if the processor has hardware support or
        float32 does not fit. Or a name of `DTYPES`, or a torch dtype.
    quantize
        `int8` or `int4`: store the language model's matrices in that format. None: do not quantise.
    need
        Memory need of the model; None skips the check of the memory.
    machine
        Available devices; this machine by default.

    Raises
    ------
    SettingError
        If a name is unknown, or the device is not available.
    NotEnoughMemoryError
        If no device has enough memory; the message names the need, the free memory and the choices that fit.
    """
    machine = look() if machine is None else machine
    _check_quantize(quantize)
    if device == "auto":
        candidates = [*sorted(machine.cuda, key=lambda one: -(one.free or 0)), machine.mps, machine.cpu]
        hardware = [one for one in candidates if one is not None]
    else:
        hardware = [_named(device, machine)]
    passed: list[str] = []
    for one in hardware:
        placed = _placed(one, dtype, quantize, need)
        if need is None or one.free is None or need.total(one.kind, placed.dtype, quantize) <= one.free:
            return replace(placed, why="; ".join([*passed, placed.why]).strip("; "))
        needed = gigabytes(need.total(one.kind, placed.dtype, quantize))
        passed.append(f"{one.device} has {gigabytes(one.free)} free of the {needed} needed")
    raise _shortage(need, dtype, quantize, hardware, machine)


def _placed(one: Hardware, dtype: Any, quantize: str | None, need: Need | None) -> Placement:
    chosen, why = _dtype(dtype, one, need)
    if quantize == "int4" and one.kind == "mps":
        raise SettingError("quantize 'int4' is not available on mps; use int8 or none.")
    if quantize == "int4" and one.kind == "cuda" and not (one.bfloat16 and chosen == torch.bfloat16):
        raise SettingError("quantize 'int4' on CUDA needs bfloat16 and compute capability 8 or more; use int8 or none.")
    return Placement(one.device, chosen, quantize, why)


def _check_quantize(quantize: Any) -> None:
    if quantize is not None and quantize not in QUANTIZE:
        raise SettingError(f"quantize {quantize!r} is unknown; use {' or '.join(QUANTIZE)}, or leave it out.")


def _named(device: Any, machine: Machine) -> Hardware:
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise SettingError(f"device {device!r} is unknown; use auto, cpu, cuda, cuda:0 or mps.") from error
    if chosen.type not in ("cpu", "cuda", "mps"):
        raise SettingError(f"device {str(device)!r} is not supported; use auto, cpu, cuda, cuda:0 or mps.")
    if chosen.type == "cuda" and not machine.cuda:
        raise SettingError(
            f"device {str(device)!r} was asked for, but torch sees no CUDA device here; use cpu or auto."
        )
    if chosen.type == "mps" and machine.mps is None:
        raise SettingError("device 'mps' was asked for, but torch sees no Apple GPU here; use cpu or auto.")
    found = machine.find(chosen)
    if found is None:
        raise SettingError(f"device {str(device)!r} does not exist: torch sees {len(machine.cuda)} CUDA devices.")
    return found


def _dtype(dtype: Any, one: Hardware, need: Need | None) -> tuple[torch.dtype, str]:
    """Resolve the dtype; the second value is the reason of an automatic choice."""
    if dtype == "auto":
        return _best_dtype(one, need)
    if isinstance(dtype, str):
        if dtype.removeprefix("torch.") not in DTYPES:
            raise SettingError(f"dtype {dtype!r} is unknown; use auto, {', '.join(DTYPES)}.")
        dtype = DTYPES[dtype.removeprefix("torch.")]
    if dtype not in DTYPES.values():
        raise SettingError(f"dtype {dtype} is not supported; use auto, {', '.join(DTYPES)}.")
    if dtype == torch.bfloat16 and one.kind == "mps":
        raise SettingError("dtype bfloat16 is not supported on mps; use float16 or float32.")
    return dtype, ""


def _best_dtype(one: Hardware, need: Need | None) -> tuple[torch.dtype, str]:
    if one.kind == "mps":
        return torch.float16, one.name
    if one.kind == "cuda":
        capability = ".".join(map(str, one.capability or ()))
        if one.bfloat16:
            return torch.bfloat16, f"{one.name}, compute capability {capability}"
        return torch.float16, f"{one.name} emulates bfloat16: compute capability {capability}"
    if need is None or need.parameters < LARGE:
        return torch.float32, ""
    if one.bfloat16:
        return torch.bfloat16, "the processor has bfloat16 in hardware"
    if one.free is not None and need.total("cpu", torch.float32) > one.free:
        return torch.bfloat16, f"float32 does not fit into {gigabytes(one.free)}"
    return torch.float32, "the processor has no bfloat16 in hardware"


def _shortage(
    need: Need | None, dtype: Any, quantize: str | None, hardware: list[Hardware], machine: Machine
) -> NotEnoughMemoryError:
    """Build the error: memory need, free memory, and the choices that fit."""
    if need is None or not hardware:  # nothing was measured, so nothing can be short
        raise SettingError("No device was found; use device='cpu'.")
    one = hardware[0]
    chosen = _placed(one, dtype, quantize, need)
    cache = need.total(one.kind, chosen.dtype, quantize) - need.weights(chosen.dtype, quantize)
    there = f"{gigabytes(one.free or 0)} are free" + (f" of {gigabytes(one.total)}" if one.total else "")
    ways = _ways(need, chosen, hardware, machine)
    what = " · ".join([_name(chosen.dtype), *([quantize] if quantize else [])])
    return NotEnoughMemoryError(
        f"The model needs {gigabytes(need.total(one.kind, chosen.dtype, quantize))} on {one.device} as {what} (weights "
        f"{gigabytes(need.weights(chosen.dtype, quantize))}, cache and working space {gigabytes(cache)}), but {there}. "
        f"{'What would fit: ' + '; '.join(ways) if ways else NOTHING_FITS}."
    )


def _ways(need: Need, chosen: Placement, hardware: list[Hardware], machine: Machine) -> list[str]:
    """List the choices that fit into this machine's memory, the closest to the request first."""
    ways: list[str] = []
    for one in dict.fromkeys([*hardware, *machine.cuda, *([machine.mps] if machine.mps else []), machine.cpu]):
        best, _ = _best_dtype(one, need)
        half = best if best.itemsize == 2 else torch.bfloat16
        for quantize in (None, *QUANTIZE):
            if quantize == "int4" and (one.kind == "mps" or (one.kind == "cuda" and not one.bfloat16)):
                continue
            size = need.total(one.kind, half, quantize)
            if one.free is None or size > one.free or (one.device, half, quantize) == _key(chosen):
                continue
            words = [
                f"device='{one.device}'",
                f"dtype='{_name(half)}'",
                *([f"quantize='{quantize}'"] if quantize else []),
            ]
            ways.append(f"{', '.join(words)} ({gigabytes(size)} of {gigabytes(one.free)})")
            break
    return ways


def _key(chosen: Placement) -> tuple[torch.device, torch.dtype, str | None]:
    return chosen.device, chosen.dtype, chosen.quantize


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def threads_for(parameters: int, device: torch.device) -> int | None:
    """Choose the number of torch's intra-op threads; None keeps torch's default."""
    return 1 if device.type == "cpu" and parameters < SMALL else None
