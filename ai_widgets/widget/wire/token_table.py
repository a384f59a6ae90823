"""What a page must know of a checkpoint to name its tokens: ids are data of the checkpoint, never of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...protocol import FRAMES_PER_CHUNK
from ...settings import Settings

if TYPE_CHECKING:
    from ...model.checkpoint import LoadedModel
    from ...model.traits import Traits

UNKNOWN: dict[str, Any] = {"tokens": {}, "prefix": [], "block": [], "limit": 0}
MOST_PREFIX = 2000
"""Tokens of a prefix that are told; a longer one can only be a mistake, which opening a session will say."""


def vocabulary(model: LoadedModel, settings: Settings, fed: Sequence[int] | None = None) -> dict[str, Any]:
    """Names of special tokens, the prefix, a chunk's block and the context's limit, for a session with `settings`.

    `block` is a list of name, token id and count; encoder frames stand under the name FRAMES, with the id of the token
    whose embedding each of them replaces.

    Parameters
    ----------
    model, settings
        Of the session.
    fed
        The prefix its context holds; None for the one that a new session will feed.

    Raises
    ------
    SettingError
        Where no session can be opened with these settings.
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
