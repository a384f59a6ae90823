"""Compare the figures on sources that training uses with those on sources that it never met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_widgets.evaluation import abilities

FIGURES: dict[str, tuple[str, ...]] = {
    "spoken turns answered within 3 chunks": ("spoken", "answered_within_3_chunks"),
    "spoken turns with a reply before their end": ("spoken", "early"),
    "sounds answered in time": ("sounds", "answered_in_time"),
    "seven recorded sounds, macro-F1": ("naming", "sounds_recorded_macro_f1"),
    "digits named": ("naming", "digits", "right_of_due"),
    "keywords named": ("naming", "keywords", "right_of_due"),
    "commands named": ("naming", "commands", "right_of_due"),
    "false replies per hour of ambience": ("ambience", "false_per_hour"),
    "calibration error (ECE) of p(TEXT_BEGIN)": ("calibration", "ece"),
}
"""Figures that are compared, and where each is in the figures of a player."""


def gap(seen: Mapping[str, Any], unseen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return for each player and figure the estimates on seen and unseen sources, and their difference.

    Parameters
    ----------
    seen, unseen
        `figures.figures` of each player, by the player's name.

    Returns
    -------
    dict
        ``[player][figure]`` → ``{"seen": estimate, "unseen": estimate, "difference": unseen − seen or None}``.
    """
    table: dict[str, dict[str, Any]] = {}
    for name, policy in seen.items():
        table[name] = {}
        both = policy["abilities"] and unseen[name]["abilities"]
        paths = {words: ("abilities", *path) for words, path in abilities.FIGURES.items()} if both else {}
        for words, path in {**FIGURES, **paths}.items():
            here, there = _at(policy, path), _at(unseen[name], path)
            known = here["value"] is not None and there["value"] is not None
            difference = round(there["value"] - here["value"], 4) if known else None
            table[name][words] = {"seen": here, "unseen": there, "difference": difference}
    return table


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    found: Any = values
    for name in path:
        found = found[name]
    return dict(found)
