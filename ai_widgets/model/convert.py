"""A checkpoint → a folder in transformers' own layout, in another number format, a piece at a time.

The new folder has Qwen2's weight names, the tower as safetensors, and the traits and the tower's configuration in its
config.json. `load_model` opens it, and `AutoModelForCausalLM.from_pretrained` its language model.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from ..errors import CheckpointError, SettingError
from .checkpoint import PROGRESS_FROM, open_parts
from .configuration import TOWER_KEY, LanguageModelShape, read_rule, read_shape, read_tokenizer, read_tower_config
from .hub import Progress, locate
from .machine import gigabytes, memory_named
from .placement import DTYPES
from .pointers import refuse_pointers
from .shards import Stored, write_shard
from .traits import CONFIG_FILE, CONFIG_KEY, Traits, read_traits
from .weights import INDEX_FILE, SINGLE_FILE, TOWER_FILES, TOWER_OPTIONAL

SHARD_BYTES = 2_000_000_000
COPIED = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "LICENSE",
)
"""Files that are taken over as they are, where the source has them."""


def convert(
    source: str | Path,
    target: str | Path,
    dtype: str = "bfloat16",
    revision: str | None = None,
    progress: Progress | bool = True,
) -> Path:
    """Write a checkpoint anew.

    Parameters
    ----------
    source
        `tiny`, a folder or a hub id.
    target
        A folder that does not exist yet, or is empty. It appears when it is complete.
    dtype
        A name of `placement.DTYPES`.
    revision
        Branch, tag or commit of a hub repository.
    progress
        As in `inference.load_model`.

    Raises
    ------
    CheckpointError
        A source that does not load, a target that is in use, or a disk that is full.
    SettingError
        An unknown dtype.
    """
    if dtype not in DTYPES:
        raise SettingError(f"dtype {dtype!r} is unknown; use {', '.join(DTYPES)}.")
    goal = Path(target).expanduser()
    _check_target(goal)
    folder, _ = locate(source, revision, progress if callable(progress) else None, bar=progress is True)
    refuse_pointers(folder)
    parts = open_parts(folder)
    read_tokenizer(folder)
    read_rule(folder)
    config = _config(folder, read_shape(folder), read_traits(folder), parts.tied, dtype)
    tower = [one for one in parts.tower_tensors if one.name not in TOWER_OPTIONAL]
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
        (partial / CONFIG_FILE).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
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
        raise CheckpointError(f"{goal} exists already and is not an empty folder; give the name of a new one.")


def _check_space(goal: Path, needed: int) -> None:
    there = next(parent for parent in (goal, *goal.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise CheckpointError(
            f"The converted checkpoint needs {gigabytes(needed)}, but {there} has {gigabytes(free)} left; "
            "choose a folder on another disk."
        )


def _size(one: Stored, dtype: torch.dtype) -> int:
    return math.prod(one.shape) * dtype.itemsize


def _shards(stored: list[Stored], dtype: torch.dtype) -> list[list[Stored]]:
    """Tensors in their order, in groups of at most `SHARD_BYTES`, or of one."""
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
    yield from write_shard(folder / TOWER_FILES[0], tower, dtype)
    tower.clear()  # its file may be one map that stays open for as long as somebody knows a tensor of it
    if len(shards) == 1:
        yield from write_shard(folder / SINGLE_FILE, shards[0], dtype)
        return
    where: dict[str, str] = {}
    for number, members in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        yield from write_shard(folder / name, members, dtype)
        where |= {one.name: name for one in members}
    total = sum(_size(one, dtype) for members in shards for one in members)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
    (folder / INDEX_FILE).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _config(folder: Path, shape: LanguageModelShape, traits: Traits, tied: bool, dtype: str) -> dict[str, Any]:
    """A config.json that transformers reads as Qwen2's, with what it does not know under a key of its own."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
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
