"""Exceptions and warnings of the package. Each message says what was given, what is allowed and how to correct it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

MAX_QUOTED_NAME = 60
"""Characters of an unknown name that a sentence quotes; a longer one is no misspelling of a known one."""


def printable(text: str) -> str:
    """Replace control characters in a text, so that a terminal prints the text on one line and executes none of it."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


class AiWidgetsError(Exception):
    """Base class of all errors that this package raises."""


class AudioError(AiWidgetsError, ValueError):
    """Error for audio that cannot be read or used: file not found, not audio, empty, wrong shape, type or rate."""


class AudioTooLongError(AudioError):
    """Error for a file that decodes to more than `longest_s` seconds; the message says how to raise the limit."""


class UnknownClipError(AudioError, KeyError):
    """Error for a name that no clip of the package has; the message lists the names. Also a mapping's `KeyError`."""

    # A KeyError would show its sentence in quotes.
    __str__ = Exception.__str__


class UnknownExerciseError(AiWidgetsError, KeyError):
    """Error for a name that no exercise of the notebooks has; the message suggests one. Also a mapping's `KeyError`."""

    # A KeyError would show its sentence in quotes.
    __str__ = Exception.__str__


class AudioWarning(UserWarning):
    """Warning for an audio file that was read despite a fault: truncated, damaged, or with cancelling channels."""


class SettingError(AiWidgetsError, ValueError):
    """Error for a setting with an unknown name or a value that is not allowed.

    Attributes
    ----------
    names
        Names of the settings that the message is about; empty if unknown.
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
    """Error for an assignment to a read-only attribute; the message names the call that changes the value."""


class CheckpointError(AiWidgetsError, ValueError):
    """Error for a checkpoint that cannot be found or read, or does not match the model."""


class ExportError(CheckpointError):
    """Error for a checkpoint that cannot be exported to a page: too large, another tokenizer, or other results."""


class HubError(CheckpointError):
    """Error for a hub repository that was not downloaded; the message names the cause and the remedy."""


class HubAccessError(HubError):
    """Error for denied access to a hub repository: refused token, gated, private, or not found."""


class HubUnreachableError(HubError):
    """Error for a hub that cannot be reached: offline flag, network, TLS, proxy, rate limit, internal error."""


class CheckpointWarning(UserWarning):
    """Warning for a checkpoint that loads but lacks a file that changes its replies."""


class SessionError(AiWidgetsError, RuntimeError):
    """Error for a call that the session's state does not allow, such as feeding audio to a closed session."""


class EnsembleError(SessionError):
    """Error for sessions of an ensemble that failed in a call, raised when the call is complete in the others.

    Attributes
    ----------
    errors
        Error of each session that failed, by its index.
    events
        Events of the call by session, those before an error included.
    """

    def __init__(self, errors: Mapping[int, Exception], events: Sequence[Sequence[object]]) -> None:
        first, error = next(iter(errors.items()))
        more = "" if len(errors) == 1 else f" (and {len(errors) - 1} more, see `errors`)"
        super().__init__(f"Session {first} failed{more}; the others have gone on. {type(error).__name__}: {error}")
        self.errors, self.events = errors, events


class NotFiniteError(AiWidgetsError, ArithmeticError):
    """Error for logits that are NaN or infinite, as after an overflow in float16."""


class MessageError(AiWidgetsError, ValueError):
    """Error for a browser message of the wrong type, size or order."""


class EventError(AiWidgetsError, ValueError):
    """Error for the JSON form of an event that lacks a field or has a value of another type."""


class UnknownEventError(EventError):
    """Error for an event type that this version does not know. A reader may keep the event unread.

    Attributes
    ----------
    type
        The unknown type; None if it is missing or no text.
    """

    def __init__(self, given: object, known: Sequence[str]) -> None:
        self.type = given if isinstance(given, str) else None
        quoted = printable(given[:MAX_QUOTED_NAME]) if isinstance(given, str) else given
        what = repr(quoted) if quoted is None or isinstance(quoted, str) else f"A {type(given).__name__}"
        super().__init__(f"{what} is not an event type; the types are {', '.join(known)}.")


class NotEnoughMemoryError(AiWidgetsError, MemoryError):
    """Error for a model or a step that needs more memory than the device has."""


class ChildError(AiWidgetsError, RuntimeError):
    """Error for a child process that could not be started or failed; the message ends with its last line of output."""


class RecordError(AiWidgetsError, ValueError):
    """Error for a recording that cannot be read or written; the message names the file and the reason."""


class RecordExistsError(RecordError):
    """Error for a recording that would replace an existing file or folder."""


class ForeignRecordError(RecordError):
    """Error for a file or folder that is no recording of this package."""


class NewerRecordError(RecordError):
    """Error for a recording in a format of a newer version, which this version cannot read."""


class RecordWarning(UserWarning):
    """Warning for a recording that was read although a part of it is cut off, damaged or missing."""


class PageError(AiWidgetsError, ValueError):
    """Error for a page that cannot be written: an unsuitable folder or file, or front-end files that were not built."""


class ServerError(AiWidgetsError, ConnectionError):
    """Error for a class server that cannot be reached, refused the client, or ended the connection."""


class MissingPackageError(AiWidgetsError, ImportError):
    """Error for an optional package that is not installed; the message says how to install it."""
