"""The package's exceptions. Each message is a sentence: what was given, what is allowed, how to get there."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

MAX_QUOTED_NAME = 60
"""Characters of an unknown name that a sentence quotes; a longer one is no misspelling of a known one."""


def printable(text: str) -> str:
    """Text that a terminal shows on one line and does not act on: without control characters."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


class AiWidgetsError(Exception):
    """Base of every error that this package raises on purpose."""


class AudioError(AiWidgetsError, ValueError):
    """Audio that cannot be read or used: no such file, not audio, empty, wrong shape or rate."""


class AudioTooLongError(AudioError):
    """A file that decodes to more sound than was allowed; the sentence says how to allow it."""


class AudioWarning(UserWarning):
    """Something was wrong with an audio file that could be read all the same: it was cut, or its channels cancel."""


class SettingError(AiWidgetsError, ValueError):
    """A setting whose name or value is not allowed.

    Attributes
    ----------
    names
        The settings that the sentence is about, where that is known.
    """

    def __init__(self, message: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.names = names

    @classmethod
    def unknown(cls, name: object, known: Sequence[str]) -> SettingError:
        """Return the error for a name that no setting has: it suggests the nearest known one, or lists all."""
        text = name if isinstance(name, str) and len(name) <= MAX_QUOTED_NAME else ""
        near = difflib.get_close_matches(text, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."
        return cls(f"There is no setting {repr(text) if text else 'of that name'}{hint}", (str(name),))


class ReadOnlyError(SettingError, AttributeError):
    """An assignment to something that is changed by a call."""


class CheckpointError(AiWidgetsError, ValueError):
    """A checkpoint that cannot be found, read or matched to the model."""


class HubError(CheckpointError):
    """A hub repository that was not downloaded: what happened, and the way out."""


class HubAccessError(HubError):
    """The hub does not let this user read the repository: refused token, gated, private, or no such repository."""


class HubUnreachableError(HubError):
    """The hub cannot be asked now: offline flag, network, TLS, proxy, rate limit, trouble of the hub's own."""


class CheckpointWarning(UserWarning):
    """A checkpoint loads, but lacks something that changes how it answers."""


class SessionError(AiWidgetsError, RuntimeError):
    """A call that the session's state does not allow, such as feeding audio after it was closed."""


class NotFiniteError(AiWidgetsError, ArithmeticError):
    """A model whose numbers overflowed: NaN or infinity where a logit is due."""


class MessageError(AiWidgetsError, ValueError):
    """A browser message of the wrong type, size or order."""


class NotEnoughMemoryError(AiWidgetsError, MemoryError):
    """A model or a step that the device has no memory for."""


class ChildError(AiWidgetsError, RuntimeError):
    """A program that was run for its output could not be run, or failed; the message ends with its last words."""
