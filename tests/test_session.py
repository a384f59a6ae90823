"""Perceive, decide, respond: the sequence of docs/protocol.md §3 token for token, and the events it makes."""

from __future__ import annotations

from time import perf_counter, time

import numpy as np
import pytest
import torch

from ai_widgets.audio.intake import ChunkAudio
from ai_widgets.audio.origin import Origin
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.session.perceive import Listener
from ai_widgets.session.session import StreamingSession
from ai_widgets.settings import Settings
from ai_widgets.special_tokens import Emotion
from tests.reference_checkpoint import TOY_PROMPT
from tests.scripted import scripted, spell
from tests.signals import babble

ONE = np.zeros(CHUNK_SAMPLES, np.float32)


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


@pytest.fixture
def ids(toy: Model) -> dict[str, int]:
    return dict(toy.traits.tokens.ids)


@pytest.fixture
def happy(toy: Model) -> int:
    return toy.traits.tokens.emotions[Emotion.HAPPY]


class TestSequence:
    def test_token_for_token(self, toy: Model, ids: dict[str, int], happy: int) -> None:
        model, decoder = scripted(toy, ".T..", [[happy, *spell("ok")]])
        list(StreamingSession(model).push(np.zeros(4 * CHUNK_SAMPLES, np.float32)))
        block = [ids["AUDIO_BEGIN"], *[ids["PAD"]] * 10, ids["ASSISTANT"]]
        prompt = list(TOY_PROMPT.encode())
        begin, keep = ids["TEXT_BEGIN"], ids["KEEP_SILENCE"]
        prefix = [ids["ONLINE"], ids["ENGLISH"], begin, begin, *prompt, ids["TEXT_END"]]
        assert [fed.tokens for fed in decoder.fed] == [
            prefix + block,
            [keep, *block],
            [begin],
            [happy],
            spell("o"),
            spell("k"),
            [ids["TEXT_END"], *block],
            [keep, *block],
        ]

    def test_positions_are_consecutive_and_a_decision_costs_thirteen(self, toy: Model) -> None:
        model, decoder = scripted(toy, "..T.", [spell("ab")])
        session = StreamingSession(model)
        events = list(session.push(np.zeros(4 * CHUNK_SAMPLES, np.float32)))
        ends = [fed.start + len(fed.tokens) for fed in decoder.fed]
        assert [fed.start for fed in decoder.fed] == [0, *ends[:-1]]
        assert [len(fed.tokens) for fed in decoder.fed][1:] == [13, 13, 1, 1, 1, 13]
        positions = [event.position for event in events if isinstance(event, (Decision, Token))]
        # TEXT_END is read at a position too, and is no event.
        assert [*positions[:5], ends[5] - 1, positions[5]] == [end - 1 for end in ends]
        assert session.position == ends[-1]

    def test_each_blocks_slots_hold_the_frames_of_its_chunk(self, toy: Model) -> None:
        model, decoder = scripted(toy)
        session = StreamingSession(model)
        samples = babble(1.2)
        list(session.push_clip(samples, tail_silence=0))
        from ai_widgets.audio.features import log_mel

        frames = toy.encoder.encode(log_mel(samples))
        for number, fed in enumerate(decoder.fed):
            assert fed.frames is not None
            torch.testing.assert_close(fed.frames, frames[number], atol=1e-6, rtol=0)
            slots = fed.tokens[fed.frames_at : fed.frames_at + 10]
            assert set(slots) == {toy.traits.tokens["PAD"]}

    def test_the_system_prompt_can_be_changed(self, toy: Model) -> None:
        for prompt in ("Say ü.", ""):
            model, decoder = scripted(toy)
            list(StreamingSession(model, Settings(system_prompt=prompt)).push(ONE))
            assert decoder.fed[0].tokens[4:-13] == list(prompt.encode())

    def test_at_most_one_reply_a_chunk(self, toy: Model) -> None:
        """A reply that ends at once is followed by the next chunk, not by another reply."""
        model, decoder = scripted(toy, "TT", [[], []])
        events = list(StreamingSession(model).push(np.zeros(2 * CHUNK_SAMPLES, np.float32)))
        assert [turn.chunk for turn in events if isinstance(turn, Turn)] == [0, 1]
        assert [len(fed.tokens) for fed in decoder.fed][1:] == [1, 13, 1]


