"""Why a hub repository was not downloaded: one sentence each, with what happened and the way out."""

from __future__ import annotations

import errno
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai_widgets.errors import CheckpointError, HubAccessError, HubError, HubUnreachableError
from ai_widgets.inference import load_model
from tests.stub_hub import REPO, Answer, StubHub, go_offline

UNSAFE = ("verify=False", "weights_only", "trust_remote_code", "HF_HUB_DISABLE_SSL", "local_files_only", "Traceback")
"""Advice that no sentence of ours may repeat, and words that are none of ours."""


def said(kind: type[HubError], **options: Any) -> str:
    """The sentence with which a repository is refused."""
    with pytest.raises(HubError) as caught:
        load_model(REPO, "cpu", **options)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert "; " in message, "what happened; the way out"
    assert not any(words in message for words in UNSAFE)
    return message


def log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mistyped")


class TestAnswers:
    """What the hub says, by the status and the codes it sends."""

    def test_a_refused_token_on_a_public_repository(self, hub: StubHub, monkeypatch: pytest.MonkeyPatch) -> None:
        log_in(monkeypatch)
        hub.answer = Answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        message = said(HubAccessError)
        assert "refuses your access token" in message
        assert "`hf auth login`" in message
        assert "unset HF_TOKEN" in message

    @pytest.mark.parametrize("token", [False, True])
    def test_a_gated_repository(self, hub: StubHub, monkeypatch: pytest.MonkeyPatch, token: bool) -> None:
        if token:
            log_in(monkeypatch)
        hub.answer = Answer(403 if token else 401, {"X-Error-Code": "GatedRepo"})
        message = said(HubAccessError)
        assert "is gated" in message
        assert f"accept them at {hub.endpoint}/{REPO}" in message
        assert ("granted to the account of your token" if token else "`hf auth login`") in message

    def test_files_that_are_gated_though_the_repository_is_shown(self, hub: StubHub) -> None:
        hub.answer = Answer(401, {"X-Error-Code": "GatedRepo"}, only="/resolve/")
        assert "is gated" in said(HubAccessError)

    def test_private_or_missing_without_a_login(self, hub: StubHub) -> None:
        hub.answer = Answer(401, {"X-Error-Code": "RepoNotFound"})
        message = said(HubAccessError)
        assert f"has no repository '{REPO}' without a login" in message
        assert "check the spelling, or log in" in message

    def test_not_found_with_a_login(self, hub: StubHub, monkeypatch: pytest.MonkeyPatch) -> None:
        log_in(monkeypatch)
        hub.answer = Answer(404, {"X-Error-Code": "RepoNotFound"})
        message = said(HubAccessError)
        assert f"has no repository '{REPO}' for your account" in message
        assert "an account that may read it" in message

    def test_a_token_without_permission(self, hub: StubHub, monkeypatch: pytest.MonkeyPatch) -> None:
        log_in(monkeypatch)
        hub.answer = Answer(403, {"X-Error-Message": "token lacks scope"})
        assert "does not permit" in said(HubAccessError)

    def test_a_disabled_repository(self, hub: StubHub) -> None:
        hub.answer = Answer(403, {"X-Error-Message": "Access to this resource is disabled."})
        assert "has disabled" in said(HubAccessError)

    def test_a_revision_that_is_not_there(self, hub: StubHub) -> None:
        message = said(HubError, revision="v9")
        assert f"'{REPO}' has no revision 'v9'" in message
        assert f"{hub.endpoint}/{REPO}/tree/main" in message

    @pytest.mark.parametrize(
        ("headers", "when"),
        [({"RateLimit": '"api";r=0;t=55'}, "in 55 seconds"), ({"Retry-After": "30"}, "in 30 seconds"), ({}, "minutes")],
    )
    def test_a_rate_limit(self, hub: StubHub, headers: dict[str, str], when: str) -> None:
        hub.answer = Answer(429, headers)
        message = said(HubUnreachableError)
        assert "rate limit is reached" in message
        assert when in message
        assert "`hf auth login`" in message

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_trouble_of_the_hub(self, hub: StubHub, status: int) -> None:
        hub.answer = Answer(status)
        message = said(HubUnreachableError)
        assert f"(status {status})" in message
        assert "try again" in message

    def test_a_login_page_instead_of_the_hub(self, hub: StubHub) -> None:
        hub.answer = Answer(200, {"Content-Type": "text/html"}, b"<html>Welcome to the hotel</html>")
        assert "did not answer like a Hugging Face hub" in said(HubUnreachableError)

    @pytest.mark.usefixtures("hub")
    def test_a_name_that_no_repository_can_have(self) -> None:
        with pytest.raises(HubError, match="is not a hub id"):
            load_model("own er/na me", "cpu")


