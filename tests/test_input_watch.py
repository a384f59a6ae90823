"""Ways for sound to vanish before the model hears it: each is told once when it begins and once when it ends."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.audio.input_watch import CONDITIONS, InputWatch
from ai_widgets.protocol import CHUNK_SAMPLES, Notice
from tests.signals import Array, babble

SOUND = babble(0.4)
ZEROS = np.zeros(CHUNK_SAMPLES, np.float32)
FAINT = SOUND * 1e-3
SHIFTED = SOUND * 0.1 + np.float32(0.2)


def watch(*parts: tuple[Array, int] | tuple[Array, int, tuple[str, ...]]) -> tuple[list[Notice], list[tuple[str, ...]]]:
    """Notices and flags of chunks, given as (samples, how many, flags)."""
    state, told, seen, chunk = InputWatch(), [], [], 0
    for samples, count, *rest in parts:
        for _ in range(count):
            state, flags, notices = state.after(chunk, samples, rest[0] if rest else ())
            told += notices
            seen.append(flags)
            chunk += 1
    return told, seen


def short(notices: list[Notice]) -> list[tuple[int, str, str]]:
    return [(notice.chunk, notice.kind, notice.data["phase"]) for notice in notices]


def test_sound_is_not_told_of() -> None:
    assert watch((SOUND, 200)) == ([], [()] * 200)


def test_a_muted_device() -> None:
    told, _ = watch((SOUND, 3), (ZEROS, 40), (SOUND, 2))
    assert short(told) == [(27, "silent_input", "begins"), (43, "silent_input", "ends")]
    assert "digital silence for 10 s: a muted device" in told[0].message
    assert "after 16.0 s" in told[1].message


def test_a_pause_between_two_sounds_is_no_fault() -> None:
    assert watch((SOUND, 3), (ZEROS, 24), (SOUND, 3), (ZEROS, 24))[0] == []


def test_a_level_that_is_too_low() -> None:
    told, _ = watch((FAINT, 80), (SOUND, 1))
    assert short(told) == [(74, "faint_input", "begins"), (80, "faint_input", "ends")]
    assert "below −60 dBFS for 30 s" in told[0].message


def test_a_muted_device_is_not_told_of_twice() -> None:
    assert short(watch((ZEROS, 200))[0]) == [(24, "silent_input", "begins")]


def test_a_constant_offset() -> None:
    told, flags = watch((SOUND, 2), (SHIFTED, 10), (SOUND, 8))
    assert short(told) == [(6, "dc_offset", "begins"), (16, "dc_offset", "ends")]
    assert "+0.20 of full scale" in told[0].message
    assert flags[2:12] == [("dc_offset",)] * 10
    assert "after 4.0 s" in told[1].message


@pytest.mark.parametrize("kind", ["channels_cancel", "repaired"])
def test_what_was_mended_on_its_way(kind: str) -> None:
    told, flags = watch((SOUND, 1), (SOUND, 6, (kind,)), (SOUND, 60), (SOUND, 1, (kind,)))
    assert [phase for _, told_of, phase in short(told) if told_of == kind] == ["begins", "ends", "begins"]
    assert flags[1:7] == [(kind,)] * 6
    assert "after 2.4 s" in told[1].message


def test_the_silence_after_a_clip_is_not_input() -> None:
    assert watch((ZEROS, 100, ("tail",)), (ZEROS, 1, ("padded",)))[0] == []


@given(st.lists(st.sampled_from([SOUND, ZEROS, FAINT, SHIFTED]), max_size=20), st.integers(1, 30))
def test_what_begins_ends_before_it_begins_again(kinds: list[Array], each: int) -> None:
    told, _ = watch(*((samples, each) for samples in kinds))
    for kind in CONDITIONS:
        phases = [notice.data["phase"] for notice in told if notice.kind == kind]
        assert phases[:1] in ([], ["begins"])
        assert all(first != second for first, second in pairwise(phases))
