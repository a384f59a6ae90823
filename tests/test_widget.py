"""The widget with captured sends: what a page sends in, what it gets back, and what it never gets."""

from __future__ import annotations

import base64
import gc
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import comm
import numpy as np
import pytest
import soundfile

from ai_widgets.audio import Intake
from ai_widgets.errors import AudioError, CheckpointError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.widget.app import MAX_PROBLEMS, AudioInteraction
from tests.page import HANDLER, PATIENCE, Comm, Page
from tests.scripted import scripted, spell
from tests.signals import babble

Build = Callable[..., Page]
RULES: dict[str, Any] = {"seed": 3, "max_reply_tokens": 12}


def said(events: Any) -> list[Event]:
    """Events without the clock's."""
    return [event for event in events if not isinstance(event, Timing)]


def silence(chunks: float) -> np.ndarray[Any, Any]:
    return np.zeros(round(chunks * CHUNK_SAMPLES), np.float32)


def own_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("ai_widgets")}


@pytest.fixture
def build(toy: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Make a widget on the toy (or on another model) and a page that shows it."""
    monkeypatch.setattr(comm, "create_comm", Comm)
    pages: list[Page] = []

    def make(model: Any = toy, **settings: Any) -> Page:
        page = Page(AudioInteraction(model, **{**RULES, **settings}))
        pages.append(page)
        page.until(lambda: bool(page.of("model")))
        return page

    yield make
    for page in pages:
        page.widget.close()


@pytest.fixture
def page(build: Build) -> Page:
    page = build()
    page.hello()
    return page


def settled(page: Page) -> list[Event]:
    """The page's events after everything is answered."""
    assert page.widget.wait(PATIENCE)
    return page.events()


class TestHello:
    def test_welcome(self, page: Page, toy: Model) -> None:
        welcome = page.of("welcome")[0]
        assert (welcome["protocol"], welcome["binary"], welcome["pull"], welcome["session"]) == (1, True, False, 1)
        assert welcome["model"] == {"status": "ready", "name": toy.loaded.name, "detail": "cpu · float32"}

    def test_spoiled_buffers_are_told(self, build: Build) -> None:
        page = build()
        page.send({"type": "hello", "protocol": 1, "seen": 0}, [])
        assert page.of("welcome")[0]["binary"] is False

    def test_another_version_is_told(self, build: Build) -> None:
        page = build()
        page.hello(protocol=99)
        assert page.of("welcome") == []
        assert "reload the page" in page.problems()[0]

    def test_a_second_hello_replays_what_was_not_seen(self, page: Page) -> None:
        page.record(babble(3))
        expected = settled(page)
        for seen in (0, 3, len(expected), len(expected) + 50):
            count = len(page.received)
            page.hello(seen=seen)
            replayed = page.received[count:]
            assert replayed[0]["type"] == "welcome"
            events = [values for message in replayed[1:] for values in message["events"]]
            assert [Event.from_json(values) for values in events] == expected[seen:]
            assert [message["first"] for message in replayed[1:2]] == ([seen] if seen < len(expected) else [])

    def test_a_long_session_is_replayed_in_batches(self, page: Page) -> None:
        for number in range(1_203):
            page.widget.record.append(Notice(number, "note", "x"))
        page.hello()
        batches = [len(message["events"]) for message in page.of("events")]
        assert batches == [500, 500, 203]
        assert len(page.events()) == 1_203


class TestRecording:
    def test_blocks_become_the_events_of_a_plain_session(self, page: Page, toy: Model) -> None:
        page.record(babble(4))
        session = toy.session(**RULES)
        expected = said([*session.push(babble(4)), *session.finish(1.0)])
        assert said(settled(page)) == expected
        assert said(page.widget.record.events) == expected
        assert page.events() == list(page.widget.record.events)

    def test_at_48_khz(self, page: Page, toy: Model) -> None:
        signal = babble(2, rate=48_000)
        page.record(signal, 48_000, tail_s=0.0)
        intake, session = Intake(), toy.session(**RULES)
        expected = [e for chunk in intake.push(signal, 48_000) + intake.finish() for e in session.push(chunk.samples)]
        ours = [event for event in settled(page) if isinstance(event, Decision)]
        theirs = [event for event in expected if isinstance(event, Decision)]
        assert [event.choice for event in ours] == [event.choice for event in theirs]
        np.testing.assert_allclose([e.logit_keep for e in ours], [e.logit_keep for e in theirs], atol=1e-2)

    def test_the_newest_block_taken_is_acknowledged(self, page: Page) -> None:
        page.open()
        for _ in range(7):
            page.block(silence(0.25))
        settled(page)
        assert page.of("ack")[-1] == {"type": "ack", "stream": 1, "seq": 6}

    def test_base64_where_buffers_are_spoiled(self, page: Page) -> None:
        page.open()
        data = base64.b64encode(silence(1).tobytes()).decode()
        page.send({**page.block_header(0), "data": data}, [])
        assert [event.type for event in settled(page)] == ["chunk", "decision", "timing"]

    def test_broken_samples_are_repaired_and_flagged(self, page: Page) -> None:
        page.open()
        samples = silence(1)
        samples[5] = np.nan
        page.block(samples)
        page.block(silence(1))
        flags = [event.flags for event in settled(page) if isinstance(event, Chunk)]
        assert flags == [("repaired",), ()]
        assert np.isfinite(page.widget.record.audio).all()

    def test_what_is_missing_is_said(self, page: Page) -> None:
        page.open(tail_s=0.0)
        page.block(silence(1))
        page.block(silence(1), seq=4)
        page.close(blocks=7)
        notices = [event for event in settled(page) if isinstance(event, Notice)]
        assert [(notice.kind, notice.data) for notice in notices] == [
            ("lost_blocks", {"blocks": 3}),
            ("lost_blocks", {"blocks": 2}),
        ]
        assert len([event for event in page.events() if isinstance(event, Decision)]) == 2

    def test_what_comes_twice_is_left_out(self, page: Page) -> None:
        page.open()
        page.block(silence(1))
        page.block(silence(1), seq=0)
        page.block(silence(1))
        assert [event.kind for event in settled(page) if isinstance(event, Notice)] == ["duplicate_block"]
        assert len([event for event in page.events() if isinstance(event, Decision)]) == 2

    def test_what_comes_in_the_wrong_order_is_said(self, page: Page) -> None:
        page.open()
        page.block(silence(1), seq=1)
        page.block(silence(1), seq=0)
        kinds = [event.kind for event in settled(page) if isinstance(event, Notice)]
        assert kinds == ["lost_blocks", "duplicate_block"]

    def test_a_block_of_no_open_stream(self, page: Page) -> None:
        page.block(silence(1), stream=1)
        page.open()
        page.block(silence(1), stream=7)
        page.close()
        page.block(silence(1))
        settled(page)
        assert len(page.problems()) == 3
        assert all("not open" in problem for problem in page.problems())
        assert not [event for event in page.events() if isinstance(event, Decision) and event.clip == 0][3:]

    def test_a_recording_that_ends_early_says_why(self, page: Page) -> None:
        page.open(tail_s=0.0)
        page.block(silence(0.5))
        page.close("track_ended")
        events = settled(page)
        assert [(event.kind, event.data) for event in events if isinstance(event, Notice)] == [
            ("stream_ended", {"reason": "track_ended"})
        ]
        assert [event.flags for event in events if isinstance(event, Chunk)] == [("padded",)]

    def test_a_page_that_was_reloaded_opens_anew(self, page: Page) -> None:
        page.open()
        page.block(silence(1))
        page.stream = 0
        page.open(tail_s=0.0)
        page.block(silence(1))
        page.close()
        events = settled(page)
        assert [event.kind for event in events if isinstance(event, Notice)] == ["stream_ended"]
        assert [event.clip for event in events if isinstance(event, Chunk)] == [0, 1]

    def test_a_file_waits_for_nobody(self, build: Build, toy: Model) -> None:
        """Chunks of a microphone that came while the model spoke are flagged; a file's are not."""
        flags = {}
        for source in ("mic", "file"):
            speaking, go = threading.Event(), threading.Event()

            def hold(fed: Any, speaking: threading.Event = speaking, go: threading.Event = go) -> None:
                if fed.tokens == spell("i"):
                    speaking.set()
                    assert go.wait(PATIENCE)

            model, _ = scripted(toy.loaded, "T..", [spell("hi you")], hold)
            page = build(Model(model))
            page.open(source=source)
            page.block(silence(1))
            assert speaking.wait(PATIENCE)
            page.block(silence(1))
            go.set()
            flags[source] = [event.flags for event in settled(page) if isinstance(event, Chunk)]
        assert flags == {"mic": [(), ("waited",)], "file": [(), ()]}


class TestReset:
    def test_from_the_page(self, page: Page) -> None:
        page.record(babble(2))
        before = settled(page)
        page.send({"type": "reset"})
        assert page.of("reset") == [{"type": "reset", "session": 2}]
        assert page.events() == []
        assert page.widget.state == "idle"
        page.record(babble(2))
        assert said(settled(page)) == said(before)
        assert {message["session"] for message in page.of("events")} == {1, 2}

    def test_an_open_recording_feeds_the_new_session(self, page: Page) -> None:
        page.open(tail_s=0.0)
        page.block(silence(2))
        settled(page)
        page.widget.reset()
        page.block(silence(1))
        page.close()
        assert [event.chunk for event in settled(page) if isinstance(event, Decision)] == [0]
        assert page.problems() == []

    def test_interrupt_from_the_page(self, build: Build, toy: Model) -> None:
        pages: list[Page] = []

        def interrupt(fed: Any) -> None:
            if fed.tokens == spell("o"):
                pages[0].send({"type": "interrupt"})

        model, _ = scripted(toy.loaded, "T", [spell("a long one")], interrupt)
        pages.append(build(Model(model)))
        pages[0].widget.feed(silence(1), 16_000)
        assert [turn.ended for turn in pages[0].widget.record.of_type(Turn)] == ["interrupted"]


class TestFeed:
    def test_is_a_plain_session(self, page: Page, toy: Model) -> None:
        for start in range(0, 64_000, 9_000):
            page.widget.feed(babble(4)[start : start + 9_000], 16_000)
        page.widget.feed([], 16_000, end=True)
        session = toy.session(**RULES)
        assert said(page.widget.record.events) == said([*session.push(babble(4)), *session.finish(1.0)])
        assert page.events() == list(page.widget.record.events)

    def test_play(self, page: Page, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", babble(1, rate=44_100), 44_100)
        page.widget.play(tmp_path / "a.wav", tail_silence=0.4)
        assert len(page.widget.record.decisions) == 4
        with pytest.raises(AudioError, match="no audio file"):
            page.widget.play(tmp_path / "gone.wav")

    @pytest.mark.parametrize(
        ("samples", "rate"), [("text", 16_000), ([0.0], 0), ([0.0], None), (np.zeros((9, 9, 9)), 1)]
    )
    def test_bad_audio(self, page: Page, samples: Any, rate: Any) -> None:
        with pytest.raises(AudioError):
            page.widget.feed(samples, rate)


class TestState:
    def test_through_a_recording(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy.loaded, ".T.", [spell("hi")])
        page = build(Model(model))
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
        for name in ("_esm", "_css", "layout"):
            state.pop(name, None)
        assert len(json.dumps(state, default=str)) < 3_000


class TestFailure:
    def test_a_model_that_raises(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy.loaded, ".x", x=RuntimeError("out of memory"))
        page = build(Model(model))
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
        assert len(page.problems()) == 8
        assert {problem["code"] for problem in page.of("problem")} == {"message"}

    def test_a_flood_of_bad_messages_is_not_answered_with_a_flood(self, page: Page) -> None:
        for _ in range(10 * MAX_PROBLEMS):
            page.send({"type": "song"})
        assert len(page.problems()) == MAX_PROBLEMS
        page.hello()
        page.send({"type": "song"})
        assert len(page.problems()) == MAX_PROBLEMS + 1


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
        model, _ = scripted(toy.loaded, "T" * 50, [spell("on and on " * 20)] * 50, lambda _: speaking.set())
        page = build(Model(model), max_reply_tokens=None)
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

        copy_context().run(from_the_browser)
        count = len(page.comm.sent)
        assert HANDLER.get() == "nobody"
        page.block(silence(1), seq=1)  # another message, from another context
        settled(page)
        assert set(page.comm.contexts[count:]) <= {"subshell", "nobody"}
        copy_context().run(from_the_browser)
        settled(page)
        after = len(page.comm.sent)
        page.widget.feed(silence(3), 16_000)
        assert len(page.comm.sent) > after
        assert set(page.comm.contexts[after:]) == {"subshell"}


class TestPull:
    """Colab shows nothing that a background thread sends: the page asks."""

    def test_events_come_with_the_next_message(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "google.colab", sys)
        monkeypatch.setattr(Page, "until", lambda *_: None)
        page = build()
        page.widget.model  # noqa: B018
        page.hello()
        assert page.of("welcome")[0]["pull"] is True
        page.open()
        page.block(silence(3))
        page.widget.wait(PATIENCE)
        seen = len(page.received)
        assert len(page.widget.record.decisions) == 3
        page.send({"type": "poll"})
        assert len(page.received) > seen
        assert page.events() == list(page.widget.record.events)


def test_replies_stream_token_by_token(build: Build, toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of a running reply reach the page before the reply has ended."""
    pages: list[Page] = []
    shown: list[int] = []

    def look(fed: Any) -> None:
        if pages and fed.tokens == spell("!"):
            shown.append(sum(isinstance(event, Token) for event in pages[0].events()))

    monkeypatch.setattr("ai_widgets.widget.app.FLUSH_SECONDS", 0.0)
    model, _ = scripted(toy.loaded, "T", [spell("hello you!")], look)
    pages.append(build(Model(model)))
    pages[0].widget.feed(silence(1), 16_000)
    assert shown == [10]
