"""The pipeline of the widget: blocks → [encode stage] → heard chunks → [decode stage] → events in the record.

With two stages, audio that arrives during a reply is already encoded when the reply ends (the paper's asynchronous
inference). The pipeline uses threads but no comm: it reports changes as `PipelineEvents`, and its owner decides what to
send. torch is imported with the model, on the loading thread, so that a widget is displayed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..audio.intake import Array
from ..audio.origin import Origin
from ..errors import SessionError
from ..model.shared_passes import shared
from ..process_exit import stop_at_exit
from ..record.record import SessionRecord
from ..settings import Settings
from .live_settings import LiveSettings
from .loading import ModelReleasedError, ModelSource
from .stages.admission import PendingNotice
from .stages.decode_stage import ChunkDecoder
from .stages.encode_stage import ChunkEncoder
from .stages.events import PipelineEvents
from .stages.gate import Gate
from .stages.items import Decodable, EndOfStream, Failure, Item, Samples, Wake
from .stages.running_session import RunningSession, Task
from .stages.session_feed import Feeder
from .stages.stage import CLOSE_SECONDS, Stage
from .wire.failures import describe, forget_frames
from .wire.limits import Mode

if TYPE_CHECKING:
    from ..session.session import StreamingSession

AHEAD = 64
"""Encoded chunks (26 s) queued for the decode stage; beyond it the encode stage blocks, and raw audio queues up."""


class Pipeline:
    """A model, its running session, and the two threads that feed audio to it.

    Parameters
    ----------
    source
        Loads the model on a separate thread.
    settings, live
        Settings of the sessions that this pipeline opens, and settings that outlive a session.
    events
        Told of changes.
    record
        Makes the record of a new session.

    Attributes
    ----------
    opened
        Record that is shown in place of the running session's, which stays as it is; or None.
    changing
        Lock held while settings are read, changed and written back; also held by the owner while it displays them.
    """

    def __init__(
        self,
        source: ModelSource,
        settings: Settings,
        live: LiveSettings,
        events: PipelineEvents,
        record: Callable[[], SessionRecord],
    ) -> None:
        self._source, self._events, self._record = source, events, record
        self.settings, self.live = settings, live
        self.opened: SessionRecord | None = None
        self.changing = RLock()
        self._running = RunningSession(record())
        self.gate = Gate(events.loop_changed, self._look_up)
        self._encode: Stage[Item] = Stage("ai_widgets encode", self._encode_item)
        self._decode: Stage[Decodable] = Stage("ai_widgets decode", self._decode_item, AHEAD, events.decoder_idle)
        self._encoder = ChunkEncoder(source.wait, self._is_current, self._decode.put)
        self._decoder = ChunkDecoder(
            self.gate, lambda: self.live, self._is_current, self._open_session, events.events_came
        )
        stop_at_exit(self)

    # Called by its owner ---------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """The record that is shown: the running session's, unless another one is opened."""
        return self._running.record if self.opened is None else self.opened

    @property
    def failure(self) -> Exception | None:
        """Error that ended the running session, or None."""
        return self._running.failure or self._source.failure

    @property
    def speaking(self) -> bool:
        """Whether a reply is being generated."""
        return self._decoder.speaking

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are neither decided nor dropped."""
        return self._running.waiting

    @property
    def prefix(self) -> tuple[int, ...] | None:
        """Token ids at the start of the running session's context; None before the session is open."""
        session = self._running.session
        return None if session is None else session.prefix

    @property
    def counters(self) -> dict[str, Any]:
        """Counts of queued and dropped audio, as in the synced trait."""
        return self._running.counters()

    @property
    def alive(self) -> bool:
        """Whether a thread of the pipeline exists."""
        return self._encode.alive or self._decode.alive

    @property
    def queued(self) -> int:
        """Number of items in both queues."""
        return len(self._encode) + len(self._decode)

    def push(self, samples: Array, rate: int, origin: Origin | None = None, *, gated: bool = False) -> None:
        """Queue mono float32 audio at its native rate, where the policies admit it.

        Parameters
        ----------
        samples, rate
            float32 [n] and their rate in Hz.
        origin
            Where the audio is from; None for Python. Audio from Python is never dropped, since the caller can be
            blocked.
        gated
            Whether the page sent silence in place of the microphone's sound.
        """
        running, origin = self._running, origin or Origin()
        flags: tuple[str, ...] = ()
        if origin.stream and running.failure is None:
            verdict = running.admission.judge(
                samples, rate, origin, self.live, lambda: self.speaking, running.waiting, gated=gated
            )
            for notice in verdict.before:
                self._put((running, notice))
            if verdict.warning:
                self._events.problem("overload", verdict.warning)
            if verdict.interrupts and not running.interrupted:
                running.interrupted = True
                self.interrupt()
            if not verdict.taken:
                self._events.block_taken(origin)
                self._events.events_came(True)
                return
            flags = verdict.flags
        running.arrive(len(samples) / rate, origin)
        self._put((running, Samples(samples, rate, flags, origin)))
        if self.live.overload == "drop_oldest":
            # A paused decode stage drops the oldest queued chunks too.
            self.gate.nudge()

    def end_stream(self, tail_s: float = 0.0) -> None:
        """End a recording: the rest is padded to a chunk and `tail_s` seconds of silence follow."""
        running = self._running
        for notice in running.admission.end():
            self._put((running, notice))
        running.end_recording(tail_s)
        self._put((running, EndOfStream(tail_s)))

    def feeder(self) -> Feeder:
        """Return a feeder of the running session, for audio of files."""
        return Feeder(self._running, self._put, self._is_current)

    def note(self, kind: str, message: str, **data: object) -> None:
        """Queue a notice, recorded at its place in the audio."""
        self._put((self._running, PendingNotice(kind, message, data)))

    def change(self, session: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        """Change settings from the next decided chunk on, where a notice records the change.

        Raises
        ------
        SettingError
            Where a value is not allowed; then no setting is changed.
        """
        with self.changing:
            self._change(session, live)

    def _change(self, session: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        settings, lively = self.settings.changed(**session), self.live.changed(**live)
        model = self._source.loaded
        if model is not None:
            # Settings that the model does not support are refused now, not by the session at its next chunk.
            model.framing(settings)
        news = lively.news(self.live)
        differs = settings != self.settings
        self.settings, self.live = settings, lively
        running = self._running
        if differs:
            running.pending.append(dict(session))
        if news:
            said = ", ".join(f"{name} {value!r}" for name, value in news.items())
            data = {"changed": news, "settings": lively.to_json()}
            running.pending.append(PendingNotice("settings", f"Changed: {said}.", data))
        if differs or news:
            self._wake(running)

    def between_chunks(self, task: Task) -> None:
        """Run `task` with the running session, or None without one, on the decode thread before the next chunk."""
        self._running.pending.append(task)
        self._wake(self._running)

    def set_loop(self, mode: Mode) -> None:
        """Run freely, pause before the next phase, or run one phase for each `step`."""
        before = self.gate.mode
        if not self.gate.set_mode(mode):
            return
        if "run" in (before, mode):
            kind, word = ("resumed", "runs again") if mode == "run" else ("paused", "is paused")
            self._running.pending.append(PendingNotice(kind, f"The loop {word}.", {"why": "loop", "mode": mode}))
            self._wake(self._running)

    def step(self) -> None:
        """Run the next phase; do nothing where no chunk is queued or in progress."""
        self.set_loop("step")
        if self.gate.blocked or self._running.waiting:
            self.gate.grant()

    def interrupt(self) -> None:
        """Interrupt the reply in progress, if there is one."""
        session = self._running.session
        if session is not None:
            session.interrupt()

    def reset(self) -> None:
        """Begin a new session with a new record; queued audio of the old session is dropped."""
        old = self._running
        # The stages discard queued items of the old running.
        self._running, self.opened = RunningSession(self._record()), None
        if old.session is not None:
            old.session.interrupt()
        self.gate.begin_session()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all queued audio is decided. Return False after `timeout` seconds, or where the loop is paused."""
        end = None if timeout is None else perf_counter() + timeout
        for stage in (self._encode, self._decode):
            left = None if end is None else max(0.0, end - perf_counter())
            if not stage.join(left, unless=lambda: self.gate.blocked):
                return False
        return True

    def stop(self) -> None:
        """Interrupt the reply, cancel loading, and refuse new items. Returns at once."""
        self.interrupt()
        self._source.stop()
        self.gate.close()
        self._decode.stop()
        self._encode.stop()

    def join(self, timeout: float) -> None:
        """Wait for both threads of a stopped pipeline to end."""
        end = perf_counter() + timeout
        for stage in (self._decode, self._encode):
            stage.end(max(0.0, end - perf_counter()))

    def close(self) -> None:
        """End both threads and release model and session; the record stays, with a notice of undecided audio."""
        self.stop()
        self.join(CLOSE_SECONDS)
        self._running.end()

    def _is_current(self, running: RunningSession) -> bool:
        return running is self._running

    def _put(self, item: Item) -> None:
        if not self._encode.put(item):
            raise SessionError("This widget is closed; make a new widget to continue.")

    def _wake(self, running: RunningSession) -> None:
        """Wake the decode stage to do its pending work, now or before its next chunk."""
        if self.gate.mode != "run":
            self.gate.nudge()
        if not len(self._decode):
            self._decode.put((running, Wake()), urgent=True)

    def _look_up(self) -> None:
        """Send all events and wake the threads in `wait`, when the loop begins to block at the gate."""
        self._events.events_came(True)
        self._encode.wake()
        self._decode.wake()

    # Encode stage ----------------------------------------------------------------------------------------------------

    def _encode_item(self, item: Item) -> None:
        running, part = item
        if isinstance(part, Samples) and part.origin.stream:
            # Also for discarded blocks, since the sender may wait for the acknowledgement before it sends more.
            self._events.block_taken(part.origin)
        if running is self._running and running.failure is None and not running.deaf:
            try:
                self._encoder.encode(running, part)
            except Exception as error:  # noqa: BLE001 - any exception of a model must reach the user, and end only this session
                # Queued behind the chunks that were perceived before the failure, which are still decided.
                running.deaf = True
                self._decode.put((running, Failure(error)))
        # This item is still in progress, so `idle` is false; an empty queue means that it is the last one.
        self._events.events_came(len(self._encode) == 0)

    # Decode stage ----------------------------------------------------------------------------------------------------

    def _decode_item(self, item: Decodable) -> None:
        running, part = item
        if running is not self._running or running.failure is not None:
            return
        try:
            self._decoder.do_pending(running)
            if isinstance(part, PendingNotice):
                running.note(part)
            elif isinstance(part, Failure):
                self._end_session(running, part.error)
            elif not isinstance(part, Wake):
                self._decoder.decode(running, part)
            self._decoder.do_pending(running)
        except Exception as error:  # noqa: BLE001 - as above
            self._end_session(running, error)
        self._events.events_came(len(self._decode) == 0)

    def _open_session(self, running: RunningSession) -> StreamingSession:
        from ..session.session import StreamingSession

        running.record.note_live(self.live.to_json())
        return StreamingSession(self._source.wait(), self.settings, running.record, shared)

    def _end_session(self, running: RunningSession, error: Exception) -> None:
        """End a session whose model raised: keep the record and report the error. A reset begins a new session."""
        # A stage in progress when the widget was closed finds no model; `RunningSession.end` records the undecided.
        if running is not self._running or running.failure is not None or isinstance(error, ModelReleasedError):
            return
        running.failure = error
        running.note(PendingNotice("error", describe(error), {"error": type(error).__name__}))
        self._events.session_failed(error)
        forget_frames(error)
        running.release()
        self._events.events_came(True)
