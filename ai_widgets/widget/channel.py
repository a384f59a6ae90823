"""The widget's conversation with its pages: messages in, messages and synced traits out.

Whatever a page sends is checked first (`messages.parse`) and never raises; what the worker tells is sent on, or waits
in the outbox where a host wants to be asked (pull mode).
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
from . import messages
from .alarm import Alarm
from .assigning import ReadOnlyDict
from .comm import ShellSafeWidget
from .failures import describe, details
from .file_player import FilePlayer
from .loading import ModelSource
from .outbox import Outbox
from .page_files import PageFiles
from .pipeline import Worker
from .receiving import STALE_SECONDS, Receiver
from .token_table import UNKNOWN, vocabulary

logger = logging.getLogger(__name__)

COUNT_SECONDS = 0.25
"""Least time between two updates of the counters while they change all the time."""


STATE_DICTS = {
    "loop": "the loop is changed with w.pause(), w.resume() and w.step()",
    "model_info": "another model needs another widget",
    "counters": "they count what the session did",
    "history": "w.reset() begins a new one",
}
"""Synced dicts that the kernel alone writes, and how a person changes what they show."""


class Conversing(ShellSafeWidget):
    """What a widget says to its pages, and does when they speak.

    Parameters
    ----------
    name
        Of the model.
    source, worker, outbox
        What it speaks for.
    pull
        Whether pages fetch what waits, since the host shows nothing that a background thread sends.
    """

    _kernel_owned = ("state", "settings", "live", "settings_schema", "transcript", *STATE_DICTS)

    state = traitlets.Unicode("idle", read_only=True).tag(sync=True)
    model_info = traitlets.Dict(read_only=True).tag(sync=True)
    loop = traitlets.Dict(read_only=True).tag(sync=True)
    counters = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, name: str, source: ModelSource, worker: Worker, outbox: Outbox, pull: bool) -> None:
        self._name, self._source, self._worker, self._outbox, self._pull = name, source, worker, outbox, pull
        self._mic = messages.MicState("idle", "", "")
        self._binary = False
        self._receive_lock = RLock()
        self._counted = float("-inf")
        self._prefix: tuple[int, ...] | None = None
        self._receiver = Receiver(worker, outbox.acknowledge, self._tell_page)
        self._player = FilePlayer(worker, self._tell_playing, self._file_failed, self._stream_ended)
        self._page_files = PageFiles(self._player, worker.feeder, self._ask_for_bytes)
        self._alarm = Alarm(self._look_at_stream)
        super().__init__()
        self.set_trait("model_info", self._describe_model())
        self.set_trait("loop", worker.gate.to_json())
        self.set_trait("counters", worker.counters)
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
        """A recording has come to its end."""

    # From the browser ------------------------------------------------------------------------------------------------

    def _receive(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        """Validate and enqueue; never raises on what a client sent."""
        self._remember_context()
        # Messages come on the main shell's thread or on a subshell's.
        with self._receive_lock:
            try:
                self._take(messages.parse(content, buffers))
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
                if self._worker.failure is not None:
                    # Nobody would answer; the page ends the recording when it is told.
                    self._session_failed(self._worker.failure)
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
                self._worker.set_loop(message.mode)
            case messages.Step():
                self._worker.step()
            case messages.Interrupt():
                self._worker.interrupt()
            case messages.Reset():
                self.reset()
            case messages.Poll():
                self._outbox.flush()

    def _look_at_stream(self) -> None:
        """Notice a stream that has become quiet: from a page that is gone no message comes, so a timer calls this."""
        with self._receive_lock:
            stream = self._receiver.stream
            if stream is None or not stream.mic:
                return
            self._receiver.look()
            if not self._receiver.quiet:
                self._alarm.set(STALE_SECONDS)
        self._update_state()

    def _welcome(self, hello: messages.Hello) -> None:
        if hello.protocol != messages.PROTOCOL_VERSION:
            sentence = (
                f"The page speaks protocol {hello.protocol}, the kernel {messages.PROTOCOL_VERSION}; reload the page "
                "and restart the kernel so that both come from one installation."
            )
            self._tell_page("version", sentence, hello.page)
            return
        self._binary = hello.binary and not self._pull
        welcome = messages.welcome(
            hello,
            self._pull,
            self._outbox.session,
            self._describe_model(),
            self._worker.settings.to_json(),
            self._worker.live.to_json(),
            {**self._worker.gate.to_json(), "waiting": self._worker.waiting},
            self._player.shown,
        )
        self._outbox.welcome(welcome, hello.seen if hello.session == self._outbox.session else 0)
        failure = self._worker.failure
        if failure is not None and self._source.failure is None:
            # The page may have been opened since. A model that could not be loaded is told by its status.
            self._session_failed(failure, hello.page)
        self._outbox.flush()

    def _play_for(self, message: messages.Play) -> None:
        if self._file_plays(message.page) or not self._receiver.make_way(message.page):
            return
        if self._worker.failure is not None:
            self._session_failed(self._worker.failure)
            return
        self._page_files.play(message)
        self._update_state()

    def _file_plays(self, page: str) -> bool:
        """Whether a file plays; the page that wants to send audio is told."""
        if self._player.active:
            sentence = "A file plays in this widget; stop it first, or wait until it has ended."
            self._tell_page("busy_elsewhere", sentence, page)
        return self._player.active

    def _act_on_file(self, message: messages.FileAction) -> None:
        if message.action == "stop":
            # A person may stop any file; a page that goes ends its own.
            self._player.end(message.reason, None if message.reason == "stopped" else message.page)
        else:
            self._player.hold(message.action == "pause")

    def _ask_for_bytes(self, stream: int, offset: int, length: int, page: str) -> None:
        self._put(messages.need(stream, offset, length, page))

    def _set(self, message: messages.Set) -> None:
        try:
            self._change(message.changes)
        except AiWidgetsError as error:
            named = error.names if isinstance(error, SettingError) else ()
            names = [name for name in message.changes if name in named] or list(message.changes)
            self._answer_refused(str(error), names, message.request)
            # The page shows what it asked for until it is told what holds.
            self.send_state(["settings", "live"])

    def _refuse(self, content: object, error: AiWidgetsError) -> None:
        """Say that a message could not be taken; a page that waits for an answer to it gets one."""
        request = content.get("request") if isinstance(content, Mapping) and content.get("type") == "set" else None
        if isinstance(request, int) and 0 < request <= messages.MAX_COUNT:
            self._answer_refused(str(error), [], request)
        else:
            self._report("message", str(error))

    def _answer_refused(self, sentence: str, names: Sequence[str], request: int) -> None:
        """Every request has its answer, so this is not one of the problems whose repeats are coalesced."""
        logger.info("setting: %s", sentence)
        self._put(messages.problem("setting", sentence, names=names, request=request))

    def _fetch(self, message: messages.Fetch) -> None:
        samples = self._worker.record.chunk_audio(message.chunk)
        self._put(*messages.audio(message, samples, self._binary))

    # To the browser --------------------------------------------------------------------------------------------------

    def _put(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Send a message at once, or queue it where pages ask for what is queued."""
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
        state = self._worker.gate.to_json()
        self.set_trait("loop", state)
        self._put(messages.loop(**state, waiting=self._worker.waiting))

    def _tell_playing(self, file: dict[str, Any]) -> None:
        self._update_state()
        self._outbox.put_playing(messages.playing(file))
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
        """Tell of the model once the context has begun with another prefix than the page was told of."""
        prefix = self._worker.prefix
        if prefix is not None and prefix != self._prefix:
            self._prefix = prefix
            self._publish_model()

    def _publish_model(self) -> None:
        """Tell of the model where it is not as it was: loaded, or with another prefix."""
        info = self._describe_model()
        if info != self.model_info:
            self.set_trait("model_info", info)
            self._put(messages.model_status(info))

    def _session_failed(self, error: Exception, page: str = "") -> None:
        self._tell_page("model", describe(error), page, details(error))

    def _describe_model(self) -> dict[str, Any]:
        info: dict[str, Any] = {"status": self._source.status, "name": self._name, "detail": "", **UNKNOWN}
        if info["status"] == "loading" and self._source.progress is not None:
            info["detail"] = dict(zip(("done", "total"), self._source.progress, strict=True))
        elif (model := self._source.loaded) is not None:
            info["detail"] = " · ".join([str(model.placement), *model.notes])
            try:
                info.update(vocabulary(model, self._worker.settings, self._worker.prefix))
            except SettingError as error:
                # Settings were chosen before the model was there; a session cannot be opened with them.
                info["detail"] = f"{model.placement}. {error}"
        elif info["status"] == "failed" and self._source.failure is not None:
            info["detail"] = describe(self._source.failure)
        return info

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
            counters = self._worker.counters
            if counters != self.counters:
                self.set_trait("counters", counters)

    def _update_state(self) -> None:
        stream = self._receiver.stream
        if self._worker.failure is not None or self._mic.state == "error":
            state = "error"
        elif self._worker.speaking:
            state = "speaking"
        elif self._player.held or (stream is not None and self._mic.state == "paused"):
            state = "paused"
        elif (
            (stream is not None and stream.expected > 0 and not self._receiver.quiet)
            or self._worker.waiting
            or self._player.active
        ):
            state = "listening"
        elif self._mic.state == "asking":
            state = "asking"
        else:
            state = "stopped" if len(self._worker.record) else "idle"
        if state != self.state:
            self.set_trait("state", state)
