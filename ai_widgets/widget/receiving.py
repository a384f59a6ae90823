"""Receive audio from the browser: streams that open and close, and their blocks in order.

Over all pages, one stream is open at a time. Blocks are passed to the pipeline. Lost, duplicate and delayed blocks, and
blocks of no open stream, become notices or problems, never an exception in the thread that delivers messages.
"""

from __future__ import annotations

from threading import get_ident
from time import monotonic
from typing import Literal

from ..audio.intake import Array
from ..audio.origin import Origin
from ..errors import MessageError, SessionError
from ..protocol import CHUNK_SECONDS
from .pipeline import Pipeline
from .stages.events import PipelineEvents
from .wire.budget import Budget
from .wire.gap_detection import CaptureClock, Clocks
from .wire.messages import Block, Close, MicState, Open
from .wire.outgoing import now_ms

STALE_SECONDS = 5.0
"""Timeout in seconds after which a stream without blocks is quiet: its page may be closed, and another may record."""
MOST_NOTICES = 1000
"""Notices on streams and faulty blocks before their rate is limited: a broken sender must not fill the record."""
NOTICE_SECONDS = 10.0
"""Least seconds between two notices afterwards, each with the count of dropped ones, in sessions of days too."""

HINDRANCES = {
    "interrupted": "the operating system suspended the audio of this page, as it does during a call",
    "muted_by_system": "the device or the system had muted the microphone",
}
"""Causes of missing sound in words, by the code that the page sends."""

PIECE_SECONDS = 10 * CHUNK_SECONDS
"""Seconds of a piece in which an array is fed: the stages copy a piece, so a long array must not be one."""


class Stream:
    """The open recording; `expected` is the number of its next block."""

    def __init__(self, message: Open) -> None:
        self.opening = message
        self.number = message.stream
        self.expected = 0
        self.noted = False
        self.last = monotonic()
        self.thread = get_ident()
        self.clocks = Clocks()
        self.capture = CaptureClock()
        self.missed_s = 0.0
        self.told_quiet = False
        # The user's pause: in progress, or over; the clocks of the next block then give its length.
        self.pause: Literal["", "lasts", "over"] = ""
        self.paused_at = 0.0
        # The page's code of the last interruption of the microphone since the last block; empty for none.
        self.hindered = ""


def _occupied(opening: Open) -> str:
    """Return the sentence on why audio from Python is refused, and what to do."""
    name = f" {opening.name}" if opening.name else ""
    return (
        f"A page records the microphone{name} into this widget (stream {opening.stream}); stop the recording in that "
        "page before you feed audio. If the page no longer exists, make a new widget."
    )


