"""Load the tensors of a checkpoint into modules: LitGPT and Qwen2 names, the fused qkv, and checks of all tensors."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from .configuration import LanguageModelShape, names_shown, read_json
from .shards import FLOATING, Shard, Stored, check_values, fetch

INDEX_FILE = "model.safetensors.index.json"
"""Index of the weight files of a sharded checkpoint."""
SINGLE_FILE = "model.safetensors"
"""Weight file of a checkpoint that is not sharded."""
TOWER_FILES = (
    "audio_tower.safetensors",
    "audiointeraction_ChunkwisedEncoder.pth",
    "MiniOmni3_ChunkwisedEncoder.pth",
)
"""Names of a separate tower file: as `convert` writes it, and as in two releases."""

LITGPT_LAYER = {
    "norm_1.weight": "input_layernorm.weight",
    "attn.proj.weight": "self_attn.o_proj.weight",
    "norm_2.weight": "post_attention_layernorm.weight",
    "mlp.fc_1.weight": "mlp.gate_proj.weight",
    "mlp.fc_2.weight": "mlp.up_proj.weight",
    "mlp.proj.weight": "mlp.down_proj.weight",
}
"""Qwen2 name of each tensor of a layer, by its LitGPT name."""
LITGPT_TOP = {
    "transformer.wte.weight": "model.embed_tokens.weight",
    "transformer.ln_f.weight": "model.norm.weight",
    "lm_head.weight": "lm_head.weight",
}
"""Qwen2 name of each tensor outside the layers, by its LitGPT name."""
TOWER_PREFIX = "audio_tower."
"""Prefix of the tower's tensors in the files of the language model."""
TOWER_PREFIXES = ("thinker.audio_tower.", TOWER_PREFIX)
"""Prefixes of the tensors in a separate tower file."""
TOWER_OPTIONAL = ("audio_bos_eos_token.weight", "positional_embedding.positional_embedding")
"""Tensors that the encoding of a chunk does not use: the first is for whole-clip prompts, the second is computed."""


class Destination(Protocol):
    """Receiver of one tensor in pieces of rows."""

    def put(self, first: int, last: int, rows: Tensor) -> None:
        """Store rows ``[first, last)``."""

    def finish(self) -> nn.Parameter:
        """Return the complete parameter."""
        ...


class Dense:
    """Receiver that converts each piece to one dtype and device."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
        self._value = torch.empty(shape, dtype=dtype, device=device)

    def put(self, first: int, last: int, rows: Tensor) -> None:
        """Convert and store rows ``[first, last)``."""
        (self._value[first:last] if self._value.ndim else self._value).copy_(rows)

    def finish(self) -> nn.Parameter:
        """Return the complete parameter, without gradient."""
        return nn.Parameter(self._value, requires_grad=False)


def language_model_tensors(folder: Path, shape: LanguageModelShape) -> list[Stored]:
    """List the tensors of the folder's language model under transformers' Qwen2 names, by file, without reading them.

    Raises
    ------
    CheckpointError
        If a weight file or a tensor of the index is missing or not valid.
    """
    stored = _stored(folder)
    return [part for one in stored if not one.name.startswith(TOWER_PREFIX) for part in _qwen2(one, shape)]


def _stored(folder: Path) -> list[Stored]:
    """List the tensors of the folder's main weight files, which may include the tower's."""
    index, single = folder / INDEX_FILE, folder / SINGLE_FILE
    if index.exists():
        return list(_indexed(folder, index))
    if single.exists():
        return Shard(single).stored
    raise CheckpointError(f"{folder} contains no weights: it has neither {INDEX_FILE} nor {SINGLE_FILE}.")


def _indexed(folder: Path, index: Path) -> Iterator[Stored]:
    entries = read_json(index).get("weight_map")
    if not isinstance(entries, dict) or not all(isinstance(shard, str) for shard in entries.values()):
        raise CheckpointError(f"{index} is not a shard index: it must hold a weight_map of tensor names.")
    if any(Path(shard).name != shard or shard in ("", ".", "..") or "\0" in shard for shard in entries.values()):
        raise CheckpointError(f"{index} names a shard outside its own folder.")
    names = sorted(set(entries.values()))
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise CheckpointError(
            f"{folder} lacks {names_shown(absent)}, which {INDEX_FILE} lists; download the folder again."
        )
    for name in names:
        shard = Shard(folder / name)
        held = {one.name for one in shard.stored}
        promised = [tensor for tensor, where in entries.items() if where == name and tensor not in held]
        if promised:
            raise CheckpointError(f"{shard.path} does not contain {names_shown(promised)}, which {INDEX_FILE} lists.")
        yield from (one for one in shard.stored if entries.get(one.name) == name)


def _qwen2(one: Stored, shape: LanguageModelShape) -> Iterator[Stored]:
    """Yield a tensor under its Qwen2 name; a fused qkv as three ranges of rows."""
    if not one.name.startswith("transformer.h."):
        yield one.named(LITGPT_TOP.get(one.name, one.name))
        return
    layer, _, rest = one.name.removeprefix("transformer.h.").partition(".")
    prefix = f"model.layers.{layer}."
    if not rest.startswith("attn.qkv."):
        yield one.named(prefix + LITGPT_LAYER.get(rest, rest))
        return
    kind = rest.removeprefix("attn.qkv.")
    rows = one.shape[0] if one.shape else 0
    if rows != shape.query_rows + 2 * shape.key_rows:
        raise CheckpointError(
            f"{one.source}: {one.name} has {rows} rows; the configuration asks for {shape.query_rows} + 2 × "
            f"{shape.key_rows}."
        )
    first = 0
    for letter, count in (("q", shape.query_rows), ("k", shape.key_rows), ("v", shape.key_rows)):
        yield one.part(f"{prefix}self_attn.{letter}_proj.{kind}", first, first + count)
        first += count


def tower_tensors(folder: Path) -> tuple[list[Stored], Path]:
    """List the tensors of the folder's audio tower without reading them, and return their file or folder.

    The tower is in a separate file, under one of several names, or in the files of the language model, as transformers'
    `save_pretrained` writes it.

    Raises
    ------
    CheckpointError
        If the folder contains no tower, or its file is not valid.
    """
    path = next((folder / name for name in TOWER_FILES if (folder / name).exists()), None)
    if path is not None:
        return _tower_of(path), path
    within = [
        one.named(one.name.removeprefix(TOWER_PREFIX)) for one in _stored(folder) if one.name.startswith(TOWER_PREFIX)
    ]
    if not within:
        raise CheckpointError(f"{folder} lacks the encoder's weights, {' or '.join(TOWER_FILES[1:])}.")
    return within, folder


def _tower_of(path: Path) -> list[Stored]:
    """List the tensors of a separate tower file."""
    stored = Shard(path).stored if path.suffix == ".safetensors" else _unpickled(path)
    for prefix in TOWER_PREFIXES:
        if stored and all(one.name.startswith(prefix) for one in stored):
            return [one.named(one.name.removeprefix(prefix)) for one in stored]
    return stored


def _unpickled(path: Path) -> list[Stored]:
    """List the tensors of a pickle file. Only plain tensors are unpickled; no code of the file is executed."""
    try:
        # torch's format before 1.6 is not a zip archive and cannot be memory-mapped.
        fetch(path, 0, path.stat().st_size)
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # noqa: BLE001 - the unpickler raises any exception for malformed bytes
        # Not chained: torch's message advises to load the file including its code, which is unsafe.
        raise CheckpointError(f"{path} is not a plain file of tensors and was not loaded: {_reason(error)}.") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) and _plain(tensor) for name, tensor in state.items()
    ):
        raise CheckpointError(f"{path} must contain a dictionary of tensors.")
    return [_of_tensor(name, tensor, path) for name, tensor in state.items()]


def _reason(error: Exception) -> str:
    """Return the reason why a file was not unpickled, without torch's advice to trust the file."""
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if asked is not None:
        return f"it refers to {asked[1]}, which is code, not a tensor"
    words = str(error).strip().splitlines()
    if not words or isinstance(error, (UnpicklingError, Warning)) or "weights_only" in words[0]:
        return "it was not written by torch.save, or is damaged"
    return words[0].rstrip(".")


