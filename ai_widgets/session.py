"""`StreamingSession`: perceive, decide, respond — once a chunk, for as long as audio comes.

    prefix                    ONLINE ENGLISH SYSTEM TEXT_BEGIN <system prompt> TEXT_END
    each chunk                AUDIO_BEGIN <ten frames> ASSISTANT -> KEEP_SILENCE
                                                              or -> TEXT_BEGIN [EMOTION] text … TEXT_END

`perceive.Listener` perceives: chunk → features → frames. `turns.TurnTaking` decides and responds. The two share no
state, so that a worker can run them as two stages; `push` and `push_clip` run one after the other. The session keeps
the order and the record. Nothing here knows threads or widgets. Facts: PROTOCOL.md §3, paper §3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from threading import Lock
from time import perf_counter, time
from typing import Any

import numpy as np
import numpy.typing as npt

from .audio import ChunkAudio, Chunker, cut, envelope, level_db, mono, repair, silence
from .errors import SessionError, SettingError
from .framing import Framing
from .model.checkpoint import LoadedModel
from .perceive import Heard, Listener, hear_clip
from .protocol import CHUNK_SECONDS, Chunk, Decision, Event, Notice, Timing
from .record import SessionRecord
from .settings import Settings
from .turns import TurnTaking

FLOORS = ("clip", "running")
LATE_S = CHUNK_SECONDS
"""Seconds of waiting after which a live chunk is flagged `late`: by then the next one is there."""

LONGEST_VALUE = 60
"""Characters of a setting's value that a notice repeats."""


class EventStream(Iterator[Event]):
    """Events as they happen. Iterating runs the session; what nobody iterates runs at the session's next call."""

    def __init__(self, session: StreamingSession) -> None:
        self._session = session

    def __next__(self) -> Event:
        event = self._session._advance()
        if event is None:
            raise StopIteration
        return event


