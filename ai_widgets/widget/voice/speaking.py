"""`Speaking`: the part of the widget's Python interface that speaks replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ...errors import SettingError
from .voice import Speak

if TYPE_CHECKING:
    from ..channels.session_channel import SessionChannel

F = TypeVar("F", bound=Speak)


class Speaking:
    """The voice of a widget with a channel."""

    _channel: SessionChannel

    def on_reply(self, speak: F | None) -> F | None:
        """Speak each complete reply with a function of text-to-speech; usable as a decorator.

        The function runs on a thread of its own, and chunks are decided meanwhile. The page that records plays the
        sound; without one, the page that was opened last. While it plays, the live setting `reading` decides about the
        microphone: with `mute` the model hears silence, flagged `gated`, and never its own voice; with `listen` the
        microphone stays on, with echo cancellation.

        The record marks each spoken reply with a notice `voice`. What the function raises becomes a notice
        `voice_failed` with its sentence, and the session continues.

        Parameters
        ----------
        speak
            ``speak(text, turn)``: called with the reply's text and its `Turn`. It returns ``(samples, rate)``, as for
            `feed`, at most two minutes of sound, or None to say nothing. None: replies are no longer spoken.

        Returns
        -------
        callable or None
            `speak`.

        Raises
        ------
        SettingError
            `speak` cannot be called.

        Examples
        --------
        >>> import numpy as np
        >>> def beep(text, turn):
        ...     return 0.2 * np.sin(np.arange(8000) * 0.2), 16_000
        >>> w.on_reply(beep)  # doctest: +SKIP
        """
        if speak is not None and not callable(speak):
            raise SettingError(f"on_reply takes a function of (text, turn), or None, not {type(speak).__name__}.")
        self._channel.speak(speak)
        return speak
