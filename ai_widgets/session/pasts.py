"""`Kept`: what is needed of a chunk to feed it again as it was decided. Without torch: clients of a server keep it."""

from __future__ import annotations

from dataclasses import dataclass

from ..audio.features import Array, Mark

END, CUT = "end", "cut"
"""How a reply ended: with a drawn TEXT_END, or before it by an interrupt, an error or a limit."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Decided chunk of a context.

    Attributes
    ----------
    samples
        float32 [6400], 16 kHz.
    token
        Token that was decided.
    reply
        Tokens of the reply that were drawn, without TEXT_END.
    ended
        `END` or `CUT`; empty without a reply.
    before
        State of the running features before the chunk; None where only that of the oldest chunk is known.
    """

    samples: Array
    token: int
    reply: tuple[int, ...] = ()
    ended: str = ""
    before: Mark | None = None
