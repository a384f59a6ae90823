"""Draws of a session continue from the recorded state of the generator, also after an interrupt in a draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.model.distribution import Distribution
from ai_widgets.model.sampling import SamplingRule
from ai_widgets.session import seeded_draws
from ai_widgets.session.seeded_draws import SeededDraws, first_state

RAW = Distribution(torch.linspace(0.0, 3.0, 50))
RULE = SamplingRule()


def numbers(seed: int, count: int) -> list[float]:
    """Random numbers of a fresh generator."""
    return np.random.default_rng(seed).random(count).tolist()


@given(st.integers(0, 2**32), st.lists(st.integers(0, 5), max_size=20))
def test_each_draw_takes_the_number_that_follows_the_given_state(seed: int, steps: list[int]) -> None:
    draws, states, expected = SeededDraws(), [first_state(seed)], numbers(seed, 30)
    for back in steps:
        # A fork or an abandoned step goes back to an earlier state.
        del states[max(1, len(states) - back) :]
        drawn, after = draws.draw(RAW, RULE, states[-1])
        assert drawn.draw == expected[len(states) - 1]
        states.append(after)


def test_an_interrupted_draw_is_repeated_with_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    draws, state = SeededDraws(), first_state(7)
    _, state = draws.draw(RAW, RULE, state)
    whole = seeded_draws.draw

    def interrupted(*given: object, **options: object) -> None:
        whole(*given, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(seeded_draws, "draw", interrupted)
        with pytest.raises(KeyboardInterrupt):
            draws.draw(RAW, RULE, state)
    assert draws.draw(RAW, RULE, state)[0].draw == numbers(7, 2)[1]


def test_greedy_decoding_leaves_the_state_as_it_is() -> None:
    draws, state = SeededDraws(), first_state(7)
    drawn, after = draws.draw(RAW, SamplingRule(greedy=True), state)
    assert drawn.draw is None
    assert after is state
    assert draws.draw(RAW, RULE, state)[0].draw == numbers(7, 1)[0]
