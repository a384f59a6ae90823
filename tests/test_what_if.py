"""What if, without running: the recorded numbers under other settings, and where they equal a real run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from ai_widgets import analysis, policies
from ai_widgets.analysis import seeds, sweep, what_if
from ai_widgets.errors import SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Decision, Event
from ai_widgets.record.record import SessionRecord
from tests.test_fork import SHORT, chunks
from tests.what_if_vectors import FILE, vectors

CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]


def decisions_of(record: SessionRecord) -> dict[int, Decision]:
    return {decision.chunk: decision for decision in record.of_type(Decision)}


class TestVectors:
    """The file that the page's code is held to as well."""

    @pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
    def test_the_choices_are_those_of_the_whole_distribution(self, case: dict[str, Any]) -> None:
        given: list[Any] = [Event.from_json(event) for event in case["decisions"]]
        found, expected = what_if(given, **case["change"]), case["expected"]
        assert found.choice.tolist() == expected["choice"]
        assert found.exact.tolist() == expected["exact"]
        shares = [np.nan if share is None else share for share in expected["p_text"]]
        np.testing.assert_allclose(found.p_text, shares, rtol=0, atol=1e-9)

    def test_the_file_is_what_its_maker_makes(self) -> None:
        made = json.loads(json.dumps(vectors()))["cases"]
        for one, other in zip(made, CASES, strict=True):
            assert one["change"] == other["change"]
            assert one["expected"]["choice"] == other["expected"]["choice"]
            np.testing.assert_allclose(
                [share or 0 for share in one["expected"]["p_text"]],
                [share or 0 for share in other["expected"]["p_text"]],
                atol=1e-12,
            )

    def test_the_cases_have_flips_and_unknown_ones(self) -> None:
        choices = [choice for case in CASES for choice in case["expected"]["choice"]]
        assert {"KEEP_SILENCE", "TEXT_BEGIN", "OTHER", None} == set(choices)
        assert sum(not all(case["expected"]["exact"]) for case in CASES) > 10


class TestAgainstARealRun:
    @settings(max_examples=30)
    @given(
        recorded=st.fixed_dictionaries(
            {
                "seed": st.integers(0, 99),
                "greedy": st.booleans(),
                "temperature": st.sampled_from([0.3, 1.0, 3.0]),
                "bias": st.sampled_from([-1.0, 0.0, 2.0]),
            }
        ),
        change=st.one_of(
            st.fixed_dictionaries({"bias": st.floats(-4, 4)}),
            st.fixed_dictionaries({"threshold": st.floats(0.01, 0.99)}),
            st.fixed_dictionaries({"temperature": st.floats(0.1, 5)}),
            st.fixed_dictionaries({"top_k": st.integers(0, 3), "top_p": st.floats(0.1, 1)}),
            st.fixed_dictionaries({"mask": st.just(False), "top_k": st.integers(1, 4), "bias": st.floats(-2, 2)}),
            st.fixed_dictionaries({"greedy": st.booleans(), "mask": st.booleans()}),
        ),
    )
    def test_decisions_equal_those_of_a_fork_up_to_the_first_that_differs(
        self, toy: Model, recorded: dict[str, Any], change: dict[str, Any]
    ) -> None:
        session = toy.session(**{**SHORT, "alternatives": 5}, **recorded)
        session.push(chunks(12, recorded["seed"] % 6))
        found = what_if(session.record, **change)
        fork = session.fork(0, **found.settings)
        fork.run_on()
        real = decisions_of(fork.record)
        for place, chunk in enumerate(found.chunk.tolist()):
            if not found.exact[place]:
                break
            assert found.choice[place] == real[chunk].choice, chunk
            if not recorded["greedy"] and real[chunk].draw is not None:
                assert real[chunk].draw == decisions_of(session.record)[chunk].draw
        assert found.exact[0] or found.choice[0] is None

    def test_it_says_where_it_stops_being_exact(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(12))
        choices = [decision.choice for decision in session.record.of_type(Decision)]
        found = what_if(session.record, bias=-1000.0)
        first = choices.index("TEXT_BEGIN")
        assert (found.first_flip, found.exact_until) == (first, first)
        assert found.flips.tolist() == [choice == "TEXT_BEGIN" for choice in choices]
        assert what_if(session.record).exact_until == 11
        assert list(found.table.columns) == ["chunk", "recorded", "choice", "p_text", "flips", "exact"]

    def test_a_fork_at_the_first_flip_runs_on_from_there(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(12, 2))
        found = what_if(session.record, bias=3.0)
        assert found.first_flip is not None
        fork = session.fork(found.first_flip, **found.settings)
        fork.run_on()
        assert decisions_of(fork.record)[found.first_flip].choice == "TEXT_BEGIN"


