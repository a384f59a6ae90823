"""The network of the embedded model: small versions of Qwen2 and of the Qwen2.5-Omni audio tower of transformers.

`Network` adds linear read-outs for auxiliary losses, which speed up learning of recognition: the kind of sound in each
40 ms (from the tower's frames and from the language model's states), the word and, where they are known, the phones
(from the language model's states). The read-outs are not exported.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from ai_widgets.model.tower import encode_chunks
from ai_widgets.protocol import FRAMES_PER_CHUNK
from ai_widgets.training.corpus import KINDS
from ai_widgets.training.lexicon import OTHER_SPEECH


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network; the defaults are those of the shipped checkpoint."""

    width: int = 192
    layers: int = 8
    heads: int = 6
    kv_heads: int = 2
    mlp: int = 512
    tower_width: int = 160
    tower_layers: int = 6
    tower_heads: int = 4
    tower_mlp: int = 640
    block_size: int = 2048

    def tower_config(self) -> dict[str, Any]:
        """Return the tower's configuration, `thinker_config.audio_config`."""
        return {"d_model": self.tower_width, "encoder_layers": self.tower_layers,
                "encoder_attention_heads": self.tower_heads, "encoder_ffn_dim": self.tower_mlp, "num_mel_bins": 128,
                "n_window": 100, "max_source_positions": 1500, "output_dim": self.width,
                "scale_embedding": False}  # fmt: skip

    def to_json(self) -> dict[str, int]:
        """Return the sizes as JSON values."""
        return asdict(self)


class Network(nn.Module):
    """The tower, the language model, and the read-outs for training."""

    def __init__(self, sizes: Sizes, vocabulary: int, phones: int = 0) -> None:
        super().__init__()
        self.sizes = sizes
        self.tower: Any = Qwen2_5OmniAudioEncoder._from_config(Qwen2_5OmniAudioEncoderConfig(**sizes.tower_config()))
        self.lm: Any = Qwen2ForCausalLM._from_config(
            Qwen2Config(
                vocab_size=vocabulary, hidden_size=sizes.width, intermediate_size=sizes.mlp,
                num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads, num_key_value_heads=sizes.kv_heads,
                max_position_embeddings=sizes.block_size, rope_theta=10000.0, rms_norm_eps=1e-6,
                tie_word_embeddings=False, use_cache=False, initializer_range=0.04,
            )
        )  # fmt: skip
        for module in self.tower.modules():
            if isinstance(module, nn.Linear | nn.Conv1d):
                nn.init.xavier_uniform_(module.weight)
        self.tower.audio_bos_eos_token.weight.requires_grad_(False)
        self.tower_kinds = nn.Linear(sizes.width, len(KINDS))
        self.lm_kinds = nn.Linear(sizes.width, len(KINDS))
        self.lm_words = nn.Linear(sizes.width, OTHER_SPEECH + 1)
        self.lm_phones = nn.Linear(sizes.width, phones + 1) if phones else None
        self.attended: Tensor | None
        self.register_buffer("attended", None, persistent=False)

    def limit_attention(self, prefix: int, positions: int) -> None:
        """Limit attention to the prefix and the newest positions, as in a sliding context.

        Parameters
        ----------
        prefix
            Positions at the start of a sequence that stay in the context.
        positions
            Positions of the context, the prefix included.
        """
        size, device = self.sizes.block_size, self.lm.device
        query, key = torch.arange(size, device=device)[:, None], torch.arange(size, device=device)[None]
        near = query - key < positions - prefix
        self.attended = (key <= query) & (near | (key < prefix))

    def frames(self, mels: Tensor) -> Tensor:
        """Encode chunks [n, 128, 40] to frames [n, 10, width]."""
        with plain_attention(mels.device):
            return encode_chunks(self.tower, mels)

    def hidden(self, tokens: Tensor, at: Tensor, frames: Tensor) -> Tensor:
        """Compute hidden states [batch, length, width]; `frames` replace the embeddings at the flat positions `at`."""
        embedded = self.lm.model.embed_tokens(tokens)
        shape = embedded.shape
        flat = embedded.reshape(-1, shape[-1]).to(frames.dtype)
        mixed = flat.index_copy(0, at, frames.reshape(-1, shape[-1])).view(shape)
        with plain_attention(frames.device):
            length = shape[1]
            mask = None if self.attended is None else self.attended[:length, :length].expand(shape[0], 1, -1, -1)
            out: Tensor = self.lm.model(inputs_embeds=mixed, attention_mask=mask, use_cache=False).last_hidden_state
        return out

    def forward(self, mels: Tensor, tokens: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the frames of all chunks without padding, and the hidden states, as one graph to compile."""
        frames = self.frames(mels)[: at.shape[0] // FRAMES_PER_CHUNK]
        return frames, self.hidden(tokens, at, frames)

    def logits(self, hidden: Tensor) -> Tensor:
        """Compute the token logits of hidden states."""
        out: Tensor = self.lm.lm_head(hidden)
        return out


def plain_attention(device: torch.device) -> AbstractContextManager[None]:
    """Choose the kernel of attention: on a CPU the fused one is several times slower in its backward pass."""
    kernels = sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
    return cast("AbstractContextManager[None]", kernels)


def parameters(network: Network) -> int:
    """Count the exported parameters."""
    return sum(p.numel() for part in (network.tower, network.lm) for p in part.parameters())


def make(sizes: Sizes, vocabulary: int, seed: int, phones: int = 0) -> Network:
    """Make a network with random weights from a seed."""
    torch.manual_seed(seed)
    return Network(sizes, vocabulary, phones)
