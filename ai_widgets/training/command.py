"""Train a checkpoint: the command ``ai-widgets train`` or ``python -m ai_widgets.training``.

From your own clips, a file of JSON lines or a folder with a ``replies.json`` (both described in `conversations`)::

    ai-widgets train --data clips.jsonl --out RUN
    ai-widgets run clip.wav --checkpoint RUN/checkpoint

The embedded checkpoint, from a folder of recordings with a ``manifest.csv``::

    ai-widgets train --data DATA --speech SPEECH --extra EXTRA --out RUN

A recipe for ``--config`` has the fields that differ from the defaults (`recipe.Recipe`, `network.Sizes`)::

    {"minutes": 10, "seed": 2, "rate": 0.001}

All files are kept in the output folder, and a second call continues where the first one stopped::

    clips/       the recordings of a split, decoded and trimmed (embedded checkpoint)
    pool/        streams ready for training; held_out/ streams that are not trained on (own clips)
    run/         state.pt (weights, optimiser, time used), log.jsonl (loss and decision figures)
    checkpoint/  the exported folder, which `ai_widgets.load_model` reads
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ai_widgets.errors import AiWidgetsError, SettingError, printable
from ai_widgets.training import (
    clipcache,
    composers,
    conversations,
    mel_clips,
    phones,
    pool,
    replies,
    transfer,
    user_clips,
    vocabulary,
)
from ai_widgets.training.compose_streams import Composer
from ai_widgets.training.curriculum import Course, Curriculum
from ai_widgets.training.export import export
from ai_widgets.training.network import Network
from ai_widgets.training.peers import MOST, Peers, together
from ai_widgets.training.recipe import SHIPPED, Recipe
from ai_widgets.training.token_sequences import SequenceBuilder
from ai_widgets.training.trainer import Trainer

WORKERS = 2
"""Processes that compose streams by default: the cores of the smallest machine that the package is made for."""
SHARDS, OWN_SHARDS = 24, 8
"""Parts of the stream pool by default, and for clips given by the user, of which there are fewer."""
EPILOG = """\
examples:
  ai-widgets train --data clips.jsonl --out RUN                # your own clips, from the embedded checkpoint
  ai-widgets train --data clips/ --out RUN --minutes 4         # a folder for each class, with replies.json
  ai-widgets run clip.wav --checkpoint RUN/checkpoint          # try it

your own clips, one conversation per line, paths relative to the file:
  {"conversation": [{"audio_path": "dog/1.wav", "assistant": "A dog is barking.", "emotion": "surprise"},
                    {"audio_path": "rain/7.wav", "assistant": "<no need to response>"}]}
or one folder per class and, beside the folders, replies.json:
  {"dog": "A dog is barking.", "cat": {"assistant": "A cat!", "emotion": "happy"}, "rain": null}

a recipe for --config, every field optional:
  {"minutes": 4, "seed": 1, "threads": 2, "rate": 0.001}
with --start none also the sizes of the new network, such as:
  {"sizes": {"width": 96, "layers": 3, "tower_layers": 3}}
