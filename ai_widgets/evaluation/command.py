"""Evaluate a checkpoint or a baseline on streams it was never trained on: ``ai-widgets evaluate``.

    ai-widgets evaluate --checkpoint tiny --data DATA --policy model silero --json OUT.json --report OUT.html

All players hear the same scenes: the scenes depend on the recordings, the hours and the seed alone, and the hash of
their audio is in the JSON. Every fourth scene is heard at all operating points of a player (each bias of a checkpoint
in a session of its own, because each reply changes the following ones); that gives the curve of false replies over
recall on which players are compared.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from ai_widgets.errors import SettingError
from ai_widgets.evaluation import ability_scenes, material
from ai_widgets.evaluation.gap import gap
from ai_widgets.evaluation.long_sessions import MINUTES, MOST_SESSIONS
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.players import ModelPlayer, Player, baseline
from ai_widgets.evaluation.playing import Line, play
from ai_widgets.evaluation.results import Results
from ai_widgets.evaluation.streams import SEEN, SPEED, UNSEEN, streams
from ai_widgets.evaluation.summary import summary
from ai_widgets.evaluation.words import in_words
from ai_widgets.inference import load_model
from ai_widgets.policies import BY_NAME
from ai_widgets.protocol import CHUNK_SECONDS
from ai_widgets.session.together import PLACES
from ai_widgets.settings import Settings
from ai_widgets.training.corpus import LABEL_KINDS

HOURS = (
    "audio to listen to (default: 3; 36 %% of it is ambience, so more than an hour). Recordings return varied in mix, "
    "speed, level and room; the figures say how much of them is distinct"
)
SESSION_SETTINGS = ("greedy", "context", "context_limit", "context_seconds", "forget_after_reply")
"""Settings of the checkpoint's sessions that have an option; `--seed` is that of the scenes."""
POLICIES = ("model", *BY_NAME)
MOST_PLACES = 512
"""Maximum of `--places`, whose contexts of the published model take 38 GB; more is a mistake."""
VERSION = 4
"""Version of the JSON report; raised when a field changes its meaning."""
EPILOG = """\
examples:
  ai-widgets evaluate --hours 0.5                                # the embedded checkpoint, on generated sounds
  ai-widgets evaluate --data DATA --policy model silero energy   # beside baselines, on your recordings
  ai-widgets evaluate --data DATA --json OUT.json --report OUT.html
  ai-widgets evaluate --data DATA --speech CACHE --abilities 100    # counting, pauses in a sentence, two at once, stop
  ai-widgets evaluate --data DATA --hours 30 --results OUT.jsonl    # goes on after a kill
  ai-widgets evaluate --data DATA --ray auto --results OUT.jsonl    # on all machines of a Ray cluster
"""
BAR = "{desc} {bar} {n_fmt} of {total_fmt} s [{elapsed}<{remaining}]"


def evaluate(
    listeners: Sequence[Player],
    material: Material,
    hours: float,
    seed: int,
    curves: bool = True,
    sessions: int = 0,
    places: int = PLACES,
    abilities: int = 0,
) -> dict[str, Any]:
    """Play the same scenes to every listener and return the figures.

    Parameters
    ----------
    listeners
        What is evaluated.
    material
        Recordings.
    hours, seed
        Of the scenes.
    curves
        Sweep the operating points too.
    sessions
        Long sessions to hear as well, for recall by age of session.
    places
        Number of sessions in one forward pass.
    abilities
        Scenes of each ability to hear as well; baselines do not hear them.
    """
    coming = streams({SEEN: material}, hours, seed, sessions, abilities)
    return summary(play(listeners, coming, curves, places), material, seed)


