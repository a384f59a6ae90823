"""Run the checks and print what they found, as lines or as JSON; the exit code says whether there is a fault."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from textwrap import fill

from ...errors import printable
from ..examples import examples
from .devices import devices
from .finding import Asked, Finding, Surroundings
from .hub import hub
from .installation import bundle, libraries, native, python
from .jupyter import extension, lab, microphone

Check = Callable[[Surroundings], Iterator[Finding]]
CHECKS: Sequence[Check] = (
    *(python, libraries, native, bundle, devices, hub),
    *(lab, extension, microphone),
)
"""All checks, in the order of the report."""
DESCRIPTION = "Say what is installed and what works on this machine, with advice where something does not."
FAULTY = 1
"""Exit code where something that was asked for cannot work."""
WIDTH = 110
"""Width of the report in characters."""
INDENT = 21
"""Column at which the findings begin."""


def examine(around: Surroundings) -> list[Finding]:
    """Run all checks. A check that breaks is a fault of its own, and the others still run."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(around)
        except Exception as error:  # noqa: BLE001 - in a broken installation anything may be raised
            sentence = f"could not be looked at ({type(error).__name__}: {error})"
            advice = "Reinstall the package in a new environment, and report this line if it stays."
            found.append(Finding(check.__name__, "fault", sentence, advice))
    return found


def parser() -> argparse.ArgumentParser:
    """Create the option parser."""
    p = argparse.ArgumentParser(
        prog="ai-widgets doctor",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=examples("doctor"),
    )
    p.add_argument("--checkpoint", default="tiny", help="checkpoint to use: tiny, a folder or a hub id (default: tiny)")
    p.add_argument("--device", default="auto", help="device to use: auto, cpu, cuda, cuda:0, mps")
    p.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16")
    p.add_argument("--quantize", help="int8 or int4 weights")
    p.add_argument("--url", default="", help="address at which the notebook is opened, to judge the microphone")
    p.add_argument("--json", action="store_true", help="print one JSON object in place of lines")
    return p


def main(arguments: Sequence[str], around: Surroundings | None = None) -> int:
    """Run ``ai-widgets doctor`` and return the exit code: 0, or 1 where there is a fault."""
    given = parser().parse_args(arguments)
    asked = Asked(given.checkpoint, given.device, given.dtype, given.quantize, given.url)
    found = examine(replace(around or Surroundings(), asked=asked))
    faults = [each for each in found if each.level == "fault"]
    if given.json:
        print(json.dumps({"ok": not faults, "findings": [each.to_json() for each in found]}, indent=2))
    else:
        print(report(found))
    return FAULTY if faults else 0


def report(found: Sequence[Finding]) -> str:
    """Format findings, a paragraph each, and the summary."""
    lines = []
    for each in found:
        head = f"{each.level:<6} {each.name:<{INDENT - 8}} "
        body = [each.found + ("." if each.advice else ""), *([f"-> {each.advice}"] if each.advice else [])]
        lines += [
            fill(
                printable(text),
                WIDTH,
                initial_indent=" " * INDENT if number else head,
                subsequent_indent=" " * (INDENT + (3 if number else 0)),
                break_long_words=False,
                break_on_hyphens=False,
            )
            for number, text in enumerate(body)
        ]
    count = {level: sum(each.level == level for each in found) for level in ("fault", "note")}
    lines.append("")
    counted = [f"{number} {level}{'' if number == 1 else 's'}" for level, number in count.items()]
    lines.append(f"{', '.join(counted)}." if any(count.values()) else "Everything is well.")
    return "\n".join(lines)
