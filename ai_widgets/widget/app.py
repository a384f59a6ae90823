"""`AudioInteraction`: the widget. It adapts the worker to Jupyter's comm and decides nothing itself."""

from __future__ import annotations

import contextvars
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import numpy.typing as npt
import traitlets

from ..audio import check_rate, load_audio, mono
from ..errors import AiWidgetsError, MessageError
from ..importing import collector_paused
from ..protocol import SAMPLE_RATE
from ..record import AUDIO_SECONDS, SessionRecord
from ..settings import Settings
from . import messages
from .loading import ModelSource
from .outbox import Outbox
from .worker import Worker, describe, details

if TYPE_CHECKING:
    import torch

    from ..inference import Model

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
BUNDLE = STATIC / "widget.js"
REPLY_TOKENS = 256
"""Default limit of one reply: in a live demo a model that rambles should come back to listening."""
DEFAULTS: dict[str, Any] = {"max_reply_tokens": REPLY_TOKENS}


class AudioInteraction(anywidget.AnyWidget):  # type: ignore[misc]
    """Record the browser's microphone (or play a file), and watch the model perceive, decide and respond.

    Parameters
    ----------
    model
        `tiny` (embedded), a folder, a hub id, or a `Model` that is loaded already. Loading runs in the background; the
        widget can be used at once and answers as soon as the model is there.
    device, dtype, revision
        As in `load_model`.
    audio_seconds
        How much of the newest audio `record.audio` keeps.
    **settings
        Fields of `Settings`, such as ``greedy=True`` or ``bias=0.5``.

    Attributes
    ----------
    state : str
        `idle`, `asking` (for the microphone), `listening`, `speaking`, `stopped` or `error`. Synced.
    record : SessionRecord
        Events and audio of the running session, with `decisions` and `turns` as DataFrames.
    """

    _esm: ClassVar[Path | str] = BUNDLE if BUNDLE.exists() else ""
    _css: ClassVar[Path | str] = STATIC / "widget.css" if BUNDLE.exists() else ""

    state = traitlets.Unicode("idle", read_only=True).tag(sync=True)
    model_info = traitlets.Dict(read_only=True).tag(sync=True)
    settings = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(
        self,
        model: str | Path | Model = "tiny",
        *,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        revision: str | None = None,
        audio_seconds: float | None = AUDIO_SECONDS,
        **settings: Any,
    ) -> None:
        if not BUNDLE.exists():
            raise AiWidgetsError(
                "The widget's front end is not built; run `make setup` in a clone, or install a released wheel."
            )
        chosen = Settings.of({**DEFAULTS, **settings})
        self._send_lock = RLock()
        self._message_context: contextvars.Context | None = None
        self._pull = "google.colab" in sys.modules
        self._mic = messages.MicState("idle", "", "")
        self._stream: _Stream | None = None
        self._outbox = Outbox(self.send, lambda: self.record, lambda: self.waiting, self._send_lock)
        name = str(model) if isinstance(model, (str, Path)) else model.loaded.name
        self._source = ModelSource(_loader(model, device, dtype, revision), self._model_changed)
        self._worker = Worker(self._source, chosen, self._worker_changed, self._session_failed, audio_seconds)
        super().__init__()
        self.set_trait("settings", chosen.to_json())
        self._name = name
        self.set_trait("model_info", self._describe_model())
        self.on_msg(self._receive)
        self._source.start()

    # Python side -----------------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """Events and audio of the running session."""
        return self._worker.record

    @property
    def model(self) -> Model:
        """The model; waits until it is loaded and raises what loading raised."""
        return self._source.wait()

    @property
    def error(self) -> Exception | None:
        """What stopped the session, or None."""
        return self._worker.failure

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are not decided yet."""
        return self._worker.waiting

    def feed(
        self, samples: npt.ArrayLike, rate: int, *, end: bool = False, tail_silence: float = 1.0, wait: bool = True
    ) -> None:
        """Feed audio from Python, through the same path as the microphone's.

        Parameters
        ----------
        samples
            Mono, or with channels (averaged); floats in [-1, 1] or integers; any length.
        rate
            Samples per second. Calls continue one stream: what does not fill a chunk waits for the next call.
        end
            The recording ends here: the rest is padded to a chunk and `tail_silence` seconds of silence follow, so that
            the model can reply to what it heard last.
        wait
            Return only when everything is answered.
        """
        array, checked = mono(samples), check_rate(rate)
        if len(array):
            self._worker.push(array, checked)
        if end:
            self._worker.end_stream(tail_silence)
        if wait:
            self.wait()
        failure = self.error
        if failure is not None:
            raise failure

    def play(self, path: str | Path, *, tail_silence: float = 1.0, wait: bool = True) -> None:
        """Feed an audio file as one recording."""
        self.feed(load_audio(path), SAMPLE_RATE, end=True, tail_silence=tail_silence, wait=wait)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all audio so far is answered. False when `timeout` seconds passed first."""
        return self._worker.wait(timeout)

    def interrupt(self) -> None:
        """End the running reply; listening goes on."""
        self._worker.interrupt()

    def reset(self) -> None:
        """Begin a new session: empty record, bare prefix. An open microphone stays open and feeds the new one."""
        self._outbox.begin_session(self._worker.reset)
        self._update_state()
        self._outbox.flush()

    def close(self) -> None:
        """End the threads and remove the widget. The record stays."""
        # ipywidgets also closes what is thrown away, and that may be a widget whose arguments were refused.
        if hasattr(self, "_worker"):
            self._worker.close()
        super().close()

    # From the browser ------------------------------------------------------------------------------------------------

    def _receive(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        """Validate and enqueue; never raises on what a client sent."""
        # Later sends run in this message's context: ipykernel routes by it (see `_send`).
        self._message_context = contextvars.copy_context()
        try:
            message = messages.parse(content, buffers)
            self._take(message)
        except AiWidgetsError as error:
            self._report("message", str(error))
        if self._pull:
            self._outbox.flush()

    def _take(self, message: messages.Message) -> None:
        match message:
            case messages.Hello():
                self._welcome(message)
            case messages.Open():
                self._open(message)
            case messages.Block():
                self._block(message)
            case messages.Close():
                self._end_stream(message)
            case messages.MicState():
                self._mic = message
                self._update_state()
            case messages.Interrupt():
                self.interrupt()
            case messages.Reset():
                self.reset()
            case messages.Poll():
                self._outbox.flush()

    def _welcome(self, hello: messages.Hello) -> None:
        if hello.protocol != messages.PROTOCOL_VERSION:
            self._report(
                "version",
                f"The page speaks protocol {hello.protocol}, the kernel {messages.PROTOCOL_VERSION}; reload the page "
                "and restart the kernel so that both come from one installation.",
            )
            return
        welcome = messages.welcome(hello.binary, self._pull, self._outbox.session, self._describe_model())
        self._outbox.welcome(welcome, hello.seen)
        self._outbox.flush()

    def _open(self, message: messages.Open) -> None:
        # A reloaded page counts from 1 again, so any number is taken; a stream that was open can send no more.
        if self._stream is not None:
            self._worker.remark("stream_ended", "The recording before was never closed; it ends here.")
            self._worker.end_stream()
        self._stream = _Stream(message)
        self._update_state()

    def _block(self, block: messages.Block) -> None:
        stream = self._stream
        if stream is None or block.stream != stream.number:
            raise MessageError(f"Block {block.seq} belongs to stream {block.stream}, which is not open.")
        if block.seq < stream.expected:
            self._worker.remark("duplicate_block", f"Block {block.seq} came twice; the second was left out.")
            return
        if block.seq > stream.expected:
            lost = block.seq - stream.expected
            self._worker.remark("lost_blocks", f"{lost} blocks of audio were lost on the way.", blocks=lost)
        stream.expected = block.seq + 1
        # Audio of a file comes as fast as it can be taken, so only a microphone's can be said to have waited.
        flags = ("waited",) if self._worker.speaking and stream.source == "mic" else ()
        self._worker.push(block.samples, block.rate, flags, lambda: self._outbox.acknowledge(block.stream, block.seq))
        if block.seq == 0:
            self._update_state()

    def _end_stream(self, message: messages.Close) -> None:
        stream = self._stream
        if stream is None or message.stream != stream.number:
            raise MessageError(f"Stream {message.stream} is not open.")
        lost = message.blocks - stream.expected
        if lost > 0:
            self._worker.remark("lost_blocks", f"{lost} blocks of audio were lost at the end.", blocks=lost)
        if message.reason not in ("stopped", "ended"):
            self._worker.remark("stream_ended", f"The recording ended early ({message.reason}).", reason=message.reason)
        self._worker.end_stream(stream.tail_s)
        self._stream = None
        self._update_state()

    # To the browser --------------------------------------------------------------------------------------------------

    def _worker_changed(self, final: bool) -> None:
        self._update_state()
        if not self._pull and (final or self._outbox.due):
            self._outbox.flush()

    def _model_changed(self) -> None:
        info = self._describe_model()
        self.set_trait("model_info", info)
        self._outbox.put(messages.model_status(info))
        failure = self._source.failure
        if failure is not None:
            self._session_failed(failure)
        self._worker_changed(True)

    def _session_failed(self, error: Exception) -> None:
        self._report("model", describe(error), details(error))

    def _describe_model(self) -> dict[str, Any]:
        info: dict[str, Any] = {"status": self._source.status, "name": self._name, "detail": ""}
        if info["status"] == "ready":
            info["detail"] = str(self._source.model().placement)
        elif info["status"] == "failed" and self._source.failure is not None:
            info["detail"] = describe(self._source.failure)
        return info

    def _report(self, code: str, message: str, detail: str = "") -> None:
        logger.info("%s: %s", code, message)
        self._outbox.put_problem(code, message, detail)
        if not self._pull:
            self._outbox.flush()

    def _update_state(self) -> None:
        stream = self._stream
        if self._worker.failure is not None or self._mic.state == "error":
            state = "error"
        elif self._worker.speaking:
            state = "speaking"
        elif (stream is not None and stream.expected > 0) or self.waiting:
            state = "listening"
        elif self._mic.state == "asking":
            state = "asking"
        else:
            state = "stopped" if len(self.record) else "idle"
        if state != self.state:
            self.set_trait("state", state)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        """Send on the comm so that ipykernel 7 keeps delivering our audio on its own subshell.

        A comm remembers the shell that sent on it last and routes the browser's next messages there. A send from the
        main thread or a worker would divert audio to the main shell, where it waits for whatever cell is running. So
        every send runs in the context of the browser's last message, and the memory is wiped after it.
        """
        send = super()._send
        with self._send_lock:
            context = self._message_context
            if context is None:
                send(msg, buffers=buffers)
            else:
                context.copy().run(send, msg, buffers=buffers)
            self._forget_shell()

    def open(self) -> None:
        """Open the comm (called by ipywidgets)."""
        super().open()
        self._forget_shell()

    def _forget_shell(self) -> None:
        comm: Any = self.comm
        if comm is not None:
            vars(comm).pop("_reply_subshell_id", None)


class _Stream:
    """The recording that is open; `expected` is the number of its next block."""

    def __init__(self, message: messages.Open) -> None:
        self.number, self.source, self.tail_s = message.stream, message.source, message.tail_s
        self.expected = 0


def _loader(
    model: str | Path | Model, device: str | torch.device, dtype: str | torch.dtype, revision: str | None
) -> Any:
    if not isinstance(model, (str, Path)):
        return lambda: model

    def load() -> Model:
        with collector_paused():
            from ..inference import load_model

        return load_model(model, device, dtype, revision)

    return load
