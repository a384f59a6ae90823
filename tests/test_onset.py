"""Onset curve and raster of seeds: numbers, sentences and figures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ai_widgets import policies
from ai_widgets.analysis import Onset, Seeds, onset, seeds
from ai_widgets.errors import SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Decision
from ai_widgets.record.record import SessionRecord
from tests.onset_vectors import FILE, vectors
from tests.test_fork import SHORT, chunks

CASES = json.loads(FILE.read_text(encoding="utf-8"))


class EndError(Exception):
    """Raised by a watch to end a run."""


def ended_after(steps: int) -> Any:
    """Return a watch that ends the run, and the list of what it was told."""
    told: list[tuple[int, int]] = []

    def watch(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == steps:
            raise EndError

    return watch, told


class TestVectors:
    """The file that the page's code is held to as well."""

    @pytest.mark.parametrize("case", CASES["onset"], ids=lambda case: case["name"])
    def test_a_curve_follows_from_its_hazards(self, case: dict[str, Any]) -> None:
        curve = Onset.of(range(len(case["hazard"])), case["hazard"], SessionRecord(), {})
        np.testing.assert_allclose(curve.first, case["first"], rtol=0, atol=1e-12)
        assert curve.never == pytest.approx(case["never"], abs=1e-12)
        assert str(curve) == case["text"]

    def test_the_file_is_what_its_maker_makes(self) -> None:
        assert json.loads(json.dumps(vectors()))["seeds"] == CASES["seeds"]
        assert [case["text"] for case in vectors()["onset"]] == [case["text"] for case in CASES["onset"]]


class TestOnset:
    def test_the_curve_is_that_of_a_silent_run(self, toy: Model) -> None:
        session = toy.session(**SHORT, seed=1, temperature=2.0)
        session.push(chunks(10))
        curve = onset(session.record, toy)
        assert {decision.choice for decision in curve.record.of_type(Decision)} == {"KEEP_SILENCE"}
        assert curve.first.sum() + curve.never == pytest.approx(1)
        expected, left = [], 1.0
        for decision in curve.record.of_type(Decision):
            p = 1 / (1 + np.exp((decision.logit_keep - decision.logit_text) / 2.0))
            expected.append(left * p)
            left *= 1 - p
        np.testing.assert_allclose(curve.first, expected)
        assert list(curve.table.columns) == ["chunk", "hazard", "first"]
        # A silent record is its own silent run, also under other settings.
        again = onset(curve.record, temperature=2.0)
        np.testing.assert_allclose(again.first, curve.first)

    def test_it_is_the_share_of_seeds_whose_first_reply_comes_there(self, toy: Model) -> None:
        session = toy.session(**SHORT, temperature=3.0)
        session.push(chunks(4, 1))
        curve = onset(session.record, toy)
        raster = seeds(toy, session.record, 60)
        firsts = [begun[0] if begun else -1 for begun in raster.begun.values()]
        shares = [firsts.count(chunk) / 60 for chunk in range(4)]
        np.testing.assert_allclose(shares, curve.first, atol=0.2)

    def test_a_record_with_replies_needs_a_model(self, toy: Model) -> None:
        session = toy.session(**SHORT, bias=1000.0)
        session.push(chunks(2))
        with pytest.raises(SessionError, match=r"onset\(record, model\)"):
            onset(session.record)
        with pytest.raises(SessionError, match="top_k"):
            onset(session.record, toy, mask=False, top_k=0)

    def test_a_policy_has_no_probabilities(self) -> None:
        session = policies.Energy().session()
        session.push(np.zeros(6400 * 3, np.float32))
        with pytest.raises(SessionError, match="a policy has none"):
            onset(session.record)

    def test_progress_is_told_and_ends_the_run(self, toy: Model) -> None:
        session = toy.session(**SHORT, bias=1000.0)
        session.push(chunks(4))
        watch, told = ended_after(2)
        with pytest.raises(EndError):
            onset(session.record, toy, watch=watch)
        assert [total for _, total in told] == [4, 4]


class TestSeeds:
    def test_a_column_is_the_session_of_that_seed(self, toy: Model) -> None:
        session = toy.session(**SHORT, seed=5, temperature=2.0)
        session.push(chunks(6))
        raster = seeds(toy, session.record, [5, 6])
        assert raster.table.shape == (6, 2)
        recorded = [decision.choice == "TEXT_BEGIN" for decision in session.record.of_type(Decision)]
        assert raster.table[5].tolist() == recorded
        other = toy.session(**SHORT, seed=6, temperature=2.0)
        other.push(chunks(6))
        assert raster.table[6].tolist() == [d.choice == "TEXT_BEGIN" for d in other.record.of_type(Decision)]
        with pytest.raises(SettingError, match="at least 1"):
            seeds(toy, session.record, 0)

    def test_progress_counts_the_chunks_of_all_runs(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(3))
        told: list[tuple[int, int]] = []
        seeds(toy, session.record, 3, watch=lambda done, total: told.append((done, total)))
        assert told[-1] == (9, 9)
        assert told == sorted(told)
        watch, few = ended_after(1)
        with pytest.raises(EndError):
            seeds(toy, session.record, 3, watch=watch)
        assert len(few) == 1

    def test_a_seed_that_is_given_twice_runs_once(self, toy: Model) -> None:
        session = toy.session(**SHORT)
        session.push(chunks(2))
        assert list(seeds(toy, session.record, [4, 4, 1]).begun) == [4, 1]


class TestFigures:
    def test_the_onset_figure_has_the_numbers_at_the_end_of_each_chunk(self) -> None:
        curve = Onset.of([0, 1, 2], [0.1, 0.5, 0.2], SessionRecord(), {})
        drawn = {trace.name: trace for trace in curve.plot().data}
        np.testing.assert_allclose(drawn["P(first reply)"].x, [0.4, 0.8, 1.2])
        np.testing.assert_allclose(drawn["P(first reply)"].y, curve.first)
        np.testing.assert_allclose(drawn["P(reply | none before)"].y, curve.hazard)
        assert curve.plot().layout.title.text == str(curve)

    def test_the_figure_of_seeds_has_a_row_per_seed_and_their_share(self) -> None:
        raster = Seeds({0: (1,), 3: (1, 2), 9: ()}, dict.fromkeys((0, 3, 9), (0, 1, 2)), {})
        marks, share = raster.plot().data
        assert list(zip(marks.y, np.round(marks.x, 9), strict=True)) == [("0", 0.8), ("3", 0.8), ("3", 1.2)]
        np.testing.assert_allclose(share.y, [0, 2 / 3, 1 / 3])
        assert raster.plot().layout.yaxis.categoryarray == ("9", "3", "0")

    def test_without_any_chunk_they_are_empty(self) -> None:
        assert Onset.of([], [], SessionRecord(), {}).plot().data
        assert Seeds({0: ()}, {0: ()}, {}).plot().data
