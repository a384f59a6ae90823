"""Special tokens of Audio-Interaction checkpoints: their names, and the table of one checkpoint's ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from .errors import CheckpointError

TOKEN_NAMES = (
    "TEXT_BEGIN",
    "TEXT_END",
    "AUDIO_PAD",
    "AUDIO_BEGIN",
    "AUDIO_END",
    "USER",
    "ASSISTANT",
    "KEEP_SILENCE",
    "PAD",
    "ONLINE",
    "OFFLINE",
    "ENGLISH",
)
"""Names of the special tokens that every checkpoint must define."""


class Emotion(str, Enum):
    """Emotion token at the start of a reply. The emotion is not part of the reply's text."""

    HAPPY = "happy"
    SAD = "sad"
    ANGRY = "angry"
    SURPRISE = "surprise"
    NORMAL = "normal"
    URGENT = "urgent"


@dataclass(frozen=True)
class SpecialTokens:
    """Special-token ids of one checkpoint. The ids come from the checkpoint; the program has no constants for them.

    Parameters
    ----------
    ids
        Token id by name, with every name of `TOKEN_NAMES`.
    emotions
        Token id by emotion; empty for a checkpoint without emotion tokens.

    Raises
    ------
    CheckpointError
        If `ids` lacks a name of `TOKEN_NAMES`.
    """

    ids: Mapping[str, int]
    emotions: Mapping[Emotion, int]

    def __post_init__(self) -> None:
        missing = [name for name in TOKEN_NAMES if name not in self.ids]
        if missing:
            raise CheckpointError(
                f"The special-token table lacks {', '.join(missing)}; it must contain {', '.join(TOKEN_NAMES)}."
            )
        object.__setattr__(self, "ids", MappingProxyType(dict(self.ids)))
        object.__setattr__(self, "emotions", MappingProxyType(dict(self.emotions)))
        object.__setattr__(self, "_emotion_of", {token: emotion for emotion, token in self.emotions.items()})
        object.__setattr__(self, "_name_of", {token: name for name, token in reversed(list(self.ids.items()))})

    def __getitem__(self, name: str) -> int:
        return self.ids[name]

    def emotion(self, token: int) -> Emotion | None:
        """Return the emotion of an emotion token, or None for any other token."""
        found: Emotion | None = self._emotion_of.get(token)  # type: ignore[attr-defined]
        return found

    def name(self, token: int) -> str | None:
        """Return the name of a special or emotion token, or None for a text token."""
        emotion = self.emotion(token)
        if emotion is not None:
            return emotion.name
        found: str | None = self._name_of.get(token)  # type: ignore[attr-defined]
        return found

    @property
    def highest(self) -> int:
        """Largest id in the table; the vocabulary must be larger."""
        return max([*self.ids.values(), *self.emotions.values()])
