"""Compare the decisions of a context that has slid with those of a fresh context over the same window.

    python -m ai_widgets.evaluation.sliding --data DATA --hours 0.5

The keys and values in a sliding context were computed while older chunks were still present, so they carry information
of those; a fresh context has never seen them. One session runs over a long stream. At each slide the remaining window
(prefix, chunks, replies) is fed to an empty context, which then gets the same chunks as the session until the next
slide, and its decisions are compared. Shorter windows, fed in the same way, show how much of the past a decision needs.
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
from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Decision, Event, Token, Turn
from ai_widgets.session.framing import Framing
from ai_widgets.session.perceive import Heard

SHORTER_S = (20.0, 5.0)
"""Lengths in seconds, right after a slide, of the shorter windows."""
PIECE = 208
"""Positions of a window that are fed in one step (16 chunks), which bounds the memory of attention."""


@dataclass(frozen=True)
class Comparison:
    """One decision of the session: p(TEXT_BEGIN) among the two decision tokens, and that of fresh contexts.

    `fresh` has the same window as the session; the windows of `shorter` had the lengths `SHORTER_S` at the last slide.
    """

    chunk: int
    oldest: int
    slid: float
    fresh: float
    shorter: tuple[float, ...]


class _Fresh:
    """A context that was rebuilt at the last slide."""

    def __init__(self, model: Model, prefix: Tensor, heard: Sequence[Tensor], limit: int) -> None:
        self._decoder, self._tokens = model.decoder, model.traits.tokens
        # Twice the session's limit: the session may slide within a reply, this context does not.
        self._context = model.decoder.context(2 * limit)
        window = torch.cat([prefix, *heard], dim=1)
        for start in range(0, window.shape[1], PIECE):
            self._decoder.advance(self._context, window[:, start : start + PIECE])

    def p_text(self, heard: Tensor) -> float:
        """Feed the last reply and the block after it, and return p(TEXT_BEGIN)."""
        logits = self._decoder.advance(self._context, heard)
        return _share(float(logits[self._tokens["KEEP_SILENCE"]]), float(logits[self._tokens["TEXT_BEGIN"]]))


def compare(model: Model, frames: Tensor, **settings: Any) -> Iterator[Comparison]:
    """Run a stream through one session and compare its decisions after the first slide.

    Parameters
    ----------
    model
        Checkpoint.
    frames
        Frames [chunks, 10, width] of the stream, from the tower.
    **settings
        Settings of the session.
    """
    session = model.session(**{"greedy": True, "alternatives": 0, **settings})
    framing = Framing.of(model, session.settings)
    prefix = model.decoder.embed(framing.prefix)
    silence = np.zeros(CHUNK_SAMPLES, np.float32)
    # Embeddings fed for each chunk: its block, and the tokens drawn after it.
    blocks: list[Tensor] = []
    said: list[Tensor] = []
    contexts: list[_Fresh] = []
    oldest = 0
    for chunk, each in enumerate(frames):
        events = list(session.step(Heard(silence, (), 0, each)))
        decision = next(event for event in events if isinstance(event, Decision))
        blocks.append(model.decoder.embed(framing.block, each, framing.frames_at))
        if decision.oldest != oldest:
            oldest = decision.oldest
            starts = [oldest, *(max(oldest, chunk - round(s / CHUNK_SECONDS)) for s in SHORTER_S)]
            contexts = [
                _Fresh(model, prefix, _between(blocks, said, first, chunk), session.context_limit) for first in starts
            ]
        if contexts:
            # Where the slide evicted all older chunks, the last reply was evicted with its chunk.
            heard = blocks[-1] if oldest == chunk else torch.cat([said[-1], blocks[-1]], dim=1)
            fresh, *shorter = (context.p_text(heard) for context in contexts)
            slid = _share(decision.logit_keep, decision.logit_text)
            yield Comparison(chunk, oldest, slid, fresh, tuple(shorter))
        said.append(model.decoder.embed(_said(events, model.traits.tokens["TEXT_END"])))


def _between(blocks: Sequence[Tensor], said: Sequence[Tensor], first: int, chunk: int) -> list[Tensor]:
    """Return the embeddings fed from the block of `first` to the block before `chunk`."""
    parts: list[Tensor] = []
    for number in range(first, chunk):
        parts.append(blocks[number])
        if number < chunk - 1:
            parts.append(said[number])
    return parts


def _said(events: Sequence[Event], text_end: int) -> list[int]:
    """Return the tokens drawn after one chunk, in the order in which they are fed."""
    tokens: list[int] = []
    for event in events:
        if isinstance(event, (Decision, Token)):
            tokens.append(event.token)
        elif isinstance(event, Turn):
            tokens.append(text_end)
    return tokens


def figures(compared: Sequence[Comparison]) -> dict[str, Any]:
    """Compute the agreement of the decisions, and the differences of the probabilities."""
    slid = [c.slid for c in compared]
    others = {"the same window": [c.fresh for c in compared]}
    others |= {
        f"{s:g} s before the last slide": [c.shorter[place] for c in compared] for place, s in enumerate(SHORTER_S)
    }
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
    """Return p(TEXT_BEGIN) among the two decision tokens, of which the greedy choice takes the larger."""
    return 1 / (1 + float(np.exp(np.clip(keep - text, -700, 700))))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure on composed streams, print the figures as JSON, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.evaluation.sliding", description=__doc__)
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="folders of recordings with a manifest.csv")
    parser.add_argument("--clips", type=Path, help="clip cache of the validation split, as training keeps it")
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--context-limit", type=int)
    given = parser.parse_args(argv)
    model = load_model(given.checkpoint, given.device)
    material = gather(given.data, None, None, given.clips)
    heard = []
    for scene in scenes(material, given.hours, given.seed):
        mels = np.ascontiguousarray(scene.mels.transpose(1, 0, 2)).reshape(scene.mels.shape[1], -1)
        with model.computing():
            heard.append(model.encoder.encode(mels))
    frames = torch.cat(heard)
    progress = tqdm(compare(model, frames, context_limit=given.context_limit), unit=" decisions")
    with model.computing():
        compared = list(progress)
    sys.stdout.write(json.dumps({"seconds": len(frames) * CHUNK_SECONDS, **figures(compared)}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
