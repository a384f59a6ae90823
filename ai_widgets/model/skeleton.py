"""Modules without memory: transformers' Qwen2 and the Qwen2.5-Omni audio tower on the meta device, to be filled."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import CheckpointError
from .configuration import LanguageModelShape
from .decoder import ATTENTION
from .placement import Need

HEAD = "lm_head"
"""The layer that gives the logits."""
FRAMES = 20
"""Positions that a chunk has behind the tower's convolutions."""


def import_classes() -> None:
    """Import transformers' model classes, which takes a second the first time."""
    import transformers.models.qwen2.modeling_qwen2
    import transformers.models.qwen2_5_omni.modeling_qwen2_5_omni  # noqa: F401


def language_skeleton(shape: LanguageModelShape) -> Any:
    """A `Qwen2ForCausalLM` whose parameters have shapes and no values."""
    from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
    from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM

    try:
        config = Qwen2Config(
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.mlp,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.key_heads,
            head_dim=shape.head_size,
            max_position_embeddings=shape.positions,
            rms_norm_eps=shape.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": shape.rope_base},
            tie_word_embeddings=False,
            attn_implementation=ATTENTION,
        )
        with torch.device("meta"):
            return Qwen2ForCausalLM(config)
    except Exception as error:  # the library's checks have errors of many kinds
        raise CheckpointError(f"No language model can be built of {shape}: {error}.") from error


def finish_language_model(model: Any, device: torch.device) -> None:
    """RoPE's frequencies are computed, not loaded, and must not stay on the meta device."""
    from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

    model.model.rotary_emb = Qwen2RotaryEmbedding(model.config).to(device)


def tower_skeleton(values: dict[str, Any], width: int, source: str) -> Any:
    """A `Qwen2_5OmniAudioEncoder` without values, whose frames have the language model's width."""
    from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

    try:
        config = Qwen2_5OmniAudioEncoderConfig(**values)
        with torch.device("meta"):
            tower = Qwen2_5OmniAudioEncoder._from_config(config)
    except Exception as error:  # as above
        words = " ".join(str(error).split()).rstrip(".")
        raise CheckpointError(f"{source} holds no usable thinker_config.audio_config: {words}.") from error
    if config.output_dim != width:
        raise CheckpointError(f"The encoder's frames have width {config.output_dim}, the language model needs {width}.")
    if config.max_source_positions < FRAMES:
        raise CheckpointError(f"{source}: max_source_positions is {config.max_source_positions}, a chunk has {FRAMES}.")
    tower.audio_bos_eos_token = nn.Identity()
    return tower


def finish_tower(tower: Any, device: torch.device) -> None:
    """The positions are computed, not loaded."""
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import SinusoidsPositionEmbedding

    config = tower.config
    tower.positional_embedding = SinusoidsPositionEmbedding(config.max_source_positions, config.d_model)
    tower.to(device)


def linear_layers(model: Any) -> dict[str, nn.Linear]:
    """The language model's matrices by name: what `quantize` shrinks."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}


def need_of(model: Any, tower: Any) -> Need:
    """What the two will occupy."""
    layers = linear_layers(model).values()
    matrices = sum(layer.weight.numel() for layer in layers)
    parameters = sum(one.numel() for module in (model, tower) for one in module.parameters())
    config = model.config
    return Need(
        matrices=matrices,
        rows=sum(layer.weight.shape[0] for layer in layers),
        head=model.lm_head.weight.numel(),
        others=parameters - matrices,
        cache_width=2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim,
    )
