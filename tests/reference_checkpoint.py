"""Small rigged checkpoints in the layout of the published release, the same tensors on every machine.

`REFERENCE` is the model whose answers are kept in `fixtures/reference`: the release's token ids and a vocabulary
of 151936, width 64. `TOY` is its little sister for unit tests: 288 tokens, a token table and a prompt of its own.
Neither understands anything. They are rigged so that they keep to the protocol: coordinate 0 of the embedding tells "a
decision is due" (ASSISTANT, +) from "a reply is being spoken" (all else, −); in the first case the head lets
KEEP_SILENCE and TEXT_BEGIN compete along a direction that the audio moves, in the second a reply walks along a chain of
bytes to TEXT_END.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import torch
import yaml
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

WIDTH, HEADS, KEY_HEADS, MLP = 64, 4, 2, 128
HEAD_SIZE = WIDTH // HEADS
DECISION_MARK, CHAIN_LINK = 26.0, 16.0
TOWER_CONFIG = {
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "num_mel_bins": 128,
    "n_window": 100,
    "max_source_positions": 1500,
    "output_dim": WIDTH,
    "scale_embedding": False,
}
TOWER_FILES = ("audiointeraction_ChunkwisedEncoder.pth", "MiniOmni3_ChunkwisedEncoder.pth")
SPOKEN = tuple(dict.fromkeys("the sun did rain, one more. 你好😊".encode()))
"""Bytes that replies are made of: words, and characters of three and four bytes."""

PUBLISHED_TOKENS = {
    "TEXT_BEGIN": 151644,
    "TEXT_END": 151643,
    "AUDIO_PAD": 151646,
    "AUDIO_BEGIN": 151647,
    "AUDIO_END": 151648,
    "USER": 151601,
    "ASSISTANT": 151602,
    "KEEP_SILENCE": 151605,
    "PAD": 151608,
    "ONLINE": 151609,
    "OFFLINE": 151610,
    "ENGLISH": 151611,
}
EMOTION_NAMES = ("HAPPY", "SAD", "ANGRY", "SURPRISE", "NORMAL", "URGENT")
TOY_TOKENS = {name: 256 + place for place, name in enumerate(PUBLISHED_TOKENS)}
TOY_PROMPT = "Listen."


@dataclass(frozen=True)
class Recipe:
    """What goes into a checkpoint; the same recipe gives the same tensors."""

    vocabulary: int
    tokens: Mapping[str, int]
    emotions: Mapping[str, int]
    traits: Mapping[str, Any] | None
    seed: int = 6
    text_bias: float = -1.04
    layers: int = 2
    positions: int = 4096
    generation: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 0.3, "top_k": 3})

    def normal(self, name: str, shape: tuple[int, ...], deviation: float) -> Tensor:
        """Random numbers that depend on the name and the seed alone (NumPy's frozen legacy generator)."""
        source = np.random.RandomState((crc32(name.encode()) ^ self.seed) & 0xFFFFFFFF)
        return torch.from_numpy((source.standard_normal(size=shape) * deviation).astype(np.float32))


REFERENCE = Recipe(
    151936, PUBLISHED_TOKENS, {name: 151614 + place for place, name in enumerate(EMOTION_NAMES)}, traits=None
)
_TOY_EMOTIONS = {name: 256 + len(TOY_TOKENS) + place for place, name in enumerate(EMOTION_NAMES)}
TOY = Recipe(
    288,
    TOY_TOKENS,
    _TOY_EMOTIONS,
    traits={
        "format": 1,
        "name": "toy",
        "special_tokens": TOY_TOKENS,
        "emotions": _TOY_EMOTIONS,
        "rope_positions": "exact",
        "system_prompt": TOY_PROMPT,
        "framing": {
            "prefix": ["ONLINE", "ENGLISH", "TEXT_BEGIN", "TEXT_BEGIN", "PROMPT", "TEXT_END"],
            "chunk": ["AUDIO_BEGIN", "FRAMES", "ASSISTANT"],
        },
    },
    text_bias=-1.55,
    positions=2048,
)


def language_model(recipe: Recipe) -> dict[str, Tensor]:
    """Tensors of the language model under LitGPT's names."""
    embedding = _embedding(recipe)
    tensors = {"transformer.wte.weight": embedding, "lm_head.weight": _head(recipe, embedding)}
    tensors["transformer.ln_f.weight"] = 1 + recipe.normal("lnf", (WIDTH,), 0.1)
    fused = (HEADS + 2 * KEY_HEADS) * HEAD_SIZE
    # Name in the checkpoint, name of the random numbers, shape, deviation, mean.
    parts: list[tuple[str, str, tuple[int, ...], float, int]] = [
        ("norm_1.weight", "n1", (WIDTH,), 0.1, 1),
        ("norm_2.weight", "n2", (WIDTH,), 0.1, 1),
        ("attn.qkv.weight", "qkv", (fused, WIDTH), 1.2 / np.sqrt(WIDTH), 0),
        ("attn.qkv.bias", "qkvb", (fused,), 0.2, 0),
        ("attn.proj.weight", "proj", (WIDTH, WIDTH), 1.5 / np.sqrt(WIDTH), 0),
        ("mlp.fc_1.weight", "fc1", (MLP, WIDTH), 1 / np.sqrt(WIDTH), 0),
        ("mlp.fc_2.weight", "fc2", (MLP, WIDTH), 1 / np.sqrt(WIDTH), 0),
        ("mlp.proj.weight", "mp", (WIDTH, MLP), 1 / np.sqrt(MLP), 0),
    ]
    for layer in range(recipe.layers):
        prefix = f"transformer.h.{layer}."
        for name, numbers, shape, deviation, mean in parts:
            tensors[prefix + name] = mean + recipe.normal(prefix + numbers, shape, deviation)
    return tensors


def _embedding(recipe: Recipe) -> Tensor:
    embedding = recipe.normal("wte", (recipe.vocabulary, WIDTH), 0.8)
    assistant = recipe.tokens["ASSISTANT"]
    embedding[:, 0] = -4.0
    embedding[assistant] *= 0.3
    embedding[assistant, 0] = 9.0
    return embedding


def _direction(embedding: Tensor, token: int) -> Tensor:
    """Unit vector of a token's embedding, the decision mark left out."""
    vector = embedding[token].clone()
    vector[0] = 0
    return vector / vector.norm()


def _head(recipe: Recipe, embedding: Tensor) -> Tensor:
    tokens, emotions = recipe.tokens, list(recipe.emotions.values())
    begin, keep = tokens["TEXT_BEGIN"], tokens["KEEP_SILENCE"]
    head = torch.zeros(recipe.vocabulary, WIDTH)

    # The decision: the two tokens are opposites, along a direction that ASSISTANT itself does not favour.
    assistant = _direction(embedding, tokens["ASSISTANT"])
    axis = recipe.normal("decide", (WIDTH,), 12.0 / np.sqrt(WIDTH))
    axis[0] = 0
    axis -= (axis @ assistant) * assistant
    head[begin], head[keep] = axis, -axis
    head[begin, 0] = head[keep, 0] = DECISION_MARK
    head[begin, 0] += recipe.text_bias

    # The reply: an emotion, then a shuffled chain of bytes, in steps of one to three, to TEXT_END.
    chain = list(SPOKEN)
    np.random.RandomState(recipe.seed + 77).shuffle(chain)
    path = [*chain, tokens["TEXT_END"]]
    for token in [*chain, *emotions, tokens["TEXT_END"]]:
        head[token] = recipe.normal(f"head{token}", (WIDTH,), 2.0 / np.sqrt(WIDTH))
        head[token, 0] = -DECISION_MARK
    links = [(begin, emotion) for emotion in emotions]
    links += [(emotion, first) for emotion in emotions for first in chain[:3]]
    links += [(token, after) for place, token in enumerate(chain) for after in path[place + 1 : place + 4]]
    for token, successor in links:
        head[successor] += CHAIN_LINK * _direction(embedding, token)
    return head


def as_qwen2(litgpt: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under transformers' Qwen2 names."""
    renamed = {
        "transformer.wte.weight": "model.embed_tokens.weight",
        "transformer.ln_f.weight": "model.norm.weight",
        "lm_head.weight": "lm_head.weight",
    }
    inner = {
        "norm_1": "input_layernorm",
        "norm_2": "post_attention_layernorm",
        "attn.proj": "self_attn.o_proj",
        "mlp.fc_1": "mlp.gate_proj",
        "mlp.fc_2": "mlp.up_proj",
        "mlp.proj": "mlp.down_proj",
    }
    tensors: dict[str, Tensor] = {}
    for name, tensor in litgpt.items():
        if name in renamed:
            tensors[renamed[name]] = tensor
            continue
        layer, rest = name.removeprefix("transformer.h.").split(".", 1)
        module, kind = rest.rsplit(".", 1)
        if module == "attn.qkv":
            rows = [HEADS * HEAD_SIZE, KEY_HEADS * HEAD_SIZE, KEY_HEADS * HEAD_SIZE]
            for letter, part in zip("qkv", tensor.split(rows), strict=True):
                tensors[f"model.layers.{layer}.self_attn.{letter}_proj.{kind}"] = part.clone()
        else:
            tensors[f"model.layers.{layer}.{inner[module]}.{kind}"] = tensor
    return tensors


def tower(recipe: Recipe) -> dict[str, Tensor]:
    """State dict of the audio tower."""
    from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

    skeleton = Qwen2_5OmniAudioEncoder._from_config(Qwen2_5OmniAudioEncoderConfig(**TOWER_CONFIG))
    tensors = dict(skeleton.state_dict())
    for name, tensor in tensors.items():
        if "positional_embedding" in name:
            continue
        shape, norm = tuple(tensor.shape), "norm" in name or "ln_post" in name
        if norm or name.endswith("bias"):
            tensors[name] = int(norm and name.endswith("weight")) + recipe.normal("enc" + name, shape, 0.1)
        else:
            inputs = int(np.prod(shape[1:])) if len(shape) > 1 else shape[0]
            tensors[name] = recipe.normal("enc" + name, shape, 1.5 / np.sqrt(inputs))
    return tensors


def tokenizer(recipe: Recipe) -> Tokenizer:
    """A byte-level tokenizer: token b is byte b. Qwen's own special tokens have names; the rest is unused."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = sorted(set(range(256)) - set(printable))
    words = {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(hidden)}
    named = {"TEXT_END": "<|endoftext|>", "TEXT_BEGIN": "<|im_start|>", "AUDIO_PAD": "<|AUDIO|>"}
    named |= {"AUDIO_BEGIN": "<|audio_bos|>", "AUDIO_END": "<|audio_eos|>"}
    words |= {text: recipe.tokens[name] for name, text in named.items()}
    used = set(words.values())
    words |= {f"<unused_{token}>": token for token in range(recipe.vocabulary) if token not in used}
    built = Tokenizer(models.BPE(vocab=words, merges=[]))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    built.add_special_tokens([AddedToken(text, special=True) for text in named.values()])
    return built


def litgpt_config(recipe: Recipe) -> dict[str, Any]:
    """Content of model_config.yaml: the fields of LitGPT that describe the model."""
    return {
        "name": "rigged",
        "block_size": recipe.positions,
        "n_layer": recipe.layers,
        "n_embd": WIDTH,
        "padded_vocab_size": recipe.vocabulary,
        "norm_class_name": "RMSNorm",
        "norm_eps": 1e-6,
        "n_head": HEADS,
        "head_size": HEAD_SIZE,
        "n_query_groups": KEY_HEADS,
        "attn_bias": True,
        "rope_base": 1000000,
        "intermediate_size": MLP,
        "mlp_class_name": "LLaMAMLP",
    }


def qwen2_config(recipe: Recipe) -> dict[str, Any]:
    """Content of config.json."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
        "vocab_size": recipe.vocabulary,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": recipe.positions,
        "tie_word_embeddings": False,
    }


def write_checkpoint(
    folder: Path,
    recipe: Recipe,
    *,
    names: Literal["litgpt", "qwen2"] = "litgpt",
    tower_files: tuple[str, ...] = TOWER_FILES,
    shards: int = 2,
) -> Path:
    """Write a checkpoint folder (docs/protocol.md §5).

    Parameters
    ----------
    names
        Weight names; `qwen2` also leaves out model_config.yaml.
    tower_files
        Under which names the encoder is saved.
    shards
        Files the language model is spread over; 1 writes a single model.safetensors without an index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = language_model(recipe)
    write_weights(folder, as_qwen2(tensors) if names == "qwen2" else tensors, shards)
    if names == "litgpt":
        (folder / "model_config.yaml").write_text(yaml.safe_dump(litgpt_config(recipe)), encoding="utf-8")
    _write_json(folder / "config.json", qwen2_config(recipe))
    _write_json(folder / "generation_config.json", recipe.generation)
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer"})
    tokenizer(recipe).save(str(folder / "tokenizer.json"))
    if recipe.traits is not None:
        _write_json(folder / "audio_interaction.json", recipe.traits)
    (folder / "qwen25OmniConfig").mkdir(exist_ok=True)
    _write_json(folder / "qwen25OmniConfig" / "config.json", {"thinker_config": {"audio_config": TOWER_CONFIG}})
    state = tower(recipe)
    for name in tower_files:
        torch.save(state, folder / name)
    return folder


def write_weights(folder: Path, tensors: Mapping[str, Tensor], shards: int = 2) -> None:
    """Write tensors as safetensors files with an index, or as a single file."""
    ordered = sorted(tensors)
    if shards == 1:
        save_file({name: tensors[name].contiguous() for name in ordered}, folder / "model.safetensors")
        return
    where: dict[str, str] = {}
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        members = ordered[len(ordered) * number // shards : len(ordered) * (number + 1) // shards]
        save_file({name: tensors[name].contiguous() for name in members}, folder / file)
        where |= dict.fromkeys(members, file)
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    _write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where})


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")
