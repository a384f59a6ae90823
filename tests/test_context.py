"""A sliding context: what stays has the keys it would have at its new positions; nothing adds up."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb

from ai_widgets.model.configuration import LanguageModelShape
from ai_widgets.model.context import Context, rotate
from ai_widgets.model.decoder import Decoder
from tests.networks import random_language_model

KEEP, BLOCK, LIMIT = 9, 13, 160


def decoder_of(layers: int, dtype: torch.dtype = torch.float32, rope: str = "exact") -> Decoder:
    shape = LanguageModelShape(64, 32, layers, 4, 2, 8, 48, 4096, 1e4, 1e-6, False)
    return Decoder(random_language_model(shape, layers).to(dtype), rope)


class Written:
    """A context whose layers are written without a model: random keys, rotated for their places as transformers does.

    `kept` are the keys [1, held, heads · size] as they were before RoPE, and the values, of what the context holds.
    """

    def __init__(self, decoder: Decoder, limit: int) -> None:
        self.decoder, self.context = decoder, decoder.context(limit)
        self.kept: list[tuple[Tensor, Tensor]] = []
        self._random = torch.Generator().manual_seed(limit)

    def write(self, count: int) -> None:
        context, decoder = self.context, self.decoder
        context.reserve(count)
        new = torch.randn(2, 1, 2, count, 8, generator=self._random).to(decoder.dtype)
        places = torch.arange(context.end, context.end + count)[None]
        cos, sin = decoder.model.model.rotary_emb(places, decoder.dtype)
        keys = apply_rotary_pos_emb(new[0], new[0], cos, sin)[1]
        for number in range(len(context.keys)):
            context.extend(number, keys, new[1])
        context.end += count
        self.kept.append((new[0], new[1]))

    def slide(self) -> None:
        """The oldest of what was written leaves, the first stays: that is the prefix."""
        self.context.slide(self.kept[0][0].shape[-2], self.kept.pop(1)[0].shape[-2])

    def fill(self, counts: list[int]) -> None:
        for count in counts:
            while self.context.room < count:
                self.slide()
            self.write(count)

    def check(self, tolerance: float) -> None:
        """Every key is that of its new position, every value the one that was written."""
        context = self.context
        keys = torch.cat([key for key, _ in self.kept], dim=-2)
        values = torch.cat([value for _, value in self.kept], dim=-2)
        assert context.position == keys.shape[-2] <= context.limit
        expected = computed_anew(self.decoder, keys)
        for number in range(len(context.keys)):
            error = (at_their_positions(context, self.decoder, number) - expected).abs().max() / expected.abs().max()
            assert error < tolerance
            torch.testing.assert_close(
                context.values[number][:, :, context.start : context.end], values, atol=0, rtol=0
            )


def at_their_positions(context: Context, decoder: Decoder, number: int) -> Tensor:
    """The keys a context holds, as if its oldest position were 0; float32 [1, heads, held, size]."""
    angles = -context.start * decoder.model.model.rotary_emb.inv_freq.double()
    held = context.keys[number][:, :, context.start : context.end].float()
    return rotate(held, angles.cos().float(), angles.sin().float())


def computed_anew(decoder: Decoder, keys: Tensor) -> Tensor:
    """Keys [1, heads, count, size] with RoPE at positions 0, 1, 2, … as transformers applies it, in float32."""
    cos, sin = decoder.model.model.rotary_emb(torch.arange(keys.shape[-2])[None], torch.float32)
    return apply_rotary_pos_emb(keys.float(), keys.float(), cos, sin)[1]


def blocks(count: int, seed: int = 0) -> list[list[int]]:
    return np.random.default_rng(seed).integers(0, 64, (count, BLOCK)).tolist()


def run(decoder: Decoder, steps: list[list[int]], limit: int = LIMIT) -> tuple[Context, list[Tensor], list[int]]:
    """Feed a prefix and blocks, letting the oldest block leave where there is no room. Also which tokens stayed."""
    context = decoder.context(limit)
    prefix = list(range(KEEP))
    logits = [decoder.feed(context, prefix)]
    held: list[list[int]] = []
    for step in steps:
        while context.room < len(step):
            context.slide(KEEP, len(held.pop(0)))
        logits.append(decoder.feed(context, step))
        held.append(step)
    return context, logits, [token for block in [prefix, *held] for token in block]


@settings(max_examples=25)
@given(st.lists(st.integers(1, 30), min_size=30, max_size=120))
def test_what_stays_has_the_keys_of_its_new_positions(lengths: list[int]) -> None:
    """Against RoPE applied anew to the keys of the same hidden states; and the values are untouched."""
    written = Written(decoder_of(3), LIMIT)
    written.write(KEEP)
    written.fill(lengths)
    written.check(2e-6)
    assert written.context.capacity <= max(512, 2 * LIMIT)


def test_a_single_layer_cannot_tell_a_slid_context_from_a_fresh_one() -> None:
    """Its keys and values come from the embeddings alone, so nothing of what left is in them."""
    decoder = decoder_of(1)
    context, logits, kept = run(decoder, blocks(200))
    fresh = decoder.context(LIMIT)
    torch.testing.assert_close(logits[-1], decoder.feed(fresh, kept), atol=1e-5, rtol=0)
    for token in (5, 6, 7):
        torch.testing.assert_close(decoder.feed(context, [token]), decoder.feed(fresh, [token]), atol=1e-5, rtol=0)


def test_until_something_leaves_nothing_differs() -> None:
    decoder = decoder_of(2)
    steps = blocks(20)
    (_, sliding, _), (_, long, _) = run(decoder, steps), run(decoder, steps, 1_000)
    first = (LIMIT - KEEP) // BLOCK + 1
    for place in range(first):
        torch.testing.assert_close(sliding[place], long[place], atol=0, rtol=0)
    assert (sliding[-1] - long[-1]).abs().max() > 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-5), (torch.bfloat16, 5 * 2**-9)])
def test_thousands_of_slides_add_no_error(dtype: torch.dtype, tolerance: float) -> None:
    """A key is rounded when it is made, and once for each move to the front, of which it sees two at most.

    In bfloat16 transformers rounds cosine, sine and the products too, so that a new key is off by about two roundings.
    """
    written = Written(decoder_of(2, dtype), 1_000)
    written.write(KEEP)
    written.fill([BLOCK] * 300)
    written.check(tolerance)
    written.fill([BLOCK] * 4_000)
    written.check(tolerance)


def test_the_prefix_is_rotated_from_its_first_keys() -> None:
    written = Written(decoder_of(1, torch.bfloat16), LIMIT)
    written.write(KEEP)
    first = written.context.keys[0][:, :, :KEEP].clone()
    written.fill([BLOCK] * 3_000)
    there = at_their_positions(written.context, written.decoder, 0)[:, :, :KEEP]
    # One rounding (half of the last of eight binary digits), however far it went.
    assert (there - first.float()).abs().max() <= first.abs().max() * 2**-8


def test_rounded_positions_slide_as_exact_ones_below_2048() -> None:
    """Places in the tensors pass 2048 while positions stay below: they must not be rounded there."""
    steps = blocks(420)
    exact, rounded = decoder_of(1), decoder_of(1, rope="float16")
    context, expected, kept = run(exact, steps, 2_000)
    _, logits, _ = run(rounded, steps, 2_000)
    assert context.end > 2_048
    assert (rounded.slide_limit, exact.slide_limit) == (2_048, None)
    torch.testing.assert_close(logits[-1], expected[-1], atol=0, rtol=0)
    torch.testing.assert_close(logits[-1], rounded.feed(rounded.context(2_000), kept), atol=1e-5, rtol=0)


def test_the_limit_may_change_on_the_way() -> None:
    decoder = decoder_of(1)
    context, _, kept = run(decoder, blocks(60))
    context.slide(KEEP, 6 * BLOCK)
    del kept[KEEP : KEEP + 6 * BLOCK]
    for limit in (90, 700):
        context.limit = limit
        for block in blocks(80, seed=limit):
            if context.room < BLOCK:
                context.slide(KEEP, BLOCK)
                del kept[KEEP : KEEP + BLOCK]
            logits = decoder.feed(context, block)
            kept += block
        assert context.position <= limit
        torch.testing.assert_close(logits, decoder.feed(decoder.context(1_000), kept), atol=1e-5, rtol=0)


def test_a_slide_costs_the_same_however_much_is_held() -> None:
    """The oldest leaves by moving the prefix, so the time does not grow with what stays."""

    def seconds(limit: int) -> float:
        written = Written(decoder_of(2), limit)
        written.write(KEEP)
        written.fill([BLOCK] * (limit // BLOCK))
        times = []
        for _ in range(7):
            start = perf_counter()
            written.slide()
            times.append(perf_counter() - start)
        return min(times)

    assert seconds(20_000) < 3 * seconds(150) + 1e-4


@pytest.mark.parametrize("before", [3, 20, 200])
def test_a_branch_goes_on_bit_for_bit_and_leaves_the_original_alone(before: int) -> None:
    decoder = decoder_of(2)

    def feed(context: Context, block: list[int]) -> Tensor:
        if context.room < BLOCK:
            context.slide(KEEP, BLOCK)
        return decoder.feed(context, block)

    original = decoder.context(KEEP + 12 * BLOCK)
    decoder.feed(original, list(range(KEEP)))
    for block in blocks(before):
        feed(original, block)
    at, steps, others = original.position, blocks(30, seed=1), blocks(30, seed=2)
    early, late = original.branch(at), original.branch(at)
    for block in others:
        feed(early, block)
    expected = [feed(original, block) for block in steps]
    assert all(torch.equal(feed(late, block), logits) for block, logits in zip(steps, expected, strict=True))
