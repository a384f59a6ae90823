"""The widget with captured sends: what a page sends in, what it gets back, and what it never gets."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from time import time
from typing import Any

import numpy as np
import pytest
import soundfile

from ai_widgets.audio.intake import Intake
from ai_widgets.errors import AudioError
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Decision, Event, Notice, Token, Turn
from ai_widgets.widget.wire.outbox import MAX_REPLAYED
from tests.events import remarked, said
from tests.page import PATIENCE, RULES, Build, Page, settled, silence
from tests.scripted import scripted, spell
from tests.signals import babble


class TestHello:
    def test_welcome(self, page: Page, toy: Model) -> None:
        welcome = page.of("welcome")[0]
        assert (welcome["protocol"], welcome["binary"], welcome["pull"], welcome["session"]) == (3, True, False, 1)
        assert welcome["page"] == "one"
        assert abs(welcome["now_ms"] - time() * 1e3) < PATIENCE * 1e3
        told = {"status": "ready", "kind": "model", "name": toy.name, "detail": "cpu · float32"}
        assert welcome["model"] == told

    def test_spoiled_buffers_are_told(self, build: Build) -> None:
        page = build()
        page.hello(binary=False)
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

    def test_of_a_very_long_session_a_page_is_told_the_newest_part(self, page: Page) -> None:
        record = page.widget.record
        for number in range(MAX_REPLAYED):
            record.append(Notice(number, "note", "x"))
            record.append(Chunk(number, 0, 0.4 * number, -120.0, (), ()))
        count = len(page.received)
        page.hello()
        welcome, problem, *batches = page.received[count:]
        first = welcome["first"]
        assert problem["code"] == "shortened"
        assert f"{first:,} older events" in problem["message"]
        assert problem["page"] == page.name
        assert batches[0]["first"] == first
        assert batches[0]["events"][0]["type"] == "chunk"
        told = [values for message in batches for values in message["events"]]
        assert MAX_REPLAYED - 1 <= len(told) <= MAX_REPLAYED
        assert [Event.from_json(values) for values in told] == record.since(first)
        # A page that has most of it goes on where it was.
        count = len(page.received)
        page.hello(seen=len(record) - 3)
        welcome, batch = page.received[count:]
        assert (welcome["first"], batch["first"], len(batch["events"])) == (len(record) - 3, len(record) - 3, 3)


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
        ack = page.of("ack")[-1]
        assert (ack["stream"], ack["seq"]) == (1, 6)

    def test_base64_where_buffers_are_spoiled(self, page: Page) -> None:
        page.open()
        data = base64.b64encode(silence(1).tobytes()).decode()
        page.send({**page.block_header(0), "data": data}, [])
        assert [event.type for event in said(settled(page))] == ["chunk", "decision"]

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
        notices = remarked(settled(page))
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
        assert [event.kind for event in remarked(settled(page))] == ["duplicate_block"]
        assert len([event for event in page.events() if isinstance(event, Decision)]) == 2

    def test_what_comes_in_the_wrong_order_is_said(self, page: Page) -> None:
        page.open()
        page.block(silence(1), seq=1)
        page.block(silence(1), seq=0)
        kinds = [event.kind for event in remarked(settled(page))]
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
        assert [(event.kind, event.data) for event in remarked(events)] == [("stream_ended", {"reason": "track_ended"})]
        assert [event.flags for event in events if isinstance(event, Chunk)] == [("padded",)]

    def test_a_page_that_was_reloaded_opens_anew(self, page: Page) -> None:
        page.open()
        page.block(silence(1))
        page.stream = 0
        page.open(tail_s=0.0)
        page.block(silence(1))
        page.close()
        events = settled(page)
        assert [event.kind for event in remarked(events)] == ["stream_ended"]
        assert [event.clip for event in events if isinstance(event, Chunk)] == [0, 1]

    def test_a_chunk_of_the_microphone_that_came_during_a_reply_is_flagged(self, build: Build, toy: Model) -> None:
        speaking, go = threading.Event(), threading.Event()

        def hold(fed: Any) -> None:
            if fed.tokens == spell("i"):
                speaking.set()
                assert go.wait(PATIENCE)

        model, _ = scripted(toy, "T..", [spell("hi you")], hold)
        page = build(model)
        page.open()
        page.block(silence(1))
        assert speaking.wait(PATIENCE)
        page.block(silence(1))
        go.set()
        flags = [set(event.flags) - {"late"} for event in settled(page) if isinstance(event, Chunk)]
        assert flags == [set(), {"waited"}]


class TestReset:
    def test_from_the_page(self, page: Page) -> None:
        page.record(babble(2))
        before = settled(page)
        page.send({"type": "reset"})
        assert page.of("reset") == [{"type": "reset", "session": 2, "first": 0}]
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

        model, _ = scripted(toy, "T", [spell("a long one")], interrupt)
        pages.append(build(model))
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
        ("samples", "rate"), [("text", 16_000), ([0.0], 0), ([0.0], None), (np.zeros((9, 9, 9)), 16_000)]
    )
    def test_bad_audio(self, page: Page, samples: Any, rate: Any) -> None:
        with pytest.raises(AudioError):
            page.widget.feed(samples, rate)


def test_replies_stream_token_by_token(build: Build, toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of a running reply reach the page before the reply has ended."""
    pages: list[Page] = []
    shown: list[int] = []

    def look(fed: Any) -> None:
        if pages and fed.tokens == spell("!"):
            shown.append(sum(isinstance(event, Token) for event in pages[0].events()))

    monkeypatch.setattr("ai_widgets.widget.wire.outbox.FLUSH_SECONDS", 0.0)
    model, _ = scripted(toy, "T", [spell("hello you!")], look)
    pages.append(build(model))
    pages[0].widget.feed(silence(1), 16_000)
    assert shown == [10]
