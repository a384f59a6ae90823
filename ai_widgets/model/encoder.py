"""Chunks of log-mel → encoder frames, through the weights of transformers' Qwen2.5-Omni audio tower.

The tower sees each chunk as a segment of its own (docs/protocol.md §6): convolutions, positions and attention all stay
inside its 40 mel frames; 40 → 20 by the second convolution → 10 by average pooling. So chunks are independent given
their mels and go through the tower as a batch. transformers' own `forward` packs segments into one row and attends to
them one after the other; `encode_chunks` does the same arithmetic on the same modules with the segments in the batch
dimension.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..audio.features import Array
from ..protocol import MELS_PER_CHUNK

BATCH = 64
"""Chunks encoded at a time, so that a long clip needs bounded memory."""


def encode_chunks(tower: nn.Module, mels: Tensor) -> Tensor:
    """Encode independent chunks.

    Parameters
    ----------
    tower
        A `Qwen2_5OmniAudioEncoder`.
    mels
        [chunks, 128, 40] in the tower's dtype.

    Returns
    -------
    Tensor [chunks, 10, output_dim]
    """
    parts: Any = tower
    hidden = functional.gelu(parts.conv1(mels))
    hidden = functional.gelu(parts.conv2(hidden)).transpose(1, 2)
    positions = parts.positional_embedding.positional_embedding[: hidden.shape[1]]
    hidden = hidden + positions.to(hidden.dtype)
    for layer in parts.layers:
        hidden = _layer(layer, hidden)
    hidden = (hidden[:, 0::2] + hidden[:, 1::2]) / 2
    frames: Tensor = parts.proj(parts.ln_post(hidden))
    return frames


def _layer(layer: Any, hidden: Tensor) -> Tensor:
    attention = layer.self_attn
    chunks, length, width = hidden.shape
    normed = layer.self_attn_layer_norm(hidden)
    query, key, value = (
        project(normed).view(chunks, length, attention.num_heads, -1).transpose(1, 2)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    attended = functional.scaled_dot_product_attention(query, key, value, scale=attention.scaling)
    hidden = hidden + attention.out_proj(attended.transpose(1, 2).reshape(chunks, length, width))
    inner = layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
    hidden = hidden + layer.fc2(inner)
    if hidden.dtype == torch.float16:
        # As transformers does: half precision may overflow in deep towers.
        bound = torch.finfo(torch.float16).max - 1000
        hidden = hidden.clamp(-bound, bound)
    return hidden


class Encoder:
    """The audio tower on its device: log-mel chunks in, frames out. Stateless."""

    def __init__(self, tower: nn.Module) -> None:
        self.tower = tower.eval().requires_grad_(False)
        parameter = next(tower.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype

    @torch.inference_mode()
    def encode(self, mels: Array) -> Tensor:
        """Frames of chunks.

        Parameters
        ----------
        mels
            float32 [128, 40 · chunks], as `features` makes them.

        Returns
        -------
        Tensor [chunks, 10, width], in the encoder's dtype and on its device
        """
        bins, length = mels.shape
        chunks = mels.reshape(bins, length // MELS_PER_CHUNK, MELS_PER_CHUNK).transpose(1, 0, 2)
        batches = [
            encode_chunks(
                self.tower,
                torch.from_numpy(np.ascontiguousarray(chunks[start : start + BATCH])).to(self.device, self.dtype),
            )
            for start in range(0, len(chunks), BATCH)
        ]
        return batches[0] if len(batches) == 1 else torch.cat(batches)
