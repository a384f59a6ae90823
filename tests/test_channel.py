"""The channel alone, with a record of what it shows: no widget, no traits, no comm."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, RLock, Thread
from typing import Any

import numpy as np
import pytest

from ai_widgets.audio.origin import Origin
from ai_widgets.errors import SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Decision, Timing
from ai_widgets.record.record import SessionRecord
from ai_widgets.settings import Settings
from ai_widgets.widget.channel import Channel
from ai_widgets.widget.live_settings import LiveSettings
from tests.page import PATIENCE, silence
from tests.scripted import scripted, spell
from tests.signals import Array


class Screen:
    """What pages would show: traits by name, and messages in order."""

    def __init__(self) -> None:
        self.send_lock = RLock()
        self.changed = Condition()
        self.traits: dict[str, Any] = {}
        self.states: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.shown_again: list[tuple[str, ...]] = []
        self.buffers: list[Sequence[bytes]] = []
        self.saved: list[tuple[str, SessionRecord]] = []

    def send(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        with self.changed:
            self.sent.append(content)
            self.buffers.append(buffers)
            self.changed.notify_all()

    def show(self, trait: str, value: object) -> bool:
        with self.changed:
            if self.traits.get(trait) == value:
                return False
            self.traits[trait] = value
            if trait == "state":
                self.states.append(str(value))
            self.changed.notify_all()
            return True

    def show_again(self, *traits: str) -> None:
        self.shown_again.append(traits)

    def save(self, headline: str, record: SessionRecord) -> None:
        with self.changed:
            self.saved.append((headline, record))
            self.changed.notify_all()

    def of(self, kind: str) -> list[dict[str, Any]]:
        with self.changed:
            return [message for message in self.sent if message["type"] == kind]

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE)


Connect = Callable[..., tuple[Channel, Screen]]


@pytest.fixture
def connect(toy: Model) -> Iterator[Connect]:
    """Make a started channel whose model is loaded, and its screen."""
    channels: list[Channel] = []

    def make(model: Model = toy, *, pull: bool = False, **live: Any) -> tuple[Channel, Screen]:
        screen = Screen()
        rules = Settings(seed=3, max_reply_tokens=12)
        channel = Channel(
            screen, "toy", lambda _: model, rules, LiveSettings.of(live), lambda: SessionRecord(None), pull=pull
        )
        channels.append(channel)
        channel.start()
        screen.until(lambda: screen.traits["model_info"]["status"] == "ready")
        return channel, screen

    yield make
    for each in channels:
        each.close()


def opening(stream: int = 1, page: str = "one") -> dict[str, Any]:
    return {
        "type": "open",
        "stream": stream,
        "source": "mic",
        "name": "x",
        "rate": 16_000,
        "tail_s": 0.0,
        "track": {},
        "page": page,
    }


def send_block(channel: Channel, seq: int, samples: Array, stream: int = 1) -> None:
    placed = {"type": "block", "stream": stream, "seq": seq, "rate": 16_000, "format": "float32", "time_s": seq / 10}
    channel.receive({**placed, "sent_ms": 1e12, "gated": False, "page": "one"}, [samples.astype("<f4").tobytes()])


class TestMessages:
    def test_a_recording_is_decided_shown_sent_and_acknowledged(self, connect: Connect, toy: Model) -> None:
        model, _ = scripted(toy, ".T", [spell("hello")])
        channel, screen = connect(model)
        channel.receive(opening())
        for seq in range(4):
            send_block(channel, seq, silence(0.5))
        assert channel.wait(PATIENCE)
        channel.receive({"type": "close", "stream": 1, "blocks": 4, "reason": "stopped", "page": "one"})
        assert channel.wait(PATIENCE)
        screen.until(lambda: screen.states[-1:] == ["stopped"])
        events = [event for message in screen.of("events") for event in message["events"]]
        assert [event["choice"] for event in events if event["type"] == "decision"] == ["KEEP_SILENCE", "TEXT_BEGIN"]
        assert [event["text"] for event in events if event["type"] == "turn"] == ["hello"]
        screen.until(lambda: [message["seq"] for message in screen.of("ack")][-1:] == [3])
        assert set(screen.states) >= {"listening", "speaking", "stopped"}
        timings = channel.presenter.pipeline.record.of_type(Timing)
        assert [(timing.stream, timing.seq) for timing in timings] == [(1, 1), (1, 3)]

    def test_a_bad_message_is_answered_and_raises_nothing(self, connect: Connect) -> None:
        channel, screen = connect()
        for content in (None, 3, {}, {"type": "none"}, {"type": "loop", "mode": "fly"}):
            channel.receive(content)
        assert len(screen.of("problem")) >= 1
        assert screen.of("problem")[0]["code"] == "message"

    @pytest.mark.parametrize("name", ["reason", "\ud800"])
    def test_half_a_character_is_answered_too(self, connect: Connect, name: str) -> None:
        """A page that cuts a text between two UTF-16 units sends a lone surrogate, which no UTF-8 can hold."""
        channel, screen = connect()
        closing = {"type": "close", "stream": 1, "blocks": 0, "reason": "stopped", "page": "one"}
        channel.receive({**closing, name: "half \ud83d"})
        (problem,) = screen.of("problem")
        assert (problem["code"], "lone surrogate" in problem["message"]) == ("message", True)

    def test_a_refused_change_is_answered_and_what_is_in_effect_is_shown_again(self, connect: Connect) -> None:
        channel, screen = connect()
        channel.receive({"type": "set", "changes": {"overload_chunks": 0}, "request": 7})
        (problem,) = screen.of("problem")
        assert (problem["code"], problem["names"], problem["request"]) == ("setting", ["overload_chunks"], 7)
        assert screen.shown_again == [("settings", "live")]
        with pytest.raises(SettingError):
            channel.change({"overload_chunks": 0})

    def test_a_change_is_shown(self, connect: Connect) -> None:
        channel, screen = connect()
        channel.receive({"type": "set", "changes": {"bias": 1.5, "arrival": "drop"}, "request": 1})
        assert (screen.traits["settings"]["bias"], screen.traits["live"]["arrival"]) == (1.5, "drop")

    def test_in_pull_mode_nothing_leaves_before_a_page_asks(self, connect: Connect) -> None:
        channel, screen = connect(pull=True)
        channel.feed(silence(2), 16_000, end=True, tail_s=0.0)
        # `channel.wait` would send: in a cell of such a host it is the way out.
        assert channel.presenter.pipeline.wait(PATIENCE)
        assert screen.sent == []
        channel.receive({"type": "poll"})
        assert len([event for message in screen.of("events") for event in message["events"]]) > 0


class TestOwner:
    def test_the_end_of_a_recording_saves_history_and_transcript(self, connect: Connect) -> None:
        channel, screen = connect()
        channel.feed(silence(2), 16_000, end=True, tail_s=0.0)
        assert channel.wait(PATIENCE)
        screen.until(lambda: bool(screen.saved))
        assert len(screen.traits["history"]["decisions"]["chunk"]) == 2
        assert screen.saved == [("AudioInteraction toy: stopped", channel.presenter.pipeline.record)]

    def test_a_new_session_is_announced_before_its_events(self, connect: Connect) -> None:
        channel, screen = connect()
        channel.feed(silence(1), 16_000, end=False, tail_s=0.0)
        assert channel.wait(PATIENCE)
        channel.receive({"type": "reset"})
        channel.feed(silence(1), 16_000, end=False, tail_s=0.0)
        assert channel.wait(PATIENCE)
        sessions = [message["session"] for message in screen.sent if message["type"] in ("events", "reset")]
        assert sessions == sorted(sessions)
        assert sessions[-1] == 2
        assert len(channel.presenter.pipeline.record.of_type(Decision)) == 1

    def test_messages_of_several_threads_are_taken_one_at_a_time(self, connect: Connect) -> None:
        channel, _ = connect()
        channel.receive(opening())

        def say(part: int) -> None:
            for number in range(40):
                channel.receive({"type": "set", "changes": {"overload_chunks": 10 + part + number}, "request": 1})

        threads = [Thread(target=say, args=(part,)) for part in (0, 100)]
        for thread in threads:
            thread.start()
        for seq in range(20):
            send_block(channel, seq, silence(0.25))
        for thread in threads:
            thread.join(PATIENCE)
        assert channel.wait(PATIENCE)
        timings = channel.presenter.pipeline.record.of_type(Timing)
        assert [timing.seq for timing in timings] == [3, 7, 11, 15, 19]

    def test_a_closed_channel_is_collected_with_all_its_parts(self, toy: Model) -> None:
        screen = Screen()
        channel = Channel(screen, "toy", lambda _: toy, Settings(), LiveSettings(), lambda: SessionRecord(None))
        channel.start()
        channel.feed(np.zeros(6_400, np.float32), 16_000, end=True, tail_s=0.0)
        assert channel.wait(PATIENCE)
        parts = channel.presenter
        references = [weakref.ref(each) for each in (channel, parts, parts.pipeline, parts.player, parts.outbox)]
        channel.close()
        del channel, parts
        gc.collect()
        assert [reference() for reference in references] == [None] * 5

    def test_a_block_is_acknowledged_by_its_origin(self, connect: Connect) -> None:
        channel, screen = connect()
        channel.presenter.block_taken(Origin(4, 2))
        channel.receive({"type": "poll"})
        channel.presenter.outbox.flush()
        assert [(message["stream"], message["seq"]) for message in screen.of("ack")] == [(4, 2)]


def test_the_channel_needs_no_widget_library() -> None:
    code = (
        "import sys, ai_widgets.widget.channel; "
        "print([name for name in ('anywidget', 'ipywidgets', 'traitlets', 'comm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
