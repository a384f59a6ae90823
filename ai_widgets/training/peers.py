"""Train one network in several processes: each on batches of its own, with weights averaged every few steps.

On a CPU two processes with one thread each do about twice the work of one, which one process with two threads does not:
the matrices are small. Averaging weights every few steps (local SGD, Stich 2019, arXiv 1805.09767) costs less waiting
than averaging gradients at every step, since the steps of windows and of streams take different times.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

STEPS = 12
"""Steps between two averages: at 0.6 s a step the processes drift apart by few updates, and wait seldom."""
MOST = 64
"""Processes at most; more is a mistake in the number."""
LONGEST_WAIT = timedelta(minutes=20)
"""Time after which a process that waits for the others fails: the first step compiles for minutes."""


class Peers:
    """The processes of one training. Each makes this object with its own rank; ranks above 0 write no files.

    Parameters
    ----------
    rank
        Number of this process, from 0.
    size
        Number of processes.
    meeting
        Path of a file that does not exist, over which the processes find each other.
    """

    def __init__(self, rank: int, size: int, meeting: Path) -> None:
        self.rank, self.size = rank, size
        dist.init_process_group(
            "gloo", init_method=meeting.resolve().as_uri(), rank=rank, world_size=size, timeout=LONGEST_WAIT
        )

    @torch.no_grad()
    def average(self, parameters: Iterable[Tensor], used_s: float) -> float:
        """Replace parameters by their means over the processes; return the mean of the seconds used."""
        given = list(parameters)
        together = torch.cat([*(p.reshape(-1) for p in given), torch.tensor([used_s])])
        dist.all_reduce(together)
        together /= self.size
        sizes = [p.numel() for p in given]
        for parameter, mean in zip(given, torch.split(together[:-1], sizes), strict=True):
            parameter.copy_(mean.view_as(parameter))
        return float(together[-1])

    def close(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()


@contextmanager
def together(argv: Sequence[str], size: int) -> Iterator[None]:
    """Run the processes with ranks 1 … `size` - 1 of a training with the same options; end them on an exception."""
    command = [sys.executable, "-m", "ai_widgets.training", *argv]
    others = [subprocess.Popen([*command, "--rank", str(rank)]) for rank in range(1, size)]  # noqa: S603 - own options
    try:
        yield
    except BaseException:
        for other in others:
            other.terminate()
        raise
    finally:
        for other in others:
            other.wait()
