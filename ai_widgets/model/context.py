"""The keys and values of one session: what the model has read and still holds.

A context grows at its end and, where it slides, loses its oldest positions behind the prefix. Attention depends on the
distances between positions only, so nothing that stays has to be touched: instead of rotating all the remaining keys
back, the few keys of the prefix are rotated forward, to stand right before what is now the oldest. A slide costs the
same however long the context is. Positions are counted from the prefix on, so they stay below the limit for ever.

The tensors are about twice as long as the limit. Whenever their end is reached, what is held moves to their beginning
and its keys are rotated back once. A key leaves after one or two of these moves, so rounding does not add up, not even
in bfloat16; the prefix is rotated from its first keys each time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .configuration import LanguageModelShape

FIRST_CAPACITY = 512
"""Positions allocated at first; the tensors double when they are full, up to what the limit needs."""


class Context:
    """What the model of one session has read and still holds.

    Parameters
    ----------
    shape
        Of the language model.
    frequencies
        RoPE's inverse frequencies, float32 [head size / 2], on the model's device.
    dtype
        Of keys and values.
    limit
        Positions it may hold; the session checks `room` before it feeds more. It may be changed between steps.

    Attributes
    ----------
    start, end
        Places in the tensors between which the held positions stand. A token is rotated by its place.
    """

    def __init__(self, shape: LanguageModelShape, frequencies: Tensor, dtype: torch.dtype, limit: int) -> None:
        self.limit = limit
        self.start = self.end = 0
        self._layers = shape.layers
        size = 2 * len(frequencies)
        # On the CPU, since not every device knows double precision.
        self._frequencies = frequencies.cpu().double()
        empty = torch.empty(1, shape.key_heads, 0, size, dtype=dtype, device=frequencies.device)
        # One attribute, so that no interrupt can come between keys and values of different lengths.
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
        """Positions in use, which is also the position of the next token."""
        return self.end - self.start

    @property
    def room(self) -> int:
        """Positions that are still free."""
        return self.limit - self.position

    @property
    def capacity(self) -> int:
        """Positions that are allocated."""
        return int(self.keys[0].shape[-2])

    def clear(self) -> None:
        """Forget everything; the memory stays allocated."""
        self._prefix = None
        self.start = self.end = 0
        self._prefix_at, self._moving = 0, False

    def truncate(self, position: int) -> None:
        """Take back what was fed after the first `position` positions; what stays is not touched."""
        self.end = self.start + position

    def repair(self) -> bool:
        """Finish a slide that was interrupted. False where a move of the keys was: then only `clear` helps."""
        if self._moving:
            return False
        if self._prefix is not None and self._prefix_at != self.start:
            with torch.inference_mode():
                self._write_prefix()
        return True

    def reserve(self, count: int) -> None:
        """See that `count` more positions can be written."""
        end = self.end + count
        if end <= self.capacity:
            return
        most = self.limit if self.start == 0 else 2 * self.limit
        if self.capacity < most:
            self._grow(min(max(end, 2 * self.capacity, FIRST_CAPACITY), most))
        if end > self.capacity:
            self._move_to_front()

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write a layer's part of a step behind what is held; nothing old is copied.

        The step is complete when all layers are written and the caller has moved `end` behind it.

        Parameters
        ----------
        layer
            Number of the layer.
        key, value
            [1, key heads, tokens, size]; `reserve` was called for that many tokens.

        Returns
        -------
        Tensor, Tensor
            Keys and values of all positions of the layer, the new ones last.
        """
        keys, values = self.keys[layer], self.values[layer]
        end = self.end + key.shape[-2]
        keys[:, :, self.end : end] = key
        values[:, :, self.end : end] = value
        return keys[:, :, self.start : end], values[:, :, self.start : end]

    @torch.inference_mode()
    def slide(self, keep: int, count: int) -> None:
        """Let the `count` positions after the first `keep` leave.

        Parameters
        ----------
        keep
            Positions of the prefix, the same at every call until `clear`.
        count
            Positions that leave.
        """
        if self._prefix is None:
            held = slice(self.start, self.start + keep)
            self._prefix = [k[:, :, held].clone() for k in self.keys], [v[:, :, held].clone() for v in self.values]
            self._prefix_at = self.start
        self.start += count
        self._write_prefix()

    def _write_prefix(self) -> None:
        """Put the prefix to the beginning of what is held, rotated from its very first keys."""
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
        """Bring what is held to the beginning of the tensors: every key is rotated back by as much as it moves."""
        held, front = slice(self.start, self.end), slice(0, self.position)
        cos, sin = self._turn(-self.start)
        self._moving = True
        for keys, values in zip(self.keys, self.values, strict=True):
            keys[:, :, front] = rotate(keys[:, :, held], cos, sin)
            # The two places may overlap.
            values[:, :, front] = values[:, :, held].clone()
        self.start, self.end = 0, self.position
        self._write_prefix()
        self._moving = False

    def _turn(self, positions: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of a rotation by so many positions; in double precision exact at any distance."""
        angles = positions * self._frequencies
        device = self.keys[0].device
        return angles.cos().float().to(device), angles.sin().float().to(device)


def rotate(keys: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate keys that carry RoPE already by the same angle at all positions.

    Parameters
    ----------
    keys
        [..., size]; number i of the first half of a key forms a pair with number i of the second half.
    cos, sin
        float32 [size / 2].
    """
    first, second = keys.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(keys.dtype)
