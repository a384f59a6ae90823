"""Branches of a widget: forks of its session that run beside it, and what pages are told of them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from threading import Event as Flag
from typing import Any

import pytest

from ai_widgets.errors import AudioError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.policies import Energy
from ai_widgets.protocol import Chunk, Decision, Event, Notice
from ai_widgets.record.record import SessionRecord
from ai_widgets.widget.branches.branch import Branch
from ai_widgets.widget.branches.branches import MAX_BRANCHES
from tests.page import PATIENCE, Build, Page, settled
from tests.scripted import Fed, scripted, spell
from tests.test_fork import chunks, story

CHANGES: dict[str, dict[str, Any]] = {
    "settings": {"bias": 1000.0},
    "a forced decision": {"force": "TEXT_BEGIN"},
    "a muted chunk": {"audio": {4: None}},
    "nothing": {},
}


@pytest.fixture
def heard(build: Build) -> Page:
    """A widget that has heard ten chunks."""
    page = build(alternatives=0, max_reply_tokens=4)
    page.widget.feed(chunks(10), 16_000)
    return page


def branch_of(page: Page, request: int) -> int:
    """Number of the branch that a page's request made."""
    page.until(lambda: any(state["request"] == request for state in page.of("branch")))
    return next(int(state["branch"]) for state in page.of("branch") if state["request"] == request)


def ended(page: Page, number: int) -> dict[str, Any]:
    """State of a branch after its end."""
    known = ("done", "failed", "cancelled", "dropped")
    found: list[dict[str, Any]] = []

    def last() -> bool:
        found[:] = [each for each in page.of("branch") if each["branch"] == number and each["state"] in known]
        return bool(found)

    page.until(last)
    return found[0]


def events_of(page: Page, number: int) -> list[Event]:
    """Events of a branch as a page gathers them."""
    gathered: list[dict[str, Any]] = []
    for message in page.of("branch_events"):
        if message["branch"] == number:
            assert message["first"] <= len(gathered), "a gap in the events of a branch"
            gathered[message["first"] :] = message["events"]
    return [Event.from_json(values) for values in gathered]


