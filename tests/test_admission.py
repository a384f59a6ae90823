"""Audio at the door: what the policies take and refuse, and that every refusal is counted and told."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.audio.origin import Origin
from ai_widgets.errors import SettingError
from ai_widgets.widget.live_settings import Arrival, LiveSettings, Overload, parted
from ai_widgets.widget.stages.admission import MOST_WAITING, Admission, Verdict
from tests.signals import Array

ARRIVALS, OVERLOADS = get_args(Arrival), get_args(Overload)

LOUD: Array = np.full(1600, 0.3, np.float32)
QUIET: Array = np.full(1600, 0.001, np.float32)


def judged(
    door: Admission, samples: Array = LOUD, mic: bool = True, speaking: bool = False, waiting: int = 0, **live: Any
) -> Verdict:
    return door.judge(samples, 16_000, Origin(1, 0, mic), LiveSettings.of(live), lambda: speaking, waiting)


class TestArrival:
    def test_keep_takes_all_and_flags_what_arrives_during_a_reply(self) -> None:
        assert judged(Admission(), speaking=True) == Verdict(True, ("waited",))
        assert judged(Admission(), speaking=False) == Verdict(True)

    @pytest.mark.parametrize("mic", [True, False])
    def test_silence_that_the_page_sent_for_the_microphone_is_flagged(self, mic: bool) -> None:
        origin = Origin(1, 0, mic)
        verdict = Admission().judge(QUIET, 16_000, origin, LiveSettings(), lambda: False, 0, gated=True)
        assert verdict == Verdict(True, ("gated",))

    def test_drop_leaves_out_while_it_speaks_and_tells_afterwards(self) -> None:
        door = Admission()
        for _ in range(7):
            assert judged(door, speaking=True, arrival="drop") == Verdict(False)
        after = judged(door, arrival="drop")
        assert (after.taken, after.flags) == (True, ("dropped",))
        (notice,) = after.before
        assert (notice.kind, notice.data) == ("dropped", {"chunks": 2, "seconds": 0.7, "why": "speaking"})
        assert notice.message == "0.7 s of audio were dropped: the model was speaking."
        assert door.dropped_s == pytest.approx(0.7)
        assert judged(door, arrival="drop") == Verdict(True)

    def test_a_gap_at_the_end_is_told_too(self) -> None:
        door = Admission()
        judged(door, speaking=True, arrival="drop")
        assert [notice.kind for notice in door.end()] == ["dropped"]
        assert door.end() == []

    @pytest.mark.parametrize(
        ("samples", "speaking", "interrupts"), [(LOUD, True, True), (QUIET, True, False), (LOUD, False, False)]
    )
    def test_interrupt_needs_sound(self, samples: Array, speaking: bool, interrupts: bool) -> None:
        verdict = judged(Admission(), samples, speaking=speaking, arrival="interrupt")
        assert (verdict.taken, verdict.interrupts) == (True, interrupts)

    @pytest.mark.parametrize("arrival", ARRIVALS)
    def test_files_are_kept(self, arrival: str) -> None:
        assert judged(Admission(), mic=False, speaking=True, arrival=arrival) == Verdict(True)


class TestOverload:
    @pytest.mark.parametrize("overload", ["lag", "drop_oldest"])
    def test_what_arrives_is_taken(self, overload: str) -> None:
        assert judged(Admission(), waiting=60, overload=overload, overload_chunks=50) == Verdict(True)

    def test_pause_refuses_until_half_is_decided(self) -> None:
        door, rules = Admission(), {"overload": "pause", "overload_chunks": 10}
        assert judged(door, waiting=9, **rules).taken
        first = judged(door, waiting=10, **rules)
        assert not first.taken
        assert "dropped until the model has caught up" in first.warning
        assert [(notice.kind, notice.data["waiting"]) for notice in first.before] == [("paused", 10)]
        for waiting in (12, 9, 6):
            assert judged(door, waiting=waiting, **rules) == Verdict(False)
        again = judged(door, waiting=5, **rules)
        assert (again.taken, again.flags) == (True, ("dropped",))
        assert [notice.kind for notice in again.before] == ["dropped", "resumed"]
        assert again.before[0].data == {"chunks": 1, "seconds": 0.4, "why": "overload"}
        assert judged(door, waiting=9, **rules) == Verdict(True)

    def test_a_file_waits_for_itself(self) -> None:
        assert judged(Admission(), mic=False, waiting=60, overload="pause", overload_chunks=50).taken

    @pytest.mark.parametrize("mic", [True, False])
    def test_no_sender_fills_the_memory(self, mic: bool) -> None:
        door = Admission()
        verdict = judged(door, mic=mic, waiting=MOST_WAITING)
        assert not verdict.taken
        assert "10 minutes" in verdict.warning
        assert judged(door, mic=mic, waiting=MOST_WAITING) == Verdict(False)
        assert judged(door, mic=mic).before[0].data["why"] == "full"

    def test_drop_oldest_evicts_queued_chunks_of_a_microphone_only(self) -> None:
        door, rules = Admission(), LiveSettings.of({"overload": "drop_oldest", "overload_chunks": 3})
        assert [door.evicts(Origin(1, 0, True), rules, waiting) for waiting in (3, 4)] == [False, True]
        assert not door.evicts(Origin(1, 0, False), rules, 60)
        assert not door.evicts(Origin(1, 0, True), LiveSettings(), 60)

    def test_evicted_chunks_are_counted_and_told_once(self) -> None:
        door = Admission()
        assert door.end_eviction() is None
        for _ in range(3):
            door.evict()
        notice = door.end_eviction()
        assert notice is not None
        assert (notice.kind, notice.data) == ("dropped", {"chunks": 3, "seconds": 1.2, "why": "overload"})
        assert door.end_eviction() is None
        assert (door.evicted, door.dropped_s) == (3, pytest.approx(1.2))

    def test_one_gap_follows_another(self) -> None:
        door = Admission()
        judged(door, speaking=True, arrival="drop")
        second = judged(door, waiting=10, arrival="drop", overload="pause", overload_chunks=10)
        assert [notice.kind for notice in second.before] == ["dropped", "paused"]
        assert [notice.data.get("why") for notice in door.end()] == ["overload", "overload"]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.booleans(),
            st.integers(0, 60),
            st.sampled_from(ARRIVALS),
            st.sampled_from(OVERLOADS),
        ),
        max_size=60,
    )
)
def test_what_is_refused_is_what_is_told(steps: list[tuple[bool, bool, int, str, str]]) -> None:
    door, refused, told = Admission(), 0, []
    for mic, speaking, waiting, arrival, overload in steps:
        verdict = judged(door, LOUD, mic, speaking, waiting, arrival=arrival, overload=overload, overload_chunks=20)
        refused += not verdict.taken
        told += verdict.before
    told += door.end()
    gaps = [notice.data["seconds"] for notice in told if notice.kind == "dropped"]
    assert sum(gaps) == pytest.approx(refused * 0.1, abs=1e-3)
    assert door.dropped_s == pytest.approx(refused * 0.1)
    kinds = [notice.kind for notice in told if notice.kind in ("paused", "resumed")]
    assert kinds == ["paused", "resumed"] * (len(kinds) // 2)


class TestLiveSettings:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"arrival": "later"}, "arrival must be one of keep, drop, interrupt"),
            ({"arrival": ["keep"]}, "arrival must be one of"),
            ({"overload": None}, "overload must be one of lag, drop_oldest, pause"),
            ({"reading": "aloud"}, "reading must be one of mute, listen"),
            ({"overload_chunks": 0}, "overload_chunks must be a whole number from 1"),
            ({"overload_chunks": True}, "overload_chunks must be"),
            ({"auto_gain": 1}, "auto_gain must be True or False"),
            ({"device": "x" * 501}, "device must be text"),
            ({"arival": "keep"}, "did you mean arrival"),
        ],
    )
    def test_bad_ones(self, changes: dict[str, Any], words: str) -> None:
        with pytest.raises(SettingError, match=words):
            LiveSettings().changed(**changes)

    def test_names_are_parted(self) -> None:
        changes = {"temperature": 0.5, "arrival": "drop", "seed": 3}
        assert parted(changes) == ({"temperature": 0.5, "seed": 3}, {"arrival": "drop"})
        with pytest.raises(SettingError, match="did you mean overload_chunks"):
            parted({"overload_chunk": 3})
        with pytest.raises(SettingError, match="no setting of that name"):
            parted({"x" * 1000: 3})
