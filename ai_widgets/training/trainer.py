"""Train a network for a time or a number of steps, with a state on disk to resume from and a log of figures."""

from __future__ import annotations

import copy
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ai_widgets.errors import SettingError
from ai_widgets.model.threads import intra_op_threads
from ai_widgets.training import operating_point
from ai_widgets.training.batches import Batch, BatchMaker
from ai_widgets.training.composers import draw_apart
from ai_widgets.training.curriculum import Curriculum
from ai_widgets.training.network import Network, make, parameters
from ai_widgets.training.objective import loss
from ai_widgets.training.peers import STEPS, Peers
from ai_widgets.training.pool import Pool
from ai_widgets.training.recipe import Recipe
from ai_widgets.training.replies import ORDINALS
from ai_widgets.training.token_sequences import SequenceBuilder
from ai_widgets.training.trained_context import trained_seconds
from ai_widgets.training.vocabulary import Vocabulary

STATE_FILE = "state.pt"
LOG_FILE = "log.jsonl"
HELD_OUT_BATCHES = 2
"""Batches of validation streams at each report: few, since they take time from training."""
FITTED_BATCHES = 240
"""Training batches over which `operating_point.move` fits an output row: many times the row's length in decisions."""
CHECKED_STEPS = 20
"""Steps on a GPU after which the loss is checked: to read it waits for the device, and a state is saved more seldom."""
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scipy", "soxr", "soundfile")
"""Packages whose versions are recorded in ``training.json``."""


