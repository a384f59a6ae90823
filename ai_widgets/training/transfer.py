"""Begin with the ears of a checkpoint: its tower and language model under a new vocabulary.

What a checkpoint has learnt to hear serves other sounds and words too, so a few minutes go much further. The embeddings
and output rows of special tokens, emotions and pieces of text that both vocabularies have are kept, the others are new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ai_widgets.errors import CheckpointError, SettingError
from ai_widgets.inference import Model, load_model
from ai_widgets.training.network import Network, Sizes
from ai_widgets.training.vocabulary import Vocabulary

BY_TOKEN = ("model.embed_tokens.weight", "lm_head.weight")
"""Tensors whose rows are tokens."""
NOT_USED = ("audio_bos_eos_token.weight",)
"""Tensors of the tower that no forward pass reads."""
LARGEST = 50_000_000
"""Parameters; a larger checkpoint is nothing for this trainer."""


def open_start(name: str | Path) -> Model:
    """Load the checkpoint to begin with."""
    model = load_model(name, "cpu", "float32")
    parts = (model.loaded.encoder.tower, model.loaded.decoder.model)
    count = sum(p.numel() for part in parts for p in part.parameters())
    if count > LARGEST:
        raise SettingError(
            f"{name} has {count / 1e6:.0f} M parameters; training can begin with a checkpoint of at most "
            f"{LARGEST / 1e6:.0f} M, such as tiny."
        )
    return model


def sizes_of(model: Model) -> Sizes:
    """Sizes of a network that can take a checkpoint's weights."""
    text, audio = model.loaded.decoder.model.shape, model.loaded.encoder.tower.shape
    return Sizes(
        width=text.width, layers=text.layers, heads=text.heads, kv_heads=text.key_heads, mlp=text.mlp,
        tower_width=audio.d_model, tower_layers=audio.encoder_layers, tower_heads=audio.encoder_attention_heads,
        tower_mlp=audio.encoder_ffn_dim,
        block_size=model.loaded.positions,
    )  # fmt: skip


def take_over(network: Network, words: Vocabulary, model: Model) -> None:
    """Copy a checkpoint's weights into a network of the same sizes."""
    loaded = model.loaded
    _copy(network.tower, dict(loaded.encoder.tower.state_dict()), NOT_USED)
    state = dict(loaded.decoder.model.state_dict())
    rows = _same_tokens(words, model)
    for name in BY_TOKEN:
        old, new = state.pop(name), network.lm.get_parameter(name)
        with torch.no_grad():
            for ours, theirs in rows.items():
                new[ours] = old[theirs]
    _copy(network.lm, state, BY_TOKEN)


def _same_tokens(words: Vocabulary, model: Model) -> dict[int, int]:
    """Id of the checkpoint's token for each of ours that it has: pieces of text by their spelling, others by name."""
    known = model.loaded.tokenizer.get_vocab()
    rows = {ours: known[piece] for piece, ours in words.tokenizer.get_vocab().items() if piece in known}
    table = model.loaded.traits.tokens
    named = {**table.ids, **{emotion.name: token for emotion, token in table.emotions.items()}}
    rows.update({ours: named[name] for name, ours in (words.ids | words.emotions).items() if name in named})
    return rows


def _copy(module: Any, state: dict[str, Tensor], left_out: tuple[str, ...]) -> None:
    lacking = [name for name in module.load_state_dict(state, strict=False).missing_keys if name not in left_out]
    if lacking:
        raise CheckpointError(f"The checkpoint to begin with lacks {lacking[0]}; give another --start, or none.")
