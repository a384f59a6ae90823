"""Measure whether a session replies to as many events in its fifth minute as in its first.

One session gets the same minute of generated events repeatedly, and should reply to the same events each time. A
context longer than in the checkpoint's training shows as missing replies in later minutes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...inference import Model
from ...protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Turn
from .generated_events import EVENTS, MINUTE_S, minute

MINUTES = 5
"""Length of the session in minutes: several times the sliding context."""
TOLERANCE = 0.1
"""Share of the first minute's replies that may be missing in the fifth minute: one of twelve, since draws differ."""
LONGEST_REPLY = 40
"""Tokens; the embedded checkpoint's longest reply has fewer, and another checkpoint's need not be read to the end."""


def replies_by_minute(model: Model, minutes: int = MINUTES, **settings: Any) -> list[int]:
    """Count the events of each minute of one session that got a reply.

    Parameters
    ----------
    model
        Checkpoint.
    minutes
        Number of repetitions of the recording.
    **settings
        Settings of the session.

    Returns
    -------
    list of int
        One count per minute, at most `generated_events.EVENTS` each. Several replies to one event count once, so that
        repeated replies do not hide missing ones.

    Examples
    --------
    >>> replies_by_minute(load_model("tiny"), greedy=True)  # doctest: +SKIP
    [11, 11, 11, 11, 11]
    """
    session = model.session(**{"max_reply_tokens": LONGEST_REPLY, "alternatives": 0, **settings})
    once = minute().reshape(-1, CHUNK_SAMPLES)
    slot = MINUTE_S / EVENTS
    answered: set[int] = set()
    for number in range(minutes * len(once)):
        for event in session.push(np.array(once[number % len(once)])):
            if isinstance(event, Turn):
                # The slot in which the chunk begins: replies come within it, seconds before the next event.
                answered.add(int(event.chunk * CHUNK_SECONDS / slot + 1e-9))
    return [sum(event // EVENTS == place for event in answered) for place in range(minutes)]


def holds(counts: list[int]) -> bool:
    """Return whether the last minute has as many replies as the first, within `TOLERANCE`."""
    return counts[-1] >= (1 - TOLERANCE) * counts[0]


def in_words(counts: list[int]) -> dict[str, str]:
    """Format the figures by name, for the lines of ``ai-widgets bench``."""
    if not counts[0]:
        verdict = "not known: this checkpoint answers none of the generated events"
    else:
        verdict = "yes" if holds(counts) else f"no: more than {TOLERANCE:.0%} fewer replies"
    return {
        f"of {EVENTS} generated events answered, minute by minute": ", ".join(map(str, counts)),
        f"minute {len(counts)} answered as minute 1": verdict,
    }
