"""Evaluate a checkpoint or a baseline on streams it was never trained on: ``ai-widgets evaluate``.

    ai-widgets evaluate --checkpoint tiny --data DATA --policy model silero --json OUT.json --report OUT.html

All players hear the same scenes: the scenes depend on the recordings, the hours and the seed alone, and the hash of
their audio is in the JSON. Every fourth scene is heard at all operating points of a player (each bias of a checkpoint
in a session of its own, because each reply changes the following ones); that gives the curve of false replies over
recall on which players are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from ai_widgets.errors import SettingError
from ai_widgets.evaluation import figures, material
from ai_widgets.evaluation.age import by_age
from ai_widgets.evaluation.figures import Tally
from ai_widgets.evaluation.gap import gap
from ai_widgets.evaluation.long_sessions import MINUTES, MOST_SESSIONS, long_sessions
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.players import ModelPlayer, Player, baseline
from ai_widgets.evaluation.scenes import GENERATED, Scene, scenes
from ai_widgets.evaluation.scoring import Score, score
from ai_widgets.evaluation.words import in_words
from ai_widgets.inference import load_model
from ai_widgets.policies import BY_NAME
from ai_widgets.protocol import CHUNK_SECONDS
from ai_widgets.settings import Settings

HOURS = (
    "audio to listen to (default: 3; 36 %% of it is ambience, so more than an hour). Recordings return varied in mix, "
    "speed, level and room; the figures say how much of them is distinct"
)
SESSION_SETTINGS = ("greedy", "context", "context_limit", "context_seconds", "forget_after_reply")
"""Settings of the checkpoint's sessions that have an option; `--seed` is that of the scenes."""
POLICIES = ("model", *BY_NAME)
CURVE_EVERY = 4
"""Every fourth stream is also used for the curve of operating points, which takes a run for each bias."""
VERSION = 4
"""Version of the JSON report; raised when a field changes its meaning."""
EPILOG = """\
examples:
  ai-widgets evaluate --hours 0.5                                # the embedded checkpoint, on generated sounds
  ai-widgets evaluate --data DATA --policy model silero energy   # beside baselines, on your recordings
  ai-widgets evaluate --data DATA --json OUT.json --report OUT.html
"""
BAR = "{desc} {bar} {n_fmt} of {total_fmt} s [{elapsed}<{remaining}]"