class Receiver:
    """The receiver of audio from all pages and from Python.

    Parameters
    ----------
    pipeline
        Pipeline that the audio is passed to.
    events
        Told of the problems of a page.

    Attributes
    ----------
    stream
        The open stream of a page, or None.
    """

    def __init__(self, pipeline: Pipeline, events: PipelineEvents) -> None:
        self._pipeline, self._events = pipeline, events
        self.stream: Stream | None = None
        self._mic = MicState("idle", "", "")
        self._fed = False
        self._budget = Budget(MOST_NOTICES, NOTICE_SECONDS)
        self._left_out = 0

    @property
    def page(self) -> str:
        """Name of the page whose stream is open; empty if there is none."""
        return "" if self.stream is None else self.stream.opening.page

    @property
    def quiet(self) -> bool:
        """Whether a microphone's stream is open and no block has arrived for `STALE_SECONDS`."""
        stream = self.stream
        return stream is not None and monotonic() - stream.last >= STALE_SECONDS

    def look(self) -> None:
        """Record a notice that a stream has become quiet, where no pause and no problem explains it."""
        stream = self.stream
        if stream is None or not self.quiet or stream.told_quiet:
            return
        stream.told_quiet = True
        if stream.noted and not stream.pause and not stream.hindered:
            sentence = f"No audio has arrived from the page for {STALE_SECONDS:.0f} s; it may be closed, suspended"
            self._note("stalled", f"{sentence} or offline.")

    def begin_session(self) -> None:
        """Continue the open stream in a new session, with a notice of the stream there too."""
        self._budget = Budget(MOST_NOTICES, NOTICE_SECONDS)
        self._left_out = 0
        self._fed = False
        if self.stream is not None:
            self.stream.noted = False

    def open(self, message: Open) -> None:
        """Open a stream, unless another page records."""
        if self.make_way(message.page):
            self.stream = Stream(message)

    def make_way(self, page: str) -> bool:
        """End earlier audio. Return False, after a problem to the page, where another page records."""
        stream = self.stream
        if stream is not None:
            if page != stream.opening.page and self._lives(stream):
                sentence = "Another page records into this widget; stop that recording first, or wait for its end."
                self._events.problem("busy_elsewhere", sentence, page)
                return False
            # A reloaded page counts from 1 again, so any stream number is accepted.
            self._end(stream, "The previous recording was not closed; it ends here.", "replaced", 0.0)
        self._end_fed("A page begins to send audio, so the audio fed from Python ends here.")
        return True

    def claim(self, *, apart: bool = False) -> None:
        """Ensure that audio from Python is not mixed with a page's; `apart` ends audio that Python fed before.

        Raises
        ------
        SessionError
            Where a page's stream is open.
        """
        stream = self.stream
        if stream is not None:
            # On this thread no message is received while the cell runs, so an old block does not mean a closed page.
            if stream.thread == get_ident() or self._lives(stream):
                raise SessionError(_occupied(stream.opening))
            self._end(stream, "The previous recording was not closed; it ends here.", "replaced", 0.0)
        if apart:
            self._end_fed("Another recording begins, so the audio fed before it ends here.")

    def feed(self, samples: Array, rate: int, *, end: bool, tail_s: float) -> None:
        """Queue audio from Python: the calls form one stream until one of them ends it.

        Parameters
        ----------
        samples, rate
            Mono float32 audio and its rate; may be empty.
        end, tail_s
            Whether the stream ends here, and the seconds of silence that follow.

        Raises
        ------
        SessionError
            Where a page's stream is open.
        """
        self.claim()
        feeder, length = self._pipeline.feeder(), round(PIECE_SECONDS * rate)
        # Views of the array: as one piece, the stages would hold several copies of a long recording.
        for start in range(0, len(samples), length):
            feeder.push(samples[start : start + length], rate)
            self._fed = True
        if end:
            feeder.end(tail_s)
            self._fed = False

    def _end_fed(self, sentence: str) -> None:
        """End the audio fed from Python, if any is open."""
        if self._fed:
            self._fed = False
            self._note("stream_ended", sentence, reason="replaced")
            self._pipeline.end_stream(0.0)

    def block(self, block: Block) -> None:
        """Receive a block: check its order and clocks, and pass it to the pipeline."""
        stream = self.stream
        if stream is not None and block.page != stream.opening.page and block.page:
            # That page was refused when it opened its stream; these blocks were in transit then.
            return
        if stream is None or block.stream != stream.number:
            raise MessageError(f"Block {block.seq} belongs to stream {block.stream}, which is not open.")
        stream.last, stream.told_quiet, stream.thread = monotonic(), False, get_ident()
        if block.seq < stream.expected:
            self._note("duplicate_block", f"Block {block.seq} arrived twice; the second copy was dropped.")
            return
        if not stream.noted:
            self._note_stream(stream)
        if block.seq > stream.expected:
            lost = block.seq - stream.expected
            self._note("lost_blocks", f"{lost} blocks of audio were lost in transit.", blocks=lost)
            stream.clocks.forget()
        stream.expected = block.seq + 1
        self._watch_clocks(stream, block)
        origin = Origin(block.stream, block.seq, microphone=True, age_s=stream.capture.age_s(block, now_ms()))
        self._pipeline.push(block.samples, block.rate, origin, gated=block.gated)

    def state(self, mic: MicState) -> None:
        """Note the state of the page's microphone: a pause or an interruption explains missing sound."""
        before, self._mic = self._mic, mic
        stream = self.stream
        if stream is None:
            return
        if (mic.state == "paused") != (before.state == "paused"):
            stream.pause = "lasts" if mic.state == "paused" else "over"
            if stream.pause == "lasts":
                stream.paused_at = monotonic()
        if mic.problem == before.problem:
            return
        if mic.problem:
            stream.hindered = mic.problem
        if stream.noted and mic.state != "error":
            sentence = mic.message if mic.problem else "The microphone delivers sound again."
            self._note("microphone", sentence, problem=mic.problem)

    def close(self, message: Close) -> None:
        """Close the stream, with notices of lost blocks and of an early end."""
        stream = self.stream
        if stream is not None and message.page != stream.opening.page and message.page:
            return
        if stream is None and message.reason == "view_removed":
            # A closing page sends this twice, since the first may be lost: at once, and when it is loaded again.
            return
        if stream is None or message.stream != stream.number:
            raise MessageError(f"Stream {message.stream} is not open.")
        lost = message.blocks - stream.expected
        if lost > 0:
            if not stream.noted:
                self._note_stream(stream)
            self._note("lost_blocks", f"{lost} blocks of audio were lost at the end of the recording.", blocks=lost)
        early = message.reason not in ("stopped", "ended")
        sentence = f"The recording ended early ({message.reason})." if early else ""
        self._end(stream, sentence, message.reason, stream.opening.tail_s)

    def _end(self, stream: Stream, sentence: str, reason: str, tail_s: float) -> None:
        self.stream = None
        if not stream.noted and not stream.expected:
            # Without any audio, an opened stream leaves no trace in the record.
            return
        if stream.pause == "lasts":
            self._note_pause(monotonic() - stream.paused_at)
        if sentence:
            self._note("stream_ended", sentence, reason=reason)
        self._pipeline.end_stream(tail_s)

    def _lives(self, stream: Stream) -> bool:
        """Return whether more blocks may arrive."""
        return monotonic() - stream.last < STALE_SECONDS

    def _watch_clocks(self, stream: Stream, block: Block) -> None:
        leap = stream.clocks.leap(block)
        if leap and stream.pause:
            self._note_pause(leap)
        elif leap:
            stream.missed_s += leap
            sentence = "s of sound may be missing: this page was too busy to record it."
            data: dict[str, object] = {"seconds": round(leap, 3)}
            if stream.hindered:
                sentence = f"s of sound are missing: {HINDRANCES.get(stream.hindered, 'the microphone was cut off')}."
                data["why"] = stream.hindered
            self._note("gap", f"{leap:.1f} {sentence}", **data)
            code = "suspended" if stream.hindered else "gap"
            self._events.problem(code, f"{stream.missed_s:.1f} {sentence}", stream.opening.page)
        if stream.pause == "over":
            stream.pause = ""
        if not self._mic.problem:
            stream.hindered = ""

    def _note_pause(self, seconds: float) -> None:
        sentence = f"The microphone was paused for {seconds:.1f} s; no audio of this time was recorded."
        self._note("paused", sentence, why="person", seconds=round(seconds, 3))

    def _note_stream(self, stream: Stream) -> None:
        """Record the notice of a stream, at its first block: an opening without audio leaves no trace."""
        stream.noted = True
        opening = stream.opening
        what = f"the microphone {opening.name}"
        self._note(
            "stream",
            f"Audio of {what.rstrip()} at {opening.rate} Hz begins.",
            stream=opening.stream,
            source=opening.source,
            name=opening.name,
            rate=opening.rate,
            track=dict(opening.track),
        )

    def _note(self, kind: str, message: str, **data: object) -> None:
        if not self._budget.spend():
            self._left_out += 1
            return
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            sentence = f"{left_out:,} earlier notices on faulty audio were dropped, because their rate was too high."
            self._pipeline.note("notices_dropped", sentence, notices=left_out)
        self._pipeline.note(kind, message, **data)
