"""Faulty blocks and faulty audio, sent by a page: a clear end, and every loss told. The table is docs/faults.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ai_widgets.audio import Intake
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Decision, Notice
from ai_widgets.widget.messages import MAX_BLOCK_BYTES
from ai_widgets.widget.receiving import MOST_REMARKS
from tests.events import said
from tests.page import RULES, Page, settled, silence
from tests.signals import Array, babble


def decided(page: Page) -> int:
    return len(page.widget.record.of_type(Decision))


def told(page: Page, kind: str) -> list[Any]:
    return [dict(event.data) for event in page.widget.record.of_type(Notice) if event.kind == kind]


def flags(page: Page) -> list[set[str]]:
    return [set(chunk.flags) - {"late", "waited"} for chunk in page.widget.record.of_type(Chunk)]


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
        for _ in range(2 * MOST_REMARKS):
            page.block(silence(0), seq=0)
        settled(page)
        notices = page.widget.record.of_type(Notice)
        assert len(notices) == MOST_REMARKS
        assert notices[-1].kind == "remarks_left_out"


class TestClocks:
    """Blocks of 0.1 s. What the browser never recorded is in none of them; only their clocks tell."""

    def listen(self, page: Page, *clocks: tuple[float, float], source: str = "mic") -> None:
        page.open(tail_s=0.0, source=source)
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

    def test_a_held_microphone_missed_nothing(self, page: Page) -> None:
        self.listen(page, (0.0, 0.0))
        held = {"type": "state", "problem": "", "message": ""}
        page.send({**held, "state": "paused"})
        page.block(silence(0.25), time_s=0.1, captured_ms=1e12 + 100)
        page.send({**held, "state": "listening"})
        page.block(silence(0.25), time_s=0.2, captured_ms=1e12 + 60_000)
        settled(page)
        assert told(page, "gap") == []

    def test_blocks_lost_on_the_way_are_told_once(self, page: Page) -> None:
        self.listen(page, (0.0, 0.0))
        page.block(silence(0.25), seq=6, time_s=0.6, captured_ms=1e12 + 600)
        settled(page)
        assert (told(page, "lost_blocks"), told(page, "gap")) == ([{"blocks": 5}], [])

    def test_a_file_has_no_clock(self, page: Page) -> None:
        self.listen(page, (0.0, 0.0), (0.1, 60.0), source="file")
        settled(page)
        assert told(page, "gap") == []

    def test_a_page_that_tells_no_wall_clock(self, page: Page) -> None:
        page.open(tail_s=0.0)
        for time_s in (0.0, 0.1, 0.6):
            page.block(silence(0.25), time_s=time_s)
        settled(page)
        assert told(page, "gap") == [{"seconds": pytest.approx(0.4)}]


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
