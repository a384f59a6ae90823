"""Describe the figures of an evaluation in words, for the terminal and the report."""

from __future__ import annotations

from typing import Any

from ai_widgets.errors import printable
from ai_widgets.evaluation import abilities
from ai_widgets.evaluation.scoring import FURTHER_SOUNDS


def title(result: dict[str, Any], name: str) -> str:
    """Return the name of what was evaluated: the checkpoint, or the baseline."""
    return str(result["checkpoint"]) if name == "model" else name


def in_words(result: dict[str, Any]) -> str:
    """Format the headline figures, one line each."""
    streams = result["streams"]
    lines = [f"{streams['hours']:.2f} h of streams, seed {streams['seed']}, sha256 {streams['sha256'][:12]}"]
    heard = streams["ambience"]
    lines.append(
        f"{heard['hours']:.2f} h of these are ambience: random mixes of {heard['recordings']} recordings with a length "
        f"of {heard['recorded_hours']:.2f} h, and {heard['generated_hours']:.2f} h generated"
    )
    long = streams["long_sessions"]
    if long["hours"]:
        lines.append(
            f"{long['hours']:.2f} h of continuous sessions of {long['minutes_each']} minutes, "
            f"{long['recordings']} recordings"
        )
    for name, policy in result["policies"].items():
        lines.append(f"\n{printable(title(result, name))}")
        if name == "model":
            lines.append(f"  {'positions of its context':<52} {result['context_limit']}")
        lines += [
            f"  {words:<52} {value}" for words, value in [*headlines(policy), *ages(policy), *ability_lines(policy)]
        ]
    if result["at_equal_recall"]:
        lines.append("\nat equal recall, over the streams that were run at all operating points")
    for name, point in result["at_equal_recall"].items():
        if point is not None:
            note = "" if point.get("reached", True) else " (its maximum)"
            lines.append(
                f"  {name}: recall {point['recall']:.3f}{note}, early {point['early']:.3f}, "
                f"false per hour {estimate(point['false_per_hour'])}"
            )
    equal = result["equal_recall"]
    if equal and len(result["policies"]) > 1:
        lines.append("\nfalse replies per hour at the same recall (linear interpolation between operating points)")
        for place, recall in enumerate(equal["recalls"]):
            row = [f"{name} {_number(values[place])}" for name, values in equal["false_per_hour"].items()]
            lines.append(f"  recall {recall:.3f}: " + ", ".join(row))
    if "unseen" in result:
        lines += _gap_lines(result)
    return "\n".join(lines) + "\n"


def _gap_lines(result: dict[str, Any]) -> list[str]:
    """Format the gap between sources that training uses and others, and the recall of each source."""
    lines = []
    for name, rows in result["unseen"]["gap"].items():
        lines.append(f"\n{printable(title(result, name))}: sources that training uses, others, and the difference")
        for words, row in rows.items():
            difference = "" if row["difference"] is None else f"{row['difference']:+.3f}"
            lines.append(f"  {words:<50} {estimate(row['seen']):<24} {estimate(row['unseen']):<24} {difference}")
        for words, policies in (("seen", result["policies"]), ("unseen", result["unseen"]["policies"])):
            for source, row in policies[name]["sources"].items():
                lines.append(
                    f"  {words} source {printable(source)}: {row['due']} due, answered {estimate(row['answered'])}, "
                    f"named {estimate(row['named'])}"
                )
    return lines


def _number(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.1f}"


def headlines(policy: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the most important figures as pairs of description and value with interval."""
    naming, spoken = policy["naming"], policy["spoken"]
    return [
        ("spoken turns answered within 3 chunks of their end", estimate(spoken["answered_within_3_chunks"])),
        ("spoken turns with a reply before their end", estimate(spoken["early"])),
        ("median latency after the end, in chunks", str(spoken["median_latency_chunks"])),
        ("sounds answered in time", estimate(policy["sounds"]["answered_in_time"])),
        ("false replies per hour of ambience", estimate(policy["ambience"]["false_per_hour"])),
        ("false replies per hour, all streams", estimate(policy["replies"]["false_per_hour"])),
        ("replies to digital silence", str(policy["silence"]["false"])),
        ("seven sounds, macro-F1", estimate(naming["sounds_macro_f1"])),
        *(
            (f"{name}s named, {origin}", estimate(share))
            for name in ("alarm", "knock")
            for origin, share in naming["by_origin"].get(name, {}).items()
        ),
        *(
            (f"{name} named, {origin}", estimate(share))
            for name in FURTHER_SOUNDS
            for origin, share in naming["by_origin"].get(name, {}).items()
        ),
        ("keywords named", estimate(naming["keywords"]["right_of_due"])),
        ("digits named", estimate(naming["digits"]["right_of_due"])),
        ("commands named", estimate(naming["commands"]["right_of_due"])),
        ("other speech named as speech", estimate(naming["other_speech"]["right_of_due"])),
        ("calibration error (ECE) of p(TEXT_BEGIN)", estimate(policy["calibration"]["ece"])),
        ("ECE of the chunks with p of at least 0.1", estimate(policy["calibration"]["ece_from_0.1"])),
        ("times real time", str(policy["times_real_time"])),
    ]


def ages(policy: dict[str, Any]) -> list[tuple[str, str]]:
    """Return recall and false replies by age of session, as `headlines` does; empty without long sessions."""
    return [
        line
        for name, row in policy["age"]["ages"].items()
        for line in (
            (f"{name} minute: spoken turns answered", estimate(row["spoken"])),
            (f"{name} minute: sounds answered", estimate(row["sounds"])),
            (f"{name} minute: false replies per hour", estimate(row["false_per_hour"])),
        )
    ]


def ability_lines(policy: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the figures of the abilities, as `headlines` does; empty where they were not asked for."""
    figures = policy["abilities"]
    return [(words, estimate(abilities.headline(figures, words))) for words in abilities.FIGURES] if figures else []


def estimate(values: dict[str, Any]) -> str:
    """Format a figure with its interval, as ``0.953 [0.931, 0.968]``."""
    if values["value"] is None:
        return "nothing to measure"
    return f"{values['value']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"
