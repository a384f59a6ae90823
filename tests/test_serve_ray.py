"""A class on two replicas of Ray Serve, on a Ray of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import ai_widgets as aiw
from ai_widgets.cli.main import main
from ai_widgets.cli.serve import replicas_of
from ai_widgets.errors import ChildError, SettingError
from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import CHUNK_SAMPLES, Notice, Token, Turn
from ai_widgets.serve.tokens import Tokens
from ai_widgets.widget.app import AudioInteraction
from tests import test_serve_limits
from tests.class_server import PATIENCE_S, Learner, Reached
from tests.learners import SETTINGS, SOUNDS, alone, chunks_of, decided, facts, speak
from tests.signals import babble
from tests.whole_records import check_reproduced, check_whole, events

PLACES = 3
TALKS = [babble(2.0, seed) for seed in range(3)]
LONG = {"bias": 9.0, "max_reply_tokens": 200, "temperature": 1.0, "context_limit": 2000}
"""Settings of learners who are nearly always in a reply."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def until(holds: Callable[[], bool]) -> None:
    """Look again and again: other processes tell nothing by themselves."""
    end = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < end
        sleep(0.002)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    pytest.importorskip("ray.serve")
    from ai_widgets.cluster.connection import ray_at

    with ray_at("local", "serve") as found:
        yield found


@pytest.fixture(scope="module")
def running(ray: Any, toy_folder: Path) -> Iterator[tuple[Any, Reached]]:
    from ai_widgets.serve.on_ray import RayClass

    tokens = Tokens.generate(4)
    load = partial(load_model, toy_folder, "cpu")
    made = RayClass(ray, load, tokens, replicas=(2, 2), port=free_port(), places=PLACES, drain_s=1.0)
    reached = Reached(made.address, tokens)
    yield made, reached
    made.drain()
    reached.leave()


def pages_of(address: str) -> str:
    return address.replace("ws://", "http://").removesuffix("/session")


def test_a_replica_that_is_killed_costs_no_record_anything(
    running: tuple[Any, Reached], toy: Model, tmp_path: Path
) -> None:
    made, served = running
    widgets = [
        AudioInteraction(served.address, token=served.token(place), seed=place, **LONG) for place in range(len(TALKS))
    ]

    def talk(place: int) -> None:
        for start in range(0, len(TALKS[place]), CHUNK_SAMPLES):
            widgets[place].feed(TALKS[place][start : start + CHUNK_SAMPLES], 16_000)

    threads = [Thread(target=talk, args=(place,)) for place in range(len(TALKS))]
    for thread in threads:
        thread.start()
    until(lambda: all(widget.record.count(Token) for widget in widgets))
    victim = max(made.told(), key=lambda each: each["health"]["taken"])
    until(lambda: all(isinstance(widget.record.since(len(widget.record) - 1)[0], Token) for widget in widgets))
    os.kill(victim["pid"], signal.SIGKILL)
    for thread in threads:
        thread.join(2 * PATIENCE_S)
    for widget in widgets:
        # Also those whose last reply was cut go on.
        widget.feed(np.zeros(CHUNK_SAMPLES, np.float32), 16_000)
    told = [event for widget in widgets for event in events(widget.record) if isinstance(event, Notice)]
    assert sum(notice.kind == "context_rebuilt" for notice in told) == victim["health"]["taken"]
    assert not [notice for notice in told if notice.kind in ("context_reset", "undecided", "lost_blocks")]
    cut = [e for widget in widgets for e in events(widget.record) if isinstance(e, Turn) and e.ended == "interrupted"]
    assert len(cut) == sum(notice.kind == "server_changed" for notice in told)
    for place, widget in enumerate(widgets):
        assert widget.error is None
        widget.record.save(tmp_path / f"{place}.aiw")
        record = aiw.SessionRecord.load(tmp_path / f"{place}.aiw")
        assert len(record.audio) == len(TALKS[place]) + CHUNK_SAMPLES
        check_whole(record)
        check_reproduced(record, toy)
        widget.close()


def test_what_clients_do_changes_nothing_for_the_others(running: tuple[Any, Reached], toy: Model) -> None:
    made, served = running
    until(lambda: len(made.told()) == 2)
    with pytest.raises(InvalidStatus) as refused:
        connect(served.address, additional_headers={"Authorization": "Bearer wrong"})
    assert refused.value.response.status_code == 401
    hostile, silent, large, good = (Learner(served, place, str(place)) for place in range(4))
    good.set(seed=2, **SETTINGS)
    large.hear("welcome")
    large.socket.send(b"\0" * 3_000_000)
    # This one never takes what it is sent.
    speak(silent, SOUNDS[0])
    for frame in test_serve_limits.TestHostile.FRAMES:
        hostile.socket.send(frame)
    for _ in range(300):
        hostile.send({"type": "interrupt"})
    speak(good, SOUNDS[2])
    assert facts(good.until(decided(chunks_of(SOUNDS[2])))) == alone(toy, SOUNDS[2], 2)
    assert hostile.hear("problem")["code"] == "message"
    assert large.until_closed() == 1009
    for learner in (hostile, silent, good):
        learner.socket.close()


