"""Keep a pool of composed streams on disk: features and labels from which training draws at random.

Streams are stored in shards. Shard *n* depends only on the clips, the seed and *n*, so an interrupted pool can be
completed. Processes make shards in parallel, with one thread each, since small matrix products gain nothing from more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ai_widgets.training import clipcache
from ai_widgets.training.compose_events import REPEATING_SHARE
from ai_widgets.training.compose_streams import Composer
from ai_widgets.training.corpus import Clip
from ai_widgets.training.labels import ChunkLabels

STREAMS_PER_SHARD = 100
"""Streams of a shard, about 40 minutes of audio: the work that is lost when filling is interrupted."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class PooledStream:
    """One stream of the pool; `mels` is [chunks, 128, 40] in float16."""

    mels: npt.NDArray[np.float16]
    reply: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    word: npt.NDArray[np.uint8]


class Labelled(Protocol):
    """The part of a stream that training needs: features [chunks, 128, 40] and labels."""

    mels: npt.NDArray[np.float32]
    labels: ChunkLabels


def draw_seconds(rng: np.random.Generator) -> float:
    """Draw the length of a stream in seconds: mostly short, at times as long as the context."""
    return float(rng.choice([rng.uniform(6, 20), rng.uniform(20, 36), rng.uniform(45, 62)], p=[0.5, 0.32, 0.18]))


def make_shard(
    clips: Sequence[Clip],
    folder: Path,
    number: int,
    seed: int,
    count: int = STREAMS_PER_SHARD,
    repeating: float = REPEATING_SHARE,
) -> None:
    """Compose and write one shard."""
    rng = np.random.default_rng([seed, number])
    composer = Composer(clips, repeating)
    write_shard([composer.stream(rng, draw_seconds(rng)) for _ in range(count)], folder, number)


def write_shard(streams: Sequence[Labelled], folder: Path, number: int) -> None:
    """Write streams as a shard, which gets its name only when it is complete.

    Raises
    ------
    ValueError
        Where a feature is not finite, which one step of training would spread to all weights.
    """
    arrays = {
        "mels": np.concatenate([s.mels for s in streams]).astype(np.float16),
        "reply": np.concatenate([s.labels.reply for s in streams]),
        "kind": np.concatenate([s.labels.kind for s in streams]),
        "word": np.concatenate([s.labels.word for s in streams]),
        "lengths": np.array([len(s.mels) for s in streams]),
    }
    if not np.isfinite(arrays["mels"]).all():
        raise ValueError(f"A stream of shard {number} has features that are not finite.")
    unfinished = folder / f"unfinished-{number:04d}"
    unfinished.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(unfinished / f"{name}.npy", array)
    unfinished.rename(folder / f"shard-{number:04d}")


_clips: list[Clip] = []


def _start_worker(cache: str) -> None:
    _clips.extend(clipcache.load(Path(cache)))


def _work(folder: str, number: int, seed: int, count: int, repeating: float) -> int:
    make_shard(_clips, Path(folder), number, seed, count, repeating)
    return number


def fill(
    cache: Path,
    folder: Path,
    shards: int,
    seed: int,
    workers: int = 2,
    count: int = STREAMS_PER_SHARD,
    repeating: float = REPEATING_SHARE,
) -> None:
    """Make the missing ones of the shards 0 … `shards` - 1."""
    missing = [n for n in range(shards) if not (folder / f"shard-{n:04d}").is_dir()]
    if not missing:
        return
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start_worker, (str(cache),)) as executor:
            jobs = [executor.submit(_work, str(folder), n, seed, count, repeating) for n in missing]
            for job in tqdm(jobs, desc="streams", unit="shard"):
                job.result()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Pool:
    """The complete shards of a folder, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.streams: list[PooledStream] = []
        for shard in sorted(folder.glob("shard-*")):
            arrays = {name: np.load(shard / f"{name}.npy", mmap_mode="r") for name in ("mels", "reply", "kind", "word")}
            ends = np.cumsum(np.load(shard / "lengths.npy"))
            for start, end in zip([0, *ends[:-1]], ends, strict=True):
                self.streams.append(PooledStream(**{name: array[start:end] for name, array in arrays.items()}))
        self.chunks = np.array([len(s.reply) for s in self.streams])

    def __len__(self) -> int:
        return len(self.streams)

    def replace(self, place: int, stream: Labelled) -> None:
        """Put a composed stream in place of another one, in memory only."""
        labels = stream.labels
        self.streams[place] = PooledStream(stream.mels.astype(np.float16), labels.reply, labels.kind, labels.word)
        self.chunks[place] = len(stream.mels)

    @property
    def hours(self) -> float:
        """Hours of audio in the pool."""
        return float(self.chunks.sum() * 0.4 / 3600)
