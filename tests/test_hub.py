"""Hub ids: pinned to a commit, only the files that are needed, the local cache where there is no connection."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

from ai_widgets.errors import CheckpointError
from ai_widgets.inference import load_model

REPO = "zhifeixie/AudioInteraction"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PUBLISHED_FILES = (
    "model-00001-of-00004.safetensors",
    "model.safetensors.index.json",
    "model_config.yaml",
    "config.json",
    "generation_config.json",
    "hyperparameters.yaml",
    "tokenizer.json",
    "tokenizer_config.json",
    "MiniOmni3_ChunkwisedEncoder.pth",
    "audiointeraction_ChunkwisedEncoder.pth",
    "qwen25OmniConfig/config.json",
)


def http_error(kind: type[HfHubHTTPError], status: int) -> HfHubHTTPError:
    request = SimpleNamespace(method="GET", url="https://hub.example")
    response = SimpleNamespace(status_code=status, headers={}, request=request, text="", json=dict)
    return kind("no", response=response)  # type: ignore[arg-type]


@dataclass
class Hub:
    """A stub of the hub: answers, and remembers what it was asked."""

    folder: Path
    info_error: Exception | None = None
    download_error: Exception | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    downloads: list[dict[str, Any]] = field(default_factory=list)

    def model_info(self, repo: str, revision: str | None = None, **_: Any) -> Any:
        self.asked.append((repo, revision))
        if self.info_error is not None:
            raise self.info_error
        return SimpleNamespace(sha=COMMIT)

    def snapshot_download(self, repo: str, **options: Any) -> str:
        self.downloads.append({"repo": repo, **options})
        if self.download_error is not None:
            raise self.download_error
        return str(self.folder)


@pytest.fixture
def hub(toy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    stub = Hub(toy_folder)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: stub)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", stub.snapshot_download)
    return stub


@pytest.mark.parametrize("revision", [None, "main", "v1", COMMIT])
def test_whatever_revision_is_given_a_commit_is_downloaded(hub: Hub, revision: str | None) -> None:
    model = load_model(REPO, "cpu", revision=revision)
    assert hub.asked == [(REPO, revision)]
    assert hub.downloads[0]["repo"] == REPO
    assert hub.downloads[0]["revision"] == COMMIT
    assert model.loaded.revision == COMMIT
    assert COMMIT in repr(model)


def test_only_what_is_needed_is_downloaded_and_progress_is_shown(hub: Hub) -> None:
    load_model(REPO, "cpu")
    options = hub.downloads[0]
    needed = set(PUBLISHED_FILES)
    others = ["demo.mp4", "assets/a.wav", "code.py", "pytorch_model.bin"]
    assert {name for name in [*needed, *others] if wanted(options, name)} == needed
    assert options["tqdm_class"] is not None


def wanted(options: dict[str, Any], name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in options["allow_patterns"])


@pytest.mark.parametrize(
    "error",
    [ConnectionError("offline"), OSError("no route"), RuntimeError("odd client"), http_error(HfHubHTTPError, 503)],
    ids=str,
)
def test_without_a_connection_the_cache_serves(hub: Hub, error: Exception) -> None:
    hub.info_error = error
    model = load_model(REPO, "cpu", revision="v1")
    assert hub.downloads[0]["revision"] == "v1"
    assert model.loaded.revision == "v1"


def test_without_a_connection_and_a_cache(hub: Hub) -> None:
    hub.info_error = ConnectionError("offline")
    hub.download_error = LocalEntryNotFoundError("nothing here")
    with pytest.raises(CheckpointError, match="not in the local cache, and the hub cannot be reached"):
        load_model(REPO, "cpu")


@pytest.mark.parametrize(("revision", "where"), [(None, ""), ("v9", " at revision 'v9'")])
def test_a_repository_that_is_not_there(hub: Hub, revision: str | None, where: str) -> None:
    hub.info_error = http_error(RepositoryNotFoundError, 404)
    with pytest.raises(CheckpointError, match=f"no repository '{REPO}'{where}"):
        load_model(REPO, "cpu", revision=revision)
    assert hub.downloads == []


def test_a_download_that_breaks_off(hub: Hub) -> None:
    hub.download_error = OSError("No space left on device")
    with pytest.raises(CheckpointError, match=r"stopped: No space left on device.*Call again"):
        load_model(REPO, "cpu")


def test_a_folder_of_that_name_comes_first(
    hub: Hub, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "name").symlink_to(toy_folder)
    assert load_model("owner/name", "cpu").loaded.revision is None
    assert hub.asked == []


@pytest.mark.parametrize("name", ["gone", "a/b/c", "/gone", "./gone/x", "~/gone", "../x", "a/", "/b"])
def test_a_name_that_is_nothing(hub: Hub, name: str) -> None:
    with pytest.raises(CheckpointError, match="give tiny, an existing folder, or a hub id"):
        load_model(name, "cpu")
    assert hub.asked == []


def test_what_was_downloaded_is_checked_like_any_folder(hub: Hub, tmp_path: Path) -> None:
    hub.folder = tmp_path
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_model(REPO, "cpu")
