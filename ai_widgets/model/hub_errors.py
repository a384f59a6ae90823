"""Translation of download errors to one sentence: the cause, and the remedy.

The hub and the HTTP libraries report the same few causes in many classes and texts, some of which mislead: a refused
token for a public repository reads like a missing repository. Errors are classified here by status, `X-Error-Code` and
errno, and described in our own words; the libraries' advice is not repeated.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import HubAccessError, HubError, HubUnreachableError
from .configuration import names_shown

LOGIN = "log in with `hf auth login`"
"""Remedy for missing permission, as part of a sentence."""
AGAIN = "call again: complete files are not downloaded twice"
"""Remedy for an interrupted download, as part of a sentence."""
NO_CONNECTION = (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
"""errno values of a failed connection."""
FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
"""errno values of a full disk or an exhausted quota."""
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""errno values of missing write permission."""


def explain(repo: str, revision: str | None, error: BaseException) -> HubError:
    """Build the exception for a failed download.

    Parameters
    ----------
    repo, revision
        Requested repository and revision.
    error
        Exception raised by huggingface_hub.
    """
    for one in _chain(error):
        said = _by_status(repo, revision, one) or _by_kind(repo, one)
        if said is not None:
            return said
    if any(_is(one, "TransportError") for one in _chain(error)):
        return HubUnreachableError(f"The connection to {_hub()} was lost; check the network, then {AGAIN}.")
    words = " ".join(str(error).split())
    return HubError(f"Downloading {repo!r} stopped ({words[:200].rstrip('.') or type(error).__name__}); {AGAIN}.")


def not_cached(
    repo: str, revision: str | None, refused: HubError, absent: Exception, patterns: Sequence[str]
) -> HubError:
    """Build the exception for a failed download without a complete copy in the local cache.

    Parameters
    ----------
    repo, revision
        Requested repository and revision.
    refused
        Error of the download.
    absent
        Error of the lookup in the cache.
    patterns
        Patterns of the required files.
    """
    what, _, way = str(refused).rstrip(".").partition("; ")
    where = f" at revision {revision!r}" if revision else ""
    folder = getattr(absent, "snapshot_path", None)
    if folder is not None:
        lacking = _lacking(repo, Path(folder), patterns)
        return type(refused)(f"{what}, and the local cache of {repo!r} lacks {lacking}; {way}, then {AGAIN}.")
    others = _cached_commits(repo)
    if others:
        way += f", or load a cached commit with revision={' or '.join(map(repr, others))}"
    return type(refused)(f"{what}, and the local cache does not contain {repo!r}{where}; {way}.")


def _lacking(repo: str, folder: Path, patterns: Sequence[str]) -> str:
    """Return the names of the files that a snapshot in the cache lacks."""
    from huggingface_hub import get_cached_repo_tree

    files = [entry.path for entry in get_cached_repo_tree(repo, revision=folder.name)]
    needed = [name for name in files if any(fnmatch(name, pattern) for pattern in patterns)]
    return names_shown([name for name in needed if not (folder / name).exists()])


def _cached_commits(repo: str) -> list[str]:
    from huggingface_hub import constants

    snapshots = Path(constants.HF_HUB_CACHE, f"models--{repo.replace('/', '--')}", "snapshots")
    return sorted(path.name for path in snapshots.iterdir()) if snapshots.is_dir() else []


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, the outermost first."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _is(error: BaseException, name: str) -> bool:
    """Return whether an error's class or a base class has this name; several HTTP libraries use the same names."""
    return any(kind.__name__ == name for kind in type(error).__mro__)


