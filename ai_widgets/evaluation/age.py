"""Compute recall by age of session: in the first minute, in the second, and later.

Sessions come from `long_sessions`. An occasion counts in the minute in which its reply is due, a false reply in the
minute in which the reply begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ai_widgets.evaluation import statistics
from ai_widgets.evaluation.scoring import Outcome, Score
from ai_widgets.protocol import CHUNK_SECONDS

CHUNKS_A_MINUTE = round(60 / CHUNK_SECONDS)
"""Number of chunks in a minute of a session."""
AGES = {"first": (1, 1), "second": (2, 2), "third and later": (3, 10**6)}
"""Reported ages of a session, each as its first and last minute."""


def by_age(scores: Sequence[Score]) -> dict[str, Any]:
    """Compute the figures of each age and each minute over all sessions.

    Parameters
    ----------
    scores
        One score per session.

    Returns
    -------
    dict
        ``sessions``; ``ages``, by name, and ``minutes``, by number from 1: each has ``minutes_heard``, ``spoken``
        (spoken turns answered within 3 chunks), ``sounds`` (answered in time), ``named`` (of both, answered with the
        right name), ``false`` replies and ``false_per_hour``, ``early`` and ``repeated`` replies.
    """
    last = max((-(-score.chunks // CHUNKS_A_MINUTE) for score in scores), default=0)
    return {
        "sessions": len(scores),
        "ages": {name: _between(scores, *minutes) for name, minutes in AGES.items()} if scores else {},
        "minutes": {str(minute): _between(scores, minute, minute) for minute in range(1, last + 1)},
    }


def _between(scores: Sequence[Score], first: int, last: int) -> dict[str, Any]:
    start, end = (first - 1) * CHUNKS_A_MINUTE, last * CHUNKS_A_MINUTE
    heard = sum(max(0, min(end, score.chunks) - start) for score in scores) * CHUNK_SECONDS
    outcomes = [o for score in scores for o in score.outcomes if start <= o.occasion.due < end]
    counts = {
        kind: sum(start <= reply.chunk < end for score in scores for reply in getattr(score, kind))
        for kind in ("false", "early", "repeated")
    }
    return {
        "minutes_heard": round(heard / 60, 2),
        "spoken": _answered([o for o in outcomes if o.spoken]),
        "sounds": _answered([o for o in outcomes if not o.spoken]),
        "named": _share(sum(o.right for o in outcomes), len(outcomes)),
        **counts,
        "false_per_hour": statistics.rate(counts["false"], heard / 3600).to_json(2),
    }


def _answered(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return _share(sum(o.answer is not None for o in outcomes), len(outcomes))


def _share(count: int, total: int) -> dict[str, Any]:
    return {**statistics.share(count, total).to_json(), "count": count, "of": total}