def parser() -> argparse.ArgumentParser:
    """Return the command's option parser."""
    p = argparse.ArgumentParser(
        prog="ai-widgets evaluate",
        description="Measure how well a checkpoint or a baseline replies.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    p.add_argument("--checkpoint", default="tiny", help="tiny, a folder or a hub id (default: tiny)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, mps")
    p.add_argument(
        "--policy", nargs="+", choices=POLICIES, default=["model"], help="one or several, on the same streams"
    )
    p.add_argument("--data", type=Path, nargs="+", default=[], help="folders of recordings with a manifest.csv")
    p.add_argument("--speech", type=Path, help="speech cache made by python -m ai_widgets.training.speech")
    p.add_argument("--extra", type=Path, help="more sounds, one folder a label")
    p.add_argument(
        "--unseen",
        action="store_true",
        help="also hear the sources that moved no weight and chose no operating point, and print the gap",
    )
    p.add_argument(
        "--heldout", type=Path, nargs="+", default=[], metavar="DIR",
        help="sounds for evaluation alone, DIR/<label>/*.wav (ogg, flac, …); labels are "
        f"{', '.join(LABEL_KINDS)}; every other one is ambience",
    )  # fmt: skip
    p.add_argument("--clips", type=Path, help="clip cache of the validation split, as training keeps it")
    p.add_argument("--hours", type=float, default=3.0, help=HOURS)
    p.add_argument(
        "--sessions", type=int, default=10,
        help=f"continuous sessions of {MINUTES} minutes besides, for recall by age of session (default: 10; 0: none)",
    )  # fmt: skip
    p.add_argument(
        "--abilities", type=int, default=0, metavar="N",
        help="scenes of each ability besides: counting, pauses in a sentence, two things at once, stop over a machine "
        "voice (default: 0)",
    )  # fmt: skip
    p.add_argument("--seed", type=int, default=2026)
    p.add_argument("--no-curve", action="store_true", help="only the usual operating point")
    p.add_argument("--places", type=int, default=PLACES, help=f"sessions in one forward pass (default: {PLACES})")
    p.add_argument(
        "--results", type=Path, metavar="OUT.jsonl",
        help="keep the result of each stream in this file; after a kill, the same command goes on with it",
    )  # fmt: skip
    p.add_argument(
        "--ray", metavar="ADDRESS",
        help="hear the streams on a Ray cluster: HOST:6379, auto for that of this machine, local to start one",
    )  # fmt: skip
    p.add_argument("--workers", type=int, help="with --ray: workers (default: one a GPU, else one a core)")
    p.add_argument("--json", type=Path, metavar="OUT.json", help="write all figures")
    p.add_argument("--report", type=Path, metavar="OUT.html", help="write a page with tables and figures")
    for each in Settings.schema:
        if each.name in SESSION_SETTINGS:
            option, how = each.option()
            p.add_argument(option, **how)
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command and return the exit code; raise an `AiWidgetsError` for input that cannot be used."""
    given = parser().parse_args(argv)
    if not any((given.data, given.speech, given.extra, given.clips, given.heldout)):
        raise SettingError("There is nothing to evaluate on: give --data, --speech, --extra, --heldout or --clips.")
    if given.seed < 0:
        raise SettingError(f"--seed must be at least 0, not {given.seed}.")
    if not 0 <= given.sessions <= MOST_SESSIONS:
        raise SettingError(f"--sessions must be from 0 to {MOST_SESSIONS}, not {given.sessions}.")
    if not 0 <= given.abilities <= ability_scenes.MOST_SCENES:
        raise SettingError(f"--abilities must be from 0 to {ability_scenes.MOST_SCENES}, not {given.abilities}.")
    if given.abilities and "model" not in given.policy:
        raise SettingError("--abilities are measured of a checkpoint: a baseline names nothing. Add model to --policy.")
    for path in (given.json, given.report, given.results):
        if path is not None and not path.parent.is_dir():
            raise SettingError(f"{path} cannot be written: there is no folder {path.parent}.")
    if not 1 <= given.places <= MOST_PLACES:
        raise SettingError(f"--places must be from 1 to {MOST_PLACES}, not {given.places}.")
    if given.workers is not None and (given.ray is None or given.workers < 1):
        raise SettingError("--workers is the number of workers of --ray, at least 1.")
    started = perf_counter()
    materials = gathered(given)
    with Results(given.results, _first_line(given)) as results:
        _hear(given, materials, results)
        lines = list(results.lines.values())
    result, *unseen = [
        summary((line for line in lines if line["part"] == part), found, given.seed)
        for part, found in materials.items()
    ]
    if unseen:
        result["unseen"] = {**unseen[0], "gap": gap(result["policies"], unseen[0]["policies"])}
    limits = [about["context_limit"] for line in lines if line["kind"] == SPEED for about in line["players"].values()]
    versions = {name: version(name) for name in ("torch", "transformers", "numpy")}
    result = {
        "version": VERSION, "checkpoint": given.checkpoint, "greedy": given.greedy, "settings": _settings(given),
        "context_limit": next((limit for limit in limits if limit is not None), None),
        **result,
        "elapsed_s": round(perf_counter() - started, 1), "versions": {"python": platform.python_version(), **versions},
    }  # fmt: skip
    if given.json is not None:
        given.json.write_text(
            json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
    if given.report is not None:
        from ai_widgets.evaluation.report import page

        given.report.write_text(page(result), encoding="utf-8")
    sys.stdout.write(in_words(result))
    return 0


def players(given: argparse.Namespace) -> list[Player]:
    """Return the players that options name, the checkpoint loaded."""
    return [_player(name, given) for name in dict.fromkeys(given.policy)]


def gathered(given: argparse.Namespace) -> dict[str, Material]:
    """Read the recordings that options name, by part."""
    heldout = () if given.unseen else given.heldout
    seen = material.gather(
        given.data, given.speech, given.extra, given.clips, heldout, evaluation_only=not given.unseen
    )
    if given.unseen:
        return {SEEN: seen, UNSEEN: material.gather_unseen(given.data, given.heldout)}
    return {SEEN: seen}


def _hear(given: argparse.Namespace, materials: Mapping[str, Material], results: Results) -> None:
    """Hear the streams that have no results, and show the progress with the time left."""
    besides = given.sessions * MINUTES * 60 + given.abilities * ability_scenes.SECONDS
    total = round(given.hours * 3600 + besides) * len(materials)
    done = sum(seconds_of(line) for line in results.lines.values())
    if done:
        sys.stderr.write(f"{len(results.lines)} streams were heard before.\n")
    coming = results.missing(streams(materials, given.hours, given.seed, given.sessions, given.abilities))
    with tqdm(total=total, initial=done, desc="listening", bar_format=BAR, file=sys.stderr) as bar:
        if given.ray is None:
            heard = play(players(given), coming, not given.no_curve, given.places)
        else:
            from ai_widgets.evaluation.on_ray import play_on_ray

            heard = play_on_ray(given, results)
        for line in heard:
            results.add(line)
            bar.update(seconds_of(line))


def seconds_of(line: Line) -> int:
    """Return the seconds of audio that a line adds to the progress."""
    return 0 if line["kind"] == SPEED else round(line["chunks"] * CHUNK_SECONDS)


def _first_line(given: argparse.Namespace) -> dict[str, Any]:
    """Return what determines the results, for the first line of their file."""
    folders = {name: getattr(given, name) for name in ("data", "speech", "extra", "clips", "heldout")}
    return {
        "checkpoint": given.checkpoint, "device": given.device, "policy": list(dict.fromkeys(given.policy)),
        "settings": _settings(given), "curves": not given.no_curve, "hours": given.hours, "seed": given.seed,
        "sessions": given.sessions, "unseen": given.unseen,
        **{name: json.loads(json.dumps(value, default=str)) for name, value in folders.items()},
        # Only where it is asked for, so that files of results that were begun without it go on.
        **({"abilities": given.abilities} if given.abilities else {}),
    }  # fmt: skip


def _player(name: str, given: argparse.Namespace) -> Player:
    if name != "model":
        return baseline(name)
    return ModelPlayer(load_model(given.checkpoint, given.device), **_settings(given))


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the checkpoint's sessions, as given."""
    return {name: getattr(given, name) for name in SESSION_SETTINGS}
