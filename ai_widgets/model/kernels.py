"""Kernels of attention: which of CUDA's implementations torch may choose for a step of this package's models.

On recent GPUs torch prefers cuDNN's kernel for 16-bit formats. cuDNN makes a plan for each new shape, and the context
of a session has a new length at every step: a token of the published sizes took more than twice as long with it as with
the other kernels (docs/hardware.md). The choice is a flag of the process, so it is changed for a step only. torch's own
context manager, `sdpa_kernel`, takes ten times as long, and may leave the flag changed where two threads overlap.
"""

from __future__ import annotations

from threading import Lock
from types import TracebackType
from typing import Any

import torch

_flags: Any = torch.backends.cuda


class WithoutCudnn:
    """Context in which torch computes attention without cuDNN's kernel; `without_cudnn` is the one of the process.

    Contexts may nest and overlap on several threads: the first that is entered stores the flag and the last that is
    left restores it. A model of another library that computes at the same time on another thread also uses other
    kernels, with the same results except for rounding. A CPU has no such kernel; there a context only costs its 1 µs.

    Examples
    --------
    >>> with without_cudnn:
    ...     torch.backends.cuda.cudnn_sdp_enabled()
    False
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._entered, self._before = 0, True

    def __enter__(self) -> None:
        with self._lock:
            if self._entered == 0:
                self._before = _flags.cudnn_sdp_enabled()
                _flags.enable_cudnn_sdp(False)
            self._entered += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._entered -= 1
            if self._entered == 0:
                _flags.enable_cudnn_sdp(self._before)


without_cudnn = WithoutCudnn()
"""The context of this process: there is one, because the flag is one."""
