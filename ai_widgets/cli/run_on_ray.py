"""``ai-widgets run --ray``: hear files on the workers of a Ray cluster, and write their events as Parquet."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from ..audio.folders import expand_paths
from ..cluster.connection import ray_at
from ..cluster.workers import results, workers_of
from ..errors import AudioError, MissingPackageError, printable
from ..session.listening import ListeningModel
from .run_separately import BAR, Hearing, add_line, empty_summary
from .terminal import output_or_nowhere

TASK_FILES = 32
"""Files of a worker's batch: enough that its places stay filled, and few enough that a kill loses some seconds."""
VERSION = 1
"""Version of the rows; raised when a column changes its meaning."""


class FileWorker:
    """Worker that loads the model once, and hears each file of its batches in a session of its own.

    Parameters
    ----------
    hearing
        How the files are heard.
    load, arguments
        Function and arguments that load the model.
    """

    def __init__(self, hearing: Hearing, load: Callable[..., ListeningModel], *arguments: Any) -> None:
        self._hearing, self._model = hearing, load(*arguments)

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Hear the column `file`; yield for each file its rows, as an Arrow stream, and its last line, as JSON."""
        from ..cluster.parquet import packed, table_of

        for lines in self._hearing.lines(self._model, [Path(str(name)) for name in batch["file"]]):
            yield {"rows": [packed(table_of(lines))], "last": [json.dumps(lines[-1])]}


def run_on_ray(given: argparse.Namespace, hearing: Hearing, load: Sequence[Any]) -> int:
    """Run the command and return the exit code.

    Parameters
    ----------
    given
        Parsed options.
    hearing
        How the files are heard.
    load
        Function and arguments with which a worker loads the model.

    Raises
    ------
    AudioError
        If files could not be heard; the others are complete.
    """
    try:
        from ..cluster.parquet import Parts, unpacked
    except ImportError as error:
        raise MissingPackageError('--ray needs pyarrow: pip install "ai_widgets[ray]".') from error
    screen, skipped = output_or_nowhere(sys.stdout), list[str]()
    paths = [str(path.absolute()) for path in dict.fromkeys(expand_paths(given.audio, skipped.append))]
    for sentence in skipped:
        print(sentence, file=screen)
    started, failed = perf_counter(), dict[str, str]()
    summary = empty_summary(given)
    parts = Parts(Path(given.parquet), _asked(given, hearing), resume=given.resume)
    missing = [path for path in paths if path not in parts.done]
    for path in paths:
        if path in parts.done:
            add_line(summary, parts.done[path])
    if len(missing) < len(paths):
        print(f"{len(paths) - len(missing)} of {len(paths)} files were heard before.", file=screen)
    if missing:
        with (
            ray_at(given.ray) as ray,
            tqdm(
                total=len(paths), initial=len(paths) - len(missing), desc="listening", bar_format=BAR,
                file=sys.stderr, disable=None,
            ) as bar,
        ):  # fmt: skip
            workers, gpus = workers_of(ray, "cpu" if given.policy else given.device)
            workers = summary["workers"] = given.workers or min(workers, -(-len(missing) // TASK_FILES))
            rows = [{"file": path} for path in missing]
            try:
                for heard in results(
                    ray, rows, FileWorker, (hearing, *load), batch=TASK_FILES, workers=workers, gpus=gpus
                ):
                    last = json.loads(heard["last"])
                    parts.add(unpacked(heard["rows"]))
                    add_line(summary, last)
                    if last["error"] is not None:
                        failed[last["file"]] = last["error"]
                        bar.write(printable(f"{last['file']}: {last['error']}"), file=screen)
                    bar.update()
            finally:
                # Also after an error or Ctrl-C: what was heard is kept.
                parts.write()
    summary |= {"failed": len(failed), "elapsed_s": round(perf_counter() - started, 3)}
    parts.report({**summary, "errors": failed, "settings": hearing.settings.to_json()})
    print(
        f"{summary['files']} files, {summary['audio_s']:.1f} s of audio, {summary['replies']} replies in "
        f"{summary['elapsed_s']:.1f} s; events in {given.parquet}.",
        file=screen,
    )
    if failed:
        name, said = next(iter(failed.items()))
        raise AudioError(f"{len(failed)} of {len(paths)} files could not be heard, the first of them {name}: {said}")
    return 0


def _asked(given: argparse.Namespace, hearing: Hearing) -> dict[str, Any]:
    """Return what determines the events."""
    names = ("revision", "device", "dtype", "quantize")
    return {
        "version": VERSION,
        "checkpoint": given.policy or given.checkpoint,
        **{name: getattr(given, name) for name in names},
        "floor": hearing.floor,
        "tail_silence": hearing.tail_silence,
        "longest_s": hearing.longest_s,
        "settings": hearing.settings.to_json(),
    }
