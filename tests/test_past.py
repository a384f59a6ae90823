"""What a fork takes from its session, on the thread that decides: it costs the same at every age of the session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk
from ai_widgets.record import event_store
from ai_widgets.record.record import SessionRecord
from ai_widgets.session.past_chunks import PastChunks
from ai_widgets.session.session import StreamingSession
from tests.signals import babble


class Reads:
    """Counts the events that are read from a record."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        get, each = event_store.EventStore.get, event_store.EventStore.each

        def counted_get(store: Any, first: int, last: int) -> Any:
            found = get(store, first, last)
            self.count += len(found)
            return found

        def counted_each(store: Any, kind: Any) -> Any:
            for event in each(store, kind):
                self.count += 1
                yield event

        monkeypatch.setattr(event_store.EventStore, "get", counted_get)
        monkeypatch.setattr(event_store.EventStore, "each", counted_each)

    def of_a_past(self, session: StreamingSession, **changed: Any) -> int:
        before = self.count
        session.past(session.chunks_done - 2, None, changed.pop("audio", None), changed)
        return self.count - before


@pytest.mark.parametrize("keep", [False, True])
def test_it_reads_as_few_events_of_an_old_session_as_of_a_young_one(
    toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    session = toy.session(SessionRecord(keep=tmp_path / "talk.aiw" if keep else None), max_reply_tokens=1)
    reads, counts = Reads(monkeypatch), []
    for _ in range(3):
        session.push(babble(8))
        counts.append((reads.of_a_past(session), reads.of_a_past(session, bias=0.5)))
    assert counts[0] == counts[1] == counts[2]
    assert max(counts[0]) <= 3


def test_the_past_is_shared_and_not_copied(toy: Model) -> None:
    """The fork is made of it later, while the original goes on: it has the events of its time."""
    session = toy.session(max_reply_tokens=1)
    session.push(babble(4))
    past = session.past(5, None, None, {})
    straight = session.fork(5)
    session.push(babble(2))
    loop, record = past.fork()
    later = StreamingSession.around(toy, loop, record)
    assert [type(event) for event in later.run_on()] == [type(event) for event in straight.run_on()]
    assert later.chunks_done == 10


def test_an_unusable_setting_is_refused_at_once(toy: Model) -> None:
    session = toy.session(max_reply_tokens=1)
    session.push(babble(2))
    with pytest.raises(SettingError):
        session.past(2, None, None, {"system_prompt": "x" * 100_000})


class TestPastChunks:
    def record(self, chunks: int) -> SessionRecord:
        record = SessionRecord(0)
        for chunk in range(chunks):
            record.append_audio(np.zeros(6_400, np.float32))
            record.append(Chunk(chunk, 0, chunk * 0.4, -20.0, ()))
        return record

    def test_it_is_the_events_of_the_chunks_so_far(self) -> None:
        record = self.record(7)
        chunks = PastChunks(record, 5)
        assert list(chunks) == record.of_type(Chunk)[:5]
        assert chunks[-1] == chunks[4]
        assert chunks[1:3] == record.of_type(Chunk)[1:3]
        with pytest.raises(IndexError):
            chunks[5]

    def test_a_record_of_other_sessions_is_refused(self, toy: Model) -> None:
        session = toy.session(self.record(3), max_reply_tokens=1)
        session.push(babble(1))
        with pytest.raises(SessionError, match="other sessions"):
            session.fork(1)