def evaluate(
    listeners: Sequence[Player],
    material: Material,
    hours: float,
    seed: int,
    curves: bool = True,
    progress: Callable[[int], object] | None = None,
    sessions: int = 0,
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
    progress
        Told the seconds of audio of each scene that is done.
    sessions
        Long sessions to hear as well, for recall by age of session.
    """
    tallies = [Tally() for _ in listeners]
    swept: list[dict[int, list[Score]]] = [{} for _ in listeners]
    digest = hashlib.sha256()
    sources: dict[str, Counter[str]] = {}
    ambient = Counter[str]()
    timed: Scene | None = None
    chunks = 0
    for number, scene in enumerate(scenes(material, hours, seed)):
        chunks += scene.chunks
        digest.update(scene.audio.tobytes())
        sources.setdefault(scene.name, Counter()).update(scene.sources)
        if scene.suite == "ambience":
            ambient[scene.name] += scene.chunks
        if timed is None or (scene.suite == "mixed" and scene.chunks > timed.chunks):
            timed = scene
        for listener, tally, curve in zip(listeners, tallies, swept, strict=True):
            heard = listener.hear(scene)
            for place, point in enumerate(listener.points):
                if place and not (curves and number % CURVE_EVERY == 0):
                    break
                replies, p_text = listener.reply(heard, scene, point, number)
                result = score(scene.suite, scene.name, scene.chunks, scene.occasions, replies)
                if place == 0:
                    tally.add(result, p_text)
                if curves and number % CURVE_EVERY == 0:
                    curve.setdefault(place, []).append(result)
        if progress is not None:
            progress(round(scene.chunks * CHUNK_SECONDS))
    aged, heard_long = _long(listeners, material, sessions, seed, progress)
    results: dict[str, Any] = {}
    for listener, tally, curve, old in zip(listeners, tallies, swept, aged, strict=True):
        drawn = [{"setting": listener.points[p], **figures.operating_point(s)} for p, s in sorted(curve.items())]
        speed = None if timed is None else round(listener.times_real_time(timed), 1)
        results[listener.name] = {
            "setting": listener.points[0], **figures.figures(tally), "times_real_time": speed, "curve": drawn,
            "age": by_age(old),
        }  # fmt: skip
    return {
        "streams": {
            "seed": seed, "hours": round(chunks * CHUNK_SECONDS / 3600, 4), "sha256": digest.hexdigest(),
            "distinct_recordings": {name: len(heard) for name, heard in sorted(sources.items()) if heard},
            "ambience": _distinct(material, ambient, sources),
            "material": material.describe(),
            "long_sessions": heard_long,
        },
        "policies": results,
        "at_equal_recall": _compare(results),
        "equal_recall": figures.equal_recall({n: r["curve"] for n, r in results.items()}) if curves else {},
    }  # fmt: skip


def _long(
    listeners: Sequence[Player],
    material: Material,
    count: int,
    seed: int,
    progress: Callable[[int], object] | None,
) -> tuple[list[list[Score]], dict[str, Any]]:
    """Score the long sessions for each listener at its own operating point; also describe the sessions."""
    aged: list[list[Score]] = [[] for _ in listeners]
    digest = hashlib.sha256()
    sources: set[str] = set()
    chunks = 0
    for number, scene in enumerate(long_sessions(material, count, seed)):
        chunks += scene.chunks
        digest.update(scene.audio.tobytes())
        sources.update(scene.sources)
        for listener, scores in zip(listeners, aged, strict=True):
            replies, _ = listener.reply(listener.hear(scene), scene, listener.points[0], number)
            scores.append(score(scene.suite, scene.name, scene.chunks, scene.occasions, replies))
        if progress is not None:
            progress(round(scene.chunks * CHUNK_SECONDS))
    described = {"hours": round(chunks * CHUNK_SECONDS / 3600, 4), "sha256": digest.hexdigest()}
    return aged, {**described, "recordings": len(sources), "minutes_each": MINUTES}


def _distinct(material: Material, chunks: Counter[str], sources: dict[str, Counter[str]]) -> dict[str, Any]:
    """Describe how much ambience is heard, by class, and how much of it is distinct.

    Recordings return, in other mixes, speeds, levels and rooms: ``recorded_hours`` is how long they are when each is
    counted once. What is generated is never the same.
    """
    heard = {name: set(sources[name]) for name in chunks}
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
        help="sounds for evaluation alone, DIR/<label>/*.wav (ogg, flac, …); labels are alarm, knock, dog, baby_cry, "
        "sneeze, rooster, music and speech; every other one is ambience",
    )  # fmt: skip
    p.add_argument("--clips", type=Path, help="clip cache of the validation split, as training keeps it")
    p.add_argument("--hours", type=float, default=3.0, help=HOURS)
    p.add_argument(
        "--sessions", type=int, default=10,
        help=f"continuous sessions of {MINUTES} minutes besides, for recall by age of session (default: 10; 0: none)",
    )  # fmt: skip
    p.add_argument("--seed", type=int, default=2026)
    p.add_argument("--no-curve", action="store_true", help="only the usual operating point")
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
    for path in (given.json, given.report):
        if path is not None and not path.parent.is_dir():
            raise SettingError(f"{path} cannot be written: there is no folder {path.parent}.")
    listeners = [_player(name, given) for name in dict.fromkeys(given.policy)]
    heldout = () if given.unseen else given.heldout
    seen = material.gather(
        given.data, given.speech, given.extra, given.clips, heldout, evaluation_only=not given.unseen
    )
    heard = [seen]
    if given.unseen:
        heard.append(material.gather_unseen(given.data, given.heldout))
    started = perf_counter()
    total = round(given.hours * 3600 + given.sessions * MINUTES * 60) * len(heard)
    with tqdm(total=total, desc="listening", bar_format=BAR, file=sys.stderr) as bar:
        result, *unseen = [
            evaluate(listeners, found, given.hours, given.seed, not given.no_curve, bar.update, given.sessions)
            for found in heard
        ]
    if unseen:
        result["unseen"] = {**unseen[0], "gap": gap(result["policies"], unseen[0]["policies"])}
    versions = {name: version(name) for name in ("torch", "transformers", "numpy")}
    result = {
        "version": VERSION, "checkpoint": given.checkpoint, "greedy": given.greedy, "settings": _settings(given),
        "context_limit": next((each.context_limit for each in listeners if isinstance(each, ModelPlayer)), None),
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


def _player(name: str, given: argparse.Namespace) -> Player:
    if name != "model":
        return baseline(name)
    return ModelPlayer(load_model(given.checkpoint, given.device), **_settings(given))


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the checkpoint's sessions, as given."""
    return {name: getattr(given, name) for name in SESSION_SETTINGS}
