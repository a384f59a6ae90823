"""What a page changes in a branch: forced decisions and other audio of a span, checked before anything runs."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import MessageError, SessionError
from ai_widgets.protocol import CHUNK_SAMPLES
from ai_widgets.record.chunk_names import MOST_RUNS, chunk_names
from ai_widgets.widget.branches.asked import asked_change
from ai_widgets.widget.branches.branch import Change
from ai_widgets.widget.wire.branch_messages import Fork
from ai_widgets.widget.wire.limits import MAX_BLOCK_BYTES, MAX_SPAN
from ai_widgets.widget.wire.parsing import parse
from tests.page import Page, settled
from tests.test_branches import PATIENCE, branch_of, chunks, ended

HEARD = 10
SOUND = (np.arange(CHUNK_SAMPLES + 100) / 1e5).astype("<f4")


def asked(samples: Any = None, **fields: Any) -> Change:
    """The change that a message asks for in a session of ten chunks."""
    buffers = [] if samples is None else [samples.tobytes()]
    fork = parse({"type": "fork", "chunk": 4, **fields}, buffers)
    assert isinstance(fork, Fork)
    return asked_change(fork, HEARD)


@pytest.fixture
def heard(page: Page) -> Page:
    """A page whose widget has heard ten chunks."""
    page.widget.feed(chunks(HEARD, 3), 16_000)
    settled(page)
    return page


class TestASpan:
    def test_is_muted_copied_exchanged_or_forced(self) -> None:
        assert asked(audio="mute", span=2).audio == {4: None, 5: None}
        assert asked(audio="copy", span=2, other=7).audio == {4: 7, 5: 8}
        assert asked(audio="copy", span=2, other=5).audio == {4: 5, 5: 6}
        assert asked(force="KEEP_SILENCE", span=2).force == {4: "KEEP_SILENCE", 5: "KEEP_SILENCE"}
        assert asked(force="TEXT_BEGIN").force == "TEXT_BEGIN"
        assert asked().audio is None

    def test_that_is_exchanged_with_an_earlier_one_begins_there(self) -> None:
        change = asked(audio="swap", span=2, other=1)
        assert change.chunk == 1
        assert change.audio == {4: 1, 5: 2, 1: 4, 2: 5}
        assert str(change) == "chunks 1 to 2 and chunks 4 to 5 exchanged"

    def test_has_the_samples_of_the_page_chunk_by_chunk(self) -> None:
        change = asked(SOUND, audio="samples")
        assert change.audio is not None
        assert list(change.audio) == [4, 5]
        np.testing.assert_array_equal(np.concatenate(list(change.audio.values())), SOUND)  # type: ignore[arg-type]
        in_base64 = asked(audio="samples", data=base64.b64encode(SOUND.tobytes()).decode())
        np.testing.assert_array_equal(in_base64.audio[5], SOUND[CHUNK_SAMPLES:])  # type: ignore[index]

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"audio": "mute", "span": 7}, "has heard 10 chunks; chunks 4 to 10 goes beyond"),
            ({"force": "TEXT_BEGIN", "span": 7}, "goes beyond"),
            ({"audio": "copy", "span": 3, "other": 8}, "chunks 8 to 10 goes beyond"),
            ({"audio": "swap", "span": 2, "other": 5}, "Chunks 4 to 5 and chunks 5 to 6 share a chunk"),
            ({"audio": "swap", "other": 4}, "Chunk 4 and chunk 4 share a chunk"),
        ],
    )
    def test_that_is_not_possible_is_refused_with_a_sentence(self, fields: dict[str, Any], sentence: str) -> None:
        with pytest.raises(SessionError, match=sentence):
            asked(**fields)

    def test_of_samples_beyond_the_session_is_refused(self) -> None:
        with pytest.raises(SessionError, match=r"fills 2 chunks; from chunk 9 on the session has heard 1 \(0.4 s\)"):
            asked(SOUND, audio="samples", chunk=9)

    @pytest.mark.parametrize(
        ("fields", "buffers"),
        [
            ({"audio": "samples"}, []),
            ({"audio": "samples"}, [b""]),
            ({"audio": "samples"}, [b"abc"]),
            ({"audio": "samples"}, [bytes(MAX_BLOCK_BYTES + 4)]),
            ({"audio": "samples", "data": "?"}, []),
            ({"audio": "loud"}, []),
            ({"span": 0}, []),
            ({"span": MAX_SPAN + 1}, []),
            ({"other": -1}, []),
        ],
    )
    def test_a_message_that_is_none_is_refused(self, fields: dict[str, Any], buffers: list[bytes]) -> None:
        with pytest.raises(MessageError):
            parse({"type": "fork", "chunk": 4, **fields}, buffers)


class TestABranch:
    def test_hears_what_the_page_asked_for(self, heard: Page) -> None:
        heard.send({"type": "fork", "chunk": 6, "audio": "swap", "other": 2, "request": 7})
        state = ended(heard, branch_of(heard, 7))
        assert (state["chunk"], state["state"]) == (2, "done")
        original, branch = heard.widget.record, heard.widget.branches[0].record
        for at, of in {2: 6, 6: 2, 5: 5}.items():
            np.testing.assert_array_equal(branch.chunk_audio(at), original.chunk_audio(of))  # type: ignore[arg-type]

    def test_hears_samples_of_the_page(self, heard: Page) -> None:
        heard.send({"type": "fork", "chunk": 3, "audio": "samples", "request": 8}, [SOUND.tobytes()])
        state = ended(heard, branch_of(heard, 8))
        assert state["changed"] == "other audio at chunks 3 to 4"
        sound = heard.widget.branches[0].record.chunk_audio(4)
        assert sound is not None
        np.testing.assert_allclose(sound[:100], SOUND[CHUNK_SAMPLES:], atol=1e-4)
        assert not sound[100:].any()

    def test_that_is_refused_is_a_problem_of_the_page(self, heard: Page) -> None:
        heard.send({"type": "fork", "chunk": 3, "audio": "swap", "other": 3, "page": heard.name})
        heard.until(lambda: bool(heard.of("problem")))
        assert heard.of("problem")[-1]["code"] == "branch"
        assert heard.widget.branches == ()

    def test_of_another_prompt_begins_at_the_start(self, heard: Page) -> None:
        heard.send({"type": "fork", "chunk": 0, "settings": {"system_prompt": "p" * 50}, "request": 9})
        state = ended(heard, branch_of(heard, 9))
        assert state["changed"] == f"system_prompt {'p' * 40}…"
        branch = heard.widget.branches[0]
        assert branch.wait(PATIENCE)
        assert branch.record.chunks_heard == HEARD


class TestNames:
    def test_runs_are_named_by_their_ends(self) -> None:
        assert chunk_names([7]) == "chunk 7"
        assert chunk_names([5, 3, 4, 9]) == "chunks 3 to 5, 9"
        assert chunk_names(range(0, 20, 2)) == "chunks 0, 2, 4, 6 and 6 others"

    @given(st.sets(st.integers(0, 60), min_size=1))
    def test_every_chunk_is_counted(self, given: set[int]) -> None:
        named, _, others = chunk_names(given).removeprefix("chunks").removeprefix("chunk").partition(" and ")
        runs = [tuple(int(end) for end in run.split(" to ")) for run in named.split(",")]
        assert len(runs) <= MOST_RUNS
        found = {chunk for run in runs for chunk in range(run[0], run[-1] + 1)}
        assert found <= given
        assert len(found) + int(others.split()[0] if others else 0) == len(given)
