"""A name → a folder: the embedded checkpoint, a folder, or a hub repository pinned to a commit."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from tqdm import tqdm as plain_tqdm
from tqdm.auto import tqdm

from ..errors import CheckpointError

logger = logging.getLogger(__name__)

EMBEDDED = "tiny"
REFUSALS = (401, 403, 404)
"""Answers of the hub that will be the same next time; after any other the local cache may serve."""
HUB_PATTERNS = ("*.safetensors", "*.json", "*.yaml", "*ChunkwisedEncoder.pth")

Progress = Callable[[int, int], object]
"""Called with the bytes that are done and all there are; what it raises ends the loading."""


def locate(name: str | Path, revision: str | None = None, progress: Progress | None = None) -> tuple[Path, str | None]:
    """Folder of a checkpoint, and the commit it is pinned to if it comes from the hub.

    Parameters
    ----------
    name
        `tiny`, an existing folder, or a hub id `owner/name`.
    revision
        Branch, tag or commit of the hub repository. Whatever is given is resolved to a commit first, so that all files
        are of one state even if somebody pushes meanwhile.
    progress
        Told of the bytes downloaded; without it, bars are shown.
    """
    if str(name) == EMBEDDED:
        folder = Path(str(resources.files("ai_widgets"))) / "tiny"
        if not (folder / "config.json").exists():
            raise CheckpointError("The embedded checkpoint is not in this installation; reinstall ai_widgets.")
        return folder, None
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder, None
    parts = str(name).split("/")
    if len(parts) != 2 or not all(parts) or str(name).startswith((".", "/", "~")):
        raise CheckpointError(
            f"There is no checkpoint {str(name)!r}: give tiny, an existing folder, or a hub id such as "
            "zhifeixie/AudioInteraction."
        )
    return _download(str(name), revision, progress)


def _download(repo: str, revision: str | None, progress: Progress | None) -> tuple[Path, str | None]:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    commit = revision
    try:
        commit = HfApi().model_info(repo, revision=revision).sha or revision
        logger.info("%s is pinned to commit %s; pass revision=%r to get the same files again.", repo, commit, commit)
    except Exception as error:
        # Whatever HTTP library is below has connection errors of its own, with no common base.
        if isinstance(error, HfHubHTTPError) and error.response.status_code in REFUSALS:
            where = f" at revision {revision!r}" if revision else ""
            raise CheckpointError(f"The hub has no repository {repo!r}{where} that you may read.") from error
        # No connection, or a hub in trouble: what was downloaded before may still serve.
        logger.info("The hub was not reached (%s); looking for %s in the local cache.", error, repo)
    try:
        folder = snapshot_download(
            repo,
            revision=commit,
            allow_patterns=list(HUB_PATTERNS),
            tqdm_class=tqdm if progress is None else _reporting(progress),
        )
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"There is no folder {repo!r}; as a hub id it is not in the local cache, and the hub cannot be reached."
        ) from error
    except Exception as error:  # as above
        raise CheckpointError(
            f"Downloading {repo!r} stopped: {error}. Call again; what is complete is not fetched twice."
        ) from error
    return Path(folder), commit


def _reporting(progress: Progress) -> type[Any]:
    """A bar that shows nothing and tells `progress` of every byte."""

    class Reporting(plain_tqdm):  # type: ignore[type-arg]
        def __init__(self, *given: Any, **named: Any) -> None:
            self.bytes = named.get("unit") == "B"
            super().__init__(*given, **{**named, "file": io.StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if self.bytes and self.total:
                progress(int(self.n), int(self.total))
            return shown

    return Reporting