def test_a_client_that_vanishes_frees_its_place(running: tuple[Any, Reached]) -> None:
    made, served = running
    until(lambda: len(made.told()) == 2)
    learners: list[Learner] = []
    while len(learners) < 2 * PLACES:
        learner = Learner(served, len(learners) // 2, f"page {len(learners)}")
        if learner.take()["type"] == "welcome":
            learners.append(learner)
    late = Learner(served, 3, "late")
    assert late.hear("problem")["code"] == "busy"
    with urlopen(pages_of(served.address) + "/health") as answer:
        assert json.load(answer) == {"status": "ok", "places": 6, "taken": 6, "replicas": 2}
    with urlopen(pages_of(served.address) + "/metrics") as answer:
        page = answer.read().decode()
    assert page.count("ai_widgets_places_taken{replica=") == 2
    assert not any(name in page or served.tokens.by_name[name] in page for name in served.names)
    learners[0].vanish()
    until(lambda: Learner(served, 3, "late").take()["type"] == "welcome")
    for client in served.clients:
        client.close()


def test_the_command_serves_replicas_until_sigterm(ray: Any, toy_folder: Path, tmp_path: Path) -> None:
    port, file, told = free_port(), tmp_path / "tokens", []

    def learn() -> None:
        try:
            until(lambda: answers(port))
            token = file.read_text().splitlines()[1].split()[1]
            learner = Learner(Reached(f"ws://127.0.0.1:{port}/session", Tokens({"ada": token})))
            learner.hear("welcome")
            os.kill(os.getpid(), signal.SIGTERM)
            told.append((learner.until_closed(), learner.told[-1]["code"]))
        except (AssertionError, ConnectionClosed):
            os.kill(os.getpid(), signal.SIGTERM)

    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    thread = Thread(target=learn)
    thread.start()
    command = ["serve", "--ray", "local", "--replicas", "1:2", "--checkpoint", str(toy_folder), "--device", "cpu"]
    try:
        assert main([*command, "--port", str(port), "--token-file", str(file), "--drain", "1"]) == 0
    finally:
        thread.join()
        for each, handler in before.items():
            signal.signal(each, handler)
    assert told == [(1001, "draining")]


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health") as answer:
            return bool(json.load(answer)["replicas"])
    except (URLError, ValueError, OSError):
        return False


class TestRefused:
    @pytest.mark.parametrize(("text", "both"), [("3", (3, 3)), ("1:4", (1, 4)), (None, (1, 1))])
    def test_replicas_are_a_number_or_a_range(self, text: str | None, both: tuple[int, int]) -> None:
        assert replicas_of(text, "local") == both

    @pytest.mark.parametrize("text", ["0", "4:1", "x", "1:2:3", "", "1:", "-1:2"])
    def test_other_texts_are_a_sentence(self, text: str) -> None:
        with pytest.raises(SettingError, match="--replicas"):
            replicas_of(text, "local")

    def test_replicas_need_a_cluster(self) -> None:
        with pytest.raises(SettingError, match="--ray"):
            replicas_of("2", None)

    def test_a_cluster_without_room_is_a_sentence(self, ray: Any) -> None:
        from ai_widgets.serve.on_ray import RayClass

        with pytest.raises(SettingError, match="has room for"):
            RayClass(ray, AlwaysFails, Tokens.generate(1), replicas=(500, 500), places=1)

    def test_a_model_that_cannot_be_loaded_is_a_sentence(self, ray: Any) -> None:
        from ai_widgets.serve.on_ray import RayClass

        with pytest.raises(ChildError, match="did not start"):
            RayClass(ray, AlwaysFails, Tokens.generate(1), replicas=(1, 1), places=1, port=free_port())


class AlwaysFails:
    def __init__(self) -> None:
        raise ValueError("no model here")


def test_digests_admit_the_same_learners_and_hold_no_token() -> None:
    tokens = Tokens.generate(2)
    name, token = next(iter(tokens.by_name.items()))
    digested = tokens.digested()
    assert digested.learner(f"Bearer {token}") == name
    assert digested.learner("Bearer x") is None
    assert not any(each in repr(vars(digested)) for each in tokens.by_name.values())
    assert np.array_equal(list(tokens.by_name), [name for name, _ in digested._digests])
