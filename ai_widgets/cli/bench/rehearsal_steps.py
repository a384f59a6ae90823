"""Time the parts of a chunk and a reply token of a loaded model, compare logits, and select CUDA's arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter, process_time

import numpy as np
import torch
from torch import Tensor

from ...audio.features import StreamingLogMel
from ...inference import Model
from ...protocol import CHUNK_SAMPLES, FRAMES_PER_CHUNK
from .batch import wait

PROMPT = tuple(range(40, 104))
"""Tokens before the measured steps: about the length of the published prefix."""
POSITIONS = 1024
"""Maximum number of positions of the measured context: the prompt and 14 for each of at most 68 rounds."""


def measure_steps(model: Model, rounds: int, warm_up: int = 0) -> tuple[dict[str, float], Tensor]:
    """Measure the milliseconds of a chunk's parts and of a token; also return the logits of this fixed sequence.

    Parameters
    ----------
    model
        Loaded model; the caller has entered `Model.computing`.
    rounds
        Repetitions whose median counts. Each is one chunk of noise, the same for every model, and one token.
    warm_up
        Repetitions before them that do not count: an accelerator selects and compiles its kernels at their first use.

    Returns
    -------
    dict, Tensor [1 + 2 · (warm_up + rounds), vocabulary]
        Medians: wall-clock time until the device has finished, and processor time ÷ threads. Logits after the prompt,
        then alternately after a chunk and after a token.
    """
    decoder, noise, device = model.decoder, np.random.default_rng(0), model.placement.device
    features, context = StreamingLogMel(), decoder.context(POSITIONS)
    kept = [decoder.feed(context, list(PROMPT))]
    times: dict[str, list[tuple[float, float]]] = {"features": [], "tower": [], "prefill of 13": [], "token": []}
    block = [model.traits.tokens["AUDIO_BEGIN"], *[model.traits.tokens["PAD"]] * FRAMES_PER_CHUNK]

    def finished() -> tuple[float, float]:
        wait(device)
        return clock()

    for _ in range(warm_up + rounds):
        samples = noise.normal(0, 0.1, CHUNK_SAMPLES).astype(np.float32)
        marks = [finished()]
        mels = features.push(samples)
        marks.append(finished())
        frames = model.encoder.encode(mels)[0]
        marks.append(finished())
        kept.append(decoder.feed(context, [7, *block, model.traits.tokens["ASSISTANT"]], frames, 2))
        marks.append(finished())
        kept.append(decoder.feed(context, [11]))
        marks.append(finished())
        for name, first, last in zip(times, marks, marks[1:], strict=False):
            times[name].append((last[0] - first[0], (last[1] - first[1]) / torch.get_num_threads()))
    figures: dict[str, float] = {}
    for name, values in times.items():
        figures[f"{name}_ms"] = round(1e3 * median(wall for wall, _ in values[warm_up:]), 2)
        figures[f"{name}_busy_ms"] = round(1e3 * median(busy for _, busy in values[warm_up:]), 2)
    return figures, torch.stack(kept).cpu()


def difference(first: Tensor, second: Tensor) -> dict[str, float]:
    """Compute the difference between the logits [steps, vocabulary] of two formats over the same steps."""
    away = (first - second).abs()
    return {
        "mean_difference": round(float(away.mean()), 4),
        "largest_difference": round(float(away.max()), 4),
        "spread": round(float(first.std()), 4),
        "same_likeliest": round(float((first.argmax(1) == second.argmax(1)).float().mean()), 3),
    }


def same_decision(first: Tensor, second: Tensor, model: Model) -> float:
    """Compute the share of chunks in which both logits of `measure_steps` prefer the same decision token."""
    keep, text = (model.traits.tokens[name] for name in ("KEEP_SILENCE", "TEXT_BEGIN"))
    after_chunks = (logits[1::2] for logits in (first, second))
    ours, theirs = (logits[:, text] > logits[:, keep] for logits in after_chunks)
    return round(float((ours == theirs).float().mean()), 3)


def clock() -> tuple[float, float]:
    """Return wall-clock time, and processor time of this process."""
    return perf_counter(), process_time()


def since(start: tuple[float, float]) -> tuple[float, float]:
    """Return the wall-clock seconds since `start`, and the processor seconds ÷ threads."""
    wall, busy = clock()
    return wall - start[0], (busy - start[1]) / torch.get_num_threads()


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Compute float32 convolutions in float32: by default CUDA rounds their factors to TF32's 10 bits."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
