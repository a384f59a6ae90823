"""``ai-widgets run``: files in, readable progress on the terminal, events as JSON lines."""

from __future__ import annotations

import argparse
import json
import math
import sys
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from .audio_files import load_audio
from .errors import AiWidgetsError, AudioError, SettingError, printable
from .inference import expand_paths, load_model
from .protocol import CHUNK_SECONDS, Chunk, Decision, Event, Notice, Timing, Token, Turn
from .record import SessionRecord
from .session import StreamingSession
from .settings import Settings
from .transcript import clock

MAX_TAIL_S = 600.0
WRITTEN = (Decision, Token, Turn, Notice)
"""Events that `--json` writes; chunk levels and timings are for the screen."""


def run_files(given: argparse.Namespace) -> int:
    """Carry out ``ai-widgets run`` with parsed options; returns the exit code."""
    if not 0 <= given.tail_silence <= MAX_TAIL_S:
        raise SettingError(f"--tail-silence must lie between 0 and {MAX_TAIL_S:g} seconds, not {given.tail_silence}.")
    settings = Settings(
        greedy=given.greedy,
        temperature=given.temperature,
        top_k=given.top_k,
        top_p=given.top_p,
        bias=given.bias,
        mask=not given.no_mask,
        seed=given.seed,
        system_prompt=given.system_prompt,
        context=given.context,
        context_limit=given.context_limit,
        context_seconds=given.context_seconds,
        max_new_tokens=given.max_new_tokens,
    )
    # All files are read before the model is loaded: a bad name is known at once, and costs nothing.
    paths = expand_paths(given.audio)
    clips = [load_audio(path) for path in paths]
    with ExitStack() as stack:
        lines = _open_json(given.json, stack)
        screen = sys.stderr if lines is sys.stdout else sys.stdout
        model = load_model(given.checkpoint, given.device, given.dtype, given.revision, quantize=given.quantize)
        session = StreamingSession(model.loaded, settings, SessionRecord(audio_seconds=0))
        print(f"{printable(model.loaded.name)} on {model.loaded.placement.line}", file=screen)
        started = perf_counter()
        transcript = _Transcript(screen)
        for path, clip in zip(paths, clips, strict=True):
            transcript.clip(str(path))
            told = len(session.record)
            try:
                for event in session.stream_clip(clip, floor=given.floor, tail_silence=given.tail_silence):
                    told += 1
                    _tell(event, transcript, lines)
            except AiWidgetsError:
                # How the step ended that failed is in the record too.
                for event in session.record.since(told):
                    _tell(event, transcript, lines)
                raise
        summary = _summary(session, given.checkpoint, len(paths), perf_counter() - started)
        transcript.end(summary)
        if lines is not None:
            _write(lines, summary)
    return 0


def _open_json(path: str | None, stack: ExitStack) -> TextIO | None:
    if path is None:
        return None
    if path == "-":
        return sys.stdout
    try:
        return stack.enter_context(Path(path).open("w", encoding="utf-8"))
    except OSError as error:
        raise AudioError(f"--json cannot write {path}: {error.strerror}.") from error


def _tell(event: Event, transcript: _Transcript, lines: TextIO | None) -> None:
    transcript.show(event)
    if lines is not None and isinstance(event, WRITTEN):
        _write(lines, event.to_json())


def _write(lines: TextIO, values: dict[str, Any]) -> None:
    lines.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


def _summary(session: StreamingSession, checkpoint: str, clips: int, seconds: float) -> dict[str, Any]:
    record = session.record
    decisions, turns = record.of_type(Decision), record.of_type(Turn)
    computed = [t.features_ms + t.tower_ms + t.decide_ms for t in record.of_type(Timing)]
    return {
        "type": "summary",
        "checkpoint": checkpoint,
        "device": str(session.model.placement.device),
        "dtype": str(session.model.placement.dtype).removeprefix("torch."),
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


class _Transcript:
    """What a person reads: one line a reply, streaming; one line a notice; a bar of decisions on a terminal."""

    def __init__(self, screen: TextIO) -> None:
        self._screen = screen
        self._live = screen.isatty()
        self._turn: int | None = None
        self._bar = ""

    def clip(self, name: str) -> None:
        self._clear()
        print(f"── {printable(name)}", file=self._screen)

    def show(self, event: Event) -> None:
        if isinstance(event, Decision):
            self._bar = (self._bar + ("▶" if event.choice == "TEXT_BEGIN" else "·"))[-40:]
            if self._live:
                print(f"\r\033[K{clock(event.start_s)} {self._bar}", end="", file=self._screen, flush=True)
        elif isinstance(event, Token):
            if self._turn != event.turn:
                self._clear()
                print(f"{clock((event.chunk + 1) * CHUNK_SECONDS)}  ", end="", file=self._screen)
                self._turn = event.turn
            # Model text may hold control characters; a terminal must not act on them.
            print(printable(event.text), end="", file=self._screen, flush=self._live)
        elif isinstance(event, Turn):
            if not event.tokens:
                self._clear()
                print(f"{clock((event.chunk + 1) * CHUNK_SECONDS)}  (empty reply)", end="", file=self._screen)
            mark = "" if event.emotion is None else f"  [{event.emotion.value}]"
            print(mark if event.ended == "TEXT_END" else f"{mark} ({event.ended})", file=self._screen)
        elif isinstance(event, Notice):
            self._clear()
            print(f"{clock(event.chunk * CHUNK_SECONDS)}  ! {printable(event.message)}", file=self._screen)

    def end(self, summary: dict[str, Any]) -> None:
        self._clear()
        speed = summary["audio_s"] / summary["elapsed_s"] if summary["elapsed_s"] else math.inf
        print(
            f"{summary['audio_s']:.1f} s heard, {summary['decisions']} decisions, {summary['replies']} replies, "
            f"{speed:.0f}× real time",
            file=self._screen,
        )

    def _clear(self) -> None:
        if self._live and self._bar:
            print("\r\033[K", end="", file=self._screen)
