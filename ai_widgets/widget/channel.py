"""The connection of a widget with its pages: messages in, messages and synced traits out.

Every incoming message is validated first (`parsing.parse`), and a bad message is answered, never raised. What the
pipeline reports is sent at once or, in pull mode, queued in the outbox until a page asks.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from threading import RLock
from time import monotonic
from typing import Any

import traitlets

from ..errors import AiWidgetsError, SettingError
from .assigning import ReadOnlyDict
from .files.file_player import FilePlayer
from .files.page_files import PageFiles
from .loading import ModelSource
from .model_info import describe_model
from .pipeline import Pipeline
from .receiving import STALE_SECONDS, Receiver
from .wire import messages, outgoing, parsing
from .wire.alarm import Alarm
from .wire.comm import ShellSafeWidget
from .wire.failures import describe, details
from .wire.limits import MAX_COUNT, PROTOCOL_VERSION
from .wire.outbox import Outbox

logger = logging.getLogger(__name__)

COUNT_SECONDS = 0.25
"""Least seconds between two updates of the trait `counters`, which change with every chunk."""


STATE_DICTS = {
    "loop": "the loop is changed with w.pause(), w.resume() and w.step()",
    "model_info": "another model needs another widget",
    "counters": "its figures count what the session did",
    "history": "w.reset() begins a new one",
}
"""Synced dicts that only the kernel writes, and how a user changes the state they show (end of a sentence)."""


class Conversing(ShellSafeWidget):
    """A widget that exchanges messages with its pages.

    Parameters
    ----------
    name
        Name of the model.
    source, pipeline, outbox
        The model's loader, the pipeline, and the queue of outgoing messages.
    pull
        Whether pages poll for messages, for hosts that show nothing sent by a background thread.
    """

    _kernel_owned = ("state", "settings", "live", "settings_schema", "transcript", *STATE_DICTS)

    state = traitlets.Unicode("idle", read_only=True).tag(sync=True)
    model_info = traitlets.Dict(read_only=True).tag(sync=True)
    loop = traitlets.Dict(read_only=True).tag(sync=True)
    counters = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, name: str, source: ModelSource, pipeline: Pipeline, outbox: Outbox, pull: bool) -> None:
        self._name, self._source, self._pipeline, self._outbox, self._pull = name, source, pipeline, outbox, pull
        self._mic = messages.MicState("idle", "", "")
        self._binary = False
        self._receive_lock = RLock()
        self._counted = float("-inf")
        self._prefix: tuple[int, ...] | None = None
        self._receiver = Receiver(pipeline, outbox.acknowledge, self._tell_page)
        self._player = FilePlayer(pipeline, self._tell_playing, self._file_failed, self._stream_ended)
        self._page_files = PageFiles(self._player, pipeline.feeder, self._ask_for_bytes)
        self._alarm = Alarm(self._look_at_stream)
        super().__init__()
        self.set_trait("model_info", self._describe_model())
        self.set_trait("loop", pipeline.gate.to_json())
        self.set_trait("counters", pipeline.counters)
        self.on_msg(self._receive)

    @traitlets.validate(*STATE_DICTS)
    def _read_only(self, proposal: Any) -> ReadOnlyDict:
        return ReadOnlyDict(proposal["value"], STATE_DICTS[proposal["trait"].name])

    @abstractmethod
    def reset(self) -> None:
        """Begin a new session."""

    @abstractmethod
    def _change(self, changes: Mapping[str, Any]) -> None:
        """Change settings by name."""

    @abstractmethod
    def _stream_ended(self) -> None:
        """Note the end of a recording."""

    # From the browser ------------------------------------------------------------------------------------------------

    def _receive(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        """Validate and enqueue a message; a bad message is answered with a problem and never raises."""
        self._remember_context()
        # Messages arrive on the main shell's thread or on the thread of a subshell.
        with self._receive_lock:
            try:
                self._take(parsing.parse(content, buffers))
            except AiWidgetsError as error:
                self._refuse(content, error)
        if self._pull:
            self._outbox.flush()

    def _take(self, message: messages.Message) -> None:
        match message:
            case messages.Block():
                begins = message.seq == 0 or self._receiver.quiet
                self._receiver.block(message)
                if begins:
                    self._update_state()
                self._alarm.set(STALE_SECONDS)
            case messages.Hello():
                self._welcome(message)
            case messages.Open():
                if not self._file_plays(message.page):
                    self._receiver.open(message)
                self._update_state()
                if self._pipeline.failure is not None:
                    # The audio would never be decided; the page ends the recording at this message.
                    self._session_failed(self._pipeline.failure)
            case messages.Close():
                self._stream_ended()
                self._receiver.close(message)
                self._update_state()
            case messages.Play():
                self._play_for(message)
            case messages.Bytes():
                self._page_files.take(message)
            case messages.FileAction():
                self._act_on_file(message)
                self._update_state()
            case messages.MicState():
                self._mic = message
                self._receiver.state(message)
                self._update_state()
            case messages.Set():
                self._set(message)
            case messages.Fetch():
                self._fetch(message)
            case messages.Loop():
                self._pipeline.set_loop(message.mode)
            case messages.Step():
                self._pipeline.step()
            case messages.Interrupt():
                self._pipeline.interrupt()
            case messages.Reset():
                self.reset()
            case messages.Poll():
                self._outbox.flush()

    def _look_at_stream(self) -> None:
        """Note a stream that has become quiet. A timer calls this, since a closed page sends no message."""
        with self._receive_lock:
            stream = self._receiver.stream
            if stream is None:
                return
            self._receiver.look()
            if not self._receiver.quiet:
                self._alarm.set(STALE_SECONDS)
        self._update_state()

    def _welcome(self, hello: messages.Hello) -> None:
        if hello.protocol != PROTOCOL_VERSION:
            sentence = (
                f"The page uses protocol {hello.protocol}, the kernel {PROTOCOL_VERSION}; reload the page "
                "and restart the kernel so that both come from one installation."
            )
            self._tell_page("version", sentence, hello.page)
            return
        self._binary = hello.binary and not self._pull
        welcome = outgoing.welcome(
            hello,
            self._pull,
            self._outbox.session,
            self._describe_model(),
            self._pipeline.settings.to_json(),
            self._pipeline.live.to_json(),
            {**self._pipeline.gate.to_json(), "waiting": self._pipeline.waiting},
            self._player.shown,
        )
        self._outbox.welcome(welcome, hello.seen if hello.session == self._outbox.session else 0)
        failure = self._pipeline.failure
        if failure is not None and self._source.failure is None:
            # The page may have been opened after the failure. Failed loading is part of the model's status.
            self._session_failed(failure, hello.page)
        self._outbox.flush()

    def _play_for(self, message: messages.Play) -> None:
        if self._file_plays(message.page) or not self._receiver.make_way(message.page):
            return
        if self._pipeline.failure is not None:
            self._session_failed(self._pipeline.failure)
            return
        self._page_files.play(message)
        self._update_state()

    def _file_plays(self, page: str) -> bool:
        """Return whether a file plays, and send a problem to the page that asks to send audio."""
        if self._player.active:
            sentence = "A file plays in this widget; stop the file first, or wait for its end."
            self._tell_page("busy_elsewhere", sentence, page)
        return self._player.active

    def _act_on_file(self, message: messages.FileAction) -> None:
        if message.action == "stop":
            # A user may stop any file; a page that closes ends only the file it holds.
            self._player.end(message.reason, None if message.reason == "stopped" else message.page)
        else:
            self._player.pause(message.action == "pause")

    def _ask_for_bytes(self, stream: int, offset: int, length: int, page: str) -> None:
        self._put(outgoing.need(stream, offset, length, page))

    def _set(self, message: messages.Set) -> None:
        try:
            self._change(message.changes)
        except AiWidgetsError as error:
            named = error.names if isinstance(error, SettingError) else ()
            names = [name for name in message.changes if name in named] or list(message.changes)
            self._answer_refused(str(error), names, message.request)
            # The page shows the requested values until it receives the current ones.
            self.send_state(["settings", "live"])

    def _refuse(self, content: object, error: AiWidgetsError) -> None:
        """Report a message that was refused; a `set` message with a request number gets its answer."""
        request = content.get("request") if isinstance(content, Mapping) and content.get("type") == "set" else None
        if isinstance(request, int) and 0 < request <= MAX_COUNT:
            self._answer_refused(str(error), [], request)
        else:
            self._report("message", str(error))

    def _answer_refused(self, sentence: str, names: Sequence[str], request: int) -> None:
        """Answer a refused request, without the coalescing of `put_problem`: each request needs an answer."""
        logger.info("setting: %s", sentence)
        self._put(outgoing.problem("setting", sentence, names=names, request=request))

    def _fetch(self, message: messages.Fetch) -> None:
        samples = self._pipeline.record.chunk_audio(message.chunk)
        self._put(*outgoing.audio(message, samples, self._binary))

    # To the browser --------------------------------------------------------------------------------------------------

    def _put(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Queue a message, and send it at once except in pull mode."""
        self._outbox.put(message, buffers)
        if not self._pull:
            self._outbox.flush()

    def _events_came(self, final: bool) -> None:
        self._player.look()
        self._update_state()
        self._publish_prefix()
        self._count(final)
        if not self._pull and (final or self._outbox.due):
            self._outbox.flush()

    def _tell_loop(self) -> None:
        state = self._pipeline.gate.to_json()
        self.set_trait("loop", state)
        self._put(outgoing.loop(**state, waiting=self._pipeline.waiting))

    def _tell_playing(self, file: dict[str, Any]) -> None:
        self._update_state()
        self._outbox.put_playing(outgoing.playing(file))
        if not self._pull:
            self._outbox.flush()

    def _file_failed(self, sentence: str, page: str) -> None:
        self._tell_page("file", sentence, page)

    def _model_changed(self) -> None:
        self._update_state()
        failure = self._source.failure
        if failure is not None:
            self._session_failed(failure)
        self._publish_model()
        self._events_came(True)

    def _publish_prefix(self) -> None:
        """Send the model's description where the context's prefix differs from the one last sent."""
        prefix = self._pipeline.prefix
        if prefix is not None and prefix != self._prefix:
            self._prefix = prefix
            self._publish_model()

    def _publish_model(self) -> None:
        """Send the model's description where it has changed: loaded, failed, or with another prefix."""
        info = self._describe_model()
        if info != self.model_info:
            self.set_trait("model_info", info)
            self._put(outgoing.model_status(info))

    def _session_failed(self, error: Exception, page: str = "") -> None:
        self._tell_page("model", describe(error), page, details(error))

    def _describe_model(self) -> dict[str, Any]:
        return describe_model(self._name, self._source, self._pipeline.settings, self._pipeline.prefix)

    def _report(self, code: str, message: str, detail: str = "") -> None:
        self._tell_page(code, message, "", detail)

    def _tell_page(self, code: str, message: str, page: str, detail: str = "") -> None:
        logger.info("%s: %s", code, message)
        self._outbox.put_problem(code, message, detail, page)
        if not self._pull:
            self._outbox.flush()

    def _count(self, final: bool) -> None:
        now = monotonic()
        if final or now - self._counted >= COUNT_SECONDS:
            self._counted = now
            counters = self._pipeline.counters
            if counters != self.counters:
                self.set_trait("counters", counters)

    def _update_state(self) -> None:
        stream = self._receiver.stream
        if self._pipeline.failure is not None or self._mic.state == "error":
            state = "error"
        elif self._pipeline.speaking:
            state = "speaking"
        elif self._player.paused or (stream is not None and self._mic.state == "paused"):
            state = "paused"
        elif (
            (stream is not None and stream.expected > 0 and not self._receiver.quiet)
            or self._pipeline.waiting
            or self._player.active
        ):
            state = "listening"
        elif self._mic.state == "asking":
            state = "asking"
        else:
            state = "stopped" if len(self._pipeline.record) else "idle"
        if state != self.state:
            self.set_trait("state", state)
