"""``ai-widgets run --separate``: hear every file in a session of its own, many side by side, and resume after a kill.

A small model runs in several worker processes, since one thread computes its passes; a large one in this process, where
a pass uses all cores. The lines of a file are written at once when it has ended, with a last line of type `file`:
`--resume` keeps the files that have one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from tqdm import tqdm

from ..audio.folders import expand_paths
from ..errors import AudioError, ChildError, SettingError, printable
from ..inference import Model
from ..protocol import CHUNK_SECONDS, Chunk, Decision, Notice, Token, Turn
from ..record.transcript import counted
from ..session.listening import ListeningModel
from ..session.separate_files import Answered, answer_separately
from ..settings import Settings
from .terminal import json_line, output_or_nowhere

WRITTEN = (Decision, Token, Turn, Notice)
"""Events that are written, as by `run` without `--separate`."""
TASK_FILES = 32
"""Files of a worker's task: enough that its places stay filled, and few enough that a kill loses some seconds."""
FILES_FOR_WORKERS = 64
"""Files for each worker process by default: fewer take less time than starting the process (2 s)."""
MOST_PLACES, MOST_WORKERS = 512, 64
"""Maximum of `--places`, whose contexts of the published model take 38 GB, and of `--workers`; more is a mistake."""
BAR = "{desc} {bar} {n_fmt} of {total_fmt} files [{elapsed}<{remaining}]"

Line = dict[str, Any]


@dataclass(frozen=True)
class Hearing:
    """How the files are heard: the arguments of `answer_separately`."""

    settings: Settings
    floor: str
    tail_silence: float
    longest_s: float | None
    places: int

    def lines(self, model: ListeningModel, paths: Sequence[Path]) -> Iterator[list[Line]]:
        """Hear files, and yield the lines of each."""
        for answered in answer_separately(
            model,
            paths,
            self.settings,
            floor=self.floor,
            tail_silence=self.tail_silence,
            longest_s=self.longest_s,
            places=self.places,
        ):
            yield lines_of(answered)


def lines_of(answered: Answered) -> list[Line]:
    """Return the events of a file as lines, and the line that completes it."""
    name, record, error = str(answered.path), answered.record, answered.error
    turns, chunks = record.of_type(Turn), len(record.of_type(Chunk))
    last: Line = {
        "type": "file",
        "file": name,
        "audio_s": round(chunks * CHUNK_SECONDS, 3),
        "chunks": chunks,
        "decisions": len(record.of_type(Decision)),
        "replies": len(turns),
        "tokens": sum(len(turn.tokens) for turn in turns),
        "text": record.text,
        "ended": answered.ended,
        "error": None if error is None else f"{type(error).__name__}: {error}",
    }
    return [{**event.to_json(), "file": name} for event in record.events if isinstance(event, WRITTEN)] + [last]


def check_options(given: argparse.Namespace) -> None:
    """Raise a `SettingError` for options that do not go together."""
    if given.ray is not None or given.parquet is not None:
        _check_ray(given)
        return
    if given.separate:
        for option, value in (("--save", given.save), ("--html", given.html)):
            if value is not None:
                raise SettingError(f"{option} holds one session, and --separate makes one of each file; use --json.")
        if given.resume and given.json in (None, "-"):
            raise SettingError("--resume continues the file of --json; give its name.")
        for option, value, most in (
            ("--places", given.places, MOST_PLACES),
            ("--workers", given.workers, MOST_WORKERS),
        ):
            if value is not None and not 1 <= value <= most:
                raise SettingError(f"{option} must be from 1 to {most}, not {value}.")
        return
    useless = {"--places": given.places, "--workers": given.workers, "--resume": given.resume or None}
    named = [option for option, value in useless.items() if value is not None]
    if named:
        raise SettingError(f"{', '.join(named)} can only be given with --separate.")


def _check_ray(given: argparse.Namespace) -> None:
    if given.ray is None or given.parquet is None:
        raise SettingError("--ray and --parquet go together: the address of a cluster, and the folder for its events.")
    for option, value in (("--json", given.json), ("--save", given.save), ("--html", given.html)):
        if value is not None:
            raise SettingError(f"{option} cannot be given with --ray, which writes the events to --parquet.")
    for option, value in (("--places", given.places), ("--workers", given.workers)):
        if value is not None and value < 1:
            raise SettingError(f"{option} must be at least 1, not {value}.")