def _plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized


def _of_tensor(name: str, tensor: Tensor, path: Path) -> Stored:
    value = tensor.detach()
    kinds = {dtype: kind for kind, dtype in FLOATING.items()}
    return Stored(
        name,
        tuple(value.shape),
        kinds.get(value.dtype, str(value.dtype).removeprefix("torch.")),
        path,
        lambda first, last: value[first:last] if value.ndim else value,
    )


def check(
    wanted: Mapping[str, tuple[int, ...]], stored: Iterable[Stored], source: str, optional: tuple[str, ...]
) -> None:
    """Compare the tensors of the files with the configuration, before any tensor is read.

    Parameters
    ----------
    wanted
        Shapes by name.
    stored
        Tensors of the files.
    source
        Name of the checkpoint in errors.
    optional
        Names that may be missing or surplus.

    Raises
    ------
    CheckpointError
        If tensors are missing, surplus, duplicate, of the wrong shape or not of a floating-point format.
    """
    missing, seen = set(wanted) - set(optional), set[str]()
    problems: dict[str, list[str]] = {"missing": [], "surplus": [], "there twice": [], "of the wrong shape": []}
    strange: list[str] = []
    for one in stored:
        missing.discard(one.name)
        if one.name in seen:
            problems["there twice"].append(one.name)
        seen.add(one.name)
        if one.name not in wanted:
            if one.name not in optional:
                problems["surplus"].append(one.name)
        elif one.shape != wanted[one.name]:
            problems["of the wrong shape"].append(f"{one.name} {one.shape} instead of {wanted[one.name]}")
        elif one.kind not in FLOATING:
            strange.append(f"{one.name} ({one.kind})")
    problems["missing"] = sorted(missing)
    problems[f"none of {', '.join(FLOATING)}"] = strange
    words = [f"{word}: {names_shown(sorted(names))}" for word, names in problems.items() if names]
    if words:
        raise CheckpointError(f"The tensors of {source} do not fit its configuration; {'; '.join(words)}.")


def fill(
    module: nn.Module,
    stored: Iterable[Stored],
    destination: Callable[[str, tuple[int, ...]], Destination],
    dtype: torch.dtype,
    progress: Callable[[int], object],
) -> None:
    """Read every tensor, piece by piece, into a module that was built on the meta device.

    Parameters
    ----------
    module
        Module without memory; its parameters are replaced.
    stored
        Tensors that `check` has accepted.
    destination
        Function that creates the receiver of a tensor from its name and shape.
    dtype
        Target number format.
    progress
        Callback that receives the bytes of each piece.

    Raises
    ------
    CheckpointError
        If a value is NaN or cannot be represented in `dtype`, or a file changed.
    """
    wanted = dict(module.named_parameters())
    for one in stored:
        if one.name not in wanted:
            progress(one.size)
            continue
        goal = destination(one.name, one.shape)
        for first, last, rows in one.pieces():
            check_values(rows, dtype, one)
            goal.put(first, last, rows)
            progress(rows.numel() * rows.element_size())
        owner, _, attribute = one.name.rpartition(".")
        setattr(module.get_submodule(owner), attribute, goal.finish())
