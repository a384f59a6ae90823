"""Faulty blocks and faulty audio, sent by a page: a clear end, and every loss told. The table is docs/faults.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.audio.intake import Intake
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Decision, Notice, Timing
from ai_widgets.widget.receiving import MOST_NOTICES
from ai_widgets.widget.wire.gap_detection import RECENT_BLOCKS, STOOD_S, CaptureClock, Clocks
from ai_widgets.widget.wire.limits import MAX_BLOCK_BYTES
from ai_widgets.widget.wire.messages import Block
from ai_widgets.widget.wire.outgoing import now_ms
from tests.events import said
from tests.page import PATIENCE, RULES, Page, settled, silence
from tests.signals import Array, babble


def decided(page: Page) -> int:
    return len(page.widget.record.of_type(Decision))


def told(page: Page, kind: str) -> list[Any]:
    return [dict(event.data) for event in page.widget.record.of_type(Notice) if event.kind == kind]


def flags(page: Page) -> list[set[str]]:
    return [set(chunk.flags) - {"late", "waited"} for chunk in page.widget.record.of_type(Chunk)]


def block_at(time_s: float, captured_s: float, offset_ms: float | None = None) -> Block:
    """A block of 0.1 s whose last sample was captured at `captured_s` on the page's clock."""
    return Block(1, 0, 16_000, time_s, 1e12 + captured_s * 1e3, 0.0, offset_ms, False, "p", silence(0.25))


class TestOrder:
    def test_missing(self, page: Page) -> None:
        page.open(tail_s=0.0)
        for seq in (0, 1, 4):
            page.block(silence(1), seq=seq)
        page.close(blocks=7)
        settled(page)
        assert decided(page) == 3
        assert told(page, "lost_blocks") == [{"blocks": 2}, {"blocks": 2}]

    def test_duplicate(self, page: Page) -> None:
        page.open(tail_s=0.0)
        for seq in (0, 0, 1, 1):
            page.block(silence(1), seq=seq)
        page.close()
        settled(page)
        assert decided(page) == 2
        assert len(told(page, "duplicate_block")) == 2

    def test_reordered(self, page: Page) -> None:
        page.open(tail_s=0.0)
        for seq in (0, 2, 1, 3):
            page.block(np.full(6400, seq / 10, np.float32), seq=seq)
        page.close()
        settled(page)
        kinds = [event.kind for event in page.widget.record.of_type(Notice)]
        assert kinds == ["stream", "lost_blocks", "duplicate_block"]
        heard = page.widget.record.audio.reshape(-1, 6400)[:, 0]
        np.testing.assert_allclose(heard, [0.0, 0.2, 0.3], atol=1e-6)

    def test_of_no_open_stream(self, page: Page) -> None:
        page.block(silence(1), stream=3)
        page.close()
        settled(page)
        assert len(page.problems()) == 2
        assert len(page.widget.record) == 0

    def test_a_page_that_goes_may_say_so_twice(self, page: Page) -> None:
        page.open()
        page.block(silence(1))
        page.close("view_removed")
        page.close("view_removed")
        settled(page)
        assert page.problems() == []
        assert [notice.kind for notice in page.widget.record.of_type(Notice)] == ["stream", "stream_ended"]

    def test_a_broken_sender_does_not_fill_the_record(self, page: Page) -> None:
        page.open()
        page.block(silence(0.1))
        for _ in range(2 * MOST_NOTICES):
            page.block(silence(0), seq=0)
        settled(page)
        notices = page.widget.record.of_type(Notice)
        assert MOST_NOTICES <= len(notices) < 1.1 * MOST_NOTICES


