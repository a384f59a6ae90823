"""Write random checkpoints in the published release's layout, of its sizes or of tiny sizes, piece by piece."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from ...errors import CheckpointError
from ...model.configuration import LITGPT_CONFIG, TOWER_CONFIG
from ...model.shards import Stored, write_shard
from ...model.skeleton import tower_skeleton
from ...model.weights import INDEX_FILE, TOWER_FILES, TOWER_OPTIONAL

SHARDS = 4
"""Number of weight files: more than one, as the published checkpoint has."""
DEVIATION = 0.02
"""Standard deviation of the random weights: the usual one of an untrained transformer, so that logits stay finite."""
SUPPLY = 2**23
"""Random numbers that are drawn; weights are taken from them at varying offsets, since drawing all would be slow."""

RELEASE: dict[str, Any] = {
    "language": {
        "n_layer": 36,
        "n_embd": 2048,
        "n_head": 16,
        "n_query_groups": 2,
        "head_size": 128,
        "intermediate_size": 11008,
        "padded_vocab_size": 151936,
        "block_size": 32768,
        "rope_base": 1000000,
        "norm_eps": 1e-6,
    },
    "tower": {
        "d_model": 1280,
        "encoder_layers": 32,
        "encoder_attention_heads": 20,
        "encoder_ffn_dim": 5120,
        "num_mel_bins": 128,
        "max_source_positions": 1500,
        "n_window": 100,
        "output_dim": 2048,
    },
}
"""docs/protocol.md §1: Qwen2.5-Omni-3B's text backbone and audio tower."""
SMALL: dict[str, Any] = {
    "language": {
        **RELEASE["language"],
        "n_layer": 2,
        "n_embd": 128,
        "n_head": 4,
        "head_size": 32,
        "intermediate_size": 256,
    },
    "tower": {
        **RELEASE["tower"],
        "d_model": 32,
        "encoder_layers": 2,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "output_dim": 128,
    },
}
"""Release with small sizes, which tests write and read in seconds."""


def release_in(folder: Path) -> Path:
    """Return the place of the checkpoint in the folder of a rehearsal.

    Raises
    ------
    CheckpointError
        If the folder holds anything else.
    """
    source = folder / "release"
    if folder.exists() and any(path != source for path in folder.iterdir()):
        raise CheckpointError(f"{folder} is not empty; give a new folder.")
    return source


def write_release(folder: Path, sizes: dict[str, Any]) -> None:
    """Write a checkpoint of random weights: fp32, LitGPT names, four shards, the tower as a pickle.

    Each file is written by a thread of its own, since one thread writes less than memory or a fast disk takes.
    """
    (folder / TOWER_CONFIG).parent.mkdir(parents=True)
    supply = torch.randn(SUPPLY) * DEVIATION
    tensors = list(_language_tensors(sizes["language"], supply))
    total = sum(one.size for one in tensors)
    groups: list[list[Stored]] = [[] for _ in range(SHARDS)]
    done = 0
    for one in tensors:
        groups[min(SHARDS - 1, done * SHARDS // total)].append(one)
        done += one.size
    names = [f"model-{number:05}-of-{SHARDS:05}.safetensors" for number in range(1, SHARDS + 1)]
    where = {one.name: name for name, members in zip(names, groups, strict=True) for one in members}
    _write_json(folder / INDEX_FILE, {"metadata": {"total_size": total}, "weight_map": where})
    _write_json(folder / TOWER_CONFIG, {"thinker_config": {"audio_config": sizes["tower"]}})
    _write_json(folder / "generation_config.json", {"temperature": 0.3, "top_k": 3})
    (folder / LITGPT_CONFIG).write_text(yaml.safe_dump(sizes["language"]), encoding="utf-8")
    words = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(sorted(_letters()))}, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.save(str(folder / "tokenizer.json"))
    with ThreadPoolExecutor(SHARDS + 1) as threads:
        parts = [threads.submit(_write_shard, folder / name, group) for name, group in zip(names, groups, strict=True)]
        parts.append(threads.submit(_write_tower, folder / TOWER_FILES[1], sizes, supply))
    for part in parts:
        part.result()


def _write_shard(path: Path, members: list[Stored]) -> None:
    for _ in write_shard(path, members, torch.float32):
        pass


def _letters() -> list[str]:
    return list(pre_tokenizers.ByteLevel.alphabet())


def _language_tensors(c: dict[str, Any], supply: Tensor) -> Iterator[Stored]:
    width, mlp = c["n_embd"], c["intermediate_size"]
    attended = c["n_head"] * c["head_size"]
    fused = attended + 2 * c["n_query_groups"] * c["head_size"]
    shapes: dict[str, tuple[int, ...]] = {"transformer.wte.weight": (c["padded_vocab_size"], width)}
    layer: dict[str, tuple[int, ...]] = {
        "norm_1.weight": (width,),
        "attn.qkv.weight": (fused, width),
        "attn.qkv.bias": (fused,),
        "attn.proj.weight": (width, attended),
        "norm_2.weight": (width,),
        "mlp.fc_1.weight": (mlp, width),
        "mlp.fc_2.weight": (mlp, width),
        "mlp.proj.weight": (width, mlp),
    }
    for number in range(c["n_layer"]):
        shapes |= {f"transformer.h.{number}.{name}": shape for name, shape in layer.items()}
    shapes |= {"transformer.ln_f.weight": (width,), "lm_head.weight": (c["padded_vocab_size"], width)}
    for place, (name, shape) in enumerate(shapes.items()):
        yield _random(name, shape, supply, 7919 * place)


def _random(name: str, shape: tuple[int, ...], supply: Tensor, offset: int) -> Stored:
    columns = math.prod(shape[1:])

    def read(first: int, last: int) -> Tensor:
        if "norm" in name or "ln_f" in name:
            return torch.ones(last - first)
        count = (last - first) * columns
        at = (offset + first * columns) % SUPPLY
        values = torch.cat([supply[at:], supply, supply])[:count] if at + count > SUPPLY else supply[at : at + count]
        return values.reshape(last - first, *shape[1:])

    return Stored(name, shape, "F32", Path(name), read)


def _write_tower(path: Path, sizes: dict[str, Any], supply: Tensor) -> None:
    skeleton = tower_skeleton(sizes["tower"], sizes["tower"]["output_dim"], str(path))
    state: dict[str, Tensor] = {}
    for name, parameter in skeleton.named_parameters():
        if name in TOWER_OPTIONAL:
            continue
        plain = "norm" in name or "ln_post" in name
        value = torch.ones(parameter.shape) if plain and name.endswith("weight") else torch.zeros(parameter.shape)
        if value.ndim > 1:
            pieces = -(-value.numel() // SUPPLY)
            value = supply.repeat(pieces)[: value.numel()].reshape(value.shape).clone()
        state[name] = value
    torch.save(state, path)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")
