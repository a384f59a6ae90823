"""Blocks of any length in, exact chunks of 6400 samples out; nothing lost, nothing invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.audio.intake import CLIP_RUN, ChunkAudio, Chunker, Intake, cut, envelope, level_db, repair, silence
from ai_widgets.protocol import CHUNK_SAMPLES
from tests.signals import Array, babble, cuts, split

RATES = (44_100, 48_000, 96_000)


def joined(chunks: list[ChunkAudio]) -> Array:
    return np.concatenate([chunk.samples for chunk in chunks]) if chunks else np.zeros(0, np.float32)


class TestChunker:
    @given(st.integers(0, 5 * CHUNK_SAMPLES), cuts)
    def test_any_split_gives_the_chunks_of_one_push(self, length: int, cuts: list[float]) -> None:
        signal = np.arange(1, length + 1, dtype=np.float32) / 1e6
        once, pieces = Chunker(), Chunker()
        expected = once.push(signal) + once.flush()
        chunks = [chunk for block in split(signal, cuts) for chunk in pieces.push(block)] + pieces.flush()
        assert [chunk.flags for chunk in chunks] == [chunk.flags for chunk in expected]
        np.testing.assert_array_equal(joined(chunks), joined(expected))

    @given(st.integers(1, 5 * CHUNK_SAMPLES))
    def test_only_flush_pads_and_says_so(self, length: int) -> None:
        signal = np.arange(1, length + 1, dtype=np.float32) / 1e6
        chunks = cut(signal)
        assert len(chunks) == -(-length // CHUNK_SAMPLES)
        assert all(chunk.samples.shape == (CHUNK_SAMPLES,) for chunk in chunks)
        np.testing.assert_array_equal(joined(chunks)[:length], signal)
        assert not joined(chunks)[length:].any()
        padded = bool(length % CHUNK_SAMPLES)
        assert [("padded" in chunk.flags) for chunk in chunks] == [False] * (len(chunks) - 1) + [padded]

    def test_what_waits_is_counted(self) -> None:
        chunker = Chunker()
        chunker.push(np.zeros(6_500, np.float32))
        assert chunker.waiting == 100
        chunker.flush()
        assert chunker.waiting == 0
        assert chunker.flush() == []

    @given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), max_size=6))
    def test_a_blocks_flag_marks_the_chunks_that_hold_its_samples(self, blocks: list[tuple[int, bool]]) -> None:
        chunker, chunks, held = Chunker(), [], []
        for length, flagged in blocks:
            chunks += chunker.push(np.zeros(length, np.float32), ("waited",) if flagged else ())
            held += [flagged] * length
        chunks += chunker.flush()
        expected = [any(held[start : start + CHUNK_SAMPLES]) for start in range(0, len(held), CHUNK_SAMPLES)]
        assert ["waited" in chunk.flags for chunk in chunks] == expected

    @pytest.mark.parametrize(("count", "flagged"), [(CLIP_RUN - 1, False), (CLIP_RUN, True)])
    def test_clipping_is_flagged_from_a_few_samples_on(self, count: int, flagged: bool) -> None:
        samples = np.zeros(CHUNK_SAMPLES, np.float32)
        samples[:count] = -1.0
        assert ("clipped" in cut(samples)[0].flags) is flagged

    def test_a_chunk_does_not_keep_its_block_alive_through_the_rest(self) -> None:
        chunker = Chunker()
        block = np.zeros(100 * CHUNK_SAMPLES + 1, np.float32)
        chunker.push(block)
        assert sum(part.base is None and part.size for part in chunker._parts) == 1


class TestIntake:
    @pytest.mark.parametrize("rate", RATES)
    @given(cuts=cuts, seed=st.integers(0, 99))
    def test_any_split_gives_the_chunks_of_one_push(self, rate: int, cuts: list[float], seed: int) -> None:
        signal = babble(1.7, seed, rate)
        once, pieces = Intake(), Intake()
        expected = once.push(signal, rate) + once.finish()
        chunks = [chunk for block in split(signal, cuts) for chunk in pieces.push(block, rate)] + pieces.finish()
        assert len(chunks) == len(expected)
        np.testing.assert_allclose(joined(chunks), joined(expected), atol=1e-6)

    @given(cuts=cuts)
    def test_at_16_khz_samples_pass_unchanged(self, cuts: list[float]) -> None:
        signal = babble(1.5)
        intake = Intake()
        chunks = [chunk for block in split(signal, cuts) for chunk in intake.push(block, 16_000)] + intake.finish()
        np.testing.assert_array_equal(joined(chunks)[: len(signal)], signal)

    @pytest.mark.parametrize("rate", RATES)
    def test_ten_minutes_come_out_to_the_sample(self, rate: int) -> None:
        intake = Intake()
        block = np.zeros(rate // 10 + 7, np.float32)
        left, total = 600 * rate, 0
        while left:
            part = block[: min(left, len(block))]
            left -= len(part)
            total += sum(len(chunk.samples) for chunk in intake.push(part, rate))
        waiting = intake._chunker.waiting
        rest = intake.finish()
        # The last chunk is padded: what is in it is what the resampler held back, so count before the padding too.
        assert waiting < CHUNK_SAMPLES
        assert abs(total + sum(len(chunk.samples) for chunk in rest) - 600 * 16_000) <= CHUNK_SAMPLES
        assert total + len(rest) * CHUNK_SAMPLES == 600 * 16_000

    @pytest.mark.parametrize("rate", RATES)
    def test_the_resampled_length_is_right_to_one_sample(self, rate: int) -> None:
        """Of ten minutes and a bit, the padding of the last chunk shows where the audio ends."""
        length = 600 * rate + rate // 9
        intake, chunks = Intake(), []
        for start in range(0, length, rate // 8):
            chunks += intake.push(np.ones(min(rate // 8, length - start), np.float32), rate)
        chunks += intake.finish()
        ends = np.flatnonzero(joined(chunks) > 0.25)[-1] + 1
        assert abs(int(ends) - length * 16_000 / rate) <= 1 + 1e-6

    @pytest.mark.parametrize(("first", "second"), [(48_000, 44_100), (16_000, 48_000), (44_100, 16_000)])
    def test_a_change_of_rate_loses_nothing(self, first: int, second: int) -> None:
        intake = Intake()
        chunks = intake.push(babble(1.0, 0, first), first) + intake.push(babble(1.0, 1, second), second)
        chunks += intake.finish()
        assert len(chunks) == 5
        alone = [joined(cut_at(babble(1.0, seed, rate), rate)) for seed, rate in ((0, first), (1, second))]
        np.testing.assert_allclose(joined(chunks)[:16_000], alone[0][:16_000], atol=1e-6)
        np.testing.assert_allclose(joined(chunks)[16_000:32_000], alone[1][:16_000], atol=1e-6)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_nan_and_infinity_become_zero_and_are_flagged(self, bad: float) -> None:
        signal = babble(0.8, rate=48_000)
        signal[30_000] = bad
        intake = Intake()
        chunks = intake.push(signal[:9_600], 48_000) + intake.push(signal[9_600:], 48_000) + intake.finish()
        assert np.isfinite(joined(chunks)).all()
        assert any("repaired" in chunk.flags for chunk in chunks)

    def test_finish_ends_one_recording_and_another_may_follow(self) -> None:
        intake = Intake()
        first = intake.push(babble(0.5, 3, 48_000), 48_000) + intake.finish()
        again = intake.push(babble(0.5, 3, 48_000), 48_000) + intake.finish()
        np.testing.assert_array_equal(joined(first), joined(again))
        assert intake.finish() == []


def cut_at(samples: Array, rate: int) -> list[ChunkAudio]:
    intake = Intake()
    return intake.push(samples, rate) + intake.finish()


def test_repair_tells_whether_it_did_anything() -> None:
    clean = babble(0.1)
    assert repair(clean)[0] is clean
    assert not repair(clean)[1]
    fixed, broken = repair(np.array([1, np.nan, -np.inf], np.float32))
    assert broken
    np.testing.assert_array_equal(fixed, [1, 0, 0])


@pytest.mark.parametrize(("seconds", "chunks"), [(0, 0), (0.01, 1), (0.4, 1), (1.0, 3), (1.2, 3), (1.21, 4)])
def test_tail_silence_is_rounded_up_to_chunks(seconds: float, chunks: int) -> None:
    made = silence(seconds)
    assert [chunk.flags for chunk in made] == [("tail",)] * chunks
    assert not joined(made).any()


def test_levels() -> None:
    full = np.ones(CHUNK_SAMPLES, np.float32)
    assert level_db(full) == pytest.approx(0)
    assert level_db(full / 10) == pytest.approx(-20, abs=1e-4)
    assert level_db(full * 0) == -120
    peaks = np.repeat(np.arange(16) / 8, 400).astype(np.float32) * np.tile([1, -1], 3_200)
    assert envelope(peaks.astype(np.float32)) == tuple(min(i / 8, 1.0) for i in range(16))
