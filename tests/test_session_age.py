"""Old sessions hear as well as young ones: the embedded checkpoint on generated events, minute after minute."""

from __future__ import annotations

import numpy as np
import pytest

from ai_widgets.cli import main as cli
from ai_widgets.cli.bench import speed as bench
from ai_widgets.cli.bench.generated_events import EVENTS, minute
from ai_widgets.cli.bench.session_age import MINUTES, holds, replies_by_minute
from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import CHUNK_SAMPLES
from ai_widgets.settings import SLIDE_POSITIONS

ANSWERED = EVENTS - 1
"""Fewest events that a young session answers: the embedded checkpoint answers all, and one may fall to the draws."""


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny", "cpu")


def test_the_fifth_minute_is_answered_as_the_first(tiny: Model) -> None:
    """By default, with the checkpoint's own sampling, as the widget, Python and the command line open a session."""
    counts = replies_by_minute(tiny)
    assert len(counts) == MINUTES == 5
    assert counts[0] >= ANSWERED, "a young session answers most of them"
    assert holds(counts), counts


def test_a_minute_of_context_is_what_it_cannot_stand(tiny: Model) -> None:
    """The same session with the positions that were the default before: the check sees what it is made to see."""
    counts = replies_by_minute(tiny, minutes=3, greedy=True, context_limit=SLIDE_POSITIONS)
    assert counts[0] >= ANSWERED
    assert not holds(counts), counts


def test_bench_says_it_and_fails_where_it_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for counts, code, verdict in (
        ([12, 12, 11], 0, "yes"),
        ([12, 8, 7], 1, "no: more than 10% fewer replies"),
        ([0, 0, 0], 0, "not known"),
    ):
        monkeypatch.setattr(bench, "replies_by_minute", lambda _, counts=counts: counts)
        assert cli.main(["bench", "--age", "--device", "cpu"]) == code
        words = capsys.readouterr().out
        assert ", ".join(map(str, counts)) in words
        assert verdict in words


def test_the_recording_is_the_same_everywhere() -> None:
    one, two = minute(), minute()
    np.testing.assert_array_equal(one, two)
    assert (one.dtype, len(one) % CHUNK_SAMPLES, len(one)) == (np.float32, 0, 960_000)
    assert 0.15 < np.abs(one).max() < 0.25


@pytest.mark.parametrize(("counts", "fits"), [([12, 3, 12], True), ([12, 12, 11], True), ([12, 12, 10], False)])
def test_one_of_twelve_may_be_missing(counts: list[int], fits: bool) -> None:
    assert holds(counts) is fits
