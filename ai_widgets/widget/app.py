"""`AudioInteraction`: the widget. It adapts the pipeline to Jupyter's comm and decides nothing itself."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import traitlets

from ..audio.files import open_audio
from ..audio.intake import check_rate, mono
from ..errors import SessionError, SettingError
from ..record.record import AUDIO_SECONDS, KeepAudio, SessionRecord
from ..settings import WIDGET_REPLY_TOKENS, Settings
from .assigning import check_assignment
from .files.file_stream import FileStream
from .front_end import BUNDLE, STYLE, check_built, text_of
from .history_writer import HistoryKeeper
from .live_settings import LiveSettings, parted
from .loading import ModelSource, loader
from .pipeline import Pipeline
from .representations import ShownWidget
from .stages.items import Owner
from .wire.limits import PACES, Pace
from .wire.outbox import Outbox

if TYPE_CHECKING:
    import torch

    from ..inference import Model

DEFAULTS: dict[str, Any] = {"max_reply_tokens": WIDGET_REPLY_TOKENS}
"""Session settings of a widget where it differs from a bare session."""


class AudioInteraction(ShownWidget):
    """Record the browser's microphone (or play a file), and watch the model perceive, decide and respond.

    Parameters
    ----------
    model
        `tiny` (embedded), a folder, a hub id, or a `Model` that is loaded already. Loading runs in the background; the
        widget can be used at once and answers as soon as the model is there.
    device, dtype, revision
        As in `load_model`. (The microphone is the live setting `device`: ``w.set(device=…)``.)
    audio_seconds, keep_audio, audio_path
        What `record.audio` keeps: the newest ten minutes by default; see `SessionRecord`.
    **settings
        Fields of `Settings`, such as ``greedy=True`` or ``bias=0.5``, and of `LiveSettings`, such as
        ``arrival="drop"``.

    Attributes
    ----------
    state : str
        `idle`, `asking` (for the microphone), `listening`, `paused`, `speaking`, `stopped` or `error`. Synced, as are
        all of the following.
    settings, live : dict
        What `Settings` and `LiveSettings` hold. A dict that is assigned changes what it names; see `set`.
    settings_schema : list of dict
        Name, type, words and group of every setting, from which pages draw the settings panel.
    loop : dict
        `mode` (`run`, `pause`, `step`), `phase` (`perceive`, `decide`, `respond`: done last, or at work), its `chunk`.
    counters : dict
        Chunks `waiting`, `lag_s`, `dropped_chunks`, `dropped_s`, and `discarded_s`: seconds of audio no longer kept.
    history : dict
        The newest part of the record, compact and bounded (`history.py`): what a saved notebook shows.
    transcript : str
        Class of the saved transcript's element, which pages hide while they show the view (`showing.py`).
    record : SessionRecord
        Events and audio of the running session, with `decisions` and `turns` as DataFrames. Not synced.
    """

    # Text and not paths: anywidget would tie each widget to a signal of the file, which keeps it alive for good.
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    history = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(
        self,
        model: str | Path | Model = "tiny",
        *,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        revision: str | None = None,
        audio_seconds: float | None = AUDIO_SECONDS,
        keep_audio: KeepAudio = True,
        audio_path: str | Path | None = None,
        **settings: Any,
    ) -> None:
        check_built()
        session, live = parted(settings)
        chosen, lively = Settings.of({**DEFAULTS, **session}), LiveSettings.of(live)
        name = str(model) if isinstance(model, (str, Path)) else model.loaded.name
        source = ModelSource(loader(model, device, dtype, revision), self._model_changed)
        pipeline = Pipeline(
            source, chosen, lively, self._owner(), lambda: SessionRecord(audio_seconds, keep_audio, audio_path)
        )
        self._send_lock = RLock()
        pull = "google.colab" in sys.modules
        outbox = Outbox(self.send, lambda: self.record, lambda: self.waiting, self._send_lock, pull=pull)
        self._keeper = HistoryKeeper(self._keep)
        self._keeper.follow(pipeline.record, outbox.session)
        super().__init__(name, source, pipeline, outbox, pull)
        self._publish_settings()
        self._source.start()

    @traitlets.default("_esm")
    def _front_end(self) -> str:
        return text_of(BUNDLE)

    @traitlets.default("_css")
    def _style(self) -> str:
        return text_of(STYLE)

    # Python side -----------------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """Events and audio of the running session."""
        return self._pipeline.record

    @property
    def model(self) -> Model:
        """The model; waits until it is loaded and raises what loading raised."""
        return self._source.wait()

    @property
    def error(self) -> Exception | None:
        """What stopped the session, or None."""
        return self._pipeline.failure

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are not decided yet."""
        return self._pipeline.waiting

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
            Return only when everything is answered, or the loop is paused. An interrupt of the cell ends the
            waiting; the audio is answered all the same.

        Raises
        ------
        SessionError
            Where a page records or plays into this widget: two sources are never mixed. Or the widget is closed.
        AudioError
            Where `samples` or `rate` is no audio.
        Exception
            What ended the session.
        """
        array, checked = mono(samples), check_rate(rate)
        if end:
            self._keeper.recording_ended()
        with self._receive_lock:
            if self._player.active:
                raise SessionError("A file plays in this widget; wait for its end (`wait()`) or end it (`stop()`).")
            self._receiver.feed(array, checked, end=end, tail_s=tail_silence)
        if wait:
            self.wait()
        failure = self.error
        if failure is not None:
            raise failure

    def play(self, path: str | Path, *, tail_silence: float = 1.0, wait: bool = True, pace: Pace = "fast") -> None:
        """Play an audio file as one recording, after the files that play already.

        The file is read and decoded in pieces, only as fast as chunks are decided: its length does not matter. Pages
        show its position; `playing` tells it here.

        Parameters
        ----------
        path
            Any file that `load_audio` reads.
        tail_silence
            Seconds of silence that follow, so that the model can reply to what it heard last.
        wait
            Return only when everything is answered, or the loop or the file is paused. An interrupt of the cell ends
            the waiting; the file plays on until its end, or until `stop`.
        pace
            `fast`: as fast as chunks are decided. `realtime`: no faster than it would be spoken.

        Raises
        ------
        AudioError
            The file cannot be read as audio. With `wait` also where it turns out damaged later: what was read until
            then is answered and recorded.
        SessionError
            A page is recording.

        Examples
        --------
        >>> w.play("lecture.mp3", wait=False)  # doctest: +SKIP
        >>> w.playing["position_s"]  # doctest: +SKIP
        754.4
        """
        if pace not in PACES:
            raise SettingError(f"pace must be one of {', '.join(PACES)}, not {pace!r}.")
        # A file that is none is known here, and not on the thread that plays.
        with open_audio(path, longest_s=None):
            pass
        name = Path(path).name
        read = partial(open_audio, path, name=name, longest_s=None)
        with self._receive_lock:
            self._receiver.claim(apart=True)
            stream = FileStream(name, read, self._pipeline.feeder(), tail_silence, pace)
            self._player.play(stream)
        if not wait:
            return
        try:
            self.wait()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{stream.name} plays on; `stop()` of the widget ends it.") from None
        failure = self.error or stream.error
        if failure is not None:
            raise failure

    @property
    def playing(self) -> dict[str, Any] | None:
        """The file that plays, or None.

        Its `name`, `state` (`opening`, `playing`, `paused`), `position_s`, `seconds` (None where the file does not
        say), `speed` (× real time) and `left_s`, both None until they are known.
        """
        return self._player.playing

    def stop(self) -> None:
        """End the file that plays, and those after it. What was read of it is answered."""
        self._player.end()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all audio so far is answered.

        False when `timeout` seconds passed first, or where the loop or the file that plays is paused.
        """
        started = monotonic()
        if not self._player.wait(timeout, unless=lambda: self._pipeline.gate.blocked):
            return False
        return self._pipeline.wait(None if timeout is None else max(0.0, timeout - (monotonic() - started)))

    def set(self, **changes: Any) -> None:
        """Change settings of the session and live ones by name, all of them or none.

        They hold from the next chunk that is decided, and a notice on the timeline says so. With another system prompt
        the context starts over there.
        """
        self._change(changes)

    def pause(self) -> None:
        """Pause the loop before its next phase. Audio still arrives, and is queued."""
        self._pipeline.set_loop("pause")

    def resume(self) -> None:
        """Let the loop run again."""
        self._pipeline.set_loop("run")

    def step(self, wait: bool = True) -> None:
        """Pause the loop and run its next phase: perceive, decide or respond. Nothing where no audio is queued."""
        self._pipeline.step()
        if wait:
            self.wait()

    def interrupt(self) -> None:
        """End the running reply; listening goes on."""
        self._pipeline.interrupt()

    def reset(self) -> None:
        """Begin a new session: empty record, bare prefix.

        An open microphone stays open and feeds the new one; a file that plays ends.
        """
        self._player.forget()
        self._outbox.begin_session(self._pipeline.reset)
        self._receiver.begin_session()
        self._keeper.follow(self._pipeline.record, self._outbox.session)
        self.set_trait("history", {})
        self._save_transcript()
        self._events_came(True)

    def close(self) -> None:
        """Stop loading and replying, end the threads, release model and session, remove the widget. The record stays.

        ipywidgets holds every widget that was not closed, also one whose variable was assigned anew.
        """
        # ipywidgets also closes what is thrown away, and that may be a widget whose arguments were refused.
        if hasattr(self, "_pipeline"):
            self._alarm.close()
            self._player.close()
            self._outbox.close()
            self._pipeline.close()
            if self.comm is not None:
                self._keeper.flush()
                self._events_came(True)
                super().close()
                self._save_transcript()
        super().close()

    def __setattr__(self, name: str, value: Any) -> None:
        check_assignment(self, name, value, derived=type(self).__name__ != AudioInteraction.__name__)
        super().__setattr__(name, value)

    # Called by the pipeline ------------------------------------------------------------------------------------------

    def _owner(self) -> Owner:
        return Owner(
            events_came=self._events_came,
            loop_changed=self._tell_loop,
            session_failed=self._session_failed,
            overloaded=lambda message: self._report("overload", message),
            parked=self._keep_history,
        )

    def _events_came(self, final: bool) -> None:
        super()._events_came(final)
        self._keeper.look(idle=final and not self.waiting)

    def _keep_history(self) -> None:
        self._keeper.flush()

    def _keep(self, history: dict[str, Any], settled: bool) -> None:
        self.set_trait("history", history)
        if settled:
            self._save_transcript()

    def _stream_ended(self) -> None:
        self._keeper.recording_ended()