"""


def read_recipe(path: Path | None, base: Recipe | None = None) -> Recipe:
    """Read a recipe: a JSON file with any fields of `Recipe`; `sizes`, `weights` and `course` are nested objects.

    Missing fields are taken from `base`, by default the shipped checkpoint's recipe.

    Raises
    ------
    SettingError
        Where the file cannot be read, or has an unknown field or a wrong value.
    """
    base = base or SHIPPED
    if path is None:
        return base
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SettingError(f"The recipe {path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise SettingError(f'{path} is not a recipe: a recipe is a JSON object such as {{"minutes": 4}}.')
    allowed = {f.name for f in fields(Recipe)}
    unknown = sorted(set(values) - allowed)
    if unknown:
        raise SettingError(
            f"{path}: unknown recipe fields {', '.join(unknown)}; allowed are {', '.join(sorted(allowed))}."
        )
    try:
        sizes = replace(base.sizes, **values.pop("sizes", {}))
        weights = replace(base.weights, **values.pop("weights", {}))
        if values.get("course") is not None:
            values["course"] = Course.of(values["course"])
        return replace(base, **values, sizes=sizes, weights=weights)
    except TypeError as error:
        raise SettingError(f"{path} is not a recipe: {error}.") from error


def fingerprint(cache: Path) -> dict[str, Any]:
    """Return number and hash of the clips of a cache, for the training record."""
    table = cache.with_suffix(".json").read_bytes()
    samples = hashlib.sha256(table)
    with cache.with_suffix(".npy").open("rb") as file:
        while block := file.read(1 << 24):
            samples.update(block)
    return {"clips": len(json.loads(table)), "sha256": samples.hexdigest()}


def parser() -> argparse.ArgumentParser:
    """Return the command's option parser."""
    p = argparse.ArgumentParser(
        prog="ai-widgets train",
        description="Train a small checkpoint on your own clips or on labelled recordings.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    p.add_argument(
        "--data", type=Path, help="your clips (.jsonl, or a folder with replies.json), or a folder with manifest.csv"
    )
    p.add_argument("--held-out", type=Path, help="your clips for validation (default: a share of --data)")
    p.add_argument(
        "--start",
        help="checkpoint to start from, or none for new weights (default: tiny for your clips, else none)",
    )
    p.add_argument("--speech", type=Path, help="speech cache made by python -m ai_widgets.training.speech")
    p.add_argument("--extra", type=Path, help="more sounds, one folder per label")
    p.add_argument("--out", type=Path, required=True, help="output folder")
    p.add_argument("--config", type=Path, help="recipe as JSON (default: the shipped recipe)")
    p.add_argument("--minutes", type=float, help="training time; overrides the recipe")
    p.add_argument("--steps", type=int, help="number of training steps in place of a time; overrides the recipe")
    p.add_argument(
        "--shards", type=int, help=f"size of the stream pool (default: {SHARDS}; for your clips {OWN_SHARDS})"
    )
    p.add_argument("--streams", type=int, help="streams per shard")
    p.add_argument("--workers", type=int, help=f"processes that compose streams (default: {WORKERS})")
    p.add_argument("--processes", type=int, default=1, help="processes that train together, one thread each")
    p.add_argument("--device", default="cpu", help="device that computes: cpu, cuda or mps (default: cpu)")
    p.add_argument("--composers", type=int, default=0, help="processes that compose batches for a GPU (default: 0)")
    p.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code: 0, or 2 for input that cannot be used."""
    arguments = parser().parse_args(argv)
    arguments.given = sys.argv[1:] if argv is None else argv
    try:
        run(arguments)
    except AiWidgetsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _is_own(data: Path) -> bool:
    """Return whether the data are a user's own clips, and not a folder of recordings with a manifest."""
    if data.is_dir():
        own = (data / conversations.REPLIES_FILE).is_file()
        if not own and not (data / "manifest.csv").is_file():
            raise SettingError(
                f"{data} holds neither {conversations.REPLIES_FILE} (one folder per class) nor manifest.csv "
                "(recordings); add one of them, or give a file of JSON lines (see ai-widgets train --help)."
            )
        return own
    if not data.exists():
        raise SettingError(f"There is no file or folder {data}.")
    return True


def _device(arguments: argparse.Namespace) -> torch.device:
    """Return the device that computes; several processes share a CPU only."""
    try:
        device = torch.device(arguments.device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"--device {arguments.device} cannot be used here: {printable(str(error))}") from error
    if device.type != "cpu" and arguments.processes > 1:
        raise SettingError("--processes is for a CPU; on a GPU one process trains, and --composers compose for it.")
    return device


def _first_weights(begin: str, recipe: Recipe, words: vocabulary.Vocabulary) -> Callable[[Network], None] | None:
    """Return the function that copies the starting checkpoint's weights; None for new weights."""
    if begin == user_clips.NOTHING:
        return None
    model = transfer.open_start(begin)
    if not transfer.fits(recipe.sizes, transfer.sizes_of(model)):
        raise SettingError(
            f"The recipe's sizes do not fit those of {begin}, from which training starts: only layers can be added. "
            "Remove sizes, or give --start none."
        )
    return partial(transfer.take_over, words=words, model=model)


def _trainer(
    recipe: Recipe,
    clips: Path,
    streams: pool.Pool,
    words: vocabulary.Vocabulary,
    out: Path,
    begin: Callable[[Network], None] | None,
    peers: Peers | None = None,
    device: torch.device | None = None,
    processes: int = 0,
) -> Trainer:
    """Make a trainer on streams alone or, with a course, also on windows from the same clips."""
    if recipe.course is None:
        return Trainer(recipe, streams, words, out, begin=begin, peers=peers, device=device)
    gathered = clipcache.load(clips)
    said = phones.pronounce(clip.text for clip in gathered) if recipe.weights.phones else {}
    numbers = phones.table(said)
    numbered = {text: tuple(numbers[phone] for phone in spoken) for text, spoken in said.items()}
    excerpts = mel_clips.shelve(gathered, numbered, recipe.seed, processes=max(1, processes))
    builder = SequenceBuilder(words, attended=recipe.attended, advanced=recipe.advanced)
    rank = 0 if peers is None else peers.rank
    composer = Composer(gathered, recipe.repeating) if recipe.course.renewed else None
    curriculum = Curriculum(recipe.course, excerpts, streams, builder, recipe.seed, recipe.perturbation, rank, composer)
    return Trainer(
        recipe, streams, words, out,
        builder=builder, curriculum=curriculum, phones=len(numbers), begin=begin, peers=peers, device=device,
        composers=processes,
    )  # fmt: skip


