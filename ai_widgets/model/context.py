"""KV cache of one session, with a sliding window behind a fixed prefix.

A context grows at its end; a slide evicts the oldest positions behind the prefix. Attention depends only on the
distances between positions, so that the remaining keys need no change: the few keys of the prefix are rotated forward
to the positions just before the oldest remaining one. The cost of a slide does not depend on the context's length.
Positions are counted from the prefix on and stay below the limit.

The tensors are about twice as long as the limit. When their end is reached, all held positions move to the front and
their keys are rotated back once. A key is evicted after one or two such moves, so that rounding errors do not
accumulate, even in bfloat16; the prefix is always rotated from its original keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .configuration import LanguageModelShape

FIRST_CAPACITY = 512
"""Number of positions allocated first; full tensors double in length, up to the length that the limit requires."""


class Context:
    """KV cache of one session.

    Parameters
    ----------
    shape
        Sizes of the language model.
    frequencies
        RoPE's inverse frequencies, float32 [head size / 2], on the model's device.
    dtype
        Number format of keys and values.
    limit
        Maximum number of positions; the session checks `room` before a feed. The limit may change between steps.

    Attributes
    ----------
    start, end
        Range in the tensors of the positions in use. A token is rotated by its index in the tensors.
    """

    def __init__(self, shape: LanguageModelShape, frequencies: Tensor, dtype: torch.dtype, limit: int) -> None:
        self.limit = limit
        self.start = self.end = 0
        self._layers = shape.layers
        size = 2 * len(frequencies)
        # On the CPU, because not every device supports double precision.
        self._frequencies = frequencies.cpu().double()
        empty = torch.empty(1, shape.key_heads, 0, size, dtype=dtype, device=frequencies.device)
        # One attribute, so that an interrupt cannot leave keys and values of different lengths.
        self._tensors = [empty] * self._layers, [empty] * self._layers
        self._prefix: tuple[list[Tensor], list[Tensor]] | None = None
        self._prefix_at = 0
        self._moving = False

    @property
    def keys(self) -> list[Tensor]:
        """Keys of each layer, [1, key heads, capacity, head size]."""
        return self._tensors[0]

    @property
    def values(self) -> list[Tensor]:
        """Values of each layer, in the shape of the keys."""
        return self._tensors[1]

    @property
    def position(self) -> int:
        """Number of positions in use, which is also the position of the next token."""
        return self.end - self.start

    @property
    def room(self) -> int:
        """Number of free positions."""
        return self.limit - self.position

    @property
    def capacity(self) -> int:
        """Number of allocated positions."""
        return int(self.keys[0].shape[-2])

    def clear(self) -> None:
        """Discard all positions; the memory stays allocated."""
        self._prefix = None
        self.start = self.end = 0
        self._prefix_at, self._moving = 0, False

    def truncate(self, position: int) -> None:
        """Discard all but the first `position` positions; the remaining ones are not changed."""
        self.end = self.start + position

    def branch(self, position: int) -> Context:
        """Return an independent context with the first `position` positions, with the same keys bit for bit.

        The positions are copied, since both contexts go on writing behind them: 2 × layers × key heads × head size
        numbers a position (about 57 kB in bfloat16 for 28 layers with 4 heads of 128).
        """
        other = Context.__new__(Context)
        other.__dict__.update(self.__dict__)
        other.end = self.start + position
        copies = ([t[:, :, : other.end].clone() for t in tensors] for tensors in self._tensors)
        other._tensors = next(copies), next(copies)
        return other

    def repair(self) -> bool:
        """Complete an interrupted slide. Return False after an interrupted move, which only `clear` can repair."""
        if self._moving:
            return False
        if self._prefix is not None and self._prefix_at != self.start:
            with torch.inference_mode():
                self._write_prefix()
        return True

    def reserve(self, count: int) -> None:
        """Allocate memory for `count` more positions."""
        end = self.end + count
        if end <= self.capacity:
            return
        most = self.limit if self.start == 0 else 2 * self.limit
        if self.capacity < most:
            self._grow(min(max(end, 2 * self.capacity, FIRST_CAPACITY), most))
        if end > self.capacity:
            self._move_to_front()

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write the keys and values of a step for one layer behind the positions in use, without copying old ones.

        The step is complete when all layers are written and the caller has advanced `end`.

        Parameters
        ----------
        layer
            Index of the layer.
        key, value
            [1, key heads, tokens, head size]; `reserve` must have been called for these tokens.

        Returns
        -------
        Tensor, Tensor
            Keys and values of all positions of the layer, the new positions last.
        """
        keys, values = self.keys[layer], self.values[layer]
        end = self.end + key.shape[-2]
        keys[:, :, self.end : end] = key
        values[:, :, self.end : end] = value
        return keys[:, :, self.start : end], values[:, :, self.start : end]

    @torch.inference_mode()
    def slide(self, keep: int, count: int) -> None:
        """Evict `count` positions behind the prefix.

        Parameters
        ----------
        keep
            Number of positions in the prefix, the same at every call until `clear`.
        count
            Number of positions to evict.
        """
        if self._prefix is None:
            held = slice(self.start, self.start + keep)
            self._prefix = [k[:, :, held].clone() for k in self.keys], [v[:, :, held].clone() for v in self.values]
            self._prefix_at = self.start
        self.start += count
        self._write_prefix()

    def _write_prefix(self) -> None:
        """Write the prefix at `start`, rotated from its original keys."""
        if self._prefix is None:
            return
        cos, sin = self._turn(self.start)
        for keys, values, first_keys, first_values in zip(self.keys, self.values, *self._prefix, strict=True):
            place = slice(self.start, self.start + first_keys.shape[-2])
            keys[:, :, place] = rotate(first_keys, cos, sin)
            values[:, :, place] = first_values
        self._prefix_at = self.start

    def _grow(self, capacity: int) -> None:
        held = slice(self.start, self.end)

        def grown(old: Tensor) -> Tensor:
            new = old.new_empty((*old.shape[:2], capacity, old.shape[-1]))
            new[:, :, held] = old[:, :, held]
            return new

        self._tensors = [grown(keys) for keys in self.keys], [grown(values) for values in self.values]

    def _move_to_front(self) -> None:
        """Move all positions to the front of the tensors and rotate every key back by the same distance."""
        held, front = slice(self.start, self.end), slice(0, self.position)
        cos, sin = self._turn(-self.start)
        self._moving = True
        for keys, values in zip(self.keys, self.values, strict=True):
            keys[:, :, front] = rotate(keys[:, :, held], cos, sin)
            # The source and destination ranges may overlap.
            values[:, :, front] = values[:, :, held].clone()
        self.start, self.end = 0, self.position
        self._write_prefix()
        self._moving = False

    def _turn(self, positions: int) -> tuple[Tensor, Tensor]:
        """Compute cosine and sine of a rotation by `positions`, in double precision for exactness at any distance."""
        angles = positions * self._frequencies
        device = self.keys[0].device
        return angles.cos().float().to(device), angles.sin().float().to(device)


@dataclass(frozen=True)
class Row:
    """New tokens of several contexts, side by side in one row of a forward pass.

    Attributes
    ----------
    contexts
        Contexts, in the order of their tokens in the row; each once.
    counts
        Number of new tokens of each context.
    masks
        Causal mask of each context (`Backbone.forward`); None for one new token.
    """

    contexts: tuple[Context, ...]
    counts: list[int]
    masks: tuple[Tensor | None, ...]


def rotate(keys: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate keys that RoPE has already rotated, by the same angle at all positions.

    Parameters
    ----------
    keys
        [..., head size]; element i of the first half forms a pair with element i of the second half.
    cos, sin
        float32 [head size / 2].
    """
    first, second = keys.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(keys.dtype)
