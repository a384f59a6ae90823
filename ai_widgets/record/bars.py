"""Progress bars with the time left, for work in Python that may take long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tqdm import tqdm as plain_tqdm
from tqdm.auto import tqdm

if TYPE_CHECKING:
    Bar = plain_tqdm[Any]

AFTER_S = 2.0
"""Seconds of work after which a bar appears: what ends sooner needs none."""
SECONDS_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}]"
"""Format of a bar that counts seconds of audio."""
UNKNOWN_FORMAT = "{desc}: {n:.0f} s of audio [{elapsed}]"
"""Format of a bar whose end is not known."""


def bar_of_seconds(total: float | None, what: str, *, shown: bool = True, after_s: float = AFTER_S) -> Bar:
    """Create a bar that counts seconds of audio; `update` it by the seconds that are done.

    Parameters
    ----------
    total
        Seconds of the whole work; None if unknown.
    what
        What is done, such as `replaying`.
    shown
        False: a bar that shows nothing.
    after_s
        Seconds after which the bar appears, at the next update.

    Examples
    --------
    >>> with bar_of_seconds(60.0, "replaying") as bar:
    ...     bar.update(0.4)
    """
    look = SECONDS_FORMAT if total else UNKNOWN_FORMAT
    made: Bar = tqdm(total=total, desc=what, bar_format=look, delay=after_s, disable=not shown, leave=False)
    return made
