"""Forward passes that the steps of a session ask for, run each alone or together with those of other sessions.

A step is a generator: it yields each pass that it needs, and is sent the result. One session runs every pass at once
(`alone`). A driver of several sessions collects the passes of their steps and runs those of one network as one
(`together`). The step is the same code in both cases.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

from ..protocol import MELS_PER_CHUNK
from .interfaces import AudioEncoder, TokenDecoder

if TYPE_CHECKING:
    from torch import Tensor

    from ..audio.features import Array

T = TypeVar("T")


@dataclass(frozen=True)
class TokenPass:
    """Forward pass of the language model: the arguments of `TokenDecoder.feed`."""

    decoder: TokenDecoder
    context: Any
    tokens: list[int]
    frames: Tensor | None = None
    frames_at: int = 0

    def run(self) -> Tensor:
        """Run the pass and return the logits [vocabulary] after the last token."""
        return self.decoder.feed(self.context, self.tokens, self.frames, self.frames_at)

    def known(self) -> Tensor | None:
        """Return the logits if a decoder that reads ahead has computed them already, else None."""
        # By attribute, since a check of a protocol's members takes longer (6 µs) than all else here.
        known: Callable[[TokenPass], Tensor | None] | None = getattr(self.decoder, "known", None)
        return None if known is None else known(self)


@dataclass(frozen=True)
class EncoderPass:
    """Forward pass of the audio encoder: log-mel chunks, float32 [128, 40 · chunks]."""

    encoder: AudioEncoder
    mels: Array

    def run(self) -> Tensor:
        """Run the pass and return the frames [chunks, 10, width]."""
        return self.encoder.encode(self.mels)

    def known(self) -> Tensor | None:
        """Return None: frames are not computed ahead."""
        return None


Pass: TypeAlias = TokenPass | EncoderPass
Steps: TypeAlias = Generator[Pass, "Tensor", T]
"""Steps that ask for passes and return a value of type T."""


@runtime_checkable
class BatchDecoder(Protocol):
    """Decoder that runs passes of several contexts as one; a `TokenDecoder` without this method runs one by one."""

    @property
    def network(self) -> Hashable:
        """Value that is the same for decoders whose passes `feed_many` of each can run as one."""

    def feed_many(self, passes: Sequence[TokenPass]) -> Sequence[Tensor]:
        """Run passes of decoders with this `network`, whose contexts differ, and return the logits of each."""


class AheadDecoder(Protocol):
    """Decoder that computes the logits of later passes in one pass, on a guess of their tokens."""

    def known(self, asked: TokenPass) -> Tensor | None:
        """Extend the context as the pass does and return its logits if they are computed already, else None."""


def alone(steps: Steps[T]) -> T:
    """Run steps to their end, each pass on its own, and return their value.

    An error of a pass ends the steps without being raised in them: a step changes no state before its last pass.
    """
    try:
        asked = next(steps)
        while True:
            asked = steps.send(asked.run())
    except StopIteration as end:
        value: T = end.value
        return value


def together(passes: Sequence[Pass]) -> list[Tensor | Exception]:
    """Run passes, those of one network as one, and return the result of each in order.

    Where a common pass raises an error, its passes are run one by one, so that the error remains with the pass that
    causes it and takes the place of its result.
    """
    results: list[Tensor | Exception] = [RuntimeError("The pass was not run.")] * len(passes)
    groups: dict[Hashable, list[int]] = {}
    for place, each in enumerate(passes):
        groups.setdefault(_network(each), []).append(place)
    for places in groups.values():
        group = [passes[place] for place in places]
        for place, result in zip(places, _as_one(group), strict=True):
            results[place] = result
    return results


def _network(each: Pass) -> Hashable:
    if isinstance(each, EncoderPass):
        return id(each.encoder)
    network: Hashable = getattr(each.decoder, "network", None)
    return id(each.decoder) if network is None else network


def _as_one(passes: Sequence[Pass]) -> Sequence[Tensor | Exception]:
    """Run passes of one network as one, where that is possible."""
    fed = [each for each in passes if isinstance(each, TokenPass)]
    encoded = [each for each in passes if isinstance(each, EncoderPass)]
    if len(encoded) > 1:
        try:
            return _encoded(encoded)
        except Exception:  # noqa: BLE001 - each pass is run again, and has the error that is its own
            return [_result(each) for each in encoded]
    if len(fed) > 1 and isinstance(decoder := fed[0].decoder, BatchDecoder):
        positions = [each.context.position for each in fed]
        try:
            return decoder.feed_many(fed)
        except Exception as error:  # noqa: BLE001 - as above
            return [_again(each, position, error) for each, position in zip(fed, positions, strict=True)]
    return [_result(each) for each in passes]


def _encoded(passes: Sequence[EncoderPass]) -> list[Tensor]:
    """Encode the chunks of all passes in one batch, equal ones once: chunks are independent of each other."""
    # Not at the top: a kernel whose model is on a class server has no torch.
    import torch

    names = [each.mels.tobytes() for each in passes]
    different = {name: each.mels for name, each in zip(names, passes, strict=True)}
    frames = passes[0].encoder.encode(np.concatenate(list(different.values()), axis=1))
    lengths = [mels.shape[1] // MELS_PER_CHUNK for mels in different.values()]
    found = dict(zip(different, torch.split(frames, lengths), strict=True))
    return [found[name] for name in names]


def _result(each: Pass) -> Tensor | Exception:
    try:
        return each.run()
    except Exception as error:  # noqa: BLE001 - the error is the result, which the driver hands to the session
        return error


def _again(each: TokenPass, position: int, error: Exception) -> Tensor | Exception:
    """Run a pass alone after a common pass ended with `error`, from the position before it."""
    if not each.context.repair():
        return error
    if each.context.position > position:
        each.context.truncate(position)
    return _result(each)
