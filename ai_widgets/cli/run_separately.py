"""``ai-widgets run --separate``: hear every file in a session of its own, many side by side, and resume after a kill.

A small model runs in this process and in others, since one thread computes its passes; a large one in this process
alone, where a pass uses all cores. The lines of a file are written at once when it has ended, with a last line of type
`file`: `--resume` keeps the files that have one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
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
from ..session.together import PLACES
from ..settings import Settings
from .terminal import json_line, output_or_nowhere
from .worker_processes import Workers, default_processes, given_model, many_passes

WRITTEN = (Decision, Token, Turn, Notice)
"""Events that are written, as by `run` without `--separate`."""
LEAST_FILES, MOST_FILES = 8, 64
"""Bounds of the number of files in a process's task: enough that its places stay filled, and few enough that a kill
loses some seconds."""
SMALL_PLACES = 32
"""Sessions in a pass of a small model: 64 take as long for each, and 16 took 6 % longer on two cores."""
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


def run_separately(
    given: argparse.Namespace, model: ListeningModel, hearing: Hearing, workers: Workers | None = None
) -> int:
    """Run the command and return the exit code: 2 if a file could not be heard.

    Parameters
    ----------
    given
        Parsed options.
    model
        Loaded model or policy.
    hearing
        How the files are heard.
    workers
        Worker processes that have started already; others are started where they are needed.
    """
    skipped: list[str] = []
    paths = list(dict.fromkeys(expand_paths(given.audio, skipped.append)))
    processes = given.workers or default_workers(model, len(paths))
    if given.places is None:
        hearing = replace(hearing, places=default_places(model))
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
        if processes == 1:
            workers = None
        elif workers is None:
            workers = stack.enter_context(Workers(processes - 1, given_model(given)))
        processes = 1 if workers is None else workers.count + 1
        if _small(model):
            stack.enter_context(many_passes())
        for lines in _heard(model, missing, hearing, workers):
            last = lines[-1]
            _write(out, lines)
            add_line(summary, last)
            if last["error"] is not None:
                failed[last["file"]] = last["error"]
            said = last["error"] or last["text"].replace("\n", " ") or "(silent)"
            bar.write(printable(f"{last['file']}: {said}"), file=screen)
            bar.update()
        summary |= {"failed": len(failed), "elapsed_s": round(perf_counter() - started, 3), "workers": processes}
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
    """Return the number of processes: one a core for a small model and many files, else 1 for this process."""
    return default_processes(files) if _small(model) else 1


def default_places(model: ListeningModel) -> int:
    """Return the number of sessions in a pass: more for a small model, whose contexts take little memory."""
    return SMALL_PLACES if _small(model) else PLACES


def _small(model: ListeningModel) -> bool:
    return isinstance(model, Model) and model.threads is not None


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


def task_sizes(files: int, processes: int) -> Iterator[int]:
    """Yield the number of files of each task, smaller ones towards the end, so that all processes end together."""
    while files > 0:
        size = min(files, max(LEAST_FILES, min(MOST_FILES, -(-files // (3 * processes)))))
        yield size
        files -= size


def _heard(
    model: ListeningModel, paths: Sequence[Path], hearing: Hearing, workers: Workers | None
) -> Iterator[list[Line]]:
    """Hear files in this process and in others, and yield the lines of each as its task ends, in the order of tasks.

    A task is the same, and therefore its passes, whichever process takes it.
    """
    if workers is None:
        yield from hearing.lines(model, paths)
        return
    coming, running = iter(paths), deque[Future[list[list[Line]]]]()
    tasks = (list(islice(coming, size)) for size in task_sizes(len(paths), workers.count + 1))

    def supplied() -> None:
        """Give tasks to the other processes: one to hear, and one to begin without a pause."""
        while sum(not task.done() for task in given) < 2 * workers.count and (files := next(tasks, None)):
            given.append(workers.hear(hearing, files))
            running.append(given[-1])

    def ended() -> Iterator[list[Line]]:
        while running and running[0].done():
            yield from running.popleft().result()

    given = deque[Future[list[list[Line]]]](maxlen=2 * workers.count)
    try:
        while True:
            supplied()
            if files := next(tasks, None):
                own, heard = Future[list[list[Line]]](), list[list[Line]]()
                running.append(own)
                for lines in hearing.lines(model, files):
                    heard.append(lines)
                    supplied()
                    yield from ended()
                own.set_result(heard)
            elif running:
                yield from running.popleft().result()
            else:
                return
    except BrokenProcessPool as error:
        raise ChildError(
            "A worker process ended without a result, perhaps for lack of memory; --workers 1 needs none, and --resume "
            "keeps the files that are done."
        ) from error
