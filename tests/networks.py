"""A language model of random weights, and the weights of ours in modules that are transformers' from end to end."""

from __future__ import annotations

import torch
from torch import nn
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from ai_widgets.model.configuration import LanguageModelShape
from ai_widgets.model.qwen2 import Qwen2
from ai_widgets.model.tower import AudioTower


def random_language_model(shape: LanguageModelShape, seed: int, deviation: float = 0.02) -> Qwen2:
    """A language model whose matrices are normally distributed, and its biases 0."""
    torch.manual_seed(seed)
    model = Qwen2(shape)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=deviation)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    return model


def their_language_model(ours: Qwen2) -> Qwen2ForCausalLM:
    """transformers' Qwen2 with the weights of ours, under the same names."""
    shape = ours.shape
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
        attn_implementation="eager",
    )
    model = Qwen2ForCausalLM(config).to(ours.lm_head.weight.dtype).eval()
    model.load_state_dict(ours.state_dict())
    return model


def their_audio_tower(ours: AudioTower) -> Qwen2_5OmniAudioEncoder:
    """transformers' audio tower with the weights of ours, under the same names."""
    shape = ours.shape
    config = Qwen2_5OmniAudioEncoderConfig(
        d_model=shape.d_model,
        encoder_layers=shape.encoder_layers,
        encoder_attention_heads=shape.encoder_attention_heads,
        encoder_ffn_dim=shape.encoder_ffn_dim,
        max_source_positions=shape.max_source_positions,
        output_dim=shape.output_dim,
    )
    tower = Qwen2_5OmniAudioEncoder._from_config(config).to(ours.proj.weight.dtype).eval()
    lacking = tower.load_state_dict(ours.state_dict(), strict=False)
    assert lacking.missing_keys == ["audio_bos_eos_token.weight"]
    assert lacking.unexpected_keys == []
    return tower
