"""Compute the figures of an evaluation from the lines of its streams, whatever order they were heard in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ai_widgets.errors import SettingError
from ai_widgets.evaluation import figures
from ai_widgets.evaluation.abilities import abilities
from ai_widgets.evaluation.age import by_age
from ai_widgets.evaluation.figures import Tally
from ai_widgets.evaluation.long_sessions import MINUTES, SUITE
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.playing import Line, occasions_of, replies_of
from ai_widgets.evaluation.scenes import GENERATED
from ai_widgets.evaluation.scoring import Score, score
from ai_widgets.evaluation.streams import ABILITY, SPEED
from ai_widgets.protocol import CHUNK_SECONDS

NOTHING_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""Hash of no audio, where there are no streams of a kind."""


def summary(lines: Iterable[Line], material: Material, seed: int) -> dict[str, Any]:
    """Return the figures of one part of an evaluation.

    Parameters
    ----------
    lines
        Lines of all streams of the part (`playing.play`), in any order.
    material
        Recordings of the part.
    seed
        Seed of the scenes, for the report.

    Raises
    ------
    SettingError
        If the material makes no stream.
    """
    found: dict[str, list[Line]] = {"scene": [], SUITE: [], ABILITY: [], SPEED: []}
    for line in lines:
        found[line["kind"]].append(line)
    for some in found.values():
        # In the order of composition: intervals are drawn from the streams by their places.
        some.sort(key=lambda line: line["number"])
    heard, long, ability, last = found["scene"], found[SUITE], found[ABILITY], found[SPEED]
    if not last:
        raise SettingError("The recordings make no stream to evaluate on; give longer or more of them.")
    results = {name: _figures(name, about, heard, long, ability) for name, about in last[0]["players"].items()}
    curves = any(len(result["curve"]) for result in results.values())
    return {
        "streams": {
            "seed": seed, **_hours_and_hash(heard), "distinct_recordings": _distinct_recordings(heard),
            "ambience": _ambience(material, heard), "material": material.describe(),
            "long_sessions": {
                **_hours_and_hash(long), "recordings": len({source for line in long for source in line["sources"]}),
                "minutes_each": MINUTES,
            },
            **({"abilities": {"scenes": len(ability), **_hours_and_hash(ability)}} if ability else {}),
        },
        "policies": results,
        "at_equal_recall": _compare(results),
        "equal_recall": figures.equal_recall({n: r["curve"] for n, r in results.items()}) if curves else {},
    }  # fmt: skip


def _figures(
    name: str, about: dict[str, Any], heard: Sequence[Line], long: Sequence[Line], ability: Sequence[Line]
) -> dict[str, Any]:
    """Compute the figures of one player."""
    tally, curve = Tally(), dict[int, list[Score]]()
    for line in heard:
        own = line["players"][name]
        tally.add(_score(line, name, 0), own["p_text"])
        if line["swept"]:
            for place in map(int, own["replies"]):
                curve.setdefault(place, []).append(_score(line, name, place))
    points = about["points"]
    return {
        "setting": points[0], **figures.figures(tally), "times_real_time": round(about["times_real_time"], 1),
        "curve": [{"setting": points[place], **figures.operating_point(s)} for place, s in sorted(curve.items())],
        "age": by_age([_score(line, name, 0) for line in long]),
        "abilities": abilities([_score(line, name, 0) for line in ability if line["players"][name]["replies"]]),
    }  # fmt: skip


def _score(line: Line, player: str, place: int) -> Score:
    return score(line["suite"], line["name"], line["chunks"], occasions_of(line), replies_of(line, player, place))


def _hours_and_hash(lines: Sequence[Line]) -> dict[str, Any]:
    hours = round(sum(line["chunks"] for line in lines) * CHUNK_SECONDS / 3600, 4)
    return {"hours": hours, "sha256": lines[-1]["sha256"] if lines else NOTHING_SHA256}


def _sources(lines: Sequence[Line]) -> dict[str, set[str]]:
    """Return the recordings in the streams of each name."""
    sources: dict[str, set[str]] = {}
    for line in lines:
        sources.setdefault(line["name"], set()).update(line["sources"])
    return sources


def _distinct_recordings(lines: Sequence[Line]) -> dict[str, int]:
    return {name: len(some) for name, some in sorted(_sources(lines).items()) if some}


def _ambience(material: Material, lines: Sequence[Line]) -> dict[str, Any]:
    """Describe how much ambience is heard, by class, and how much of it is distinct.

    Recordings return, in other mixes, speeds, levels and rooms: ``recorded_hours`` is how long they are when each is
    counted once. What is generated is never the same.
    """
    chunks = Counter[str]()
    for line in lines:
        if line["suite"] == "ambience":
            chunks[line["name"]] += line["chunks"]
    sources = _sources(lines)
    heard = {name: sources[name] for name in chunks}
    classes = {
        name: {
            "hours": round(count * CHUNK_SECONDS / 3600, 4),
            "recordings": sum(not source.startswith(GENERATED) for source in heard[name]),
            "recorded_hours": round(material.seconds_of(heard[name]) / 3600, 4),
        }
        for name, count in sorted(chunks.items())
    }
    every = set().union(*heard.values())
    return {
        "hours": round(sum(chunks.values()) * CHUNK_SECONDS / 3600, 4),
        "recordings": sum(not source.startswith(GENERATED) for source in every),
        "recorded_hours": round(material.seconds_of(every) / 3600, 4),
        "generated_hours": classes[GENERATED]["hours"] if GENERATED in classes else 0.0,
        "classes": classes,
    }


def _compare(results: dict[str, Any]) -> dict[str, Any]:
    """Compare every other policy with the first one, at a recall at least as high, over the swept scenes."""
    (first, reference), *others = results.items()
    if not reference["curve"] or not others:
        return {}
    own = reference["curve"][0]
    return {first: own, **{name: figures.at_equal_recall(own, result["curve"]) for name, result in others}}
