"""The class server: many learners on one model, over real WebSockets on loopback."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ai_widgets.errors import MessageError, SettingError
from ai_widgets.inference import Model
from ai_widgets.policies.constant import AlwaysReply
from ai_widgets.policies.policy import Policy, Ruling
from ai_widgets.protocol import Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.serve.limits import AHEAD_SECONDS, BURST_SECONDS, FASTER, RESUME_SECONDS
from ai_widgets.serve.place import Pace, Place
from ai_widgets.serve.places import Places, RefusedError
from ai_widgets.serve.tokens import Tokens
from ai_widgets.widget.wire.frames import pack, unpack
from tests.class_server import PATIENCE_S, Class, Learner, class_of
from tests.signals import babble

SETTINGS = {"bias": 1.0, "max_reply_tokens": 4, "temperature": 1.0}
SOUNDS = [babble(seconds, place) for place, seconds in enumerate((2.4, 1.7, 2.0))]


def facts(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """What must be the same: order, decisions, tokens, random numbers and replies. Probabilities differ by rounding."""
    told: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Decision):
            told.append(("decision", event.chunk, event.choice, event.token, event.draw, event.position))
        elif isinstance(event, Token):
            told.append(("token", event.chunk, event.turn, event.index, event.token, event.draw))
        elif isinstance(event, Turn):
            told.append(("turn", event.chunk, event.turn, event.text, event.ended))
        elif isinstance(event, (Chunk, Notice)):
            told.append((event.type, event.chunk))
    return told


def alone(model: Model, sound: np.ndarray, seed: int, tail: float = 0.4) -> list[tuple[Any, ...]]:
    with model.session(seed=seed, **SETTINGS) as session:
        session.push(sound)
        session.finish(tail)
    return facts(list(session.record.since(0)))


def decided(chunks: int) -> Any:
    return lambda events: sum(isinstance(event, Timing) for event in events) >= chunks


def chunks_of(sound: np.ndarray, tail: float = 0.4) -> int:
    return int(np.ceil(len(sound) / 6400)) + round(tail / 0.4)


@pytest.fixture
def served(toy: Model) -> Iterator[Class]:
    with class_of(toy, 4, places=3) as running:
        yield running


def speak(learner: Learner, sound: np.ndarray, *, length: int = 1_500) -> None:
    learner.open(tail_s=0.4)
    for start in range(0, len(sound), length):
        learner.block(sound[start : start + length])
    learner.send({"type": "close", "stream": 1, "blocks": learner.sent, "reason": "ended"})


class TestSessions:
    def test_each_learner_has_the_events_of_a_session_alone(self, served: Class, toy: Model) -> None:
        learners = [Learner(served, place) for place in range(3)]
        for seed, learner in enumerate(learners):
            learner.hear("welcome")
            learner.set(seed=seed, **SETTINGS)
        for learner, sound in zip(learners, SOUNDS, strict=True):
            speak(learner, sound)
        for seed, (learner, sound) in enumerate(zip(learners, SOUNDS, strict=True)):
            events = learner.until(decided(chunks_of(sound)))
            assert facts(events) == alone(toy, sound, seed)

    def test_sound_is_not_kept(self, served: Class) -> None:
        learner = Learner(served)
        speak(learner, SOUNDS[0])
        learner.until(decided(chunks_of(SOUNDS[0])))
        assert len(served.server.places.taken[0].record.audio) == 0

    def test_a_setting_that_is_refused_is_named_and_changes_nothing(self, served: Class) -> None:
        learner = Learner(served)
        learner.send({"type": "set", "changes": {"bias": 1.0, "top_p": 7}, "request": 5})
        problem = learner.hear("problem")
        assert (problem["code"], problem["names"], problem["request"]) == ("setting", ["top_p"], 5)
        assert served.server.places.taken[0].settings.bias == 0.0

    def test_a_reset_begins_a_session_with_an_empty_record(self, served: Class, toy: Model) -> None:
        learner = Learner(served)
        learner.set(seed=1, **SETTINGS)
        speak(learner, SOUNDS[1])
        learner.until(decided(chunks_of(SOUNDS[1])))
        learner.send({"type": "reset"})
        assert learner.hear("reset")["session"] == 2
        learner.events, learner.sent = [], 0
        speak(learner, SOUNDS[1])
        assert facts(learner.until(decided(chunks_of(SOUNDS[1])))) == alone(toy, SOUNDS[1], 1)

    def test_lost_blocks_are_a_notice(self, served: Class) -> None:
        learner = Learner(served)
        learner.open()
        learner.block(SOUNDS[0][:6400])
        learner.block(SOUNDS[0][:6400], seq=4)
        notices = [event for event in learner.until(decided(2)) if isinstance(event, Notice)]
        assert [(notice.kind, notice.data) for notice in notices] == [("lost_blocks", {"blocks": 3})]


class Fragile(Policy):
    """A baseline that fails from the third chunk on in each session whose audio is loud."""

    name = "fragile"

    def open_detector(self) -> Any:
        return Peak()

    def start(self) -> int:
        return 0

    def rule_after(self, state: int, scores: Sequence[float]) -> tuple[int, Ruling]:
        if state == 2 and max(scores) > 0.9:
            raise RuntimeError("too loud")
        return state + 1, Ruling(False, {})


class Peak:
    window = 6_400

    def __call__(self, samples: np.ndarray) -> float:
        return float(np.abs(samples).max())

    def mark(self) -> None: ...

    def return_to(self, mark: None) -> None: ...


def test_a_session_that_fails_does_not_stop_the_others() -> None:
    with class_of(Fragile(), 2) as served:
        quiet, loud = Learner(served, 0), Learner(served, 1)
        for learner, level in ((quiet, 0.1), (loud, 1.0)):
            learner.open()
            learner.block(np.full(5 * 6_400, level, np.float32))
        assert len([event for event in quiet.until(decided(5)) if isinstance(event, Decision)]) == 5
        problem = loud.hear("problem")
        assert (problem["code"], "too loud" in problem["message"]) == ("model", True)
        loud.until(lambda events: [e.kind for e in events if isinstance(e, Notice)].count("undecided") == 3)
        assert sum(isinstance(event, Decision) for event in loud.events) == 2


class TestAdmission:
    def test_the_thirty_first_is_told_that_the_class_is_full(self) -> None:
        with class_of(AlwaysReply(), 31, places=30) as served:
            learners = [Learner(served, place) for place in range(30)]
            for learner in learners:
                learner.hear("welcome")
            late = Learner(served, 30)
            problem = late.hear("problem")
            assert (problem["code"], late.until_closed()) == ("full", 1013)
            assert "All 30 places" in problem["message"]
            learners[7].socket.close()
            served.until(lambda: served.taken == 29)
            assert Learner(served, 30).hear("welcome")["session"] == 1

    def test_one_learner_cannot_take_every_place(self, served: Class) -> None:
        pages = [Learner(served, 0, page) for page in "ab"]
        for page in pages:
            page.hear("welcome")
        third = Learner(served, 0, "c")
        assert "You have 2 sessions" in third.hear("problem")["message"]
        assert Learner(served, 1).hear("welcome")

    def test_a_client_that_vanishes_frees_its_place(self, toy: Model) -> None:
        with class_of(toy, 2, places=1) as served:
            first = Learner(served, 0)
            first.hear("welcome")
            first.vanish()
            served.until(lambda: served.server.places.taken[0].gone_at is not None)
            assert Learner(served, 1).hear("welcome")["session"] == 1
            assert served.taken == 1

    @pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"])
    def test_a_wrong_token_is_refused_before_a_socket_is_opened(self, served: Class, header: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            connect(served.address, additional_headers={"Authorization": header.format(token=served.token())})
        assert refused.value.response.status_code == 401
        assert served.taken == 0

    def test_a_token_in_the_address_is_not_taken(self, served: Class) -> None:
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{served.address}?token={served.token()}")
        assert refused.value.response.status_code == 401

    def test_a_page_of_another_origin_is_refused_and_one_of_an_allowed_origin_is_not(self, toy: Model) -> None:
        with class_of(toy, 1, origins=["https://class.example.org"]) as served:
            with pytest.raises(InvalidStatus) as refused:
                Learner(served, origin="https://other.example.org")
            assert refused.value.response.status_code == 403
            assert Learner(served, origin="https://class.example.org").hear("welcome")

    def test_a_client_of_another_protocol_is_told(self, served: Class) -> None:
        learner = Learner(served)
        learner.hear("welcome")
        other = served.connect(1)
        other.send(pack({"type": "hello", "protocol": 2, "seen": 0}))
        message, _ = unpack(other.recv(PATIENCE_S))
        assert "protocol 2" in message["message"]

    def test_a_vanished_client_that_does_not_come_again_loses_its_place(self) -> None:
        now = [0.0]
        places = Places(AlwaysReply(), _Driver(), 2, 2, clock=lambda: now[0])  # type: ignore[arg-type]
        place, _ = places.admit("ada", "a")
        places.vanished(place)
        now[0] = RESUME_SECONDS - 1
        assert places.admit("ada", "a") == (place, True)
        places.vanished(place)
        now[0] += RESUME_SECONDS
        again, resumed = places.admit("ada", "a")
        assert (again is place, resumed) == (False, False)

    def test_the_place_that_was_left_first_is_given_away_first(self) -> None:
        now = [0.0]
        places = Places(AlwaysReply(), _Driver(), 2, 2, clock=lambda: now[0])  # type: ignore[arg-type]
        first, second = places.admit("ada", "a")[0], places.admit("bob", "b")[0]
        for place in (second, first):
            now[0] += 1
            places.vanished(place)
        third, _ = places.admit("eve", "c")
        assert places.taken == [first, third]
        places.draining = True
        with pytest.raises(RefusedError) as refused:
            places.admit("ada", "a")
        assert refused.value.code == "draining"


class _Driver:
    def add(self, place: Place) -> None: ...

    def remove(self, place: Place) -> None: ...


def test_a_client_that_comes_again_goes_on_where_it_was(served: Class, toy: Model) -> None:
    first = Learner(served)
    first.set(seed=0, **SETTINGS)
    first.open(tail_s=0.4)
    sound = SOUNDS[0]
    first.block(sound[:6_400])
    first.block(sound[6_400:12_800])
    before = list(first.until(decided(2)))
    first.vanish()
    again = Learner(served, session=1, seen=len(before) - 2)
    assert again.hear("welcome")["first"] == len(before) - 2
    # The block that may have been lost is sent again, and is heard once.
    again.block(sound[6_400:12_800], seq=1)
    again.block(sound[12_800:])
    again.send({"type": "close", "stream": 1, "blocks": 3, "reason": "ended"})
    left = chunks_of(sound) - 2
    again.until(lambda events: decided(left + 1)(events) or sum(isinstance(e, Decision) for e in events) >= left + 1)
    total = chunks_of(sound)
    again.until(lambda events: sum(isinstance(e, Timing) for e in [*before[: len(before) - 2], *events]) >= total)
    assert facts([*before[: len(before) - 2], *again.events]) == alone(toy, sound, 0)
    assert served.taken == 1


class TestHostile:
    FRAMES = (
        *(
            b"",
            b"\x01",
            b"\xff\xff\xff\x7f",
            b"\x02\x00\x00\x00[]",
            b"\x04\x00\x00\x00\xff\xfe\xfd\xfc",
            "",
            "{",
            "[]",
            "null",
        ),
        *("[" * 50_000, '"\\ud800"', '{"type": 3}', '{"type": "fork", "chunk": 1}', '{"type": "poll"}'),
        *('{"type": "block", "stream": 1, "seq": 0}', '{"type": "close", "stream": 9, "blocks": 0, "reason": "ended"}'),
        *('{"type": "set", "changes": {"seed": 1e999}}', '{"type": "set", "changes": {"nothing": 1}}'),
        pack({"type": "block", "stream": 7, "seq": 0, "rate": 16_000, "format": "int16", "time_s": 0.0}, [b"\0" * 64]),
        pack({"type": "block", "stream": 7, "seq": 0, "rate": 16_000, "format": "int16", "time_s": 0.0}, [b"\0"]),
    )

    def test_bad_frames_are_answered_and_change_nothing_for_the_others(self, served: Class, toy: Model) -> None:
        hostile, good = Learner(served, 0), Learner(served, 1)
        hostile.hear("welcome")
        good.set(seed=2, **SETTINGS)
        good.open(tail_s=0.4)
        for place, frame in enumerate(self.FRAMES):
            hostile.socket.send(frame)
            good.block(SOUNDS[2][place * 1_600 : place * 1_600 + 1_600])
        good.send({"type": "close", "stream": 1, "blocks": good.sent, "reason": "ended"})
        for _ in self.FRAMES:
            assert hostile.hear("problem")["code"] in ("message", "setting")
        assert facts(good.until(decided(chunks_of(SOUNDS[2])))) == alone(toy, SOUNDS[2], 2)
        speak(hostile, SOUNDS[1])
        assert hostile.until(decided(chunks_of(SOUNDS[1])))

    def test_a_frame_above_the_limit_ends_its_own_connection_only(self, served: Class) -> None:
        hostile, good = Learner(served, 0), Learner(served, 1)
        good.hear("welcome")
        hostile.socket.send(b"\0" * 3_000_000)
        assert hostile.until_closed() == 1009
        speak(good, SOUNDS[1])
        assert good.until(decided(chunks_of(SOUNDS[1])))

    def test_a_flood_of_messages_changes_nothing_for_the_others(self, served: Class, toy: Model) -> None:
        hostile, good = Learner(served, 0), Learner(served, 1)
        good.set(seed=1, **SETTINGS)
        for _ in range(600):
            hostile.send({"type": "interrupt"})
            hostile.socket.send("{")
        speak(good, SOUNDS[1])
        assert facts(good.until(decided(chunks_of(SOUNDS[1])))) == alone(toy, SOUNDS[1], 1)

    @settings(max_examples=300)
    @given(frame=st.one_of(st.binary(max_size=64), st.text(max_size=64)))
    def test_any_frame_is_json_or_a_message_error(self, frame: str | bytes) -> None:
        with suppress(MessageError):
            assert len(unpack(frame)) == 2

    @given(content=st.dictionaries(st.text(max_size=8), st.integers(-(2**53), 2**53)), buffer=st.binary(max_size=64))
    def test_what_is_packed_is_unpacked(self, content: dict[str, int], buffer: bytes) -> None:
        assert unpack(pack(content)) == (content, ())
        message, buffers = unpack(pack(content, [buffer]))
        assert (message, [bytes(each) for each in buffers]) == (content, [buffer])


class TestBackPressure:
    def test_nothing_more_is_read_while_much_audio_is_undecided(self) -> None:
        place = Place(AlwaysReply(), "ada", "a")
        message, _ = unpack(
            pack({"type": "open", "stream": 1, "source": "mic", "name": "", "rate": 16_000, "tail_s": 0})
        )
        from ai_widgets.widget.wire.parsing import parse

        place.put(parse(message))
        block = {"type": "block", "stream": 1, "rate": 16_000, "format": "int16", "time_s": 0.0}
        place.put(parse({**block, "seq": 0}, [bytes(2 * 16_000 * int(AHEAD_SECONDS - 1))]))
        assert not place.full
        place.put(parse({**block, "seq": 1}, [bytes(2 * 16_000)]))
        assert place.full
        place.take()
        assert place.full
        while place.session is not None and place.session._loop.advance():
            pass
        place.look()
        assert not place.full

    def test_a_client_may_send_a_burst_and_then_four_times_real_time(self) -> None:
        now = [0.0]
        pace = Pace(lambda: now[0])
        assert pace.take(BURST_SECONDS) == 0.0
        wait = pace.take(4.0)
        assert wait == pytest.approx(4.0 / FASTER)
        now[0] += wait
        assert pace.take(0.0) == pytest.approx(0.0)

    def test_a_client_that_answers_no_ping_is_cut_off_unless_its_answers_were_not_read(self, toy: Model) -> None:
        with class_of(toy, 1) as served:
            learner = Learner(served)
            learner.hear("welcome")
            (connection,) = served.server.connections
            place = served.server.places.taken[0]
            connection._ping_s = 0.01
            pings = []

            async def unanswered() -> asyncio.Future[None]:
                # As with an answer that lies unread in the socket while much audio is undecided.
                pings.append(place.full)
                if len(pings) == 4:
                    place._taken_s = place._given_s
                return served.loop.create_future()

            connection._socket.ping = unanswered  # type: ignore[method-assign]
            place._given_s = AHEAD_SECONDS
            watching = asyncio.run_coroutine_threadsafe(connection._watch(), served.loop)
            assert learner.until_closed() == 1006
            watching.cancel()
            assert pings[:4] == [True] * 4
            assert False in pings

    def test_a_client_that_takes_nothing_is_disconnected_and_told_when_it_comes_again(self, toy: Model) -> None:
        with class_of(toy, 2, slow_s=0.01) as served:
            slow, good = Learner(served, 0), Learner(served, 1)
            slow.hear("welcome")
            good.hear("welcome")
            (connection,) = [each for each in served.server.connections if each.learner == served.names[0]]

            async def never(_: object) -> None:
                await asyncio.Event().wait()

            # In the place of a full socket, whose size the system chooses.
            connection._socket.send = never  # type: ignore[method-assign]
            speak(slow, SOUNDS[1])
            speak(good, SOUNDS[1])
            assert good.until(decided(chunks_of(SOUNDS[1])))
            assert slow.until_closed() == 1006
            again = Learner(served, 0, session=1)
            assert again.hear("problem")["code"] == "slow"
            assert again.until(decided(chunks_of(SOUNDS[1])))


class TestEnd:
    def test_a_server_that_ends_finishes_what_it_heard_and_tells_its_clients(self, toy: Model) -> None:
        with class_of(toy, 2, drain_s=PATIENCE_S) as served:
            learner = Learner(served)
            learner.set(seed=0, **SETTINGS)
            speak(learner, SOUNDS[0])
            learner.until(lambda events: len(events) > 0)
            served.until(lambda: served.server.places.taken[0]._taken_s > 2.3)
            ending = asyncio.run_coroutine_threadsafe(served.server.drain(), served.loop)
            assert learner.until_closed() == 1001
            ending.result(PATIENCE_S)
            assert facts(learner.events) == alone(toy, SOUNDS[0], 0)
            assert learner.told[-1]["code"] == "draining"

    def test_the_command_serves_until_sigterm(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens.txt"
        command = [sys.executable, "-m", "ai_widgets.cli.main", "serve", "--policy", "always", "--port", "0"]
        with subprocess.Popen(
            [*command, "--token-file", str(file), "--learners", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.search(r"ws://127\.0\.0\.1:\d+/session", line)
            assert address is not None
            name, token = file.read_text().splitlines()[1].split()
            with connect(address[0], additional_headers={"Authorization": f"Bearer {token}"}) as socket:
                socket.send(pack({"type": "hello", "protocol": 3, "seen": 0}))
                assert unpack(socket.recv(PATIENCE_S))[0]["type"] == "welcome"
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert name == "learner-01"
        assert token not in out + err


class TestPlainRequests:
    def test_health_tells_places(self, served: Class) -> None:
        learner = Learner(served)
        learner.hear("welcome")
        with urlopen(served.address.replace("ws://", "http://").replace("/session", "/health")) as answer:
            assert json.load(answer) == {"status": "ok", "places": 3, "taken": 1}

    def test_metrics_count_and_name_no_learner(self, served: Class) -> None:
        learner = Learner(served)
        speak(learner, SOUNDS[1])
        learner.until(decided(chunks_of(SOUNDS[1])))
        served.until(lambda: served.server.places.taken[0].idle)
        with urlopen(served.address.replace("ws://", "http://").replace("/session", "/metrics")) as answer:
            page = answer.read().decode()
        assert f"ai_widgets_decisions_total {float(chunks_of(SOUNDS[1]))}" in page
        # The last chunk is silence after the recording, which has no time of arrival.
        assert f"ai_widgets_decision_seconds_count {float(chunks_of(SOUNDS[1]) - 2)}" in page
        assert not any(name in page or served.tokens.by_name[name] in page for name in served.names)


def test_the_bench_counts_every_chunk_of_its_learners(capsys: pytest.CaptureFixture[str]) -> None:
    from ai_widgets.cli.bench.class_hour import main

    assert main(["--learners", "2", "--minutes", "0.02"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert (measured["learners"], measured["chunks"], measured["lost"]) == (2, 6, 0)


class TestTokens:
    def test_what_is_written_is_read_by_its_owner_only(self, tmp_path: Path) -> None:
        tokens = Tokens.generate(3)
        tokens.write(tmp_path / "tokens")
        assert Tokens.read(tmp_path / "tokens").by_name == tokens.by_name
        assert len(set(tokens.by_name.values())) == 3
        if os.name == "posix":
            assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600
        with pytest.raises(SettingError):
            tokens.write(tmp_path / "tokens")

    @pytest.mark.parametrize(
        "text",
        ["", "# nothing\n", "ada", "ada short", "ada 0123456789abcdef x", "a 0123456789abcdef\nb 0123456789abcdef"],
    )
    def test_a_damaged_file_is_a_sentence_that_quotes_no_token(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "tokens"
        file.write_text(text)
        with pytest.raises(SettingError) as refused:
            Tokens.read(file)
        assert "0123456789abcdef" not in str(refused.value)

    def test_every_token_is_compared_in_constant_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tokens, compared = Tokens.generate(5), []
        compare = hmac.compare_digest
        monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or compare(a, b))
        first = next(iter(tokens.by_name))
        assert tokens.learner(f"Bearer {tokens.by_name[first]}") == first
        assert tokens.learner("Bearer x") is None
        assert compared == [(32, 32)] * 10