def given_model(given: argparse.Namespace) -> argparse.Namespace:
    """Return the options that say which model to load, which a worker process can be sent."""
    names = ("checkpoint", "policy", "device", "dtype", "revision", "quantize")
    return argparse.Namespace(**{name: getattr(given, name) for name in names})


def run_separately(given: argparse.Namespace, model: ListeningModel, hearing: Hearing, load: Sequence[Any]) -> int:
    """Run the command and return the exit code: 2 if a file could not be heard.

    Parameters
    ----------
    given
        Parsed options.
    model
        Loaded model or policy.
    hearing
        How the files are heard.
    load
        Function and arguments with which a worker process loads the model.
    """
    skipped: list[str] = []
    paths = list(dict.fromkeys(expand_paths(given.audio, skipped.append)))
    workers = given.workers or default_workers(model, len(paths))
    started, failed = perf_counter(), dict[str, str]()
    summary = empty_summary(given)
    with ExitStack() as stack:
        first = _first_line(given, model, hearing)
        done = kept(Path(given.json), first) if given.resume else {}
        out = _open(given, first, stack)
        screen = output_or_nowhere(sys.stderr if out is sys.stdout else sys.stdout)
        for sentence in skipped:
            print(sentence, file=screen)
        for line in done.values():
            add_line(summary, line)
        missing = [path for path in paths if str(path) not in done]
        if done:
            print(f"{len(done)} of {len(paths)} files were heard before.", file=screen)
        bar = stack.enter_context(
            tqdm(total=len(paths), initial=len(done), desc="listening", bar_format=BAR, file=sys.stderr, disable=None)
        )
        for lines in _heard(model, missing, hearing, workers, load):
            last = lines[-1]
            _write(out, lines)
            add_line(summary, last)
            if last["error"] is not None:
                failed[last["file"]] = last["error"]
            said = last["error"] or last["text"].replace("\n", " ") or "(silent)"
            bar.write(printable(f"{last['file']}: {said}"), file=screen)
            bar.update()
        summary |= {"failed": len(failed), "elapsed_s": round(perf_counter() - started, 3), "workers": workers}
        summary["settings"] = hearing.settings.to_json()
        _write(out, [summary])
    print(
        f"{counted(summary['files'], 'file')}, {summary['audio_s']:.1f} s of audio, "
        f"{counted(summary['replies'], 'reply')} in {summary['elapsed_s']:.1f} s.",
        file=screen,
    )
    if failed:
        name, error = next(iter(failed.items()))
        raise AudioError(f"{len(failed)} of {len(paths)} files could not be heard, the first of them {name}: {error}")
    return 0


def default_workers(model: ListeningModel, files: int) -> int:
    """Return the number of worker processes: one a core for a small model and many files, else 1 for this process."""
    if not isinstance(model, Model) or model.threads is None:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, files // FILES_FOR_WORKERS))


def kept(path: Path, first: Line) -> dict[str, Line]:
    """Keep the first line and those of complete files in an earlier output, and return the last line of each file.

    Raises
    ------
    SettingError
        If the earlier run heard with another checkpoint or other settings.
    AudioError
        If the file cannot be read, or is no output of `run --separate`.
    """
    if not path.exists():
        return {}
    done: dict[str, Line] = {}
    rest = path.with_name(f"{path.name}.part")
    try:
        begun = next(_parsed(path), None)
        if begun is not None and begun != first:
            differs = sorted(name for name in {*begun, *first} if begun.get(name) != first.get(name))
            raise SettingError(f"{path} was begun with other values of {', '.join(differs)}; --resume needs the same.")
        for line in _parsed(path):
            if line["type"] == "file" and line["error"] is None:
                done[line["file"]] = line
        with rest.open("w", encoding="utf-8", newline="\n") as out:
            _write(out, [first])
            for line in _parsed(path):
                if line.get("file") in done:
                    _write(out, [line])
        rest.replace(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, SettingError):
            raise
        raise AudioError(f"--resume cannot continue {path}: {error}") from error
    return done