class TestAFork:
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_of_a_widget_decides_as_the_fork_of_its_session(self, heard: Page, change: dict[str, Any]) -> None:
        session = heard.widget._channel.presenter.pipeline._running.session
        assert session is not None
        fork = session.fork(4, **change)
        fork.run_on()
        branch = heard.widget.fork(4, **change)
        assert branch.wait(PATIENCE)
        assert branch.status == "done"
        assert story(branch.record.events) == story(fork.record.events)

    def test_reaches_pages_without_the_events_that_it_shares(self, heard: Page) -> None:
        heard.send({"type": "fork", "chunk": 4, "force": "TEXT_BEGIN", "request": 7})
        number = branch_of(heard, 7)
        state = ended(heard, number)
        branch = heard.widget.branches[0]
        assert events_of(heard, number) == branch.record.since(branch.shared)
        assert isinstance(events_of(heard, number)[0], Notice)
        assert {event.chunk for event in events_of(heard, number)} == set(range(4, 10))
        assert (state["chunk"], state["changed"], state["state"]) == (4, "TEXT_BEGIN forced", "done")

    def test_ends_behind_the_last_chunk_of_a_span(self, heard: Page) -> None:
        heard.send({"type": "fork", "chunk": 3, "until": 5, "settings": {"bias": 2.0}, "request": 8})
        number = branch_of(heard, 8)
        state = ended(heard, number)
        decided = [event.chunk for event in events_of(heard, number) if isinstance(event, Decision)]
        assert decided == [3, 4, 5]
        assert state["until"] == 5
        assert not [event for event in events_of(heard, number) if getattr(event, "kind", "") == "dropped"]

    def test_says_where_it_first_decides_or_speaks_otherwise(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, "......", [spell("hi")] * 9)
        page = build(model)
        page.widget.feed(chunks(6), 16_000)
        branch = page.widget.fork(2, force={4: "TEXT_BEGIN"})
        assert branch.wait(PATIENCE)
        difference = branch.first_difference
        assert difference is not None
        assert (difference.chunk, difference.event, difference.field) == (4, "decision", "choice")
        assert ended(page, 1)["differs_at"] == 4
        same = page.widget.fork(2)
        assert same.wait(PATIENCE)
        assert same.first_difference is None

    def test_leaves_the_session_as_it_was_and_both_go_on(self, build: Build) -> None:
        page, other = build(), build()
        page.widget.feed(chunks(6, 1), 16_000)
        other.widget.feed(chunks(6, 1), 16_000)
        branch = page.widget.fork(2, bias=3.0)
        page.widget.feed(chunks(6, 2), 16_000)
        other.widget.feed(chunks(6, 2), 16_000)
        assert branch.wait(PATIENCE)
        assert story(settled(page)) == story(settled(other))
        # The fork has heard what the session had heard by then: at least what came before it was asked for.
        heard = [event.chunk for event in branch.record.of_type(Decision)]
        assert heard == list(range(len(heard)))
        assert len(heard) >= 6

    def test_goes_back_behind_an_eviction_on_its_own_thread(
        self, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ai_widgets.session import rebuild

        threads: list[str] = []
        fed = rebuild._fed

        def watched(*given: Any) -> Any:
            threads.append(threading.current_thread().name)
            return fed(*given)

        monkeypatch.setattr(rebuild, "_fed", watched)
        page = build(context_limit=150, bias=1.0)
        page.widget.feed(chunks(14), 16_000)
        assert [event for event in page.widget.record.of_type(Notice) if event.kind == "context_slide"]
        branch = page.widget.fork(2)
        assert branch.wait(PATIENCE)
        assert branch.first_difference is None
        assert threads == ["ai_widgets branch"]

    def test_asked_for_within_a_reply_waits_for_its_end(self, build: Build, toy: Model) -> None:
        begun, reply = Flag(), Flag()
        page = build(held_in_its_reply(toy, begun, reply))
        page.widget.feed(chunks(3), 16_000, wait=False)
        assert begun.wait(PATIENCE)
        branch = page.widget.fork(0, force="KEEP_SILENCE")
        assert not branch.done
        reply.set()
        assert branch.wait(PATIENCE)
        assert branch.record.decisions["choice"].iloc[0] == "KEEP_SILENCE"


def held_in_its_reply(toy: Model, begun: Flag, goes_on: Flag) -> Model:
    """A model that sets a flag in its first reply, and waits there for another."""

    def hold(fed: Fed) -> None:
        if threading.current_thread().name == "ai_widgets decode" and fed.frames is None and len(fed.tokens) == 1:
            begun.set()
            assert goes_on.wait(PATIENCE)

    return scripted(toy, "T..", [spell("hello")], hold)[0]


class TestTheEnd:
    def test_a_branch_is_cancelled_and_its_record_stays(self, heard: Page) -> None:
        stepped = Flag()
        branch = held_after_first(heard, stepped)
        branch.cancel()
        stepped.set()
        assert branch.wait(PATIENCE)
        assert branch.status == "cancelled"
        assert ended(heard, branch.number)["state"] == "cancelled"
        assert len(branch.record.of_type(Decision)) < 10
        assert [notice for notice in branch.record.of_type(Notice) if notice.kind == "dropped"]

    def test_one_that_waits_is_cancelled_at_once(self, heard: Page) -> None:
        stepped = Flag()
        held_after_first(heard, stepped)
        waits = heard.widget.fork(1)
        waits.cancel()
        assert waits.wait(0.0)
        stepped.set()
        assert waits.status == "cancelled"

    def test_closing_the_widget_ends_branches_and_their_thread(self, heard: Page) -> None:
        stepped = Flag()
        branch = held_after_first(heard, stepped)
        stepped.set()
        heard.widget.close()
        assert branch.done
        assert "ai_widgets branch" not in {thread.name for thread in threading.enumerate()}
        with pytest.raises(SessionError, match="widget is closed"):
            heard.widget.fork(3)

    def test_a_new_session_has_no_branches(self, heard: Page) -> None:
        branch = heard.widget.fork(3)
        heard.widget.reset()
        assert branch.wait(PATIENCE)
        assert heard.widget.branches == ()
        with pytest.raises(SessionError, match="Nothing was heard yet"):
            heard.widget.fork(0)

    def test_a_process_that_ends_within_a_branch_ends_in_order(self) -> None:
        code = (
            "import numpy as np, ai_widgets as aiw\n"
            "w = aiw.AudioInteraction('tiny')\n"
            "w.feed(np.zeros(6400 * 20, np.float32), 16_000)\n"
            "w.fork(0, bias=1000.0)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert not done.stderr

    def test_a_page_drops_a_branch(self, heard: Page) -> None:
        branch = heard.widget.fork(3)
        heard.send({"type": "drop_branch", "branch": branch.number})
        heard.send({"type": "drop_branch", "branch": 99})
        heard.until(lambda: any(state["state"] == "dropped" for state in heard.of("branch")))
        assert heard.widget.branches == ()
        assert branch.wait(PATIENCE)


def held_after_first(page: Page, flag: Flag) -> Branch:
    """A branch that waits for a flag after its first event."""
    pipeline = page.widget._channel.presenter.pipeline
    wait: Callable[..., bool] = pipeline.wait
    begun = Flag()

    def held(timeout: float | None = None) -> bool:
        if threading.current_thread().name == "ai_widgets branch":
            begun.set()
            assert flag.wait(PATIENCE)
        return wait(timeout)

    pipeline.wait = held  # type: ignore[method-assign]
    branch = page.widget.fork(0)
    assert begun.wait(PATIENCE)
    return branch


class TestLimits:
    def test_the_oldest_branch_gives_way_with_a_sentence(self, heard: Page) -> None:
        made = [heard.widget.fork(at) for at in range(MAX_BRANCHES + 1)]
        assert [branch.number for branch in heard.widget.branches] == [2, 3, 4, 5]
        assert made[0].wait(PATIENCE)
        heard.until(lambda: bool(heard.problems()))
        assert [problem["code"] for problem in heard.of("problem")] == ["branch_closed"]
        assert heard.problems() == ["Branch 1 (chunk 0) was closed: at most 4 branches are kept."]
        heard.until(lambda: any((state["branch"], state["state"]) == (1, "dropped") for state in heard.of("branch")))

    def test_a_page_that_asks_without_end_is_refused(self, heard: Page) -> None:
        for _ in range(20):
            heard.send({"type": "fork", "chunk": 1})
        assert "Too many forks at once; wait for those that run." in heard.problems()
        assert len(heard.widget.branches) == MAX_BRANCHES

    @pytest.mark.parametrize(
        ("asked", "error", "sentence"),
        [
            ({"chunk": 11}, SessionError, "A fork begins at a chunk from 0 to 10"),
            ({"chunk": 5, "until": 4}, SessionError, "A fork at chunk 5 cannot end at chunk 4, before it."),
            ({"chunk": 5, "bias": "loud"}, SettingError, "bias"),
            ({"chunk": 5, "warmth": 1}, SettingError, "warmth"),
            ({"chunk": 5, "force": "SHOUT"}, SettingError, "force must be one of TEXT_BEGIN, KEEP_SILENCE"),
            ({"chunk": 5, "audio": {2: None}}, SessionError, "audio names chunk 2"),
            ({"chunk": 5, "audio": {6: [float("nan")] * 9000}}, AudioError, "6400"),
        ],
    )
    def test_what_is_not_possible_is_a_sentence_and_makes_no_branch(
        self, heard: Page, asked: dict[str, Any], error: type[Exception], sentence: str
    ) -> None:
        with pytest.raises(error, match=sentence):
            heard.widget.fork(**asked)
        assert heard.widget.branches == ()

    def test_a_page_gets_the_sentence_of_a_refusal(self, heard: Page) -> None:
        heard.send({"type": "fork", "chunk": 11})
        heard.send({"type": "fork", "chunk": 2, "settings": {"warmth": 1}})
        heard.send({"type": "fork", "chunk": 2, "force": "SHOUT"})
        first, second, third = heard.problems()
        assert "from 0 to 10" in first
        assert "warmth" in second
        assert "force" in third

    def test_a_recording_in_place_of_the_session_is_not_forked_and_has_no_lanes(self, heard: Page) -> None:
        branch = heard.widget.fork(2)
        assert branch.wait(PATIENCE)
        ended(heard, 1)
        presenter = heard.widget._channel.presenter
        presenter.show_record(SessionRecord())
        before = len(heard.of("branch"))
        with pytest.raises(SessionError, match="A recording is shown"):
            heard.widget.fork(1)
        assert len(heard.of("branch")) == before
        presenter.show_record(None)
        assert [state["state"] for state in heard.of("branch")[before:]] == ["queued", "done"]

    def test_a_policy_has_nothing_to_fork(self, build: Build) -> None:
        page = build(Energy())
        page.widget.feed(chunks(3), 16_000)
        with pytest.raises(SessionError, match="A policy has no context to fork"):
            page.widget.fork(1)

    def test_a_state_that_is_no_longer_kept_is_told_by_the_branch(
        self, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ai_widgets.session import marks

        monkeypatch.setattr(marks, "MOST", 3)
        page = build()
        page.widget.feed(chunks(9), 16_000)
        branch = page.widget.fork(2)
        with pytest.raises(SessionError, match="out of reach"):
            branch.wait(PATIENCE)
        assert "out of reach" in ended(page, 1)["message"]
        page.widget.feed(chunks(1), 16_000)


class TestAPage:
    def test_that_comes_later_is_told_all_branches(self, heard: Page) -> None:
        branch = heard.widget.fork(4, bias=1.0)
        assert branch.wait(PATIENCE)
        ended(heard, 1)
        later = Page(heard.widget, "two")
        before = len(heard.received)
        later.hello()
        told = [message for message in heard.received[before:] if message["type"].startswith("branch")]
        assert [message["type"] for message in told] == ["branch", "branch_events", "branch"]
        assert [message["state"] for message in told if message["type"] == "branch"] == ["queued", "done"]
        assert told[1]["first"] == 0

    def test_that_polls_gets_all_events_of_a_branch(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "google.colab", sys)
        monkeypatch.setattr(Page, "until", lambda *_: None)
        page = build()
        page.widget.model  # noqa: B018
        page.widget.feed(chunks(6), 16_000)
        branch = page.widget.fork(1)
        assert branch.wait(PATIENCE)
        assert not page.of("branch")
        page.send({"type": "poll"})
        assert page.of("branch")[-1]["state"] == "done"
        assert events_of(page, 1) == branch.record.since(branch.shared)

    def test_batches_are_bounded(self, heard: Page, monkeypatch: pytest.MonkeyPatch) -> None:
        from ai_widgets.widget.branches import branches

        monkeypatch.setattr(branches, "MAX_BATCH", 3)
        branch = heard.widget.fork(0)
        assert branch.wait(PATIENCE)
        ended(heard, 1)
        assert max(len(message["events"]) for message in heard.of("branch_events")) == 3
        assert events_of(heard, 1) == branch.record.since(branch.shared)


def test_the_audio_of_a_fork_is_the_originals(heard: Page) -> None:
    branch = heard.widget.fork(4, audio={5: None})
    assert branch.wait(PATIENCE)
    muted = [event for event in branch.record.of_type(Chunk) if not any(event.envelope)]
    assert [event.chunk for event in muted] == [5]
    assert (branch.record.chunk_audio(7) == heard.widget.record.chunk_audio(7)).all()
