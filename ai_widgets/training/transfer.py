"""Start a training from a checkpoint: its tower and language model, under a new vocabulary.

A trained tower also recognises other sounds and words, so much less training is needed. Embeddings and output rows of
special tokens, emotions and text pieces that both vocabularies have are copied; the others are new. The new network may
have more layers: those added at the end begin as the identity, so it begins with the checkpoint's answers (Net2Net,
Chen et al. 2015, arXiv 1511.05641).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ai_widgets.errors import CheckpointError, SettingError
from ai_widgets.inference import Model, load_model
from ai_widgets.training.network import Network, Sizes
from ai_widgets.training.vocabulary import Vocabulary

BY_TOKEN = ("model.embed_tokens.weight", "lm_head.weight")
"""Tensors with one row per token."""
NOT_USED = ("audio_bos_eos_token.weight",)
"""Tensors of the tower that no forward pass uses."""
LARGEST = 50_000_000
"""Parameters of a checkpoint at most: this trainer keeps all state in float32 on a CPU."""
BRANCH_ENDS = ("self_attn.out_proj", "fc2", "self_attn.o_proj", "mlp.down_proj")
"""Last modules of the branches that a layer of the tower or of the language model adds to its input."""


def open_start(name: str | Path) -> Model:
    """Load the checkpoint to start from.

    Raises
    ------
    SettingError
        Where the checkpoint has more than `LARGEST` parameters.
    """
    model = load_model(name, "cpu", "float32")
    parts = (model.encoder.tower, model.decoder.model)
    count = sum(p.numel() for part in parts for p in part.parameters())
    if count > LARGEST:
        raise SettingError(
            f"{name} has {count / 1e6:.0f} M parameters; training can start from a checkpoint of at most "
            f"{LARGEST / 1e6:.0f} M, such as tiny."
        )
    return model


def sizes_of(model: Model) -> Sizes:
    """Return the sizes of a network that fit a checkpoint's weights."""
    text, audio = model.decoder.model.shape, model.encoder.tower.shape
    return Sizes(
        width=text.width, layers=text.layers, heads=text.heads, kv_heads=text.key_heads, mlp=text.mlp,
        tower_width=audio.d_model, tower_layers=audio.encoder_layers, tower_heads=audio.encoder_attention_heads,
        tower_mlp=audio.encoder_ffn_dim,
        block_size=model.positions,
    )  # fmt: skip


def fits(sizes: Sizes, start: Sizes) -> bool:
    """Return whether a network of `sizes` can begin with a checkpoint of the sizes `start`: equal, or more layers."""
    deeper = replace(start, layers=sizes.layers, tower_layers=sizes.tower_layers)
    return sizes == deeper and sizes.layers >= start.layers and sizes.tower_layers >= start.tower_layers


def take_over(network: Network, words: Vocabulary, model: Model) -> None:
    """Copy a checkpoint's weights into a network whose sizes fit (`fits`).

    Raises
    ------
    CheckpointError
        Where the checkpoint lacks a tensor.
    """
    start = sizes_of(model)
    added = _identity(network.lm, "model.layers", network.lm.model.layers[start.layers :], start.layers)
    tower = _identity(network.tower, "layers", network.tower.layers[start.tower_layers :], start.tower_layers)
    _copy(network.tower, dict(model.encoder.tower.state_dict()), (*NOT_USED, *tower))
    state = dict(model.decoder.model.state_dict())
    rows = _same_tokens(words, model)
    for name in BY_TOKEN:
        old, new = state.pop(name), network.lm.get_parameter(name)
        with torch.no_grad():
            for ours, theirs in rows.items():
                new[ours] = old[theirs]
    _copy(network.lm, state, (*BY_TOKEN, *added))


@torch.no_grad()
def _identity(module: Any, name: str, layers: Any, first: int) -> tuple[str, ...]:
    """Make layers that add nothing to their input; return the names of their tensors in the module's state."""
    for layer in layers:
        for branch in BRANCH_ENDS:
            for part, parameter in layer.named_parameters():
                if part.startswith(f"{branch}."):
                    parameter.zero_()
    prefixes = tuple(f"{name}.{first + place}." for place in range(len(layers)))
    return tuple(tensor for tensor in module.state_dict() if tensor.startswith(prefixes))


def _same_tokens(words: Vocabulary, model: Model) -> dict[int, int]:
    """Map our token ids to the checkpoint's: text pieces by their spelling, special tokens and emotions by name."""
    known = model.tokenizer.get_vocab()
    rows = {ours: known[piece] for piece, ours in words.tokenizer.get_vocab().items() if piece in known}
    table = model.traits.tokens
    named = {**table.ids, **{emotion.name: token for emotion, token in table.emotions.items()}}
    rows.update({ours: named[name] for name, ours in (words.ids | words.emotions).items() if name in named})
    return rows


def _copy(module: Any, state: dict[str, Tensor], left_out: tuple[str, ...]) -> None:
    lacking = [name for name in module.load_state_dict(state, strict=False).missing_keys if name not in left_out]
    if lacking:
        raise CheckpointError(f"The checkpoint to start from lacks {lacking[0]}; give another --start, or none.")
