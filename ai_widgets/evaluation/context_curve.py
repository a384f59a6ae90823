"""Measure recall by age of session for several context lengths, to choose a checkpoint's default context from.

    python -m ai_widgets.evaluation.context_curve --data DIR --out CURVE.jsonl

Every length runs the same sessions (`long_sessions`) with the same sampling seeds. Lengths are seconds of audio in a
sliding context. For comparison there are three more contexts: the general default in positions, the authors' reset of a
full context, and a reset after each reply. Each line of the file is one session at one length; lines that exist are not
measured again. Choose a length on one set and report on another: the best of many lengths overfits its own set.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ai_widgets.errors import SettingError
from ai_widgets.evaluation.age import AGES, CHUNKS_A_MINUTE
from ai_widgets.evaluation.long_sessions import long_sessions
from ai_widgets.evaluation.material import Material, gather
from ai_widgets.evaluation.players import ModelPlayer
from ai_widgets.evaluation.scoring import score
from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import CHUNK_SECONDS
from ai_widgets.session.framing import Framing
from ai_widgets.settings import SLIDE_POSITIONS, Settings

SECONDS = (5.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0)
"""Context lengths in seconds of audio that are measured by default."""
Plan = dict[str, Any]
"""Settings of the sessions of one context."""


def plans(model: Model, seconds: Sequence[float]) -> dict[str, Plan]:
    """Return the settings of each context by name: one for each length, and the alternatives."""
    framing = Framing.of(model, Settings(context="stop"))
    prefix, chunk = len(framing.prefix), len(framing.block) + 1
    lengths = {f"{s:g} s": {"context_limit": prefix + round(s / CHUNK_SECONDS) * chunk} for s in seconds}
    return {
        **lengths,
        f"{SLIDE_POSITIONS} positions": {"context_limit": SLIDE_POSITIONS},
        "reset": {"context": "reset"},
        "forget after each reply": {"context_limit": SLIDE_POSITIONS, "forget_after_reply": True},
    }


def measure(
    model: Model, material: Material, count: int, seed: int, chosen: dict[str, Plan], done: set[tuple[str, int]]
) -> Iterator[dict[str, Any]]:
    """Run every session with every plan that is not in `done`; yield one row for each, with counts by age.

    Yields
    ------
    dict
        ``plan``, ``session``, ``seed`` and ``ages``: ``[spoken answered, spoken, sounds answered, sounds, named, false,
        early, repeated]`` by name of age.
    """
    for number, scene in enumerate(long_sessions(material, count, seed)):
        heard = None
        for name, settings in chosen.items():
            if (name, number) in done:
                continue
            player = ModelPlayer(model, **settings)
            heard = player.hear(scene) if heard is None else heard
            replies, _ = player.reply(heard, scene, {"bias": 0.0}, number)
            result = score(scene.suite, scene.name, scene.chunks, scene.occasions, replies)
            ages = {}
            for age, (first, last) in AGES.items():
                start, end = (first - 1) * CHUNKS_A_MINUTE, last * CHUNKS_A_MINUTE
                outcomes = [o for o in result.outcomes if start <= o.occasion.due < end]
                spoken = [o.answer is not None for o in outcomes if o.spoken]
                sounds = [o.answer is not None for o in outcomes if not o.spoken]
                unasked = [
                    sum(start <= reply.chunk < end for reply in some)
                    for some in (result.false, result.early, result.repeated)
                ]
                named = sum(o.right for o in outcomes)
                ages[age] = [sum(spoken), len(spoken), sum(sounds), len(sounds), named, *unasked]
            yield {"plan": name, "session": number, "seed": seed, "ages": ages}


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Format the rows as text: for each plan and age, the shares answered and named, and the counts of replies."""
    total: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        ages = total.setdefault(row["plan"], {age: [0] * 8 for age in AGES})
        for age, counts in row["ages"].items():
            ages[age] = [a + b for a, b in zip(ages[age], counts, strict=True)]
    lines = [f"{'context':<24} {'minute':<16} spoken  sounds  named  false  early  repeated"]
    for plan, ages in total.items():
        for age, (spoken, turns, sounds, episodes, named, *unasked) in ages.items():
            shares = (_share(spoken, turns), _share(sounds, episodes), _share(named, turns + episodes))
            lines.append(f"{plan:<24} {age:<16} " + "   ".join([*shares, *(f"{count:4}" for count in unasked)]))
    return "\n".join(lines) + "\n"


def _share(count: int, total: int) -> str:
    return f"{count / total:.3f}" if total else "  —  "


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the rows that the file lacks, print the table of all rows, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.evaluation.context_curve", description=__doc__)
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="folders of recordings with a manifest.csv")
    parser.add_argument("--clips", type=Path, help="clip cache of the validation split, as training keeps it")
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--seconds", type=float, nargs="+", default=list(SECONDS), help="context lengths to measure")
    parser.add_argument("--out", type=Path, required=True, metavar="CURVE.jsonl", help="file of the measured rows")
    given = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    if given.out.is_file():
        rows = [json.loads(line) for line in given.out.read_text(encoding="utf-8").splitlines()]
    if any(row["seed"] != given.seed for row in rows):
        raise SettingError(f"{given.out} holds a curve with another seed than {given.seed}; give another --out.")
    model = load_model(given.checkpoint, given.device)
    material = gather(given.data, None, None, given.clips)
    chosen = plans(model, given.seconds)
    done = {(row["plan"], row["session"]) for row in rows}
    missing = given.sessions * len(chosen) - sum(plan in chosen for plan, _ in done)
    measured = measure(model, material, given.sessions, given.seed, chosen, done)
    with given.out.open("a", encoding="utf-8") as file:
        for row in tqdm(measured, total=missing, unit=" sessions"):
            file.write(json.dumps(row) + "\n")
            file.flush()
            rows.append(row)
    sys.stdout.write(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
