"""Encoder and decoder that run exported graphs with onnxruntime, in the place of torch's.

They satisfy `interfaces.AudioEncoder` and `TokenDecoder`, so that a session runs on them as a page's engine does: the
graphs have no state, and the KV cache belongs to the caller. The export checks itself with them, and the tests hold
whole sessions equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...audio.features import Array
from ...protocol import MELS_PER_CHUNK
from ..context import Context
from ..decoder import Decoder
from .graphs import STEP_INPUTS


class OnnxEncoder:
    """Audio tower of an exported checkpoint; stateless.

    Parameters
    ----------
    graph
        File `tower.onnx`, or its content.
    """

    def __init__(self, graph: Path | bytes) -> None:
        self._run = _session(graph)

    def encode(self, mels: Array) -> Tensor:
        """Encode chunks one by one, as a page does; see `encoder.Encoder.encode`."""
        count = mels.shape[1] // MELS_PER_CHUNK
        chunks = (mels[None, :, place * MELS_PER_CHUNK : (place + 1) * MELS_PER_CHUNK] for place in range(count))
        frames = [self._run.run(None, {"mels": np.ascontiguousarray(chunk)})[0] for chunk in chunks]
        return torch.from_numpy(np.concatenate(frames))


class OnnxDecoder:
    """Language model of an exported checkpoint.

    Parameters
    ----------
    graph
        File `step.onnx`, or its content.
    like
        Decoder that was exported; it makes the contexts, and computes the positions of tokens.
    """

    def __init__(self, graph: Path | bytes, like: Decoder) -> None:
        self._run, self._like = _session(graph), like
        self.vocabulary = like.vocabulary
        self._width = like.model.shape.width

    def context(self, limit: int) -> Context:
        """Create an empty context in float32."""
        shape, frequencies = self._like.model.shape, self._like.model.model.rotary_emb.inv_freq
        return Context(shape, frequencies.cpu(), torch.float32, limit)

    def feed(self, context: Context, tokens: list[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Feed tokens and return the logits after the last one; see `decoder.Decoder.feed`."""
        count = len(tokens)
        context.reserve(count)
        audio = np.zeros((count, self._width), np.float32)
        is_frame = np.zeros(count, np.bool_)
        if frames is not None:
            place = slice(frames_at, frames_at + len(frames))
            audio[place], is_frame[place] = frames.float().cpu().numpy(), True
        held = context.position
        inputs: dict[str, Any] = dict(
            zip(
                STEP_INPUTS,
                (
                    np.array(tokens, np.int64),
                    audio,
                    is_frame,
                    self._positions(context, count),
                    _held(context.keys, context),
                    _held(context.values, context),
                    np.array([held], np.int64),
                ),
                strict=True,
            )
        )
        logits, keys, values = self._run.run(None, inputs)
        for layer in range(len(keys)):
            context.extend(layer, torch.from_numpy(keys[layer])[None], torch.from_numpy(values[layer])[None])
        context.end += count
        return torch.from_numpy(logits)

    def _positions(self, context: Context, count: int) -> npt.NDArray[np.int64]:
        """Return the positions of the next tokens, rounded as `decoder.Decoder` does."""
        positions = np.arange(context.end, context.end + count)
        rounded = self._like.rope_positions == "float16" and context.start == 0
        return positions.astype(np.float16).astype(np.int64) if rounded else positions


def _held(tensors: list[Tensor], context: Context) -> npt.NDArray[np.float32]:
    """Copy the positions in use of all layers, [layers, key heads, positions, head size]; one unused if there is none.

    A graph takes no tensor without a column, so that an empty context has one that `held` masks.
    """
    held = torch.cat([each[:, :, context.start : context.end] for each in tensors])
    return held.numpy() if held.shape[2] else np.zeros((*held.shape[:2], 1, held.shape[3]), np.float32)


def _session(graph: Path | bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        graph if isinstance(graph, bytes) else str(graph), options, providers=["CPUExecutionProvider"]
    )
