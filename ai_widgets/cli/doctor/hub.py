"""Checks of what a checkpoint of the hub needs: the cache, its disk, and the network."""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from .finding import Finding, Level, Surroundings

REACH_SECONDS = 3.0
"""Timeout of the question whether the hub can be reached, in seconds: a slow line answers within one."""
PUBLISHED_DISK_BYTES = 14_000_000_000
"""Bytes that the published checkpoint takes on the disk: its files have 13.6 GB."""


def hub(around: Surroundings) -> Iterator[Finding]:
    """Look at the cache, and at the network where a checkpoint would have to be downloaded."""
    from huggingface_hub import constants, try_to_load_from_cache

    asked = around.asked
    cache = Path(constants.HF_HUB_CACHE)
    cached = asked.of_hub and isinstance(try_to_load_from_cache(asked.checkpoint, "config.json", cache), str)
    download = asked.of_hub and not cached
    if cached:
        yield Finding("checkpoint", "ok", f"{asked.checkpoint} is in the cache {cache}")
    yield _cache(cache, download, around.free_disk)
    yield _network(constants.HF_HUB_OFFLINE, constants.ENDPOINT, asked.checkpoint if download else "")


def _cache(cache: Path, download: bool, free_disk: Callable[[Path], int]) -> Finding:
    above = next(each for each in (cache, *cache.parents) if each.exists())
    advice = "Set HF_HOME to a folder that you may write, or correct the rights of this one."
    try:
        with tempfile.TemporaryFile(dir=above):
            free = free_disk(above)
    except OSError as error:
        why = error.strerror or str(error)
        return Finding("cache", "fault" if download else "note", f"{cache} cannot be written ({why})", advice)
    found = f"{cache}, {free / 1e9:.0f} GB free"
    if download and free < PUBLISHED_DISK_BYTES:
        needed = f"the published checkpoint takes {PUBLISHED_DISK_BYTES / 1e9:.0f} GB"
        return Finding("cache", "fault", f"{found}; {needed}", "Free disk space, or set HF_HOME to a larger disk.")
    return Finding("cache", "ok", found)


def _network(offline: bool, endpoint: str, wanted: str) -> Finding:
    """State whether the hub can be reached; `wanted` is the checkpoint that has to be downloaded, if any."""
    level: Level = "fault" if wanted else "note"
    absent = f"; {wanted} is not in the cache" if wanted else ""
    if offline:
        advice = "Unset HF_HUB_OFFLINE to download checkpoints; the embedded one and those in the cache work."
        return Finding("hub", level, f"HF_HUB_OFFLINE is set{absent}", advice)
    try:
        request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 - the hub's own address
        with urllib.request.urlopen(request, timeout=REACH_SECONDS):  # noqa: S310
            pass
    except urllib.error.HTTPError:
        # An answer of any kind shows that the hub is reached.
        return Finding("hub", "ok", f"{endpoint} answers")
    except (OSError, ValueError) as error:
        advice = "Check network, proxy (HTTPS_PROXY) and HF_ENDPOINT; the embedded checkpoint works without."
        why = getattr(error, "reason", None) or error
        return Finding("hub", level, f"{endpoint} cannot be reached ({why}){absent}", advice)
    return Finding("hub", "ok", f"{endpoint} answers")
