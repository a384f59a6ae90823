"""`SessionChannel`: what `AudioInteraction` asks of the channel to its session, wherever that runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol

from ...audio.intake import Array
from ...record.record import SessionRecord
from ...settings import Settings
from ..branches.branch import Branch, Change
from ..files.file_stream import FileStream
from ..live_settings import LiveSettings
from ..voice.voice import Speak
from ..wire.limits import Pace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...session.listening import ListeningModel


class SessionChannel(Protocol):
    """A channel to a session in the kernel (`channel.Channel`) or in a page (`page_engine.channel.PageChannel`).

    Methods raise a `SessionError` where the session cannot do what is asked. All may be called on any thread.
    """

    def start(self) -> None:
        """Show the first state, and begin to load the model."""

    def close(self) -> None:
        """End threads and timers and release the model; the record stays."""

    def settle(self) -> None:
        """Show the last state and history of a closed widget, while its pages still receive it."""

    def receive(self, content: object, buffers: Sequence[Any] = ()) -> None:
        """Take a message of a page; a bad message is answered and never raises."""

    @property
    def model(self) -> ListeningModel:
        """The model; waits until it is loaded and raises what loading raised."""

    @property
    def error(self) -> Exception | None:
        """What stopped the session, or None."""

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are not decided yet."""

    @property
    def queued(self) -> int:
        """Number of items in the kernel's queues."""

    @property
    def record(self) -> SessionRecord:
        """Record that is shown."""

    @property
    def headline(self) -> str:
        """Name and state of the widget."""

    @property
    def changing(self) -> RLock:
        """Lock that is held while settings are read, changed and written back."""

    @property
    def in_effect(self) -> tuple[Settings, LiveSettings]:
        """Settings of the session and of the widget."""

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings by name, all or none."""

    def feed(self, samples: Array, rate: int, *, end: bool, tail_s: float) -> None:
        """Feed mono float32 audio of Python."""

    def play(self, path: str | os.PathLike[str], tail_s: float, pace: Pace) -> FileStream:
        """Play a file of the kernel's disk."""

    @property
    def playing(self) -> dict[str, Any] | None:
        """The file of the kernel's disk that plays, or None."""

    def stop_file(self) -> None:
        """End the files that play."""

    def wait(self, timeout: float | None) -> bool:
        """Wait until all audio is decided. Return False after `timeout` seconds, or where loop or file are paused."""

    def set_loop(self, *, running: bool) -> None:
        """Let the loop run, or pause it before its next phase."""

    def step(self, *, wait: bool) -> None:
        """Pause the loop and run its next phase; with `wait`, return when it is done, where that can be known."""

    def interrupt(self) -> None:
        """End the running reply."""

    def begin_session(self) -> None:
        """Begin a new session."""

    def show(self, record: SessionRecord | None) -> None:
        """Show another record in place of the session's; None shows the session again."""

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The newest branches of the session."""

    def fork(self, change: Change) -> Branch:
        """Begin a branch."""

    def speak(self, speak: Speak | None) -> None:
        """Speak each complete reply with a function of text-to-speech; None: no longer."""