class TestEvents:
    def test_their_order(self, toy: Model) -> None:
        model, _ = scripted(toy, ".T", [spell("hi")])
        events = list(StreamingSession(model).push(np.zeros(2 * CHUNK_SAMPLES, np.float32)))
        assert kinds(events) == [
            *["chunk", "decision", "timing"],
            *["chunk", "decision", "token", "token", "turn", "timing"],
        ]
        assert [event.chunk for event in events] == [0] * 3 + [1] * 6

    def test_a_turn(self, toy: Model, happy: int) -> None:
        model, _ = scripted(toy, "..T", [[happy, *spell("hello")]])
        session = StreamingSession(model)
        events = list(session.push(np.zeros(3 * CHUNK_SAMPLES, np.float32)))
        turn = next(event for event in events if isinstance(event, Turn))
        assert turn == Turn(2, 0, 0, 0.8, Emotion.HAPPY, "hello", (happy, *spell("hello")), "TEXT_END")
        tokens = [event for event in events if isinstance(event, Token)]
        assert [token.index for token in tokens] == list(range(6))
        assert [token.token for token in tokens] == list(turn.tokens)
        assert [token.text for token in tokens] == ["", "h", "e", "l", "l", "o"]

    def test_without_an_emotion_the_first_token_is_text(self, toy: Model, happy: int) -> None:
        model, _ = scripted(toy, "TT", [spell("yes"), [*spell("a"), happy, *spell("b")]])
        events = list(StreamingSession(model).push(np.zeros(2 * CHUNK_SAMPLES, np.float32)))
        turns = [event for event in events if isinstance(event, Turn)]
        assert [(turn.emotion, turn.text) for turn in turns] == [(None, "yes"), (None, "ab")]

    def test_an_empty_reply(self, toy: Model) -> None:
        model, _ = scripted(toy, "T", [[]])
        events = list(StreamingSession(model).push(ONE))
        assert [event for event in events if isinstance(event, Turn)] == [Turn(0, 0, 0, 0.0, None, "", (), "TEXT_END")]

    def test_chunks_carry_time_level_and_flags(self, toy: Model) -> None:
        model, _ = scripted(toy)
        session = StreamingSession(model)
        loud = np.tile([1.0, -1.0], CHUNK_SAMPLES // 2)
        loud[100] = np.nan
        events = [*session.push(np.concatenate([loud, ONE, ONE[:10]])), *session.finish(0.4)]
        chunks = [event for event in events if isinstance(event, Chunk)]
        assert [chunk.start_s for chunk in chunks] == pytest.approx([0, 0.4, 0.8, 1.2])
        assert chunks[0].rms_db == pytest.approx(0, abs=0.01)
        assert chunks[1].rms_db == -120
        assert chunks[0].envelope == (1.0,) * 16
        assert set(chunks[0].flags) == {"clipped", "repaired"}
        assert "padded" in chunks[2].flags
        assert chunks[3].flags == ("tail",)

    def test_every_chunk_is_timed(self, toy: Model) -> None:
        model, _ = scripted(toy, ".T", [spell("x")])
        events = list(StreamingSession(model).push(babble(0.8)))
        first, second = (event for event in events if isinstance(event, Timing))
        assert min(first.features_ms, first.tower_ms, first.decide_ms) > 0
        assert first.reply_ms == 0 < second.reply_ms
        assert (first.queue_ms, second.queue_ms) == (0, 0)

    def test_the_record_holds_what_the_iterator_gave(self, toy: Model) -> None:
        session = StreamingSession(toy)
        events = list(session.push(babble(4)))
        assert session.record.events == tuple(events)
        np.testing.assert_array_equal(session.record.audio, babble(4))


class TestFigures:
    @pytest.fixture(scope="class")
    def events(self, toy: Model) -> list[Event]:
        session = StreamingSession(toy, Settings(max_reply_tokens=30, alternatives=4))
        events = list(session.push_clip(babble(16)))
        assert {event.choice for event in events if isinstance(event, Decision)} == {"KEEP_SILENCE", "TEXT_BEGIN"}
        return events

    def test_the_masses_add_up(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Decision):
                assert event.p_keep + event.p_text + event.p_other == pytest.approx(1, abs=1e-6)
                assert min(event.p_keep, event.p_text, event.p_other) >= 0

    def test_logits_and_masses_agree(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Decision):
                odds = np.exp(np.float64(event.logit_text) - event.logit_keep)
                assert event.p_text == pytest.approx(event.p_keep * odds, rel=1e-3, abs=1e-9)

    def test_the_token_is_its_choice(self, events: list[Event], toy: Model) -> None:
        for event in events:
            if isinstance(event, Decision):
                assert event.token == toy.traits.tokens[event.choice]
                assert 0 < event.p_drawn <= 1

    def test_alternatives_are_the_likeliest_by_name(self, events: list[Event], toy: Model) -> None:
        for event in events:
            if isinstance(event, (Decision, Token)):
                assert len(event.alternatives) >= 4
                assert event.token in {alternative.token for alternative in event.alternatives}
                assert event.alternatives[0].token == event.argmax
                masses = [alternative.p for alternative in event.alternatives]
                assert masses == sorted(masses, reverse=True)
                for alternative in event.alternatives:
                    assert alternative.text == toy.token_text(alternative.token)
        named = {alternative.text for e in events if isinstance(e, Decision) for alternative in e.alternatives}
        assert {"KEEP_SILENCE", "TEXT_BEGIN"} <= named

    def test_a_tokens_mass_is_among_the_alternatives(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Token):
                shown = {alternative.token: alternative.p for alternative in event.alternatives}
                assert event.p == pytest.approx(shown.get(event.token, event.p), rel=1e-5)

    def test_turns_come_from_decisions(self, events: list[Event]) -> None:
        begun = [event.chunk for event in events if isinstance(event, Decision) and event.choice == "TEXT_BEGIN"]
        turns = [event for event in events if isinstance(event, Turn)]
        assert [turn.chunk for turn in turns] == begun
        assert [turn.turn for turn in turns] == list(range(len(turns)))
        assert not [event for event in events if isinstance(event, Notice) and event.kind != "limit"]


class TestInsight:
    """What an inspector shows of a step is what happened in it."""

    def test_a_decision_says_what_was_fed_and_how_it_was_drawn(self, toy: Model, ids: dict[str, int]) -> None:
        model, decoder = scripted(toy, ".T.", [spell("ok")])
        session = StreamingSession(model, Settings(temperature=0.5, top_k=0, bias=0.25, seed=7))
        decisions = [e for e in session.push(np.zeros(3 * CHUNK_SAMPLES, np.float32)) if isinstance(e, Decision)]
        steps = [fed for fed in decoder.fed if fed.frames is not None]
        for decision, fed in zip(decisions, steps, strict=True):
            assert [*decision.before] == fed.tokens[: fed.frames_at - 1]
            assert decision.used == decision.position + 1 == fed.start + len(fed.tokens)
            assert decision.limit == session.context_limit
            assert decision.oldest == 0
            assert decision.rule == {
                "greedy": False,
                "temperature": 0.5,
                "top_k": None,
                "top_p": 1.0,
                "bias": 0.25,
                "mask": True,
                "seed": 7,
            }
        assert decisions[1].before == (ids["KEEP_SILENCE"],)
        assert decisions[2].before == (ids["TEXT_END"],)

    def test_a_decisions_steps_can_be_followed_with_the_raw_logits(self, toy: Model) -> None:
        session = StreamingSession(toy, Settings(temperature=2.0, bias=0.5, max_reply_tokens=3, alternatives=2))
        for event in session.push(babble(4)):
            if not isinstance(event, Decision):
                continue
            shown = {alternative.text: alternative for alternative in event.alternatives}
            keep, text = shown["KEEP_SILENCE"], shown["TEXT_BEGIN"]
            assert (keep.p, text.p) == (event.p_keep, event.p_text)
            odds = np.exp((event.logit_text + 0.5 - event.logit_keep) / 2.0)
            assert text.scaled == pytest.approx(odds / (1 + odds), rel=1e-9)
            assert shown[event.choice].kept == event.p_drawn

    def test_a_chunk_carries_what_the_model_heard(self, toy: Model) -> None:
        from ai_widgets.audio.features import StreamingLogMel, thumbnail

        samples, live = babble(1.2), StreamingLogMel()
        events = list(StreamingSession(toy, Settings(max_reply_tokens=1)).push(samples))
        heard = [event.mel for event in events if isinstance(event, Chunk)]
        assert heard == [thumbnail(live.push(chunk)) for chunk in samples.reshape(3, -1)]

    @pytest.mark.parametrize(
        ("waited_s", "microphone", "late"), [(0.0, True, False), (0.5, True, True), (0.5, False, False)]
    )
    def test_audio_of_a_microphone_that_waited_is_late(
        self, toy: Model, waited_s: float, microphone: bool, late: bool
    ) -> None:
        model, _ = scripted(toy)
        origin = Origin(2, 4, microphone, arrived=perf_counter() - waited_s)
        heard = Listener(model).hear(ChunkAudio(ONE, origin=origin))
        before = time()
        events = list(StreamingSession(model).step(heard))
        chunk, timing = events[0], events[-1]
        assert isinstance(chunk, Chunk)
        assert isinstance(timing, Timing)
        assert ("late" in chunk.flags) == late
        assert (timing.stream, timing.seq) == (2, 4)
        if microphone:
            assert timing.encode_wait_ms >= waited_s * 1e3
            assert timing.queue_ms >= timing.encode_wait_ms - 1
        else:
            # A file has no deadline: what is shown of its time is the model's work.
            assert (timing.encode_wait_ms, timing.queue_ms) == (0, 0)
        assert timing.decided_ms - timing.arrived_ms >= waited_s * 1e3
        assert before * 1e3 - 5 <= timing.decided_ms <= time() * 1e3 + 5
