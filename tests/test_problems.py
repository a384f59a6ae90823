"""Problems on their way to a page: repeats are coalesced and counted, and the newest of each kind always arrives."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.inference import Model
from ai_widgets.protocol import Notice
from ai_widgets.widget.wire import outgoing
from ai_widgets.widget.wire.budget import Budget
from ai_widgets.widget.wire.problems import BURST, MOST_KINDS, PROBLEM_SECONDS, Problems
from tests.page import Build, Page, settled, silence
from tests.scripted import scripted


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def later(problems: Problems, clock: Clock) -> list[dict[str, Any]]:
    """All that is told when time passes and nothing more happens."""
    told = problems.take()
    while (wait := problems.wait) is not None:
        clock.now += wait
        taken = problems.take()
        assert taken, "after the time that `wait` gave, something is due"
        told += taken
    return told


SECOND = st.floats(0, 3)
PROBLEM = st.tuples(
    st.sampled_from(["message", "gap", "overload", "model"]),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(["", "page-1", "page-2"]),
)


@given(st.lists(st.tuples(PROBLEM, SECOND), max_size=200))
def test_any_sequence_of_problems(sequence: list[tuple[tuple[str, str, str], float]]) -> None:
    """The rate is bounded, every problem is counted, and the last one of each kind is the last that is told of it."""
    clock = Clock()
    problems, told, begin = Problems(clock), [], clock.now
    last: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for (code, sentence, page), seconds in sequence:
        clock.now += seconds
        problems.add(outgoing.problem(code, sentence, page=page))
        last[code, page] = sentence
        counts[code, page] += 1
        told += problems.take()
    told += later(problems, clock)
    for kind, sentence in last.items():
        of_kind = [message for message in told if (message["code"], message["page"]) == kind]
        assert of_kind[-1]["message"] == sentence
        assert sum(message["times"] for message in of_kind) == counts[kind]
        assert len(of_kind) <= BURST + (clock.now - begin) / PROBLEM_SECONDS + 1


def test_a_new_kind_is_told_at_once_however_many_there_were_of_another() -> None:
    problems = Problems(Clock())
    for number in range(1000):
        problems.add(outgoing.problem("message", f"Message {number} is none."))
        problems.take()
    problems.add(outgoing.problem("model", "The model failed."))
    assert [message["code"] for message in problems.take()] == ["model"]


def test_repeats_are_counted() -> None:
    clock = Clock()
    problems, told = Problems(clock), []
    for _ in range(100):
        problems.add(outgoing.problem("message", "No."))
        told += problems.take()
    told += later(problems, clock)
    assert [message["times"] for message in told] == [1] * BURST + [100 - BURST]


def test_kinds_that_are_quiet_are_forgotten() -> None:
    problems = Problems(Clock())
    for number in range(10 * MOST_KINDS):
        problems.add(outgoing.problem("busy_elsewhere", "Another page records.", page=f"page {number}"))
        assert len(problems.take()) == 1
    assert len(problems._budgets) == MOST_KINDS


def test_a_budget_refills() -> None:
    clock = Clock()
    budget = Budget(2, 10.0, clock)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    assert budget.wait == 10.0
    clock.now += 10.0
    assert [budget.spend(), budget.spend()] == [True, False]


class TestPage:
    def test_the_21st_refused_setting_is_answered(self, page: Page) -> None:
        """Each with its number and the name of the setting."""
        for number in range(1, 41):
            page.send({"type": "set", "changes": {"temperature": -1}, "request": number})
        answers = [problem for problem in page.of("problem") if problem["code"] == "setting"]
        assert [problem["request"] for problem in answers] == list(range(1, 41))
        assert {tuple(problem["names"]) for problem in answers} == {("temperature",)}

    def test_a_refusal_names_the_settings_it_is_about(self, page: Page) -> None:
        page.send({"type": "set", "changes": {"bias": 1.0, "top_p": 7}, "request": 1})
        page.send({"type": "set", "changes": {"bias": 1.0, "context_limit": 5}, "request": 2})
        page.send({"type": "set", "changes": {"arrival": "never"}, "request": 3})
        page.send({"type": "set", "changes": {"no_such_setting": 1}, "request": 4})
        page.send({"type": "set", "changes": "none", "request": 5})
        names = [(problem["code"], problem["request"], problem["names"]) for problem in page.of("problem")]
        expected = [["top_p"], ["context_limit"], ["arrival"], ["no_such_setting"], []]
        assert names == [("setting", number, each) for number, each in enumerate(expected, 1)]
        assert page.widget.settings["bias"] == 0.0

    def test_a_failure_arrives_after_any_number_of_problems(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, ".x", x=RuntimeError("out of memory"))
        page = build(model)
        page.hello()
        for number in range(100):
            page.send({"type": f"song {number}"})
        page.open()
        for _ in range(3):
            page.block(silence(1))
        page.until(lambda: "model" in [problem["code"] for problem in page.of("problem")])
        # A page that is opened now is told too.
        newcomer = Page(page.widget, "two")
        newcomer.hello()
        assert [problem["page"] for problem in newcomer.of("problem") if problem["code"] == "model"][-1] == "two"

    def test_in_pull_mode_no_state_is_crowded_out_by_answers(self, build: Build) -> None:
        page = build()
        outbox = page.widget._channel.presenter.outbox
        outbox.put(outgoing.loop("pause", "", -1, 0))
        for number in range(1000):
            outbox.put(outgoing.problem("setting", "No.", request=number + 1))
        outbox.put(outgoing.loop("run", "", -1, 0))
        outbox.put(outgoing.reset(2))
        kinds = Counter(message["type"] for message, _ in outbox._queued)
        assert (kinds["loop"], kinds["reset"], kinds["problem"]) == (1, 1, 200)


class TestQuiet:
    def test_a_page_that_is_gone_is_not_listened_to(self, page: Page) -> None:
        page.open()
        page.block(silence(1))
        settled(page)
        assert page.widget.state == "listening"
        stream = page.widget._channel.presenter.receiver.stream
        assert stream is not None
        stream.last -= 60
        page.widget._channel.look_at_stream()
        assert page.widget.state == "stopped"
        settled(page)
        notices = [notice.kind for notice in page.widget.record.of_type(Notice)]
        assert notices == ["stream", "stalled"]
        # A line that was cut and mended: what comes is heard.
        page.block(silence(1))
        settled(page)
        assert page.widget.state == "listening"
        assert len(page.widget.record.decisions) == 2

    def test_a_timer_looks_where_no_message_comes(self, page: Page) -> None:
        page.open()
        page.block(silence(1))
        assert page.widget._channel._alarm._timer is not None
        page.widget.close()
        assert page.widget._channel._alarm._timer is None
