"""A widget whose model is on a class server: same events, same record, no torch in the kernel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import ai_widgets as aiw
from ai_widgets.errors import ServerError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.policies.constant import AlwaysReply
from ai_widgets.protocol import Decision, Event, Timing, Turn
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.remote import connection
from ai_widgets.widget.remote.address import checked_address, checked_token
from ai_widgets.widget.remote.remote_model import RemoteModel
from tests.class_server import Class, Learner, class_of
from tests.signals import babble
from tests.test_serve import SETTINGS, facts
from tests.without_torch import NO_TORCH

SOUND = babble(2.4, 3)
CHUNKS = 7


@pytest.fixture
def served(toy: Model) -> Iterator[Class]:
    with class_of(toy, 3, places=2) as running:
        yield running


@pytest.fixture
def widget(served: Class) -> Iterator[AudioInteraction]:
    made = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)
    yield made
    made.close()


def events(record: aiw.SessionRecord) -> list[Event]:
    return list(record.since(0))


def alone(toy: Model, sound: np.ndarray = SOUND) -> list[Any]:
    with toy.session(seed=5, **SETTINGS) as session:
        session.push(sound)
        session.finish(0.4)
    return facts(events(session.record))


class TestSession:
    def test_its_events_are_those_of_a_model_in_the_kernel(self, widget: AudioInteraction, toy: Model) -> None:
        widget.feed(SOUND, 16_000, end=True, tail_silence=0.4)
        assert facts(events(widget.record)) == alone(toy)
        assert widget.error is None

    def test_its_record_is_whole_and_reproduced_by_the_model(
        self, widget: AudioInteraction, toy: Model, tmp_path: Path
    ) -> None:
        widget.feed(SOUND, 16_000, end=True, tail_silence=0.4)
        widget.record.save(tmp_path / "talk.aiw")
        record = aiw.SessionRecord.load(tmp_path / "talk.aiw")
        assert len(record.audio) == CHUNKS * 6_400
        assert record.header.model["fingerprint"]
        assert record.replay(toy).reproduced

    def test_the_network_is_a_part_of_the_latency_beside_the_servers_own(self, widget: AudioInteraction) -> None:
        widget.feed(SOUND, 16_000, end=True, tail_silence=0.4)
        timings = [event for event in events(widget.record) if isinstance(event, Timing)]
        assert len(timings) == CHUNKS
        assert all(timing.tower_ms > 0 and timing.decide_ms > 0 and timing.network_ms > 0 for timing in timings)
        assert list(widget.record.timings.network_ms) == pytest.approx([timing.network_ms for timing in timings])

    def test_the_page_is_told_the_models_tokens_and_the_server(self, widget: AudioInteraction, toy: Model) -> None:
        assert widget.model.name.startswith("toy" if toy.name == "toy" else toy.name)
        info = widget.model_info
        assert (info["status"], info["kind"]) == ("ready", "model")
        assert info["tokens"]["TEXT_BEGIN"] == toy.language.traits.tokens["TEXT_BEGIN"]
        assert info["detail"].startswith("class server")

    def test_settings_change_at_the_server_from_the_next_chunk_on(
        self, served: Class, widget: AudioInteraction
    ) -> None:
        widget.feed(SOUND[:6_400], 16_000)
        widget.set(bias=-50.0)
        widget.feed(SOUND[6_400:12_800], 16_000)
        decisions = [event for event in events(widget.record) if isinstance(event, Decision)]
        assert [decision.rule["bias"] for decision in decisions] == [1.0, -50.0]
        assert served.server.room.places.taken[0].settings.bias == -50.0

    def test_a_reset_begins_another_session_at_the_server(
        self, served: Class, widget: AudioInteraction, toy: Model
    ) -> None:
        widget.feed(SOUND, 16_000, end=True, tail_silence=0.4)
        widget.reset()
        widget.feed(SOUND, 16_000, end=True, tail_silence=0.4)
        assert facts(events(widget.record)) == alone(toy)
        assert served.taken == 1

    def test_a_closed_widget_frees_its_place(self, served: Class, widget: AudioInteraction) -> None:
        widget.feed(SOUND, 16_000)
        assert served.taken == 1
        widget.close()
        served.until(lambda: served.taken == 0)

    def test_a_policy_can_be_served(self) -> None:
        with class_of(AlwaysReply(), 1) as served:
            widget = AudioInteraction(served.address, token=served.token())
            widget.feed(SOUND[:6_400], 16_000)
            assert [event.text for event in events(widget.record) if isinstance(event, Turn)] == ["I heard you speak."]
            widget.close()

    def test_a_fork_is_refused_with_a_way_out(self, widget: AudioInteraction) -> None:
        widget.feed(SOUND, 16_000)
        with pytest.raises(SessionError, match="save the recording"):
            widget.fork(chunk=1, bias=0.5)


def lose(served: Class) -> None:
    """Cut the connections, as a network does."""

    async def cut() -> None:
        for each in served.server.room.connections:
            each._socket.abort()

    served.run(cut())
    served.until(lambda: all(place.gone_at is not None for place in served.server.room.places.taken))


class TestNetwork:
    def test_a_lost_connection_is_opened_again_and_nothing_is_lost(
        self, served: Class, widget: AudioInteraction, toy: Model
    ) -> None:
        for start in range(0, len(SOUND), 6_400):
            widget.feed(SOUND[start : start + 6_400], 16_000)
            lose(served)
        widget.feed(np.zeros(0, np.float32), 16_000, end=True, tail_silence=0.4)
        assert facts(events(widget.record)) == alone(toy)
        assert served.taken == 1

    def test_a_server_that_ends_is_a_sentence_and_the_record_stays(self, toy: Model) -> None:
        with class_of(toy, 1) as served:
            widget = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)
            widget.feed(SOUND[:12_800], 16_000)
        with pytest.raises(ServerError, match="shutting down"):
            widget.feed(SOUND[12_800:], 16_000)
        assert len(widget.record.decisions) == 2
        assert len(widget.record.audio) == 3 * 6_400
        widget.close()


class TestRefused:
    def failure(self, *arguments: Any, **options: Any) -> Exception:
        widget = AudioInteraction(*arguments, **options)
        try:
            with pytest.raises(ServerError) as raised:
                _ = widget.model
            return raised.value
        finally:
            widget.close()

    def test_an_unknown_token_is_a_sentence(self, served: Class) -> None:
        assert "does not know this token" in str(self.failure(served.address, token="x" * 24))

    def test_a_full_class_is_a_sentence(self, served: Class) -> None:
        for learner in (1, 2):
            Learner(served, learner).hear("welcome")
        assert "All 2 places" in str(self.failure(served.address, token=served.token()))

    def test_a_full_replica_is_tried_again_until_there_is_a_place(self, toy: Model) -> None:
        with class_of(toy, 2, places=1, full="busy") as served:
            first = Learner(served, 1)
            first.hear("welcome")
            refused = served.server.room.metrics.refused.labels("busy")._value
            leaving = Thread(target=lambda: (served.until(lambda: refused.get() > 0), first.socket.close()))
            leaving.start()
            model = RemoteModel(served.address, served.token())
            leaving.join()
            assert refused.get() > 0
            model.close()

    def test_a_full_replica_is_a_sentence_in_the_end(self, toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "RECONNECT_SECONDS", 0.0)
        with class_of(toy, 2, places=1, full="busy") as served:
            Learner(served, 1).hear("welcome")
            assert str(self.failure(served.address, token=served.token())).startswith("All 1 places")

    def test_no_server_is_a_sentence(self, served: Class) -> None:
        served.run(served.server.drain())
        assert "cannot be reached" in str(self.failure(served.address, token=served.token()))

    def test_another_path_is_a_sentence(self, served: Class) -> None:
        address = served.address.replace("/session", "/other")
        assert "no class server" in str(self.failure(address, token=served.token()))

    @pytest.mark.parametrize(
        "address",
        [
            *("ws://class.example.org", "ws://10.0.0.5:8765/session", "wss://", "wss://host:port", "wss://[::1"),
            *("wss://me:secret@class.example.org", "wss://class.example.org/session?token=secret"),
        ],
    )
    def test_an_address_that_is_none_or_unsafe_is_refused_and_no_secret_quoted(self, address: str) -> None:
        with pytest.raises(SettingError) as refused:
            AudioInteraction(address, token="x" * 24)
        assert "secret" not in str(refused.value)

    @pytest.mark.parametrize(
        ("given", "checked"),
        [
            ("wss://class.example.org", "wss://class.example.org/session"),
            ("WSS://class.example.org/", "wss://class.example.org/session"),
            ("wss://example.org/class/session", "wss://example.org/class/session"),
            *(("ws://localhost:8765", "ws://localhost:8765/session"), ("ws://[::1]:1", "ws://[::1]:1/session")),
        ],
    )
    def test_an_address_gets_its_path(self, given: str, checked: str) -> None:
        assert checked_address(given) == checked

    def test_the_token_is_an_argument_or_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AI_WIDGETS_TOKEN", raising=False)
        with pytest.raises(SettingError, match="AI_WIDGETS_TOKEN"):
            checked_token(None)
        monkeypatch.setenv("AI_WIDGETS_TOKEN", "from-the-variable")
        assert (checked_token(None), checked_token("given")) == ("from-the-variable", "given")
        with pytest.raises(SettingError):
            checked_token("two words\r\nX-Header: 1")
        with pytest.raises(SettingError, match="class server"):
            AudioInteraction("tiny", token="x" * 24)

    def test_a_session_that_could_end_by_itself_is_refused(self, served: Class) -> None:
        model = RemoteModel(served.address, served.token())
        with pytest.raises(SettingError):
            model.framing(aiw.Settings(context="stop"))
        model.close()


WITHOUT_TORCH = f"""{NO_TORCH}
import ai_widgets as aiw
w = aiw.AudioInteraction(sys.argv[1], token=sys.argv[2], seed=5)
w.play("clip:digit")
w.record.save(sys.argv[3])
print(len(w.record.decisions), w.record.text)
w.close()
"""


def test_a_kernel_without_torch_records_and_saves_a_session(tmp_path: Path) -> None:
    tiny = aiw.load_model("tiny")
    with class_of(tiny, 1) as served:
        file = tmp_path / "talk.aiw"
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, served.address, served.token(), str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
        )
    assert done.returncode == 0, done.stderr
    record = aiw.SessionRecord.load(file)
    assert done.stdout.split(" ", 1) == [str(len(record.decisions)), record.text + "\n"]
    assert record.replay(tiny).reproduced
