"""Checks of the machine: torch, its devices, and whether the asked checkpoint fits into the memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AiWidgetsError, NotEnoughMemoryError
from .finding import Finding, Surroundings

if TYPE_CHECKING:
    from ...model.placement import Need

PUBLISHED_BYTES = 7_500_000_000
"""Memory of the published checkpoint in a 16-bit format, in bytes: 3.4 billion parameters, cache and working space.
Assumed for a checkpoint of the hub, whose files may not be here yet."""
HARDWARE = "docs/hardware.md"


def devices(around: Surroundings) -> Iterator[Finding]:
    """Import torch, list the devices, and place the asked checkpoint on one of them."""
    try:
        import torch
    except (ImportError, OSError) as error:
        advice = "Install it as pytorch.org/get-started says for this system, then run this command again."
        yield Finding("torch", "fault", f"cannot be imported ({error})", advice)
        return
    yield from _torch(torch.__version__, torch.version.cuda, around)
    machine = around.machine()
    from ...model.machine import gigabytes

    for one in [machine.cpu, *machine.cuda, *([machine.mps] if machine.mps else [])]:
        free = "unknown memory" if one.free is None else f"{gigabytes(one.free)} free"
        cores = f", {os.cpu_count()} cores" if one.kind == "cpu" else ""
        bfloat16 = "bfloat16 in hardware" if one.bfloat16 else "no bfloat16 in hardware"
        yield Finding(str(one.device), "ok", f"{one.name}, {free}{cores}, {bfloat16}")
    yield from _placement(around)


def _torch(version: str, cuda: str | None, around: Surroundings) -> Iterator[Finding]:
    if cuda is None and around.nvidia():
        found = f"{version} is built without CUDA, although this machine has an NVIDIA driver"
        advice = "Install a build with CUDA (pytorch.org/get-started), so that the GPU is used."
        yield Finding("torch", "fault" if around.asked.device.startswith("cuda") else "note", found, advice)
    else:
        yield Finding("torch", "ok", f"{version}, {'no CUDA' if cuda is None else f'CUDA {cuda}'}")


def _placement(around: Surroundings) -> Iterator[Finding]:
    """Choose a device as loading would, without reading weights."""
    from ...model.placement import choose

    asked = around.asked
    if asked.quantize is not None and around.version("torchao") is None:
        advice = "Install it: pip install 'ai_widgets[quant]'; or leave --quantize out."
        yield Finding("quantize", "fault", f"{asked.quantize} weights need torchao, which is not installed", advice)
    try:
        need = None if asked.of_hub else _need(asked.checkpoint)
        placed = choose(asked.device, asked.dtype, asked.quantize, need, around.machine())
    except NotEnoughMemoryError as error:
        advice = f"Close other programs, or choose what fits; what each machine can run: {HARDWARE}."
        yield Finding("memory", "fault", str(error).rstrip("."), advice)
        return
    except AiWidgetsError as error:
        yield Finding("model", "fault", str(error).rstrip("."), "Correct the option, or the folder, and try again.")
        return
    yield Finding("model", "ok", f"{asked.checkpoint} runs on {placed.line}")
    if asked.of_hub:
        yield from _published(around, placed.device.type)


def _published(around: Surroundings, kind: str) -> Iterator[Finding]:
    from ...model.machine import gigabytes

    machine = around.machine()
    ones = [one for one in (machine.cpu, *machine.cuda, machine.mps) if one is not None and one.kind == kind]
    free = max((one.free or 0 for one in ones), default=0)
    if 0 < free < PUBLISHED_BYTES:
        found = f"{gigabytes(free)} are free on {kind}; the published checkpoint needs {gigabytes(PUBLISHED_BYTES)}"
        advice = f"Close other programs, or load it with quantize='int8' or 'int4' ({HARDWARE})."
        yield Finding("memory", "fault", f"{found} in a 16-bit format", advice)
    else:
        yield Finding("memory", "ok", f"enough for the published checkpoint ({gigabytes(PUBLISHED_BYTES)})")


def _need(checkpoint: str) -> Need:
    from ...model.checkpoint import open_parts
    from ...model.hub import locate
    from ...model.skeleton import need_of

    folder, _ = locate(Path(checkpoint) if checkpoint != "tiny" else checkpoint, bar=False)
    parts = open_parts(folder)
    return need_of(parts.language_model, parts.tower)
