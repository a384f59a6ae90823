"""Write a trained network as a checkpoint folder in the layout of the published release (docs/protocol.md §5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig

from ai_widgets.training.network import Network, Sizes
from ai_widgets.training.replies import SYSTEM_PROMPT
from ai_widgets.training.vocabulary import Vocabulary

SHARD = "model-00001-of-00001.safetensors"
TOWER = "audiointeraction_ChunkwisedEncoder.pth"
RECORD = "training.json"
ROPE_BASE = 10000
"""Base of the rotary embedding's wavelengths, without unit: LitGPT's default, and that of the trained network."""


def litgpt_weights(network: Network) -> dict[str, Tensor]:
    """Return the language model's weights under LitGPT's names, with q, k and v stacked row-wise."""
    state = {name: tensor.detach() for name, tensor in network.lm.state_dict().items()}
    weights = {
        "transformer.wte.weight": state["model.embed_tokens.weight"],
        "transformer.ln_f.weight": state["model.norm.weight"],
        "lm_head.weight": state["lm_head.weight"],
    }
    for layer in range(network.sizes.layers):
        source, target = f"model.layers.{layer}.", f"transformer.h.{layer}."
        weights[target + "norm_1.weight"] = state[source + "input_layernorm.weight"]
        weights[target + "norm_2.weight"] = state[source + "post_attention_layernorm.weight"]
        for part in ("weight", "bias"):
            rows = [state[f"{source}self_attn.{name}_proj.{part}"] for name in "qkv"]
            weights[f"{target}attn.qkv.{part}"] = torch.cat(rows)
        weights[target + "attn.proj.weight"] = state[source + "self_attn.o_proj.weight"]
        for ours, theirs in (("fc_1", "gate_proj"), ("fc_2", "up_proj"), ("proj", "down_proj")):
            weights[f"{target}mlp.{ours}.weight"] = state[f"{source}mlp.{theirs}.weight"]
    return weights


def _half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as indented JSON."""
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def save_weights(out: Path, weights: dict[str, Tensor], tower: dict[str, Tensor]) -> None:
    """Write the weights of the language model, under LitGPT's names, and those of the tower into a folder."""
    save_file(weights, out / SHARD, metadata={"format": "pt"})
    (out / SHARD).chmod(0o644)  # safetensors creates files that only their owner can read
    torch.save(tower, out / TOWER)


def model_config(sizes: Sizes, vocabulary: int) -> dict[str, Any]:
    """Return the content of ``model_config.yaml``, in LitGPT's field names."""
    return {"name": "tiny-audio-interaction", "hf_config": {}, "block_size": sizes.block_size, "n_layer": sizes.layers,
            "n_embd": sizes.width, "vocab_size": vocabulary, "padded_vocab_size": vocabulary,
            "norm_class_name": "RMSNorm", "norm_eps": 1e-6, "parallel_residual": False, "n_head": sizes.heads,
            "head_size": sizes.width // sizes.heads, "n_query_groups": sizes.kv_heads, "attn_bias": True,
            "rope_base": ROPE_BASE, "rotary_percentage": 1.0, "intermediate_size": sizes.mlp, "bias": False,
            "mlp_class_name": "LLaMAMLP", "lm_head_bias": False}  # fmt: skip


def traits(
    vocabulary: Vocabulary, name: str, prompt: str = SYSTEM_PROMPT, context_seconds: float | None = None
) -> dict[str, Any]:
    """Return the content of ``audio_interaction.json``: special tokens, framing, prompt and context."""
    context = {} if context_seconds is None else {"context": {"seconds": context_seconds}}
    return {
        "format": 1, "name": name, "special_tokens": vocabulary.ids, "emotions": vocabulary.emotions,
        "rope_positions": "exact", "system_prompt": prompt,
        "offline_tasks": False,
        "framing": {"prefix": ["ONLINE", "ENGLISH", "TEXT_BEGIN", "TEXT_BEGIN", "PROMPT", "TEXT_END"],
                    "chunk": ["AUDIO_BEGIN", "FRAMES", "ASSISTANT"]},
        **context,
    }  # fmt: skip


def export(
    network: Network,
    vocabulary: Vocabulary,
    out: Path,
    record: dict[str, Any],
    name: str = "tiny",
    prompt: str = SYSTEM_PROMPT,
    context_seconds: float | None = None,
) -> None:
    """Write the checkpoint folder.

    Parameters
    ----------
    network, vocabulary
        The trained network and its vocabulary.
    out
        Output folder; files with the same names are replaced.
    record
        Record of the training (seeds, versions, hashes, figures), written to ``training.json``.
    name
        Name of the checkpoint in its traits.
    prompt
        System prompt of the training.
    context_seconds
        Seconds of audio within which nearly all decisions were trained (`Trainer.context_seconds`), the default of
        sliding sessions; None to omit the field.
    """
    sizes = network.sizes
    out.mkdir(parents=True, exist_ok=True)
    weights = _half(litgpt_weights(network))
    save_weights(out, weights, _half({k: v.detach() for k, v in network.tower.state_dict().items()}))
    total = sum(w.numel() * w.element_size() for w in weights.values())
    write_json(out / "model.safetensors.index.json",
          {"metadata": {"total_size": total}, "weight_map": dict.fromkeys(sorted(weights), SHARD)})  # fmt: skip
    (out / "model_config.yaml").write_text(yaml.safe_dump(model_config(sizes, vocabulary.size)), encoding="utf-8")
    write_json(out / "config.json", {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": sizes.width,
        "intermediate_size": sizes.mlp, "num_hidden_layers": sizes.layers, "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads, "vocab_size": vocabulary.size, "rope_theta": float(ROPE_BASE),
        "rms_norm_eps": 1e-6, "max_position_embeddings": sizes.block_size, "tie_word_embeddings": False,
    })  # fmt: skip
    write_json(
        out / "generation_config.json", {"temperature": 0.3, "top_k": 3, "eos_token_id": vocabulary.ids["TEXT_END"]}
    )
    vocabulary.save(out / "tokenizer.json")
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|text_end|>", "pad_token": "<|text_end|>",
        "bos_token": None,
        "add_bos_token": False, "model_max_length": 32768,
    })  # fmt: skip
    write_json(out / "audio_interaction.json", traits(vocabulary, name, prompt, context_seconds))
    audio = Qwen2_5OmniAudioEncoderConfig(**sizes.tower_config()).to_dict()
    thinker = {"model_type": "qwen2_5_omni_thinker", "audio_config": audio}
    (out / "qwen25OmniConfig").mkdir(exist_ok=True)
    write_json(out / "qwen25OmniConfig" / "config.json", {"model_type": "qwen2_5_omni", "thinker_config": thinker})
    write_json(out / RECORD, record)
