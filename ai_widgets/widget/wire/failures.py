"""An exception as a person reads it: a sentence, and the traceback for whoever wants to know more."""

from __future__ import annotations

import traceback

from ...errors import AiWidgetsError


def describe(error: BaseException) -> str:
    """An exception in one sentence: the project's own messages as they are, others with their type."""
    if isinstance(error, AiWidgetsError):
        return str(error)
    # torch's own class derives from RuntimeError; its name is known without importing torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        detail = f" ({error})" if str(error) else ""
        return f"The model ran out of memory{detail}; choose a smaller context_limit, dtype or checkpoint, and reset."
    return f"The model failed with {type(error).__name__}: {error}"


def details(error: BaseException) -> str:
    """The traceback as text."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def forget_frames(error: BaseException) -> None:
    """Let go of what the traceback's frames hold: a failed session's context may be the memory that lacks."""
    traceback.clear_frames(error.__traceback__)
