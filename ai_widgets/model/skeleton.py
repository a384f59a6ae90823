"""Modules without memory: the language model and the audio tower on the meta device, before loading."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import CheckpointError
from .configuration import LanguageModelShape
from .placement import Need
from .qwen2 import Qwen2
from .tower import AudioTower, TowerShape

HEAD = "lm_head"
"""Name of the output layer, which computes the logits."""


def language_skeleton(shape: LanguageModelShape) -> Qwen2:
    """Build a language model whose parameters have shapes, but no values.

    Raises
    ------
    CheckpointError
        If the sizes are not possible.
    """
    try:
        with torch.device("meta"):
            return Qwen2(shape)
    except RuntimeError as error:  # sizes beyond the limits of a tensor
        raise CheckpointError(f"No language model can be built of {shape}: {error}.") from error


def finish_language_model(model: Qwen2, device: torch.device) -> None:
    """Move RoPE's frequencies, which are computed rather than loaded, to the device of the weights."""
    model.model.rotary_emb.to(device)


def tower_skeleton(values: dict[str, Any], width: int, source: str) -> AudioTower:
    """Build an audio tower without values whose frames have the language model's width.

    Parameters
    ----------
    values
        Configuration, `thinker_config.audio_config`.
    width
        Width of the language model.
    source
        Name of the configuration in errors.

    Raises
    ------
    CheckpointError
        If the configuration is not valid, or the frames have another width.
    """
    shape = TowerShape.of(values, source)
    if shape.output_dim != width:
        raise CheckpointError(
            f"The encoder's frames have width {shape.output_dim}; the language model's width is {width}."
        )
    try:
        with torch.device("meta"):
            return AudioTower(shape)
    except RuntimeError as error:  # as above
        raise CheckpointError(f"{source}: no audio tower can be built of {shape}: {error}.") from error


def finish_tower(tower: AudioTower, device: torch.device) -> None:
    """Move the position embedding, which is computed rather than loaded, to the device of the weights."""
    tower.positional_embedding.to(device)


def linear_layers(model: Any) -> dict[str, nn.Linear]:
    """Return the language model's linear layers by name, which `quantize` reduces."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}


def need_of(model: Qwen2, tower: AudioTower) -> Need:
    """Compute the memory need of language model and tower."""
    layers = linear_layers(model).values()
    matrices = sum(layer.weight.numel() for layer in layers)
    parameters = sum(one.numel() for module in (model, tower) for one in module.parameters())
    shape = model.shape
    return Need(
        matrices=matrices,
        rows=sum(layer.weight.shape[0] for layer in layers),
        head=model.lm_head.weight.numel(),
        others=parameters - matrices,
        cache_width=2 * shape.layers * shape.key_rows,
    )
