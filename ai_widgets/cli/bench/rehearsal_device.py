"""Measure an accelerator with a checkpoint of the release's sizes and with the embedded checkpoint.

All stages run in one process, because each start of CUDA takes seconds. One JSON line is printed after each stage, so
that a run that is ended early keeps its figures; a stage that fails is a line with its error, and the others go on.
"""

from __future__ import annotations

import gc
import json
import shutil
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import torch
from torch import Tensor

from ...errors import AiWidgetsError
from ...inference import Model, load_model
from ...model.machine import look
from ...model.placement import choose
from .batch import batch_figures, wait
from .rehearsal_embedded import embedded_stages
from .rehearsal_files import release_in, write_release
from .rehearsal_steps import difference, exact_convolutions, measure_steps, same_decision

FORMATS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "bfloat16": {"dtype": "bfloat16"},
    "float16": {"dtype": "float16"},
    "bfloat16 compiled": {"dtype": "bfloat16", "compiled": True},
    "bfloat16+int8": {"dtype": "bfloat16", "quantize": "int8"},
}
"""Measured formats, in order, as arguments of `load_model`. The logits of float32 are the reference of the others."""
REFERENCE = "float32"
"""Format whose logits the others are compared with."""
FULL = "bfloat16"
"""Format, the one that `auto` chooses on recent devices, in which other attention and several sessions are measured."""
ROUNDS, WARM_UP = 20, 5
"""Measured repetitions of each step, and repetitions before them."""


def rehearse_on(
    folder: Path,
    device: str,
    sizes: dict[str, Any],
    formats: Sequence[str] = tuple(FORMATS),
    *,
    keep: bool = False,
    within: float | None = None,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> bool:
    """Run all stages on a device, and delete the files afterwards unless `keep`.

    Parameters
    ----------
    folder
        Folder for the checkpoint: new, or left by a run with `keep`.
    device
        Device of torch, such as `cuda`.
    sizes
        `rehearsal_files.RELEASE` or `SMALL`.
    formats
        Names in `FORMATS`.
    within
        Seconds after which no stage begins; None for no limit. A stage that has begun is completed.
    tell
        Receives the figures of each stage, with its name as `stage` and its duration as `stage_s`; by default they are
        printed as a JSON line.

    Returns
    -------
    bool
        Whether no stage failed; one that was left out, such as for a missing library, did not fail.

    Raises
    ------
    CheckpointError
        If the folder holds other files.
    SettingError
        If the device is unknown or not available.
    """
    source, began = release_in(folder), perf_counter()
    tell = tell or _print
    tell({"stage": "machine", **machine(device)})
    logits: dict[str, Tensor] = {}
    failed = False
    of_formats = [(name, partial(measure_format, source, device, name, logits)) for name in formats]
    # Compiling takes longest and depends on the machine's compiler, so that it comes last.
    late = [stage for stage in of_formats if FORMATS[stage[0]].get("compiled")]
    stages: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("write", partial(_write, source, sizes)),
        *(stage for stage in of_formats if stage not in late),
        *embedded_stages(device),
        *late,
    ]
    try:
        for name, work in stages:
            start = perf_counter()
            if within is not None and start - began > within:
                figures: dict[str, Any] = {"left out": f"{within:g} s had passed before this stage."}
            else:
                figures = _attempt(work)
            failed |= "failed" in figures
            tell({"stage": name, **figures, "stage_s": round(perf_counter() - start, 2)})
    finally:
        if not keep:
            shutil.rmtree(source, ignore_errors=True)
    return not failed


def _print(figures: dict[str, Any]) -> None:
    print(json.dumps(figures, ensure_ascii=False), flush=True)


def _attempt(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of a stage, or the reason why it has none."""
    try:
        return work()
    except AiWidgetsError as error:
        return {"left out": str(error)}
    except Exception as error:  # noqa: BLE001 - the figures of the other stages are worth a run
        return {"failed": "".join(traceback.format_exception(error))}


def machine(device: str) -> dict[str, Any]:
    """Describe a device; `SettingError` if it is not available."""
    place, cudnn = choose(device).device, cast(Any, torch.backends.cudnn)
    found = look().find(place)
    return {
        "device": str(place),
        "name": found.name if found else "",
        "memory_bytes": found.total if found else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": cudnn.version(),
        "threads": torch.get_num_threads(),
    }


def _write(source: Path, sizes: dict[str, Any]) -> dict[str, Any]:
    kept = source.exists()
    if not kept:
        write_release(source, sizes)
    return {"kept from an earlier run": kept, "bytes": sum(path.stat().st_size for path in source.glob("*"))}


def measure_format(source: Path, device: str, name: str, logits: dict[str, Tensor]) -> dict[str, Any]:
    """Load a checkpoint in one format, and measure its load, its memory, its steps and its logits.

    Parameters
    ----------
    source
        Checkpoint.
    device
        Device of torch.
    name
        Name in `FORMATS`.
    logits
        Logits by format, to which those of this format are added; the reference is looked up in it.
    """
    _free(device)
    start = perf_counter()
    model = load_model(source, device, **FORMATS[name], progress=False)
    wait(model.placement.device)
    figures: dict[str, Any] = {"placement": str(model.placement), "load_s": round(perf_counter() - start, 2)}
    figures |= _peak(model, "load_peak_bytes")
    if FORMATS[name].get("compiled"):
        layers: Any = model.decoder.model.model.layers
        figures["compiled"] = layers[0].mlp._compiled_call_impl is not None
    with model.computing(), exact_convolutions():
        steps, found = measure_steps(model, ROUNDS, WARM_UP)
    figures |= {**steps, **_peak(model, "peak_bytes"), "finite": bool(found.isfinite().all())}
    logits[name] = found
    reference = logits.get(REFERENCE)
    if name != REFERENCE and reference is not None:
        figures[f"against {REFERENCE}"] = {
            **difference(reference, found),
            "same_decision": same_decision(reference, found, model),
        }
    if name == FULL:
        figures["together"] = _attempt(partial(batch_figures, model))
    return figures


def _free(device: str) -> None:
    """Release the memory of the models that are no longer in use, and begin a new peak."""
    gc.collect()
    if torch.device(device).type == "cuda":
        # Also initialises CUDA, which the next calls need.
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(model: Model, name: str) -> dict[str, int]:
    """Return the most bytes that torch has allocated on a CUDA device, by name; nothing for other devices."""
    device = model.placement.device
    return {name: torch.cuda.max_memory_allocated(device)} if device.type == "cuda" else {}
