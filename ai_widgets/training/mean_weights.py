"""Write the mean of the weights of two checkpoints of which one was trained on from the other.

Such a mean often hears better than either (Wortsman et al. 2022, arXiv 2203.05482). Command::

    python -m ai_widgets.training.mean_weights RUN/checkpoint BEFORE/checkpoint --share 0.7 --out MEAN
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ai_widgets.errors import AiWidgetsError, CheckpointError, SettingError
from ai_widgets.model.shards import Shard, Stored
from ai_widgets.model.weights import tower_tensors
from ai_widgets.training.export import RECORD, SHARD, save_weights, write_json

EQUAL = ("tokenizer.json", "audio_interaction.json", "model_config.yaml", "qwen25OmniConfig/config.json")
"""Files that must be equal: vocabulary, protocol tokens and sizes."""


def write_mean(first: Path, second: Path, share: float, out: Path) -> None:
    """Write `share` × weights of `first` + (1 − `share`) × weights of `second`, with the other files of `first`.

    Parameters
    ----------
    first, second
        Folders that `export` wrote, of the same sizes and vocabulary.
    share
        Weight of `first`, in (0, 1).
    out
        Output folder; files with the same names are replaced. The record of `first` is extended by `mean`: the share,
        and the record of `second`.

    Raises
    ------
    SettingError
        Where the share is not between 0 and 1, or `out` is one of the two folders.
    CheckpointError
        Where a folder is no such checkpoint, or the two differ in sizes or vocabulary.
    """
    if not 0 < share < 1:
        raise SettingError(f"The share of the first checkpoint must be between 0 and 1, not {share:g}.")
    if out.resolve() in (first.resolve(), second.resolve()):
        raise SettingError(f"{out} is one of the two checkpoints; name another folder with --out.")
    for name in EQUAL:
        if _bytes(first / name) != _bytes(second / name):
            raise CheckpointError(f"{first} and {second} differ in {name}; a mean needs equal sizes and vocabularies.")
    weights = _mean(Shard(first / SHARD).stored, Shard(second / SHARD).stored, share)
    tower = _mean(tower_tensors(first)[0], tower_tensors(second)[0], share)
    record = json.loads(_bytes(first / RECORD))
    record["mean"] = {"share": share, "with": json.loads(_bytes(second / RECORD))}
    shutil.copytree(first, out, dirs_exist_ok=True)
    save_weights(out, weights, tower)
    write_json(out / RECORD, record)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); name folders that training wrote.") from error


def _mean(first: Sequence[Stored], second: Sequence[Stored], share: float) -> dict[str, Tensor]:
    """Return the mean of the tensors of two files, computed in float32 and rounded to the first one's dtype."""
    shapes, others = ({one.name: one.shape for one in stored} for stored in (first, second))
    different = [name for name in {**shapes, **others} if shapes.get(name) != others.get(name)]
    if different:
        raise CheckpointError(
            f"{first[0].source} and {second[0].source} differ in {different[0]}; a mean needs equal sizes."
        )
    theirs = {one.name: _whole(one).float() for one in second}
    ours = {one.name: _whole(one) for one in first}
    return {name: torch.lerp(theirs[name], one.float(), share).to(one.dtype) for name, one in ours.items()}


def _whole(one: Stored) -> Tensor:
    return torch.cat([rows for _, _, rows in one.pieces()])


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m ai_widgets.training.mean_weights``; return 0, or 2 for input that cannot be used."""
    p = argparse.ArgumentParser(prog="python -m ai_widgets.training.mean_weights", description=__doc__)
    p.add_argument("first", type=Path, help="checkpoint whose other files are taken, too")
    p.add_argument("second", type=Path, help="checkpoint of the same sizes and vocabulary")
    p.add_argument("--share", type=float, default=0.7, help="weight of the first, in (0, 1) (default: 0.7)")
    p.add_argument("--out", type=Path, required=True, help="folder for the mean")
    given = p.parse_args(argv)
    try:
        write_mean(given.first, given.second, given.share, given.out)
    except AiWidgetsError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"The checkpoint is in {given.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
