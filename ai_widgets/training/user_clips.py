"""Train a checkpoint on a user's own clips, and measure its replies to held-out clips.

conversations  the data            compose_turns  augmented streams from the data
user_clips     vocabulary, replies, pool, training, export
heldout        held-out clips through a session, as `ai-widgets run` plays files
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from ai_widgets.errors import SettingError
from ai_widgets.inference import load_model
from ai_widgets.training import heldout, transfer, vocabulary
from ai_widgets.training.compose_turns import EITHER, TurnComposer
from ai_widgets.training.conversations import Conversation, SpokenReply, read_conversations, replies_of, split
from ai_widgets.training.export import export
from ai_widgets.training.labels import NO_REPLY
from ai_widgets.training.network import Sizes
from ai_widgets.training.objective import Weights
from ai_widgets.training.pool import Pool, write_shard
from ai_widgets.training.recipe import Recipe
from ai_widgets.training.replies import SYSTEM_PROMPT
from ai_widgets.training.token_sequences import History, SequenceBuilder
from ai_widgets.training.trainer import Trainer
from ai_widgets.training.vocabulary import Vocabulary

RECIPE = Recipe(
    minutes=4.0, rate=1e-3, warmup=0.05, positions=1600, save_every_s=30.0, log_every_s=20.0,
    weights=Weights(decision=4.0, text=0.6, kinds=0.3, words=0.3),
)  # fmt: skip
"""Default recipe for a training that starts from the embedded checkpoint."""
RECIPE_FROM_NOTHING = replace(
    RECIPE, minutes=10.0, rate=2.5e-3, weights=Weights(decision=4.0, text=0.6, kinds=1.0, words=0.3),
    sizes=Sizes(width=96, layers=3, heads=4, kv_heads=2, mlp=256, tower_width=96, tower_layers=3, tower_heads=4,
                tower_mlp=256),
)  # fmt: skip
"""Default recipe for a small network (about 0.7 M parameters) with new weights."""
EMBEDDED, NOTHING = "tiny", "none"
"""Values of ``--start``: the embedded checkpoint, and new weights."""
SHARD = 50
"""Streams per shard, about 15 minutes of audio."""
HELD_OUT_STREAMS = 40
"""Streams at most of held-out clips, whose loss is logged: a few batches suffice."""
DATA_FILE = "data.json"
"""File with the fingerprint of the data, which keeps a folder from mixing runs."""
VOCABULARY_SIZE = 640
"""Entries of the tokenizer before the special tokens, as in the embedded checkpoint."""


class ReplyBuilder(SequenceBuilder):
    """A sequence builder with the user's own replies."""

    def __init__(self, words: Vocabulary, replies: Sequence[SpokenReply]) -> None:
        super().__init__(words, replies=[(reply.emotion, (reply.text,)) for reply in replies])

    def history(
        self,
        reply: npt.NDArray[np.uint8],
        kind: npt.NDArray[np.uint8],  # noqa: ARG002 - used by the base class only
        rng: np.random.Generator,
        rate: float,
    ) -> History:
        """Make a history with KEEP_SILENCE at `EITHER` chunks and some wrong decisions, both without a loss."""
        history = History(np.where(reply == EITHER, NO_REPLY, reply).astype(np.uint8), reply != EITHER)
        for chunk in np.flatnonzero(history.reply):
            if rng.random() < rate and chunk + 1 < len(reply) and history.reply[chunk + 1] == NO_REPLY:
                history.reply[chunk + 1], history.reply[chunk] = history.reply[chunk], NO_REPLY
                history.learnt[chunk] = False
        for chunk in np.flatnonzero((history.reply == NO_REPLY) & history.learnt):
            if rng.random() < rate / 12:
                history.reply[chunk] = rng.integers(1, len(self.replies))
                history.learnt[chunk] = False
        return history


