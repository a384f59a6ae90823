"""The tokenizer and the special-token table of the embedded checkpoint.

The tokenizer is a byte-level BPE trained on the texts of `replies` (it has all 256 bytes, so it encodes any system
prompt), followed by the protocol's special tokens and the emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from ai_widgets.special_tokens import TOKEN_NAMES, Emotion

MULTIPLE = 64
"""Multiple to which the embedding's rows are padded, as matrix products prefer."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer with the ids of its special tokens."""

    tokenizer: Tokenizer
    ids: dict[str, int]
    emotions: dict[str, int]

    @property
    def size(self) -> int:
        """Rows of the embedding: the tokenizer's entries, rounded up to a multiple of `MULTIPLE`."""
        count = self.tokenizer.get_vocab_size()
        return -(-count // MULTIPLE) * MULTIPLE

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, without special tokens."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def save(self, path: Path) -> None:
        """Write ``tokenizer.json``."""
        self.tokenizer.save(str(path))


def _marker(name: str) -> str:
    return f"<|{name.lower()}|>"


def _with_table(tokenizer: Tokenizer) -> Vocabulary:
    entries = tokenizer.get_vocab(with_added_tokens=True)
    ids = {name: entries[_marker(name)] for name in TOKEN_NAMES}
    emotions = {emotion.name: entries[_marker(emotion.name)] for emotion in Emotion}
    return Vocabulary(tokenizer, ids, emotions)


def build(texts: Sequence[str], size: int = 640) -> Vocabulary:
    """Train a tokenizer on `texts`; `size` limits the entries before the special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    markers = [_marker(name) for name in (*TOKEN_NAMES, *(emotion.name for emotion in Emotion))]
    tokenizer.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in markers])
    return _with_table(tokenizer)


def load(path: Path) -> Vocabulary:
    """Read a ``tokenizer.json`` that `Vocabulary.save` wrote."""
    return _with_table(Tokenizer.from_file(str(path)))
