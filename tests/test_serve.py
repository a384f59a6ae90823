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
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ai_widgets.errors import SettingError
from ai_widgets.inference import Model
from ai_widgets.policies.constant import AlwaysReply
from ai_widgets.policies.policy import Policy, Ruling
from ai_widgets.protocol import Decision, Notice, Timing
from ai_widgets.serve.limits import RESUME_SECONDS
from ai_widgets.serve.place import Place
from ai_widgets.serve.places import Places, RefusedError
from ai_widgets.serve.tokens import Tokens
from ai_widgets.widget.wire.frames import pack, unpack
from tests.class_server import PATIENCE_S, Class, Learner, class_of, on_both_servers
from tests.learners import SETTINGS, SOUNDS, alone, chunks_of, decided, facts, speak


class TestSessions:
    @on_both_servers
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

    @on_both_servers
    def test_sound_is_not_kept(self, served: Class) -> None:
        learner = Learner(served)
        speak(learner, SOUNDS[0])
        learner.until(decided(chunks_of(SOUNDS[0])))
        assert len(served.server.room.places.taken[0].record.audio) == 0

    @on_both_servers
    def test_a_setting_that_is_refused_is_named_and_changes_nothing(self, served: Class) -> None:
        learner = Learner(served)
        learner.send({"type": "set", "changes": {"bias": 1.0, "top_p": 7}, "request": 5})
        problem = learner.hear("problem")
        assert (problem["code"], problem["names"], problem["request"]) == ("setting", ["top_p"], 5)
        assert served.server.room.places.taken[0].settings.bias == 0.0

    @on_both_servers
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

    @on_both_servers
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


@on_both_servers
def test_a_session_that_fails_does_not_stop_the_others(kind: Any) -> None:
    with class_of(Fragile(), 2, kind=kind) as served:
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
    @on_both_servers
    def test_the_thirty_first_is_told_that_the_class_is_full(self, kind: Any) -> None:
        with class_of(AlwaysReply(), 31, places=30, kind=kind) as served:
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

    @on_both_servers
    def test_one_learner_cannot_take_every_place(self, served: Class) -> None:
        pages = [Learner(served, 0, page) for page in "ab"]
        for page in pages:
            page.hear("welcome")
        third = Learner(served, 0, "c")
        assert "You have 2 sessions" in third.hear("problem")["message"]
        assert Learner(served, 1).hear("welcome")

    @on_both_servers
    def test_a_client_that_vanishes_frees_its_place(self, toy: Model, kind: Any) -> None:
        with class_of(toy, 2, places=1, kind=kind) as served:
            first = Learner(served, 0)
            first.hear("welcome")
            first.vanish()
            served.until(lambda: served.server.room.places.taken[0].gone_at is not None)
            assert Learner(served, 1).hear("welcome")["session"] == 1
            assert served.taken == 1

    @on_both_servers
    @pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"])
    def test_a_wrong_token_is_refused_before_a_socket_is_opened(self, served: Class, header: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            connect(served.address, additional_headers={"Authorization": header.format(token=served.token())})
        assert refused.value.response.status_code == 401
        assert served.taken == 0

    @on_both_servers
    def test_a_token_in_the_address_is_not_taken(self, served: Class) -> None:
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{served.address}?token={served.token()}")
        assert refused.value.response.status_code == 401

    @on_both_servers
    def test_a_page_of_another_origin_is_refused_and_one_of_an_allowed_origin_is_not(
        self, toy: Model, kind: Any
    ) -> None:
        with class_of(toy, 1, origins=["https://class.example.org"], kind=kind) as served:
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


@on_both_servers
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


class TestEnd:
    @on_both_servers
    def test_a_server_that_ends_finishes_what_it_heard_and_tells_its_clients(self, toy: Model, kind: Any) -> None:
        with class_of(toy, 2, drain_s=PATIENCE_S, kind=kind) as served:
            learner = Learner(served)
            learner.set(seed=0, **SETTINGS)
            speak(learner, SOUNDS[0])
            learner.until(lambda events: len(events) > 0)
            served.until(lambda: served.server.room.places.taken[0]._taken_s > 2.3)
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
    @on_both_servers
    def test_health_tells_places(self, served: Class) -> None:
        learner = Learner(served)
        learner.hear("welcome")
        with urlopen(served.address.replace("ws://", "http://").replace("/session", "/health")) as answer:
            assert json.load(answer) == {"status": "ok", "places": 3, "taken": 1}

    @on_both_servers
    def test_metrics_count_and_name_no_learner(self, served: Class) -> None:
        learner = Learner(served)
        speak(learner, SOUNDS[1])
        learner.until(decided(chunks_of(SOUNDS[1])))
        served.until(lambda: served.server.room.places.taken[0].idle)
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
