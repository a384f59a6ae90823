"""The command that makes a checkpoint: ``ai-widgets train`` or ``python -m ai_widgets.training``.

Your own clips, a file of JSON lines or a folder with a ``replies.json`` (both described in `conversations`)::

    ai-widgets train --data clips.jsonl --out RUN
    ai-widgets run clip.wav --checkpoint RUN/checkpoint

The embedded checkpoint, from folders of recordings with a ``manifest.csv``::

    ai-widgets train --data DATA --speech SPEECH --extra EXTRA --out RUN

A recipe for ``--config`` holds what is to differ from the defaults (`trainer.Recipe`, `network.Sizes`), for instance::

    {"minutes": 10, "seed": 2, "rate": 0.001}

Everything it makes stays in the output folder, and a second call goes on where the first one stopped:

    clips/       the recordings of a split, decoded and trimmed (embedded checkpoint)
    pool/        streams ready for training; held_out/ those that are never trained on (own clips)
    run/         state.pt (weights, optimiser, time used), log.jsonl (loss and decision figures)
    checkpoint/  the exported folder, which `ai_widgets.load_model` reads
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from ai_widgets.errors import AiWidgetsError, SettingError
from ai_widgets.training import clipcache, conversations, phones, pool, replies, vocabulary
from ai_widgets.training import mel_clips as shelf
from ai_widgets.training import transfer as start
from ai_widgets.training import user_clips as own_clips
from ai_widgets.training.curriculum import Course, Curriculum
from ai_widgets.training.export import export
from ai_widgets.training.network import Network
from ai_widgets.training.token_sequences import SequenceBuilder
from ai_widgets.training.trainer import SHIPPED, Recipe, Trainer

SHARDS, OWN_SHARDS = 24, 8
EPILOG = """\
your own clips, one line a conversation, paths relative to the file:
  {"conversation": [{"audio_path": "dog/1.wav", "assistant": "A dog is barking.", "emotion": "surprise"},
                    {"audio_path": "rain/7.wav", "assistant": "<no need to response>"}]}
or a folder a class and, beside them, replies.json:
  {"dog": "A dog is barking.", "cat": {"assistant": "A cat!", "emotion": "happy"}, "rain": null}

a recipe for --config, every field optional:
  {"minutes": 4, "seed": 1, "threads": 2, "rate": 0.001}
with --start none also sizes of the new network, such as:
  {"sizes": {"width": 96, "layers": 3, "tower_layers": 3}}
"""


def read_recipe(path: Path | None, base: Recipe | None = None) -> Recipe:
    """Read a recipe: a JSON file with any fields of `Recipe`; `sizes` and `weights` are objects of their own.

    What the file does not say is as in `base`, by default the shipped checkpoint's recipe.
    """
    base = base or SHIPPED
    if path is None:
        return base
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SettingError(f"The recipe {path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise SettingError(f'{path} is not a recipe: it must be an object such as {{"minutes": 4}}.')
    allowed = {f.name for f in fields(Recipe)}
    unknown = sorted(set(values) - allowed)
    if unknown:
        raise SettingError(
            f"{path}: unknown recipe fields {', '.join(unknown)}; known are {', '.join(sorted(allowed))}."
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
    """Number and hash of the clips of a cache, for the record."""
    table = cache.with_suffix(".json").read_bytes()
    samples = hashlib.sha256(table)
    with cache.with_suffix(".npy").open("rb") as file:
        while block := file.read(1 << 24):
            samples.update(block)
    return {"clips": len(json.loads(table)), "sha256": samples.hexdigest()}


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        prog="ai-widgets train",
        description="Train a small checkpoint that listens.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    p.add_argument(
        "--data", type=Path, help="your clips (.jsonl, or a folder with replies.json), or a folder with manifest.csv"
    )
    p.add_argument("--held-out", type=Path, help="your clips that are not trained on (default: a share of --data)")
    p.add_argument(
        "--start",
        help="checkpoint to begin with, or none to begin with nothing (default: tiny for your clips, else none)",
    )
    p.add_argument("--speech", type=Path, help="speech cache made by python -m ai_widgets.training.speech")
    p.add_argument("--extra", type=Path, help="more sounds, one folder a label")
    p.add_argument("--out", type=Path, required=True, help="folder for everything that is made")
    p.add_argument("--config", type=Path, help="recipe (JSON); the shipped one by default")
    p.add_argument("--minutes", type=float, help="training time; overrides the recipe")
    p.add_argument(
        "--shards", type=int, help=f"size of the stream pool (default: {SHARDS}; for your clips {OWN_SHARDS})"
    )
    p.add_argument("--streams", type=int, help="streams a shard")
    p.add_argument("--workers", type=int, default=2, help="processes that compose streams")
    return p


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = parser().parse_args(argv)
    try:
        run(arguments)
    except AiWidgetsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _is_own(data: Path) -> bool:
    """Say whether the data are a user's own clips rather than a folder of recordings with a manifest."""
    if data.is_dir():
        own = (data / conversations.REPLIES_FILE).is_file()
        if not own and not (data / "manifest.csv").is_file():
            raise SettingError(
                f"{data} holds neither {conversations.REPLIES_FILE} (a folder a class) nor manifest.csv (recordings); "
                "or give a file of JSON lines, see ai-widgets train --help."
            )
        return own
    if not data.exists():
        raise SettingError(f"There is no file or folder {data}.")
    return True


