"""A name → a loaded model: the embedded checkpoint, a folder, or a hub repository.

The folder's layout is that of the published release (docs/protocol.md §5): LitGPT or Qwen2 weight names, either file
name of the encoder, the encoder's configuration nested in `qwen25OmniConfig/config.json`; or what `convert` makes of
it.

Everything that can be known before reading the weights is checked before: names, shapes and formats of all tensors, the
small files, and whether the device has the memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tqdm.auto import tqdm

from ..errors import CheckpointError
from ..process_exit import computation, hold_at_exit
from .configuration import read_rule, read_shape, read_tokenizer, read_tower_config
from .decoder import Decoder
from .encoder import Encoder
from .hub import Progress, locate
from .machine import memory_named
from .placement import Need, Placement, choose, threads_for
from .pointers import refuse_pointers
from .quantise import destinations, install, require_torchao
from .sampling import SamplingRule
from .shards import Stored
from .sharing import ModelsInUse, Request, Turns, identity
from .skeleton import finish_language_model, finish_tower, language_skeleton, need_of, tower_skeleton
from .threads import intra_op_threads
from .traits import Traits, read_traits
from .weights import TOWER_OPTIONAL, Dense, check, fill, language_model_tensors, tower_tensors

PROGRESS_FROM = 200_000_000
"""Bytes of weights from which loading shows a progress bar."""
HEAD_WEIGHT = "lm_head.weight"


@dataclass(frozen=True)
class LoadedModel:
    """Everything a session needs of a checkpoint. Immutable; any number of sessions share one.

    Attributes
    ----------
    name
        What was asked for: `tiny`, a folder or a hub id.
    threads
        torch threads inside an operation; None for torch's own choice.
    revision
        Commit of the hub repository; None for local folders.
    rule
        The checkpoint's own sampling defaults (its generation_config.json).
    positions
        Positions the language model was made for; no context is longer.
    notes
        What the checkpoint lacks and what is used instead, a sentence each.
    """

    name: str
    revision: str | None
    encoder: Encoder
    decoder: Decoder
    tokenizer: Tokenizer
    traits: Traits
    rule: SamplingRule
    positions: int
    placement: Placement
    threads: int | None = None
    notes: tuple[str, ...] = ()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Around everything that computes with this model: as many torch threads as suit its size, in this thread, and
        no end of the process in the middle.
        """
        with computation(), intra_op_threads(self.threads):
            yield

    def encode_text(self, text: str) -> list[int]:
        """Token ids of a text, without anything added around it."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode_tokens(self, tokens: list[int]) -> str:
        """Text of token ids; special and emotion tokens are no text."""
        words = [token for token in tokens if self.traits.tokens.name(token) is None]
        text: str = self.tokenizer.decode(words, skip_special_tokens=True)
        return text

    def token_text(self, token: int) -> str:
        """What to call a single token: its special name, or its text."""
        return self.traits.tokens.name(token) or str(self.tokenizer.decode([token], skip_special_tokens=False))


@dataclass(frozen=True)
class Parts:
    """A checkpoint whose weights have not been read: skeletons without memory, and the tensors that fill them."""

    folder: Path
    language_model: Any
    language_tensors: list[Stored]
    tower: Any
    tower_tensors: list[Stored]
    positions: int
    tied: bool

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(one.size for one in (*self.language_tensors, *self.tower_tensors))


def open_parts(folder: Path) -> Parts:
    """Read all headers of a folder and compare them with its configuration.

    Raises
    ------
    CheckpointError
        Says which file or tensor is missing or does not fit.
    """
    shape = read_shape(folder)
    stored = language_model_tensors(folder, shape)
    language_model = language_skeleton(shape)
    wanted = {name: tuple(parameter.shape) for name, parameter in language_model.named_parameters()}
    tied = shape.tied and all(one.name != HEAD_WEIGHT for one in stored)
    check(wanted, stored, str(folder), (HEAD_WEIGHT,) if tied else ())
    tower = tower_skeleton(read_tower_config(folder), shape.width, str(folder))
    tower_stored, path = tower_tensors(folder)
    wanted = {name: tuple(parameter.shape) for name, parameter in tower.named_parameters()}
    check(wanted, tower_stored, str(path), TOWER_OPTIONAL)
    return Parts(folder, language_model, stored, tower, tower_stored, shape.positions, tied)


def load(
    name: str | Path,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    quantize: str | None = None,
    revision: str | None = None,
    progress: Progress | bool = True,
    *,
    compiled: bool = False,
) -> LoadedModel:
    """Load a checkpoint onto its device, or find it there; the parameters are those of `inference.load_model`.

    Safe to call from any threads: what several of them ask for at once is read once.

    Raises
    ------
    CheckpointError
        Says which file or tensor is missing or does not fit.
    NotEnoughMemoryError
        Before anything is read where that can be known, and with what would fit.
    SettingError
        A device, dtype or quantisation that is not there.
    """
    choose(device, dtype, quantize)  # a wrong word is known before a long download
    if quantize is not None:
        require_torchao()
    told = progress if callable(progress) else None
    with _TURNS.take((str(name), revision), told) as reports:
        folder, commit = locate(name, revision, reports, bar=progress is True)
    files, request = identity(folder), Request.of(device, dtype, quantize, compiled)
    with _TURNS.take(files, told) as reports:
        found = _IN_USE.find(files, request)
        if found is None:
            found = _read(str(name), folder, commit, request, reports, bar=progress is True)
        model, need = found
        if (model.name, model.revision) != (str(name), commit):
            # Another name for the same files, such as a relative path: the weights are shared, the name is not.
            model = replace(model, name=str(name), revision=commit)
        _IN_USE.add(files, request, need, model)
    return model


def _read(
    name: str, folder: Path, commit: str | None, request: Request, report: Progress, bar: bool
) -> tuple[LoadedModel, Need]:
    """Read a folder's weights into memory; also says what they occupy."""
    refuse_pointers(folder)
    traits = read_traits(folder)
    parts = open_parts(folder)
    vocabulary = parts.language_model.shape.vocabulary
    if traits.tokens.highest >= vocabulary:
        raise CheckpointError(
            f"{folder}: special token {traits.tokens.highest} is outside the vocabulary of {vocabulary} tokens; a "
            "checkpoint with other token ids needs an audio_interaction.json that names them."
        )
    tokenizer = read_tokenizer(folder)
    rule, notes = read_rule(folder)
    need = need_of(parts.language_model, parts.tower)
    placement = choose(request.device, request.dtype, request.quantize, need)
    if bar and parts.size >= PROGRESS_FROM:
        tqdm.write(f"{name} on {placement.line}", file=sys.stderr)
    with memory_named(f"Loading {name} on {placement}"):
        _fill(parts, placement, report, bar)
    decoder = Decoder(parts.language_model, traits.rope_positions)
    if request.compiled:
        decoder.compile()
    threads = threads_for(need.parameters, placement.device)
    model = LoadedModel(
        name,
        commit,
        Encoder(parts.tower),
        decoder,
        tokenizer,
        traits,
        rule,
        parts.positions,
        placement,
        threads,
        notes,
    )
    return model, need


_TURNS = Turns()
_IN_USE = ModelsInUse()
"""Of this process; everything else in this file has no state."""


def _fill(parts: Parts, placement: Placement, report: Progress, bar: bool) -> None:
    def dense(_: str, shape: tuple[int, ...]) -> Dense:
        return Dense(shape, placement.dtype, placement.device)

    model, total = parts.language_model, parts.size
    with tqdm(
        total=total, unit="B", unit_scale=True, desc="weights", disable=not bar or total < PROGRESS_FROM
    ) as shown:
        told = _counting(shown.update, report, total)
        # The tower comes first: its file may be one map that stays open, so it is gone before the large part comes.
        fill(parts.tower, parts.tower_tensors, dense, placement.dtype, told)
        parts.tower_tensors.clear()
        fill(model, parts.language_tensors, destinations(placement, model), placement.dtype, told)
        parts.language_tensors.clear()
    if parts.tied:
        model.lm_head.weight = model.model.embed_tokens.weight
    finish_language_model(model, placement.device)
    finish_tower(parts.tower, placement.device)
    install(model)


def _counting(update: Callable[[float], object], report: Progress, total: int) -> Callable[[int], None]:
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        hold_at_exit()
        update(count)
        report(done, total)

    return told
