"""Compute the figures of an evaluation, each with its 95 % interval, from the outcomes of many streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from ai_widgets.evaluation import statistics
from ai_widgets.evaluation.scoring import (
    NO_ANSWER,
    OTHER_WORDS,
    SEVEN_SOUNDS,
    SOUND_NAMES,
    Outcome,
    Reply,
    Score,
    label_name,
)
from ai_widgets.evaluation.statistics import Estimate, Reliability, share_of
from ai_widgets.training.lexicon import WORDS

ONE_BY_ONE = ("keywords", "digits", "commands", "speech", "sounds", "generated")
"""Suites whose occasions are single recordings, on which naming is measured."""
COLUMNS = (*WORDS, "speech", *SOUND_NAMES, OTHER_WORDS, NO_ANSWER)
RECALLS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Recalls at which players are compared."""
CONFIDENT = 1
"""First probability bin of the second calibration error, which excludes the many chunks of near-certain silence."""

Confusion = dict[str, dict[str, int]]


@dataclass
class Tally:
    """The results of one player at its default operating point: a score and a reliability per stream."""

    scores: list[Score] = field(default_factory=list)
    reliabilities: list[Reliability] = field(default_factory=list)

    def add(self, score: Score, p_text: Sequence[float]) -> None:
        """Add one stream; `p_text` has one value per decided chunk."""
        self.scores.append(score)
        known = [(p, bool(due)) for p, due in zip(p_text, score.due, strict=False) if due is not None]
        self.reliabilities.append(Reliability.of([p for p, _ in known], [due for _, due in known]))

    def of(self, *suites: str) -> list[Score]:
        """Return the scores of some suites."""
        return [score for score in self.scores if score.suite in suites]


def figures(tally: Tally) -> dict[str, Any]:
    """Compute all figures of a player at one operating point, as JSON values."""
    suites = list(dict.fromkeys(score.suite for score in tally.scores))
    return {
        "spoken": spoken([o for s in tally.scores for o in s.outcomes if o.spoken]),
        "sounds": sounds(tally),
        "replies": _replies(tally.scores),
        "ambience": ambience(tally.of("ambience")),
        "silence": _false(tally.of("silence")),
        "naming": naming(tally),
        "sources": by_source(tally),
        "calibration": calibration(tally.reliabilities),
        "suites": {suite: _suite(tally.of(suite)) for suite in suites},
    }


