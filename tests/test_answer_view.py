"""`AnswerView` without a browser: requests of a page and of Python, refusals, and the state that its trait holds."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import ai_widgets as aiw
from ai_widgets.errors import AudioTooLongError, CheckpointError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.policies import Energy
from ai_widgets.session.answer import Answer
from ai_widgets.widget.answering.answer_view import AnswerView
from tests.page import PATIENCE, Comm

Build = Callable[..., AnswerView]


@pytest.fixture
def build(toy: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Views of the toy, whose comm keeps what is sent."""
    monkeypatch.setattr("comm.create_comm", Comm)
    made: list[AnswerView] = []

    def call(model: Any = toy, **options: Any) -> AnswerView:
        made.append(AnswerView(model, **{"greedy": True, "max_tokens": 12, **options}))
        return made[-1]

    yield call
    for view in made:
        view.close()


def states(view: AnswerView) -> list[dict[str, Any]]:
    """The values of the trait that were sent, in order."""
    with view.comm.changed:
        data = [message["data"] for message in view.comm.sent if message["msg_type"] == "comm_msg"]
    updates = [each["state"] for each in data if each["method"] == "update"]
    return [update["answer"] for update in updates if "answer" in update]


def until(view: AnswerView, condition: Callable[[], bool]) -> None:
    with view.comm.changed:
        assert view.comm.changed.wait_for(condition, PATIENCE), view.answer


def post(view: AnswerView, content: object) -> None:
    view.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def settled(view: AnswerView) -> dict[str, Any]:
    """The state after an answer has ended."""
    until(view, lambda: view.answer["state"] in ("done", "failed"))
    shown: dict[str, Any] = view.answer
    return shown


class TestFromAPage:
    def test_a_clip_is_answered_token_by_token(self, build: Build, toy: Model) -> None:
        view = build()
        post(view, {"type": "ask", "clip": "digit", "text": "What was said?"})
        shown = settled(view)
        expected = toy.answer("clip:digit", "What was said?", greedy=True, max_tokens=12)
        assert (shown["state"], shown["heard"], shown["asked"]) == ("done", "clip:digit", "What was said?")
        assert [token["token"] for token in shown["tokens"]] == [token.token for token in expected]
        assert [token["p"] for token in shown["tokens"]] == pytest.approx([token.p for token in expected.tokens])
        assert shown["ended"] == expected.ended
        running = [state for state in states(view) if state["state"] == "running"]
        assert len(running[0]["tokens"]) == 0
        assert any(state["tokens"] for state in running)

    def test_a_file_of_the_page(self, build: Build, tmp_path: Path, toy: Model) -> None:
        soundfile.write(tmp_path / "a.flac", aiw.clips.rain.samples(), 16_000)
        data = base64.b64encode((tmp_path / "a.flac").read_bytes()).decode("ascii")
        view = build()
        post(view, {"type": "ask", "name": "a.flac", "data": data})
        shown = settled(view)
        expected = toy.answer("clip:rain", greedy=True, max_tokens=12)
        assert [token["token"] for token in shown["tokens"]] == [token.token for token in expected]
        assert shown["heard"] == "a.flac"

    def test_a_file_that_is_too_long_is_refused_with_what_to_do(self, build: Build, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.flac", np.zeros(30 * 8_000, np.float32), 8_000)
        view = build()
        data = base64.b64encode((tmp_path / "a.flac").read_bytes()).decode("ascii")
        post(view, {"type": "ask", "name": "a.flac", "data": data})
        shown = settled(view)
        assert shown["state"] == "failed"
        assert "at most 20 s. Answer it in parts" in shown["problem"]
        post(view, {"type": "ask", "clip": "digit"})
        until(view, lambda: view.answer["state"] == "done")
        assert view.answer["problem"] == ""

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"type": "ask", "clip": "none"}, "There is no clip 'none'"),
            ({"type": "ask", "name": "a.wav", "data": "***"}, "no base64"),
            ({"type": "ask"}, "A file must have from 1 to"),
            ({"type": "ask", "clip": 7}, "was refused"),
            ({"type": "ask", "clip": "rain", "text": "x" * 5_000}, "was refused"),
            ({"type": "dance"}, "was refused"),
            ("no message", "was refused"),
            (None, "was refused"),
        ],
    )
    def test_a_bad_message_is_answered_and_changes_nothing(self, build: Build, content: object, words: str) -> None:
        view = build()
        until(view, lambda: view.answer["state"] == "ready")
        post(view, content)
        assert words in view.answer["problem"]
        assert view.answer["state"] == "ready"

    def test_the_page_cannot_change_what_the_kernel_shows(self, build: Build) -> None:
        view = build()
        until(view, lambda: view.answer["state"] == "ready")
        update = {"method": "update", "state": {"answer": {"state": "done"}}}
        view.comm.handle_msg({"content": {"data": update}, "buffers": []})
        assert view.answer["state"] == "ready"


