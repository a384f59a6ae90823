"""`Place`: one learner's session among those of the class, as messages in and events out.

A place knows neither sockets nor threads. The connection puts checked messages into it; the driver takes them, decides,
and says what is new; the connection reads events by index, as the widget's outbox does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import ceil
from time import monotonic, perf_counter
from typing import Any

from ..audio.intake import MIN_RATE
from ..errors import AiWidgetsError, MessageError, SessionError, SettingError
from ..protocol import CHUNK_SECONDS, Chunk, Decision, Notice, Token
from ..record.record import SessionRecord
from ..session.heading import heading
from ..session.listening import ListeningModel
from ..session.pasts import Kept
from ..session.resumed import Past, resumed
from ..session.session import StreamingSession
from ..settings import Settings
from ..widget.remote.past import MAX_PAST_CHUNKS
from ..widget.wire import messages, outgoing
from ..widget.wire.failures import describe
from ..widget.wire.token_table import UNKNOWN, vocabulary
from .incoming import GivenEnd, GivenPast, Incoming
from .limits import AHEAD_SECONDS, BURST_SECONDS, FASTER, MAX_ANSWERS, MAX_EVENTS, MESSAGE_SECONDS, PAST_SHARE

TAKEN = (
    *(messages.Open, messages.Block, messages.Close, messages.Set, messages.Interrupt, messages.Reset),
    *(GivenPast, GivenEnd),
)
"""Messages that a class server takes after the hello; the others concern files, saving and branches, which are the
client's own."""
NAMES = "open, block, close, set, interrupt, reset, past, resume"
"""Their types."""
CODES: Mapping[type, str] = {messages.Set: "setting", GivenEnd: "resume"}
"""Code of the problem that answers a message whose content is refused."""
PROGRESS = 1e-6
"""Tolerance in chunks: a resampled length may miss a whole number of chunks by rounding."""