class Trainer:
    """A training run on a pool; its state in `out` lets another process resume the run.

    The learning rate depends on the share that is done; time is counted over all processes. Streams of `held_out`
    are not trained on; their loss and decisions are logged beside those of training. `begin` replaces the random
    weights of a new run (`transfer.take_over`). With `peers` several processes train one network; time is the mean of
    theirs, and the first one writes the files. On a GPU (`device`), time is wall-clock time, and `composers` processes
    compose the batches of a curriculum.
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
        curriculum: Curriculum | None = None,
        phones: int = 0,
        begin: Callable[[Network], None] | None = None,
        peers: Peers | None = None,
        device: torch.device | None = None,
        composers: int = 0,
    ) -> None:
        self.peers, self.composers = peers, composers
        self.device = device or torch.device("cpu")
        self.recipe, self.pool, self.vocabulary, self.out = recipe, pool, vocabulary, out
        self.builder = builder or SequenceBuilder(vocabulary, attended=recipe.attended, advanced=recipe.advanced)
        self.held_out, self.curriculum = held_out, curriculum
        out.mkdir(parents=True, exist_ok=True)
        self.network: Network = make(recipe.sizes, vocabulary.size, recipe.seed, phones)
        if begin is not None and not (out / STATE_FILE).is_file():
            begin(self.network)
        self.network.to(self.device)
        decayed = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
        self.step, self.used_s, self.heard_s = 0, 0.0, 0.0
        self.ordinals: Tensor | None = None
        if recipe.weights.ordinals != 1:
            self.ordinals = torch.tensor(ordinals(vocabulary), device=self.device)
        if recipe.attended:
            self.network.limit_attention(len(self.builder.prefix), recipe.attended)
        self.average: Network | None = copy.deepcopy(self.network) if recipe.averaged else None
        if (out / STATE_FILE).is_file():
            self._resume()
            if curriculum is not None:
                curriculum.go_on(self.step)

    def _resume(self) -> None:
        state: dict[str, Any] = torch.load(self.out / STATE_FILE, self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.used_s, self.heard_s = state["step"], state["used_s"], state["heard_s"]

    def save(self) -> None:
        """Write the state atomically."""
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.step,
                 "used_s": self.used_s, "heard_s": self.heard_s}  # fmt: skip
        if self.average is not None:
            state["average"] = self.average.state_dict()
        unfinished = self.out / (STATE_FILE + ".part")
        torch.save(state, unfinished)
        unfinished.replace(self.out / STATE_FILE)

    @property
    def share(self) -> float:
        """Share of the training that is done, in [0, 1]: by steps where the recipe counts them, otherwise by time."""
        if self.recipe.steps:
            return min(1.0, self.step / self.recipe.steps)
        return min(1.0, self.used_s / (self.recipe.minutes * 60))

    def rate(self) -> float:
        """Return the current learning rate: linear warm-up, then half a cosine."""
        share = self.share
        if share < self.recipe.warmup:
            return self.recipe.rate * (share / self.recipe.warmup * 0.95 + 0.05)
        return self.recipe.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))

    def run(self, quiet: bool = False) -> Network:
        """Train for the time or the steps of the recipe; return the network to export."""
        with intra_op_threads(self.recipe.threads):
            return self._run(quiet)

    def _run(self, quiet: bool) -> Network:
        recipe = self.recipe
        draw = self._draw()
        compute = torch.compile(self.network, dynamic=False) if recipe.compiled else None
        keep = self.vocabulary.ids["KEEP_SILENCE"]
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.network.train()
        saved = logged = time.monotonic()
        recent: list[dict[str, Tensor]] = []
        clock = time.process_time if self.device.type == "cpu" else time.monotonic
        total, unit = (recipe.steps, "step") if recipe.steps else (round(recipe.minutes * 60), "s")
        bar = tqdm(total=total, initial=round(self.share * total), unit=unit, desc="training", disable=quiet)
        if self.step == 0:
            bar.write(f"{parameters(self.network) / 1e6:.2f} M parameters, {self.pool.hours:.1f} h of streams")
        while self.share < 1 or self._between_averages():
            begun = clock()
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate()
            batch = draw(self.share).on(self.device)
            summed, report = loss(self.network, batch, recipe.weights, keep, recipe.bfloat16, compute, self.ordinals)
            if self.device.type == "cpu" or self.step % CHECKED_STEPS == 0:
                self._must_be_finite(report)
            self.optimiser.zero_grad(set_to_none=True)
            summed.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained, 1.0)
            self.optimiser.step()
            self.step += 1
            self._follow()
            self.heard_s += batch.seconds * (1 if self.peers is None else self.peers.size)
            recent.append(report)
            now = time.monotonic()
            self.used_s += (clock() - begun) / (recipe.threads if self.device.type == "cpu" else 1)
            if self.peers is not None and not self._between_averages():
                self.used_s = self.peers.average(trained, self.used_s)
            bar.update(round(self.share * total) - bar.n)
            if not self.leads:
                continue
            if now - logged >= recipe.log_every_s or self.share >= 1:
                logged = now
                bar.set_postfix_str(self._log(recent))
                recent = []
            if now - saved >= recipe.save_every_s:
                saved = now
                self._must_be_finite(report)
                self.save()
        bar.close()
        if not self.leads:
            return self.network
        self.save()
        return self._exported()

    @property
    def leads(self) -> bool:
        """Whether this process reports and writes files: the only one, or the first of several."""
        return self.peers is None or self.peers.rank == 0

    def _must_be_finite(self, report: dict[str, Tensor]) -> None:
        """Raise `SettingError` where the loss of a step is not a number."""
        if not math.isfinite(report["loss"]):
            raise SettingError(
                f"The loss is not a number at step {self.step}; the last state before it is in {self.out}. "
                f"Give a rate below {self.recipe.rate:g}, or look for clips with samples that are not numbers."
            )

    def _between_averages(self) -> bool:
        """Return whether other processes train with this one and the step is not one of those where they meet."""
        return self.peers is not None and self.step % STEPS != 0

    def _draw(self) -> Callable[[float], Batch]:
        """Return the function that draws the next batch at a share of the training."""
        if self.curriculum is not None and self.composers:
            return draw_apart(self.curriculum, self.composers, self.step, self.device)
        if self.curriculum is not None:
            return self.curriculum.draw
        seed, perturbation = self.recipe.seed + self.step, self.recipe.perturbation
        batches = BatchMaker(self.pool, self.builder, *self._limits, seed, perturbation)
        return lambda _: batches.draw()

    def _exported(self) -> Network:
        """Return the network to export: the average where there is one, at the recipe's operating point."""
        network = copy.deepcopy(self.network if self.average is None else self.average).cpu()
        recipe = self.recipe
        if not recipe.reply_bias and not recipe.unknown_bias:
            return network
        network.eval()
        batches = BatchMaker(self.pool, self.builder, *self._limits, recipe.seed, recipe.perturbation)
        fitted = (batches.draw() for _ in range(FITTED_BATCHES))
        operating_point.move(network, self.vocabulary, fitted, recipe.reply_bias, recipe.unknown_bias)
        return network

    @property
    def _limits(self) -> tuple[int, int]:
        return self.recipe.positions, self.recipe.sizes.block_size

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the moving average of the weights."""
        if self.average is not None:
            # A smaller decay at first, so that the average of a short run is not dominated by its first weights.
            kept = min(self.recipe.averaged, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - kept)

    @property
    def context_seconds(self) -> float:
        """Default seconds of audio in a session's context, for `export`."""
        chunk = len(self.builder.block) + 1
        most = (self.recipe.sizes.block_size - len(self.builder.prefix)) // chunk
        attended = (self.recipe.attended - len(self.builder.prefix)) // chunk if self.recipe.attended else most
        return trained_seconds(self.pool.chunks, self.recipe.course, most, attended)

    def record(self) -> dict[str, Any]:
        """Return the record of the training as JSON values, for ``training.json``."""
        return {
            "recipe": asdict(self.recipe), "device": self.device.type, "steps": self.step,
            "pool_hours": round(self.pool.hours, 2), "used_s": round(self.used_s),
            "heard_hours": round(self.heard_s / 3600, 2),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        }  # fmt: skip

    def _log(self, recent: list[dict[str, Tensor]]) -> str:
        mean = _mean(recent)
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
        """Compute figures over the same few batches of held-out streams at every call."""
        if self.held_out is None:
            return {}
        recipe = self.recipe
        batches = BatchMaker(self.held_out, self.builder, *self._limits, recipe.seed, perturbation=0.0)
        keep = self.vocabulary.ids["KEEP_SILENCE"]
        with torch.no_grad():
            reports = [loss(self.network, batches.draw().on(self.device), recipe.weights, keep, recipe.bfloat16)[1]
                       for _ in range(HELD_OUT_BATCHES)]  # fmt: skip
        return {f"held_out_{name}": value for name, value in _mean(reports).items()}


def ordinals(words: Vocabulary) -> list[int]:
    """Return the token ids of the ordinals with which the embedded checkpoint counts, each of one token."""
    return [words.encode(f"for the {ordinal}")[-1] for ordinal in ORDINALS]


def _mean(reports: list[dict[str, Tensor]]) -> dict[str, float]:
    """Average every figure over the reports that have it."""
    names = {name: [r[name] for r in reports if name in r] for report in reports for name in report}
    return {name: float(torch.stack(values).mean()) for name, values in names.items()}
