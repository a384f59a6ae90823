"""One example of each event, with values in all fields and with its defaults."""

from __future__ import annotations

from pathlib import Path

from ai_widgets.protocol import Alternative, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.special_tokens import Emotion

FIXTURE = Path(__file__).parent / "fixtures" / "events.jsonl"
"""JSON text of the examples, one a line, as version 2 of the events writes it. It is never written anew: saved sessions
hold such text."""

ALTERNATIVES = (Alternative(7, "TEXT_BEGIN", 0.75, 0.875, 1.0), Alternative(9, "KEEP_SILENCE", 0.25, 0.125))
RULE = {"greedy": False, "temperature": 0.5, "top_k": None, "top_p": 1.0, "bias": -1.5, "mask": True, "seed": 3}
EVENTS: tuple[Event, ...] = (
    Chunk(3, 1, 1.2, -32.5, tuple(n / 16 for n in range(16)), ("gated", "waited"), "AAEC", "clip", "AAAAAAAA8P8="),
    Chunk(4, 1, 1.6, -120.0, (0.0,) * 16),
    Decision(
        *(3, 1, 1.2, 7, "TEXT_BEGIN", 0.25, 0.75, 0.0, -1.5, 1.5, 0.875, 0.3125, 7, 640),
        *(ALTERNATIVES, (5, 11), 2, 641, 4096, RULE),
    ),
    Decision(4, 1, 1.6, 9, "KEEP_SILENCE", 1.0, 0.0, 0.0, 2.5, -2.5, 1.0, None, 9, 660),
    Token(3, 0, 1, 1234, 0.5, "Grüße “\n\u2028\N{GRINNING FACE}", 0.625, 0.25, 1234, 642, ALTERNATIVES),
    Token(3, 0, 0, 12, 1e-12, "", 1.0, None, 12, 641),
    Turn(3, 0, 1, 1.2, Emotion.HAPPY, "Hello.", (12, 1234), "TEXT_END"),
    Turn(9, 1, 1, 3.6, None, "", (), "interrupted"),
    Notice(4, "settings", "The temperature is 0.5 now.", {"changed": {"temperature": 0.5}, "names": ["a", None]}),
    Notice(5, "limit", "The limit is reached."),
    Timing(3, 1.5, 2.25, 30.0, 0.0, 12.5, 2, 17, 1764107778000.5, 1764107778040.5, 3.5, 25.0),
    Timing(4, 1.5, 2.25, 30.0, 0.0, 0.0),
)
