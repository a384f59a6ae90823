"""The origin of audio: made once when a block arrives, and carried unchanged to the chunk's `Timing`."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import fields
from itertools import accumulate
from time import perf_counter, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.audio.intake import ChunkAudio, Intake
from ai_widgets.audio.origin import Origin
from ai_widgets.protocol import CHUNK_SAMPLES, Timing
from ai_widgets.record.record import SessionRecord
from ai_widgets.session.perceive import Heard
from ai_widgets.widget.stages.items import Samples
from ai_widgets.widget.stages.running_session import RunningSession
from tests.page import Build, settled, silence
from tests.signals import Array, babble, cuts, split


def completing(blocks: list[Array]) -> list[int]:
    """Number of the block with the last sample of each whole chunk, at 16 kHz."""
    ends = list(accumulate(len(block) for block in blocks))
    return [bisect_left(ends, end) for end in range(CHUNK_SAMPLES, ends[-1] + 1, CHUNK_SAMPLES)]


class TestIntake:
    @given(cuts)
    def test_a_chunk_has_the_very_origin_of_the_block_that_completes_it(self, cuts: list[float]) -> None:
        intake, blocks = Intake(), split(babble(3), cuts)
        origins = [Origin(1, number, microphone=True) for number in range(len(blocks))]
        chunks: list[ChunkAudio] = []
        for block, origin in zip(blocks, origins, strict=True):
            chunks += intake.push(block, 16_000, origin=origin)
        assert [id(chunk.origin) for chunk in chunks] == [id(origins[number]) for number in completing(blocks)]

    @given(cuts, st.sampled_from([8_000, 44_100, 48_000]))
    def test_a_resampled_chunk_has_the_origin_of_the_push_that_returns_it(self, cuts: list[float], rate: int) -> None:
        intake = Intake()
        for number, block in enumerate(split(babble(2, rate=rate), cuts)):
            assert {chunk.origin.seq for chunk in intake.push(block, rate, origin=Origin(1, number))} <= {number}

    def test_a_chunk_that_the_end_of_a_recording_completes_is_of_no_block(self) -> None:
        intake = Intake()
        intake.push(silence(0.5), 16_000, origin=Origin(1, 0, microphone=True))
        (rest,) = intake.finish()
        assert (rest.origin.stream, rest.origin.seq, rest.origin.microphone) == (0, -1, False)


@settings(max_examples=8)
@given(cuts)
def test_each_timing_names_the_block_that_completed_its_chunk(build: Build, cuts: list[float]) -> None:
    """Whatever the split into blocks, from the browser's message to the event."""
    page = build()
    blocks = [block for block in split(babble(3), cuts) if len(block)]
    page.open()
    before = time()
    for block in blocks:
        page.block(block)
    timings = [event for event in settled(page) if isinstance(event, Timing)]
    assert [(timing.stream, timing.seq) for timing in timings] == [(1, number) for number in completing(blocks)]
    assert all(before * 1e3 - 5 <= timing.arrived_ms <= timing.decided_ms for timing in timings)
    page.widget.close()


def test_the_end_of_a_recording_and_audio_from_python_name_no_block(build: Build) -> None:
    page = build()
    page.record(silence(1.5), tail_s=0.4)
    page.widget.feed(silence(1), 16_000)
    timings = [event for event in settled(page) if isinstance(event, Timing)]
    assert [timing.stream for timing in timings] == [1, 0, 0, 0]
    assert [timing.seq for timing in timings[1:]] == [-1, -1, -1]


@pytest.mark.parametrize(("microphone", "least_s"), [(True, 60.25), (False, 0.0)])
def test_the_lag_counts_from_the_capture_of_microphone_audio_only(microphone: bool, least_s: float) -> None:
    running = RunningSession(SessionRecord(None))
    running.arrive(0.4, Origin(1, 0, microphone, arrived=perf_counter() - 60, age_s=0.25))
    assert running.waiting == 1
    assert running.lag_s >= least_s
    assert (running.lag_s > 0) == microphone


@pytest.mark.parametrize("carrier", [Samples, ChunkAudio, Heard])
def test_what_carries_audio_carries_its_origin_whole(carrier: type) -> None:
    """Seven classes and signatures typed its fields anew."""
    names = {field.name for field in fields(carrier)}
    assert "origin" in names
    assert not names & {field.name for field in fields(Origin)}
