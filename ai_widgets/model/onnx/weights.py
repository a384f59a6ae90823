"""Weights of a graph as float16 where that loses nothing.

A checkpoint that was saved in float16 has no more digits in its file than float16 holds. Its tensors are stored so,
each with one node that converts it back; the runtime does this once, when it loads the graph, and computes in float32.
The results are therefore the same bit by bit, at half of the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

SMALLEST = 64
"""Number of values from which a tensor is stored as float16; below it the converting node takes more bytes than the
values."""


def store_as_float16(graph: ModelProto) -> float:
    """Store each float32 tensor that float16 represents exactly as float16, in place.

    Returns
    -------
    float
        Share of the float32 values that are stored as float16 now, 0 to 1.
    """
    from onnx import TensorProto, helper, numpy_helper

    inner, casts, total, halved = graph.graph, [], 0, 0
    for tensor in inner.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        total += values.size
        half = _exact(values) if values.size >= SMALLEST else None
        if half is None:
            continue
        halved += values.size
        name = tensor.name
        _replace(tensor, numpy_helper.from_array(half, f"{name}.float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], f"{name}.float32", to=TensorProto.FLOAT))
    # The nodes of a graph are in the order of their computation, so that the conversions come first.
    nodes = [*casts, *inner.node]
    del inner.node[:]
    inner.node.extend(nodes)
    return halved / total if total else 0.0


def _exact(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float16] | None:
    """Return the values as float16, or None if one of them would change."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), values) else None


def _replace(tensor: TensorProto, other: TensorProto) -> None:
    tensor.Clear()
    tensor.CopyFrom(other)