class TestClocks:
    """Blocks of 0.1 s. What the browser never recorded is in none of them; only their clocks tell."""

    def listen(self, page: Page, *clocks: tuple[float, float]) -> None:
        page.open(tail_s=0.0)
        for time_s, captured_s in clocks:
            page.block(silence(0.25), time_s=time_s, captured_ms=1e12 + captured_s * 1e3)

    @pytest.mark.parametrize(
        ("later", "seconds"),
        [
            ((0.1, 0.1), None),
            ((0.1, 0.28), None),
            ((0.1, 0.6), 0.5),
            ((0.4, 0.1), 0.3),
            ((0.6, 0.6), 0.5),
            ((0.0, 0.0), None),
        ],
        ids=[
            "in step",
            "a burst",
            "audio thread stood still",
            "audio clock leapt",
            "both: one loss",
            "a clock set back",
        ],
    )
    def test_sound_that_the_page_missed(self, page: Page, later: tuple[float, float], seconds: float | None) -> None:
        self.listen(page, (0.0, 0.0), later)
        settled(page)
        assert told(page, "gap") == ([] if seconds is None else [{"seconds": pytest.approx(seconds)}])
        assert [problem[:5] for problem in page.problems()] == ([] if seconds is None else [f"{seconds} s"])

    def test_all_of_it_is_told(self, page: Page) -> None:
        self.listen(page, (0.0, 0.0), (0.1, 0.6), (0.2, 0.7), (0.3, 1.8))
        settled(page)
        assert told(page, "gap") == [{"seconds": pytest.approx(0.5)}, {"seconds": pytest.approx(1.0)}]
        assert [problem[:5] for problem in page.problems()] == ["0.5 s", "1.5 s"]

    def test_a_pause_of_the_person_is_no_gap_and_its_length_is_told(self, page: Page) -> None:
        self.listen(page, (0.0, 0.0))
        held = {"type": "state", "problem": "", "message": ""}
        page.send({**held, "state": "paused"})
        page.block(silence(0.25), time_s=0.1, captured_ms=1e12 + 100)
        page.send({**held, "state": "listening"})
        page.block(silence(0.25), time_s=0.2, captured_ms=1e12 + 60_000)
        page.block(silence(0.25), time_s=0.3, captured_ms=1e12 + 61_000)
        settled(page)
        assert told(page, "paused") == [{"why": "person", "seconds": pytest.approx(59.8)}]
        assert told(page, "gap") == [{"seconds": pytest.approx(0.9)}]

    def test_a_recording_that_is_stopped_in_a_pause_tells_of_the_pause(self, page: Page) -> None:
        self.listen(page, (0.0, 0.0))
        page.send({"type": "state", "state": "paused", "problem": "", "message": ""})
        page.close()
        settled(page)
        assert [data["why"] for data in told(page, "paused")] == ["person"]

    def test_audio_that_the_system_held_for_5_s_is_a_gap_that_says_so(self, page: Page) -> None:
        """A call: the page says that it is suspended and that it resumes; the blocks after it are 5 s later."""
        self.listen(page, (0.0, 0.0))
        page.send({"type": "state", "state": "listening", "problem": "interrupted", "message": "The system held it."})
        page.send({"type": "state", "state": "listening", "problem": "", "message": ""})
        page.block(silence(0.25), time_s=0.1, captured_ms=1e12 + 5_100)
        settled(page)
        assert told(page, "gap") == [{"seconds": pytest.approx(5.0), "why": "interrupted"}]
        assert [data["problem"] for data in told(page, "microphone")] == ["interrupted", ""]
        (problem,) = page.of("problem")
        assert problem["code"] == "suspended"
        assert problem["message"].startswith("5.0 s of sound are missing: the operating system suspended the audio")

    @pytest.mark.parametrize("state", ["idle", "asking", "listening", "stopped", "error"])
    def test_no_state_message_resets_the_comparison_of_clocks(self, page: Page, state: str) -> None:
        self.listen(page, (0.0, 0.0))
        page.send({"type": "state", "state": state, "problem": "", "message": ""})
        page.block(silence(0.25), time_s=0.1, captured_ms=1e12 + 5_100)
        settled(page)
        assert told(page, "gap") == [{"seconds": pytest.approx(5.0)}]

    def test_losses_too_small_to_be_told_apart_from_bursts_add_up(self, page: Page) -> None:
        """A tenth of a second in every block of a tenth: half of the sound is missing."""
        clocks = [(number * 0.1, number * 0.2) for number in range(100)]
        self.listen(page, *clocks)
        settled(page)
        missing = sum(data["seconds"] for data in told(page, "gap"))
        # The newest two windows may still be a burst.
        assert 9.9 - 2 * RECENT_BLOCKS * 0.1 < missing <= 9.9

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.floats(0, 0.15), min_size=40, max_size=120), st.floats(-1e-4, 1e-4))
    def test_bursts_and_drift_are_no_losses(self, bursts: list[float], drift: float) -> None:
        clocks = Clocks()
        lost = [
            clocks.leap(block_at(number * 0.1, number * 0.1 * (1 + drift) + late)) for number, late in enumerate(bursts)
        ]
        assert not any(lost)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
    def test_wall_time_minus_recorded_time_is_told(self, losses: list[float]) -> None:
        """Whatever the losses: all but what a burst may hide is told once blocks come evenly, and never more."""
        clocks, wall, told_s = Clocks(), 0.0, 0.0
        for number, loss in enumerate([*losses, *[0.0] * 2 * RECENT_BLOCKS]):
            wall += 0.1 + loss
            told_s += clocks.leap(block_at(number * 0.1, wall))
        assert sum(losses[1:]) - 2 * STOOD_S <= told_s <= sum(losses[1:]) + 1e-6

    def test_blocks_lost_on_the_way_are_told_once(self, page: Page) -> None:
        self.listen(page, (0.0, 0.0))
        page.block(silence(0.25), seq=6, time_s=0.6, captured_ms=1e12 + 600)
        settled(page)
        assert (told(page, "lost_blocks"), told(page, "gap")) == ([{"blocks": 5}], [])

    def test_a_page_that_tells_no_wall_clock(self, page: Page) -> None:
        page.open(tail_s=0.0)
        for time_s in (0.0, 0.1, 0.6):
            page.block(silence(0.25), time_s=time_s)
        settled(page)
        assert told(page, "gap") == [{"seconds": pytest.approx(0.4)}]


