"""Language model: an implementation of Qwen2 with the parameter names of transformers.

Each layer has two residual blocks: attention, in which a token reads all earlier positions, and a gated feed-forward
network (`Mlp`), which processes each token separately. `Attention` reads and extends the keys and values of a
`Context`, so that a step computes only its new tokens.

The arithmetic equals transformers' `Qwen2ForCausalLM`, operation by operation (tests compare the two). The model is
implemented here so that it can be read in this package, and because importing transformers' module takes twice as long
as importing torch.

Sources: Qwen2 technical report (arXiv:2407.10671); RoPE (arXiv:2104.09864); RMSNorm (arXiv:1910.07467); grouped-query
attention (arXiv:2305.13245).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .configuration import LanguageModelShape
from .context import Context, Row
from .linear import Linear

Rotation = tuple[Tensor, Tensor]
"""Cosine and sine of RoPE's angles for the tokens of a step, each [..., tokens, head size]."""
Places = Tensor | slice
"""Indices of tokens of a step."""


class RmsNorm(nn.Module):
    """RMS normalisation: division by the root mean square in float32, and a learned scale."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        exact = hidden.float()
        exact = exact * torch.rsqrt(exact.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return self.weight * exact.to(hidden.dtype)


class RotaryEmbedding(nn.Module):
    """Angles of RoPE: element i of each half of a head forms a pair, rotated by position · base^(-2i / head size)."""

    inv_freq: Tensor

    def __init__(self, shape: LanguageModelShape) -> None:
        super().__init__()
        # Computed on the CPU, so that the buffer has values while the parameters are on the meta device.
        exponents = torch.arange(0, shape.head_size, 2, dtype=torch.float32, device="cpu") / shape.head_size
        self.register_buffer("inv_freq", 1.0 / shape.rope_base**exponents, persistent=False)

    def forward(self, positions: Tensor, dtype: torch.dtype) -> Rotation:
        """Compute the rotation of tokens at integer positions [..., tokens]."""
        angles = positions[..., None].float() * self.inv_freq
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(dtype), angles.sin().to(dtype)


def apply_rotation(heads: Tensor, rotation: Rotation) -> Tensor:
    """Apply RoPE to queries or keys [1, heads, tokens, head size]."""
    cos, sin = rotation
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Grouped-query attention of new tokens to the context and to themselves."""

    def __init__(self, shape: LanguageModelShape, layer: int) -> None:
        super().__init__()
        self.layer, self.size, self.group = layer, shape.head_size, shape.heads // shape.key_heads
        self.q_proj = Linear(shape.width, shape.query_rows)
        self.k_proj = Linear(shape.width, shape.key_rows)
        self.v_proj = Linear(shape.width, shape.key_rows)
        self.o_proj = Linear(shape.query_rows, shape.width, bias=False)

    def forward(
        self,
        hidden: Tensor,
        rotation: Rotation,
        mask: Tensor | None,
        context: Context | Row,
        last: Places | None = None,
    ) -> Tensor:
        asking = hidden if last is None else hidden[:, last]
        query, key, value = (
            project(tokens).unflatten(-1, (-1, self.size)).transpose(1, 2)
            for project, tokens in ((self.q_proj, asking), (self.k_proj, hidden), (self.v_proj, hidden))
        )
        cos, sin = rotation
        query = apply_rotation(query, rotation if last is None else (cos[..., last, :], sin[..., last, :]))
        key = apply_rotation(key, rotation)
        # A last token attends to all positions.
        mask = mask if last is None else None
        if isinstance(context, Row):
            keys, values = (torch.split(heads, context.counts, dim=2) for heads in (key, value))
            queries = torch.split(query, context.counts if last is None else 1, dim=2)
            masks = context.masks if last is None else (None,) * len(context.contexts)
            each = zip(queries, keys, values, masks, context.contexts, strict=True)
            attended = torch.cat([self._attend(*part) for part in each], dim=2)
        else:
            attended = self._attend(query, key, value, mask, context)
        out: Tensor = self.o_proj(attended.transpose(1, 2).flatten(-2))
        return out

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, context: Context) -> Tensor:
        """Extend a context by new tokens, and return their attention [1, heads, tokens, head size] to all of it."""
        keys, values = context.extend(self.layer, key, value)
        # Several query heads share a key head. They are concatenated along the token axis, so that the cache is not
        # repeated for each head.
        shared = query.reshape(1, keys.shape[1], -1, self.size)
        return functional.scaled_dot_product_attention(
            shared, keys, values, attn_mask=mask, scale=self.size**-0.5
        ).reshape(query.shape)


