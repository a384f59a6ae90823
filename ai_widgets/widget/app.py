"""`AudioInteraction`: the widget. It joins traits, comm and notebook to its channel, and decides nothing itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import traitlets

from ..audio.intake import check_rate, mono
from ..record.folder import check_keep
from ..record.record import AUDIO_SECONDS, SessionRecord
from ..record.transcript import summary
from ..settings import WIDGET_REPLY_TOKENS, Settings
from .assigning import StateTrait, check_assignment, completed
from .branches.forking import Forking
from .channel import Channel
from .channels.session_channel import SessionChannel
from .front_end import Engine, check_built, text_of
from .live_settings import LiveSettings, described, parted
from .loading import given_name, loader
from .page_engine.channel import PageChannel
from .page_engine.suitable import check_suitable
from .recordings.shown_record import ShowsRecord
from .representations import WidgetView
from .voice.speaking import Speaking
from .wire.comm import ShellSafeWidget
from .wire.host import shows_only_answers
from .wire.limits import Pace

if TYPE_CHECKING:
    import torch

    from ..session.listening import ListeningModel

DEFAULTS: dict[str, Any] = {"max_reply_tokens": WIDGET_REPLY_TOKENS}
"""Session settings of a widget where it differs from a bare session."""


class AudioInteraction(Forking, Speaking, ShowsRecord, ShellSafeWidget):
    """Record the browser's microphone (or play a file), and watch the model perceive, decide and respond.

    Parameters
    ----------
    model
        `tiny` (embedded), a folder, a hub id, a `Model` that is loaded already, or a baseline policy such as
        ``aiw.policies.Silero()``; or a class server, ``wss://…``. The widget can be used while it loads.
    device, dtype, revision, token
        As in `load_model`, and the token of a class server. (The microphone is the live setting `device`.)
    engine
        Where the session runs: `kernel`; or `page`: in the browser, also while the kernel is busy, for models of at
        most 100 million weights. Its record arrives in the kernel (docs/page.md).
    audio_seconds
        Length of the newest audio that `record.audio` keeps in memory, in seconds; None keeps all, 0 none.
    keep
        Folder into which every session is written while it happens (`SessionRecord.load` opens it); None: memory only.
    keep_raw
        With `keep`, also keep the audio as it arrived, where its rate is not 16 kHz (`SessionRecord`).
    save_viewer
        Whether a saved notebook keeps the viewer of a session of at most five minutes: 0.2 to 1 MB.
    **settings
        Fields of `Settings`, such as ``greedy=True``, and of `LiveSettings`, such as ``arrival="drop"``.

    Attributes
    ----------
    state : str
        `idle`, `asking` (for the microphone), `listening`, `paused`, `speaking`, `stopped` or `error`. Synced, as are
        all of the following.
    settings, live : dict
        Values of `Settings` and `LiveSettings`. An assigned dict changes the settings that it names; see `set`.
    settings_schema : list of dict
        Name, type, words and group of every setting, from which pages draw the settings panel.
    loop : dict
        `mode` (`run`, `pause`, `step`), `phase` (`perceive`, `decide`, `respond`: done last, or at work), its `chunk`.
    counters : dict
        Chunks `waiting`, `lag_s`, `dropped_chunks`, `dropped_s`, and `discarded_s` (audio no longer kept).
    history : dict
        The newest part of the record, compact and bounded (`history.py`): what a saved notebook shows.
    transcript : str
        Class of the saved transcript's element, which pages hide while they show the view (`showing.py`).
    record : SessionRecord
        Events and audio of the running session, or of the record that `show` shows. Not synced.
    """

    # Text and not paths: anywidget would tie each widget to a signal of the file, which keeps it alive for good.
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    state = traitlets.Unicode("idle", read_only=True).tag(sync=True)
    settings = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)
    settings_schema = traitlets.List(described(), read_only=True).tag(sync=True)
    loop = StateTrait("the loop is changed with w.pause(), w.resume() and w.step()")
    model_info = StateTrait("another model needs another widget")
    counters = StateTrait("its figures count what the session did")
    history = StateTrait("w.reset() begins a new one")
    transcript = traitlets.Unicode(read_only=True).tag(sync=True)

    _kernel_owned = (
        *("state", "settings", "live", "settings_schema", "loop", "model_info", "counters", "history"),
        "transcript",
    )

    def __init__(
        self,
        model: str | Path | ListeningModel = "tiny",
        *,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        revision: str | None = None,
        token: str | None = None,
        engine: Engine = "kernel",
        audio_seconds: float | None = AUDIO_SECONDS,
        keep: str | Path | None = None,
        keep_raw: bool = True,
        save_viewer: bool = True,
        **settings: Any,
    ) -> None:
        check_suitable(model, engine)
        script, style = check_built(engine)
        session, live = parted(settings)
        chosen, lively = Settings.of({**DEFAULTS, **session}), LiveSettings.of(live)
        name = given_name(model, chosen)
        check_keep(keep)
        self._view = WidgetView(self, f"AudioInteraction {name}", save_viewer)
        kind = PageChannel if engine == "page" else Channel
        self._channel: SessionChannel = kind(
            self._view,
            name,
            loader(model, device, dtype, revision, token),
            chosen,
            lively,
            lambda: SessionRecord(audio_seconds, keep, raw=keep_raw),
            pull=shows_only_answers(),
        )
        self._send_lock = self._view.send_lock
        super().__init__(_esm=text_of(script), _css=text_of(style))
        if not isinstance(model, (str, Path)) and model.language is None:
            # None of the session's settings changes what a policy does, so its page offers none.
            self.set_trait("settings_schema", described(()))
        self.set_trait("transcript", self._view.transcript.name)
        self.on_msg(self._receive)
        self._channel.start()

    @property
    def model(self) -> ListeningModel:
        """The model; waits until it is loaded and raises what loading raised."""
        return self._channel.model

    @property
    def error(self) -> Exception | None:
        """What stopped the session, or None."""
        return self._channel.error

    @property
    def waiting(self) -> int:
        """Chunks that have arrived and are not decided yet."""
        return self._channel.waiting

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
        self._channel.feed(mono(samples), check_rate(rate), end=end, tail_s=tail_silence)
        if wait:
            self.wait()
        failure = self.error
        if failure is not None:
            raise failure

    def play(
        self, path: str | os.PathLike[str], *, tail_silence: float = 1.0, wait: bool = True, pace: Pace = "fast"
    ) -> None:
        """Play an audio file as one recording, after the files that play already.

        The file is decoded in pieces, only as fast as chunks are decided. `playing` and the pages show its position.

        Parameters
        ----------
        path
            Any file that `load_audio` reads, or a clip: ``w.play("clip:rain")``, ``w.play(aiw.clips.rain)``.
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
        stream = self._channel.play(path, tail_silence, pace)
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
        return self._channel.playing

    def stop(self) -> None:
        """End the file that plays, and those after it. Audio that was already read is still decided."""
        self._channel.stop_file()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all audio so far is answered.

        False when `timeout` seconds passed first, or where the loop or the file that plays is paused.
        """
        return self._channel.wait(timeout)

    def set(self, **changes: Any) -> None:
        """Change settings of the session and live ones by name, all of them or none.

        They apply from the next decided chunk on, with a notice on the timeline. Another system prompt starts the
        context over.
        """
        self._channel.change(changes)

    def pause(self) -> None:
        """Pause the loop before its next phase. Audio still arrives, and is queued."""
        self._channel.set_loop(running=False)

    def resume(self) -> None:
        """Resume the loop after `pause` or `step`."""
        self._channel.set_loop(running=True)

    def step(self, wait: bool = True) -> None:
        """Pause the loop and run its next phase: perceive, decide or respond; do nothing if no audio is queued."""
        self._channel.step(wait=wait)

    def interrupt(self) -> None:
        """End the running reply; the session continues."""
        self._channel.interrupt()

    def reset(self) -> None:
        """Begin a new session: empty record, bare prefix.

        An open microphone stays open and feeds the new one; a file that plays ends.
        """
        self._channel.begin_session()

    def close(self) -> None:
        """Stop loading and replying, end the threads, release model and session, remove the widget. The record stays.

        ipywidgets holds every widget that was not closed, also one whose variable was assigned anew.
        """
        # ipywidgets also closes what is thrown away, and that may be a widget whose arguments were refused.
        if hasattr(self, "_channel"):
            self._channel.close()
            if self.comm is not None:
                self._channel.settle()
                super().close()
                self._view.save(self._channel.headline, self.record)
        super().close()

    # For traitlets, ipywidgets and IPython ---------------------------------------------------------------------------

    def _receive(self, _: object, content: object, buffers: list[Any]) -> None:
        self._remember_context()
        self._channel.receive(content, buffers)

    def __setattr__(self, name: str, value: Any) -> None:
        check_assignment(self, name, value, derived=type(self).__name__ != AudioInteraction.__name__)
        if name in ("settings", "live"):
            # What is assigned is completed with what is in effect, so nothing may be changed in between.
            with self._channel.changing:
                super().__setattr__(name, value)
        else:
            super().__setattr__(name, value)

    @traitlets.validate("settings", "live")
    def _check_assigned(self, proposal: Any) -> dict[str, Any]:
        name = proposal["trait"].name
        return completed(name, proposal["value"], self._channel.in_effect[name == "live"])

    @traitlets.observe("settings", "live")
    def _assigned(self, change: Any) -> None:
        in_effect = self._channel.in_effect[change["name"] == "live"].to_json()
        changes = {name: value for name, value in change["new"].items() if in_effect[name] != value}
        if changes:
            self._channel.change(changes)

    def __repr__(self) -> str:
        # A widget whose arguments were refused has no session.
        if not hasattr(self, "_channel"):
            return object.__repr__(self)
        return f"<{self._channel.headline}; {summary(self.record)}>"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        view, metadata = super()._repr_mimebundle_() if self.comm is not None else ({}, {})
        return {**view, **self._view.saved(self._channel.headline, self.record)}, metadata

    def _ipython_display_(self) -> None:
        bundle, metadata = self._repr_mimebundle_()
        self._view.display(bundle, metadata, self._channel.headline, self.record)