class StreamingSession:
    """One conversation with a model: audio in, events out.

    Parameters
    ----------
    model
        Shared, immutable.
    settings
        See `Settings`.
    record
        Where events and audio go; a new record by default.
    """

    def __init__(
        self, model: LoadedModel, settings: Settings | None = None, record: SessionRecord | None = None
    ) -> None:
        self.model = model
        self.settings = self._in_use = settings or Settings()
        self._changing = Lock()
        self._record = record if record is not None else SessionRecord()
        self._turns = TurnTaking(model, self.settings)
        self._listener = Listener(model)
        self._chunker = Chunker()
        self._waiting: deque[Heard | ChunkAudio] = deque()
        self._stepping: Iterator[Event] | None = None
        self._chunk = 0
        self._clip = 0

    # What a caller may ask -------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """The record, after everything that was pushed has been answered."""
        if self._stepping is None:
            for _ in EventStream(self):
                pass
        return self._record

    @property
    def ended(self) -> str | None:
        """Why the session takes no more audio, or None while it does."""
        return self._turns.ended

    @property
    def chunks_done(self) -> int:
        """Chunks that have been decided or are being decided; the index of the next one."""
        return self._chunk

    @property
    def position(self) -> int:
        """Positions of the context in use."""
        return self._turns.position

    @property
    def context_limit(self) -> int:
        """Positions the context may hold."""
        return self._turns.limit

    def push(self, samples: npt.ArrayLike) -> EventStream:
        """Feed live audio of any length: 16 kHz, mono, float in [-1, 1] or integer.

        Samples that do not fill a chunk wait for the next call. Returns an iterator of events; they happen while it is
        iterated, or at the next call of the session.
        """
        array, broken = repair(mono(samples))
        self._waiting.extend(self._chunker.push(array, ("repaired",) if broken else ()))
        return EventStream(self)

    def finish(self, tail_silence: float = 0.0) -> EventStream:
        """End the recording: the waiting rest is padded to a chunk, `tail_silence` seconds of silence follow.

        The session stays open; the next audio belongs to a new clip.
        """
        self._waiting.extend(self._chunker.flush())
        self._waiting.extend(silence(tail_silence))
        self._waiting.append(_END_OF_CLIP)
        return EventStream(self)

    def push_clip(self, samples: npt.ArrayLike, *, floor: str = "clip", tail_silence: float = 1.0) -> EventStream:
        """Feed one whole clip, padded to chunks and followed by silence so that the model can reply.

        Parameters
        ----------
        samples
            As in `push`.
        floor
            `clip`: the log-mel floor is that of the whole clip, and clip and tail are encoded on their own, as the
            authors' offline runner does. `running`: the clip goes on in the live stream.
        tail_silence
            Seconds, rounded up to whole chunks; the authors use 1.
        """
        if floor not in FLOORS:
            raise SettingError(f"floor must be one of {', '.join(FLOORS)}, not {floor!r}.")
        if floor == "running":
            self.push(samples)
            return self.finish(tail_silence)
        array, broken = repair(mono(samples))
        if self._chunker.waiting:
            # Live audio came before: its rest ends a clip of its own.
            self.finish()
        for part in (cut(array, ("repaired",) if broken else ()), silence(tail_silence)):
            self._waiting.extend(hear_clip(self.model, part, 0))
        self._waiting.append(_END_OF_CLIP)
        return EventStream(self)

    def change(self, **settings: Any) -> Settings:
        """Change settings while the session runs; they apply from the next chunk on, which brings a notice.

        Another system prompt, which stands at the context's very beginning, waits until the context is bare again.
        Safe to call from another thread.

        Parameters
        ----------
        **settings
            Fields of `Settings`.

        Returns
        -------
        Settings
            All settings, the changed ones included.

        Raises
        ------
        SettingError
            Nothing is changed then.
        """
        with self._changing:
            chosen = self.settings.changed(**settings)
            Framing.of(self.model, chosen)
            self.settings = chosen
        return chosen

    def interrupt(self) -> None:
        """End the running reply after the token at work. Without a running reply nothing happens. Safe to call from
        another thread: it only sets a flag.
        """
        self._turns.interrupt()

    # The loop --------------------------------------------------------------------------------------------------------

    def _advance(self) -> Event | None:
        """The next event, or None when everything pushed is answered. The step at work belongs to the session, not to
        the iterator that started it, so an abandoned iterator loses nothing.
        """
        while True:
            if self._stepping is None:
                if not self._waiting:
                    return None
                item = self._waiting.popleft()
                if item is _END_OF_CLIP:
                    self._clip += 1
                    continue
                if isinstance(item, ChunkAudio):
                    item = self._listener.hear(item)
                self._stepping = self._step(replace(item, clip=self._clip))
            try:
                event = next(self._stepping, None)
            except BaseException:
                self._stepping = None
                raise
            if event is not None:
                return event
            self._stepping = None

    def step(self, heard: Heard) -> Iterator[Event]:
        """Decide after one perceived chunk, and respond if so decided. Exactly one step a chunk, in order.

        Raises
        ------
        SessionError
            Where audio that was pushed is still unanswered: the order would be lost.
        """
        if self._waiting or self._stepping is not None:
            raise SessionError("Audio that was pushed is still unanswered; iterate its events before calling step.")
        return self._step(heard)

    def _step(self, heard: Heard) -> Iterator[Event]:
        chunk, self._chunk = self._chunk, self._chunk + 1
        started = perf_counter()
        perceived = (heard.features_ms + heard.tower_ms) / 1e3
        # What is no microphone's came as fast as it could be taken: it has no deadline, and its waiting is no lateness.
        queued = max(0.0, started - heard.arrived - perceived) if heard.live else 0.0
        kept = self._record.append_audio(heard.samples)
        notices = [*kept, *self._take_settings(chunk), *self._turns.make_room(chunk)]
        flags = heard.flags
        if queued > LATE_S:
            flags = (*flags, "late")
        if self.ended is not None:
            flags = (*flags, "unheard")
        start_s, samples = chunk * CHUNK_SECONDS, heard.samples
        prepared = perf_counter() - started
        yield self._note(Chunk(chunk, heard.clip, start_s, level_db(samples), envelope(samples), flags, heard.mel))
        for notice in notices:
            yield self._note(notice)
        if self.ended is not None:
            return
        # Whoever iterates may hold the loop after any event; that is no time of the model's.
        resumed, decided, answering, spoke = perf_counter(), 0.0, 0.0, False
        for event in self._turns.take(chunk, heard.clip, heard.frames):
            if isinstance(event, Decision):
                decided, spoke = perf_counter(), event.choice == "TEXT_BEGIN"
                yield self._note(event)
                answering = perf_counter()
            else:
                yield self._note(event)
        now = perf_counter()
        # What happened on the clock that never jumps, told in Unix time.
        epoch = time() - now
        yield self._note(
            Timing(
                chunk,
                heard.features_ms,
                heard.tower_ms,
                (prepared + decided - resumed) * 1e3,
                (now - answering) * 1e3 if spoke else 0.0,
                queued * 1e3,
                heard.stream,
                heard.seq,
                (epoch + heard.arrived) * 1e3,
                (epoch + decided) * 1e3,
                heard.encode_wait_ms if heard.live else 0.0,
            )
        )

    def _take_settings(self, chunk: int) -> list[Event]:
        """Settings that were changed since the last chunk, as a notice."""
        before, chosen = self._in_use, self.settings
        if chosen == before:
            return []
        self._in_use = chosen
        self._turns.change(chosen)
        old, new = before.to_json(), chosen.to_json()
        changed = {name: value for name, value in new.items() if value != old[name]}
        words = ", ".join(f"{name} is {_short(value)}" for name, value in changed.items())
        message = f"From here on {words}."
        if "system_prompt" in changed:
            message += " The system prompt is read when the context starts over."
        return [Notice(chunk, "settings", message, {"changed": changed, "settings": new})]

    def _note(self, event: Event) -> Event:
        self._record.append(event)
        return event


def _short(value: object) -> str:
    """A setting's value in a sentence."""
    text = "the default" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


_END_OF_CLIP = ChunkAudio(np.zeros(0, np.float32))
"""Marks in the waiting line where a clip ends."""
