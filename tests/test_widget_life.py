"""The widget from its first state to its last thread: states, failures, settings, closing, shells, pull mode."""

from __future__ import annotations

import gc
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import comm
import pytest

from ai_widgets.errors import CheckpointError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Turn
from ai_widgets.widget.app import AudioInteraction
from tests.page import HANDLER, PATIENCE, Build, Comm, Page, settled, silence
from tests.scripted import scripted, spell
from tests.signals import babble


def own_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("ai_widgets")}


class TestState:
    def test_through_a_recording(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, ".T.", [spell("hi")])
        page = build(model)
        states = [page.widget.state]
        page.widget.observe(lambda change: states.append(change["new"]), "state")
        page.send({"type": "state", "state": "asking", "problem": "", "message": ""})
        page.open(tail_s=0.0)
        assert page.widget.state == "asking"  # "listening" is a promise that sound arrives
        for _ in range(3):
            page.block(silence(1))
            page.send({"type": "state", "state": "listening", "problem": "", "message": ""})
            settled(page)
        page.close()
        page.send({"type": "state", "state": "stopped", "problem": "", "message": ""})
        settled(page)
        assert states == ["idle", "asking", "listening", "speaking", "listening", "stopped"]

    def test_a_microphone_that_is_denied(self, page: Page) -> None:
        page.send({"type": "state", "state": "error", "problem": "denied", "message": "Not allowed."})
        assert page.widget.state == "error"
        page.send({"type": "state", "state": "idle", "problem": "", "message": ""})
        assert page.widget.state == "idle"

    def test_synced_traits_hold_no_audio_and_are_json(self, page: Page) -> None:
        page.record(babble(1))
        settled(page)
        state = page.widget.get_state()
        for name in ("_esm", "_css", "settings_schema", "layout", "history"):
            state.pop(name, None)
        assert len(json.dumps(state)) < 5_000


class TestFailure:
    def test_a_model_that_raises(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, ".x", x=RuntimeError("out of memory"))
        page = build(model)
        page.hello()
        with pytest.raises(RuntimeError, match="out of memory"):
            page.widget.feed(silence(3), 16_000)
        assert page.widget.state == "error"
        problem = page.of("problem")[0]
        assert problem["message"] == "The model failed with RuntimeError: out of memory"
        assert "Traceback" in problem["detail"]
        assert page.events()[-1].type == "notice"
        page.widget.reset()
        page.widget.feed(silence(2), 16_000)
        assert len(page.widget.record.decisions) == 2

    def test_a_checkpoint_that_is_not_there(self, build: Build) -> None:
        page = build("./no/such/folder")
        page.hello()
        assert page.of("welcome")[0]["model"]["status"] == "failed"
        assert page.widget.state == "error"
        assert "There is no checkpoint" in page.problems()[0]
        assert len(page.problems()) == 1
        with pytest.raises(CheckpointError):
            page.widget.model  # noqa: B018
        with pytest.raises(CheckpointError):
            page.widget.feed(silence(1), 16_000)

    def test_what_a_client_sends_never_raises(self, page: Page) -> None:
        for content in (None, 5, [], {"type": "song"}, {"type": "block"}, {"type": "close", "stream": 3}):
            page.send(content)
        page.open()
        page.send(page.block_header(0), [bytes(5 * 1024 * 1024)])
        page.send(page.block_header(0), [])
        page.until(lambda: sum(problem["times"] for problem in page.of("problem")) == 8)
        assert {problem["code"] for problem in page.of("problem")} == {"message"}

    def test_a_flood_of_bad_messages_is_not_answered_with_a_flood(self, page: Page) -> None:
        for _ in range(200):
            page.send({"type": "song"})
        page.until(lambda: sum(problem["times"] for problem in page.of("problem")) == 200)
        assert len(page.problems()) < 50


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"temprature": 1}, "did you mean temperature"),
            ({"temperature": 0}, "temperature must be"),
            ({"context": "x"}, "context must be one of"),
            ({"audio_seconds": -1}, "audio_seconds must be"),
        ],
    )
    def test_bad_ones_are_refused_and_leave_nothing(
        self, toy: Model, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], words: str
    ) -> None:
        monkeypatch.setattr(comm, "create_comm", Comm)
        left: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", left.append)
        with pytest.raises(SettingError, match=words):
            AudioInteraction(toy, **settings)
        gc.collect()
        assert left == []
        assert own_threads() == set()

    def test_they_are_synced(self, build: Build) -> None:
        settings = build(greedy=True, seed=9).widget.settings
        assert (settings["greedy"], settings["seed"], settings["max_reply_tokens"]) == (True, 9, 12)


