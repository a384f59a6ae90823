"""``ai-widgets bench``: measure the speed of the loop on this machine, and recall late in a session.

One line per figure. Absolute times depend on the machine and its load; the ratio of a late chunk to an early chunk
should not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...audio.intake import ChunkAudio
from ...errors import ChildError, SettingError
from ...inference import Model, load_model
from ...model.context import Context
from ...model.decoder import Decoder
from ...model.hub import locate
from ...model.qwen2 import Qwen2
from ...protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Notice, Timing, Turn
from ...session.framing import Framing
from ...session.perceive import Heard, Listener
from ...session.session import StreamingSession
from ...session.turns import TurnTaking
from ...settings import SLIDE_POSITIONS
from ...training.child_process import output_of
from ..examples import examples
from .authors import compare as compare_authors
from .batch import batch_figures
from .session_age import holds, in_words, replies_by_minute

EARLY, LATE = 100, 18_000
"""Chunks that are compared: after 40 s and after two hours."""
WINDOW, ROUNDS = 8, 6
"""Chunks around the named chunk, and rounds, over which each figure is a median."""
BARE_CHUNK = 140
"""Chunk of the steps that are compared with the bare model: the context is nearly full."""
REPEATS = 7
"""Sessions that do the same, where one chunk is asked about."""
VOCABULARY = 151_936
"""Tokens of the published model, whose vocabulary the sampling is measured with."""
PLAIN = {"mask": False, "bias": 0.0, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
"""Plain sampling, from the whole vocabulary."""
NOISE_DB = -46.0
"""Level of the noise that the sessions hear, in dB of full scale."""
SILENT = -1000.0
"""Bias that prevents replies, so that all chunks do the same work."""
FULL: dict[str, Any] = {"bias": SILENT, "context_limit": SLIDE_POSITIONS}
"""Settings of the timed sessions. Their context is the longest default of any checkpoint, so that figures of different
checkpoints and versions can be compared."""

FIRST_DECISION = """
import json, sys, time
import numpy as np
import ai_widgets as aiw
start = time.perf_counter()
widget = aiw.AudioInteraction(sys.argv[1])
widget.feed(np.zeros(6400, np.float32), 16000)
end = time.perf_counter()
decisions = len(widget.record.decisions)
widget.close()
print(json.dumps([end - start, decisions]))
"""


def parser() -> argparse.ArgumentParser:
    """Create the option parser."""
    p = argparse.ArgumentParser(
        prog="ai-widgets bench",
        description="Measure speed on this machine.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=examples("bench"),
    )
    p.add_argument("--checkpoint", default="tiny", help="tiny, a folder or a hub id (default: tiny)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, mps")
    p.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16")
    p.add_argument("--chunks", type=int, default=LATE, help=f"age of the old session (default: {LATE}, two hours)")
    p.add_argument(
        "--compile",
        action="store_true",
        help="compile the model's layers first, where that works; compare with a run without it",
    )
    p.add_argument("--authors", type=Path, metavar="DIR", help="a clone of the authors' code, to be timed beside")
    p.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    p.add_argument(
        "--age", action="store_true",
        help="only ask whether the fifth minute of a session is answered as the first one; exit code 1 where it is not",
    )  # fmt: skip
    return p


def main(argv: Sequence[str]) -> int:
    """Measure, print the figures, and return the exit code."""
    given = parser().parse_args(argv)
    if given.chunks <= EARLY:
        raise SettingError(f"--chunks must be above {EARLY}, the age of the young session, not {given.chunks}.")
    if given.age:
        counts = replies_by_minute(load_model(given.checkpoint, given.device, given.dtype))
        _print(in_words(counts), given.json)
        return 0 if holds(counts) else 1
    figures = measure(given.checkpoint, given.device, given.dtype, given.chunks, given.compile)
    if given.authors is not None:
        model = load_model(given.checkpoint, given.device, given.dtype)
        figures |= compare_authors(given.authors, locate(given.checkpoint)[0], model)
    _print(figures, given.json)
    return 0


def _print(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<58} {value}")


def measure(
    checkpoint: str, device: str = "auto", dtype: str = "auto", late: int = LATE, compiled: bool = False
) -> dict[str, Any]:
    """Measure all figures by name; the name has the unit."""
    first = first_decision_seconds(checkpoint)
    start = perf_counter()
    model = load_model(checkpoint, device, dtype)
    load = perf_counter() - start
    words = f"{platform.machine()}, {os.cpu_count()} cores, {model.placement}"
    if compiled:
        words += ", compiled" if model.decoder.compile() else ", not compiled (see the log)"
    young, old = compare_ages(model, late)
    chunk = median(young)
    sliding, slides = sliding_chunks(model)
    step, bare = compare_with_bare(model)
    large = with_vocabulary(model, VOCABULARY)
    return {
        "machine": words,
        "widget constructed → first decision, fresh process [s]": round(first, 2),
        "load_model, libraries imported [s]": round(load, 2),
        "chunk: features + tower + decision, median [ms]": round(chunk, 2),
        "times real time while silent": round(CHUNK_SECONDS * 1e3 / chunk, 1),
        "reply token, median [ms]": round(token_milliseconds(model), 2),
        f"chunk {late} ÷ chunk {EARLY}": round(median(old) / chunk, 3),
        f"slowest ÷ median of {len(sliding)} chunks with {slides} slides": round(max(sliding) / median(sliding), 2),
        "slide ÷ chunk": round(slide_milliseconds(model) / chunk, 3),
        "step ÷ bare model": ratio(step, bare),
        "bare model: 13 positions and one row of logits [ms]": round(bare, 2),
        f"step ÷ bare model, {VOCABULARY} tokens": ratio(*compare_with_bare(large)),
        f"step ÷ bare model, {VOCABULARY} tokens, plain sampling": ratio(*compare_with_bare(large, **PLAIN)),
        **batch_figures(model),
        **in_words(replies_by_minute(model)),
    }


def first_decision_seconds(checkpoint: str) -> float:
    """Measure the seconds from constructing a widget to its first decision, with imports, in a new process."""
    command = [sys.executable, "-c", FIRST_DECISION, checkpoint]
    printed = output_of(command, "Measuring the first decision in a process of its own").decode()
    seconds, decisions = json.loads(printed.strip().splitlines()[-1])
    if decisions != 1:
        raise ChildError(f"The widget made {decisions} decisions on one chunk, so there is no first one to measure.")
    return float(seconds)


def compare_ages(model: Model, late: int) -> tuple[list[float], list[float]]:
    """Measure the milliseconds of chunks in a young and in an old session, in the same run.

    Windows of chunks of both sessions alternate, so that a change of the machine's load affects both. The old session
    is aged by steps over one encoded chunk, since features and tower have no state that grows.
    """
    young_times: list[float] = []
    old_times: list[float] = []
    old = model.session(**FULL, alternatives=5)
    _age(model, old, late - WINDOW * ROUNDS // 2)
    for _ in range(ROUNDS):
        young = model.session(**FULL)
        _age(model, young, EARLY - WINDOW // 2)
        for _ in range(WINDOW):
            young_times += _time_chunks(young, 1)
            old_times += _time_chunks(old, 1)
    return young_times, old_times


def sliding_chunks(model: Model) -> tuple[list[float], int]:
    """Measure the milliseconds of chunks from a full context on, and count the slides in that time.

    Several sessions do the same work in turns, and each chunk counts with its shortest time, which excludes delays by
    other load of the machine.
    """
    sessions = [model.session(**FULL) for _ in range(REPEATS)]
    for session in sessions:
        _age(model, session, BARE_CHUNK)
    rounds = [[_time_chunks(session, 1)[0] for session in sessions] for _ in range(WINDOW * ROUNDS)]
    slides = [e for e in sessions[0].record.of_type(Notice) if e.kind == "context_slide" and e.chunk >= BARE_CHUNK]
    return [min(times) for times in rounds], len(slides)


def with_vocabulary(model: Model, vocabulary: int) -> Model:
    """Return the model with a larger vocabulary; the added rows are random, with the scale of the model's rows."""
    own = model.decoder.model
    if own.shape.vocabulary >= vocabulary:
        return model
    with torch.device("meta"):
        larger = Qwen2(replace(own.shape, vocabulary=vocabulary))
    for part, source in ((larger.lm_head, own.lm_head), (larger.model.embed_tokens, own.model.embed_tokens)):
        rows = source.weight.new_empty(vocabulary, own.shape.width)
        rows.normal_(std=float(source.weight.float().std()), generator=torch.Generator(rows.device).manual_seed(0))
        rows[: own.shape.vocabulary] = source.weight
        part.weight = torch.nn.Parameter(rows)
    larger.model.layers, larger.model.norm = own.model.layers, own.model.norm
    larger.model.rotary_emb = own.model.rotary_emb
    return replace(model, decoder=Decoder(larger, model.decoder.rope_positions))