def _first_weights(begin: str, recipe: Recipe, words: vocabulary.Vocabulary) -> Callable[[Network], None] | None:
    """What writes the weights of the checkpoint to begin with; None where there is none."""
    if begin == own_clips.NOTHING:
        return None
    model = start.open_start(begin)
    if recipe.sizes != start.sizes_of(model):
        raise SettingError(f"The recipe's sizes are not those of {begin}, which training begins with.")
    return partial(start.take_over, words=words, model=model)


def _trainer(
    recipe: Recipe,
    clips: Path,
    streams: pool.Pool,
    words: vocabulary.Vocabulary,
    out: Path,
    begin: Callable[[Network], None] | None,
) -> Trainer:
    """A trainer on streams alone, or with a course of windows made from the same clips."""
    if recipe.course is None:
        return Trainer(recipe, streams, words, out, begin=begin)
    gathered = clipcache.load(clips)
    said = phones.pronounce(clip.text for clip in gathered) if recipe.weights.phones else {}
    numbers = phones.table(said)
    excerpts = shelf.shelve(
        gathered, {text: tuple(numbers[phone] for phone in spoken) for text, spoken in said.items()}, recipe.seed
    )
    builder = SequenceBuilder(words)
    curriculum = Curriculum(recipe.course, excerpts, streams, builder, recipe.seed, recipe.perturbation)
    return Trainer(
        recipe, streams, words, out, builder=builder, curriculum=curriculum, phones=len(numbers), begin=begin
    )


def run(arguments: argparse.Namespace) -> Path:
    """Gather, compose, train, export; return the checkpoint's folder."""
    for name in ("minutes", "shards", "streams", "workers"):
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            raise SettingError(f"--{name} must be above 0, not {value:g}.")
    out: Path = arguments.out
    own = arguments.data is not None and _is_own(arguments.data)
    begin = arguments.start or (own_clips.EMBEDDED if own else own_clips.NOTHING)
    base = own_clips.RECIPE_FROM_NOTHING if begin == own_clips.NOTHING else own_clips.RECIPE
    recipe = read_recipe(arguments.config, base if own else None)
    if arguments.minutes is not None:
        recipe = replace(recipe, minutes=arguments.minutes)
    shards = arguments.shards or (OWN_SHARDS if own else SHARDS)
    if own:
        if arguments.speech is not None or arguments.extra is not None:
            raise SettingError(
                "--speech and --extra belong to the embedded checkpoint; your own clips are --data alone."
            )
        return own_clips.train_own(
            arguments.data,
            arguments.held_out,
            out,
            recipe,
            shards,
            arguments.streams or own_clips.SHARD,
            begin,
        )
    if arguments.held_out is not None:
        raise SettingError("--held-out belongs to your own clips; of recordings with a manifest a split is held out.")
    clips = out / "clips" / "train"
    if not clips.with_suffix(".json").is_file():
        gathered = clipcache.gather(arguments.data, arguments.speech, arguments.extra, "train")
        if not gathered:
            raise SettingError("There is nothing to train on: give --data, --speech or --extra.")
        clipcache.save(gathered, clips)
    pool.fill(clips, out / "pool", shards, recipe.seed, arguments.workers, arguments.streams or pool.STREAMS_PER_SHARD)
    words = vocabulary.build(replies.all_texts())
    trainer = _trainer(recipe, clips, pool.Pool(out / "pool"), words, out / "run", _first_weights(begin, recipe, words))
    network = trainer.run()
    record = {**trainer.record(), "start": begin, "clips": fingerprint(clips)}
    export(network, words, out / "checkpoint", record, context_seconds=trainer.context_seconds)
    print(f"The checkpoint is in {out / 'checkpoint'}.")
    return out / "checkpoint"
