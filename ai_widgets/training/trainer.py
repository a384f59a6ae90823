"""The training loop: a time budget, a checkpoint that survives interruption, a line of figures every few seconds."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from ai_widgets.training.batches import BatchMaker
from ai_widgets.training.network import Network, Sizes, make, parameters
from ai_widgets.training.objective import Weights, loss
from ai_widgets.training.pool import Pool
from ai_widgets.training.sequence import SequenceBuilder
from ai_widgets.training.vocabulary import Vocabulary

STATE_FILE = "state.pt"
LOG_FILE = "log.jsonl"
HELD_OUT_BATCHES = 4


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are those of the shipped checkpoint."""

    minutes: float = 20.0
    rate: float = 2e-3
    warmup: float = 0.02
    weight_decay: float = 0.05
    positions: int = 2600
    perturbation: float = 0.12
    seed: int = 1
    threads: int = 2
    bfloat16: bool = True
    save_every_s: float = 90.0
    log_every_s: float = 10.0
    weights: Weights = field(default_factory=Weights)
    sizes: Sizes = field(default_factory=Sizes)


class Trainer:
    """Trains a network on a pool for a time; `out` holds its state, so that another run goes on where this one stopped.

    The learning rate follows the share of the budget that is used, and time is counted over all runs. Streams of
    `held_out` are never trained on: their loss and decisions are logged beside those of training.
    """

    def __init__(
        self,
        recipe: Recipe,
        pool: Pool,
        vocabulary: Vocabulary,
        out: Path,
        *,
        builder: SequenceBuilder | None = None,
        held_out: Pool | None = None,
    ) -> None:
        self.recipe, self.pool, self.vocabulary, self.out = recipe, pool, vocabulary, out
        self.builder = builder or SequenceBuilder(vocabulary)
        self.held_out = held_out
        out.mkdir(parents=True, exist_ok=True)
        self.network: Network = make(recipe.sizes, vocabulary.size, recipe.seed)
        decayed = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
        self.step, self.used_s, self.heard_s = 0, 0.0, 0.0
        if (out / STATE_FILE).is_file():
            self._resume()

    def _resume(self) -> None:
        state: dict[str, Any] = torch.load(self.out / STATE_FILE, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.used_s, self.heard_s = state["step"], state["used_s"], state["heard_s"]

    def save(self) -> None:
        """Write the state (complete or not at all)."""
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.step,
                 "used_s": self.used_s, "heard_s": self.heard_s}  # fmt: skip
        unfinished = self.out / (STATE_FILE + ".part")
        torch.save(state, unfinished)
        unfinished.replace(self.out / STATE_FILE)

    def rate(self) -> float:
        """Learning rate at the present moment: a linear rise, then half a cosine."""
        share = min(1.0, self.used_s / (self.recipe.minutes * 60))
        if share < self.recipe.warmup:
            return self.recipe.rate * (share / self.recipe.warmup * 0.95 + 0.05)
        return self.recipe.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))

    def run(self, quiet: bool = False) -> Network:
        """Train until the budget is used; return the network."""
        recipe = self.recipe
        torch.set_num_threads(recipe.threads)
        budget_s = recipe.minutes * 60
        limits = (recipe.positions, recipe.sizes.block_size)
        batches = BatchMaker(self.pool, self.builder, *limits, recipe.seed + self.step, recipe.perturbation)
        keep = self.vocabulary.ids["KEEP_SILENCE"]
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.network.train()
        saved = logged = time.monotonic()
        recent: list[dict[str, float]] = []
        bar = tqdm(total=round(budget_s), initial=round(self.used_s), unit="s", desc="training", disable=quiet)
        if self.step == 0:
            bar.write(f"{parameters(self.network) / 1e6:.2f} M parameters, {self.pool.hours:.1f} h of streams")
        while self.used_s < budget_s:
            begun = time.monotonic()
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate()
            batch = batches.draw()
            total, report = loss(self.network, batch, recipe.weights, keep, recipe.bfloat16)
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained, 1.0)
            self.optimiser.step()
            self.step += 1
            self.heard_s += batch.seconds
            recent.append(report)
            now = time.monotonic()
            before = round(self.used_s)
            self.used_s += now - begun
            bar.update(min(round(self.used_s), round(budget_s)) - before)
            if now - logged >= recipe.log_every_s or self.used_s >= budget_s:
                logged = now
                bar.set_postfix_str(self._log(recent))
                recent = []
            if now - saved >= recipe.save_every_s:
                saved = now
                self.save()
        bar.close()
        self.save()
        return self.network

    def _log(self, recent: list[dict[str, float]]) -> str:
        mean = {name: sum(r[name] for r in recent) / len(recent) for name in recent[0]}
        mean |= self._check()
        line = {"step": self.step, "used_s": round(self.used_s, 1), "heard_h": round(self.heard_s / 3600, 2), **mean}
        with (self.out / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps({k: round(v, 4) for k, v in line.items()}) + "\n")
        shown = "held_out_" if self.held_out is not None else ""
        return " ".join(
            f"{words} {mean[shown + name]:.{digits}f}"
            for words, name, digits in (("loss", "loss", 3), ("recall", "recall", 2), ("false", "false", 4),
                                        ("text", "spoken", 2))
        )  # fmt: skip

    def _check(self) -> dict[str, float]:
        """Figures of a few batches of held-out streams, the same ones every time."""
        if self.held_out is None:
            return {}
        recipe = self.recipe
        limits = (recipe.positions, recipe.sizes.block_size)
        batches = BatchMaker(self.held_out, self.builder, *limits, recipe.seed, perturbation=0.0)
        keep = self.vocabulary.ids["KEEP_SILENCE"]
        with torch.no_grad():
            reports = [loss(self.network, batches.draw(), recipe.weights, keep, recipe.bfloat16)[1]
                       for _ in range(HELD_OUT_BATCHES)]  # fmt: skip
        return {f"held_out_{name}": sum(r[name] for r in reports) / len(reports) for name in reports[0]}


def describe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, for the record next to the weights."""
    return asdict(recipe)