class TestRefused:
    def test_what_the_numbers_do_not_tell(self) -> None:
        for name, value in (("seed", 3), ("system_prompt", "x"), ("context", "stop")):
            with pytest.raises(SettingError, match=r"session\.fork"):
                what_if([], **{name: value})
        with pytest.raises(SettingError, match="did you mean bias"):
            what_if([], bais=1)
        with pytest.raises(SettingError, match="temperature must be"):
            what_if([], temperature=0)

    @pytest.mark.parametrize("threshold", [0, 1, 1.5, True, "0.5"])
    def test_a_threshold_that_is_no_probability(self, threshold: Any) -> None:
        with pytest.raises(SettingError, match="above 0 and below 1"):
            what_if([], threshold=threshold)

    def test_a_threshold_where_the_bias_changed(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(2))
        session.change(bias=1.0)
        session.push(chunks(2))
        with pytest.raises(SettingError, match="bias changes within the record"):
            what_if(session.record, threshold=0.5)
        assert len(what_if(session.record, threshold=0.5, bias=0).chunk) == 4

    def test_decisions_without_details_are_unknown(self, toy: Model) -> None:
        session = toy.session(**SHORT)
        session.push(chunks(2))
        bare = [structs.replace(decision, rule={}) for decision in session.record.of_type(Decision)]
        found = what_if(bare, bias=1.0)
        assert found.choice.tolist() == [None, None]
        assert not found.exact.any()
        assert what_if([]).exact_until is None

    def test_decisions_of_a_policy_are_unknown(self) -> None:
        session = policies.Energy().session()
        session.push(np.zeros(6400 * 3, np.float32))
        found = what_if(session.record, bias=1.0)
        assert found.choice.tolist() == [None] * 3
        assert np.isnan(found.p_text).all()

    def test_a_column_of_a_sweep_is_the_session_with_that_value(self, toy: Model) -> None:
        session = toy.session(**SHORT, seed=5)
        session.push(chunks(6))
        raster = sweep(toy, session.record, "bias", [-1000.0, 0.0, 1000.0], temperature=0.5)
        assert (raster[-1000.0].sum(), raster[1000.0].sum()) == (0, 6)
        other = toy.session(**SHORT, seed=5, temperature=0.5)
        other.push(chunks(6))
        assert raster[0.0].tolist() == [d.choice == "TEXT_BEGIN" for d in other.record.of_type(Decision)]
        assert (raster.index.name, raster.columns.name) == ("chunk", "bias")
        with pytest.raises(SettingError, match="one value or more"):
            sweep(toy, session.record, "bias", [])

    def test_the_runs_share_their_passes_and_encode_their_audio_once(
        self, toy: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = toy.session(**SHORT, bias=-1000.0)
        session.push(chunks(3))
        encoded: list[int] = []
        encode = toy.encoder.encode
        monkeypatch.setattr(toy.encoder, "encode", lambda mels: (encoded.append(mels.shape[1]), encode(mels))[1])
        seeds(toy, session.record, 10)
        assert encoded == [40, 40, 40]


def test_analysis_is_reached_from_the_package() -> None:
    import ai_widgets as aiw

    assert aiw.analysis is analysis