class TestConnection:
    """No answer at all. Nothing is in the cache, which the sentence says too."""

    def test_the_offline_flag(self, hub: StubHub, monkeypatch: pytest.MonkeyPatch) -> None:
        go_offline(monkeypatch)
        message = said(HubUnreachableError)
        assert "HF_HUB_OFFLINE" in message
        assert "unset it" in message
        assert f"the local cache does not contain '{REPO}'" in message
        assert hub.asked == []

    @pytest.mark.usefixtures("hub")
    def test_no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://hub.invalid")
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        message = said(HubUnreachableError)
        assert "cannot be resolved" in message
        assert "HF_ENDPOINT" in message

    @pytest.mark.usefixtures("hub")
    def test_nothing_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
        assert "cannot be reached" in said(HubUnreachableError)

    def test_a_certificate_that_is_not_trusted(self, hub: StubHub, monkeypatch: pytest.MonkeyPatch) -> None:
        def untrusted(*_: Any, **__: Any) -> Any:
            raise ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in chain")

        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint.replace("http:", "https:"))
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", untrusted)
        message = said(HubUnreachableError)
        assert "certificate cannot be verified" in message
        assert "SSL_CERT_FILE" in message

    @pytest.mark.usefixtures("hub")
    def test_a_proxy_that_refuses(self) -> None:
        from huggingface_hub import HfApi

        def refuse(*_: Any, **__: Any) -> Any:
            raise library_error("ProxyError", "403 Forbidden")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HfApi, "model_info", refuse)
            assert "HTTPS_PROXY" in said(HubUnreachableError)

    @pytest.mark.usefixtures("hub")
    def test_no_answer_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import HfApi

        def slow(*_: Any, **__: Any) -> Any:
            raise library_error("ReadTimeout", "timed out")

        monkeypatch.setattr(HfApi, "model_info", slow)
        assert "timed out" in said(HubUnreachableError)


def library_error(name: str, message: str) -> Exception:
    """An error of the HTTP library that huggingface_hub uses, whichever it is."""
    from huggingface_hub import errors

    library = __import__(errors.HTTPError.__module__.partition(".")[0])
    kind: type[Exception] = getattr(library, name)
    return kind(message)


class TestDisk:
    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (errno.ENOSPC, "The disk of the hub's cache is full"),
            (errno.EACCES, "The hub's cache cannot be written"),
            (errno.EROFS, "The hub's cache cannot be written"),
        ],
    )
    @pytest.mark.usefixtures("hub")
    def test_a_disk_that_takes_no_more(self, monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
        def full(*_: Any, **__: Any) -> Any:
            raise OSError(number, "refused")

        monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
        message = said(HubError)
        assert words in message
        assert "HF_HOME" in message

    def test_half_a_snapshot_names_what_it_lacks_and_why_it_is_not_completed(
        self,
        hub: StubHub,
        tmp_path: Path,
    ) -> None:
        load_model(REPO, "cpu")
        (folder,) = (tmp_path / "cache" / "models--owner--model" / "snapshots").iterdir()
        (folder / "tokenizer.json").unlink()
        shutil.rmtree(folder / "qwen25OmniConfig")
        hub.answer = Answer(503)
        message = said(HubUnreachableError)
        assert "reports an internal error" in message
        assert "lacks qwen25OmniConfig/config.json, tokenizer.json" in message or (
            "lacks tokenizer.json, qwen25OmniConfig/config.json" in message
        )


@pytest.mark.parametrize("setup", [go_offline, lambda _: None], ids=["offline", "online"])
def test_the_exceptions_are_those_of_a_checkpoint(
    hub: StubHub, monkeypatch: pytest.MonkeyPatch, setup: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Who catches `CheckpointError` catches them all."""
    setup(monkeypatch)
    hub.answer = Answer(404, {"X-Error-Code": "RepoNotFound"})
    with pytest.raises(CheckpointError):
        load_model(REPO, "cpu")
