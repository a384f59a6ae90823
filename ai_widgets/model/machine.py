"""Hardware of this machine: devices, free memory, and number formats with hardware support."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..errors import NotEnoughMemoryError

AMPERE = 8
"""CUDA compute capability from which bfloat16 is computed in hardware. A T4 (7.5) reports support, but emulates."""
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
"""Texts in lower case by which an out-of-memory error of torch or the system is recognised."""
CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "inactive_file"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Files of a container's memory limit, its usage and its statistics, and the field of the file cache in the statistics;
for cgroup versions 2 and 1."""


@dataclass(frozen=True)
class Hardware:
    """Device of this machine.

    Attributes
    ----------
    kind
        `cuda`, `mps` or `cpu`.
    name
        Product name.
    free, total
        Free and total memory, in bytes; None if unknown.
    bfloat16
        Whether bfloat16 is computed in hardware.
    index
        Index of a CUDA device; None for other devices.
    capability
        CUDA compute capability; None for other devices.
    """

    kind: str
    name: str
    free: int | None
    total: int | None
    bfloat16: bool
    index: int | None = None
    capability: tuple[int, int] | None = None

    @property
    def device(self) -> torch.device:
        """Device of torch."""
        return torch.device(self.kind) if self.index is None else torch.device(self.kind, self.index)


@dataclass(frozen=True)
class Machine:
    """Devices of this machine."""

    cpu: Hardware
    cuda: tuple[Hardware, ...] = ()
    mps: Hardware | None = None

    def find(self, device: torch.device) -> Hardware | None:
        """Return the hardware of a torch device, or None; `cuda` without an index is the current CUDA device."""
        if device.type == "cpu":
            return self.cpu
        if device.type == "mps":
            return self.mps
        place = device.index if str(device) != "cuda" else torch.cuda.current_device()
        return self.cuda[place] if device.type == "cuda" and place < len(self.cuda) else None


def with_free(machine: Machine, device: torch.device, size: int) -> Machine:
    """Return the machine with `size` more free bytes on a device."""

    def freed(one: Hardware) -> Hardware:
        return replace(one, free=one.free + size) if one.device == device and one.free is not None else one

    mps = None if machine.mps is None else freed(machine.mps)
    return Machine(freed(machine.cpu), tuple(map(freed, machine.cuda)), mps)


def look() -> Machine:
    """Query the devices of this machine."""
    cuda: tuple[Hardware, ...] = ()
    if torch.cuda.is_available():
        cuda = tuple(_cuda(index) for index in range(torch.cuda.device_count()))
    return Machine(_cpu(), cuda, _mps() if torch.backends.mps.is_available() else None)


def _cuda(index: int) -> Hardware:
    capability = torch.cuda.get_device_capability(index)
    free, total = torch.cuda.mem_get_info(index)
    name = torch.cuda.get_device_name(index)
    return Hardware("cuda", name, free, total, capability[0] >= AMPERE, index, capability)


def _mps() -> Hardware:
    total = int(torch.mps.recommended_max_memory())
    free = max(0, total - int(torch.mps.driver_allocated_memory()))
    # The GPU shares the main memory, so that memory of other programs is not free.
    host, _ = host_memory()
    return Hardware("mps", "Apple GPU", free if host is None else min(free, host), total, False)


def _cpu() -> Hardware:
    free, total = host_memory()
    return Hardware("cpu", platform.processor() or platform.machine(), free, total, _cpu_bfloat16())


def _cpu_bfloat16() -> bool:
    """Return whether the processor computes bfloat16 in hardware (AMX, AVX-512 BF16, ARM's BF16 extension)."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if capabilities:
        return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16", "arm_bf16"))
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch before it listed capabilities
    return bool(probe()) if probe is not None else False


def host_memory() -> tuple[int | None, int | None]:
    """Return free and total main memory in bytes, within a container's limit; None if unknown."""
    free, total = _system_memory()
    for limit_file, used_file, stat_file, cached in CGROUPS:
        limit, used = _number(limit_file), _number(used_file)
        # Version 1 expresses "no limit" by a number beyond any memory.
        if limit is None or used is None or (total is not None and limit >= total):
            continue
        left = limit - used + _field(stat_file, cached)
        return max(0, left if free is None else min(free, left)), limit
    return free, total


def _system_memory() -> tuple[int | None, int | None]:
    free, total = _field("/proc/meminfo", "MemAvailable:"), _field("/proc/meminfo", "MemTotal:")
    if total:
        return free * 1024, total * 1024
    try:
        import psutil  # comes with ipykernel
    except ImportError:
        return None, None
    memory = psutil.virtual_memory()
    return int(memory.available), int(memory.total)


def _number(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _field(path: str, name: str) -> int:
    """Return the number after a name in a file of lines; 0 if the name is missing."""
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def gigabytes(count: float) -> str:
    """Format a number of bytes as GB or MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


@contextmanager
def memory_named(what: str) -> Iterator[None]:
    """Convert an out-of-memory error of a block to a `NotEnoughMemoryError`.

    Parameters
    ----------
    what
        Description of the block, such as "Loading tiny on cpu"; it begins the message.

    Raises
    ------
    NotEnoughMemoryError
        If the block runs out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, NotEnoughMemoryError):
            raise
        said = str(error).lower()
        if not isinstance(error, MemoryError) and not any(words in said for words in OUT_OF_MEMORY):
            raise
        raise NotEnoughMemoryError(
            f"{what} ran out of memory. Close other programs, or choose a smaller dtype or quantize."
        ) from error