class TestOneAnswerAtATime:
    @pytest.fixture
    def held(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
        """Answers that give one token and then wait for the event."""
        go, draw = threading.Event(), Answer.__next__

        def next_token(answer: Answer) -> Any:
            if answer.tokens:
                assert go.wait(PATIENCE)
            return draw(answer)

        monkeypatch.setattr(Answer, "__next__", next_token)
        yield go
        go.set()

    def test_a_second_request_is_refused_until_the_first_has_ended(self, build: Build, held: threading.Event) -> None:
        view = build(temperature=50.0, top_k=0, greedy=False)
        post(view, {"type": "ask", "clip": "digit"})
        until(view, lambda: len(view.answer["tokens"]) == 1)
        post(view, {"type": "ask", "clip": "rain"})
        assert view.answer["problem"] == "An answer is being drawn; wait for its end, or press Stop."
        with pytest.raises(SessionError, match="An answer is being drawn"):
            view.ask("clip:rain")
        held.set()
        until(view, lambda: view.answer["state"] == "done")
        assert view.ask("clip:rain").tokens

    def test_stop_ends_it_and_keeps_what_was_drawn(self, build: Build, held: threading.Event) -> None:
        view = build(temperature=50.0, top_k=0, greedy=False)
        post(view, {"type": "ask", "clip": "digit"})
        until(view, lambda: len(view.answer["tokens"]) == 1)
        post(view, {"type": "cancel"})
        held.set()
        shown = settled(view)
        assert shown["ended"] == "interrupted"
        assert 1 <= len(shown["tokens"]) <= 2


class TestFromPython:
    def test_it_shows_and_returns_the_answer(self, build: Build) -> None:
        view = build()
        answer = view.ask("clip:digit", "What was said?")
        assert answer.ended is not None
        assert view.answer["state"] == "done"
        assert len(view.answer["tokens"]) == len(answer.tokens)
        assert view.ask(np.zeros(8_000, np.float32), rate=8_000).prompt
        assert view.answer["heard"] == "samples"

    def test_what_fails_is_raised_and_shown(self, build: Build) -> None:
        view = build()
        with pytest.raises(AudioTooLongError):
            view.ask(np.zeros(21 * 16_000, np.float32))
        assert view.answer["state"] == "failed"
        assert "at most 20 s" in view.answer["problem"]

    def test_a_checkpoint_that_does_not_load(self, build: Build) -> None:
        view = build("no/such/checkpoint")
        until(view, lambda: view.answer["state"] == "failed")
        assert "There is no checkpoint" in view.answer["problem"]
        with pytest.raises(CheckpointError):
            view.ask("clip:digit")

    def test_a_policy_has_no_offline_tasks(self, build: Build) -> None:
        with pytest.raises(SessionError, match="no offline tasks"):
            build(Energy(), greedy=False).ask("clip:digit")

    def test_an_unknown_setting(self, build: Build) -> None:
        with pytest.raises(SettingError, match="There is no setting 'biass'"):
            build(biass=1.0)

    def test_tiny_says_that_it_has_not_learnt_this(self, build: Build) -> None:
        view = build("tiny", device="cpu")
        view.ask("clip:digit", "Transcribe the audio.")
        assert "tiny was not trained to transcribe" in view.answer["notes"][0]


def test_in_colab_the_answer_is_drawn_while_the_message_is_handled(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = build()
    until(view, lambda: view.answer["state"] == "ready")
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    post(view, {"type": "ask", "clip": "digit"})
    assert view.answer["state"] == "done"
