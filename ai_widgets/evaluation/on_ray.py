"""Hear the streams of an evaluation on the workers of a Ray cluster.

One task of the cluster reads the recordings and composes the streams, no faster than the workers take them; each worker
loads its players once. The lines are those of `playing.play` in one process, and so is the report.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ai_widgets.cluster.connection import ray_at
from ai_widgets.cluster.workers import results, workers_of
from ai_widgets.evaluation.playing import Line, play
from ai_widgets.evaluation.results import Results
from ai_widgets.evaluation.scenes import Scene
from ai_widgets.evaluation.streams import Stream, streams
from ai_widgets.training.labels import Occasion

BATCH = 8
"""Streams of a worker's task: few, since a stream of six minutes takes 40 MB, and enough to share passes."""


class StreamWorker:
    """Worker that loads the players once, and plays the streams of its batches to them."""

    def __init__(self, given: argparse.Namespace) -> None:
        from ai_widgets.evaluation.command import players

        self._players, self._given = players(given), given

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Play the streams of a batch, and yield the line of each as JSON."""
        count = len(batch["about"])
        coming = [stream_of({name: column[place] for name, column in batch.items()}) for place in range(count)]
        for line in play(self._players, coming, not self._given.no_curve, self._given.places):
            yield {"line": [json.dumps(line)]}


class Composer:
    """Maker of the streams that have no results, in a task of the cluster."""

    def __init__(self, given: argparse.Namespace, done: Results) -> None:
        self._given = given
        self._done = Results.of_hashes({key: line["sha256"] for key, line in done.lines.items()})

    def __call__(self) -> Iterator[Mapping[str, Any]]:
        """Compose the streams and yield them as rows."""
        from ai_widgets.evaluation.command import gathered

        given = self._given
        composed = streams(gathered(given), given.hours, given.seed, given.sessions, given.abilities)
        yield from map(row_of, self._done.missing(composed))


def row_of(stream: Stream) -> dict[str, Any]:
    """Convert a stream to a row of bytes and JSON."""
    scene = stream.scene
    about = {
        **{name: getattr(stream, name) for name in ("part", "kind", "number", "sha256")},
        **{name: getattr(scene, name) for name in ("suite", "name", "sources")},
        "occasions": [asdict(each) for each in scene.occasions],
        "shape": scene.mels.shape,
    }
    return {"about": json.dumps(about), "audio": scene.audio.tobytes(), "mels": scene.mels.tobytes()}


def stream_of(row: Mapping[str, Any]) -> Stream:
    """Convert a row back to its stream."""
    about = json.loads(row["about"])
    scene = Scene(
        about["suite"],
        about["name"],
        np.frombuffer(row["audio"], np.float32),
        np.frombuffer(row["mels"], np.float32).reshape(about["shape"]),
        [Occasion(**each) for each in about["occasions"]],
        about["sources"],
    )
    return Stream(about["part"], about["kind"], about["number"], scene, about["sha256"])


def play_on_ray(given: argparse.Namespace, done: Results) -> Iterator[Line]:
    """Play the streams that have no results on the cluster of `--ray`, and yield their lines; raises as `results`."""
    with ray_at(given.ray) as ray:
        workers, gpus = workers_of(ray, given.device if "model" in given.policy else "cpu")
        for row in results(
            ray, Composer(given, done), StreamWorker, (given,), batch=BATCH, workers=given.workers or workers, gpus=gpus
        ):
            line: Line = json.loads(row["line"])
            yield line
