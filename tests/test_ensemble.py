"""`Ensemble`: several sessions on one model, with the records of sessions alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from torch import Tensor

import ai_widgets as aiw
from ai_widgets.errors import AudioError, EnsembleError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.model.context import Context
from ai_widgets.model.decoder import Decoder
from ai_widgets.policies import Energy
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Notice, Token
from ai_widgets.session.session import StreamingSession
from tests.interrupting import check
from tests.scripted import scripted, spell
from tests.signals import babble
from tests.test_together import same

SECONDS = (2.4, 1.3, 2.0)
SOUNDS = [babble(seconds, place) for place, seconds in enumerate(SECONDS)]


def test_every_session_has_the_record_that_it_has_alone(toy: Model) -> None:
    """Blocks of 0.3 s at 44.1 kHz, of which one session gets none at every second tick, another none at the end."""
    with aiw.Ensemble(toy, 3, seed=range(3), bias=1.0, max_reply_tokens=4) as many:
        alone = [toy.session(seed=seed, bias=1.0, max_reply_tokens=4) for seed in range(3)]
        told = 0
        for tick in range(8):
            blocks = [
                sound[tick * 13_230 :][:13_230] if place != tick % 2 else None for place, sound in enumerate(SOUNDS)
            ]
            blocks = [None if block is None or not len(block) else block for block in blocks]
            told += sum(len(events) for events in many.push(blocks, rate=44_100))
            for session, block in zip(alone, blocks, strict=True):
                if block is not None:
                    session.push(block, rate=44_100)
        told += sum(len(events) for events in many.finish(0.8))
        for among, session in zip(many, alone, strict=True):
            session.finish(0.8)
            same(session, among)
            check(among, complete=True)
        assert told == sum(len(session.record) for session in many)
    assert all(session.closed for session in many)


def test_the_forward_passes_of_a_tick_are_one(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    heights: list[int] = []
    advance_many = Decoder.advance_many

    def counted(self: Decoder, contexts: Sequence[Context], embeddings: Sequence[Tensor]) -> Tensor:
        heights.append(len(contexts))
        return advance_many(self, contexts, embeddings)

    monkeypatch.setattr(Decoder, "advance_many", counted)
    many = aiw.Ensemble(toy, 5, bias=-1000.0)
    many.push([babble(0.8)] * 5)
    assert heights == [5, 5]


class TestSettings:
    def test_a_list_gives_each_session_its_own(self, toy: Model) -> None:
        many = aiw.Ensemble(toy, 2, seed=[4, 7], bias=0.5, system_prompt="Hello")
        assert [(s.settings.seed, s.settings.bias) for s in many] == [(4, 0.5), (7, 0.5)]
        many[1].change(bias=-1.0)
        assert [s.settings.bias for s in many] == [0.5, -1.0]

    @pytest.mark.parametrize(
        ("settings", "name"), [({"seed": [1, 2, 3]}, "seed"), ({"n": -1}, "n"), ({"n": 1.5}, "n"), ({"sed": 0}, "sed")]
    )
    def test_what_is_not_possible_is_refused(self, toy: Model, settings: dict[str, object], name: str) -> None:
        with pytest.raises(SettingError) as refused:
            aiw.Ensemble(toy, **{"n": 2, **settings})  # type: ignore[arg-type]
        assert refused.value.names == (name,)

    def test_the_number_of_blocks_is_that_of_the_sessions(self, toy: Model) -> None:
        many = aiw.Ensemble(toy, 2)
        with pytest.raises(SettingError, match="each of the 2 sessions, or None, not 1"):
            many.push([babble(0.4)])
        assert [len(session.record) for session in many] == [0, 0]


class TestMembers:
    def test_sessions_join_and_leave_between_two_calls(self, toy: Model) -> None:
        many = aiw.Ensemble(toy, 1, bias=-1000.0)
        many.push([babble(0.8)])
        fork = many[0].fork(1, bias=1000.0, max_reply_tokens=2)
        assert many.join(fork) is fork
        newest = many.join(seed=3)
        events = many.push([None, None, babble(0.4)])
        assert [len(each) > 0 for each in events] == [False, False, True]
        assert [e.choice for e in fork.record.of_type(Decision)] == ["KEEP_SILENCE"]
        assert many.run_on()[1]
        assert [e.choice for e in fork.record.of_type(Decision)] == ["KEEP_SILENCE", "TEXT_BEGIN"]
        assert many.leave(1) is fork
        assert many.leave(newest) is newest
        assert (len(many), newest.closed) == (1, False)
        newest.push(babble(0.4))
        assert len(newest.record.of_type(Chunk)) == 2

    def test_only_open_sessions_that_are_not_there_join(self, toy: Model) -> None:
        many, closed = aiw.Ensemble(toy, 1), toy.session()
        closed.close()
        for session in (many[0], closed):
            with pytest.raises(SessionError, match="cannot join"):
                many.join(session)
        with pytest.raises(SettingError, match=r"session\.change"):
            many.join(toy.session(), bias=1.0)
        for wrong in (5, toy.session()):
            with pytest.raises(SessionError, match="no such session"):
                many.leave(wrong)

    def test_sessions_of_several_models_and_policies_are_in_one_ensemble(self, toy: Model) -> None:
        many = aiw.Ensemble(toy, 1)
        many.join(StreamingSession(Energy()))
        many.join(StreamingSession(scripted(toy, "T", [spell("a")])[0]))
        many.push([babble(0.8)] * 3)
        assert [len(session.record.of_type(Decision)) for session in many] == [2, 2, 2]


class TestFailures:
    def test_the_others_go_on_where_one_fails(self, toy: Model) -> None:
        broken, _ = scripted(toy, ".E.", E=RuntimeError("broken"))
        many = aiw.Ensemble(toy, 2, bias=-1000.0)
        many.join(StreamingSession(broken))
        many.join().close()
        blocks = [babble(1.2), np.zeros((3, 3, 3)), babble(1.2), babble(0.4)]
        with pytest.raises(EnsembleError, match=r"Session 1 failed \(and 2 more") as failed:
            many.push(blocks)
        kinds = {place: type(error) for place, error in failed.value.errors.items()}
        assert kinds == {1: AudioError, 2: RuntimeError, 3: SessionError}
        assert [len(s.record.of_type(Decision)) for s in many] == [3, 0, 1, 0]
        assert [len(events) for events in failed.value.events] == [len(s.record) for s in many]
        assert [n.kind for n in many[2].record.of_type(Notice) if n.kind == "undecided"] == ["undecided"]
        # What was pending in the session that failed is decided by the next call.
        many.leave(3)
        many.push([None, babble(0.4), None])
        many.run_on()
        assert [len(s.record.of_type(Decision)) for s in many] == [3, 1, 2]

    def test_an_interrupt_ends_the_replies(self, toy: Model) -> None:
        def interrupt(_: object) -> None:
            if len(many[0].record.of_type(Token)) == 3:
                many.interrupt()

        model, _ = scripted(toy, "T", [spell("abcdefgh")], during=interrupt)
        many = aiw.Ensemble(model, 1)
        many.push([babble(CHUNK_SAMPLES / 16_000)])
        assert [turn.ended for turn in many[0].record.of_type(aiw.Turn)] == ["interrupted"]
        assert 3 <= len(many[0].record.of_type(Token)) <= 4


def test_leaving_the_block_decides_what_is_pending(toy: Model) -> None:
    with aiw.Ensemble(toy, 0) as many:
        session = many.join(bias=-1000.0)
        session.stream(babble(0.8))
    assert len(session.record.of_type(Decision)) == 2
