"""A hub on loopback: the addresses that a download asks, with the headers and error codes of the real one.

Source: https://huggingface.co/docs/hub/api, and what huggingface_hub asks for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.reference_checkpoint import TOY, write_checkpoint

REPO = "owner/model"
FIRST, SECOND = "1" * 40, "2" * 40
"""Commits."""
NOT_NEEDED = ("demo.mp4", "assets/a.wav", "code.py", "pytorch_model.bin", "README.md")
"""Files of the repository that no checkpoint consists of."""


@dataclass
class Answer:
    """What the hub answers instead of what was asked for.

    Attributes
    ----------
    only
        A pattern of the paths that are answered so; all by default.
    cut
        Bytes of a file after which the connection breaks.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    only: str = ""
    cut: int | None = None


class StubHub(ThreadingHTTPServer):
    """One repository with branches, tags and commits; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.commits: dict[str, dict[str, bytes]] = {}
        self.refs: dict[str, str] = {}
        self.answer: Answer | None = None
        self.asked: list[str] = []
        self.sent: dict[str, int] = {}
        self.when_asked: Any = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def push(self, folder: Path, commit: str = FIRST, *names: str) -> None:
        """Add a commit of a folder's files, and point refs to it."""
        self.commits[commit] = {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
        self.refs |= dict.fromkeys(names or ("main",), commit)


@contextmanager
def serving() -> Iterator[StubHub]:
    with StubHub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: StubHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *given: Any) -> None:
        """Write nothing: the tests ask `asked`."""

    def _answer(self) -> None:
        hub, path = self.server, unquote(urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        if hub.when_asked is not None:
            hub.when_asked(self.command, path)
        given = hub.answer
        if given is not None and given.cut is None and re.search(given.only, path):
            self._send(given.status, given.body, given.headers)
            return
        api = re.fullmatch(rf"/api/models/{REPO}(?:/(revision|tree)/([^/]+))?", path)
        resolve = re.fullmatch(rf"/{REPO}/resolve/([^/]+)/(.+)", path)
        revision = (api[2] if api else resolve[1] if resolve else None) or "main"
        commit = hub.refs.get(revision, revision)
        if api is None and resolve is None:
            self._refuse(404, "RepoNotFound", "Repository not found")
        elif commit not in hub.commits:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif api is not None:
            self._describe(api[1], commit)
        elif resolve is not None:
            self._file(commit, resolve[2])

    def _describe(self, what: str | None, commit: str) -> None:
        files = self.server.commits[commit]
        if what == "tree":
            listed: Any = [
                {
                    "type": "file",
                    "path": name,
                    "size": len(content),
                    "oid": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
                }
                for name, content in files.items()
            ]
        else:
            listed = {"id": REPO, "sha": commit, "siblings": [{"rfilename": name} for name in files]}
        self._send(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})

    def _file(self, commit: str, name: str) -> None:
        content = self.server.commits[commit].get(name)
        if content is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        headers = {"ETag": f'"{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"', "X-Repo-Commit": commit}
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(start[1]) if start else 0
        if start:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, content[first:], {**headers, "Accept-Ranges": "bytes"}, name)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send(status, b'{"error": "refused"}', {"X-Error-Code": code, "X-Error-Message": message})

    def _send(self, status: int, body: bytes, headers: dict[str, str], file: str | None = None) -> None:
        given = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if file is not None and given is not None and given.cut is not None and re.search(given.only, file):
            self.wfile.write(body[: given.cut])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)
        if file is not None:
            self.server.sent[file] = self.server.sent.get(file, 0) + len(body)


def folder_of(root: Path, seed: int = TOY.seed) -> Path:
    folder = write_checkpoint(root, replace(TOY, seed=seed), tower_files=("audiointeraction_ChunkwisedEncoder.pth",))
    for name in NOT_NEEDED:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not needed")
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("published"))


@pytest.fixture
def hub(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubHub]:
    """A hub with one commit, `main` and the tag `v1`; the cache is empty and there is no login."""
    from huggingface_hub import constants

    with serving() as hub:
        hub.push(published, FIRST, "main", "v1")
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield hub


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
