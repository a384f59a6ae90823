"""Describe an exception to a user: one sentence, and the traceback as detail."""

from __future__ import annotations

import traceback

from ..errors import AiWidgetsError


def describe(error: BaseException) -> str:
    """Describe an exception in one sentence: errors of this project by their message, others with their type."""
    if isinstance(error, AiWidgetsError):
        return str(error)
    # torch's class derives from RuntimeError; comparing its name avoids an import of torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        detail = f" ({error})" if str(error) else ""
        return f"The model ran out of memory{detail}; choose a smaller context_limit, dtype or checkpoint, and reset."
    return f"The model failed with {type(error).__name__}: {error}"


def details(error: BaseException) -> str:
    """Format the traceback of an exception as text."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def forget_frames(error: BaseException) -> None:
    """Clear the frames of the traceback, which may hold the memory (weights, KV cache) that ran out."""
    traceback.clear_frames(error.__traceback__)
