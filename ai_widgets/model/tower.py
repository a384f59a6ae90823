"""Audio tower: an implementation of Qwen2.5-Omni's encoder with the parameter names of transformers.

The tower encodes each chunk as a separate segment (docs/protocol.md §6): convolutions, positions and attention are
limited to the chunk's 40 mel frames, which the second convolution reduces to 20 and average pooling to 10. Therefore
chunks are independent given their mels, and are encoded as a batch. transformers' `forward` packs segments into one row
and processes them in turn; the arithmetic is the same (tests compare the two), and so are the modules: `encode_chunks`
also runs transformers' `Qwen2_5OmniAudioEncoder`, which training uses.

Source: Robust Speech Recognition via Large-Scale Weak Supervision (arXiv:2212.04356), whose encoder this is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..audio.features import MEL_BINS
from ..errors import CheckpointError
from .linear import Linear

FRAMES = 20
"""Number of positions of a chunk after the tower's convolutions."""
LONGEST_PERIOD = 10_000
"""Number of positions in which the slowest sinusoid advances by one radian."""


@dataclass(frozen=True)
class TowerShape:
    """Sizes of the tower, named as in `thinker_config.audio_config`; the defaults are Qwen2.5-Omni's.

    `n_window` is half the length of the windows, in mel frames, into which `encode_clip` cuts a clip.
    """

    d_model: int = 1280
    encoder_layers: int = 32
    encoder_attention_heads: int = 20
    encoder_ffn_dim: int = 5120
    max_source_positions: int = 1500
    output_dim: int = 3584
    n_window: int = 100

    @staticmethod
    def of(config: dict[str, Any], source: str) -> TowerShape:
        """Read the sizes from a configuration; `source` names the configuration in errors.

        Raises
        ------
        CheckpointError
            If a size is not valid, or the activation function is not `gelu`.
        """
        shape = TowerShape(**{field.name: config[field.name] for field in fields(TowerShape) if field.name in config})
        problem = shape._problem()
        if config.get("activation_function", "gelu") != "gelu":
            problem = f"activation_function must be 'gelu', not {config['activation_function']!r}"
        if problem is not None:
            raise CheckpointError(f"{source} contains no valid thinker_config.audio_config: {problem}.")
        return shape

    def _problem(self) -> str | None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                return f"{field.name} must be a whole number above 0, not {value!r}"
        if self.d_model % 2 or self.d_model < 4:
            return f"d_model must be even and at least 4, not {self.d_model}"
        if self.d_model % self.encoder_attention_heads:
            return f"d_model {self.d_model} is not a multiple of encoder_attention_heads {self.encoder_attention_heads}"
        if self.max_source_positions < FRAMES:
            return f"max_source_positions must be at least {FRAMES}, not {self.max_source_positions}"
        if self.n_window % FRAMES or self.n_window > self.max_source_positions:
            return f"n_window must be a multiple of {FRAMES} and at most max_source_positions, not {self.n_window}"
        return None


class Sinusoids(nn.Module):
    """Sinusoidal position embedding [positions, width], computed rather than learned."""

    positional_embedding: Tensor

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        step = -math.log(LONGEST_PERIOD) / (width // 2 - 1)
        frequencies = torch.exp(step * torch.arange(width // 2, dtype=torch.float32, device="cpu"))
        angles = torch.arange(positions, device="cpu")[:, None] * frequencies
        waves = torch.cat((angles.sin(), angles.cos()), dim=1)
        self.register_buffer("positional_embedding", waves, persistent=False)


class Attention(nn.Module):
    """Projections of the attention over all positions of a chunk."""

    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        width = shape.d_model
        self.num_heads = shape.encoder_attention_heads
        self.q_proj = Linear(width, width)
        self.k_proj = Linear(width, width, bias=False)
        self.v_proj = Linear(width, width)
        self.out_proj = Linear(width, width)


class Layer(nn.Module):
    """Modules of a layer; `run_layer` connects them."""

    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.self_attn_layer_norm = nn.LayerNorm(shape.d_model)
        self.fc1 = Linear(shape.d_model, shape.encoder_ffn_dim)
        self.fc2 = Linear(shape.encoder_ffn_dim, shape.d_model)
        self.final_layer_norm = nn.LayerNorm(shape.d_model)


class AudioTower(nn.Module):
    """Audio tower: log-mel chunks → encoder frames.

    Attributes
    ----------
    shape
        Sizes.
    """

    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.shape, width = shape, shape.d_model
        self.conv1 = nn.Conv1d(MEL_BINS, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.positional_embedding = Sinusoids(shape.max_source_positions, width)
        self.layers = nn.ModuleList([Layer(shape) for _ in range(shape.encoder_layers)])
        self.ln_post = nn.LayerNorm(width)
        self.proj = Linear(width, shape.output_dim)

    def forward(self, mels: Tensor) -> Tensor:
        return encode_chunks(self, mels)


def encode_chunks(tower: Any, mels: Tensor) -> Tensor:
    """Encode independent chunks.

    Parameters
    ----------
    tower
        An `AudioTower`, or transformers' `Qwen2_5OmniAudioEncoder`.
    mels
        [chunks, 128, 40] in the tower's dtype.

    Returns
    -------
    Tensor [chunks, 10, output_dim]
    """
    hidden = functional.gelu(tower.conv1(mels))
    hidden = functional.gelu(tower.conv2(hidden)).transpose(1, 2)
    positions = tower.positional_embedding.positional_embedding[: hidden.shape[1]]
    hidden = hidden + positions.to(hidden.dtype)
    for layer in tower.layers:
        hidden = run_layer(layer, hidden)
    hidden = (hidden[:, 0::2] + hidden[:, 1::2]) / 2
    frames: Tensor = tower.proj(tower.ln_post(hidden))
    return frames


def encode_clip(tower: AudioTower, mels: Tensor) -> Tensor:
    """Encode a clip as one piece, as the offline tasks do (docs/protocol.md §4).

    The tower cuts a piece into windows of ``2 · n_window`` mel frames (2 s); convolutions, positions and attention are
    limited to a window, and the last one is shorter.

    Parameters
    ----------
    tower
        The tower.
    mels
        [128, 40 · chunks] in the tower's dtype.

    Returns
    -------
    Tensor [10 · chunks, output_dim]
    """
    window = 2 * tower.shape.n_window
    whole = mels.shape[1] // window
    parts = []
    if whole:
        windows = mels[:, : whole * window].reshape(len(mels), whole, window).transpose(0, 1)
        parts.append(encode_chunks(tower, windows.contiguous()).flatten(0, 1))
    if mels.shape[1] % window:
        parts.append(encode_chunks(tower, mels[None, :, whole * window :])[0])
    return torch.cat(parts)


def run_layer(layer: Any, hidden: Tensor) -> Tensor:
    """Run a pre-norm residual layer on hidden states [chunks, positions, width]: attention, then feed-forward."""
    attention = layer.self_attn
    normed = layer.self_attn_layer_norm(hidden)
    query, key, value = (
        project(normed).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    attended = functional.scaled_dot_product_attention(query, key, value)
    hidden = hidden + attention.out_proj(attended.transpose(1, 2).flatten(-2))
    hidden = hidden + layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(hidden))))
    if hidden.dtype == torch.float16:
        # As in transformers: float16 may overflow in deep towers.
        bound = torch.finfo(torch.float16).max - 1000
        hidden = hidden.clamp(-bound, bound)
    return hidden
