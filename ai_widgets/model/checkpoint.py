"""Load a model by name: the embedded checkpoint, a folder, or a hub repository.

The folder has the layout of the published release (docs/protocol.md §5): LitGPT or Qwen2 weight names, either file name
of the encoder, the encoder's configuration nested in `qwen25OmniConfig/config.json`; or the layout that `convert`
writes.

All checks that need no weights come first: names, shapes and formats of all tensors, the configuration files, and the
device's memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from ..errors import CheckpointError
from ..process_exit import hold_at_exit
from .configuration import read_rule, read_shape, read_tokenizer, read_tower_config
from .decoder import Decoder
from .encoder import Encoder
from .hub import Progress, locate
from .machine import memory_named
from .placement import Need, Placement, choose, threads_for
from .pointers import refuse_pointers
from .quantise import destinations, install, require_torchao
from .shards import Stored
from .sharing import M, ModelsInUse, Request, Turns, identity
from .skeleton import finish_language_model, finish_tower, language_skeleton, need_of, tower_skeleton
from .threads import intra_op_threads
from .traits import read_traits
from .weights import TOWER_OPTIONAL, Dense, check, fill, language_model_tensors, tower_tensors

PROGRESS_FROM = 200_000_000
"""Size of the weights, in bytes, from which loading shows a progress bar; smaller models load too fast for it."""
HEAD_WEIGHT = "lm_head.weight"
"""Tensor of the output layer, absent in a checkpoint with tied embeddings."""


@dataclass(frozen=True)
class Parts:
    """Checkpoint before its weights are read: modules without memory, and the tensors of the files."""

    folder: Path
    language_model: Any
    language_tensors: list[Stored]
    tower: Any
    tower_tensors: list[Stored]
    positions: int
    tied: bool

    @property
    def size(self) -> int:
        """Size of all tensors in the files, in bytes."""
        return sum(one.size for one in (*self.language_tensors, *self.tower_tensors))


def open_parts(folder: Path) -> Parts:
    """Read the headers of a folder's weight files and compare them with the configuration.

    Raises
    ------
    CheckpointError
        If a file or tensor is missing or does not match.
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
    make: Callable[..., M],
    name: str | Path,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    quantize: str | None = None,
    revision: str | None = None,
    progress: Progress | bool = True,
    *,
    compiled: bool = False,
) -> M:
    """Load a checkpoint onto a device, or share its weights.

    Thread-safe: concurrent loads of the same files read the weights once.

    Parameters
    ----------
    make
        Class of the model, called with the fields of `inference.Model`. A shared model is of the class that the first
        load of its files was given.
    name, device, dtype, quantize, revision, progress, compiled
        As in `inference.load_model`.

    Raises
    ------
    CheckpointError
        If a file or tensor is missing or does not match.
    NotEnoughMemoryError
        If the device has too little memory: before weights are downloaded or read, where the configuration says how
        much is needed; the message names what fits.
    SettingError
        If a device, dtype or quantisation is unknown or not available.
    """
    choose(device, dtype, quantize)  # reports a wrong name before a long download
    if quantize is not None:
        require_torchao()
    callback = progress if callable(progress) else None

    def fits(configuration: Path) -> None:
        """Raise where no device has the memory: sizes come from the configuration alone."""
        shape = read_shape(configuration)
        tower = tower_skeleton(read_tower_config(configuration), shape.width, str(name))
        choose(device, dtype, quantize, need_of(language_skeleton(shape), tower))

    with _TURNS.take((str(name), revision), callback) as reports:
        folder, commit = locate(name, revision, reports, bar=progress is True, check=fits)
    files, request = identity(folder), Request.of(device, dtype, quantize, compiled)
    with _TURNS.take(files, callback) as reports:
        found = _IN_USE.find(files, request)
        if found is None:
            found = _read(str(name), folder, commit, request, reports, progress is True, make)
        model, need = found
        if (model.name, model.revision) != (str(name), commit):
            # Another name of the same files, such as a relative path: share the weights, keep the name as given.
            model = model.renamed(str(name), commit)
        _IN_USE.add(files, request, need, model)
    shared: M = model
    return shared


def _read(
    name: str,
    folder: Path,
    commit: str | None,
    request: Request,
    report: Progress,
    bar: bool,
    make: Callable[..., M],
) -> tuple[M, Need]:
    """Read a folder's weights into memory, and return the model and its memory need."""
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
    threads = threads_for(need.parameters, placement.device)
    # Several threads take eight times as long (0.6 s) to load a small model where other processes use the cores.
    with memory_named(f"Loading {name} on {placement}"), intra_op_threads(threads):
        _fill(parts, placement, report, bar)
    decoder = Decoder(parts.language_model, traits.rope_positions)
    if request.compiled:
        decoder.compile()
    model = make(
        name=name,
        revision=commit,
        encoder=Encoder(parts.tower),
        decoder=decoder,
        tokenizer=tokenizer,
        traits=traits,
        rule=rule,
        positions=parts.positions,
        placement=placement,
        threads=threads,
        notes=notes,
    )
    return model, need


_TURNS = Turns()
_IN_USE: ModelsInUse[Any] = ModelsInUse()
"""Registry of the process's models, which with `_TURNS` is the only state of this module."""


def _fill(parts: Parts, placement: Placement, report: Progress, bar: bool) -> None:
    def dense(_: str, shape: tuple[int, ...]) -> Dense:
        return Dense(shape, placement.dtype, placement.device)

    model, total = parts.language_model, parts.size
    with tqdm(
        total=total, unit="B", unit_scale=True, desc="weights", disable=not bar or total < PROGRESS_FROM
    ) as shown:
        advance = _counting(shown.update, report, total)
        # The tower is loaded first: its file may be one memory map, which is closed before the larger part is read.
        fill(parts.tower, parts.tower_tensors, dense, placement.dtype, advance)
        parts.tower_tensors.clear()
        fill(model, parts.language_tensors, destinations(placement, model), placement.dtype, advance)
        parts.language_tensors.clear()
    if parts.tied:
        model.lm_head.weight = model.model.embed_tokens.weight
    finish_language_model(model, placement.device)
    finish_tower(parts.tower, placement.device)
    install(model)


def _counting(update: Callable[[float], object], report: Progress, total: int) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        hold_at_exit()
        update(count)
        report(done, total)

    return advance
