"""Encoder: log-mel chunks → encoder frames, in batches through the audio tower."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..audio.features import Array
from ..protocol import MELS_PER_CHUNK
from .kernels import without_cudnn
from .tower import AudioTower, encode_clip

BATCH = 64
"""Maximum number of chunks in a batch; it bounds the memory of a long clip."""


class Encoder:
    """Audio tower on its device; stateless."""

    def __init__(self, tower: AudioTower) -> None:
        self.tower = tower.eval().requires_grad_(False)
        parameter = next(tower.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype

    @torch.inference_mode()
    def encode(self, mels: Array) -> Tensor:
        """Encode chunks independently of each other.

        Parameters
        ----------
        mels
            float32 [128, 40 · chunks], from `audio.features`.

        Returns
        -------
        Tensor [chunks, 10, width]
            Frames in the encoder's dtype on its device.
        """
        bins, length = mels.shape
        chunks = mels.reshape(bins, length // MELS_PER_CHUNK, MELS_PER_CHUNK).transpose(1, 0, 2)
        with without_cudnn:
            batches: list[Tensor] = [
                self.tower(
                    torch.from_numpy(np.ascontiguousarray(chunks[start : start + BATCH])).to(self.device, self.dtype)
                )
                for start in range(0, len(chunks), BATCH)
            ]
        return batches[0] if len(batches) == 1 else torch.cat(batches)

    @torch.inference_mode()
    def encode_clip(self, mels: Array) -> Tensor:
        """Encode a clip as one piece, in which frames depend on their neighbours; for the offline tasks.

        Parameters
        ----------
        mels
            float32 [128, 40 · chunks], from `audio.features.log_mel`.

        Returns
        -------
        Tensor [10 · chunks, width]
            Frames in the encoder's dtype on its device.
        """
        with without_cudnn:
            return encode_clip(self.tower, torch.from_numpy(np.ascontiguousarray(mels)).to(self.device, self.dtype))