class Pace:
    """Limit of the audio that is read from one client: a burst, then `FASTER` times real time."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._at, self._ahead = clock(), 0.0

    def take(self, seconds: float) -> float:
        """Count seconds of audio, and return the seconds until more may be read."""
        now = self._clock()
        self._ahead = max(0.0, self._ahead - (now - self._at) * FASTER) + seconds
        self._at = now
        return max(0.0, (self._ahead - BURST_SECONDS) / FASTER)


class Place:
    """One session of one learner.

    Parameters
    ----------
    model
        Model of the class.
    learner, page
        Name of the learner, and the random text by which the client is known when it comes again.

    Attributes
    ----------
    shown
        Number of the session, counted up by `reset`, and its record: events only, since sound is not kept.
    settings, session
        Settings in effect, and the session; None before its first block.
    latencies
        Seconds from the arrival of a chunk's last sample to its decision, of the decisions since they were taken out.
    decided, drawn
        Numbers of decisions and of reply tokens so far.
    changed
        Called when there is something to send, or room to read; set by the connection.
    gone_at
        Time at which the connection was lost, or None while it is there.
    """

    def __init__(self, model: ListeningModel, learner: str, page: str) -> None:
        self.model, self.learner, self.page = model, learner, page
        # One value, since the connection reads both on another thread.
        self.shown = 1, SessionRecord(0, max_events=MAX_EVENTS)
        self.settings = Settings()
        self.session: StreamingSession | None = None
        self.pace = Pace()
        self.latencies: deque[float] = deque(maxlen=10_000)
        self.decided = self.drawn = 0
        self.changed: Callable[[], None] = _nothing
        self.gone_at: float | None = None
        self.pending = False
        self._inbox: deque[Incoming] = deque()
        self._answers: deque[dict[str, Any]] = deque(maxlen=MAX_ANSWERS)
        self._stream: messages.Open | None = None
        self._expected = 0
        self._arrived: deque[tuple[float, float]] = deque()
        # Seconds of audio: given by the connection, taken and put into the session by the driver.
        self._given_s = self._taken_s = self._heard_s = 0.0
        self._looked = self._chunks = 0
        # Chunks of a past: counted as given by the connection, and collected by the driver.
        self._past_given = 0
        self._past: list[Kept] = []

    # Called by the connection ----------------------------------------------------------------------------------------

    def put(self, message: Incoming) -> float:
        """Queue a checked message, and return the seconds until the next one may be read.

        Raises
        ------
        MessageError
            If a class server does not take messages of this kind.
        """
        if not isinstance(message, TAKEN):
            kind = type(message).__name__.lower()
            raise MessageError(f"A class server does not take {kind} messages; it takes {NAMES}.")
        seconds = MESSAGE_SECONDS
        if isinstance(message, messages.Block):
            seconds += _seconds(message)
            self._given_s += _seconds(message)
        elif isinstance(message, GivenPast):
            self._past_given += len(message.chunks)
            seconds += len(message.chunks) * CHUNK_SECONDS * PAST_SHARE
            if self._past_given > MAX_PAST_CHUNKS:
                raise MessageError(f"A past has at most {MAX_PAST_CHUNKS} chunks.")
        elif isinstance(message, GivenEnd):
            self._past_given = 0
        elif isinstance(message, messages.Interrupt) and self.session is not None:
            # At once, and not after the audio that is queued.
            self.session.interrupt()
        self._inbox.append(message)
        return self.pace.take(seconds)

    @property
    def number(self) -> int:
        """Number of the session."""
        return self.shown[0]

    @property
    def record(self) -> SessionRecord:
        """Events of the session."""
        return self.shown[1]

    @property
    def full(self) -> bool:
        """Whether the undecided audio has reached the bound at which reading is suspended."""
        return self._given_s - self._taken_s + self.waiting * CHUNK_SECONDS >= AHEAD_SECONDS

    @property
    def waiting(self) -> int:
        """Chunks that have arrived in the session and are not decided."""
        return max(0, int(self._heard_s / CHUNK_SECONDS + PROGRESS) - self._chunks)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or pending."""
        return not self._inbox and not self.pending

    def answers(self) -> list[dict[str, Any]]:
        """Take out the queued answers."""
        taken = []
        while self._answers:
            taken.append(self._answers.popleft())
        return taken

    def answer(self, message: dict[str, Any]) -> None:
        """Queue an answer."""
        self._answers.append(message)

    def describe(self) -> dict[str, Any]:
        """Return what a client needs to know of the model: the fields of the message `model`.

        Its `detail` is a mapping: the `text` for people, and the `header` of a record.
        """
        language = self.model.language
        header = heading(self.model, self.settings).to_json()
        return {
            "status": "ready",
            "kind": "policy" if language is None else "model",
            "name": self.model.name,
            "detail": {
                "text": self.model.detail,
                "header": {name: header[name] for name in ("model", "framing", "versions")},
            },
            **(UNKNOWN if language is None else vocabulary(language, self.settings)),
        }

    # Called by the driver --------------------------------------------------------------------------------------------

    def take(self) -> None:
        """Carry out the queued messages: nothing is decided by it. What is wrong with one is answered."""
        while self._inbox:
            message = self._inbox.popleft()
            try:
                self._carry_out(message)
            except AiWidgetsError as error:
                request = message.request if isinstance(message, messages.Set) else 0
                names = error.names if isinstance(error, SettingError) else ()
                code = CODES.get(type(message), "message")
                self.answer(outgoing.problem(code, str(error), page=self.page, names=names, request=request))

    def look(self) -> None:
        """Count what the last round decided."""
        now = perf_counter()
        for event in self.record.since(self._looked):
            self._looked += 1
            if isinstance(event, Chunk):
                self._chunks = event.chunk + 1
            elif isinstance(event, Token):
                self.drawn += 1
            elif isinstance(event, Decision):
                self.decided += 1
                arrived = self._arrival(event.chunk)
                if arrived is not None:
                    self.latencies.append(now - arrived)

    def failed(self, error: Exception) -> None:
        """Tell the learner what failed; the session goes on with the next chunk."""
        self.answer(outgoing.problem("model", describe(error), page=self.page))

    def close(self) -> None:
        """End the session and free its context."""
        if self.session is not None:
            self.session.close()
        self.session, self.pending = None, False

    def _carry_out(self, message: Incoming) -> None:
        match message:
            case messages.Open():
                self._stream, self._expected = message, 0
            case messages.Block():
                self._taken_s += _seconds(message)
                self._block(message)
            case messages.Close():
                self._end(message)
            case messages.Set():
                self._set(message.changes)
            case messages.Reset():
                self._reset()
            case GivenPast():
                self._past += message.chunks
            case GivenEnd():
                self._go_on(message)

    def _block(self, block: messages.Block) -> None:
        if self._stream is None or block.stream != self._stream.stream:
            raise MessageError(f"Block {block.seq} belongs to stream {block.stream}, which is not open.")
        if block.seq < self._expected:
            # A client that comes again sends the block anew that may have been lost with the connection.
            return
        if block.seq > self._expected:
            lost = block.seq - self._expected
            sentence = f"{lost} blocks of audio were lost in transit."
            self.record.append(Notice(max(0, self._chunks - 1), "lost_blocks", sentence, {"blocks": lost}))
        self._expected = block.seq + 1
        if self.session is None:
            self.session = StreamingSession(self.model, self.settings, self.record)
        self.session.put(block.samples, block.rate)
        self._heard_s += _seconds(block)
        self._arrived.append((self._heard_s, perf_counter()))
        self.pending = True

    def _end(self, message: messages.Close) -> None:
        stream = self._stream
        if stream is None or message.stream != stream.stream:
            raise MessageError(f"Stream {message.stream} is not open.")
        self._stream = None
        if self.session is not None:
            self.session.put_end(stream.tail_s)
            chunks = ceil(self._heard_s / CHUNK_SECONDS - 1e-4) + ceil(stream.tail_s / CHUNK_SECONDS - 1e-9)
            self._heard_s = chunks * CHUNK_SECONDS
            self.pending = True

    def _set(self, changes: Mapping[str, Any]) -> None:
        chosen = self.settings.changed(**changes)
        heading(self.model, chosen)
        if self.session is not None:
            self.session.put_change(**changes)
        self.settings = chosen
        self.answer(outgoing.model_status(self.describe()))

    def _go_on(self, end: GivenEnd) -> None:
        """Begin the session of a client that had it on another server: its context is fed in the next rounds."""
        chunks, self._past = tuple(self._past), []
        if self.session is not None:
            raise SessionError("A past is given before the first audio of a session.")
        past = Past(chunks, end.draws, (end.samples, end.maximum), end.begun)
        self.session = resumed(self.model, self.settings, past, self.record)
        self._heard_s, self._chunks = len(chunks) * CHUNK_SECONDS, len(chunks)
        self.pending = True
        self.answer(outgoing.model_status(self.describe()))

    def _reset(self) -> None:
        self.close()
        self._past = []
        self.shown = self.number + 1, SessionRecord(0, max_events=MAX_EVENTS)
        self._stream, self._expected = None, 0
        self._heard_s, self._looked, self._chunks = 0.0, 0, 0
        self._arrived.clear()
        self.answer(outgoing.reset(self.number))

    def _arrival(self, chunk: int) -> float | None:
        """Return when the last sample of a chunk arrived, or None for silence after a recording."""
        end = (chunk + 1) * CHUNK_SECONDS - PROGRESS
        while self._arrived and self._arrived[0][0] < end:
            self._arrived.popleft()
        return self._arrived[0][1] if self._arrived else None


def _seconds(block: messages.Block) -> float:
    return len(block.samples) / max(block.rate, MIN_RATE)


def _nothing() -> None:
    pass
