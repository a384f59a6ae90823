"""Write `tests/vectors/what_if.json`: decisions, a change, and what the sampling of a real session makes of it.

The expected choices come from `model.sampling.draw` on the whole distribution, which a record does not keep; Python's
`analysis.what_if` and the page's are both held to them. ``python -m tests.what_if_vectors`` writes the file.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ai_widgets.model.distribution import Distribution
from ai_widgets.model.sampling import Draw, SamplingRule, draw
from ai_widgets.protocol import Alternative, Choice, Decision

FILE = Path(__file__).parent / "vectors" / "what_if.json"
KEEP, TEXT, VOCABULARY = 3, 7, 200
NAMES: dict[int, Choice] = {KEEP: "KEEP_SILENCE", TEXT: "TEXT_BEGIN"}
BASE: dict[str, Any] = {
    "greedy": False, "temperature": 0.8, "top_k": 3, "top_p": 1.0, "bias": 0.0, "mask": True, "seed": 0,
}  # fmt: skip
UNUSED = ("before", "oldest", "used", "limit")
"""Fields of a decision that what-if does not read."""
ABOUT = (
    "Decisions of a record, a change of settings, and the expected result of what-if. `choice` is null and `p_text` is "
    "null where the recorded numbers do not tell. `exact` is true up to and including the first decision that differs, "
    "is unknown, or (where greedy, temperature, top_k or top_p changes) begins a reply. Numbers are equal to 1e-9."
)

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing changes": ({}, {}),
    "more talkative": ({}, {"bias": 1.5}),
    "more silent": ({"bias": 1.0}, {"bias": -0.5}),
    "a threshold": ({"greedy": True}, {"threshold": 0.2}),
    "a threshold with a bias": ({"greedy": True, "bias": 1.0}, {"threshold": 0.7}),
    "greedy instead of drawn": ({}, {"greedy": True}),
    "drawn instead of greedy is unknown": ({"greedy": True}, {"greedy": False}),
    "hotter": ({}, {"temperature": 3.0}),
    "colder": ({"temperature": 2.0}, {"temperature": 0.2}),
    "only the likeliest token": ({}, {"top_k": 1}),
    "all tokens of two": ({}, {"top_k": 0}),
    "a small top_p": ({"temperature": 2.0}, {"top_p": 0.6}),
    "the mask is taken off": ({}, {"mask": False}),
    "the mask is taken off a greedy session": ({"greedy": True}, {"mask": False, "bias": 1.0}),
    "the mask is put on": ({"mask": False}, {"mask": True}),
    "all tokens without the mask are unknown": ({}, {"mask": False, "top_k": 0}),
    "one decision was forced": ({"forced": 4}, {"bias": 2.0}),
}


class _Number:
    """A random generator that gives one number."""

    def __init__(self, number: float) -> None:
        self._number = number

    def random(self) -> float:
        return self._number


def _drawn(logits: torch.Tensor, rule: dict[str, Any], number: float, forced: int | None = None) -> Draw:
    sampling = SamplingRule(rule["greedy"], rule["temperature"], rule["top_k"] or None, rule["top_p"])
    return draw(
        Distribution(logits),
        sampling,
        _Number(number),  # type: ignore[arg-type]
        allowed=(KEEP, TEXT) if rule["mask"] else None,
        bias=(TEXT, rule["bias"]) if rule["bias"] else None,
        report=(KEEP, TEXT),
        forced=forced,
    )


def _case(name: str, base: dict[str, Any], change: dict[str, Any], seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    rule = {**BASE, **{key: value for key, value in base.items() if key != "forced"}}
    asked = {**rule, **{key: value for key, value in change.items() if key != "threshold"}}
    if "threshold" in change:
        odds = change["threshold"] / (1 - change["threshold"])
        asked |= {"greedy": True, "bias": rule["bias"] - math.log(odds)}
    decisions, choices, shares, exact, sure = [], list[str | None](), list[float | None](), list[bool](), True
    for chunk in range(8):
        logits = torch.from_numpy(random.normal(0, 1.5, VOCABULARY).astype(np.float32))
        logits[KEEP], logits[TEXT] = 6 + random.normal(), 5.2 + random.normal()
        number = float(random.random())
        forced = TEXT if base.get("forced") == chunk else None
        was, now = _drawn(logits, rule, number, forced), _drawn(logits, asked, number)
        at = {each.token: each for each in was.likeliest}
        here = {**rule, "forced": "TEXT_BEGIN"} if forced else rule
        decision = Decision(
            chunk, 0, chunk * 0.4, was.token, NAMES.get(was.token, "OTHER"), at[KEEP].p, at[TEXT].p,
            1 - at[KEEP].p - at[TEXT].p, float(logits[KEEP]), float(logits[TEXT]), was.p_drawn, was.draw, was.argmax,
            20 + 13 * chunk,
            tuple(Alternative(c.token, NAMES.get(c.token, f"t{c.token}"), c.p) for c in was.likeliest),
            rule=here,
        )  # fmt: skip
        unknown = not asked["mask"] and not asked["greedy"] and not asked["top_k"]
        no_number = rule["greedy"] and not asked["greedy"]
        choice = "TEXT_BEGIN" if forced else None if unknown or no_number else NAMES.get(now.token, "OTHER")
        share = next(each.kept for each in now.likeliest if each.token == TEXT)
        decisions.append({name: value for name, value in decision.to_json().items() if name not in UNUSED})
        choices.append(choice)
        shares.append(None if unknown else share)
        sure = sure and choice is not None
        exact.append(sure)
        replies = all(asked[key] == rule[key] for key in ("greedy", "temperature", "top_k", "top_p"))
        sure = sure and choice == decision.choice and (replies or decision.choice != "TEXT_BEGIN")
    expected = {"choice": choices, "p_text": shares, "exact": exact}
    return {"name": name, "change": change, "decisions": decisions, "expected": expected}


def vectors() -> dict[str, Any]:
    """Return the content of the file."""
    cases = [_case(name, *both, seed) for seed, (name, both) in enumerate(CASES.items())]
    return {"about": ABOUT, "cases": cases}


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    cases = ",\n".join(json.dumps(case) for case in vectors()["cases"])
    FILE.write_text(f'{{"about": {json.dumps(ABOUT)}, "cases": [\n{cases}\n]}}\n', encoding="utf-8")
