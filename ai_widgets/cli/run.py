"""``ai-widgets run``: run files through a checkpoint, print a transcript, and write events as JSON lines."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from ..audio.files import LONGEST_S
from ..audio.folders import check_files, expand_paths
from ..errors import AiWidgetsError, AudioError, SettingError, printable
from ..inference import load_model
from ..policies import named
from ..protocol import Chunk, Decision, Event, Notice, Timing, Token, Turn
from ..record.html import check_folder
from ..session.answer_files import answer_files
from ..session.listening import ListeningModel
from ..session.session import StreamingSession
from ..session.together import PLACES
from ..settings import Settings
from .engine_page import check_engine, check_model, write_page
from .run_separately import Hearing, run_separately
from .saving import recording
from .screen import Transcript
from .setting_options import chosen
from .terminal import json_line, output_or_nowhere
from .worker_processes import Workers, given_model

MAX_TAIL_S = 600.0
"""Seconds of silence after a file at most: far longer than any reply needs, so more is a mistake."""
WRITTEN = (Decision, Token, Turn, Notice)
"""Events that `--json` writes; levels and timings of chunks are left out, since they differ between machines."""


def run_files(given: argparse.Namespace, workers: Workers | None = None) -> int:
    """Run ``ai-widgets run`` with parsed options and return the exit code.

    Parameters
    ----------
    given
        Parsed options.
    workers
        Worker processes that were started for them (`workers_early`).

    Raises
    ------
    AiWidgetsError
        Where an option, a file or the checkpoint cannot be used.
    """
    if not 0 <= given.tail_silence <= MAX_TAIL_S:
        raise SettingError(f"--tail-silence must be from 0 to {MAX_TAIL_S:g} seconds, not {given.tail_silence}.")
    settings = chosen(given, Settings)
    longest_s = _longest(given.longest)
    if given.engine:
        check_engine(given)
    if given.separate or given.ray is not None:
        hearing = Hearing(settings, given.floor, given.tail_silence, longest_s, given.places or PLACES)
        if given.ray is not None:
            from .run_on_ray import run_on_ray

            return run_on_ray(given, hearing, (listener, given_model(given)))
        return run_separately(given, listener(given), hearing, workers)
    skipped: list[str] = []
    # All files are opened before the model is loaded, so that a bad name is reported at once.
    paths = expand_paths(given.audio, skipped.append)
    seconds = check_files(paths, longest_s)
    if given.html is not None:
        check_folder(given.html)
    with ExitStack() as stack:
        record = stack.enter_context(recording(given.save, audio=given.html is not None, raw=given.raw))
        lines = _open_json(given.json, stack)
        screen = output_or_nowhere(sys.stderr if lines is sys.stdout else sys.stdout)
        model = listener(given)
        if given.engine:
            check_model(model)
        if given.html is not None:
            # Also after an error or Ctrl-C: the page then shows what was heard.
            stack.callback(write_page, record, model, given)
        session = StreamingSession(model, settings, record)
        # Closes the file that the session was reading when an error occurred.
        stack.callback(session.close)
        language = model.language
        line = model.detail if language is None else f"on {language.placement.line}"
        print(f"{printable(model.name)} {line}", file=screen)
        for sentence in skipped:
            print(sentence, file=screen)
        started = perf_counter()
        transcript = Transcript(screen, None if seconds is None else seconds + len(paths) * given.tail_silence)
        told = len(session.record)
        try:
            for event in answer_files(
                session,
                paths,
                floor=given.floor,
                tail_silence=given.tail_silence,
                longest_s=longest_s,
                begin=lambda path: transcript.clip(str(path)),
                progress=transcript.progress,
            ):
                told += 1
                _tell(event, transcript, lines)
        except AiWidgetsError:
            # The record also holds the events of the step that failed.
            for event in session.record.since(told):
                _tell(event, transcript, lines)
            raise
        summary = _summary(session, given.policy or given.checkpoint, len(paths), perf_counter() - started)
        transcript.end(summary)
        if lines is not None:
            lines.write(json_line(summary, lines) + "\n")
    return 0


def listener(given: argparse.Namespace) -> ListeningModel:
    """Return the policy that `--policy` names, or load the checkpoint."""
    if given.policy is None:
        return load_model(given.checkpoint, given.device, given.dtype, given.revision, quantize=given.quantize)
    of_model = {"--revision": given.revision, "--quantize": given.quantize}
    of_model |= {"--device": given.device, "--dtype": given.dtype}
    useless = [option for option, value in of_model.items() if value not in (None, "auto")]
    if useless:
        raise SettingError(f"{', '.join(useless)} cannot be given with --policy: a policy has no weights.")
    return named(given.policy)


def _longest(seconds: float | None) -> float | None:
    """Convert the option `--longest` to the argument of `open_audio`: 0 means no limit, None."""
    if seconds is None:
        return LONGEST_S
    if not seconds >= 0:
        raise SettingError(f"--longest must be a number of seconds, or 0 for no limit, not {seconds}.")
    return seconds or None


def _open_json(path: str | None, stack: ExitStack) -> TextIO | None:
    if path is None:
        return None
    if path == "-":
        if sys.stdout is None:
            raise AudioError("--json - writes to standard output, which is closed; give a file name.")
        return sys.stdout
    try:
        # UTF-8 and \n on every system, so that the file has the same bytes.
        return stack.enter_context(Path(path).open("w", encoding="utf-8", newline="\n"))
    except OSError as error:
        raise AudioError(f"--json cannot write {path}: {error.strerror}.") from error


def _tell(event: Event, transcript: Transcript, lines: TextIO | None) -> None:
    transcript.show(event)
    if lines is not None and isinstance(event, WRITTEN):
        lines.write(json_line(event.to_json(), lines) + "\n")


def _summary(session: StreamingSession, checkpoint: str, clips: int, seconds: float) -> dict[str, Any]:
    record, language = session.record, session.model.language
    decisions, turns = record.of_type(Decision), record.of_type(Turn)
    computed = [t.features_ms + t.tower_ms + t.decide_ms for t in record.of_type(Timing)]
    return {
        "type": "summary",
        "checkpoint": checkpoint,
        "device": None if language is None else str(language.placement.device),
        "dtype": None if language is None else str(language.placement.dtype).removeprefix("torch."),
        "clips": clips,
        "audio_s": round(record.seconds, 3),
        "chunks": len(record.of_type(Chunk)),
        "decisions": len(decisions),
        "replies": len(turns),
        "tokens": sum(len(turn.tokens) for turn in turns),
        "positions": session.position,
        "ended": session.ended,
        "elapsed_s": round(seconds, 3),
        "chunk_ms": round(sum(computed) / len(computed), 3) if computed else None,
        "settings": session.settings.to_json(),
    }
