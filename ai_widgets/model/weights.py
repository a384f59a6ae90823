"""Tensors of a checkpoint → modules: LitGPT and Qwen2 names, the fused qkv, and errors that name what does not fit."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..errors import CheckpointError

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"
NAMES_SHOWN = 6

LITGPT_LAYER = {
    "norm_1.weight": "input_layernorm.weight",
    "attn.proj.weight": "self_attn.o_proj.weight",
    "norm_2.weight": "post_attention_layernorm.weight",
    "mlp.fc_1.weight": "mlp.gate_proj.weight",
    "mlp.fc_2.weight": "mlp.up_proj.weight",
    "mlp.proj.weight": "mlp.down_proj.weight",
}
LITGPT_TOP = {
    "transformer.wte.weight": "model.embed_tokens.weight",
    "transformer.ln_f.weight": "model.norm.weight",
    "lm_head.weight": "lm_head.weight",
}
TOWER_PREFIXES = ("thinker.audio_tower.", "audio_tower.")
TOWER_OPTIONAL = ("audio_bos_eos_token.weight", "positional_embedding.positional_embedding")
"""Not used by a chunk's encoding: one belongs to whole-clip prompts, the other is computed, not learned."""


def weight_files(folder: Path) -> dict[str, Path]:
    """Tensor name → file of the folder's language model, from the shard index or a single file."""
    index = folder / INDEX_FILE
    if index.exists():
        try:
            entries = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            files = {str(name): folder / str(shard) for name, shard in entries.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{index} is not a shard index: it must hold a weight_map of tensor names."
            ) from error
        if any(file.parent != folder for file in files.values()):
            raise CheckpointError(f"{index} names a shard outside its own folder.")
        absent = sorted({file.name for file in files.values() if not file.exists()})
        if absent:
            raise CheckpointError(f"{folder} lacks {_list(absent)}, which {INDEX_FILE} names; download it again.")
        return files
    single = folder / SINGLE_FILE
    if single.exists():
        with _opened(single) as shard:
            return dict.fromkeys(shard.keys(), single)
    raise CheckpointError(f"{folder} holds no weights: neither {INDEX_FILE} nor {SINGLE_FILE} is there.")


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(str(path), framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}.") from error


def read_language_model(files: Mapping[str, Path], query_rows: int, key_rows: int) -> Iterator[tuple[str, Tensor]]:
    """Tensors under transformers' Qwen2 names, one after the other, from the memory map.

    Parameters
    ----------
    files
        As `weight_files` gives them; names of LitGPT or of Qwen2.
    query_rows, key_rows
        Rows of q and of k (= v) in the fused qkv.
    """
    by_shard: dict[Path, list[str]] = {}
    for name, file in files.items():
        by_shard.setdefault(file, []).append(name)
    for file, names in by_shard.items():
        with _opened(file) as shard:
            for name in names:
                try:
                    tensor = shard.get_tensor(name)
                except SafetensorError as error:
                    raise CheckpointError(f"{file} does not hold {name}, which {INDEX_FILE} promises.") from error
                yield from _qwen2(name, tensor, query_rows, key_rows)


def _qwen2(name: str, tensor: Tensor, query_rows: int, key_rows: int) -> Iterator[tuple[str, Tensor]]:
    if name in LITGPT_TOP:
        yield LITGPT_TOP[name], tensor
        return
    if not name.startswith("transformer.h."):
        yield name, tensor
        return
    layer, _, rest = name.removeprefix("transformer.h.").partition(".")
    prefix = f"model.layers.{layer}."
    if rest.startswith("attn.qkv."):
        kind = rest.removeprefix("attn.qkv.")
        rows = tensor.shape[0] if tensor.ndim else 0
        if rows != query_rows + 2 * key_rows:
            raise CheckpointError(f"{name} has {rows} rows; the configuration asks for {query_rows} + 2 × {key_rows}.")
        parts = torch.split(tensor, [query_rows, key_rows, key_rows])
        for letter, part in zip("qkv", parts, strict=True):
            yield f"{prefix}self_attn.{letter}_proj.{kind}", part
    else:
        yield prefix + LITGPT_LAYER.get(rest, rest), tensor


def read_tower(path: Path) -> dict[str, Tensor]:
    """State dict of the audio tower. The file is a pickle: only plain tensors are unpickled, nothing is executed."""
    try:
        # torch's format before 1.6 is no archive and cannot be mapped.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it remarks on old pickles; what matters is whether they load
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # the unpickler raises whatever the bytes make of it
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{path} is not a plain file of tensors and was not loaded: {reason.rstrip('.')}."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise CheckpointError(f"{path} must hold a dictionary of tensors.")
    for prefix in TOWER_PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def fill(
    module: nn.Module,
    tensors: Iterator[tuple[str, Tensor]],
    *,
    source: str,
    device: torch.device,
    dtype: torch.dtype,
    optional: tuple[str, ...] = (),
    progress: Callable[[float], object] | None = None,
) -> None:
    """Put every tensor into a module that was built on the meta device.

    Parameters
    ----------
    module
        Skeleton without memory; its parameters are replaced.
    tensors
        Name and value; converted and placed one at a time.
    source
        Names the checkpoint in errors.
    optional
        Names that may be missing or surplus.
    progress
        Called with the bytes of each tensor.

    Raises
    ------
    CheckpointError
        Names the tensors that are missing, surplus or of the wrong shape.
    """
    wanted = dict(module.named_parameters())
    missing = set(wanted)
    surplus: list[str] = []
    misshapen: list[str] = []
    for name, tensor in tensors:
        if progress is not None:
            progress(tensor.numel() * tensor.element_size())
        if name not in wanted:
            if name not in optional:
                surplus.append(name)
            continue
        if tensor.shape != wanted[name].shape:
            misshapen.append(f"{name} {tuple(tensor.shape)} instead of {tuple(wanted[name].shape)}")
            missing.discard(name)
            continue
        owner, _, attribute = name.rpartition(".")
        # A copy even where nothing changes: the source may be a memory map that closes.
        value = tensor.to(device=device, dtype=dtype, copy=True)
        setattr(module.get_submodule(owner), attribute, nn.Parameter(value, requires_grad=False))
        missing.discard(name)
    missing -= set(optional)
    problems = [
        f"{word}: {_list(sorted(names))}"
        for word, names in (("missing", missing), ("surplus", surplus), ("of the wrong shape", misshapen))
        if names
    ]
    if problems:
        raise CheckpointError(f"The tensors of {source} do not fit its configuration; {'; '.join(problems)}.")


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
