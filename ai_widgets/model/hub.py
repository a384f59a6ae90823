"""Resolve a checkpoint's name to a folder: the embedded checkpoint, a folder, or a hub repository at a commit."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path
from threading import Thread
from typing import Any

from tqdm import tqdm as plain_tqdm
from tqdm.auto import tqdm

from ..errors import AiWidgetsError, CheckpointError
from .configuration import CONFIGURATION_PATTERNS, FILE_PATTERNS, WEIGHT_PATTERNS
from .hub_errors import explain, not_cached

logger = logging.getLogger(__name__)

EMBEDDED = "tiny"
"""Name of the checkpoint that is part of the package."""

Progress = Callable[[int, int], object]
"""Callback that receives the bytes done and the total bytes; an exception from the callback ends the loading."""


class Reports:
    """Progress of a load: forwards reports to the caller's callback and stores the newest for loads that wait.

    Parameters
    ----------
    progress
        Callback, or None.

    Attributes
    ----------
    newest
        Bytes done and total bytes of the last report; None before the first.
    raised
        Exception of the callback. It is raised again at every later report, so that every thread of a download stops.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.newest: tuple[int, int] | None = None
        self.raised: BaseException | None = None

    def __call__(self, done: int, total: int) -> None:
        self.newest = (done, total)
        if self.raised is not None:
            raise self.raised
        if self._progress is None:
            return
        try:
            self._progress(done, total)
        except BaseException as error:
            self.raised = error
            raise


def locate(
    name: str | Path,
    revision: str | None = None,
    progress: Progress | None = None,
    *,
    bar: bool = True,
    check: Callable[[Path], object] | None = None,
) -> tuple[Path, str | None]:
    """Find or download the folder of a checkpoint, and return it with the commit of a hub repository.

    Parameters
    ----------
    name
        `tiny`, an existing folder, or a hub id `owner/name`.
    revision
        Branch, tag or commit of the hub repository. It is resolved to a commit first, so that all files belong to one
        commit even if the branch changes during the download.
    progress
        Receives the downloaded bytes; an exception from the callback ends the download and is raised again.
    bar
        Whether to show progress bars.
    check
        Called with a folder of the configuration files before weights of a hub repository are downloaded; an
        `AiWidgetsError` from it ends the download and is raised. Not called where all weights are in the hub's cache.

    Returns
    -------
    Path, str or None
        Folder, and commit; the commit is None for a local folder.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint. `HubError`: if a repository could not be downloaded.
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
    return _download(str(name), revision, progress, bar, check)


def _download(
    repo: str, revision: str | None, progress: Progress | None, bar: bool, check: Callable[[Path], object] | None
) -> tuple[Path, str | None]:
    """Download a repository to the hub's cache, or find it there; return the folder and the commit.

    The revision is passed by its own name, so that the cache stores its commit and the same call works offline.
    `snapshot_download` takes all files from one commit, which is the name of the folder that it returns.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, RevisionNotFoundError

    reports = Reports(progress)
    options: dict[str, Any] = {"revision": revision, "allow_patterns": list(FILE_PATTERNS)}
    try:
        listed = HfApi().model_info(repo, revision=revision).siblings or ()
    except Exception as error:
        # The errors have no common base class: each HTTP library has its own connection errors.
        refused = explain(repo, revision, error)
        if isinstance(error, (HFValidationError, RevisionNotFoundError)):
            raise refused from error
        try:
            folder = Path(snapshot_download(repo, local_files_only=True, **options))
        except EntryNotFoundError as absent:
            raise not_cached(repo, revision, refused, absent, FILE_PATTERNS) from error
        logger.warning("%s The copy in the local cache is used, commit %s.", refused, folder.name)
        return folder, folder.name
    try:
        if check is not None:
            few = {**options, "allow_patterns": list(CONFIGURATION_PATTERNS)}
            folder = Path(snapshot_download(repo, tqdm_class=_counting_bar(Reports(None), shown=False), **few))
            if any(_is_weights(one.rfilename) and not (folder / one.rfilename).exists() for one in listed):
                check(folder)
            # A commit that was pushed meanwhile would have another configuration.
            options["revision"] = folder.name
        folder = Path(snapshot_download(repo, tqdm_class=_counting_bar(reports, bar), **options))
    except BaseException as error:
        if reports.raised is not None:
            raise reports.raised from None
        if isinstance(error, AiWidgetsError) or not isinstance(error, Exception):
            raise
        raise explain(repo, revision, error) from error
    logger.info("%s is at commit %s; pass revision=%r to get the same files again.", repo, folder.name, folder.name)
    return folder, folder.name


def _is_weights(name: str) -> bool:
    """Return whether a file of a repository is one of a checkpoint's weights."""
    return any(fnmatch(name, pattern) for pattern in WEIGHT_PATTERNS)


def _counting_bar(progress: Progress, shown: bool) -> type[Any]:
    """Create a progress-bar class that reports every byte to `progress`, and prints nothing unless `shown`."""

    class Counting(tqdm if shown else plain_tqdm):  # type: ignore[misc]
        def __init__(self, *given: Any, **named: Any) -> None:
            self.bytes = named.get("unit") == "B"
            super().__init__(*given, **{**named, **({} if shown else {"file": io.StringIO()}), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            displayed: bool | None = super().update(n)
            if self.bytes and self.total:
                try:
                    progress(int(self.n), int(self.total))
                except BaseException:
                    _stop_transfers()
                    raise
            return displayed

    return Counting


def _stop_transfers() -> None:
    """Stop the transfers of hf_xet, which only logs an exception from its progress callback.

    hf_xet has one session per process, so that all its transfers stop, also those of other callers.
    """
    try:
        from huggingface_hub.utils._xet import abort_xet_session
    except ImportError:
        return  # a version without that session: the exception from the report ends its downloads
    # In a new thread, because the current thread may belong to the session, which waits for its threads.
    Thread(target=abort_xet_session, name="ai_widgets stop download").start()