def _by_status(repo: str, revision: str | None, error: BaseException) -> HubError | None:
    """Classify an error by the hub's response; None without a response."""
    response: Any = getattr(error, "response", None)
    if response is None:
        return None
    status, page = response.status_code, f"{_hub()}/{repo}"
    with_token = "authorization" in response.request.headers
    code, message = (response.headers.get(name, "") for name in ("X-Error-Code", "X-Error-Message"))
    if code == "RevisionNotFound" or _is(error, "RevisionNotFoundError"):
        return HubError(f"{repo!r} has no revision {revision!r}; give a branch, tag or commit of {page}/tree/main.")
    if code == "GatedRepo" or _is(error, "GatedRepoError"):
        then = "make sure that access was granted to the account of your token" if with_token else LOGIN
        return HubAccessError(
            f"{repo!r} is gated: its authors require you to accept their terms; accept them at {page} and {then}."
        )
    if _is(error, "DisabledRepoError"):
        return HubAccessError(f"The hub has disabled {repo!r}; {page} says why.")
    if status == 401 and with_token and (code != "RepoNotFound" or "credential" in message.lower()):
        return HubAccessError(
            f"The hub refuses your access token and therefore every request for {repo!r}, even if the repository is "
            f"public; {LOGIN} again, or use no token: `hf auth logout`, and unset HF_TOKEN."
        )
    if status in (401, 404):
        login = "log in with an account that may read it" if with_token else LOGIN
        who = "for your account" if with_token else "without a login"
        return HubAccessError(
            f"The hub has no repository {repo!r} {who}: it is private or does not exist; check the spelling, or "
            f"{login}."
        )
    if status == 403:
        return HubAccessError(
            f"Your access token does not permit reading {repo!r}; create a token with read permission for it "
            f"({_hub()}/settings/tokens) and {LOGIN}."
        )
    if status == 429:
        return HubUnreachableError(
            f"The hub's rate limit is reached; try again {_delay(response.headers)}, or {LOGIN} for a higher limit."
        )
    if status >= 500:
        return HubUnreachableError(f"The hub reports an internal error (status {status}); try again in a few minutes.")
    return HubError(f"The hub answered the request for {repo!r} with status {status}; {AGAIN}.")


def _by_kind(repo: str, error: BaseException) -> HubError | None:
    """Classify an error without a response by its class; None for an unknown class."""
    hub, words = _hub(), str(error)
    if _is(error, "OfflineModeIsEnabled"):
        return HubUnreachableError(
            "The hub was not contacted: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set; unset it for the first download."
        )
    if _is(error, "HFValidationError"):
        return HubError(f"{repo!r} is not a hub id; a hub id is owner/name, of letters, digits, '-', '_' and '.'.")
    if isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in words or "[SSL" in words:
        return HubUnreachableError(
            f"The connection to {hub} is not trusted: its certificate cannot be verified; check this machine's date, "
            "and if a company proxy re-signs connections, set SSL_CERT_FILE to the file of its certificate authority."
        )
    if _is(error, "ProxyError"):
        return HubUnreachableError(
            f"The proxy set in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY does not connect to {hub}; correct or unset it."
        )
    if isinstance(error, OSError) and error.errno in FULL:
        return HubError(
            f"The disk of the hub's cache is full ({_cache()}), so {repo!r} could not be downloaded; free space on "
            f"it, or set HF_HOME to a folder on another disk, then {AGAIN}."
        )
    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        return HubError(
            f"The hub's cache cannot be written ({error.filename or _cache()}); correct its permissions, or set "
            "HF_HOME to a folder of yours."
        )
    if isinstance(error, socket.gaierror):
        return HubUnreachableError(
            f"The host name of {hub} cannot be resolved; check the network connection, and HF_ENDPOINT if it is set."
        )
    if isinstance(error, OSError) and error.errno in NO_CONNECTION:
        return HubUnreachableError(
            f"{hub} cannot be reached ({error.strerror or words}); check the connection, a firewall, and HF_ENDPOINT "
            "if it is set."
        )
    if _is(error, "TimeoutException") or isinstance(error, TimeoutError):
        return HubUnreachableError(f"The request to {hub} timed out; check the connection, then {AGAIN}.")
    if _is(error, "FileMetadataError") or isinstance(error, json.JSONDecodeError):
        return HubUnreachableError(
            f"{hub} did not answer like a Hugging Face hub; log in to this network if it has a login page, and check "
            "HF_ENDPOINT if it is set."
        )
    return None


def _hub() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def _delay(headers: Any) -> str:
    """Return the delay until the next request, in words, from the `RateLimit` and `Retry-After` headers."""
    found = re.search(r"\bt=(\d+)", headers.get("RateLimit", ""))
    found = found or re.fullmatch(r"(\d+)", headers.get("Retry-After", ""))
    return f"in {found[1]} seconds" if found is not None else "in a few minutes"