class TestCapture:
    """When a block was captured, on the kernel's clock, although the page's is another one."""

    OFFSET_S = 3_600.0

    def ages(self, delays: list[float], offset_ms: float | None = None) -> list[float]:
        clock, ages = CaptureClock(), []
        for number, delay in enumerate(delays):
            captured_s = number * 0.1
            arrived_ms = 1e12 + (captured_s + delay + self.OFFSET_S) * 1e3
            ages.append(clock.age_s(block_at(captured_s, captured_s, offset_ms), arrived_ms))
        return ages

    def test_a_block_that_arrives_later_than_the_quickest_is_that_much_older(self) -> None:
        assert self.ages([0.005, 0.005, 2.005, 1.005]) == pytest.approx([0.0, 0.0, 2.0, 1.0], abs=1e-3)

    def test_where_all_blocks_are_late_the_pages_own_estimate_tells(self) -> None:
        """A kernel that ran a cell from the first block on: 7.8 s, 7.7 s, …"""
        delays = [7.8 - number * 0.1 for number in range(70)]
        assert self.ages(delays, self.OFFSET_S * 1e3) == pytest.approx(delays, abs=1e-3)

    def test_an_estimate_above_what_was_seen_is_not_believed(self) -> None:
        assert self.ages([0.005, 2.005], (self.OFFSET_S + 60) * 1e3) == pytest.approx([0.0, 2.0], abs=1e-3)

    def test_a_clock_that_was_set_is_learnt_anew(self) -> None:
        """The page's clock goes back an hour: for a minute blocks look old, then no longer."""
        ages = self.ages([0.0] * 10 + [3_600.0] * 700)
        assert ages[-1] == pytest.approx(0.0, abs=1e-3)

    def test_a_page_that_tells_no_clock(self) -> None:
        assert CaptureClock().age_s(block_at(0, -1e9), 1e12) == 0.0

    def test_late_counts_from_capture(self, page: Page) -> None:
        """A busy kernel takes blocks up seconds after they were captured and decides at once: still late."""
        page.open(tail_s=0.0)
        now = now_ms()
        for number in range(8):
            captured_ms = now - 7_800 + number * 100
            page.block(silence(0.25), time_s=number / 10, captured_ms=captured_ms, offset_ms=0.0)
        page.close()
        settled(page)
        first, _ = page.widget.record.of_type(Chunk)
        assert "late" in first.flags
        timing = page.widget.record.of_type(Timing)[0]
        assert 7_000 < timing.capture_ms < 60_000

    def test_lag_counts_from_capture(self, page: Page) -> None:
        page.widget.pause()
        page.open(tail_s=0.0)
        now = now_ms()
        for number in range(8):
            captured_ms = now - 7_800 + number * 100
            page.block(silence(0.25), time_s=number / 10, captured_ms=captured_ms, offset_ms=0.0)
        assert 7.0 < page.widget._channel.presenter.pipeline.counters["lag_s"] < 60
        page.widget.resume()
        assert page.widget.wait(PATIENCE)
        assert page.widget._channel.presenter.pipeline.counters["lag_s"] == 0.0


