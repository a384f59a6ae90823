"""Attention is never computed by cuDNN's kernel, and the choice of other models in the process remains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from ai_widgets.inference import Model
from ai_widgets.model.kernels import WithoutCudnn, without_cudnn

allowed = torch.backends.cuda.cudnn_sdp_enabled
allow = torch.backends.cuda.enable_cudnn_sdp


@pytest.fixture(autouse=True, params=[True, False], ids=["allowed before", "forbidden before"])
def before(request: pytest.FixtureRequest) -> Iterator[bool]:
    """What the program of a person has set."""
    start = allowed()
    allow(request.param)
    yield request.param
    allow(start)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether cuDNN's kernel was allowed, at each computation of attention."""
    found: list[bool] = []
    compute = functional.scaled_dot_product_attention

    def noted(*given: Any, **named: Any) -> Any:
        found.append(allowed())
        return compute(*given, **named)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", noted)
    return found


def _one(model: Model) -> object:
    context = model.decoder.context(64)
    return model.decoder.feed(context, [1, 2, 3]), model.decoder.feed(context, [4])


def _together(model: Model) -> object:
    decoder = model.decoder
    contexts = [decoder.context(64), decoder.context(64)]
    return decoder.advance_many(contexts, [decoder.embed([1, 2, 3]), decoder.embed([4])])


STEPS: dict[str, Callable[[Model], object]] = {
    "prefill and token": _one,
    "sessions together": _together,
    "tower": lambda model: model.encoder.encode(np.zeros((128, 80), np.float32)),
    "tower over a clip": lambda model: model.encoder.encode_clip(np.zeros((128, 240), np.float32)),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_no_step_allows_it_and_each_restores_the_choice(
    toy: Model, seen: list[bool], before: bool, step: Callable[[Model], object]
) -> None:
    step(toy)
    assert seen
    assert not any(seen)
    assert allowed() is before


def test_a_step_that_fails_restores_the_choice(toy: Model, monkeypatch: pytest.MonkeyPatch, before: bool) -> None:
    def fail(*_given: Any, **_named: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(functional, "scaled_dot_product_attention", fail)
    for step in STEPS.values():
        with pytest.raises(RuntimeError, match="out of memory"):
            step(toy)
        assert allowed() is before


def test_overlapping_steps_of_several_threads_restore_the_choice(before: bool) -> None:
    """The step that began first ends first; what it found is restored by the last one."""
    off, meet = WithoutCudnn(), Barrier(2, timeout=10)
    found: list[bool] = []

    def short() -> None:
        with off:
            meet.wait()
            meet.wait()
        meet.wait()

    thread = Thread(target=short)
    thread.start()
    meet.wait()
    with off:
        meet.wait()
        meet.wait()
        found.append(allowed())
    thread.join()
    assert found == [False]
    assert allowed() is before


def test_steps_nest(before: bool) -> None:
    with without_cudnn:
        with without_cudnn:
            pass
        assert not allowed()
    assert allowed() is before
