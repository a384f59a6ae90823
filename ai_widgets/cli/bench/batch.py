"""Measure what several sessions cost in one forward pass, relative to one session alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter, process_time

import numpy as np
import torch

from ...inference import Model
from ...model.context import Context
from ...model.passes import EncoderPass, TokenPass, together
from ...protocol import MELS_PER_CHUNK
from ...session.framing import Framing
from ...settings import Settings

SIZES = (1, 8, 30)
"""Numbers of sessions: alone, a small group, a class."""
POSITIONS = 300
"""Positions in each context before the measured pass: 23 chunks, a context of ten seconds."""
ROUNDS = 5
"""Rounds, in which all sizes alternate, so that a change of the machine's load affects all; the fastest counts."""


def batch_figures(model: Model, sizes: Sequence[int] = SIZES, positions: int = POSITIONS) -> dict[str, float]:
    """Measure passes of several sessions, by name; the name has the unit.

    Times are processor time ÷ threads on the CPU, which excludes delays by other processes, and wall-clock time on an
    accelerator.

    Parameters
    ----------
    model
        Loaded model.
    sizes
        Numbers of sessions; the first is 1.
    positions
        Positions in each context.
    """
    decoder, framing = model.decoder, Framing.of(model, Settings())
    block = [framing.block[0], *framing.block]
    first = decoder.context(positions + len(block))
    with model.computing():
        decoder.feed(first, [block[0]] * positions)
    contexts: list[Context] = [first.branch(positions) for _ in range(max(sizes))]
    mels = np.random.default_rng(0).normal(size=(max(sizes), 128, MELS_PER_CHUNK)).astype(np.float32)

    def fed(count: int, tokens: list[int]) -> Callable[[], object]:
        passes = [TokenPass(decoder, context, tokens) for context in contexts[:count]]
        return lambda: together(passes)

    def encoded(count: int) -> Callable[[], object]:
        passes = [EncoderPass(model.encoder, each) for each in mels[:count]]
        return lambda: together(passes)

    work: dict[tuple[str, int], Callable[[], object]] = {}
    for count in sizes:
        work["decision step", count] = fed(count, block)
        work["reply token", count] = fed(count, block[:1])
        work["tower", count] = encoded(count)
    best = dict.fromkeys(work, float("inf"))
    with model.computing():
        for round_ in range(ROUNDS + 1):
            for name, run in work.items():
                taken = _seconds(model, run)
                # The first round allocates memory.
                best[name] = min(best[name], taken) if round_ else best[name]
                for context in contexts:
                    context.truncate(positions)
    figures: dict[str, float] = {}
    for what in dict.fromkeys(what for what, _ in work):
        figures[f"{what}, one session [ms]"] = round(best[what, sizes[0]] * 1e3, 2)
        for count in sizes[1:]:
            figures[f"{what}, {count} sessions together ÷ one"] = round(best[what, count] / best[what, sizes[0]], 2)
    held = sum(t.nbytes for t in (*contexts[0].keys, *contexts[0].values)) / contexts[0].capacity
    figures["keys and values of one position [kB]"] = round(held / 1e3, 1)
    return figures


def _seconds(model: Model, run: Callable[[], object]) -> float:
    device = model.placement.device
    if device.type == "cpu":
        threads = model.threads or torch.get_num_threads()
        start = process_time()
        run()
        return (process_time() - start) / threads
    wait(device)
    start = perf_counter()
    run()
    wait(device)
    return perf_counter() - start


def wait(device: torch.device) -> None:
    """Wait for the work in progress of an accelerator; the CPU has none after a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
