"""Graphs of a checkpoint for a runtime without torch: the audio tower, and one step of the language model.

Both trace the modules of `tower` and `qwen2`, so that the arithmetic is written once. What differs is the KV cache: a
graph has no state, so the step takes the keys and values of the context as inputs and returns those of the new tokens
only. The caller appends them to its own buffers (docs/page.md).
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...audio.features import MEL_BINS
from ...errors import MissingPackageError
from ...protocol import MELS_PER_CHUNK
from ..qwen2 import Qwen2
from ..tower import FRAMES, AudioTower, encode_chunks

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""Version of ONNX's operators: the lowest that torch's exporter writes without converting, and known to every runtime
of the last years."""
MOST_TOKENS = 4096
"""Maximum number of tokens in one call of the step: a prefix with a long system prompt, and one chunk."""
TOWER_INPUTS, TOWER_OUTPUTS = ("mels",), ("frames",)
"""Names of the tower's inputs and outputs."""
STEP_INPUTS = ("tokens", "frames", "is_frame", "positions", "past_keys", "past_values", "held")
"""Names of the step's inputs."""
STEP_OUTPUTS = ("logits", "keys", "values")
"""Names of the step's outputs."""
EXAMPLE_TOKENS, EXAMPLE_PAST = 13, 100
"""Sizes of the example that is traced. Both are dynamic in the graph."""


class Past:
    """KV cache for one call: the given keys and values, and the new ones of each layer.

    Takes the place of `context.Context` in `qwen2.Attention`.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self._keys, self._values = keys, values
        self.new_keys: list[Tensor] = []
        self.new_values: list[Tensor] = []

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the new keys and values of a layer, and return all of the layer, the new ones last."""
        self.new_keys.append(key[0])
        self.new_values.append(value[0])
        return (
            torch.cat([self._keys[layer][None], key], dim=-2),
            torch.cat([self._values[layer][None], value], dim=-2),
        )


class TowerGraph(nn.Module):
    """Audio tower: mels [1, 128, 40] → frames [1, 10, width]."""

    def __init__(self, tower: AudioTower) -> None:
        super().__init__()
        self.tower = _float32(tower)
        # A chunk has 20 positions; the rest of the table, which is computed and not learned, would be most of the file.
        embedding = self.tower.positional_embedding
        embedding.positional_embedding = embedding.positional_embedding[:FRAMES].clone()

    def forward(self, mels: Tensor) -> Tensor:
        return encode_chunks(self.tower, mels)


class StepGraph(nn.Module):
    """One step of the language model; its inputs and outputs are in docs/page.md."""

    def __init__(self, model: Qwen2) -> None:
        super().__init__()
        self.model = _float32(model)
        self.group = model.shape.heads // model.shape.key_heads

    def forward(
        self,
        tokens: Tensor,
        frames: Tensor,
        is_frame: Tensor,
        positions: Tensor,
        past_keys: Tensor,
        past_values: Tensor,
        held: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        backbone = self.model.model
        embeddings = torch.where(is_frame[:, None], frames, backbone.embed_tokens(tokens))
        past = Past(past_keys, past_values)
        mask = self._mask(tokens.shape[0], past_keys.shape[2], held)
        hidden = backbone(embeddings[None], positions[None], mask, past)
        logits = self.model.lm_head(hidden[0, -1])
        return logits, torch.stack(past.new_keys), torch.stack(past.new_values)

    def _mask(self, count: int, room: int, held: Tensor) -> Tensor:
        """Build the mask of `count` new tokens over `room` columns, of which `held` are in use, and themselves."""
        past = (torch.arange(room, device=held.device) < held)[None].expand(count, -1)
        row = torch.arange(count, device=held.device)
        seen = torch.cat([past, row[None] <= row[:, None]], dim=1)
        mask = torch.zeros(seen.shape).masked_fill(~seen, float("-inf"))
        # One row for each query head of a group and new token: the group's heads lie one after the other.
        return mask.repeat(self.group, 1)[None, None]


def _float32(module: Any) -> Any:
    return copy.deepcopy(module).to("cpu", torch.float32).eval().requires_grad_(False)


def tower_graph(tower: AudioTower) -> ModelProto:
    """Trace the audio tower of a checkpoint.

    Raises
    ------
    MissingPackageError
        If the packages of the extra `page` are not installed.
    """
    mels = torch.zeros(1, MEL_BINS, MELS_PER_CHUNK)
    return _traced(TowerGraph(tower), (mels,), TOWER_INPUTS, TOWER_OUTPUTS, None)


def step_graph(model: Qwen2) -> ModelProto:
    """Trace one step of the language model of a checkpoint; raises what `tower_graph` raises."""
    count = torch.export.Dim("count", min=1, max=MOST_TOKENS)
    room = torch.export.Dim("room", min=1, max=model.shape.positions)
    sizes = ({0: count}, {0: count}, {0: count}, {0: count}, {2: room}, {2: room}, None)
    return _traced(StepGraph(model), example(model), STEP_INPUTS, STEP_OUTPUTS, sizes)


def example(model: Qwen2) -> tuple[Tensor, ...]:
    """Return inputs of the step, in the order of `STEP_INPUTS`."""
    shape = model.shape
    past = torch.zeros(shape.layers, shape.key_heads, EXAMPLE_PAST, shape.head_size)
    return (
        torch.zeros(EXAMPLE_TOKENS, dtype=torch.int64),
        torch.zeros(EXAMPLE_TOKENS, shape.width),
        torch.zeros(EXAMPLE_TOKENS, dtype=torch.bool),
        torch.arange(EXAMPLE_PAST, EXAMPLE_PAST + EXAMPLE_TOKENS),
        past,
        past.clone(),
        torch.tensor([EXAMPLE_PAST]),
    )


def _traced(
    module: nn.Module, inputs: tuple[Tensor, ...], named: tuple[str, ...], results: tuple[str, ...], sizes: Any
) -> ModelProto:
    require_onnx()
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            module,
            inputs,
            input_names=list(named),
            output_names=list(results),
            dynamo=True,
            dynamic_shapes=sizes,
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program.")
    graph: ModelProto = program.model_proto
    _anonymous(graph)
    return graph


def require_onnx() -> None:
    """Check that the packages of the extra `page` are installed.

    Raises
    ------
    MissingPackageError
        If one is not.
    """
    from importlib.util import find_spec

    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"Exporting a checkpoint to ONNX needs {' and '.join(missing)}; install it with: "
            "pip install 'ai_widgets[page]'."
        )


def _anonymous(graph: ModelProto) -> None:
    """Remove what only the exporter needs, such as the stack trace of each node, which contains local paths."""
    del graph.metadata_props[:]
    graph.doc_string = ""
    inner = graph.graph
    for part in (inner, *inner.node, *inner.initializer, *inner.input, *inner.output, *inner.value_info):
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
    del inner.value_info[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's progress messages and its warnings about its own code."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [each.level for each in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in loggers:
            each.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for each, level in zip(loggers, levels, strict=True):
                each.setLevel(level)
