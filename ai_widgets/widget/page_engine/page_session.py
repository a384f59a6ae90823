"""`PageSession`: one session of a page as it arrives in the kernel, message by message, in a record.

A pure state machine: no threads, no comm. A message that is late, repeated or out of order changes nothing and is
answered with what the kernel has; a page continues from there. An event that no session has ends the session: what was
taken before it stays in the record.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import AiWidgetsError, EventError
from ...protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Event, Notice
from ...record.header import Header
from ...record.record import SessionRecord
from ...session.heading import heading
from ...session.listening import ListeningModel
from ...settings import Settings
from ..live_settings import LiveSettings, parted
from ..wire.engine_messages import EngineBegin, EngineChunk, EngineEvents
from ..wire.kernel_engine import EngineTaken
from .checked_event import Facts, checked
from .event_order import EventOrder

OF_THE_PAGE = frozenset({"audio_discarded", "events_reduced"})
"""Kinds of notices on what the page discards of its own memory. They are counted and not recorded: the record here has
limits of its own, or a folder that keeps all, and notes itself what it discards."""
DEVICE = "page"
"""Device in the heading of a record whose session ran in a page, as a page itself writes it."""


class PageSession:
    """The session that a page began, and its record in the kernel.

    Parameters
    ----------
    model
        Language model that the page's engine was exported from.
    begin
        Message that began the session.
    record
        Empty record, which receives the session.

    Raises
    ------
    SettingError
        If the settings are unknown or not possible with this model.

    Attributes
    ----------
    page, session
        Page that runs the session, and its number there.
    record
        Record of the session.
    settings, live
        Settings in effect after the last event, of the session and of the widget.
    events, chunks
        Number of the page's events, and of the chunks whose audio was taken or is missing.
    dropped_s
        Seconds of audio that the page dropped.
    refused
        Sentence that says why no more events are taken, or empty.
    """

    def __init__(self, model: ListeningModel, begin: EngineBegin, record: SessionRecord) -> None:
        self.page, self.session, self.record = begin.page, begin.session, record
        self.settings, self.live = Settings.of(begin.settings), LiveSettings.of(begin.live)
        self._model, self._facts = model, facts(model)
        header = _heading(model, self.settings, begin.runtime)
        record.note_live(self.live.to_json())
        record.begin(header)
        self._order = EventOrder()
        self._missing: int | None = None
        self.events = self.chunks = 0
        self.dropped_s = 0.0
        self.refused = ""

    @property
    def replying(self) -> bool:
        """Whether a reply has begun and has not ended."""
        return self._order.replying

    @property
    def heard(self) -> int:
        """Number of chunks among the events."""
        return self._order.chunks

    def is_of(self, message: EngineBegin | EngineEvents | EngineChunk) -> bool:
        """Return whether a message is about this session."""
        return (message.page, message.session) == (self.page, self.session)

    @property
    def taken(self) -> EngineTaken:
        """The acknowledgement of all that was taken."""
        return EngineTaken(self.page, self.session, True, self.events, self.chunks, self.refused, bool(self.refused))

    @property
    def in_effect(self) -> dict[str, Any]:
        """Settings in effect after the last event, of the session and of the widget together."""
        return {**self.settings.to_json(), **self.live.to_json()}

    def take_events(self, message: EngineEvents) -> None:
        """Append the events of a message that follow the ones taken, up to the first that is not allowed."""
        if message.first > self.events or self.refused:
            return
        for values in message.events[self.events - message.first :]:
            try:
                self._take(*checked(values, self._facts))
            except AiWidgetsError as error:
                self.refused = f"Event {self.events} of this session cannot be recorded. {error}"
                return

    def take_chunk(self, message: EngineChunk) -> None:
        """Append the audio of the next chunk; of a chunk whose event was not taken yet, or out of order, nothing.

        A chunk whose audio the page keeps no longer is silence in the record, between two notices `audio_missing`.
        """
        if message.chunk != self.chunks or message.chunk >= self.heard:
            return
        missing = message.samples is None
        if missing and self._missing is None:
            self._missing = message.chunk
            self._note(
                "The page kept the sound of this chunk no longer when the kernel could take it: it is silence here."
            )
        elif not missing and self._missing is not None:
            seconds = (message.chunk - self._missing) * CHUNK_SECONDS
            self._note(f"From this chunk on the sound is complete again; {seconds:.1f} s before it are silence.")
            self._missing = None
        samples = np.zeros(CHUNK_SAMPLES, np.float32) if message.samples is None else message.samples
        notices = self.record.append_audio(samples)
        self.chunks += 1
        for notice in notices:
            self.record.append(notice)

    def _take(self, event: Event, size: int) -> None:
        self._order.check(event, size)
        if isinstance(event, Notice):
            self._follow(event)
        try:
            if not (isinstance(event, Notice) and event.kind in OF_THE_PAGE):
                self.record.append(event)
        except (OverflowError, TypeError, ValueError) as error:
            # Of an event that passes all checks this is a fault of the checks; the record is as before.
            raise EventError(f"The event {event.type!r} cannot be stored ({error}).") from error
        self._order.take(event, size)
        self.events += 1

    def _follow(self, notice: Notice) -> None:
        """Follow the settings that a notice changes, and count what was dropped."""
        if notice.kind == "settings":
            session, live = parted(notice.data["changed"])
            settings, lively = self.settings.changed(**session), self.live.changed(**live)
            self._model.framing(settings)
            self.settings, self.live = settings, lively
        elif notice.kind == "dropped":
            seconds = notice.data.get("seconds")
            if isinstance(seconds, (int, float)):
                self.dropped_s += max(0.0, seconds)

    def _note(self, sentence: str) -> None:
        self.record.append(Notice(self.chunks, "audio_missing", sentence, {"chunk": self.chunks}))


def facts(model: ListeningModel) -> Facts:
    """Return what the events of a language model must fit."""
    language: Any = model.language
    tokens = language.traits.tokens
    return Facts(language.decoder.vocabulary, language.positions, tokens["KEEP_SILENCE"], tokens["TEXT_BEGIN"])


def _heading(model: ListeningModel, settings: Settings, runtime: str) -> Header:
    """Return the heading of a session of this model that a page computes: its weights, and the page's device."""
    header = heading(model, settings).to_json()
    version = header["versions"]["ai_widgets"]
    return Header(
        model={
            **header["model"],
            "device": DEVICE,
            "placement": f"{DEVICE} · float32",
            "dtype": "float32",
            "threads": 1,
        },
        settings=header["settings"],
        framing=header["framing"],
        versions={"ai_widgets": version, **({"engine": runtime} if runtime else {})},
    )
