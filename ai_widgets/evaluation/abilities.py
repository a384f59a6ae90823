"""Compute the figures of each ability from the scores of its scenes (`ability_scenes`), with 95 % intervals.

- *counting*: a sound is counted where the answer names it with the number of its place: "A dog is barking." for the
  first, "A dog is barking for the second time." for the second one. A session is counted to k where its first k sounds
  are, and no other reply came between them.
- *unfinished*: a sentence was waited for where no reply came from its beginning to the chunk before its real end.
- *two at once*: speech is answered and the sound named, each within the time of every occasion (`scoring`).
- *stop*: "stop" is named over a machine voice. Any reply to such a voice alone is false.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ai_widgets.evaluation import statistics
from ai_widgets.evaluation.ability_scenes import (
    ALONE,
    COUNTING,
    EVENTS,
    OVER,
    PAUSED,
    STOP,
    SUITES,
    TWO_AT_ONCE,
    UNFINISHED,
    WHOLE,
)
from ai_widgets.evaluation.scoring import Outcome, Reply, Score, first_chunk
from ai_widgets.evaluation.statistics import share_of
from ai_widgets.training.replies import ordinal

FIGURES: dict[str, tuple[str, ...]] = {
    "counting: sounds answered": (COUNTING, "answered"),
    "counting: sounds named": (COUNTING, "named"),
    "counting: sessions counted to two": (COUNTING, "counted_to", "2"),
    "counting: sessions counted to three": (COUNTING, "counted_to", "3"),
    "counting: sessions counted to five": (COUNTING, "counted_to", "5"),
    "counting: sessions counted to ten": (COUNTING, "counted_to", "10"),
    "sentence with a pause: no reply before its end": (UNFINISHED, "paused", "waited"),
    "sentence with a pause: answered within 3 chunks": (UNFINISHED, "paused", "answered"),
    "the same as spoken: no reply before its end": (UNFINISHED, "whole", "waited"),
    "the same as spoken: answered within 3 chunks": (UNFINISHED, "whole", "answered"),
    "sound during speech: speech answered": (TWO_AT_ONCE, "speech_answered"),
    "sound during speech: sound named": (TWO_AT_ONCE, "sound_named"),
    "sound during speech: both": (TWO_AT_ONCE, "both"),
    "stop over a machine voice: named": (STOP, "named"),
    "machine voice alone: with a false reply": (STOP, "alone", "with_a_reply"),
    "machine voice alone: false replies per hour": (STOP, "alone", "false_per_hour"),
}
"""Headline figures in words, and where each is in the figures of the abilities."""


def abilities(scores: Sequence[Score]) -> dict[str, Any]:
    """Compute the figures of all abilities, as JSON values; empty without scores.

    Parameters
    ----------
    scores
        One score per scene of `ability_scenes`.

    Returns
    -------
    dict
        By suite. An ability that had no material has figures without values.
    """
    if not scores:
        return {}
    of = {suite: [score for score in scores if score.suite == suite] for suite in SUITES}
    return {
        COUNTING: {**_counting(of[COUNTING]), "kinds": _grouped(of[COUNTING], _name, _counting)},
        UNFINISHED: _unfinished(of[UNFINISHED]),
        TWO_AT_ONCE: {
            **_two_at_once(of[TWO_AT_ONCE]),
            "kinds": _grouped(of[TWO_AT_ONCE], _name, _two_at_once),
            "sources": _grouped(of[TWO_AT_ONCE], _source, _two_at_once),
        },
        STOP: _stop(of[STOP]),
    }


def headline(figures: dict[str, Any], words: str) -> dict[str, Any]:
    """Return the figure of `FIGURES` with these words from the figures of the abilities."""
    found: Any = figures
    for name in FIGURES[words]:
        found = found[name]
    return dict(found)


def counted_to(score: Score) -> int:
    """Return how far a session was counted: the longest beginning of right numbers without a reply beside them."""
    beside = [reply.chunk for reply in _beside(score)]
    for place, outcome in enumerate(score.outcomes):
        following = score.outcomes[place + 1 :]
        until = first_chunk(following[0].occasion) if following else score.chunks
        if not _counted(outcome, place) or any(chunk < until for chunk in beside):
            return place
    return len(score.outcomes)


def _counted(outcome: Outcome, place: int) -> bool:
    """Return whether the answer to the sound at a place (from 0) names it with the right number."""
    return outcome.answer is not None and outcome.right and ordinal(outcome.answer.text) == place + 1


def _beside(score: Score) -> list[Reply]:
    return [*score.false, *score.early, *score.repeated, *score.late, *score.unscored]


def _counting(scores: Sequence[Score]) -> dict[str, Any]:
    outcomes = [outcome for score in scores for outcome in score.outcomes]
    reached = [counted_to(score) for score in scores]
    places = range(1, EVENTS + 1)
    return {
        "sessions": len(scores),
        "answered": share_of(outcome.answer is not None for outcome in outcomes),
        "named": share_of(outcome.right for outcome in outcomes),
        "counted": {
            str(place): share_of(
                _counted(score.outcomes[place - 1], place - 1) for score in scores if len(score.outcomes) >= place
            )
            for place in places
        },
        "counted_to": {str(place): share_of(each >= place for each in reached) for place in places},
    }


def _unfinished(scores: Sequence[Score]) -> dict[str, Any]:
    paused = [score for score in scores if score.name == PAUSED]
    return {
        "paused": _waiting(paused),
        "whole": _waiting([score for score in scores if score.name == WHOLE]),
        "sources": _grouped(paused, _source, _waiting),
    }


def _waiting(scores: Sequence[Score]) -> dict[str, Any]:
    outcomes = [outcome for score in scores for outcome in score.outcomes]
    return {
        "sentences": len(outcomes),
        "waited": share_of(not outcome.early for outcome in outcomes),
        "answered": share_of(outcome.answer is not None for outcome in outcomes),
        "both": share_of(outcome.answer is not None and not outcome.early for outcome in outcomes),
    }


def _two_at_once(scores: Sequence[Score]) -> dict[str, Any]:
    speech = [any(o.spoken and o.answer is not None for o in score.outcomes) for score in scores]
    sound = [any(not o.spoken and o.right for o in score.outcomes) for score in scores]
    return {
        "scenes": len(scores),
        "speech_answered": share_of(speech),
        "sound_named": share_of(sound),
        "both": share_of(one and other for one, other in zip(speech, sound, strict=True)),
    }


def _stop(scores: Sequence[Score]) -> dict[str, Any]:
    over = [score for score in scores if score.name == OVER]
    alone = [score for score in scores if score.name == ALONE]
    false = sum(len(score.false) for score in alone)
    hours = sum(score.hours for score in alone)
    return {
        **_named(over),
        "sources": _grouped(over, _source, _named),
        "alone": {
            "scenes": len(alone),
            "hours": round(hours, 4),
            "with_a_reply": share_of(bool(score.false) for score in alone),
            "false": false,
            "false_per_hour": statistics.rate(false, hours).to_json(2),
        },
    }


def _named(scores: Sequence[Score]) -> dict[str, Any]:
    outcomes = [outcome for score in scores for outcome in score.outcomes]
    return {
        "scenes": len(outcomes),
        "named": share_of(outcome.right for outcome in outcomes),
        "answered": share_of(outcome.answer is not None for outcome in outcomes),
    }


def _grouped(
    scores: Sequence[Score], key: Callable[[Score], str], compute: Callable[[Sequence[Score]], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Score]] = {}
    for score in scores:
        groups.setdefault(key(score), []).append(score)
    return {name: compute(some) for name, some in sorted(groups.items())}


def _name(score: Score) -> str:
    return score.name


def _source(score: Score) -> str:
    """Return the corpus of the speech in a scene."""
    return next((o.occasion.source for o in score.outcomes if o.spoken and o.occasion.source), "unknown")
