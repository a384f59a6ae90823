"""Incremental detokenisation of a reply: incomplete UTF-8 is held back, the emotion token is not text."""

from __future__ import annotations

from ..model.interfaces import LanguageModel
from ..special_tokens import Emotion

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Character that a tokenizer decodes incomplete UTF-8 bytes to."""
LONGEST_INCOMPLETE = 3
"""Maximum number of replacement characters held back: a UTF-8 character has at most 4 bytes, so at most 3 of them are
incomplete."""


class ReplyText:
    """Immutable tokens of one reply and their visible text.

    Each new token decodes the whole reply again and emits the added suffix, because the tokenizer's spacing depends on
    the context and a character may span tokens (docs/protocol.md §6). Trailing replacement characters are held back
    until their character is complete.

    Attributes
    ----------
    tokens
        Token ids after TEXT_BEGIN, the emotion included.
    added
        Text that the last token made visible.
    """

    def __init__(self, model: LanguageModel, tokens: tuple[int, ...] = (), shown: str = "", added: str = "") -> None:
        self._model = model
        self._shown = shown
        self.tokens = tokens
        self.added = added

    def with_token(self, token: int) -> ReplyText:
        """Return the reply with one more token."""
        tokens = (*self.tokens, token)
        text = self._model.decode_tokens(list(tokens))
        stable = text.rstrip(REPLACEMENT)
        if len(text) - len(stable) > LONGEST_INCOMPLETE:
            # More bytes than a character can lack: the first ones can never become valid.
            stable = text[: len(text) - LONGEST_INCOMPLETE]
        if not stable.startswith(self._shown):
            return ReplyText(self._model, tokens, self._shown)
        return ReplyText(self._model, tokens, stable, stable[len(self._shown) :])

    @property
    def emotion(self) -> Emotion | None:
        """Emotion token at the start of the reply, or None; it is not part of the text."""
        return self._model.traits.tokens.emotion(self.tokens[0]) if self.tokens else None

    @property
    def text(self) -> str:
        """Text of the whole reply."""
        return self._model.decode_tokens(list(self.tokens))