class TestClose:
    def test_leaves_no_thread(self, build: Build) -> None:
        page = build()
        page.open()
        page.block(babble(1))
        page.widget.wait(PATIENCE)
        page.widget.close()
        assert own_threads() == set()
        page.widget.close()
        assert len(page.widget.record.decisions) == 2

    def test_in_the_middle_of_a_reply(self, build: Build, toy: Model) -> None:
        speaking = threading.Event()
        model, _ = scripted(toy, "T" * 50, [spell("on and on " * 20)] * 50, lambda _: speaking.set())
        page = build(model, max_reply_tokens=None)
        page.widget.feed(silence(50), 16_000, wait=False)
        assert speaking.wait(PATIENCE)
        page.widget.close()
        assert own_threads() == set()
        assert len(page.widget.record.of_type(Turn)) < 50

    def test_a_closed_widget_takes_no_audio(self, build: Build) -> None:
        page = build()
        page.widget.close()
        with pytest.raises(SessionError, match="is closed"):
            page.widget.feed(silence(1), 16_000)


class TestShells:
    """The cures of ipykernel 7.4: a comm must not remember the shell that sent last."""

    def test_the_memory_is_wiped_after_creation_and_after_every_send(self, build: Build) -> None:
        page = build()
        assert "_reply_subshell_id" not in vars(page.comm)
        page.hello()
        page.widget.send({"type": "x"})
        assert "_reply_subshell_id" not in vars(page.comm)
        page.record(babble(1))
        settled(page)
        assert "_reply_subshell_id" not in vars(page.comm)

    def test_sends_of_the_threads_run_in_the_messages_context(self, build: Build) -> None:
        page = build()
        page.hello()

        def from_the_browser() -> None:
            HANDLER.set("subshell")
            page.open()
            page.block(silence(2))

        def recorded_in_the_browser() -> None:
            from_the_browser()
            page.close()

        copy_context().run(from_the_browser)
        count = len(page.comm.sent)
        assert HANDLER.get() == "nobody"
        page.block(silence(1), seq=1)  # another message, from another context
        settled(page)
        assert set(page.comm.contexts[count:]) <= {"subshell", "nobody"}
        copy_context().run(recorded_in_the_browser)
        settled(page)
        after = len(page.comm.sent)
        page.widget.feed(silence(3), 16_000)
        assert len(page.comm.sent) > after
        assert set(page.comm.contexts[after:]) == {"subshell"}


HOSTS = ("Colab", "Kaggle")


def pretend(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Set what a host sets in its kernels."""
    if host == "Colab":
        monkeypatch.setitem(sys.modules, "google.colab", sys)
    else:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    # The fixture waits for a message about the model, which no page asks for yet.
    monkeypatch.setattr(Page, "until", lambda *_: None)


class TestPull:
    """Colab shows nothing that a background thread sends: the page asks."""

    def test_events_come_with_the_next_message(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        pretend(monkeypatch, "Colab")
        page = build()
        page.widget.model  # noqa: B018
        page.hello()
        assert page.of("welcome")[0]["pull"] is True
        page.open()
        page.block(silence(3))
        seen = len(page.received)
        # On another thread, as when no cell runs.
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(page.widget.wait, PATIENCE).result()
        assert len(page.widget.record.decisions) == 3
        assert len(page.received) == seen, "the pipeline's threads send nothing"
        page.send({"type": "poll"})
        assert page.events() == list(page.widget.record.events)

    @pytest.mark.parametrize("host", HOSTS)
    def test_what_a_cell_waits_for_is_shown_while_it_runs(
        self, build: Build, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        pretend(monkeypatch, host)
        page = build()
        page.widget.model  # noqa: B018
        page.hello()
        page.widget.feed(silence(3), 16_000, end=True)
        assert page.events() == list(page.widget.record.events)
        assert page.states()[-1] == "stopped"

    def test_traits_that_the_host_dropped_come_with_the_next_message(
        self, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pretend(monkeypatch, "Kaggle")
        page = build()
        page.widget.model  # noqa: B018
        stopped = threading.Event()
        page.widget.observe(lambda change: change["new"] == "stopped" and stopped.set(), "state")
        page.hello()
        page.open()
        page.block(silence(3))
        page.close()
        assert stopped.wait(PATIENCE)
        before = len(page.states())
        while len(page.states()) == before:
            page.send({"type": "poll"})
        assert page.states()[-1] == "stopped"


def test_a_host_that_drops_buffers_is_told_in_a_calm_sentence(page: Page) -> None:
    page.hello(binary=False)
    assert page.of("problem")[0]["code"] == "no_buffers"
    assert "sound is sent as text" in page.problems()[0]