def spoken(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Compute recall, early replies and latency (in chunks) of spoken turns."""
    latencies = [o.latency for o in outcomes if o.latency is not None]
    return {
        "turns": len(outcomes),
        "answered_within_3_chunks": share_of(o.answer is not None for o in outcomes),
        "early": share_of(o.early for o in outcomes),
        "median_latency_chunks": median(latencies) if latencies else None,
        "latency_chunks": _counts(latencies),
    }


def sounds(tally: Tally) -> dict[str, Any]:
    """Compute recall and latency (in chunks from the onset) of the sound episodes of all suites."""
    outcomes = [o for s in tally.scores for o in s.outcomes if not o.spoken]
    latencies = [o.latency for o in outcomes if o.latency is not None]
    return {
        "episodes": len(outcomes),
        "answered_in_time": share_of(o.answer is not None for o in outcomes),
        "median_latency_chunks": median(latencies) if latencies else None,
        "latency_chunks": _counts(latencies),
    }


def ambience(scores: Sequence[Score]) -> dict[str, Any]:
    """Compute false replies per hour of ambience, by class."""
    names = sorted({score.name for score in scores})
    return {**_false(scores), "classes": {name: _false([s for s in scores if s.name == name]) for name in names}}


def naming(tally: Tally) -> dict[str, Any]:
    """Compute the shares named correctly (of due, and of answered occasions), confusion, and macro-F1 of the sounds."""
    streams = tally.of(*ONE_BY_ONE)
    table = confusion(streams)
    recorded = tally.of("sounds")
    of_people_and_things = tally.of("keywords", "digits", "commands", "speech", "sounds")
    return {
        "keywords": _named(tally.of("keywords")),
        "digits": _named(tally.of("digits")),
        "commands": _named(tally.of("commands")),
        "other_speech": _named(tally.of("speech")),
        "sounds_recorded": _named(recorded),
        "sounds_generated": _named(tally.of("generated")),
        "sounds_macro_f1": _macro(streams).to_json(),
        "sounds_recorded_macro_f1": _macro(of_people_and_things).to_json(),
        "sounds_f1": {name: _rounded(statistics.f1(table, name)) for name in SOUND_NAMES},
        "sounds_recorded_f1": {
            name: _rounded(statistics.f1(confusion(of_people_and_things), name)) for name in SOUND_NAMES
        },
        "by_origin": _by_origin(recorded, tally.of("generated")),
        "by_name": _by_name(streams),
        "confusion": table,
    }


def by_source(tally: Tally) -> dict[str, dict[str, Any]]:
    """Compute recall, early replies and naming of the single recordings of each corpus."""
    outcomes: dict[str, list[Outcome]] = {}
    for outcome in (o for s in tally.of("keywords", "digits", "commands", "speech", "sounds") for o in s.outcomes):
        outcomes.setdefault(outcome.occasion.source or "unknown", []).append(outcome)
    return {
        source: {
            "due": len(those),
            "answered": share_of(o.answer is not None for o in those),
            "early": share_of(o.early for o in those if o.spoken),
            "named": share_of(o.right for o in those),
        }
        for source, those in sorted(outcomes.items())
    }


def confusion(scores: Sequence[Score]) -> Confusion:
    """Count ``[what sounded][what was said]`` over single recordings."""
    table: Confusion = {}
    for outcome in (o for s in scores for o in s.outcomes):
        row = table.setdefault(label_name(outcome.occasion.label), {})
        row[outcome.said] = row.get(outcome.said, 0) + 1
    ordered = [name for name in COLUMNS if name in table]
    return {row: {c: table[row][c] for c in COLUMNS if c in table[row]} for row in ordered}


def calibration(parts: Sequence[Reliability]) -> dict[str, Any]:
    """Compute the reliability curve and the expected calibration error of p(TEXT_BEGIN), bootstrapped over streams."""
    if not parts:
        return {"ece": statistics.NOTHING.to_json(), "ece_from_0.1": statistics.NOTHING.to_json(), "bins": []}
    total = Reliability.total(parts)
    bins = [
        {"p": round(float(p / n), 4), "frequency": round(float(t / n), 4), "chunks": int(n)}
        for n, p, t in zip(total.count, total.p, total.true, strict=True)
        if n
    ]
    return {
        "ece": statistics.bootstrap(parts, lambda p: Reliability.total(p).error()).to_json(),
        "ece_from_0.1": statistics.bootstrap(parts, lambda p: Reliability.total(p).error(CONFIDENT)).to_json(),
        "bins": bins,
    }


def operating_point(scores: Sequence[Score]) -> dict[str, Any]:
    """Compute the figures of one point of an operating curve."""
    outcomes = [o for s in scores for o in s.outcomes if o.spoken]
    hours = sum(score.hours for score in scores)
    quiet = [s for s in scores if s.suite in ("ambience", "silence")]
    return {
        "hours": round(hours, 3),
        "turns": len(outcomes),
        "recall": _rounded(statistics.share(sum(o.answer is not None for o in outcomes), len(outcomes)).value),
        "early": _rounded(statistics.share(sum(o.early for o in outcomes), len(outcomes)).value),
        "false_per_hour": statistics.rate(sum(len(s.false) for s in scores), hours).to_json(2),
        "false_per_hour_of_ambience": statistics.rate(
            sum(len(s.false) for s in quiet), sum(s.hours for s in quiet)
        ).to_json(2),
    }


def at_equal_recall(reference: dict[str, Any], curve: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the point of a curve with the fewest false replies whose recall is at least that of `reference`.

    Where no point reaches that recall, return the point of highest recall, with ``"reached": false``.
    """
    known = [point for point in curve if point["recall"] is not None]
    if reference["recall"] is None or not known:
        return None
    enough = [point for point in known if point["recall"] >= reference["recall"]]
    best = min(enough, key=_falseness) if enough else max(known, key=lambda p: (p["recall"], -_falseness(p)))
    return {**best, "reached": bool(enough)}


def front(curve: Sequence[dict[str, Any]], figure: str) -> list[tuple[float, float]]:
    """Return the Pareto front of a curve as (recall, false replies), sorted by recall."""
    known = [
        (point["recall"], float(point[figure]["value"]))
        for point in curve
        if point["recall"] is not None and point[figure]["value"] is not None
    ]
    best: list[tuple[float, float]] = []
    for recall, false in sorted(known, key=lambda p: (-p[0], p[1])):
        if not best or false < best[-1][1]:
            best.append((recall, false))
    return best[::-1]


def at_recall(best: Sequence[tuple[float, float]], recall: float) -> float | None:
    """Interpolate a front linearly: false replies at a recall, or None above the highest recall of the front."""
    if not best or recall > best[-1][0]:
        return None
    return float(np.interp(recall, [r for r, _ in best], [f for _, f in best]))


def equal_recall(curves: dict[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Compute the false replies of several players at the same recalls: a grid, and the first player's own recall."""
    own = next((points[0]["recall"] for points in curves.values() if points), None)
    recalls = sorted({*RECALLS, *([] if own is None else [own])})
    table: dict[str, Any] = {"recalls": recalls, "own": own}
    for figure in ("false_per_hour", "false_per_hour_of_ambience"):
        table[figure] = {}
        for name, points in curves.items():
            best = front(points, figure)
            table[figure][name] = [_rounded(at_recall(best, recall)) for recall in recalls]
    return table


def _falseness(point: dict[str, Any]) -> float:
    value = point["false_per_hour"]["value"]
    return 0.0 if value is None else float(value)


def _suite(scores: Sequence[Score]) -> dict[str, Any]:
    outcomes = [o for s in scores for o in s.outcomes]
    return {
        **_replies(scores),
        "due": len(outcomes),
        "answered": share_of(o.answer is not None for o in outcomes),
        "early": share_of(o.early for o in outcomes if o.spoken),
        "named": share_of(o.right for o in outcomes),
    }


def _replies(scores: Sequence[Score]) -> dict[str, Any]:
    hours = sum(score.hours for score in scores)
    return {
        "hours": round(hours, 4),
        "streams": len(scores),
        "false_per_hour": statistics.rate(sum(len(s.false) for s in scores), hours).to_json(2),
        **{kind: sum(len(getattr(s, kind)) for s in scores) for kind in ("false", "early", "repeated", "late")},
    }


def _false(scores: Sequence[Score]) -> dict[str, Any]:
    hours = sum(score.hours for score in scores)
    false: list[Reply] = [reply for score in scores for reply in score.false]
    return {
        "hours": round(hours, 4),
        "false": len(false),
        "false_per_hour": statistics.rate(len(false), hours).to_json(2),
        "said": dict(Counter(label_name(reply.label) for reply in false).most_common()),
    }


def _named(scores: Sequence[Score]) -> dict[str, Any]:
    outcomes = [o for s in scores for o in s.outcomes]
    return {
        "due": len(outcomes),
        "right_of_due": share_of(o.right for o in outcomes),
        "right_of_answered": share_of(o.right for o in outcomes if o.answer is not None),
    }


def _by_origin(recorded: Sequence[Score], generated: Sequence[Score]) -> dict[str, dict[str, Any]]:
    """Compute the share named correctly of each sound, separately for recorded and generated sounds."""
    table: dict[str, dict[str, Any]] = {}
    for origin, scores in (("recorded", recorded), ("generated", generated)):
        for name in SOUND_NAMES:
            right = [o.right for s in scores for o in s.outcomes if label_name(o.occasion.label) == name]
            if right:
                table.setdefault(name, {})[origin] = share_of(right)
    return table


def _by_name(scores: Sequence[Score]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for outcome in (o for s in scores for o in s.outcomes):
        row = table.setdefault(label_name(outcome.occasion.label), {"due": 0, "answered": 0, "right": 0})
        row["due"] += 1
        row["answered"] += outcome.answer is not None
        row["right"] += outcome.right
    return {name: table[name] for name in (*WORDS, "speech", *SOUND_NAMES) if name in table}


def _macro(scores: Sequence[Score]) -> Estimate:
    """Compute the macro-F1 of the seven sounds that every version names, so that versions can be compared."""
    return statistics.bootstrap(scores, lambda some: statistics.macro_f1(confusion(some), SEVEN_SOUNDS))


def _counts(values: Sequence[int]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
