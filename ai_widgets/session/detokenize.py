"""The growing reply: which token adds which text, with incomplete UTF-8 held back and the emotion kept apart."""

from __future__ import annotations

from ..model.checkpoint import LoadedModel
from ..protocol import Emotion

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LONGEST_INCOMPLETE = 3
"""A UTF-8 character has at most four bytes, so at most three of them can be waiting for the rest."""


class ReplyText:
    """Tokens of one reply and the text they have made visible so far: a value, which `with_token` extends.

    The whole reply is decoded again for each token and the growing suffix emitted, because a tokenizer may change the
    spacing of what follows and a character may span tokens (docs/protocol.md §6). What still ends in replacement
    characters waits.

    Attributes
    ----------
    tokens
        Ids after TEXT_BEGIN, the emotion included.
    added
        Text that the last of them made visible.
    """

    def __init__(self, model: LoadedModel, tokens: tuple[int, ...] = (), shown: str = "", added: str = "") -> None:
        self._model = model
        self._shown = shown
        self.tokens = tokens
        self.added = added

    def with_token(self, token: int) -> ReplyText:
        """The reply with one more token."""
        tokens = (*self.tokens, token)
        text = self._model.decode_tokens(list(tokens))
        stable = text.rstrip(REPLACEMENT)
        if len(text) - len(stable) > LONGEST_INCOMPLETE:
            # More than a character may lack: these bytes are broken for good.
            stable = text[: len(text) - LONGEST_INCOMPLETE]
        if not stable.startswith(self._shown):
            return ReplyText(self._model, tokens, self._shown)
        return ReplyText(self._model, tokens, stable, stable[len(self._shown) :])

    @property
    def emotion(self) -> Emotion | None:
        """The emotion the reply opened with; it is no part of the text."""
        return self._model.traits.tokens.emotion(self.tokens[0]) if self.tokens else None

    @property
    def text(self) -> str:
        """The whole reply as text."""
        return self._model.decode_tokens(list(self.tokens))
