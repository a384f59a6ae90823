"""Audio from the browser: streams that open and close, blocks in order, and what is to be said where they are not.

One stream is open at a time, whichever page sends it. Audio goes on to the worker; what was lost, came twice or belongs
to nobody is a notice or a problem, and never an exception to whoever delivers messages.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from ..errors import MessageError
from .clocks import Clocks
from .messages import Block, Close, Open
from .work import BlockOf
from .worker import Worker

STALE_SECONDS = 5.0
"""A stream from which nothing has come for so long belongs to a page that is gone."""
MOST_REMARKS = 1000
"""Notices on streams and faulty blocks in one session; a broken sender must not fill the record."""

Report = Callable[[str, str, str], None]
"""Code, sentence, and the page that is told."""


class Stream:
    """The recording that is open; `expected` is the number of its next block."""

    def __init__(self, message: Open) -> None:
        self.opening = message
        self.expected = 0
        self.noted = False
        self.last = monotonic()
        self.clocks = Clocks()
        self.missed_s = 0.0

    @property
    def number(self) -> int:
        return self.opening.stream

    @property
    def mic(self) -> bool:
        return self.opening.source == "mic"


class Receiver:
    """Takes the audio messages of all pages.

    Parameters
    ----------
    worker
        Where audio goes.
    acknowledge
        Called with stream and block once a block was taken up.
    report
        Tells one page of a problem.

    Attributes
    ----------
    stream
        What is open, or None.
    """

    def __init__(self, worker: Worker, acknowledge: Callable[[int, int], None], report: Report) -> None:
        self._worker, self._acknowledge, self._report = worker, acknowledge, report
        self.stream: Stream | None = None
        self._held = False
        self._remarks_left = MOST_REMARKS

    def begin_session(self) -> None:
        """A stream that is open goes on into the new session, and is noted there too."""
        self._remarks_left = MOST_REMARKS
        if self.stream is not None:
            self.stream.noted = False

    def open(self, message: Open) -> None:
        """Begin a stream, unless another page records."""
        stream = self.stream
        if stream is not None:
            if message.page != stream.opening.page and self._lives(stream):
                sentence = "Another page records into this widget; stop it there first, or wait until it has ended."
                self._report("busy_elsewhere", sentence, message.page)
                return
            # A reloaded page counts from 1 again, so any number is taken; the stream before can send no more.
            self._end(stream, "The recording before was never closed; it ends here.", "replaced", 0.0)
        self.stream = Stream(message)

    def block(self, block: Block) -> None:
        """Take a block in its order."""
        stream = self.stream
        if stream is not None and block.page != stream.opening.page and block.page:
            # Its page was told when it wanted to open; what was under way by then is not ours.
            return
        if stream is None or block.stream != stream.number:
            raise MessageError(f"Block {block.seq} belongs to stream {block.stream}, which is not open.")
        stream.last = monotonic()
        if block.seq < stream.expected:
            self._remark("duplicate_block", f"Block {block.seq} came twice; the second was left out.")
            return
        if not stream.noted:
            self._note(stream)
        if block.seq > stream.expected:
            lost = block.seq - stream.expected
            self._remark("lost_blocks", f"{lost} blocks of audio were lost on the way.", blocks=lost)
            stream.clocks.forget()
        stream.expected = block.seq + 1
        self._watch_clocks(stream, block)
        flags: tuple[str, ...] = ("gated",) if block.gated else ()
        # Audio of a file comes as fast as it can be taken, so only a microphone's can be said to have waited.
        if self._worker.speaking and stream.mic:
            flags = (*flags, "waited")
        source = BlockOf(block.stream, block.seq, stream.mic)
        taken = lambda: self._acknowledge(block.stream, block.seq)  # noqa: E731
        self._worker.push(block.samples, block.rate, flags, taken, source)

    def hold(self, held: bool) -> None:
        """The page holds its microphone, or has let it go on: meanwhile time passes and no sound comes."""
        self._held = held
        if self.stream is not None:
            self.stream.clocks.forget()

    def close(self, message: Close) -> None:
        """End the stream."""
        stream = self.stream
        if stream is not None and message.page != stream.opening.page and message.page:
            return
        if stream is None and message.reason == "view_removed":
            # A page that goes says so twice, since the first may not arrive: at once, and when it is loaded again.
            return
        if stream is None or message.stream != stream.number:
            raise MessageError(f"Stream {message.stream} is not open.")
        lost = message.blocks - stream.expected
        if lost > 0:
            if not stream.noted:
                self._note(stream)
            self._remark("lost_blocks", f"{lost} blocks of audio were lost at the end.", blocks=lost)
        early = message.reason not in ("stopped", "ended")
        sentence = f"The recording ended early ({message.reason})." if early else ""
        self._end(stream, sentence, message.reason, stream.opening.tail_s)

    def _end(self, stream: Stream, sentence: str, reason: str, tail_s: float) -> None:
        self.stream = None
        if not stream.noted and not stream.expected:
            # Nothing came of it: it is as if it had never been opened.
            return
        if sentence:
            self._remark("stream_ended", sentence, reason=reason)
        self._worker.end_stream(tail_s)

    def _lives(self, stream: Stream) -> bool:
        """Whether more may come. A file waits for the worker, a microphone for nobody."""
        waits = not stream.mic and self._worker.waiting > 0
        return waits or monotonic() - stream.last < STALE_SECONDS

    def _watch_clocks(self, stream: Stream, block: Block) -> None:
        if self._held or not stream.mic:
            return
        leap = stream.clocks.leap(block)
        if leap:
            stream.missed_s += leap
            sentence = "s of sound may be missing: this page was too busy to record it."
            self._remark("gap", f"{leap:.1f} {sentence}", seconds=round(leap, 3))
            self._report("gap", f"{stream.missed_s:.1f} {sentence}", stream.opening.page)

    def _note(self, stream: Stream) -> None:
        """The notice of a stream: with its first block, so that an opening without audio leaves nothing."""
        stream.noted = True
        opening = stream.opening
        what = f"the file {opening.name}" if opening.source == "file" else f"the microphone {opening.name}"
        self._remark(
            "stream",
            f"Audio of {what.rstrip()} at {opening.rate} Hz begins.",
            stream=opening.stream,
            source=opening.source,
            name=opening.name,
            rate=opening.rate,
            track=dict(opening.track),
        )

    def _remark(self, kind: str, message: str, **data: object) -> None:
        if not self._remarks_left:
            return
        self._remarks_left -= 1
        if not self._remarks_left:
            kind, message, data = "remarks_left_out", "So much is wrong with the audio that no more of it is told.", {}
        self._worker.remark(kind, message, **data)