class TestShape:
    @pytest.mark.parametrize(
        ("change", "buffer", "words"),
        [
            ({}, bytes(MAX_BLOCK_BYTES + 4), "too large"),
            ({}, b"123", "whole float32 samples"),
            ({"format": "float64"}, bytes(8), "format must be one of"),
            ({"format": 7}, bytes(8), "format must be one of"),
            ({"seq": "1"}, bytes(8), "seq must be a whole number"),
            ({"seq": None}, bytes(8), "seq must be a whole number"),
            ({"stream": []}, bytes(8), "stream must be a whole number"),
            ({"time_s": "now"}, bytes(8), "time_s must be a number"),
            ({"rate": 0}, bytes(8), "rate must be a whole number from 4000"),
            ({"rate": 10**9}, bytes(8), "rate must be a whole number from 4000"),
            ({"rate": 44_100.5}, bytes(8), "rate must be a whole number"),
        ],
    )
    def test_oversized_wrongly_typed_or_of_a_wrong_rate(
        self, page: Page, change: dict[str, Any], buffer: bytes, words: str
    ) -> None:
        """The block is refused with a sentence; those after it say that one is missing."""
        page.open(tail_s=0.0)
        page.block(silence(1))
        page.send({**page.block_header(1), **change}, [buffer])
        page.block(silence(1), seq=2)
        page.close()
        settled(page)
        (problem,) = page.of("problem")
        assert problem["code"] == "message"
        assert words in problem["message"]
        assert decided(page) == 2
        assert told(page, "lost_blocks") == [{"blocks": 1}]

    def test_of_length_0(self, page: Page) -> None:
        page.open(tail_s=0.0)
        for _ in range(5):
            page.block(silence(0))
        page.block(silence(1))
        page.close()
        settled(page)
        assert decided(page) == 1
        page.widget.feed([], 16_000, end=True, tail_silence=0.0)
        assert decided(page) == 1

    def test_a_recording_of_length_0(self, page: Page) -> None:
        page.open(tail_s=0.0)
        page.close()
        settled(page)
        assert len(page.widget.record) == 0
        assert page.widget.state == "idle"

    def test_rate_changes_in_the_middle(self, page: Page) -> None:
        page.open(48_000, tail_s=0.0)
        parts: list[tuple[Array, int]] = [(babble(1, rate=48_000), 48_000), (babble(1, 1, 16_000), 16_000)]
        parts.append((babble(1, 2, 44_100), 44_100))
        intake, expected = Intake(), []
        for samples, rate in parts:
            page.block(samples, rate)
            expected += intake.push(samples, rate)
        expected += intake.finish()
        page.close()
        settled(page)
        np.testing.assert_array_equal(page.widget.record.audio, np.concatenate([each.samples for each in expected]))
        assert abs(page.widget.record.seconds - 3.0) <= 0.4
        assert page.problems() == []


class TestSamples:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_not_a_number(self, page: Page, value: float) -> None:
        page.open(tail_s=0.0)
        broken = babble(0.4)
        broken[100:200] = value
        page.block(broken)
        page.block(babble(0.4))
        page.close()
        settled(page)
        assert flags(page) == [{"repaired"}, set()]
        assert np.isfinite(page.widget.record.audio).all()
        assert not page.widget.record.audio[100:200].any()

    def test_denormal(self, page: Page, toy: Model) -> None:
        """Numbers too small to be sound are silence, and cost no more than it does."""
        page.open(tail_s=0.0)
        page.block(np.full(6400, 1e-42, np.float32))
        page.close()
        chunk, decision = [event for event in said(settled(page)) if not isinstance(event, Notice)]
        assert isinstance(chunk, Chunk)
        assert isinstance(decision, Decision)
        assert chunk.rms_db == -120
        silent = next(e for e in toy.session(**RULES).push(silence(1)) if isinstance(e, Decision))
        assert decision.logit_keep == pytest.approx(silent.logit_keep, abs=1e-4)

    def test_clipped(self, page: Page) -> None:
        page.open(tail_s=0.0)
        page.block(np.clip(babble(0.4) * 100, -1, 1))
        page.block(babble(0.4, seed=3) * 1e30)
        page.close()
        settled(page)
        assert flags(page) == [{"clipped"}, {"clipped"}]
        assert decided(page) == 2
        assert all(np.isfinite(decision.logit_keep) for decision in page.widget.record.of_type(Decision))

    def test_silenced_by_the_page(self, page: Page) -> None:
        page.open(tail_s=0.0)
        page.send({**page.block_header(0), "gated": True}, [silence(1).tobytes()])
        page.block(silence(1), seq=1)
        page.close()
        settled(page)
        assert flags(page) == [{"gated"}, set()]
