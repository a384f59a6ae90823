"""Interfaces of a language model that listens: encoder, context, decoder, and the model that holds them.

`session` depends on these protocols and on no class of a model family. `inference.Model` (Qwen2 and its audio tower)
satisfies them, as does the scripted model of the tests; mypy checks both (tests/test_interfaces.py). A second family
implements them and works in sessions, in the widget and in the evaluation.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from ..audio.features import Array
    from .placement import Placement
    from .sampling import SamplingRule
    from .traits import Traits


class AudioEncoder(Protocol):
    """Stateless function from log-mel chunks to encoder frames."""

    def encode(self, mels: Array) -> Tensor:
        """Encode chunks independently of each other.

        Parameters
        ----------
        mels
            float32 [128, 40 · chunks], from `audio.features`.

        Returns
        -------
        Tensor [chunks, 10, width]
            Frames on the encoder's device, in any floating dtype.
        """


class TokenContext(Protocol):
    """Mutable state of a decoder after the tokens fed so far, such as a KV cache.

    Attributes
    ----------
    limit
        Maximum number of positions. The session assigns it before each step.
    """

    limit: int

    @property
    def position(self) -> int:
        """Number of positions in use."""

    def clear(self) -> None:
        """Remove all positions."""

    def truncate(self, position: int) -> None:
        """Remove the positions from index `position` on."""

    def repair(self) -> bool:
        """Make the context consistent after an interrupted `slide`. Return False if its content is lost."""

    def branch(self, position: int) -> TokenContext:
        """Return a context of its own with the first `position` positions; this one is not changed."""

    def slide(self, keep: int, count: int) -> None:
        """Remove `count` positions behind the first `keep`, and move the rest to the front."""


class TokenDecoder(Protocol):
    """Function from tokens, frames and a context to logits. Thread-safe for different contexts."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens in the vocabulary."""

    def context(self, limit: int) -> TokenContext:
        """Create an empty context of at most `limit` positions."""

    def feed(self, context: Any, tokens: list[int], frames: Tensor | None = None, frames_at: int = 0) -> Tensor:
        """Feed tokens and return the logits after the last one.

        Parameters
        ----------
        context
            Context that this decoder created; extended in place by ``len(tokens)`` positions.
        tokens
            Token ids to feed, at least one.
        frames
            Encoder frames [n, width] that replace the embeddings of ``tokens[frames_at : frames_at + n]``.
        frames_at
            Index in `tokens` of the first frame.

        Returns
        -------
        Tensor [vocabulary], float32
        """


class LanguageModel(Protocol):
    """Encoder, decoder and tokenizer of one checkpoint, immutable and shared by any number of sessions."""

    @property
    def name(self) -> str:
        """Name as given to the loader."""

    @property
    def revision(self) -> str | None:
        """Commit of the hub repository; None for a local folder."""

    @property
    def encoder(self) -> AudioEncoder:
        """Audio encoder."""

    @property
    def decoder(self) -> TokenDecoder:
        """Language model."""

    @property
    def traits(self) -> Traits:
        """Training-dependent facts: special tokens, framing, system prompt."""

    @property
    def rule(self) -> SamplingRule:
        """Sampling defaults of the checkpoint."""

    @property
    def positions(self) -> int:
        """Maximum number of context positions."""

    @property
    def placement(self) -> Placement:
        """Device and number format."""

    @property
    def threads(self) -> int | None:
        """Number of torch's intra-op threads; None for torch's default."""

    def computing(self) -> AbstractContextManager[None]:
        """Run a block that computes with this model."""

    def encode_text(self, text: str) -> list[int]:
        """Encode a text to token ids, without special tokens."""

    def decode_tokens(self, tokens: list[int]) -> str:
        """Decode token ids to text; special and emotion tokens are skipped."""

    def token_text(self, token: int) -> str:
        """Return the special name of a token, or its text."""
