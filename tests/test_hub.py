"""Hub ids, against a hub on loopback: pinned to a commit, only what is needed, the cache where there is no hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from ai_widgets.errors import CheckpointError, HubError, HubUnreachableError, NotEnoughMemoryError
from ai_widgets.inference import load_model
from ai_widgets.model.machine import Hardware, Machine
from tests.stub_hub import FIRST, NOT_NEEDED, REPO, SECOND, Answer, StubHub, folder_of, go_offline

SHARD = "model-00002-of-00002.safetensors"


def snapshot(tmp_path: Path, commit: str = FIRST) -> Path:
    return tmp_path / "cache" / "models--owner--model" / "snapshots" / commit


class TestDownload:
    @pytest.mark.parametrize("revision", [None, "main", "v1", FIRST])
    def test_whatever_revision_is_given_a_commit_is_downloaded(self, hub: StubHub, revision: str | None) -> None:
        model = load_model(REPO, "cpu", revision=revision)
        assert model.revision == FIRST
        assert FIRST in repr(model)
        files = [asked for asked in hub.asked if "/resolve/" in asked]
        assert files
        assert all(f"/resolve/{FIRST}/" in asked for asked in files)

    def test_a_push_meanwhile_does_not_mix_two_commits(self, hub: StubHub, tmp_path: Path) -> None:
        newer = folder_of(tmp_path / "newer", seed=7)

        def push(method: str, path: str) -> None:
            if "/resolve/" in path:
                hub.push(newer, SECOND)

        hub.when_asked = push
        assert load_model(REPO, "cpu").revision == FIRST
        assert all(FIRST in asked for asked in hub.asked if "/resolve/" in asked)

    def test_only_what_is_needed_is_downloaded(self, hub: StubHub, published: Path) -> None:
        load_model(REPO, "cpu")
        needed = {str(path.relative_to(published)) for path in published.rglob("*") if path.is_file()}
        assert set(hub.sent) == needed - set(NOT_NEEDED)

    @pytest.mark.usefixtures("hub")
    def test_every_byte_is_reported_and_what_the_report_raises_ends_the_download(self) -> None:
        class ClosedError(Exception):
            pass

        def closed(done: int, total: int) -> None:
            raise ClosedError

        with pytest.raises(ClosedError):
            load_model(REPO, "cpu", progress=closed)
        told: list[tuple[int, int]] = []
        load_model(REPO, "cpu", progress=lambda done, total: told.append((done, total)))
        assert told
        assert told[-1][0] == told[-1][1]

    @pytest.mark.usefixtures("hub")
    def test_a_transfer_that_only_logs_what_a_report_raises_is_stopped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """hf_xet, through which the real hub serves large files, goes on otherwise."""
        stopped = Event()
        monkeypatch.setattr("huggingface_hub.utils._xet.abort_xet_session", stopped.set)

        def closed(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load_model(REPO, "cpu", progress=closed)
        assert stopped.wait(30)

    @pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False)])
    @pytest.mark.usefixtures("hub")
    def test_bars_are_shown_unless_they_are_not_wanted(
        self, capfd: pytest.CaptureFixture[str], progress: bool, shown: bool
    ) -> None:
        load_model(REPO, "cpu", progress=progress)
        assert bool(capfd.readouterr().err) is shown

    def test_after_a_broken_download_what_is_complete_is_not_fetched_twice(
        self, hub: StubHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)  # between the library's own attempts
        hub.answer = Answer(only=SHARD, cut=1000)
        with pytest.raises(HubError, match="complete files are not downloaded twice"):
            load_model(REPO, "cpu")
        complete = dict(hub.sent)
        hub.answer = None
        load_model(REPO, "cpu")
        assert {name: hub.sent[name] for name in complete} == complete
        assert SHARD in hub.sent

    def test_what_was_downloaded_is_checked_like_any_folder(self, hub: StubHub, tmp_path: Path) -> None:
        broken = folder_of(tmp_path / "broken")
        (broken / "tokenizer.json").write_text("{")
        hub.push(broken, SECOND)
        with pytest.raises(CheckpointError, match=r"tokenizer\.json is not a valid tokenizer"):
            load_model(REPO, "cpu")

    def test_a_machine_without_the_memory_downloads_no_weights(
        self, hub: StubHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        little = Machine(Hardware("cpu", "small", 1000, 2000, False))
        monkeypatch.setattr("ai_widgets.model.placement.look", lambda: little)
        with pytest.raises(NotEnoughMemoryError, match=r"^The model needs .*, but .* are free"):
            load_model(REPO, "cpu")
        assert "model_config.yaml" in hub.sent
        assert [name for name in hub.sent if name.endswith((".safetensors", ".pth"))] == []

    @pytest.mark.usefixtures("hub")
    def test_a_model_in_use_is_shared_where_no_memory_is_left_for_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = load_model(REPO, "cpu")
        little = Machine(Hardware("cpu", "small", 1000, 2000, False))
        monkeypatch.setattr("ai_widgets.model.placement.look", lambda: little)
        assert load_model(REPO, "cpu") is first

    def test_a_folder_of_that_name_comes_first(
        self, hub: StubHub, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "owner").mkdir()
        (tmp_path / "owner" / "model").symlink_to(toy_folder)
        assert load_model(REPO, "cpu").revision is None
        assert hub.asked == []

    @pytest.mark.parametrize("name", ["gone", "a/b/c", "/gone", "./gone/x", "~/gone", "../x", "a/", "/b"])
    def test_a_name_that_is_nothing(self, hub: StubHub, name: str) -> None:
        with pytest.raises(CheckpointError, match="give tiny, an existing folder, or a hub id"):
            load_model(name, "cpu")
        assert hub.asked == []


class TestOffline:
    """What was loaded by a name loads by the same name without a hub."""

    @pytest.mark.parametrize("revision", [None, "v1", FIRST])
    def test_the_same_call_works_without_a_connection(
        self, hub: StubHub, monkeypatch: pytest.MonkeyPatch, revision: str | None
    ) -> None:
        load_model(REPO, "cpu", revision=revision)
        asked = list(hub.asked)
        go_offline(monkeypatch)
        model = load_model(REPO, "cpu", revision=revision)
        assert model.revision == FIRST
        assert hub.asked == asked

    def test_in_a_process_of_its_own_with_the_flag_of_the_environment(self, hub: StubHub, tmp_path: Path) -> None:
        """`HF_HUB_OFFLINE=1`, as people set it; the hub would answer, and is not asked."""
        script = "import ai_widgets as aiw, sys; print(aiw.load_model(sys.argv[1], 'cpu', progress=False).revision)"
        environment = {
            **os.environ,
            "HF_HOME": str(tmp_path / "home"),
            "HF_ENDPOINT": hub.endpoint,
            "HF_HUB_DISABLE_XET": "1",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }

        def run(**more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-c", script, REPO], capture_output=True, text=True, env={**environment, **more}
            )

        online = run()
        assert online.stdout.strip() == FIRST, online.stderr
        asked = len(hub.asked)
        offline = run(HF_HUB_OFFLINE="1")
        assert offline.stdout.strip() == FIRST, offline.stderr
        assert len(hub.asked) == asked

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_hub_in_trouble_leaves_the_cache(
        self, hub: StubHub, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        load_model(REPO, "cpu")
        hub.answer = Answer(status)
        assert load_model(REPO, "cpu").revision == FIRST
        assert "The copy in the local cache is used" in caplog.text

    @pytest.mark.usefixtures("hub")
    def test_a_cache_that_lacks_a_shard_names_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        load_model(REPO, "cpu")
        (snapshot(tmp_path) / SHARD).unlink()
        go_offline(monkeypatch)
        with pytest.raises(HubUnreachableError) as caught:
            load_model(REPO, "cpu")
        message = str(caught.value)
        assert f"the local cache of '{REPO}' lacks {SHARD}" in message
        assert "unset it" in message
        assert "complete files are not downloaded twice" in message

    def test_half_a_snapshot_is_completed_and_only_the_rest_is_fetched(
        self, hub: StubHub, tmp_path: Path, published: Path
    ) -> None:
        load_model(REPO, "cpu")
        once = dict(hub.sent)
        file = snapshot(tmp_path) / SHARD
        file.resolve().unlink()
        file.unlink()
        load_model(REPO, "cpu")
        size = (published / SHARD).stat().st_size
        assert hub.sent == {**once, SHARD: 2 * size}

    @pytest.mark.usefixtures("hub")
    def test_a_revision_that_was_never_loaded_says_which_ones_were(self, monkeypatch: pytest.MonkeyPatch) -> None:
        load_model(REPO, "cpu", revision="v1")
        go_offline(monkeypatch)
        with pytest.raises(
            HubUnreachableError, match=f"does not contain '{REPO}' at revision 'v2'.*revision='{FIRST}'"
        ):
            load_model(REPO, "cpu", revision="v2")

    @pytest.mark.usefixtures("hub")
    def test_a_commit_in_the_cache_loads_where_its_name_is_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        load_model(REPO, "cpu", revision=FIRST)
        go_offline(monkeypatch)
        with pytest.raises(HubUnreachableError, match=f"or load a cached commit with revision='{FIRST}'"):
            load_model(REPO, "cpu")
        assert load_model(REPO, "cpu", revision=FIRST).revision == FIRST
