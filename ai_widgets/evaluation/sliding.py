"""Decisions of a context that has slid, against those of a fresh one over the very same window.

    python -m ai_widgets.evaluation.sliding --data DATA --hours 0.5

What stays in a sliding context was computed while older chunks were still there, so it carries traces of them; a fresh
context has never heard those. One session listens to a long stream. At every so many of its chunks the window it holds
(prefix, chunks, what was said) is fed anew to a bare context, and the two decisions are compared. Shorter windows, fed
in the same way, show how much of the past a decision needs at all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ai_widgets.evaluation.material import gather
from ai_widgets.evaluation.scenes import scenes
from ai_widgets.framing import Framing
from ai_widgets.inference import Model, load_model
from ai_widgets.perceive import Heard
from ai_widgets.protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Decision, Event, Token, Turn

SHORTER_S = (40.0, 20.0, 10.0, 5.0)
"""Windows in seconds that are compared with the whole one."""
EVERY = 5
"""One chunk in so many is compared."""


@dataclass(frozen=True)
class Comparison:
    """One decision of the session, and p(TEXT_BEGIN) among the two decision tokens with the window fed anew.

    `fresh` belongs to the same window, `shorter` to each of `SHORTER_S`.
    """

    chunk: int
    oldest: int
    slid: float
    fresh: float
    shorter: tuple[float, ...]


class Replay:
    """What a session heard and said, chunk by chunk, so that any window of it can be fed anew."""

    def __init__(self, model: Model) -> None:
        self._model = model.loaded
        self._framing = Framing.of(self._model, model.session().settings)
        self._parts: list[list[Tensor]] = []

    def add(self, frames: Tensor, events: Sequence[Event]) -> None:
        """Take one chunk: its frames, and the events of its step."""
        decoder, tokens = self._model.decoder, self._model.traits.tokens
        parts = [decoder.embed(self._framing.block, frames, self._framing.frames_at)]
        said: list[int] = []
        for event in events:
            if isinstance(event, (Decision, Token)):
                said.append(event.token)
            elif isinstance(event, Turn):
                said.append(tokens["TEXT_END"])
        self._parts.append([*parts, decoder.embed(said)])

    @torch.inference_mode()
    def p_text(self, oldest: int, newest: int, frames: Tensor) -> float:
        """p(TEXT_BEGIN) after chunk `newest`, whose frames are given, in a fresh context that begins with `oldest`."""
        decoder, tokens = self._model.decoder, self._model.traits.tokens
        block = decoder.embed(self._framing.block, frames, self._framing.frames_at)
        heard = [part for parts in self._parts[oldest:newest] for part in parts]
        window = torch.cat([decoder.embed(self._framing.prefix), *heard, block], dim=1)
        logits = decoder.advance(decoder.context(window.shape[1]), window)
        return _share(float(logits[tokens["KEEP_SILENCE"]]), float(logits[tokens["TEXT_BEGIN"]]))


def compare(model: Model, frames: Tensor, every: int = EVERY, **settings: Any) -> Iterator[Comparison]:
    """Play a stream through one session and compare its decisions after the first slide.

    Parameters
    ----------
    model
        Checkpoint.
    frames
        [chunks, 10, width] of the stream, from the tower.
    every
        One chunk in so many is compared.
    **settings
        Of the session.
    """
    session = model.session(**{"greedy": True, "alternatives": 0, **settings})
    replay = Replay(model)
    silence = np.zeros(CHUNK_SAMPLES, np.float32)
    for chunk, each in enumerate(frames):
        events = list(session.step(Heard(silence, (), 0, each)))
        decision = next(event for event in events if isinstance(event, Decision))
        if decision.oldest > 0 and chunk % every == 0:
            # Chunks leave whole, so a window that begins in the middle of the session is a context of its own.
            starts = [max(decision.oldest, chunk + 1 - round(s / CHUNK_SECONDS)) for s in SHORTER_S]
            fresh, *shorter = (replay.p_text(first, chunk, each) for first in (decision.oldest, *starts))
            slid = _share(decision.logit_keep, decision.logit_text)
            yield Comparison(chunk, decision.oldest, slid, fresh, tuple(shorter))
        replay.add(each, events)


def figures(compared: Sequence[Comparison]) -> dict[str, Any]:
    """Agreement of the decisions, and how far the probabilities lie apart."""
    slid = [c.slid for c in compared]
    others = {"the same window": [c.fresh for c in compared]}
    others |= {f"the newest {s:g} s": [c.shorter[place] for c in compared] for place, s in enumerate(SHORTER_S)}
    return {
        "decisions compared": len(compared),
        "of them TEXT_BEGIN": sum(p > 0.5 for p in slid),
        "window [s]": round(mean((c.chunk - c.oldest + 1) * CHUNK_SECONDS for c in compared), 1),
        "a fresh context over": {name: _against(slid, other) for name, other in others.items()},
    }


def _against(slid: Sequence[float], fresh: Sequence[float]) -> dict[str, Any]:
    pairs = list(zip(slid, fresh, strict=True))
    spoken = [(a > 0.5) == (b > 0.5) for a, b in pairs if a > 0.5 or b > 0.5]
    return {
        "agreement": round(mean((a > 0.5) == (b > 0.5) for a, b in pairs), 4),
        "agreement where either replies": round(mean(spoken), 4) if spoken else None,
        "they are": len(spoken),
        "mean difference of p(TEXT_BEGIN)": round(mean(abs(a - b) for a, b in pairs), 5),
        "greatest": round(max(abs(a - b) for a, b in pairs), 4),
    }


def _share(keep: float, text: float) -> float:
    """The greedy choice's scale: p(TEXT_BEGIN) among the two decision tokens."""
    return 1 / (1 + float(np.exp(np.clip(keep - text, -700, 700))))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure on composed streams and print the figures as JSON; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.evaluation.sliding", description=__doc__)
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="folders of recordings with a manifest.csv")
    parser.add_argument("--clips", type=Path, help="clip cache of the validation split, as training keeps it")
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--every", type=int, default=EVERY)
    parser.add_argument("--context-limit", type=int)
    given = parser.parse_args(argv)
    model = load_model(given.checkpoint, given.device)
    material = gather(given.data, None, None, given.clips)
    heard = []
    for scene in scenes(material, given.hours, given.seed):
        mels = np.ascontiguousarray(scene.mels.transpose(1, 0, 2)).reshape(scene.mels.shape[1], -1)
        with model.loaded.computing():
            heard.append(model.loaded.encoder.encode(mels))
    frames = torch.cat(heard)
    progress = tqdm(compare(model, frames, given.every, context_limit=given.context_limit), unit=" decisions")
    with model.loaded.computing():
        compared = list(progress)
    sys.stdout.write(json.dumps({"seconds": len(frames) * CHUNK_SECONDS, **figures(compared)}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
