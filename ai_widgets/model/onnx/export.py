"""Export of a checkpoint for engines without torch: two ONNX graphs and a manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...errors import ExportError
from ..decoder import Decoder
from ..encoder import Encoder
from ..interfaces import LanguageModel
from ..tower import AudioTower
from .check import TOLERANCE, compare
from .graphs import require_onnx, step_graph, tower_graph
from .manifest import FILE, STEP_FILE, TOWER_FILE, manifest
from .weights import store_as_float16

if TYPE_CHECKING:
    from onnx import ModelProto

STEPS = 3
"""Steps of an export, of some seconds each for the embedded checkpoint."""
MOST_PARAMETERS = 100_000_000
"""Largest number of weights that are exported. A browser downloads them as float16 or float32 and computes on one core:
100 million take 200 to 400 MB and about 0.5 s a chunk, longer than the chunk."""


def export(model: LanguageModel, step_done: Callable[[], object] | None = None) -> dict[str, bytes]:
    """Export a model, and compare it with torch.

    Parameters
    ----------
    model
        `inference.Model` on any device, in any number format but quantised; the graphs compute in float32.
    step_done
        Called after each of the `STEPS` steps: the tower's graph, the language model's, the comparison.

    Returns
    -------
    dict of str and bytes
        Content of `manifest.json`, `tower.onnx` and `step.onnx` by file name.

    Raises
    ------
    ExportError
        If the model is too large or quantised, has another tokenizer than byte-level BPE, or if the graphs compute
        something else than torch.
    MissingPackageError
        If the packages of the extra `page` are not installed.

    Examples
    --------
    >>> files = export(load_model("tiny"))
    >>> sorted(files)
    ['manifest.json', 'step.onnx', 'tower.onnx']
    """
    require_onnx()
    tower, decoder = _parts(model)
    facts: dict[str, Any] = {}
    content: dict[str, bytes] = {}
    told = step_done or (lambda: None)
    graphs: tuple[tuple[str, str, Callable[[], ModelProto]], ...] = (
        ("tower", TOWER_FILE, lambda: tower_graph(tower)),
        ("step", STEP_FILE, lambda: step_graph(decoder.model)),
    )
    for part, file, make in graphs:
        graph = make()
        share = store_as_float16(graph)
        content[file] = graph.SerializeToString(deterministic=True)
        digest = hashlib.sha256(content[file]).hexdigest()
        facts[part] = {"file": file, "bytes": len(content[file]), "sha256": digest, "float16": round(share, 4)}
        told()
    found = compare(tower, decoder, content[TOWER_FILE], content[STEP_FILE])
    told()
    about = {"tolerance": TOLERANCE, "torch": torch.__version__, **asdict(found)}
    written = json.dumps(manifest(model, facts, about), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return {FILE: written.encode("utf-8"), **content}


def write_export(model: LanguageModel, folder: Path) -> None:
    """Export a model into a folder, which exists; raises what `export` raises, and `OSError`."""
    for name, content in export(model).items():
        (folder / name).write_bytes(content)


def check_exportable(model: LanguageModel) -> None:
    """Raise an `ExportError`, as `export` does, for a model that is too large or quantised, or no checkpoint."""
    _parts(model)


def _parts(model: LanguageModel) -> tuple[AudioTower, Decoder]:
    """Return the modules of a model that can be exported."""
    if not isinstance(model.encoder, Encoder) or not isinstance(model.decoder, Decoder):
        raise ExportError(
            f"{model.name} is no checkpoint of this package: only its Qwen2 and audio tower are exported."
        )
    tower, decoder = model.encoder.tower, model.decoder
    if model.placement.quantize is not None:
        raise ExportError(
            f"{model.name} was loaded with {model.placement.quantize} weights, which ONNX cannot take over; load it "
            "without quantize."
        )
    parameters = sum(parameter.numel() for part in (tower, decoder.model) for parameter in part.parameters())
    if parameters > MOST_PARAMETERS:
        raise ExportError(
            f"{model.name} has {parameters / 1e6:,.0f} million weights; a page can run at most "
            f"{MOST_PARAMETERS / 1e6:,.0f} million in real time. Use tiny, or a checkpoint of that size from "
            "`ai-widgets train`."
        )
    return tower, decoder
