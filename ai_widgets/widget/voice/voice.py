"""`Voice`: pass complete replies to a function of text-to-speech, and its sound to the page that listens.

The function runs on a thread of its own, so that chunks are decided meanwhile. Its sound is sent in parts below the
limit of a message. Each spoken reply is a notice in the record, and so is each one that could not be spoken.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, Protocol

import numpy.typing as npt

from ...audio.intake import Array, check_rate, mono, repair
from ...errors import AiWidgetsError, AudioError, SessionError
from ...process_exit import stop_at_exit
from ...protocol import Turn
from ...record.record import SessionRecord
from ..stages.stage import CLOSE_SECONDS, Stage
from ..wire import outgoing
from ..wire.failures import details, forget_frames
from ..wire.limits import MAX_RANGE_BYTES

logger = logging.getLogger(__name__)

MAX_SPOKEN_SECONDS = 120.0
"""Seconds of sound of one reply: longer than any reply takes to say, and a bound on what a page holds."""
LOWEST_RATE, HIGHEST_RATE = 8_000, 96_000
"""Range of sample rates, in Hz, that every browser plays (`AudioContext.createBuffer`)."""
MAX_UNSPOKEN = 8
"""Replies queued for the function: those that wait longer would be spoken long after they were said."""

Speak = Callable[[str, Turn], tuple[npt.ArrayLike, int] | None]
"""Function of text-to-speech: the text of a reply, and its event, to samples and their rate in Hz."""


class Listening(Protocol):
    """What the voice needs of the pipeline whose replies it speaks."""

    opened: SessionRecord | None

    @property
    def record(self) -> SessionRecord:
        """The record that is shown."""

    def note(self, kind: str, message: str, **data: object) -> None:
        """Queue a notice, recorded at its place in the audio."""


class Voice:
    """Text-to-speech of the replies of a widget.

    Parameters
    ----------
    pipeline
        The pipeline that decides.
    put
        Sends a message with its buffers to the pages.
    problem
        Shows a problem: code, sentence, page, detail.
    recording
        Returns the name of the page that records, or an empty text.
    """

    def __init__(
        self,
        pipeline: Listening,
        put: Callable[[dict[str, Any], Sequence[bytes]], None],
        problem: Callable[[str, str, str, str], None],
        recording: Callable[[], str],
    ) -> None:
        self._pipeline, self._put, self._problem, self._recording = pipeline, put, problem, recording
        self._speak: Speak | None = None
        self._stage: Stage[tuple[SessionRecord, Turn]] = Stage("ai_widgets voice", self._say)
        self._lock = RLock()
        self._record: SessionRecord | None = None
        self._seen = 0
        self._page, self._binary = "", False
        stop_at_exit(self)

    def use(self, speak: Speak | None) -> None:
        """Speak the replies from now on with `speak`; None: no longer."""
        with self._lock:
            self._record = None
            self._speak = speak
        self.look()

    def page_came(self, page: str, binary: bool) -> None:
        """Remember the newest page, which plays the sound unless another one records."""
        self._page, self._binary = page, binary

    def look(self) -> None:
        """Queue the replies that the session has completed since the last look."""
        if self._speak is None:
            return
        with self._lock:
            record = self._pipeline.record
            if self._pipeline.opened is not None:
                # Another record is shown; the replies of the session meanwhile are not spoken later.
                self._record = None
                return
            if record is not self._record:
                self._record, self._seen = record, len(record)
                return
            events = record.since(self._seen)
            self._seen += len(events)
        for turn in events:
            if isinstance(turn, Turn) and turn.text.strip():
                self._queue(record, turn)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the queued replies are spoken, or of a stopped voice until its thread has ended."""
        self._stage.join(timeout)
        self._stage.end(0.0 if timeout is None else timeout)

    def stop(self) -> None:
        """Discard the queued replies, and accept no more."""
        self._speak = None
        self._stage.stop()

    def close(self) -> None:
        """Stop, and wait for the reply in progress."""
        self.stop()
        self._stage.end(CLOSE_SECONDS)

    def _queue(self, record: SessionRecord, turn: Turn) -> None:
        if len(self._stage) >= MAX_UNSPOKEN:
            self._note(
                "voice_failed",
                f"Reply {turn.turn} was not spoken: {MAX_UNSPOKEN} replies already wait for on_reply's function.",
                turn,
            )
        else:
            self._stage.put((record, turn))

    def _say(self, item: tuple[SessionRecord, Turn]) -> None:
        record, turn = item
        speak = self._speak
        # The reply of a session that was reset meanwhile is not said into the next one, nor after the end.
        if speak is None or record is not self._record:
            return
        try:
            spoken = _checked(speak(turn.text, turn))
        except Exception as error:  # noqa: BLE001 - any exception of the user's function is shown, and ends nothing
            sentence = f"Reply {turn.turn} was not spoken. {_sentence(error)}"
            self._note("voice_failed", sentence, turn)
            self._problem("voice", sentence, "", details(error))
            forget_frames(error)
            return
        if spoken is None or self._speak is None or record is not self._record:
            return
        samples, rate = spoken
        seconds = len(samples) / rate
        page = self._recording() or self._page
        for message, buffers in outgoing.voice(turn.turn, page, samples, rate, MAX_RANGE_BYTES, self._binary):
            self._put(message, buffers)
        self._note("voice", f"Reply {turn.turn} is spoken: {seconds:.1f} s of sound.", turn, seconds=round(seconds, 3))

    def _note(self, kind: str, sentence: str, turn: Turn, **data: object) -> None:
        try:
            self._pipeline.note(kind, sentence, turn=turn.turn, **data)
        except SessionError:
            # The widget was closed while the function ran: its record has ended.
            logger.info("%s: %s", kind, sentence)


def _checked(spoken: object) -> tuple[Array, int] | None:
    """Return the samples and rate that the function returned; None where it has nothing to say.

    Raises
    ------
    AudioError
        It returned something else, or more than `MAX_SPOKEN_SECONDS`.
    """
    if spoken is None:
        return None
    if not (isinstance(spoken, (tuple, list)) and len(spoken) == 2):
        raise AudioError(f"The function of on_reply must return (samples, rate) or None, not {type(spoken).__name__}.")
    samples, rate = repair(mono(spoken[0]))[0], check_rate(spoken[1])
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"The function of on_reply returned sound at {rate} Hz; browsers play {LOWEST_RATE} to {HIGHEST_RATE} Hz."
        )
    if len(samples) > MAX_SPOKEN_SECONDS * rate:
        raise AudioError(
            f"The function of on_reply returned {len(samples) / rate:.0f} s of sound; at most "
            f"{MAX_SPOKEN_SECONDS:.0f} s are played."
        )
    return (samples, rate) if len(samples) else None


def _sentence(error: Exception) -> str:
    if isinstance(error, AiWidgetsError):
        return str(error)
    return f"The function of on_reply raised {type(error).__name__}: {error}"
