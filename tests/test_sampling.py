"""Logits → token: raw softmax, then mask and bias, then temperature, top-k, top-p, then one uniform draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ai_widgets.errors import SettingError
from ai_widgets.model.sampling import Distribution, SamplingRule, draw

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
        ranked = sorted(range(len(row)), key=lambda token: -row[token])[:4]
        assert [token for token, _ in drawn.likeliest] == ranked
        assert [p for _, p in drawn.likeliest] == pytest.approx([raw.p(row[token]) for token in ranked], rel=1e-5)

    def test_more_alternatives_than_tokens(self) -> None:
        drawn = draw(Distribution(torch.tensor([1.0, 2.0])), SamplingRule(), np.random.default_rng(0), likeliest=9)
        assert [token for token, _ in drawn.likeliest] == [1, 0]

    def test_no_alternatives(self) -> None:
        drawn = draw(Distribution(torch.tensor([1.0, 2.0])), SamplingRule(), np.random.default_rng(0), likeliest=0)
        assert (drawn.likeliest, drawn.argmax) == ((), 1)


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
