"""Live settings: policies and switches that hold while the widget lives, whichever session runs.

They are no part of a session: the same audio gives the same events whatever they are. They say what becomes of audio
that comes too early or too fast, and how the browser records. `js/src/store/settings.ts` mirrors this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from ..errors import SettingError
from ..settings import Settings

ARRIVALS = ("keep", "drop", "interrupt")
OVERLOADS = ("lag", "drop_oldest", "pause")
READINGS = ("mute", "listen")
OVERLOAD_CHUNKS = 50
"""20 s: so far behind, an answer comes too late to be one."""
MAX_OVERLOAD_CHUNKS = 1500
"""Ten minutes of audio: as much as may wait at all (`admission.MOST_WAITING`)."""
MAX_DEVICE = 500

Policy = Literal["lag", "drop_oldest", "pause"]


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """What may be changed at any time and takes effect at once.

    Attributes
    ----------
    arrival
        Microphone audio that arrives while a reply is spoken: `keep` answers it afterwards; `drop` leaves it out (a
        notice says how much); `interrupt` ends the reply as soon as something louder than −40 dBFS arrives. Files and
        audio from Python are always kept.
    overload
        When `overload_chunks` wait because the model is slower than the audio: `lag` falls behind; `drop_oldest` leaves
        out the oldest undecided chunks; `pause` takes no more audio until half of them are decided. A notice says what
        was left out.
    overload_chunks
        So many waiting chunks are an overload.
    reading
        What the microphone does while a reply is read aloud: `mute` (silence is sent, flagged `gated`) or `listen`.
    echo_cancellation, noise_suppression, auto_gain
        What the browser is asked to do to the microphone's signal. All off: they are made for calls, and change what
        the model hears.
    device
        Id of the microphone, empty for the browser's choice.
    """

    arrival: Literal["keep", "drop", "interrupt"] = "keep"
    overload: Policy = "lag"
    overload_chunks: int = OVERLOAD_CHUNKS
    reading: Literal["mute", "listen"] = "mute"
    echo_cancellation: bool = False
    noise_suppression: bool = False
    auto_gain: bool = False
    device: str = ""

    def __post_init__(self) -> None:
        for name, allowed in (("arrival", ARRIVALS), ("overload", OVERLOADS), ("reading", READINGS)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in allowed:
                raise SettingError(f"{name} must be one of {', '.join(allowed)}, not {value!r}.", (name,))
        for name in ("echo_cancellation", "noise_suppression", "auto_gain"):
            if not isinstance(getattr(self, name), bool):
                raise SettingError(f"{name} must be True or False, not {getattr(self, name)!r}.", (name,))
        chunks = self.overload_chunks
        if isinstance(chunks, bool) or not isinstance(chunks, int) or not 1 <= chunks <= MAX_OVERLOAD_CHUNKS:
            raise SettingError(
                f"overload_chunks must be a whole number from 1 to {MAX_OVERLOAD_CHUNKS}, not {chunks!r}.",
                ("overload_chunks",),
            )
        if not isinstance(self.device, str) or len(self.device) > MAX_DEVICE:
            raise SettingError(f"device must be text of at most {MAX_DEVICE} characters.", ("device",))

    def changed(self, values: Mapping[str, Any]) -> LiveSettings:
        """A copy with some of them changed."""
        for name in values:
            if name not in LIVE_NAMES:
                raise SettingError(_unknown(name, LIVE_NAMES, "live setting"), (name,))
        return replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """All of them as plain values."""
        return asdict(self)


LIVE_NAMES = tuple(item.name for item in fields(LiveSettings))
SESSION_NAMES = tuple(item.name for item in fields(Settings))


def parted(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Changes by whose they are: the session's settings, the live ones.

    Raises
    ------
    SettingError
        A name that is neither's.
    """
    for name in changes:
        if name not in LIVE_NAMES and name not in SESSION_NAMES:
            raise SettingError(_unknown(name, (*SESSION_NAMES, *LIVE_NAMES), "setting"), (name,))
    live = {name: value for name, value in changes.items() if name in LIVE_NAMES}
    return {name: value for name, value in changes.items() if name not in LIVE_NAMES}, live


def _unknown(name: object, known: tuple[str, ...], noun: str) -> str:
    quoted = repr(name) if len(repr(name)) <= 60 else "of that name"
    near = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) and len(name) <= 60 else []
    return f"There is no {noun} {quoted}" + (
        f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."
    )
