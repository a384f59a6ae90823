"""Run held-out clips of a user's own data through a session, exactly as ``ai-widgets run`` plays files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ai_widgets.inference import Model
from ai_widgets.protocol import Turn
from ai_widgets.training.conversations import Conversation, UserTurn
from ai_widgets.training.corpus import read_16k

SILENCE = "(silence)"
"""Text for no reply in the tables."""


def measure(model: Model, conversations: Sequence[Conversation]) -> dict[str, Any]:
    """Run conversations and compare the replies with the data.

    A turn is *right* when it got its reply (possibly repeated, since a repeated sound is named again) and no other
    reply, or no reply where none is due.

    Returns
    -------
    dict
        ``turns``, ``right``, ``repeated`` (right turns with more than one reply), ``emotions`` (count of right turns
        with the right emotion, and of right turns with a reply), and ``said``: counts ``[expected][first reply]``.
    """
    right = repeated = moods = spoken = 0
    said: dict[str, Counter[str]] = {}
    turns = [turn for conversation in conversations for turn in conversation]
    for conversation in conversations:
        session = model.session(greedy=True)
        for turn in conversation:
            replies = [e for e in session.push_clip(read_16k(turn.path)) if isinstance(e, Turn)]
            expected = _expected(turn)
            texts = [reply.text for reply in replies] or [SILENCE]
            said.setdefault(expected, Counter())[texts[0]] += 1
            if set(texts) == {expected}:
                right += 1
                repeated += len(texts) > 1
                if turn.reply is not None:
                    spoken += 1
                    moods += replies[0].emotion == turn.reply.emotion
    return {
        "turns": len(turns), "right": right, "repeated": repeated, "emotions": [moods, spoken],
        "said": {expected: dict(counts.most_common()) for expected, counts in sorted(said.items())},
    }  # fmt: skip


def _expected(turn: UserTurn) -> str:
    return SILENCE if turn.reply is None else turn.reply.text


def in_words(figures: dict[str, Any]) -> str:
    """Format the figures as lines for the terminal."""
    lines = [f"Held-out clips: {figures['right']} of {figures['turns']} answered correctly."]
    for expected, counts in figures["said"].items():
        row = ", ".join(f"{count} × {text}" for text, count in counts.items())
        lines.append(f"  {expected:<40} said: {row}")
    return "\n".join(lines)
