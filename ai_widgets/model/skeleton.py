"""Modules without memory: the language model and the audio tower on the meta device, to be filled."""

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
"""The layer that gives the logits."""


def language_skeleton(shape: LanguageModelShape) -> Qwen2:
    """A language model whose parameters have shapes and no values."""
    try:
        with torch.device("meta"):
            return Qwen2(shape)
    except RuntimeError as error:  # sizes that are beyond what a tensor can have
        raise CheckpointError(f"No language model can be built of {shape}: {error}.") from error


def finish_language_model(model: Qwen2, device: torch.device) -> None:
    """Bring what is computed, not loaded, to the device of the weights: RoPE's frequencies."""
    model.model.rotary_emb.to(device)


def tower_skeleton(values: dict[str, Any], width: int, source: str) -> AudioTower:
    """An audio tower without values, whose frames have the language model's width.

    Parameters
    ----------
    values
        Its configuration, `thinker_config.audio_config`.
    width
        Width of the language model.
    source
        Where the configuration is from; begins the sentence that says what is wrong with it.
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
    """Bring what is computed, not loaded, to the device of the weights: the positions."""
    tower.positional_embedding.to(device)


def linear_layers(model: Any) -> dict[str, nn.Linear]:
    """The language model's matrices by name: what `quantize` shrinks."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}


def need_of(model: Qwen2, tower: AudioTower) -> Need:
    """What the two will occupy."""
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