def train_own(
    data: Path,
    held_out_data: Path | None,
    out: Path,
    recipe: Recipe,
    shards: int,
    count: int = SHARD,
    begin: str = EMBEDDED,
    device: torch.device | None = None,
) -> Path:
    """Read clips, compose streams, train, export and measure; return the checkpoint's folder.

    Parameters
    ----------
    data
        JSON lines, or a folder with a ``replies.json`` (see `conversations`).
    held_out_data
        Clips for validation, in the same form; None to hold out a share of `data`.
    out
        Output folder; a second call continues where the first one stopped.
    recipe
        Parameters of the training.
    shards, count
        Size of the pool: shards, and streams per shard.
    begin
        Checkpoint to start from, or ``none`` for new weights in the recipe's sizes.
    device
        Device that computes; None for the CPU.

    Raises
    ------
    AiWidgetsError
        Where the data or the recipe cannot be used, or `out` holds a run on other data.
    """
    conversations = read_conversations(data)
    replies = replies_of(conversations)
    model = None
    if recipe.unknown_bias:
        raise SettingError(
            f"unknown_bias is {recipe.unknown_bias}, but applies to the embedded checkpoint's replies only; "
            "a recipe for your own clips must leave it out."
        )
    if begin != NOTHING:
        if recipe.sizes != RECIPE.sizes:
            raise SettingError(f"Training from {begin} uses its sizes; remove sizes, or give --start none.")
        model = transfer.open_start(begin)
        recipe = replace(recipe, sizes=transfer.sizes_of(model))
    if held_out_data is None:
        training, held_out = split(conversations)
    else:
        training, held_out = conversations, read_conversations(held_out_data)
        _check_held_out(training, held_out, held_out_data)
    print(_counts(replies, training, held_out))
    data_print = {**_fingerprint([*training, *held_out], recipe.seed), "start": begin}
    _check_same_data(out, data_print)
    _fill(training, replies, out / "pool", shards, count, recipe.seed)
    if held_out:
        _fill(held_out, replies, out / "held_out", 1, min(count, HELD_OUT_STREAMS), recipe.seed + 1)
    texts = [SYSTEM_PROMPT, *(reply.text for reply in replies)]
    words = vocabulary.build(texts, VOCABULARY_SIZE)
    trainer = Trainer(
        recipe,
        Pool(out / "pool"),
        words,
        out / "run",
        builder=ReplyBuilder(words, replies),
        held_out=Pool(out / "held_out") if held_out else None,
        begin=None if model is None else partial(transfer.take_over, words=words, model=model),
        device=device,
    )
    network = trainer.run()
    checkpoint = out / "checkpoint"
    record: dict[str, Any] = {**trainer.record(), "start": begin, "data": data_print}
    described: dict[str, Any] = {"name": out.resolve().name, "context_seconds": trainer.context_seconds}
    export(network, words, checkpoint, record, **described)
    if held_out:
        figures = heldout.measure(load_model(checkpoint), held_out)
        export(network, words, checkpoint, {**record, "held_out": figures}, **described)
        print(heldout.in_words(figures))
    print(f"The checkpoint is in {checkpoint}; try: ai-widgets run CLIP --checkpoint {checkpoint}")
    return checkpoint


def _fill(
    conversations: Sequence[Conversation],
    replies: Sequence[SpokenReply],
    folder: Path,
    shards: int,
    count: int,
    seed: int,
) -> None:
    """Make the missing shards."""
    missing = [n for n in range(shards) if not (folder / f"shard-{n:04d}").is_dir()]
    if not missing:
        return
    composer = TurnComposer(conversations, replies)
    with tqdm(total=len(missing) * count, desc="streams", unit="stream") as bar:
        for number in missing:
            rng = np.random.default_rng([seed, number])
            streams = []
            for _ in range(count):
                streams.append(composer.stream(rng))
                bar.update()
            write_shard(streams, folder, number)


def _check_held_out(training: Sequence[Conversation], held_out: Sequence[Conversation], path: Path) -> None:
    """Check that no file is in both sets, and that training has every held-out reply."""
    known = {turn.path.resolve() for conversation in training for turn in conversation}
    replies = set(replies_of(training))
    for turn in (turn for conversation in held_out for turn in conversation):
        if turn.path.resolve() in known:
            raise SettingError(f"{path} holds {turn.path}, which is trained on; hold out other files.")
        if turn.reply is not None and turn.reply not in replies:
            raise SettingError(f'{path} expects "{turn.reply.text}", but the training data has no such reply.')


def _counts(replies: Sequence[SpokenReply], training: Sequence[Conversation], held_out: Sequence[Conversation]) -> str:
    kept, held = (sum(len(c) for c in part) for part in (training, held_out))
    return f"{len(replies)} different replies; {kept} turns to train on, {held} held out."


def _fingerprint(conversations: Sequence[Conversation], seed: int) -> dict[str, Any]:
    digest = hashlib.sha256()
    for turn in (turn for conversation in conversations for turn in conversation):
        said = "" if turn.reply is None else f"{turn.reply.emotion.value}:{turn.reply.text}"
        digest.update(f"{turn.source}\n{said}\n".encode())
        digest.update(turn.path.read_bytes())
    return {"turns": sum(len(c) for c in conversations), "sha256": digest.hexdigest(), "seed": seed}


def _check_same_data(out: Path, now: dict[str, Any]) -> None:
    """Check that the run in `out` has the same data, or write their fingerprint."""
    path = out / DATA_FILE
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != now:
            raise SettingError(
                f"{out} holds a run with other data, seed or --start; give another --out, or delete the folder."
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(now) + "\n", encoding="utf-8")
