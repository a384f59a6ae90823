"""Check the messages of a learner: those of a page, and the past of a session that goes on here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
import numpy as np

from ..audio.features import LEFT_CONTEXT, Array
from ..errors import MessageError
from ..protocol import CHUNK_SAMPLES
from ..session.features_state import read
from ..session.pasts import Kept
from ..widget.remote.past import Past, Resume, kept
from ..widget.wire import messages, parsing
from ..widget.wire.messages import Buffers

CHUNK_BYTES = CHUNK_SAMPLES * 4
"""Size of the samples of a chunk, float32."""


class GivenPast(msgspec.Struct, frozen=True):
    """`Past` with the samples of its chunks."""

    chunks: list[Kept]


class GivenEnd(msgspec.Struct, frozen=True):
    """`Resume` with the state of the features read: the last samples or None, and the running maximum."""

    draws: int
    samples: Array | None
    maximum: float
    begun: bool


Incoming: TypeAlias = messages.Message | GivenPast | GivenEnd


def parse(content: object, buffers: Buffers = ()) -> Incoming:
    """Check one message and return it typed.

    Raises
    ------
    MessageError
        If the type is unknown, or a field is missing, of the wrong type or too large, or the buffer does not fit.
    """
    kind = content.get("type") if isinstance(content, Mapping) else None
    try:
        if kind == "past":
            return _past(msgspec.convert(content, Past), buffers)
        if kind == "resume":
            return _end(msgspec.convert(content, Resume))
    except (msgspec.ValidationError, RecursionError) as error:
        raise MessageError(f"The message {kind} of a past is not valid: {error}.") from error
    return parsing.parse(content, buffers)


def _past(part: Past, buffers: Buffers) -> GivenPast:
    given, asked = sum(memoryview(each).nbytes for each in buffers), len(part.chunks) * CHUNK_BYTES
    if len(buffers) != 1 or given != asked:
        raise MessageError(f"A past of {len(part.chunks)} chunks needs one buffer of {asked} bytes, not {given}.")
    samples = np.frombuffer(buffers[0], "<f4").astype(np.float32)
    if not np.isfinite(samples).all() or np.abs(samples).max() > 1.0:
        raise MessageError("The samples of a past must be numbers from -1 to 1.")
    return GivenPast(kept(part, samples))


def _end(end: Resume) -> GivenEnd:
    try:
        samples, maximum = read(end.lead)
    except ValueError as error:
        raise MessageError(f"The features of a past cannot be read: {error}.") from error
    known = samples is None or (samples.shape == (LEFT_CONTEXT,) and bool(np.isfinite(samples).all()))
    if not known or not maximum < np.inf:
        raise MessageError(f"The features of a past have {LEFT_CONTEXT} samples and a maximum, or none.")
    return GivenEnd(end.draws, samples, maximum, end.begun)