@contextmanager
def _peers(arguments: argparse.Namespace, out: Path) -> Iterator[Peers | None]:
    """Start the other processes of a training, and meet them; None for one process."""
    size = arguments.processes
    if size == 1:
        yield None
        return
    if size > MOST:
        raise SettingError(f"--processes must be from 1 to {MOST}, not {size}.")
    meeting, rank = out / "peers", arguments.rank or 0
    if rank == 0:
        meeting.unlink(missing_ok=True)
    with together(arguments.given, size) if rank == 0 else nullcontext():
        peers = Peers(rank, size, meeting)
        yield peers
        peers.close()


def _must_fit_own_clips(arguments: argparse.Namespace) -> None:
    """Raise `SettingError` where an option is given that a training on the user's own clips would ignore."""
    if arguments.speech is not None or arguments.extra is not None:
        raise SettingError(
            "--speech and --extra are for the embedded checkpoint only; your own clips need --data alone."
        )
    ignored = {
        "--workers": arguments.workers,
        "--composers": arguments.composers,
        "--processes": arguments.processes - 1,
    }
    given = [option for option, value in ignored.items() if value]
    if given:
        raise SettingError(
            f"{given[0]} is for the embedded checkpoint only; one process composes your own clips and trains on them: "
            "leave it out."
        )


def run(arguments: argparse.Namespace) -> Path:
    """Gather clips, compose streams, train and export; return the checkpoint's folder.

    Raises
    ------
    AiWidgetsError
        Where an option or the data cannot be used.
    """
    for name in ("minutes", "steps", "shards", "streams", "workers", "processes"):
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            raise SettingError(f"--{name} must be above 0, not {value:g}.")
    out: Path = arguments.out
    own = arguments.data is not None and _is_own(arguments.data)
    begin = arguments.start or (user_clips.EMBEDDED if own else user_clips.NOTHING)
    base = user_clips.RECIPE_FROM_NOTHING if begin == user_clips.NOTHING else user_clips.RECIPE
    recipe = read_recipe(arguments.config, base if own else None)
    if arguments.minutes is not None and arguments.steps is not None:
        raise SettingError("--minutes and --steps both say when a training ends; give one of them.")
    if arguments.minutes is not None:
        recipe = replace(recipe, minutes=arguments.minutes, steps=0)
    if arguments.steps is not None:
        recipe = replace(recipe, steps=arguments.steps)
    device = _device(arguments)
    composers.check(arguments.composers)
    shards = arguments.shards or (OWN_SHARDS if own else SHARDS)
    if own:
        _must_fit_own_clips(arguments)
        return user_clips.train_own(
            arguments.data,
            arguments.held_out,
            out,
            recipe,
            shards,
            arguments.streams or user_clips.SHARD,
            begin,
            device,
        )
    if arguments.held_out is not None:
        raise SettingError("--held-out is for your own clips only; of recordings with a manifest a split is held out.")
    clips = out / "clips" / "train"
    if not clips.with_suffix(".json").is_file():
        gathered = clipcache.gather(arguments.data, arguments.speech, arguments.extra, "train")
        if not gathered:
            raise SettingError("There is nothing to train on: give --data, --speech or --extra.")
        clipcache.save(gathered, clips)
    streams = arguments.streams or pool.STREAMS_PER_SHARD
    pool.fill(clips, out / "pool", shards, recipe.seed, arguments.workers or WORKERS, streams, recipe.repeating)
    words = vocabulary.build(replies.all_texts())
    first = _first_weights(begin, recipe, words)
    with _peers(arguments, out) as peers:
        trainer = _trainer(
            recipe, clips, pool.Pool(out / "pool"), words, out / "run", first, peers, device, arguments.composers
        )
        network = trainer.run(quiet=not trainer.leads)
    if not trainer.leads:
        return out / "checkpoint"
    record = {**trainer.record(), "start": begin, "clips": fingerprint(clips)}
    export(network, words, out / "checkpoint", record, context_seconds=trainer.context_seconds)
    print(f"The checkpoint is in {out / 'checkpoint'}.")
    return out / "checkpoint"
