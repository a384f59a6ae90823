"""Load and measure a checkpoint of the published sizes: ``python -m ai_widgets.cli.bench.rehearsal DIR``.

Writes random weights in the release's layout (16 GB); measures loading against reading the files, resident memory, and
the time of a chunk and of a token against the machine's memory and compute rates; converts the checkpoint and loads the
result; then deletes all files. Every load runs in a separate process, to measure its peak memory alone. `--small` tests
the script with tiny sizes.

`--device cuda` measures an accelerator instead, in one process, and prints one JSON line after each stage; see
`rehearsal_device`. With enough main memory, DIR in `/dev/shm` needs no disk.

Times are given twice: as wall-clock time, and as processor time ÷ threads, which on the CPU is the wall-clock time of
an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import AiWidgetsError, SettingError
from ...inference import load_model
from ...model.checkpoint import open_parts
from ...model.convert import convert
from ...model.machine import gigabytes, host_memory
from ...model.skeleton import need_of
from ...model.weights import TOWER_FILES
from ...training.child_process import output_of
from .batch import batch_figures
from .rehearsal_device import FORMATS as DEVICE_FORMATS
from .rehearsal_device import rehearse_on
from .rehearsal_files import RELEASE, SMALL, release_in, write_release
from .rehearsal_steps import clock, difference, measure_steps, since

FORMATS = ("bfloat16", "bfloat16+int8", "bfloat16+int4")
BLOCK = 16 * 2**20
"""Bytes that are read at a time from the weight files: large enough for a disk's full rate."""
ROUNDS = 5
"""Repetitions of each measured step; the median is reported."""
SPARE = 1_000_000_000
"""Bytes of memory that must stay free for other processes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurements, print one JSON object, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.cli.bench.rehearsal", description=__doc__)
    parser.add_argument("folder", type=Path, help="empty folder for 25 GB of temporary files")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to test the script")
    parser.add_argument("--device", help="measure on this device, such as cuda, in one process")
    parser.add_argument("--formats", nargs="+", help=f"{', '.join(FORMATS)}; with --device {', '.join(DEVICE_FORMATS)}")
    parser.add_argument("--within", type=float, help="with --device: begin no stage after this number of seconds")
    parser.add_argument("--keep", action="store_true", help="keep the files, to use them again next time")
    parser.add_argument("--measure", choices=(*FORMATS, "convert"), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    try:
        if given.measure:
            work = measure_convert if given.measure == "convert" else measure
            print(json.dumps(work(given.folder, given.measure)))
            return 0
        sizes = SMALL if given.small else RELEASE
        if given.device:
            formats = _known(given.formats, DEVICE_FORMATS)
            done = rehearse_on(given.folder, given.device, sizes, formats, keep=given.keep, within=given.within)
            return 0 if done else 1
        figures = rehearse(given.folder, sizes, _known(given.formats or FORMATS[:2], FORMATS), given.keep)
    except AiWidgetsError as error:
        print(f"rehearsal: {error}", file=sys.stderr)
        return 2
    print(json.dumps(figures, indent=1))
    return 0


def _known(formats: Sequence[str] | None, allowed: Collection[str]) -> Sequence[str]:
    """Return the formats, by default all that are allowed; `SettingError` for another one."""
    for name in formats or ():
        if name not in allowed:
            raise SettingError(f"--formats {name!r} cannot be measured here; use one of {', '.join(allowed)}.")
    return formats or tuple(allowed)


def rehearse(folder: Path, sizes: dict[str, Any], formats: Sequence[str], keep: bool = False) -> dict[str, Any]:
    """Measure all figures, by name, and empty the folder afterwards unless `keep`."""
    source, converted = release_in(folder), folder / "converted"
    figures: dict[str, Any] = {"machine": rates()}
    try:
        start = clock()
        if not source.exists():
            _say("writing")
            write_release(source, sizes)
        figures["written"] = {"bytes": _size(source), "seconds": round(since(start)[0], 1)}
        figures["reading"] = read_cold(source)
        for how in formats:
            _say(f"loading as {how}")
            figures[f"load as {how}"] = _apart(source, how)
        figures["logits against bfloat16"] = {
            how: _apart_from(source, how) for how in formats[1:] if _logits(source, how).exists()
        }
        _forget(source)
        _say("converting")
        figures["convert to bfloat16"] = _run(source, "convert")
        figures["reading the converted"] = read_cold(converted)
        figures["load the converted as bfloat16"] = _apart(converted, "bfloat16")
    finally:
        if not keep:
            shutil.rmtree(source, ignore_errors=True)
        shutil.rmtree(converted, ignore_errors=True)
    return figures


def _say(words: str) -> None:
    print(f"rehearsal: {words}", file=sys.stderr, flush=True)


def _shortage(folder: Path, how: str) -> str | None:
    """Return why a format cannot be measured now, such as too little free memory, or None."""
    parts = open_parts(folder)
    needed = need_of(parts.language_model, parts.tower).total("cpu", torch.bfloat16, _quantize(how)) + SPARE
    free, _ = host_memory()
    return None if free is None or free >= needed else f"{gigabytes(needed)} needed, {gigabytes(free)} free"


def _quantize(how: str) -> str | None:
    return how.partition("+")[2] or None


def _logits(folder: Path, how: str) -> Path:
    return folder / f"logits-{how}.npy"


def _apart(folder: Path, how: str) -> dict[str, Any]:
    """Run `measure` in a new process, where there is enough free memory."""
    shortage = _shortage(folder, how)
    if shortage is not None:
        _say(f"{how} is left out: {shortage}")
        return {"left out": shortage}
    return _run(folder, how)


def _run(folder: Path, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "ai_widgets.cli.bench.rehearsal", str(folder), "--measure", how]
    printed = output_of(command, f"Measuring {how}").decode()
    values: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return values


def measure(folder: Path, how: str) -> dict[str, Any]:
    """Load with an empty file cache and measure; return the figures of this process."""
    _forget(folder)
    quantize = _quantize(how)
    parts = open_parts(folder)
    need = need_of(parts.language_model, parts.tower)
    before = _status("VmHWM:")
    start = clock()
    model = load_model(folder, "cpu", "bfloat16", quantize=quantize, progress=False)
    wall, busy = since(start)
    peak = _status("VmHWM:")
    halves = need.weights(torch.bfloat16)
    with model.computing():
        steps, logits = measure_steps(model, ROUNDS)
        batch = batch_figures(model)
    np.save(_logits(folder, how), logits.numpy())
    return {
        "placement": str(model.placement),
        "load_s": round(wall, 1),
        "load_busy_s": round(busy, 1),
        "peak_bytes": peak,
        "libraries_bytes": before,
        "peak ÷ 16-bit weights and tower": round(peak / halves, 3),
        **steps,
        "together": batch,
        "weights_bytes": need.weights(torch.bfloat16, quantize),
        "machine now": rates(),
    }


def measure_convert(source: Path, _: str) -> dict[str, Any]:
    """Convert to bfloat16 beside the source; return the figures of this process."""
    start, target = clock(), source.parent / "converted"
    convert(source, target, "bfloat16", progress=False)
    wall, busy = since(start)
    return {
        "bytes": _size(target),
        "seconds": round(wall, 1),
        "busy_s": round(busy, 1),
        "peak_bytes": _status("VmHWM:"),
    }


def _apart_from(folder: Path, how: str) -> dict[str, float]:
    """Compute the difference between the logits of a format and those of bfloat16, over the measured steps."""
    if not _logits(folder, FORMATS[0]).exists():
        return {}
    first, second = (np.load(_logits(folder, name)) for name in (FORMATS[0], how))
    return difference(torch.from_numpy(first), torch.from_numpy(second))


def rates() -> dict[str, float]:
    """Measure the machine's current rates: memory bytes per second, bfloat16 operations per second in products."""
    there = torch.ones(2**26)
    left, right = torch.randn(1024, 2048).bfloat16(), torch.randn(2048, 2048).bfloat16()
    with torch.inference_mode():
        reading = min(_seconds(lambda: there.sum()) for _ in range(7))
        product = min(_seconds(lambda: left @ right.t()) for _ in range(7))
    return {
        "threads": torch.get_num_threads(),
        "memory_GB_per_s": round(there.nbytes / reading / 1e9, 1),
        "bfloat16_GFLOP_per_s": round(2 * left.numel() * right.shape[0] / product / 1e9, 1),
    }


def _seconds(work: Any) -> float:
    """Measure the processor time of a call ÷ threads."""
    start = clock()
    work()
    return since(start)[1]


def read_cold(folder: Path) -> dict[str, float]:
    """Measure the seconds of reading all weight files from the disk."""
    _forget(folder)
    buffer = bytearray(BLOCK)
    start, count = clock(), 0
    for path in _weights(folder):
        with path.open("rb", buffering=0) as file:
            while read := file.readinto(buffer):
                count += read
    wall, busy = since(start)
    return {"bytes": count, "seconds": round(wall, 1), "busy_s": round(busy, 1)}


def _weights(folder: Path) -> list[Path]:
    """List the files that loading reads."""
    tower = next(folder / name for name in TOWER_FILES if (folder / name).exists())
    return [*sorted(folder.glob("model*.safetensors")), tower]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _weights(folder))


def _forget(folder: Path) -> None:
    """Evict the files from the system's cache, so that reading accesses the disk."""
    for path in _weights(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _status(name: str) -> int:
    """Return the bytes in a line of the process's status; 0 where the system has no such status."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    sys.exit(main())