def _parsed(path: Path) -> Iterator[Line]:
    """Yield the lines of a file; the last one, which a kill may have cut off, only if it is complete."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        for text in lines:
            if text.endswith("\n"):
                line = json.loads(text)
                if not isinstance(line, dict):
                    raise ValueError(f"{text[:40]!r} is no event.")
                yield line


def _first_line(given: argparse.Namespace, model: ListeningModel, hearing: Hearing) -> Line:
    language = model.language
    return {
        "type": "run",
        "checkpoint": given.policy or given.checkpoint,
        "revision": None if language is None else language.revision,
        "placement": None if language is None else str(language.placement),
        "floor": hearing.floor,
        "tail_silence": hearing.tail_silence,
        "settings": hearing.settings.to_json(),
    }


def _open(given: argparse.Namespace, first: Line, stack: ExitStack) -> TextIO | None:
    """Open the output, which begins with `first`: a new file, or the end of what `kept` has left."""
    if given.json is None:
        return None
    if given.json == "-":
        if sys.stdout is None:
            raise AudioError("--json - writes to standard output, which is closed; give a file name.")
        _write(sys.stdout, [first])
        return sys.stdout
    path = Path(given.json)
    goes_on = given.resume and path.exists()
    try:
        out = stack.enter_context(path.open("a" if goes_on else "w", encoding="utf-8", newline="\n"))
    except OSError as error:
        raise AudioError(f"--json cannot write {path}: {error.strerror}.") from error
    if not goes_on:
        _write(out, [first])
    return out


def _write(out: TextIO | None, lines: Sequence[Line]) -> None:
    """Write lines at once and flush them, so that a kill leaves whole files."""
    if out is not None:
        out.write("".join(json_line(line, out) + "\n" for line in lines))
        out.flush()


def empty_summary(given: argparse.Namespace) -> Line:
    """Return the summary of no files."""
    summary: Line = {"type": "summary", "checkpoint": given.policy or given.checkpoint, "files": 0, "failed": 0}
    return summary | dict.fromkeys(("chunks", "decisions", "replies", "tokens", "audio_s"), 0)


def add_line(summary: Line, last: Line) -> None:
    """Add the figures of a file to the summary."""
    summary["files"] += 1
    for name in ("chunks", "decisions", "replies", "tokens", "audio_s"):
        summary[name] = round(summary[name] + last[name], 3)


def _heard(
    model: ListeningModel, paths: Sequence[Path], hearing: Hearing, workers: int, load: Sequence[Any]
) -> Iterator[list[Line]]:
    """Hear files in this process or in several, and yield the lines of each as it ends."""
    if workers == 1:
        yield from hearing.lines(model, paths)
        return
    # Not forked: threads of torch and of the progress bar do not survive a fork.
    context = multiprocessing.get_context("spawn")
    remaining, tasks = iter(paths), deque[Future[list[list[Line]]]]()
    pool = ProcessPoolExecutor(workers, context, _begin_worker, (hearing, *load))
    try:
        while True:
            while len(tasks) < workers + 1 and (files := list(islice(remaining, TASK_FILES))):
                tasks.append(pool.submit(_work, files))
            if not tasks:
                return
            yield from tasks.popleft().result()
    except BrokenProcessPool as error:
        raise ChildError(
            "A worker process ended without a result, perhaps for lack of memory; --workers 1 needs none, and --resume "
            "keeps the files that are done."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_worker: tuple[Hearing, ListeningModel] | None = None
"""What a worker process hears with; None in any other process."""


def _begin_worker(hearing: Hearing, load: Callable[..., ListeningModel], *arguments: Any) -> None:
    """Load the model in a worker process."""
    global _worker
    # Ctrl-C goes to all processes of the terminal: a worker ends at once, and the command reports it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _worker = hearing, load(*arguments)


def _work(paths: Sequence[Path]) -> list[list[Line]]:
    """Hear the files of one task in a worker process."""
    if _worker is None:
        raise ChildError("This process was not prepared as a worker.")
    hearing, model = _worker
    return list(hearing.lines(model, paths))
