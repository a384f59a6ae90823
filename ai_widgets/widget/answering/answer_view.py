"""`AnswerView`: a widget that answers one clip at a time, and shows the answer token by token."""

from __future__ import annotations

import base64
import binascii
import io
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy.typing as npt
import traitlets

from ...audio.clips import clips
from ...errors import AiWidgetsError, MessageError, SessionError, SettingError
from ...process_exit import PipelineThread
from ...session.answer import ANSWER_SETTINGS, Answer
from ...settings import Settings
from ..front_end import STATIC, check_built, text_of
from ..loading import ModelSource, given_name, loader
from ..wire.answer_messages import MAX_FILE_BYTES, Answered, Ask, Cancel
from ..wire.comm import ShellSafeWidget
from ..wire.host import shows_only_answers

if TYPE_CHECKING:
    import torch

    from ...session.listening import ListeningModel

TELL_SECONDS = 0.15
"""Least seconds between two updates of the page while tokens are drawn: each update holds all tokens so far."""
VIEW_TOKENS = 128
"""Default maximum number of tokens of an answer in the widget: two or three sentences."""
logger = logging.getLogger(__name__)


class PageAudio(io.BytesIO):
    """A file of the page in memory, with its name for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


@dataclass(frozen=True)
class Request:
    """What is to be answered: audio and its rate (as in `Model.answer`), its name for people, and the text."""

    audio: Any
    rate: int | None
    heard: str
    text: str


class AnswerView(ShellSafeWidget):
    """Ask about one clip of at most 20 s: transcription, translation, questions (the offline tasks of the model card).

    Parameters
    ----------
    model
        `tiny`, a folder, a hub id, or a `Model` that is loaded already. The embedded checkpoint was not trained on
        these tasks, and its answers say so.
    device, dtype, revision
        As in `load_model`.
    max_tokens
        Maximum number of tokens of an answer.
    **settings
        As in `Model.answer`, such as ``greedy=True``.

    Attributes
    ----------
    answer : dict
        What the page shows (`wire.answer_messages.Answered`). Synced.

    Examples
    --------
    >>> view = aiw.AnswerView(greedy=True)
    >>> view.ask("clip:digit", "What was said?").text
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    answer = traitlets.Dict(read_only=True).tag(sync=True)
    _kernel_owned = ("answer",)

    def __init__(
        self,
        model: str | Path | ListeningModel = "tiny",
        *,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        revision: str | None = None,
        max_tokens: int = VIEW_TOKENS,
        **settings: Any,
    ) -> None:
        check_built()
        for name in settings:
            if name not in ANSWER_SETTINGS:
                raise SettingError.unknown(name, ANSWER_SETTINGS)
        self._options = {"max_tokens": max_tokens, **settings}
        chosen = Settings.of(settings)
        self._state = Answered("loading", given_name(model, chosen))
        self._source = ModelSource(loader(model, device, dtype, revision), self._loading_changed)
        self._lock = Lock()
        self._busy = self._cancelled = False
        super().__init__()
        self._show()
        self.on_msg(self._receive)
        self._source.start()

    @traitlets.default("_esm")
    def _front_end(self) -> str:
        return text_of(STATIC / "answer.js")

    @traitlets.default("_css")
    def _style(self) -> str:
        return text_of(STATIC / "answer.css")

    def ask(
        self,
        audio: str | os.PathLike[str] | BinaryIO | npt.ArrayLike,
        text: str | None = None,
        *,
        rate: int | None = None,
    ) -> Answer:
        """Answer a clip, show the answer while it is drawn, and return it at its end.

        Parameters
        ----------
        audio, text, rate
            As in `Model.answer`.

        Raises
        ------
        SessionError
            If an answer is being drawn, or the model has no offline tasks.
        Exception
            What `Model.answer` and loading the model raise.
        """
        heard = str(audio) if isinstance(audio, (str, os.PathLike)) else "samples"
        request = Request(audio, rate, heard, text or "")
        self._begin(request)
        return self._answer(request)

    def close(self) -> None:
        """End the answer, release the model, remove the widget."""
        if hasattr(self, "_source"):
            self._cancelled = True
            self._source.stop()
        super().close()

    def _begin(self, request: Request) -> None:
        """Begin an answer, and show that it is drawn.

        Raises
        ------
        SessionError
            If another one is being drawn.
        """
        with self._lock:
            if self._busy:
                raise SessionError("An answer is being drawn; wait for its end, or press Stop.")
            self._busy, self._cancelled = True, False
            self._state = Answered("running", self._state.model, request.heard, request.text)
        self._show()

    def _answer(self, request: Request) -> Answer:
        try:
            model: Any = self._source.wait()
            if not hasattr(model, "answer"):
                raise SessionError(f"{model.name} has no offline tasks: it is a rule for turns, not a language model.")
            answer: Answer = model.answer(request.audio, request.text or None, rate=request.rate, **self._options)
            told = 0.0
            for _ in answer:
                if self._cancelled:
                    break
                if monotonic() - told >= TELL_SECONDS:
                    told = monotonic()
                    self._update(**_of(answer))
            self._update(ends=True, state="done", **{"ended": "interrupted", **_of(answer)})
        except BaseException as error:
            known = isinstance(error, AiWidgetsError)
            sentence = str(error) if known else f"The answer failed ({type(error).__name__}: {error})."
            self._update(ends=True, state="failed", problem=sentence)
            raise
        return answer

    def _update(self, *, ends: bool = False, **changes: Any) -> None:
        """Change fields of the state and show it; `ends`: the next request is taken from now on."""
        with self._lock:
            self._state = msgspec.structs.replace(self._state, **changes)
            self._busy = self._busy and not ends
        self._show()

    def _show(self) -> None:
        """Show the newest state, which another thread may have changed since."""
        with self._send_lock:
            self.set_trait("answer", msgspec.to_builtins(self._state))

    def _loading_changed(self) -> None:
        source = self._source
        if source.status == "ready" and self._state.state == "loading":
            self._update(state="ready")
        elif source.status == "failed":
            self._update(state="failed", problem=str(source.failure))

    def _receive(self, _: object, content: object, __: list[Any]) -> None:
        """Check a message of the page and begin what it asks for; a bad message is answered, never raised."""
        self._remember_context()
        try:
            message = _checked(content)
            if isinstance(message, Cancel):
                self._cancelled = True
                return
            request = _request(message)
            self._begin(request)
        except AiWidgetsError as error:
            self._update(problem=str(error))
            return
        if shows_only_answers():
            # The host shows no updates of other threads, so the answer is drawn while the message is handled.
            self._run(request)
            return
        PipelineThread(lambda: self._run(request), "ai_widgets answer").start()

    def _run(self, request: Request) -> None:
        try:
            self._answer(request)
        except AiWidgetsError:
            logger.info("The request was refused.", exc_info=True)
        except Exception:
            logger.exception("The answer failed.")

    def __repr__(self) -> str:
        if not hasattr(self, "_state"):
            return object.__repr__(self)
        said = "".join(token["text"] for token in self._state.tokens)
        return f"<AnswerView {self._state.model}, {self._state.state}{f': {said!r}' if said else ''}>"


def _of(answer: Answer) -> dict[str, Any]:
    """Return what of an answer is shown; an end only where it has one."""
    return {
        "tokens": tuple(token.to_json() for token in answer.tokens),
        "emotion": "" if answer.emotion is None else answer.emotion.value,
        "notes": answer.notes,
        **({} if answer.ended is None else {"ended": answer.ended}),
    }


def _checked(content: object) -> Ask | Cancel:
    try:
        return msgspec.convert(content, Ask | Cancel)
    except msgspec.ValidationError as error:
        raise MessageError(f"The page's message was refused: {error}.") from error


def _request(message: Ask) -> Request:
    if message.clip:
        if message.clip not in clips:
            raise MessageError(clips.unknown(message.clip))
        return Request(clips[message.clip], None, f"clip:{message.clip}", message.text)
    try:
        data = base64.b64decode(message.data, validate=True)
    except binascii.Error as error:
        raise MessageError("The page's file is no base64.") from error
    if not data or len(data) > MAX_FILE_BYTES:
        raise MessageError(f"A file must have from 1 to {MAX_FILE_BYTES:,} bytes, not {len(data):,}.")
    name = message.name or "the file"
    return Request(PageAudio(data, name), None, name, message.text)
