"""Loop of a session: perceive, decide, respond, in steps that can be interrupted at any point.

The state of the loop is one immutable value, `State`. Each step computes the next state with its events and commits
both by one assignment. The events are then appended to the record; if an interrupt prevents that, the next step
appends them first. Therefore context and record agree after Ctrl-C or a model error at any point.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from ..audio.clip_features import Tap
from ..audio.file_notices import FileNotice
from ..audio.intake import envelope, level_db
from ..errors import SessionError
from ..model.passes import Steps, alone
from ..protocol import CHUNK_SECONDS, Chunk, Event, Notice
from ..record.record import SessionRecord
from ..settings import Settings
from .features_state import same, written
from .feed import End, Feed, Item, unperceived
from .heading import heading
from .listening import ListeningModel, TurnProgress
from .loop_notices import lost_context, settings_changed, undecided
from .loop_state import State, Work, timing_of
from .marks import Mark, Marks
from .perceive import Heard
from .rehear import Again
from .script import Script

logger = logging.getLogger(__name__)

LATE_S = CHUNK_SECONDS
"""Delay from capture to decision, in seconds without the model's computing time, above which a chunk of a microphone is
flagged `late`: the length of a chunk, after which the next chunk has been captured."""
FILTER_LOST = "An interrupt stopped the resampler: a few milliseconds of audio before this chunk were lost."
"""Message of the notice `input_interrupted`."""


class Loop:
    """Loop that turns pending audio into events of the record.

    Parameters
    ----------
    model
        Model or policy, shared and immutable.
    settings
        Settings of the first chunk.
    record
        Record that receives events and audio.
    state
        State to continue from; by default that before the first chunk.
    script
        What happens from outside at given chunks.

    Attributes
    ----------
    model
        As given.
    settings
        Settings that apply from the next chunk on.
    state
        State committed last.
    script, marks
        What happens from outside, and the states before the newest chunks.
    run
        Runs the steps of `advance`: `passes.alone`, or `shared_passes.shared`.
    """

    def __init__(
        self,
        model: ListeningModel,
        settings: Settings,
        record: SessionRecord,
        state: State | None = None,
        script: Script | None = None,
    ) -> None:
        self.settings = settings
        self.script = Script() if script is None else script
        self._record = record
        if state is None:
            record.begin(heading(model, settings))
        self.model = model
        self.turns = model.take_turns(settings)
        self.state = State(self.turns.start) if state is None else state
        self._chunks_before = record.chunks_heard - self.state.taken.chunks
        self._feed = Feed(model, None if state is None else state.features)
        self._feed.tap = self._raw_of if record.keeps_raw else None
        self.marks = Marks()
        self.run: Callable[[Steps[bool]], bool] = alone

    def put(self, items: Sequence[Item]) -> int:
        """Append items to the feed, all or none, and return the number of the first."""
        return self._feed.put(items, self.state.taken)

    def busy_before(self, item: int) -> bool:
        """Return whether an item before number `item`, or a chunk in progress, is still to be completed."""
        return self.state.work is not None or self.state.taken.busy_before(item)

    def mark(self) -> Mark:
        """Return the state before the next chunk. No chunk may be in progress."""
        self.settle()
        return Mark.of(self.state, self.settings, len(self._record))

    def close(self) -> None:
        """End the reply in progress, drop pending audio with a notice; call `turns.release` to free the memory."""
        self.settle()
        self._cut(None)
        self._drop_pending()

    def _drop_pending(self) -> None:
        """Drop pending audio, with a notice of its length."""
        state = self.state
        seconds = self._feed.pending(state.taken)
        events: list[Event] = []
        if state.work is not None and state.work.decision is None:
            seconds += CHUNK_SECONDS
        elif state.work is not None:
            events.append(self.turns.timed(timing_of(state.work)))
        self._feed.drop()
        if seconds > 0:
            message = f"The session was closed: {seconds:.2f} s of audio were dropped without a decision."
            data = {"seconds": round(seconds, 3), "why": "closed"}
            events.append(Notice(max(0, state.taken.chunks - 1), "dropped", message, data))
        self._commit(*events, work=None, taken=replace(state.taken, pieces=(), place=0))

    def advance(self) -> bool:
        """Run the next step; return False if nothing is pending.

        Raises
        ------
        BaseException
            Any interrupt or error in the step. The state is consistent then, and a reply in progress has ended. A chunk
            that caused an error is skipped with a notice; an interrupted chunk is decided by the next call.
        """
        began = False
        try:
            self.settle()
            began = True
            # Around the whole step, because process exit must not interrupt the native code of resampler and tokenizer.
            with self.model.computing():
                return self.run(self.step())
        except BaseException as error:
            self.recover(error, began=began)
            raise

    def recover(self, error: BaseException, *, began: bool = True) -> None:
        """Settle after an interrupt or an error of a step, and end the reply or the chunk that cannot continue.

        `began` says whether `settle` had succeeded before; otherwise no chunk caused the error.
        """
        try:
            self.settle()
            self._cut(error, began=began)
        except Exception:
            # The committed state is consistent: the next call settles first.
            logger.exception("After %s the session could not be settled at once.", type(error).__name__)

    def settle(self) -> None:
        """Bring record, feed and context to the committed state; this changes something only after an interrupt."""
        self._publish()
        self._feed.settle(self.state.taken)
        if not self.turns.settle(self.state.progress):
            self._restart_lost_context()

    def _publish(self) -> None:
        state = self.state
        for event in state.events[len(self._record) - state.events_at :]:
            self._record.append(event)

    def _commit(self, *events: Event, **changes: Any) -> None:
        self.state = replace(self.state, events=events, events_at=len(self._record), **changes)
        self._publish()

    def _restart_lost_context(self) -> None:
        """Reset the context after an interrupt stopped the move of its keys and values."""
        state = self.state
        progress, events = self.turns.cut(state.progress, "interrupted")
        progress, notice = lost_context(progress, max(0, state.taken.chunks - 1))
        self._commit(*events, notice, progress=progress)
        self.turns.settle(self.state.progress)

    def step(self) -> Steps[bool]:
        """Run the next step after `settle`, ask for the forward pass that it takes, and return as `advance` does.

        The step commits nothing before its pass has a result: a step that is abandoned has not happened.
        """
        state = self.state
        if state.work is not None:
            yield from self._go_on(state, state.work)
            return True
        piece = state.taken.next
        if piece is None:
            taken = self._feed.more(state.taken)
            if taken is None:
                return False
            self._commit(taken=taken)
            piece = taken.next
            state = self.state
        if isinstance(piece, FileNotice):
            notice = Notice(max(0, state.taken.chunks - 1), piece.kind, piece.message, piece.data)
            self._commit(notice, taken=state.taken.past(chunk=False))
        elif isinstance(piece, End):
            taken = state.taken.past(chunk=False)
            self._commit(taken=taken, clip=state.clip + state.clip_open, clip_open=False)
        elif piece is not None:
            self._begin_chunk(state, (yield from self._feed.perceive(state.taken, state.clip)))
        return True

    def _begin_chunk(self, state: State, heard: Heard, failed: BaseException | None = None) -> None:
        """Append the next chunk to the record, and make room for it in the context.

        Parameters
        ----------
        state
            Committed state.
        heard
            Perceived chunk.
        failed
            Error of an earlier attempt; the chunk is then recorded as `unheard`.
        """
        started, chunk = perf_counter(), state.taken.chunks
        perceived = (heard.features_ms + heard.tower_ms) / 1e3
        # Audio that is not from a microphone has no deadline, so that its time in queues does not make it late.
        origin = heard.origin
        queued = max(0.0, started - origin.arrived - perceived) if origin.microphone else 0.0
        notices: list[Event] = [*self._keep_audio(chunk, heard)]
        progress, decided = state.progress, failed is None and heard.frames is not None
        if decided and chunk not in self.script.undecided:
            if chunk in self.script.lost:
                progress, notice = lost_context(progress, chunk)
                notices.append(notice)
            progress, changed = self._take_settings(progress, chunk)
            progress, made = self.turns.make_room(progress, chunk, heard.frames)
            notices += [*changed, *made]
        watch, flags, seen = state.watch.after(chunk, heard.samples, heard.flags)
        notices += seen
        if origin.microphone and queued + origin.age_s > LATE_S:
            flags = (*flags, "late")
        unheard = progress.ended is not None or not decided or chunk in self.script.undecided
        if unheard and "unheard" not in flags:
            flags = (*flags, "unheard")
        if failed is not None:
            notices.append(undecided(chunk, failed))
        if self._feed.lost_filter:
            notices.append(Notice(chunk, "input_interrupted", FILTER_LOST))
        start_s, samples = chunk * CHUNK_SECONDS, heard.samples
        work = None if unheard else Work(heard, chunk, heard.clip, queued, perf_counter() - started)
        known, before = heard.before is None or same(heard.before, state.features), heard.before
        lead = "" if before is None or known or not decided else written(before)
        event = Chunk(
            chunk, heard.clip, start_s, level_db(samples), envelope(samples), flags, heard.mel, heard.floor, lead
        )
        self.marks.put(chunk, Mark.of(state, self.settings, len(self._record)))
        self._commit(
            event,
            *notices,
            progress=progress,
            taken=state.taken.past(chunk=True),
            work=work,
            clip=heard.clip if isinstance(state.taken.next, Again) else state.clip,
            clip_open=True,
            watch=watch,
            features=heard.after if decided and heard.after is not None else state.features,
        )
        self._feed.lost_filter = False

    def _keep_audio(self, chunk: int, heard: Heard) -> list[Notice]:
        """Append the audio to the record, once."""
        if self._record.chunks_heard <= self._chunks_before + chunk:
            self._record.append_audio(heard.samples)
        return self._record.last_notices

    def _raw_of(self, item: int, separate: bool) -> Tap:
        """Return what appends an item's audio as it arrived to the record; `separate`: the item begins a clip."""
        record, clip = self._record, self.state.clip + (separate and self.state.clip_open)
        return lambda samples, rate, start: record.append_raw(samples, rate, clip, source=item, start=start)

    def _go_on(self, state: State, work: Work) -> Steps[None]:
        """Continue the chunk in progress: decide, produce the next reply token, or complete the chunk."""
        decision = work.decision
        if decision is None:
            frames = work.heard.frames
            if frames is None:
                raise SessionError(f"Chunk {work.chunk} was not perceived.")
            started = perf_counter()
            forced = self.script.force.get(work.chunk)
            progress, decision = yield from self.turns.decide(state.progress, work.chunk, work.clip, frames, forced)
            now = perf_counter()
            work = replace(work, decision=decision, decided=now, decide_s=work.decide_s + now - started)
            self._commit(decision, progress=progress, work=work)
        elif state.progress.reply is not None:
            started, cut = perf_counter(), self.script.cuts.get(work.chunk)
            if cut is not None and cut.steps == work.steps:
                progress, events = self.turns.cut(state.progress, cut.why)
            else:
                progress, events = yield from self.turns.speak(state.progress)
            work = replace(work, reply_s=work.reply_s + perf_counter() - started, steps=work.steps + 1)
            self._commit(*events, progress=progress, work=work)
        else:
            completed: list[Event] = []
            if decision.choice == "OTHER":
                completed.append(self.turns.violation(decision, state.progress))
            self._commit(*completed, self.turns.timed(timing_of(work)), work=None)

    def _cut(self, error: BaseException | None, *, began: bool = True) -> None:
        """End the reply or the chunk that cannot continue after an interrupt or an error.

        Parameters
        ----------
        error
            Exception that ended the step; None if the session is being closed.
        began
            Whether the step had begun; otherwise no chunk caused the error.
        """
        state, failed = self.state, isinstance(error, Exception)
        work = state.work
        if work is not None and work.decision is not None and (failed or state.progress.reply is not None):
            progress, events = self.turns.cut(state.progress, "error" if failed else "interrupted")
            self._commit(*events, self.turns.timed(timing_of(work)), progress=progress, work=None)
        elif error is None or not failed or not began:
            # The next call decides the pending chunk.
            return
        elif work is not None:
            self._commit(undecided(work.chunk, error), work=None)
        elif state.taken.next is not None and not isinstance(state.taken.next, (End, FileNotice)):
            self._begin_chunk(state, unperceived(state.taken, state.clip), error)
        elif state.taken.next is None:
            taken = self._feed.more(state.taken, heard=False)
            if taken is not None:
                lost = any("unheard" in getattr(piece, "flags", ()) for piece in taken.pieces)
                notices = [undecided(state.taken.chunks, error)] if lost else []
                self._commit(*notices, taken=taken)

    def _take_settings(self, progress: TurnProgress, chunk: int) -> tuple[TurnProgress, list[Event]]:
        """Apply settings that changed since the last chunk, with a notice."""
        again = self.script.settings.get(chunk)
        if again is not None:
            self.settings = self.settings.changed(**again)
        before, chosen = progress.settings, self.settings
        if chosen == before:
            return progress, []
        return self.turns.changed(progress, chosen), [settings_changed(chunk, before, chosen)]
