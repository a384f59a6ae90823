"""Describe a checkpoint's tokens to a page: token ids are data of the checkpoint, never constants of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...protocol import FRAMES_PER_CHUNK
from ...settings import Settings

if TYPE_CHECKING:
    from ...model.interfaces import LanguageModel
    from ...model.traits import Traits

UNKNOWN: dict[str, Any] = {"tokens": {}, "prefix": [], "block": [], "limit": 0}
"""Table of a model that is not loaded: no tokens, and a context of no positions."""
MOST_PREFIX = 2000
"""Tokens of a prefix that are sent: far more than a sensible system prompt has, and a bound on the message."""


def vocabulary(model: LanguageModel, settings: Settings, fed: Sequence[int] | None = None) -> dict[str, Any]:
    """Return the special tokens, the prefix, a chunk's block and the context's limit for a session with `settings`.

    `block` is a list of name, token id and count; encoder frames have the name FRAMES and the id of the token whose
    embedding they replace.

    Parameters
    ----------
    model, settings
        Model and settings of the session.
    fed
        Token ids of the prefix in the context; None for the prefix that a new session will feed.

    Raises
    ------
    SettingError
        Where a session cannot be opened with these settings.
    """
    from ...session.framing import Framing

    framing = Framing.of(model, settings)
    special = model.traits.tokens
    return {
        "tokens": {**special.ids, **{emotion.name: token for emotion, token in special.emotions.items()}},
        "prefix": [[token, model.token_text(token)] for token in (fed or framing.prefix)[:MOST_PREFIX]],
        "block": _block(model.traits),
        "limit": framing.limit,
    }


def _block(traits: Traits) -> list[list[Any]]:
    parts = ((name, "PAD", FRAMES_PER_CHUNK) if name == "FRAMES" else (name, name, 1) for name in traits.chunk)
    return [[name, traits.tokens[token], count] for name, token, count in parts]