class Mlp(nn.Module):
    """Gated feed-forward network (SwiGLU): the gate projection scales the up projection element by element."""

    def __init__(self, shape: LanguageModelShape) -> None:
        super().__init__()
        self.gate_proj = Linear(shape.width, shape.mlp, bias=False)
        self.up_proj = Linear(shape.width, shape.mlp, bias=False)
        self.down_proj = Linear(shape.mlp, shape.width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden))
        return out


class Layer(nn.Module):
    """Pre-norm residual layer: attention, then the feed-forward network."""

    def __init__(self, shape: LanguageModelShape, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(shape, layer)
        self.mlp = Mlp(shape)
        self.input_layernorm = RmsNorm(shape.width, shape.norm_eps)
        self.post_attention_layernorm = RmsNorm(shape.width, shape.norm_eps)

    def forward(
        self,
        hidden: Tensor,
        rotation: Rotation,
        mask: Tensor | None,
        context: Context | Row,
        last: Places | None = None,
    ) -> Tensor:
        attended = self.self_attn(self.input_layernorm(hidden), rotation, mask, context, last)
        hidden = (hidden if last is None else hidden[:, last]) + attended
        out: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return out


class Backbone(nn.Module):
    """Stack of layers: embeddings → hidden states."""

    def __init__(self, shape: LanguageModelShape) -> None:
        super().__init__()
        # Not initialised: random initialisation, even on the meta device, makes torch import its compiler (0.5 s).
        values = torch.empty(shape.vocabulary, shape.width)
        self.embed_tokens: nn.Embedding = nn.Embedding.from_pretrained(values, freeze=False)  # type: ignore[no-untyped-call]
        self.layers = nn.ModuleList([Layer(shape, number) for number in range(shape.layers)])
        self.norm = RmsNorm(shape.width, shape.norm_eps)
        self.rotary_emb = RotaryEmbedding(shape)

    def forward(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        context: Context | Row,
        last: Places | None = None,
    ) -> Tensor:
        """Compute the hidden states of new tokens.

        Parameters
        ----------
        embeddings
            [1, tokens, width].
        positions
            [1, tokens], integers.
        mask
            [1, 1, group · tokens, positions], added to the attention scores: one row per query head of a group and new
            token, one column per position, the new positions last. None for one new token, and with a `Row`.
        context
            KV cache, which is read, and extended at its end; or the contexts of several sessions whose new tokens lie
            side by side in `embeddings`. Everything but attention then treats their tokens as one step's.
        last
            Index of the last token of each context, if only their hidden states are wanted. The last layer then
            computes only keys and values of the others.

        Returns
        -------
        Tensor [1, tokens, width]
            Of all tokens, or of those in `last`.
        """
        rotation = self.rotary_emb(positions, embeddings.dtype)
        hidden = embeddings
        *layers, top = self.layers
        for layer in layers:
            hidden = layer(hidden, rotation, mask, context)
        hidden = top(hidden, rotation, mask, context, last)
        out: Tensor = self.norm(hidden)
        return out


class Qwen2(nn.Module):
    """Language model.

    Attributes
    ----------
    shape
        Sizes.
    model
        Backbone: embeddings → hidden states.
    lm_head
        Output head: hidden states → logits of the vocabulary.
    """

    def __init__(self, shape: LanguageModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        self.lm_head = Linear(shape.width, shape.vocabulary, bias=False)
