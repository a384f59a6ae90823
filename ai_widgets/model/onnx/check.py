"""Comparison of exported graphs with the modules that they were traced from."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...audio.features import StreamingLogMel
from ...errors import ExportError
from ...protocol import CHUNK_SAMPLES, FRAMES_PER_CHUNK
from ..context import Context
from ..decoder import Decoder
from ..encoder import Encoder
from ..tower import AudioTower
from .runtime import OnnxDecoder, OnnxEncoder

TOLERANCE = 1e-4
"""Largest difference of a value from torch's, as a share of the largest absolute value of its tensor. Two runtimes
that add in another order differ by 1e-6 to 1e-5; a wrong operation differs by 1e-2 and more. At logits of 20 it allows
0.002, which changes a probability by at most 0.0005."""
CHUNKS = 4
"""Number of chunks that are compared, each fed to a context that holds the earlier ones."""
AFTER = 3
"""Number of tokens that are fed one by one after each chunk, as in a reply."""


@dataclass(frozen=True)
class Differences:
    """Largest differences from torch, each as a share of the largest absolute value.

    Attributes
    ----------
    frames, logits, cache
        Of the tower's frames, of the step's logits, and of its keys and values.
    """

    frames: float
    logits: float
    cache: float


def compare(tower: AudioTower, decoder: Decoder, tower_graph: bytes, step_graph: bytes) -> Differences:
    """Feed a short noisy signal to torch in float32 and to both graphs, step by step, with a slide of the context.

    Raises
    ------
    ExportError
        If a value differs by more than `TOLERANCE`.
    """
    plain = Decoder(copy.deepcopy(decoder.model).to("cpu", torch.float32), decoder.rope_positions)
    encoder, features = Encoder(copy.deepcopy(tower).to("cpu", torch.float32)), StreamingLogMel()
    exported, heard = OnnxDecoder(step_graph, plain), OnnxEncoder(tower_graph)
    random, worst = np.random.default_rng(0), {"frames": 0.0, "logits": 0.0, "cache": 0.0}
    limit = min(plain.model.shape.positions, CHUNKS * (FRAMES_PER_CHUNK + 2 + AFTER))
    contexts = plain.context(limit), exported.context(limit)

    def note(what: str, expected: Tensor, found: Tensor) -> None:
        worst[what] = max(worst[what], difference(expected, found))

    for chunk in range(CHUNKS):
        samples = random.normal(0, 0.05 * (chunk + 1), CHUNK_SAMPLES).astype(np.float32)
        mels = features.push(samples)
        frames = encoder.encode(mels)[0]
        note("frames", frames, heard.encode(mels)[0])
        block, *reply = random.integers(0, plain.vocabulary, (1 + AFTER, FRAMES_PER_CHUNK + 2)).tolist()
        for fed, audio in [(block, frames), *(([tokens[0]], None) for tokens in reply)]:
            logits = plain.feed(contexts[0], fed, audio, 1)
            note("logits", logits, exported.feed(contexts[1], fed, audio, 1))
        if chunk == CHUNKS // 2:
            for own in contexts:
                own.slide(1, len(block))
        note("cache", *(_stacked(own) for own in contexts))
    found = Differences(**worst)
    if not max(worst.values()) <= TOLERANCE:
        what = ", ".join(f"{name} by {share:.1e}" for name, share in worst.items())
        raise ExportError(
            f"The exported graphs do not compute what torch computes: {what} of the largest value, where "
            f"{TOLERANCE:g} is allowed. Nothing was written; another version of torch or onnxruntime may export it."
        )
    return found


def _stacked(context: Context) -> Tensor:
    held = slice(context.start, context.end)
    return torch.stack([each[0, :, held] for each in (*context.keys, *context.values)])


def difference(expected: Tensor, found: Tensor) -> float:
    """Return the largest difference of two tensors as a share of the largest absolute value of the first."""
    scale = float(expected.abs().max()) or 1.0
    return float((expected - found).abs().max()) / scale
