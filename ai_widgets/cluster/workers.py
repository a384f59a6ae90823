"""Results of rows from workers of a Ray cluster: each worker is an actor, which loads its model once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import ChildError

WORKER_CPUS = 0.9
"""Share of a core that Ray reserves for a worker: the rest of each core is for the tasks that make the rows."""
SOURCE_CPUS = 0.1
"""Share of a core that Ray reserves for the task that makes rows."""
BLOCK_BYTES = 32 << 20
"""Size of the blocks in which made rows travel: some streams of an evaluation each, so that all workers have some."""

Row = Mapping[str, Any]
Worker = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


def workers_of(ray: Any, device: str) -> tuple[int, float]:
    """Return the number of workers that a cluster has room for, and the GPUs of each: one a GPU, else one a core.

    Parameters
    ----------
    ray
        Connected module.
    device
        Option `--device`.
    """
    there = ray.cluster_resources()
    gpus = int(there.get("GPU", 0))
    if gpus and device != "cpu":
        return gpus, 1.0
    return max(1, int(there.get("CPU", 1))), 0.0


def results(
    ray: Any,
    rows: Sequence[Row] | Callable[[], Iterator[Row]],
    worker: type[Any],
    arguments: Sequence[Any],
    *,
    batch: int,
    workers: int,
    gpus: float = 0.0,
) -> Iterator[dict[str, Any]]:
    """Give rows to workers in batches and yield the results as they come.

    Parameters
    ----------
    ray
        Connected module.
    rows
        Rows, or a function that makes them in a task of the cluster, no faster than the workers take them.
    worker, arguments
        Class of the workers and arguments with which each is made once. It is called with the columns of a batch and
        yields columns of results.
    batch
        Rows of a batch.
    workers
        Number of workers.
    gpus
        GPUs of each.

    Yields
    ------
    dict
        A row of the results.

    Raises
    ------
    ChildError
        If a worker ends again and again, or its class cannot be made.
    """
    context = ray.data.DataContext.get_current()
    before = context.target_max_block_size, context.enable_progress_bars
    context.target_max_block_size, context.enable_progress_bars = BLOCK_BYTES, False
    try:
        if callable(rows):
            made = ray.data.from_items([{"part": 0}]).map_batches(_Made(rows), num_cpus=SOURCE_CPUS)
        else:
            made = ray.data.from_items(list(rows), override_num_blocks=-(-len(rows) // batch))
        heard = made.map_batches(
            worker,
            fn_constructor_args=tuple(arguments),
            batch_size=batch,
            concurrency=workers,
            num_cpus=WORKER_CPUS,
            num_gpus=gpus,
        )
        yield from heard.iter_rows()
    except (ray.exceptions.RayError, RuntimeError) as error:
        words = str(error).strip().splitlines()
        raise ChildError(
            f"The workers of the Ray cluster ended: {words[-1] if words else type(error).__name__} Results so far are "
            "kept, and the same command goes on with them. ai_widgets and the files must be on every machine of the "
            "cluster, under the same paths."
        ) from error
    finally:
        context.target_max_block_size, context.enable_progress_bars = before


class _Made:
    """Function of Ray's that ignores its batch and yields each row of a maker as a batch."""

    def __init__(self, make: Callable[[], Iterator[Row]]) -> None:
        self._make = make

    @property
    def __name__(self) -> str:
        return "streams"

    def __call__(self, _: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for row in self._make():
            yield {name: [value] for name, value in row.items()}
