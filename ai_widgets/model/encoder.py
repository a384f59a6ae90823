"""Chunks of log-mel → encoder frames, through the audio tower, in batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..audio.features import Array
from ..protocol import MELS_PER_CHUNK
from .tower import AudioTower

BATCH = 64
"""Chunks encoded at a time, so that a long clip needs bounded memory."""


class Encoder:
    """The audio tower on its device: log-mel chunks in, frames out. Stateless."""

    def __init__(self, tower: AudioTower) -> None:
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
        batches: list[Tensor] = [
            self.tower(
                torch.from_numpy(np.ascontiguousarray(chunks[start : start + BATCH])).to(self.device, self.dtype)
            )
            for start in range(0, len(chunks), BATCH)
        ]
        return batches[0] if len(batches) == 1 else torch.cat(batches)
