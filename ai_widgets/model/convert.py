"""Convert a checkpoint to a folder in transformers' layout and another number format, piece by piece.

The new folder has Qwen2's weight names, the tower as safetensors, and the traits and the tower's configuration in its
config.json. `load_model` reads the folder, and transformers' auto classes do after `import ai_widgets.transformers`.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from warnings import warn

import torch
from tqdm.auto import tqdm

from ..errors import CheckpointError, CheckpointWarning, SettingError
from .checkpoint import PROGRESS_FROM, open_parts
from .configuration import (
    RULE_FILE,
    TOWER_KEY,
    LanguageModelShape,
    read_json,
    read_rule,
    read_shape,
    read_tokenizer,
    read_tower_config,
)
from .hub import Progress, locate
from .machine import gigabytes, memory_named
from .placement import DTYPES
from .pointers import refuse_pointers
from .sampling import SamplingRule
from .shards import Stored, write_shard
from .traits import CONFIG_FILE, CONFIG_KEY, MODEL_TYPE, Traits, read_traits
from .weights import INDEX_FILE, TOWER_FILES, TOWER_OPTIONAL, TOWER_PREFIX

SHARD_BYTES = 2_000_000_000
"""Maximum size of a weight file, in bytes; a larger tensor has a separate file."""
TOKENIZER_CONFIG = "tokenizer_config.json"
"""Tokenizer configuration of transformers."""
PROCESSOR_CONFIG = "processor_config.json"
"""Processor configuration of transformers."""
COPIED = (
    "tokenizer.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "LICENSE",
)
"""Files that are copied unchanged if the source has them."""


def convert(
    source: str | Path,
    target: str | Path,
    dtype: str = "bfloat16",
    revision: str | None = None,
    progress: Progress | bool = True,
) -> Path:
    """Convert a checkpoint to a new folder.

    Parameters
    ----------
    source
        `tiny`, a folder or a hub id.
    target
        Folder that does not exist, or is empty. It is created when its content is complete.
    dtype
        Number format of the new weights, a name of `placement.DTYPES`.
    revision
        Branch, tag or commit of a hub repository.
    progress
        As in `inference.load_model`.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    CheckpointError
        If the source cannot be loaded, the target is not empty, or the disk is full.
    SettingError
        If the dtype is unknown.

    Examples
    --------
    >>> folder = convert("tiny", "tiny-bfloat16")
    """
    if dtype not in DTYPES:
        raise SettingError(f"dtype {dtype!r} is unknown; use {', '.join(DTYPES)}.")
    goal = Path(target).expanduser()
    _check_target(goal)
    folder, _ = locate(source, revision, progress if callable(progress) else None, bar=progress is True)
    refuse_pointers(folder)
    parts = open_parts(folder)
    read_tokenizer(folder)
    rule, notes = read_rule(folder)
    for note in notes:
        warn(note, CheckpointWarning, stacklevel=2)
    traits = read_traits(folder)
    config = _config(folder, read_shape(folder), traits, parts.tied, dtype)
    tower = [one.named(TOWER_PREFIX + one.name) for one in parts.tower_tensors if one.name not in TOWER_OPTIONAL]
    shards = _shards(parts.language_tensors, DTYPES[dtype])
    needed = sum(_size(one, DTYPES[dtype]) for one in (*parts.language_tensors, *tower))
    _check_space(goal, needed)
    partial = goal.parent / f".{goal.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    total = sum(one.size for one in (*parts.language_tensors, *tower))
    parts.tower_tensors.clear()
    bar = progress is True and total >= PROGRESS_FROM
    try:
        partial.mkdir(parents=True)
        with (
            tqdm(total=total, unit="B", unit_scale=True, desc="weights", disable=not bar) as shown,
            memory_named(f"Converting {source}"),
        ):
            done = 0
            for count in _write(partial, shards, tower, DTYPES[dtype]):
                shown.update(count)
                done += count
                if callable(progress):
                    progress(done, total)
        for name, values in {
            CONFIG_FILE: config,
            RULE_FILE: _generation_config(folder, rule),
            TOKENIZER_CONFIG: _tokenizer_config(folder),
            PROCESSOR_CONFIG: {"processor_class": "AudioInteractionProcessor", CONFIG_KEY: traits.to_json()},
        }.items():
            (partial / name).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        for name in COPIED:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, partial / name)
        open_parts(partial)
        if goal.exists():
            goal.rmdir()
        partial.rename(goal)
    except OSError as error:
        raise CheckpointError(f"{goal} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return goal


def _check_target(goal: Path) -> None:
    try:
        occupied = goal.exists() and (not goal.is_dir() or any(goal.iterdir()))
    except OSError as error:
        raise CheckpointError(f"{goal} cannot be used: {error.strerror}.") from error
    if occupied:
        raise CheckpointError(f"{goal} exists and is not an empty folder; give the name of a new folder.")


def _check_space(goal: Path, needed: int) -> None:
    there = next(parent for parent in (goal, *goal.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise CheckpointError(
            f"The converted checkpoint needs {gigabytes(needed)}, but {there} has {gigabytes(free)} free; "
            "choose a folder on another disk."
        )


def _size(one: Stored, dtype: torch.dtype) -> int:
    return math.prod(one.shape) * dtype.itemsize


def _shards(stored: list[Stored], dtype: torch.dtype) -> list[list[Stored]]:
    """Group tensors in order, at most `SHARD_BYTES` or one tensor per group."""
    groups: list[list[Stored]] = [[]]
    filled = 0
    for one in stored:
        size = _size(one, dtype)
        if groups[-1] and filled + size > SHARD_BYTES:
            groups.append([])
            filled = 0
        groups[-1].append(one)
        filled += size
    return groups


def _write(folder: Path, shards: list[list[Stored]], tower: list[Stored], dtype: torch.dtype) -> Iterator[int]:
    # One index for the language model and the tower, so that transformers finds both.
    where = {one.name: TOWER_FILES[0] for one in tower}
    total = sum(_size(one, dtype) for members in (tower, *shards) for one in members)
    yield from write_shard(folder / TOWER_FILES[0], tower, dtype)
    tower.clear()  # its file may be one memory map, which stays open while a tensor of the file is referenced
    for number, members in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        yield from write_shard(folder / name, members, dtype)
        where |= {one.name: name for one in members}
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
    (folder / INDEX_FILE).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _config(folder: Path, shape: LanguageModelShape, traits: Traits, tied: bool, dtype: str) -> dict[str, Any]:
    """Build the config.json: Qwen2's fields, and a separate key for the traits and the tower."""
    return {
        "architectures": ["AudioInteractionForConditionalGeneration"],
        "model_type": MODEL_TYPE,
        "dtype": dtype,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_base,
        "tie_word_embeddings": tied,
        "bos_token_id": None,
        "eos_token_id": traits.tokens["TEXT_END"],
        CONFIG_KEY: {**traits.to_json(), TOWER_KEY: read_tower_config(folder)},
    }


def _generation_config(folder: Path, rule: SamplingRule) -> dict[str, Any]:
    """Build the generation configuration: the source's, with explicit values where transformers has other defaults."""
    path = folder / RULE_FILE
    values = {"do_sample": True, **(read_json(path) if path.exists() else {})}
    return {**values, "temperature": rule.temperature, "top_k": rule.top_k or 0, "top_p": rule.top_p}


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    """Build the tokenizer configuration: the source's, with the class that reads tokenizer.json unchanged."""
    path = folder / TOKENIZER_CONFIG
    values = read_json(path) if path.exists() else {}
    # Qwen's class would rebuild the tokenizer with the rules of Qwen's vocabulary.
    return {**values, "tokenizer_class": "TokenizersBackend"}
