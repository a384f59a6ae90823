"""Messages with which a client gives a class server the past of its session, so that it goes on there.

A server that is new to a session, because another replica or its place was lost, gets what the context held: the sound
of its chunks, the tokens that followed each, and the number of random numbers drawn. It feeds them without deciding
again (`session.resumed`), so that the context is the recorded past, token by token.

    past    1 to `PART_CHUNKS` chunks, with one buffer: their samples, float32 at 16 kHz, one chunk after the other
    …
    resume  the end of the past; answered by `model`, or by a `problem` with the code `resume`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from ...audio.features import Array
from ...audio.features import Mark as FeaturesMark
from ...protocol import CHUNK_SAMPLES
from ...session.features_state import written
from ...session.pasts import CUT, END, Kept
from ..wire.limits import Count

PART_CHUNKS = 40
"""Chunks of one message: 1 MB, half of the largest block."""
MAX_PAST_CHUNKS = 300
"""Chunks of a past in all: two minutes, 7.7 MB. The default context holds 62 s; of a larger one the newest two minutes
are given."""
MAX_REPLY_TOKENS = 2_000
"""Tokens of a reply in a past: a context of the default size."""
MAX_LEAD = 8_192
"""Characters of a state of the features: a state has some 640 samples of 4 bytes, in base64."""

Tokens: TypeAlias = Annotated[list[Count], Meta(max_length=MAX_REPLY_TOKENS)]


class PastChunk(msgspec.Struct, frozen=True, omit_defaults=True):
    """Chunk of a past without its samples.

    Attributes
    ----------
    token
        Token that was decided.
    reply
        Tokens of the reply, without TEXT_END.
    ended
        How the reply ended: `end` with a drawn TEXT_END, `cut` before it; empty without a reply.
    """

    token: Count
    reply: Tokens = []
    ended: Annotated[str, Meta(pattern=f"^({END}|{CUT}|)$")] = ""


class Past(msgspec.Struct, frozen=True, tag="past", tag_field="type"):
    """Part of a past, oldest chunk first."""

    chunks: Annotated[list[PastChunk], Meta(min_length=1, max_length=PART_CHUNKS)]


class Resume(msgspec.Struct, frozen=True, tag="resume", tag_field="type"):
    """End of a past.

    Attributes
    ----------
    draws
        Random numbers that the session has drawn since its seed was set.
    lead
        State of the running features before the oldest chunk, or now where there is none (`features_state.written`).
    begun
        Whether the context begins with the prefix although it holds no chunk.
    """

    draws: Count
    lead: Annotated[str, Meta(max_length=MAX_LEAD)]
    begun: bool = False


def messages(
    past: Sequence[Kept], draws: int, features: FeaturesMark, begun: bool
) -> Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]:
    """Yield the messages of a past, each with its buffers; `features` is the state before the oldest chunk."""
    for start in range(0, len(past), PART_CHUNKS):
        part = past[start : start + PART_CHUNKS]
        chunks = [PastChunk(each.token, list(each.reply), each.ended) for each in part]
        samples = np.concatenate([each.samples for each in part]).astype("<f4")
        yield msgspec.to_builtins(Past(chunks)), (samples.tobytes(),)
    yield msgspec.to_builtins(Resume(draws, written(features), begun)), ()


def kept(part: Past, samples: Array) -> list[Kept]:
    """Return the chunks of a part with their samples, float32 [6400 · chunks]."""
    rows = samples.reshape(len(part.chunks), CHUNK_SAMPLES)
    return [Kept(row, each.token, tuple(each.reply), each.ended) for each, row in zip(part.chunks, rows, strict=True)]
