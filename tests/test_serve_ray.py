"""A class on two replicas of Ray Serve, on a Ray of this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import ai_widgets as aiw
from ai_widgets.cli.serve import replicas_of
from ai_widgets.errors import ChildError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Notice, Token, Turn
from ai_widgets.serve.metrics import Metrics
from ai_widgets.serve.on_ray import RayClass, joined
from ai_widgets.serve.tokens import Tokens
from ai_widgets.widget.app import AudioInteraction
from tests import test_serve_limits
from tests.class_server import PATIENCE_S, Learner, Reached
from tests.learners import SETTINGS, SOUNDS, alone, chunks_of, decided, facts, speak
from tests.server_process import free_port
from tests.signals import babble
from tests.whole_records import check_reproduced, check_whole, events

PLACES = 3
TALKS = [babble(2.0, seed) for seed in range(3)]
LONG = {"bias": 9.0, "max_reply_tokens": 200, "temperature": 1.0, "context_limit": 2000}
"""Settings of learners who are nearly always in a reply."""


def until(holds: Callable[[], bool]) -> None:
    """Look again and again: other processes tell nothing by themselves."""
    end = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < end
        sleep(0.002)


class Command(Reached):
    """`ai-widgets serve --ray local` in a process of its own, and what it serves."""

    def __init__(self, process: subprocess.Popen[str], address: str, tokens: Tokens) -> None:
        super().__init__(address, tokens)
        self.process = process

    def page(self, name: str) -> str:
        with urlopen(self.address.replace("ws://", "http://").replace("/session", f"/{name}")) as answer:
            return str(answer.read().decode())

    @property
    def taken(self) -> dict[int, int]:
        """Places taken, by process of a replica."""
        found = re.findall(r'^ai_widgets_places_taken{replica="(\d+)"} (\d+)', self.page("metrics"), re.MULTILINE)
        return {int(process): int(taken) for process, taken in found}


@pytest.fixture(scope="module")
def served(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Two replicas with three places each, for four learners."""
    pytest.importorskip("ray.serve")
    file, port = tmp_path_factory.mktemp("class") / "tokens", free_port()
    options = ["--replicas", "2", "--places", str(PLACES), "--learners", "4", "--drain", "1"]
    options += ["--checkpoint", str(toy_folder), "--device", "cpu", "--port", str(port), "--token-file", str(file)]
    with subprocess.Popen(
        [sys.executable, "-m", "ai_widgets.cli.main", "serve", "--ray", "local", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "Learners connect" in line)
        address = re.search(r"ws://[^\"]+", line)
        assert address is not None
        command = Command(process, address[0], Tokens.read(file))
        yield command
        command.leave()
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def replying(widget: AudioInteraction) -> bool:
    """Whether the newest event is a token of a reply."""
    return isinstance(widget.record.since(len(widget.record) - 1)[0], Token)


def test_a_replica_that_is_killed_costs_no_record_anything(served: Command, toy: Model, tmp_path: Path) -> None:
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
    (*_, (victim, moved)) = sorted(served.taken.items(), key=lambda each: each[1])
    # In mid-reply, if one is in progress: how fast each learner's talk is answered differs from run to run.
    until(lambda: any(map(replying, widgets)) or not any(thread.is_alive() for thread in threads))
    os.kill(victim, signal.SIGKILL)
    for thread in threads:
        thread.join(2 * PATIENCE_S)
    for widget in widgets:
        # Also those whose last reply was cut go on.
        widget.feed(np.zeros(CHUNK_SAMPLES, np.float32), 16_000)
    told = [event for widget in widgets for event in events(widget.record) if isinstance(event, Notice)]
    assert sum(notice.kind == "context_rebuilt" for notice in told) == moved
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


def test_what_clients_do_changes_nothing_for_the_others(served: Command, toy: Model) -> None:
    until(lambda: len(served.taken) == 2)
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


def test_a_client_that_vanishes_frees_its_place(served: Command) -> None:
    until(lambda: len(served.taken) == 2)
    learners: list[Learner] = []
    while len(learners) < 2 * PLACES:
        learner = Learner(served, len(learners) // 2, f"page {len(learners)}")
        if learner.take()["type"] == "welcome":
            learners.append(learner)
    late = Learner(served, 3, "late")
    assert late.hear("problem")["code"] == "busy"
    assert json.loads(served.page("health")) == {"status": "ok", "places": 6, "taken": 6, "replicas": 2}
    page = served.page("metrics")
    assert page.count("ai_widgets_places_taken{replica=") == 2
    assert not any(name in page or served.tokens.by_name[name] in page for name in served.names)
    learners[0].vanish()
    until(lambda: Learner(served, 3, "late").take()["type"] == "welcome")
    for client in served.clients:
        client.close()


def test_a_signal_ends_the_command_after_its_clients_were_told(served: Command) -> None:
    learner = Learner(served, 0, "last")
    learner.hear("welcome")
    served.process.terminate()
    assert learner.until_closed() == 1001
    assert learner.told[-1]["code"] == "draining"
    assert served.process.wait(PATIENCE_S) == 0


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

    def test_a_cluster_without_room_is_a_sentence(self) -> None:
        with pytest.raises(SettingError, match="the cluster has room for 2"):
            RayClass(Cluster(), list, Tokens.generate(1), replicas=(3, 4), places=1)  # type: ignore[arg-type]

    def test_a_model_that_cannot_be_loaded_is_a_sentence_and_leaves_nothing(self) -> None:
        cluster = Cluster()
        with pytest.raises(ChildError, match="did not start: no model here"):
            RayClass(cluster, list, Tokens.generate(1), replicas=(1, 1), places=1)  # type: ignore[arg-type]
        assert cluster.serve.deleted == ["ai_widgets-class"]


class Cluster:
    """Ray with two cores, whose replicas fail."""

    def __init__(self) -> None:
        self.serve, self.exceptions = FailingServe(), SimpleNamespace(RayError=OSError)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


class FailingServe:
    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.exceptions = SimpleNamespace(RayServeException=OSError)

    def deployment(self, **_: Any) -> Any:
        return lambda _: SimpleNamespace(bind=lambda *_: None)

    def ingress(self) -> Any:
        return lambda replica: replica

    def start(self, **_: Any) -> None: ...

    def run(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("Traceback\n  no model here\n")

    def delete(self, name: str) -> None:
        self.deleted.append(name)


def test_figures_of_replicas_are_joined_under_their_names() -> None:
    metrics = Metrics()
    metrics.measured(0.1, 2)
    page = joined({"7": metrics.page(3, []), "8": metrics.page(3, [])}).decode()
    names = [line.split("{")[0] for line in page.splitlines() if not line.startswith("#")]
    assert page.count("# TYPE ai_widgets_round_seconds histogram") == 1
    assert 'ai_widgets_round_seconds_bucket{le="0.1",replica="8"} 1.0' in page
    assert names.count("ai_widgets_places") == 2


def test_digests_admit_the_same_learners_and_hold_no_token() -> None:
    tokens = Tokens.generate(2)
    name, token = next(iter(tokens.by_name.items()))
    digested = tokens.digested()
    assert digested.learner(f"Bearer {token}") == name
    assert digested.learner("Bearer x") is None
    assert not any(each in repr(vars(digested)) for each in tokens.by_name.values())
    assert np.array_equal(list(tokens.by_name), [name for name, _ in digested._digests])
