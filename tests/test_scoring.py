"""Evaluation by hand: intervals, calibration, F1, and which reply answers what."""

from __future__ import annotations

import numpy as np
import pytest

from ai_widgets.evaluation import statistics
from ai_widgets.evaluation.scoring import Reply, Score, label_name, score
from ai_widgets.evaluation.statistics import Reliability
from ai_widgets.protocol import CHUNK_SAMPLES
from ai_widgets.training.corpus import DOG, SPEECH
from ai_widgets.training.labels import REPLY_OF_KIND, REPLY_SPEECH, Occasion, Segment, occasions
from ai_widgets.training.lexicon import word_label


def test_intervals_are_the_known_ones() -> None:
    eight = statistics.share(8, 10)
    assert (eight.value, eight.low, eight.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert statistics.share(0, 50).low == 0
    assert statistics.share(50, 50).high == pytest.approx(1)
    none, two = statistics.rate(0, 2.0), statistics.rate(2, 1.0)
    assert (none.value, none.low, none.high) == pytest.approx((0, 0, 3.6889 / 2), abs=1e-4)
    assert (two.low, two.high) == pytest.approx((0.2422, 7.2247), abs=1e-4)
    assert statistics.share(0, 0).to_json() == {"value": None, "low": None, "high": None}
    assert statistics.rate(0, 0).value is None


def test_the_bootstrap_holds_the_value_and_is_reproducible() -> None:
    values = list(np.random.default_rng(0).standard_normal(50))
    one, two = (statistics.bootstrap(values, lambda v: float(np.mean(v))) for _ in range(2))
    assert one == two
    assert None not in (one.low, one.value, one.high)
    assert one.low < np.mean(values) < one.high  # type: ignore[operator]
    assert statistics.bootstrap([3, 3], lambda v: float(v[0])).to_json() == {"value": 3, "low": 3, "high": 3}
    assert statistics.bootstrap([], lambda _: None).value is None


def test_calibration_by_hand() -> None:
    # 0.02 and 0.04, never: gap 0.03 on two. 0.95 twice, once true: gap 0.45 on two.
    some = Reliability.of([0.02, 0.04, 0.95, 0.95], [False, False, True, False])
    assert some.error() == pytest.approx((2 * 0.03 + 2 * 0.45) / 4)
    assert some.error(from_bin=1) == pytest.approx(0.45)
    both = Reliability.total([some, Reliability.of([1.0], [True])])
    assert both.error() == pytest.approx((0.06 + abs(1.9 + 1.0 - 2)) / 5)
    assert Reliability.of([], []).error() is None


def test_f1_by_hand() -> None:
    table = {"dog": {"dog": 3, "music": 1}, "music": {"music": 1, "no reply": 1}, "one": {"dog": 2}}
    assert statistics.f1(table, "dog") == pytest.approx(2 * 3 / (4 + 5))
    assert statistics.f1(table, "music") == pytest.approx(2 * 1 / (2 + 2))
    assert statistics.f1(table, "alarm") is None
    assert statistics.macro_f1(table, ["dog", "music", "alarm"]) == pytest.approx((6 / 9 + 0.5) / 2)


# Scores ---------------------------------------------------------------------------------------------------------------


def at(chunk: float) -> int:
    return round(chunk * CHUNK_SAMPLES)


def utterance(start: float, end: float, label: int = REPLY_SPEECH, due: int | None = None) -> Occasion:
    """In chunks; due two chunks after the one that holds the end."""
    end_chunk = (at(end) - 1) // CHUNK_SAMPLES
    return Occasion(at(start), at(end), SPEECH, label, end_chunk + 2 if due is None else due)


BARK = Occasion(at(20.5), at(24.5), DOG, REPLY_OF_KIND[DOG], 22)
SPOKEN = utterance(2.5, 6.5)


def marks(*chunks: int, occasions: tuple[Occasion, ...] = (SPOKEN,), label: int = REPLY_SPEECH) -> Score:
    return score("mixed", "mixed", 40, occasions, [Reply(chunk, label) for chunk in chunks])


@pytest.mark.parametrize("chunk", [6, 7, 8, 9])
def test_a_reply_within_three_chunks_of_the_end_answers(chunk: int) -> None:
    only = marks(chunk).outcomes[0]
    assert (only.latency, only.right, only.early, only.said) == (chunk - 6, True, False, "speech")


def test_every_other_reply_has_its_name() -> None:
    early = marks(4)
    assert (len(early.early), early.outcomes[0].early, early.outcomes[0].answer) == (1, True, None)
    both = marks(4, 8)
    assert (len(both.early), both.outcomes[0].early, both.outcomes[0].latency) == (1, True, 2)
    assert [len(marks(10).late), marks(10).outcomes[0].answer] == [1, None]
    assert [len(marks(8, 9).repeated), len(marks(8, 9).false)] == [1, 0]
    assert [r.chunk for r in marks(0, 8, 13).false] == [0, 13]


def test_sounds_are_answered_from_their_onset() -> None:
    dog = REPLY_OF_KIND[DOG]
    assert marks(20, occasions=(BARK,), label=dog).outcomes[0].latency == 0
    assert marks(25, occasions=(BARK,), label=dog).outcomes[0].latency == 5
    assert len(marks(26, occasions=(BARK,), label=dog).late) == 1
    wrong = marks(23, occasions=(BARK,)).outcomes[0]
    assert (wrong.right, wrong.said) == (False, "speech")


def test_of_two_open_occasions_the_one_that_is_named_is_answered() -> None:
    talk_over = utterance(19, 21.9, label=3)
    result = score("mixed", "mixed", 40, [talk_over, BARK], [Reply(22, REPLY_OF_KIND[DOG]), Reply(23, 3)])
    assert [o.right for o in result.outcomes] == [True, True]
    # Words about speech while somebody speaks are early, whatever else sounds.
    result = score("mixed", "mixed", 40, [utterance(19, 25), BARK], [Reply(22, REPLY_SPEECH)])
    assert (len(result.early), [o.answer for o in result.outcomes]) == (1, [None, None])


def test_what_is_due_after_the_end_is_not_scored() -> None:
    cut = utterance(36, 39, due=40)
    result = marks(39, occasions=(cut,))
    assert result.outcomes == []
    assert (result.false, result.late, result.early) == ([], [], [])


def test_chunks_where_waiting_and_replying_are_both_right_have_no_truth() -> None:
    # End chunk 6, due 8, last 9.
    assert marks().due[5:11] == [False, None, None, True, True, False]
    assert marks(7).due[5:11] == [False, None, None, False, False, False]
    assert marks(8).due[5:11] == [False, None, None, True, False, False]


def test_labels_have_names() -> None:
    assert [label_name(n) for n in (0, 1, 11, REPLY_SPEECH, REPLY_OF_KIND[DOG])] == [
        "other words", "zero", "alexa", "speech", "dog",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [("seven", "seven"), ("7", "seven"), (" Smart_Mirror ", "smart mirror"), ("77", "speech"), ("-", "speech")],
)
def test_written_words_and_figures_are_the_same_word(text: str, name: str) -> None:
    assert label_name(word_label(text)) == name


def test_occasions_say_what_the_labels_say() -> None:
    first, second = Segment(at(1), at(2), SPEECH, 4), Segment(at(2.5), at(3.5), SPEECH, 5)
    bark = Segment(at(10), at(10.5), DOG)
    again = Segment(at(15), at(15.5), DOG)
    found = occasions([first, second, bark, again], 40)
    assert [(o.start, o.end, o.label) for o in found] == [
        (at(1), at(3.5), REPLY_SPEECH),
        (at(10), at(15.5), REPLY_OF_KIND[DOG]),
    ]
    assert occasions([first], 3)[0].due == 3


# Scenes and players ---------------------------------------------------------------------------------------------------