def ratio(step: float, bare: float) -> float:
    """Return `step` relative to `bare`."""
    return round(step / bare, 3)


def compare_with_bare(model: Model, **settings: Any) -> tuple[float, float]:
    """Measure the median milliseconds of a session's step and, alternately, of the model's forward pass alone.

    The bare pass is the model on prepared tensors, over a context of the same length, with one row of logits; a step
    adds embedding, sampling with its report, events and the record.
    """
    session = model.session(**{**FULL, **settings})
    heard = _age(model, session, BARE_CHUNK)
    decoder = model.decoder
    block = Framing.of(model, session.settings).block
    embeddings = decoder.embed([*block[:1], *block])
    steps: list[float] = []
    bare: list[float] = []
    for _ in range(WINDOW * ROUNDS // 4):
        start = perf_counter()
        for _event in session.step(heard):
            pass
        steps.append((perf_counter() - start) * 1e3)
        context = _context_of(session)
        if context.room < embeddings.shape[1]:
            break
        end = context.end
        with model.computing():
            start = perf_counter()
            decoder.advance(context, embeddings)
            bare.append((perf_counter() - start) * 1e3)
        # Undoes the pass: the next one overwrites its keys and values.
        context.end = end
    return median(steps), median(bare)


def _context_of(session: StreamingSession) -> Context:
    """Return the context of a session with a `Model`."""
    turns = session._loop.turns
    if not isinstance(turns, TurnTaking) or not isinstance(turns._context, Context):
        raise TypeError("The session has no context of a Qwen2 decoder.")
    return turns._context


def slide_milliseconds(model: Model) -> float:
    """Measure the median milliseconds of a slide in a full context."""
    session = model.session(**FULL)
    _age(model, session, BARE_CHUNK)
    framing, context = Framing.of(model, session.settings), _context_of(session)
    times: list[float] = []
    for _ in range(WINDOW):
        start = perf_counter()
        context.slide(len(framing.prefix), len(framing.block) + 1)
        times.append((perf_counter() - start) * 1e3)
    return median(times)


def token_milliseconds(model: Model) -> float:
    """Measure the median milliseconds of one reply token, with replies forced by a large bias."""
    session = model.session(bias=1000.0, max_reply_tokens=24)
    _time_chunks(session, 12)
    record = session.record
    lengths = {turn.chunk: len(turn.tokens) for turn in record.of_type(Turn)}
    return median(t.reply_ms / max(1, lengths[t.chunk]) for t in record.of_type(Timing) if t.chunk in lengths)


def _age(model: Model, session: StreamingSession, chunks: int) -> Heard:
    """Step a session over the same chunk until it is `chunks` chunks old."""
    heard = Listener(model).hear(ChunkAudio(_noise(0)))
    while session.chunks_done < chunks:
        for _ in session.step(heard):
            pass
    return heard


def _noise(seed: int) -> npt.NDArray[np.float32]:
    """Generate one chunk of quiet noise."""
    noise = np.random.default_rng(seed).standard_normal(CHUNK_SAMPLES) * 10 ** (NOISE_DB / 20)
    return noise.astype(np.float32)


def _time_chunks(session: StreamingSession, count: int) -> list[float]:
    """Push quiet noise, and return the milliseconds of features, tower and decision of each chunk."""
    times: list[float] = []
    for _ in range(count):
        timings = (e for e in session.push(_noise(session.chunks_done)) if isinstance(e, Timing))
        times += [timing.features_ms + timing.tower_ms + timing.decide_ms for timing in timings]
    return times
