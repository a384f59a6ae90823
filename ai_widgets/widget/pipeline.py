"""The pipeline behind the widget: blocks → [encode stage] → heard chunks → [decode stage] → events in the record.

Two stages, so that audio which arrives while the model speaks is encoded already when its turn comes (the paper's
asynchronous inference). The worker knows threads but no comm: it tells its owner that something changed, and the owner
decides what to send. torch comes with the model, on the model's own thread, so that a widget is on screen at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..audio.intake import Array, ChunkAudio, silence
from ..errors import SessionError
from ..process_exit import stop_at_exit
from ..record.record import SessionRecord
from ..settings import Settings
from .admission import Remark
from .decide_stage import Answering
from .failures import describe, forget_frames
from .gate import Gate
from .live_session import Run
from .live_settings import LiveSettings
from .loading import ModelSource
from .messages import Mode
from .pipeline_items import FROM_PYTHON, BlockOf, Decodable, EndOfStream, Failure, Item, Owner, Samples, Wake
from .session_feed import Feeder
from .stage import CLOSE_SECONDS, Stage
from .token_table import vocabulary

if TYPE_CHECKING:
    from ..session.session import StreamingSession

AHEAD = 64
"""Encoded chunks that may wait for the decode stage; beyond it raw audio waits in front of the encoder."""


class Worker:
    """Runs one model over whatever audio is put in.

    Parameters
    ----------
    source
        Loads the model on a thread of its own.
    settings, live
        Those of the sessions this worker opens, and those that hold whichever session runs.
    owner
        Told what happens.
    record
        Makes the record of a new session.

    Attributes
    ----------
    changing
        Held while settings are read, changed and written back; also by an owner that shows them.
    """

    def __init__(
        self,
        source: ModelSource,
        settings: Settings,
        live: LiveSettings,
        owner: Owner,
        record: Callable[[], SessionRecord],
    ) -> None:
        self._source, self._owner, self._record = source, owner, record
        self.settings, self.live = settings, live
        self.changing = RLock()
        self._run = Run(record())
        self.gate = Gate(owner.loop_changed, self._look_up)
        self._encode: Stage[Item] = Stage("ai_widgets encode", self._perceive)
        self._decode: Stage[Decodable] = Stage("ai_widgets decode", self._answer, AHEAD, owner.parked)
        self._answering = Answering(
            self.gate, lambda: self.live, lambda run: run is self._run, self._open_session, owner.events_came
        )
        stop_at_exit(self)

    # Owner's side ----------------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """The running session's record."""
        return self._run.record

    @property
    def failure(self) -> Exception | None:
        """What ended the running session, or None."""
        return self._run.failure or self._source.failure

    @property
    def speaking(self) -> bool:
        """Whether a reply is being spoken."""
        return self._answering.speaking

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are not decided yet."""
        return self._run.waiting

    @property
    def prefix(self) -> tuple[int, ...] | None:
        """Tokens that the running session's context begins with; None before there is a session."""
        session = self._run.session
        return None if session is None else session.prefix

    @property
    def counters(self) -> dict[str, Any]:
        """What waits and what was lost, as the synced trait has it."""
        return self._run.counters()

    @property
    def alive(self) -> bool:
        """Whether any thread of the pipeline exists."""
        return self._encode.alive or self._decode.alive

    @property
    def queued(self) -> int:
        """Items in both queues."""
        return len(self._encode) + len(self._decode)

    def push(
        self,
        samples: Array,
        rate: int,
        flags: tuple[str, ...] = (),
        taken: Callable[[], None] | None = None,
        block: BlockOf = FROM_PYTHON,
    ) -> None:
        """Queue mono float32 audio at its native rate.

        `taken` is called once it went into the encode stage's work, or was refused. Audio from Python is always taken:
        whoever feeds it can wait.
        """
        run = self._run
        if block.stream and run.failure is None:
            verdict = run.admission.judge(samples, rate, self.live, block.mic, lambda: self.speaking, run.waiting)
            for remark in verdict.before:
                self._put((run, remark))
            if verdict.warning:
                self._owner.overloaded(verdict.warning)
            if verdict.interrupts and not run.interrupted:
                run.interrupted = True
                self.interrupt()
            if not verdict.taken:
                if taken is not None:
                    taken()
                self._owner.events_came(True)
                return
            flags = (*flags, *verdict.flags)
        arrived = perf_counter()
        run.arrive(len(samples) / rate, arrived - block.age_s if block.mic else None)
        self._put((run, Samples(samples, rate, flags, arrived, taken, block)))
        if self.live.overload == "drop_oldest":
            # Where the loop is held, the oldest of what waits leaves there.
            self.gate.nudge()

    def end_stream(self, tail_s: float = 0.0) -> None:
        """End a recording: the rest is padded to a chunk and `tail_s` seconds of silence follow."""
        run = self._run
        for remark in run.admission.end():
            self._put((run, remark))
        run.end_recording(tail_s)
        self._put((run, EndOfStream(tail_s)))

    def feeder(self) -> Feeder:
        """The way into the running session for audio of files."""
        return Feeder(self._run, self._put, lambda run: run is self._run)

    def remark(self, kind: str, message: str, **data: object) -> None:
        """Record a notice in its place among the audio."""
        self._put((self._run, Remark(kind, message, data)))

    def change(self, session: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        """Change settings; they hold from the next chunk that is decided, and a notice says so there.

        Raises
        ------
        SettingError
            Where one of them is not allowed; then none is changed.
        """
        with self.changing:
            self._change(session, live)

    def _change(self, session: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        settings, lively = self.settings.changed(**session), self.live.changed(**live)
        model = self._source.loaded
        if model is not None:
            # What the model cannot do is refused here, and not by the session at its next chunk.
            vocabulary(model, settings)
        news = {name: value for name, value in lively.to_json().items() if value != self.live.to_json()[name]}
        differs = settings != self.settings
        self.settings, self.live = settings, lively
        run = self._run
        if differs:
            run.pending.append(dict(session))
        if news:
            said = ", ".join(f"{name} {value!r}" for name, value in news.items())
            data = {"changed": news, "settings": lively.to_json()}
            run.pending.append(Remark("settings", f"Changed: {said}.", data))
        if differs or news:
            self._wake(run)

    def set_loop(self, mode: Mode) -> None:
        """Run freely, hold before the next phase, or do one phase a `step`."""
        before = self.gate.mode
        if not self.gate.set_mode(mode):
            return
        if "run" in (before, mode):
            kind, word = ("resumed", "runs again") if mode == "run" else ("paused", "is held")
            self._run.pending.append(Remark(kind, f"The loop {word}.", {"why": "loop", "mode": mode}))
            self._wake(self._run)

    def step(self) -> None:
        """Do the next phase of the next chunk; nothing where no audio waits."""
        self.set_loop("step")
        if self.gate.holding or self._run.waiting:
            self.gate.grant()

    def interrupt(self) -> None:
        """End the running reply."""
        session = self._run.session
        if session is not None:
            session.interrupt()

    def reset(self) -> None:
        """Begin a new session with a new record; audio that still waits belongs to the old one and is dropped."""
        old = self._run
        # What still waits belongs to the old run: the stages pass over it.
        self._run = Run(self._record())
        if old.session is not None:
            old.session.interrupt()
        self.gate.begin_session()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything put in is answered. False when `timeout` seconds passed first, or the loop is held."""
        end = None if timeout is None else perf_counter() + timeout
        for stage in (self._encode, self._decode):
            left = None if end is None else max(0.0, end - perf_counter())
            if not stage.join(left, unless=lambda: self.gate.holding):
                return False
        return True

    def stop(self) -> None:
        """End the reply and the loading at work, and take nothing more. Returns at once."""
        self.interrupt()
        self._source.stop()
        self.gate.close()
        self._decode.stop()
        self._encode.stop()

    def join(self, timeout: float) -> None:
        """Wait for both threads of a stopped worker to end."""
        end = perf_counter() + timeout
        for stage in (self._decode, self._encode):
            stage.end(max(0.0, end - perf_counter()))

    def close(self) -> None:
        """End both threads and release model and session; the record stays, and says what was not answered."""
        self.stop()
        self.join(CLOSE_SECONDS)
        self._run.end()

    def _put(self, item: Item) -> None:
        if not self._encode.put(item):
            raise SessionError("This widget is closed; make a new one to go on.")

    def _wake(self, run: Run) -> None:
        """Have the decode stage look at what is pending, now or before its next chunk."""
        if self.gate.mode != "run":
            self.gate.nudge()
        if not len(self._decode):
            self._decode.put((run, Wake()), urgent=True)

    def _look_up(self) -> None:
        """The loop begins to be held: whoever waits for it looks again, and all that was done until now is told."""
        self._owner.events_came(True)
        self._encode.wake()
        self._decode.wake()

    # Encode stage ----------------------------------------------------------------------------------------------------

    def _perceive(self, item: Item) -> None:
        run, part = item
        if isinstance(part, Samples) and part.taken is not None:
            # Also where it is passed over: whoever sent it may be waiting to send more.
            part.taken()
        if run is self._run and run.failure is None and not run.deaf:
            try:
                self._perceive_part(run, part)
            except Exception as error:  # noqa: BLE001 - whatever a model raises must reach the user, and end this run only
                # In its place among the chunks: those that were perceived before are still answered.
                run.deaf = True
                self._decode.put((run, Failure(error)))
        # This item is still at work, so the stage is not idle: nothing queued behind it is what makes it the last.
        self._owner.events_came(len(self._encode) == 0)

    def _perceive_part(self, run: Run, part: Samples | EndOfStream | Remark) -> None:
        if isinstance(part, Remark):
            self._decode.put((run, part))
            return
        if run.listener is None:
            from ..session.perceive import Listener

            run.listener = Listener(self._source.model())
        if isinstance(part, Samples):
            self._hear(run, run.intake.push(part.samples, part.rate, part.flags), part.arrived, part.block)
        else:
            self._hear(run, run.intake.finish() + silence(part.tail_s), perf_counter(), FROM_PYTHON)
            run.clip += 1

    def _hear(self, run: Run, chunks: list[ChunkAudio], arrived: float, block: BlockOf) -> None:
        for chunk in chunks:
            if run is not self._run or run.listener is None:
                return
            heard = run.listener.hear(
                chunk, run.clip, arrived, stream=block.stream, seq=block.seq, live=block.mic, age_s=block.age_s
            )
            self._decode.put((run, heard))

    # Decode stage ----------------------------------------------------------------------------------------------------

    def _answer(self, item: Decodable) -> None:
        run, part = item
        if run is not self._run or run.failure is not None:
            return
        try:
            self._answering.do_pending(run)
            if isinstance(part, Remark):
                run.note(part)
            elif isinstance(part, Failure):
                self._end_run(run, part.error)
            elif not isinstance(part, Wake):
                self._answering.answer(run, part)
            self._answering.do_pending(run)
        except Exception as error:  # noqa: BLE001 - as above
            self._end_run(run, error)
        self._owner.events_came(len(self._decode) == 0)

    def _open_session(self, run: Run) -> StreamingSession:
        from ..session.session import StreamingSession

        return StreamingSession(self._source.model(), self.settings, run.record)

    def _end_run(self, run: Run, error: Exception) -> None:
        """A model raised: end this session, keep what was recorded, tell the owner. A reset begins a new one."""
        if run is not self._run or run.failure is not None:
            return
        run.failure = error
        run.note(Remark("error", describe(error), {"error": type(error).__name__}))
        self._owner.session_failed(error)
        forget_frames(error)
        run.release()
        self._owner.events_came(True)
