"""Logits → token: raw softmax, then mask and bias, then temperature, top-k, top-p, then one uniform draw."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ai_widgets.errors import SettingError
from ai_widgets.model import remaining
from ai_widgets.model.distribution import Distribution, Softmax
from ai_widgets.model.remaining import ESTIMATES, STRIDE, place_between
from ai_widgets.model.sampling import SamplingRule, draw

Bias = tuple[int, float] | None


def naive_shares(logits: list[float], rule: SamplingRule, allowed: list[int] | None, bias: Bias) -> dict[int, float]:
    """The definition, token by token: probability of every token that can be drawn, likeliest first."""
    scores = {
        token: logit + (bias[1] if bias is not None and bias[0] == token else 0.0)
        for token, logit in enumerate(logits)
        if allowed is None or token in allowed
    }
    ranked = sorted(scores, key=lambda token: -scores[token])
    if rule.greedy:
        return {ranked[0]: 1.0}
    ranked = ranked[: rule.top_k]
    weights = {token: math.exp((scores[token] - scores[ranked[0]]) / rule.temperature) for token in ranked}
    shares = {token: weight / sum(weights.values()) for token, weight in weights.items()}
    kept: dict[int, float] = {}
    for token in ranked:
        if sum(kept.values()) >= rule.top_p:
            break
        kept[token] = shares[token]
    return {token: share / sum(kept.values()) for token, share in kept.items()}


logit_rows = st.lists(st.integers(-400, 400), min_size=2, max_size=24, unique=True).map(
    lambda row: [v / 20 for v in row]
)
rules = st.builds(
    SamplingRule,
    greedy=st.booleans(),
    temperature=st.floats(0.05, 5),
    top_k=st.none() | st.integers(1, 30),
    top_p=st.just(1.0) | st.floats(0.05, 0.999),
)


class TestDefinition:
    @given(logit_rows, rules, st.data())
    def test_a_draw_follows_the_definition(self, row: list[float], rule: SamplingRule, data: st.DataObject) -> None:
        tokens = st.integers(0, len(row) - 1)
        allowed = data.draw(st.none() | st.lists(tokens, min_size=1, max_size=4, unique=True))
        bias = data.draw(st.none() | st.tuples(tokens, st.integers(-200, 200).map(lambda v: v / 7)))
        seed = data.draw(st.integers(0, 2**31))
        raw = Distribution(torch.tensor(row))
        drawn = draw(raw, rule, np.random.default_rng(seed), allowed=allowed, bias=bias)
        shares = naive_shares(row, rule, allowed, bias)
        borders = np.cumsum(list(shares.values()))
        if rule.greedy:
            assert drawn.draw is None
            expected = next(iter(shares))
        else:
            number = float(np.random.default_rng(seed).random())
            assert drawn.draw == number
            # On a border rounding decides; the definition does not.
            assume(np.abs(borders - number).min() > 1e-6)
            assume(rule.top_p == 1 or np.abs(np.array(borders) - rule.top_p).min() > 1e-9)
            expected = list(shares)[int(np.searchsorted(borders, number, side="right"))]
        assert drawn.token == expected
        assert drawn.p_drawn == pytest.approx(shares[expected], abs=1e-6)

    @given(logit_rows)
    def test_raw_probabilities_are_the_softmax_of_the_whole_vocabulary(self, row: list[float]) -> None:
        raw = Distribution(torch.tensor(row))
        softmax = np.exp(np.array(row) - max(row)) / np.exp(np.array(row) - max(row)).sum()
        np.testing.assert_allclose([raw.p(logit) for logit in row], softmax, atol=1e-6)

    @given(logit_rows, rules)
    def test_the_report_is_raw_whatever_the_rule(self, row: list[float], rule: SamplingRule) -> None:
        raw = Distribution(torch.tensor(row))
        drawn = draw(raw, rule, np.random.default_rng(0), allowed=[1], bias=(1, 3.0), likeliest=4)
        assert drawn.token == 1
        assert drawn.p == pytest.approx(raw.p(row[1]), rel=1e-5)
        assert drawn.argmax == int(np.argmax(row))
        ranked = sorted(range(len(row)), key=lambda token: -row[token])
        # The drawn token is always among them.
        shown = [token for token in ranked if token in ranked[:4] or token == 1]
        assert [c.token for c in drawn.likeliest] == shown
        assert [c.p for c in drawn.likeliest] == pytest.approx([raw.p(row[token]) for token in shown], rel=1e-5)

    def test_more_alternatives_than_tokens(self) -> None:
        drawn = draw(Distribution(torch.tensor([1.0, 2.0])), SamplingRule(), np.random.default_rng(0), likeliest=9)
        assert [candidate.token for candidate in drawn.likeliest] == [1, 0]

    def test_no_alternatives(self) -> None:
        drawn = draw(Distribution(torch.tensor([1.0, 2.0])), SamplingRule(), np.random.default_rng(0), likeliest=0)
        assert (drawn.likeliest, drawn.argmax) == ((), 1)


@dataclass(frozen=True)
class WholeDistribution:
    """The definition over a large vocabulary: everything is sorted, everything is divided, in double precision."""

    scaled: np.ndarray
    kept: np.ndarray
    order: np.ndarray

    @staticmethod
    def of(logits: np.ndarray, rule: SamplingRule, allowed: list[int] | None, bias: Bias) -> WholeDistribution:
        scores = logits.astype(np.float64)
        if bias is not None:
            scores[bias[0]] += bias[1]
        if allowed is not None:
            scores[np.setdiff1d(np.arange(len(scores)), allowed)] = -np.inf
        order = np.argsort(-scores, kind="stable")
        weights = np.exp((scores - scores.max()) / (1.0 if rule.greedy else rule.temperature))
        scaled = weights / weights.sum()
        kept = scaled.copy()
        kept[order[1 if rule.greedy else rule.top_k :] if rule.greedy or rule.top_k else []] = 0
        kept /= kept.sum()
        before = np.cumsum(kept[order]) - kept[order]
        kept[order[before >= rule.top_p]] = 0
        return WholeDistribution(scaled, kept / kept.sum(), order)

    def draw(self, number: float) -> int:
        """Token on which the number falls."""
        edges = np.cumsum(self.kept[self.order])
        # On an edge rounding decides; the definition does not.
        assume(np.abs(edges - number).min() > 1e-6)
        return int(self.order[np.searchsorted(edges, number, side="right")])


vocabularies = st.builds(
    # Peaked and flat ones, some of whose logits are equal.
    lambda seed, size, spread, decimals: np.round(
        np.random.default_rng(seed).standard_normal(size) * spread, decimals
    ).astype(np.float32),
    st.integers(0, 2**31),
    st.sampled_from([65, 127, 128, 1000, 4096, 6001, 20_000]),
    st.sampled_from([0.01, 1.0, 3.0, 30.0]),
    st.sampled_from([0, 1, 6]),
)


def fixed(number: float) -> np.random.Generator:
    """A generator that gives this number."""
    return cast("np.random.Generator", SimpleNamespace(random=lambda: number))


class TestLargeVocabulary:
    """Only the likeliest tokens of a large vocabulary are ranked where they suffice; the draws are the same."""

    @given(vocabularies, rules, st.data())
    def test_a_draw_is_that_of_the_whole_distribution(
        self, logits: np.ndarray, rule: SamplingRule, data: st.DataObject
    ) -> None:
        tokens = st.integers(0, len(logits) - 1)
        allowed = data.draw(st.none() | st.lists(tokens, min_size=1, max_size=4, unique=True).map(sorted))
        bias = data.draw(st.none() | st.tuples(tokens, st.integers(-60, 60).map(lambda v: v / 7)))
        seed = data.draw(st.integers(0, 2**31))
        asked = data.draw(st.lists(tokens, max_size=3))
        whole = WholeDistribution.of(logits, rule, allowed, bias)
        # The same of top_p: on an edge rounding decides how many remain.
        untrimmed = WholeDistribution.of(logits, replace(rule, top_p=1.0), allowed, bias)
        assume(rule.top_p == 1 or np.abs(np.cumsum(untrimmed.kept[whole.order]) - rule.top_p).min() > 1e-6)
        raw = Distribution(torch.from_numpy(logits))
        drawn = draw(raw, rule, np.random.default_rng(seed), allowed=allowed, bias=bias, report=asked)
        number = 0.0 if rule.greedy else float(np.random.default_rng(seed).random())
        assert drawn.draw == (None if rule.greedy else number)
        assert drawn.token == whole.draw(number)
        assert drawn.p_drawn == pytest.approx(whole.kept[drawn.token], rel=1e-5)
        assert drawn.argmax == int(logits.argmax())
        softmax = np.exp(logits.astype(np.float64) - logits.max())
        softmax /= softmax.sum()
        front = np.argsort(-logits, kind="stable")[:5].tolist()
        assert {c.token for c in drawn.likeliest} == {*front, *asked, drawn.token}
        for candidate in drawn.likeliest:
            assert candidate.p == pytest.approx(softmax[candidate.token], rel=1e-5, abs=1e-12)
            assert candidate.scaled == pytest.approx(whole.scaled[candidate.token], rel=1e-5, abs=1e-12)
            assert candidate.kept == pytest.approx(whole.kept[candidate.token], rel=1e-5, abs=1e-12)

    @given(vocabularies, st.integers(1, 8) | st.integers(1, 300))
    def test_the_highest_are_those_of_a_stable_sort(self, logits: np.ndarray, count: int) -> None:
        found = Softmax(logits).likeliest(count)
        np.testing.assert_array_equal(found, np.argsort(-logits, kind="stable")[:count])

    @given(st.integers(0, 2**31), st.sampled_from([0.01, 0.3, 1.0]), st.sampled_from([2, 6]), st.floats(0, 1))
    def test_a_sample_of_the_scores_finds_the_part_to_rank(
        self, seed: int, spread: float, decimals: int, number: float
    ) -> None:
        """No draw from a flat distribution ranks the whole vocabulary."""
        logits = np.random.default_rng(seed).standard_normal(20_000) * spread
        logits = np.round(logits, decimals).astype(np.float32)
        whole = WholeDistribution.of(logits, SamplingRule(), None, None)
        assume(number < 1 - 1e-6)
        raw = Distribution(torch.from_numpy(logits))
        assert place_between(raw, number * raw.total) == whole.draw(number)

    @pytest.mark.parametrize("spread", [0.3, 1.0, 2.0, 3.0, 5.0])
    def test_where_a_few_tokens_hold_the_mass_the_next_estimate_finds_the_part(self, spread: float) -> None:
        generator = np.random.default_rng(7)
        raw = Distribution(torch.from_numpy((generator.standard_normal(20_000) * spread).astype(np.float32)))
        whole = np.argsort(-raw.scores, kind="stable")
        edges = np.cumsum(raw.all_weights[whole], dtype=np.float64)
        for mass in generator.random(40) * edges[-1] * (1 - 1e-6):
            assert place_between(raw, mass) == whole[np.searchsorted(edges, mass, "right")]

    @pytest.mark.parametrize("estimates", [1, ESTIMATES])
    def test_scores_whose_sample_misleads_are_found_or_ranked_whole(
        self, estimates: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remaining, "ESTIMATES", estimates)
        logits = np.zeros(20_000, np.float32)
        logits[::STRIDE] = 5
        raw = Distribution(torch.from_numpy(logits))
        assert (place_between(raw, 0.8 * raw.total) is None) is (estimates == 1)
        # The tokens that the sample leaves out divide the last part of [0, 1) into equal intervals.
        rest = np.flatnonzero(logits == 0)
        start = 1 - len(rest) / float(np.exp(logits.astype(np.float64)).sum())
        expected = rest[int((0.8 - start) / (1 - start) * len(rest))]
        assert draw(raw, SamplingRule(), fixed(0.8)).token == expected

    @pytest.mark.parametrize("number", [0.0, 0.5, 0.999999, 1 - 2**-53])
    def test_a_number_beyond_the_front_finds_its_token(self, number: float) -> None:
        drawn = draw(Distribution(torch.zeros(10_000)), SamplingRule(), fixed(number), report=(9_999,))
        assert drawn.token == min(int(number * 10_000), 9_999)
        assert all(candidate.kept == pytest.approx(1e-4, rel=1e-5) for candidate in drawn.likeliest)

    @pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-53])
    def test_top_p_reaches_beyond_the_front_though_the_number_does_not(self, number: float) -> None:
        rule, border = SamplingRule(top_p=0.49995), (4_998, 4_999, 5_000)
        drawn = draw(Distribution(torch.zeros(10_000)), rule, fixed(number), likeliest=1, report=border)
        assert drawn.token == int(number * 5_000)
        assert [c.kept for c in drawn.likeliest if c.token in border] == pytest.approx([1 / 5_000, 1 / 5_000, 0])

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_logit_that_is_not_finite_shows(self, value: float) -> None:
        logits = torch.zeros(1_000)
        logits[500] = -math.inf
        assert Distribution(logits).finite
        logits[500] = value
        assert not Distribution(logits).finite


class TestReport:
    """Raw → after mask, bias and temperature → after top-k and top-p: what the inspector shows of a step."""

    @given(logit_rows, rules, st.data())
    def test_every_step_follows_the_definition(self, row: list[float], rule: SamplingRule, data: st.DataObject) -> None:
        tokens = st.integers(0, len(row) - 1)
        allowed = data.draw(st.none() | st.lists(tokens, min_size=1, max_size=4, unique=True))
        bias = data.draw(st.none() | st.tuples(tokens, st.integers(-1000, 1000).map(lambda v: v / 7)))
        asked = data.draw(st.lists(tokens, max_size=3))
        likeliest = data.draw(st.integers(1, 8))
        drawn = draw(
            Distribution(torch.tensor(row)),
            rule,
            np.random.default_rng(0),
            allowed=allowed,
            bias=bias,
            likeliest=likeliest,
            report=asked,
        )
        whole = naive_shares(row, SamplingRule(temperature=1.0 if rule.greedy else rule.temperature), allowed, bias)
        shares = naive_shares(row, rule, allowed, bias)
        ranked = sorted(range(len(row)), key=lambda token: -row[token])
        assert {c.token for c in drawn.likeliest} == {*ranked[:likeliest], *asked, drawn.token}
        borders = np.cumsum(
            list(naive_shares(row, SamplingRule(False, rule.temperature, rule.top_k), allowed, bias).values())
        )
        assume(rule.top_p == 1 or np.abs(borders - rule.top_p).min() > 1e-9)
        for candidate in drawn.likeliest:
            assert candidate.scaled == pytest.approx(whole.get(candidate.token, 0.0), rel=1e-5, abs=1e-9)
            assert candidate.kept == pytest.approx(shares.get(candidate.token, 0.0), rel=1e-5, abs=1e-9)

    @given(logit_rows, rules, st.data())
    def test_sums_and_the_drawn_token(self, row: list[float], rule: SamplingRule, data: st.DataObject) -> None:
        allowed = data.draw(st.none() | st.lists(st.integers(0, len(row) - 1), min_size=1, max_size=4, unique=True))
        bias = data.draw(st.none() | st.tuples(st.integers(0, len(row) - 1), st.floats(-30, 30)))
        raw, generator = Distribution(torch.tensor(row)), np.random.default_rng(1)
        drawn = draw(raw, rule, generator, allowed=allowed, bias=bias, likeliest=len(row))
        assert sum(c.p for c in drawn.likeliest) == pytest.approx(1, abs=1e-5)
        assert sum(c.scaled for c in drawn.likeliest) == pytest.approx(1, abs=1e-5)
        assert sum(c.kept for c in drawn.likeliest) == pytest.approx(1, abs=1e-9)
        # To the last digit: what is shown is what was drawn from.
        (own,) = (c for c in drawn.likeliest if c.token == drawn.token)
        assert (own.p, own.kept) == (drawn.p, drawn.p_drawn)
        assert own.kept > 0
        for candidate in drawn.likeliest:
            if allowed is not None and candidate.token not in allowed:
                assert (candidate.scaled, candidate.kept) == (0, 0)
            # Removing others cannot make a token rarer.
            assert candidate.kept == 0 or candidate.kept >= candidate.scaled * (1 - 1e-5)

    def test_ties_are_told_apart(self) -> None:
        row = torch.zeros(400)
        row[7] = 20.0
        drawn = draw(Distribution(row), SamplingRule(), np.random.default_rng(0), likeliest=3, report=(399,))
        assert all(candidate.kept > 0 for candidate in drawn.likeliest)
        cut = draw(Distribution(row), SamplingRule(top_k=2), np.random.default_rng(0), likeliest=4)
        assert sum(candidate.kept for candidate in cut.likeliest) == pytest.approx(1)

    def test_a_large_bias_loses_no_digits(self) -> None:
        row = torch.tensor([3.0, 1.0, 0.5])
        drawn = draw(Distribution(row), SamplingRule(temperature=0.05), np.random.default_rng(0), bias=(1, 1000.0))
        assert {c.token: c.scaled for c in drawn.likeliest} == {0: 0.0, 1: 1.0, 2: 0.0}


class TestChoice:
    ROW = torch.tensor([0.0, 1.0, 2.0, 3.0])

    def test_the_mask_forbids_all_others(self) -> None:
        generator = np.random.default_rng(0)
        tokens = {draw(Distribution(self.ROW), SamplingRule(), generator, allowed=(0, 1)).token for _ in range(200)}
        assert tokens == {0, 1}

    def test_bias_moves_a_token_into_and_out_of_the_top_k(self) -> None:
        rule, generator = SamplingRule(top_k=1), np.random.default_rng(0)
        assert draw(Distribution(self.ROW), rule, generator, bias=(0, 5.0)).token == 0
        assert draw(Distribution(self.ROW), rule, generator, bias=(3, -5.0)).token == 2
        assert draw(Distribution(self.ROW), SamplingRule(greedy=True), generator, bias=(0, 5.0)).token == 0

    def test_greedy_takes_no_number_from_the_generator(self) -> None:
        generator = np.random.default_rng(0)
        draw(Distribution(self.ROW), SamplingRule(greedy=True), generator)
        assert generator.random() == np.random.default_rng(0).random()

    def test_a_forced_token_takes_its_number_and_tells_the_probabilities_of_the_draw(self) -> None:
        raw, rule = Distribution(self.ROW), SamplingRule(temperature=2.0)
        free = np.random.default_rng(3)
        drawn = draw(raw, rule, free)
        for forced in range(len(self.ROW)):
            bound = np.random.default_rng(3)
            taken = draw(raw, rule, bound, forced=forced)
            assert (taken.token, taken.draw) == (forced, drawn.draw)
            assert bound.random() == np.random.default_rng(3).random(2)[1]
            assert taken.p_drawn == next(each.kept for each in taken.likeliest if each.token == forced)
        assert draw(raw, rule, free, allowed=(0, 1), forced=3).p_drawn == 0

    def test_one_number_a_draw_and_the_same_seed_the_same_tokens(self) -> None:
        def tokens(seed: int) -> list[int]:
            generator = np.random.default_rng(seed)
            return [draw(Distribution(self.ROW), SamplingRule(), generator).token for _ in range(50)]

        assert tokens(1) == tokens(1)
        assert tokens(1) != tokens(2)

    @pytest.mark.parametrize("rule", [SamplingRule(), SamplingRule(temperature=2.5), SamplingRule(top_k=3, top_p=0.9)])
    def test_frequencies_are_the_probabilities(self, rule: SamplingRule) -> None:
        shares = naive_shares(self.ROW.tolist(), rule, None, None)
        generator, count = np.random.default_rng(7), 4_000
        raw = Distribution(self.ROW)
        drawn = [draw(raw, rule, generator).token for _ in range(count)]
        seen = np.array([drawn.count(token) for token in shares])
        expected = np.array(list(shares.values())) * count
        assert seen.sum() == count
        # Chi-square with at most three degrees of freedom exceeds 16.3 once in a thousand.
        assert (((seen - expected) ** 2) / expected).sum() < 16.3


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0},
        {"temperature": -0.1},
        {"temperature": 101},
        {"temperature": math.nan},
        {"top_k": 0},
        {"top_k": -3},
        {"top_p": 0},
        {"top_p": 1.5},
        {"top_p": math.nan},
    ],
)
def test_bad_rules_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=f"^{next(iter(values))} must be"):
        SamplingRule(**values)  # type: ignore[arg-type]
