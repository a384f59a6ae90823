"""Join a Ray cluster, or start one on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal

from ..errors import ChildError, MissingPackageError

LOCAL = "local"
"""Address of a Ray that is started on this machine, and stopped at the end."""


@contextmanager
def ray_at(address: str, library: Literal["data", "serve"] = "data") -> Iterator[Any]:
    """Provide the module `ray`, connected to a cluster, to a block.

    Parameters
    ----------
    address
        ``local``, ``auto`` for the cluster that this machine belongs to, or the address of one, such as ``HOST:6379``.
    library
        Part of Ray that the block uses.

    Raises
    ------
    MissingPackageError
        If Ray is not installed.
    ChildError
        If the cluster cannot be reached.
    """
    # Ray sends reports of its use to its makers unless it is told not to; a setting of the user is kept.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray

        import_module(f"ray.{library}")
    except ImportError as error:
        raise MissingPackageError('--ray needs Ray, which is not installed: pip install "ai_widgets[ray]".') from error
    # Plans and hints of Ray Data, which are for its developers; the command has a progress bar of its own.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    began = not ray.is_initialized()
    if began:
        try:
            ray.init(
                address=address,
                # A Ray of its own needs no dashboard, which would listen at a port.
                include_dashboard=False if address == LOCAL else None,
                log_to_driver=False,
                logging_level=logging.WARNING,
                configure_logging=False,
            )
        except Exception as error:  # Ray raises bare exceptions where it cannot start.
            words = str(error).strip().splitlines()
            raise ChildError(
                f"No Ray cluster answers at {address!r} ({words[-1] if words else type(error).__name__}). Give its "
                "address as HOST:6379, auto for the one that this machine belongs to (`ray start`), or local to "
                "start one for this command. A cluster with token authentication takes programs that know its token: "
                "set RAY_AUTH_TOKEN to what `ray get-auth-token` prints there."
            ) from error
    try:
        yield ray
    finally:
        if began:
            ray.shutdown()
