"""Tokens and frames → logits, step by step over a cache, equal to one pass over the whole sequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.cache_utils import DynamicCache
from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM

from ai_widgets.inference import Model
from ai_widgets.model.context import FIRST_CAPACITY
from ai_widgets.model.decoder import MASK_BYTES, MASK_STEP, Decoder, aligned
from tests.networks import their_language_model

TOLERANCE = {"atol": 2e-3, "rtol": 0}


@pytest.fixture(scope="module")
def exact(toy: Model) -> Decoder:
    return Decoder(toy.decoder.model, "exact")


@pytest.fixture(scope="module")
def rounded(toy: Model) -> Decoder:
    return Decoder(toy.decoder.model, "float16")


def tokens_of(count: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, 256, count).tolist()


@pytest.fixture(scope="module")
def plain(toy: Model) -> Qwen2ForCausalLM:
    """The same weights in a model that is transformers' from end to end."""
    return their_language_model(toy.decoder.model)


@torch.inference_mode()
def offline(model: Qwen2ForCausalLM, embeddings: Tensor, positions: Tensor | None = None) -> Tensor:
    """Logits after every token, by transformers' Qwen2 over a DynamicCache in one pass."""
    count = embeddings.shape[0]
    # The mask is spelled out because transformers takes repeated positions for several packed sequences.
    mask = torch.full((count, count), float("-inf")).triu(1)[None, None]
    output = model(
        inputs_embeds=embeddings[None],
        position_ids=(torch.arange(count) if positions is None else positions)[None],
        attention_mask={"full_attention": mask},
        past_key_values=DynamicCache(),
    )
    return output.logits[0]


def embed(decoder: Decoder, tokens: list[int]) -> Tensor:
    return decoder.model.model.embed_tokens(torch.tensor(tokens))


@settings(max_examples=20)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 99))
def test_streamed_steps_equal_one_offline_pass(
    exact: Decoder, plain: Qwen2ForCausalLM, steps: list[int], seed: int
) -> None:
    tokens = tokens_of(sum(steps), seed)
    expected = offline(plain, embed(exact, tokens))
    context, end = exact.context(1_000), 0
    for step in steps:
        logits = exact.feed(context, tokens[end : end + step])
        end += step
        assert logits.dtype == torch.float32
        assert context.position == end
        torch.testing.assert_close(logits, expected[end - 1], **TOLERANCE)


def test_frames_replace_the_embeddings_of_their_slots(exact: Decoder, plain: Qwen2ForCausalLM) -> None:
    tokens = tokens_of(13)
    frames = torch.randn(10, 64, generator=torch.Generator().manual_seed(0))
    embeddings = embed(exact, tokens).clone()
    embeddings[2:12] = frames
    context = exact.context(100)
    first = exact.feed(context, tokens, frames, 2)
    torch.testing.assert_close(first, offline(plain, embeddings)[-1], **TOLERANCE)
    # What stood in the slots does not matter, and the weights were not written to.
    others = [*tokens[:2], *[5] * 10, tokens[12]]
    torch.testing.assert_close(exact.feed(exact.context(100), others, frames, 2), first, atol=0, rtol=0)


def test_the_cache_grows_without_a_seam(exact: Decoder, plain: Qwen2ForCausalLM) -> None:
    tokens = tokens_of(2 * FIRST_CAPACITY + 40)
    expected = offline(plain, embed(exact, tokens))
    context = exact.context(1_500)
    exact.feed(context, tokens[: FIRST_CAPACITY - 2])
    for place in range(FIRST_CAPACITY - 2, FIRST_CAPACITY + 3):
        torch.testing.assert_close(exact.feed(context, [tokens[place]]), expected[place], **TOLERANCE)
    last = exact.feed(context, tokens[FIRST_CAPACITY + 3 :])
    torch.testing.assert_close(last, expected[-1], **TOLERANCE)


def test_the_cache_never_exceeds_the_limit(exact: Decoder) -> None:
    context = exact.context(FIRST_CAPACITY + 10)
    for _ in range(58):
        exact.feed(context, tokens_of(9))
    assert (context.position, context.room) == (FIRST_CAPACITY + 10, 0)
    assert context.capacity == FIRST_CAPACITY + 10


def test_a_cleared_context_is_a_new_one(exact: Decoder) -> None:
    context = exact.context(200)
    fresh = exact.feed(context, tokens_of(20, seed=1))
    exact.feed(context, tokens_of(30, seed=2))
    context.clear()
    assert (context.position, context.room) == (0, 200)
    torch.testing.assert_close(exact.feed(context, tokens_of(20, seed=1)), fresh, atol=0, rtol=0)


def test_contexts_of_one_decoder_are_apart(exact: Decoder) -> None:
    left, right, alone = exact.context(100), exact.context(100), exact.context(100)
    exact.feed(left, tokens_of(10, seed=1))
    exact.feed(right, tokens_of(17, seed=2))
    exact.feed(alone, tokens_of(10, seed=1))
    torch.testing.assert_close(exact.feed(left, [7]), exact.feed(alone, [7]), atol=0, rtol=0)


def test_positions_are_rounded_through_float16(rounded: Decoder, exact: Decoder, plain: Qwen2ForCausalLM) -> None:
    """Above 2048 to even numbers, above 4096 to multiples of four; below, both kinds agree."""
    count = 2_100
    tokens = tokens_of(count)
    positions = torch.arange(count)
    positions[2048:] = torch.tensor(np.arange(2048, count).astype(np.float16).astype(int))
    assert positions[2049] == 2048
    assert positions[2051] == 2052
    expected = offline(plain, embed(rounded, tokens), positions)
    straightforward = offline(plain, embed(exact, tokens))
    context, straight = rounded.context(count), exact.context(count)
    early = rounded.feed(context, tokens[:2_048])
    torch.testing.assert_close(exact.feed(straight, tokens[:2_048]), early, atol=0, rtol=0)
    for place in range(2_048, 2_056):
        torch.testing.assert_close(rounded.feed(context, [tokens[place]]), expected[place], **TOLERANCE)
        torch.testing.assert_close(exact.feed(straight, [tokens[place]]), straightforward[place], **TOLERANCE)
    late = rounded.feed(context, tokens[2_056:])
    torch.testing.assert_close(late, expected[-1], **TOLERANCE)
    assert (late - straightforward[-1]).abs().max() > 10 * TOLERANCE["atol"]


@given(st.integers(2, 40), st.integers(0, 3000))
def test_an_accelerator_gets_an_aligned_mask(exact: Decoder, count: int, before: int) -> None:
    """CUDA's memory-efficient attention refuses another: "attn_bias_ptr is not correctly aligned"."""
    mask = exact._mask(count, count + before)
    assert mask is not None
    found = aligned(mask)
    assert found.data_ptr() % MASK_BYTES == 0
    assert all(step % MASK_STEP == 0 for step in found.stride()[:-1])
    assert found.stride(-1) == 1
    assert torch.equal(found, mask)


@given(st.integers(0, 40), st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
def test_only_a_mask_that_is_not_aligned_is_copied(first: int, dtype: torch.dtype) -> None:
    whole = torch.zeros(4, 64, dtype=dtype)
    part = whole[:, first:]
    assert (aligned(part) is part) == (first * dtype.itemsize % MASK_BYTES == 0)
