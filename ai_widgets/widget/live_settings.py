"""Live settings: policies and switches of a widget, independent of the running session.

They are no part of a session: the events of given audio do not depend on them. They determine how the browser records,
and whether audio that arrives during a reply or too fast is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import SettingError
from ..setting_schema import Declared, declared, setting
from ..settings import Settings

OVERLOAD_CHUNKS = 50
"""Chunks, 20 s of audio: a reply with a larger lag is of no use."""
MAX_OVERLOAD_CHUNKS = 1500
"""Chunks, ten minutes of audio: the limit of the queue (`admission.MOST_WAITING`)."""
MAX_DEVICE = 500
"""Characters of a microphone's id; browsers give 64."""
AUDIO = "Audio"
PAGE_NAMES = ("view",)
"""Live settings that only pages use: what is heard or decided does not depend on them, so no notice records them."""

Arrival = Literal["keep", "drop", "interrupt"]
Overload = Literal["lag", "drop_oldest", "pause"]
Reading = Literal["mute", "listen"]
ViewName = Literal["show", "explore", "teach"]


@declared
@dataclass(frozen=True, kw_only=True)
class LiveSettings(Declared):
    """Settings of the widget that may be changed at any time and take effect at once."""

    # fmt: off
    echo_cancellation: bool = setting(
        False, "Whether the browser removes the loudspeakers' sound from the microphone's.", label="Echo cancellation",
        group=AUDIO, more="This and the next two are made for calls, and change what the model hears.")
    noise_suppression: bool = setting(
        False, "Whether the browser suppresses noise.", label="Noise suppression", group=AUDIO)
    auto_gain: bool = setting(
        False, "Whether the browser adjusts the microphone's level.", label="Automatic gain", group=AUDIO)
    arrival: Arrival = setting(
        "keep", "What happens to microphone audio that arrives during a reply.",
        label="Audio that arrives during a reply", group=AUDIO,
        choices={"keep": "decided after the reply", "drop": "never decided", "interrupt": "ends the reply"},
        more="`keep` decides it after the reply; `drop` drops it, with a notice of its length; `interrupt` ends "
        "the reply as soon as something louder than −40 dBFS arrives. Files and audio from Python are always kept.")
    reading: Reading = setting(
        "mute", "What the microphone does while a reply is read aloud.", label="Microphone while a reply is read aloud",
        group=AUDIO, choices={"mute": "the model hears silence", "listen": "stays on, with echo cancellation"},
        more="`mute` sends silence, flagged `gated`.")
    overload: Overload = setting(
        "lag", "What happens when `overload_chunks` wait because the model is slower than the audio.",
        label="When the model is too slow", group=AUDIO,
        choices={"lag": "fall behind", "drop_oldest": "drop the oldest chunks", "pause": "pause the intake"},
        more="`lag` falls behind, `drop_oldest` drops the oldest undecided chunks, `pause` takes no more audio until "
        "half of them are decided. A notice has the length of dropped audio.")
    overload_chunks: int = setting(
        OVERLOAD_CHUNKS, "Number of waiting chunks from which on `overload` applies.", label="Chunks of an overload",
        group=AUDIO, low=1, high=MAX_OVERLOAD_CHUNKS)
    device: str = setting(
        "", "Id of the microphone; empty for the browser's choice.", label="Microphone", group="", longest=MAX_DEVICE)
    view: ViewName | None = setting(
        None, "View that pages begin with; each page can choose another one.", label="View", group="",
        unset="the one chosen last in this browser, or else `explore`",
        choices={"show": "large, for the front of a room", "explore": "everything", "teach": "step by step"},
        more="`show`: state, decisions and replies in large type, for the front of a room. `explore`: everything. "
        "`teach`: one phase of the loop at a time, with a guess before each decision.")
    # fmt: on

    def news(self, before: LiveSettings) -> dict[str, Any]:
        """Return the settings that differ from `before`, but for those that only pages use."""
        old = before.to_json()
        return {name: value for name, value in self.to_json().items() if name not in PAGE_NAMES and value != old[name]}


LIVE_NAMES = LiveSettings.names()
SESSION_NAMES = Settings.names()


def parted(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the changes of the session's settings and those of the live ones.

    Raises
    ------
    SettingError
        A name that neither has.
    """
    for name in changes:
        if name not in LIVE_NAMES and name not in SESSION_NAMES:
            raise SettingError.unknown(name, (*SESSION_NAMES, *LIVE_NAMES))
    live = {name: value for name, value in changes.items() if name in LIVE_NAMES}
    return {name: value for name, value in changes.items() if name not in LIVE_NAMES}, live


def described(of_session: Collection[str] = SESSION_NAMES) -> list[dict[str, Any]]:
    """Return the schema of the widget's settings, from which the page draws its settings panel.

    Parameters
    ----------
    of_session
        Names of the session's settings to include; a baseline policy has few.
    """
    session = [each for each in Settings.schema if each.name in of_session]
    return [each.described() for each in (*session, *LiveSettings.schema) if each.group]
