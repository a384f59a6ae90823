"""`context="slide"`: the oldest chunks leave, whole and with their replies; the rest goes on as if nothing were."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.audio.intake import ChunkAudio
from ai_widgets.errors import ReadOnlyError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Event, Notice, Token, Turn
from ai_widgets.session.framing import Framing
from ai_widgets.session.held import Left, Window
from ai_widgets.session.perceive import Listener
from ai_widgets.session.session import StreamingSession
from ai_widgets.settings import Settings
from tests.events import said
from tests.scripted import scripted, spell
from tests.signals import babble

PREFIX, BLOCK, STEP = 12, 12, 13
FOUR = PREFIX + 4 * STEP + 3
"""Positions of a context of four silent chunks, and so few that a slide leaves no spare room."""


def silence(chunks: int) -> np.ndarray[Any, Any]:
    return np.zeros(chunks * CHUNK_SAMPLES, np.float32)


def of(kind: type, events: Iterable[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def slides(events: Iterable[Event]) -> list[Notice]:
    return [notice for notice in of(Notice, events) if notice.kind == "context_slide"]


class TestSliding:
    def test_it_is_the_default_and_stays_below_2048(self, toy: Model) -> None:
        session = StreamingSession(toy)
        assert (session.settings.context, session.context_limit) == ("slide", 2_000)
        assert session._loop.state.progress.terms.max_new_tokens is None

    def test_the_oldest_leaves_and_the_rest_stays(self, toy: Model) -> None:
        model, decoder = scripted(toy)
        session = StreamingSession(model, Settings(context_limit=FOUR))
        events = list(session.push(silence(9)))
        assert [d.oldest for d in of(Decision, events)] == [0, 0, 0, 0, 1, 2, 3, 4, 5]
        assert [notice.data["chunks"] for notice in slides(events)] == [[n, n] for n in range(5)]
        assert [notice.chunk for notice in slides(events)] == [4, 5, 6, 7, 8]
        # A position stays where it was when nothing leaves, and later every step begins at the same one.
        starts = [fed.start for fed in decoder.fed]
        assert starts == [0, 24, 37, 50, *[PREFIX + 3 * STEP - 1] * 5]
        assert {d.used for d in of(Decision, events)[4:]} == {FOUR - 4}
        assert {d.limit for d in of(Decision, events)} == {FOUR}
        assert session.ended is None

    def test_the_notice_says_what_left(self, toy: Model) -> None:
        model, _ = scripted(toy, "T", [spell("hello")])
        events = list(StreamingSession(model, Settings(context_limit=FOUR)).push(silence(4)))
        (notice,) = slides(events)
        # The block, TEXT_BEGIN, five letters and TEXT_END.
        assert notice.data == {
            "chunks": [0, 0],
            "turns": 1,
            "positions": BLOCK + 7,
            "used": PREFIX + 2 * STEP - 1,
            "limit": FOUR,
        }
        assert (
            notice.message
            == "The oldest 0.4 s of audio and 1 reply were evicted from the context; 37 of 67 positions are used."
        )

    def test_a_slide_makes_spare_room_so_that_not_every_chunk_needs_one(self, toy: Model) -> None:
        model, _ = scripted(toy)
        events = list(StreamingSession(model).push(silence(400)))
        left = [notice.data["chunks"] for notice in slides(events)]
        assert len(left) == 23
        assert {last - first + 1 for first, last in left} == {11}
        # One after the other, nothing twice and nothing passed over.
        assert [first for first, _ in left] == [0, *(last + 1 for _, last in left[:-1])]
        assert max(d.used for d in of(Decision, events)) <= 2_000

    def test_after_the_last_chunk_left_only_the_prefix_is_there(self, toy: Model) -> None:
        """A reply filled the context: it has to leave with its chunk, and its TEXT_END with it."""
        model, decoder = scripted(toy, ".T..", [spell("x" * 60)])
        session = StreamingSession(model, Settings(context_limit=FOUR))
        events = list(session.push(silence(4)))
        decisions = of(Decision, events)
        assert decisions[2].before == ()
        assert (decisions[2].oldest, decisions[2].used) == (2, PREFIX + BLOCK)
        assert decoder.fed[-2].tokens == [*decoder.fed[-1].tokens[1:]]
        assert decoder.fed[-2].start == PREFIX

    @pytest.mark.parametrize(("seconds", "held"), [(0.4, 1), (1.2, 3), (2.0, 5), (2.3, 5)])
    def test_a_limit_in_seconds(self, toy: Model, seconds: float, held: int) -> None:
        model, _ = scripted(toy)
        events = list(StreamingSession(model, Settings(context_seconds=seconds)).push(silence(12)))
        decisions = of(Decision, events)
        assert [d.chunk - d.oldest + 1 for d in decisions] == [min(n + 1, held) for n in range(12)]

    def test_a_long_limit_in_seconds_leaves_spare_room_too(self, toy: Model) -> None:
        model, _ = scripted(toy)
        events = list(StreamingSession(model, Settings(context_seconds=40.0)).push(silence(300)))
        held = [d.chunk - d.oldest + 1 for d in of(Decision, events)]
        assert max(held) == 100
        assert min(held[100:]) == 100 - 6
        assert len(slides(events)) == 200 // 7 + 1

    @pytest.mark.parametrize("context", ["reset", "stop"])
    def test_seconds_bound_the_other_policies_too(self, toy: Model, context: Any) -> None:
        model, _ = scripted(toy)
        events = list(StreamingSession(model, Settings(context=context, context_seconds=1.2)).push(silence(5)))
        kinds = [(notice.kind, notice.chunk) for notice in of(Notice, events)]
        assert kinds == [({"reset": "context_reset", "stop": "context_full"}[context], 3)]
        assert "1.2 s of audio are in it (context_seconds)" in of(Notice, events)[0].message

    def test_where_positions_are_rounded_it_stays_below_2048(self, reference: Model) -> None:
        """The published weights: distances between rounded positions would change with a slide."""
        assert reference.traits.rope_positions == "float16"
        assert reference.positions > 2_048
        assert reference.session(context_limit=4_000).context_limit == 2_048
        assert reference.session(context="stop", context_limit=4_000).context_limit == 4_000


class TestReplies:
    def test_a_reply_that_does_not_fit_slides_on(self, toy: Model) -> None:
        model, decoder = scripted(toy, "...T", [spell("long enough")])
        session = StreamingSession(model, Settings(context_limit=FOUR))
        events = list(session.push(silence(5)))
        (turn,) = of(Turn, events)
        assert (turn.ended, turn.text) == ("TEXT_END", "long enough")
        assert [(notice.chunk, notice.data["chunks"]) for notice in slides(events)] == [(3, [0, 0]), (4, [1, 1])]
        kinds = [event.type for event in events if event.chunk == 3]
        assert kinds == ["chunk", "decision", *["token"] * 4, "notice", *["token"] * 7, "turn", "timing"]
        assert max(fed.start + len(fed.tokens) for fed in decoder.fed) <= FOUR

    def test_a_reply_that_never_ends_runs_into_the_limit(self, toy: Model) -> None:
        model, _ = scripted(toy, "..T..", [spell("x" * 500)])
        session = StreamingSession(model, Settings(context_limit=FOUR))
        events = list(session.push(silence(5)))
        (turn,) = of(Turn, events)
        # Its own block stays, and so does the prefix.
        assert (turn.ended, len(turn.tokens)) == ("limit", FOUR - PREFIX - BLOCK)
        assert [(notice.kind, notice.chunk) for notice in of(Notice, events)] == [
            *[("context_slide", 2)] * 2,
            ("limit", 2),
            ("context_slide", 3),
        ]
        assert len(of(Decision, events)) == 5

    def test_an_interrupted_reply_makes_no_room(self, toy: Model) -> None:
        model, _ = scripted(toy, "...T", [spell("long enough")])
        session = StreamingSession(model, Settings(context_limit=FOUR))
        events = []
        for event in session.stream(silence(4)):
            events.append(event)
            if isinstance(event, Token):
                session.interrupt()
        assert [(turn.ended, turn.text) for turn in of(Turn, events)] == [("interrupted", "l")]
        assert slides(events) == []


class TestWithTheRealDecoder:
    def test_until_something_leaves_it_is_the_same_session(self, toy: Model) -> None:
        audio = babble(16, 3)
        rules: dict[str, Any] = {"greedy": True, "max_reply_tokens": 6}
        long = said(toy.session(**rules, context="stop").push(audio))
        sliding = said(toy.session(**rules, context_limit=400).push(audio))
        begun = next(place for place, event in enumerate(sliding) if event in slides(sliding))
        assert begun > 40

        def figures(events: list[Event]) -> list[Any]:
            return [event.to_json() | {"limit": 0} for event in events]

        assert figures(sliding[:begun]) == figures(long[:begun])

    def test_an_hour_is_flat(self, toy: Model) -> None:
        """Nothing of a chunk depends on how long the session has run."""
        model, decoder = scripted(toy)
        session = StreamingSession(model, Settings(alternatives=0))
        heard = Listener(model).hear(ChunkAudio(silence(1)))
        for _ in range(9_000):
            for _ in session.step(heard):
                pass
        starts = [fed.start for fed in decoder.fed]
        for half in (starts[200:4_600], starts[4_600:]):
            assert (min(half), max(half)) == (min(starts[200:]), max(starts))
        assert max(starts) < 2_000
        assert len(session._loop.state.progress.window) <= 153


class TestChange:
    def test_it_applies_from_the_next_chunk_and_is_noted(self, toy: Model) -> None:
        model, _ = scripted(toy)
        session = StreamingSession(model)
        list(session.push(silence(2)))
        chosen = session.change(temperature=2, bias=1.5, max_reply_tokens=4)
        assert chosen == session.settings
        assert chosen.temperature == 2.0
        events = said(session.push(silence(2)))
        assert [event.type for event in events] == ["chunk", "notice", "decision", "chunk", "decision"]
        notice = of(Notice, events)[0]
        assert (notice.kind, notice.chunk) == ("settings", 2)
        assert notice.data["changed"] == {"temperature": 2.0, "bias": 1.5, "max_reply_tokens": 4}
        assert notice.data["settings"] == chosen.to_json()
        assert (
            notice.message
            == "Settings changed from this chunk on: temperature is 2.0, bias is 1.5, max_reply_tokens is 4."
        )
        decision = of(Decision, events)[0]
        assert (decision.rule["temperature"], decision.rule["bias"]) == (2.0, 1.5)

    def test_what_is_not_allowed_changes_nothing(self, toy: Model) -> None:
        model, _ = scripted(toy)
        session = StreamingSession(model)
        before = session.settings
        for bad, words in [
            ({"temprature": 1}, "did you mean temperature"),
            ({"top_p": 2}, "top_p must be"),
            ({"context_limit": 20}, "A context of 20 positions is too short"),
            ({"bias": 1.0, "context_seconds": 0.1}, "context_seconds must be"),
        ]:
            with pytest.raises(SettingError, match=words):
                session.change(**bad)
        session.change(bias=0.0)
        assert session.settings == before
        assert of(Notice, session.push(silence(1))) == []

    def test_several_changes_at_once_are_one_notice(self, toy: Model) -> None:
        model, _ = scripted(toy)
        session = StreamingSession(model)
        session.change(bias=1.0)
        session.change(bias=2.0)
        session.change(mask=False)
        (notice,) = of(Notice, session.push(silence(1)))
        assert notice.data["changed"] == {"bias": 2.0, "mask": False}

    def test_a_new_seed_begins_its_draws_anew(self, toy: Model) -> None:
        def draws(session: StreamingSession) -> list[float]:
            return [d.draw for d in of(Decision, session.push(silence(3)))]

        session = toy.session(seed=1, max_reply_tokens=1)
        draws(session)
        session.change(seed=5, max_reply_tokens=1)
        changed = draws(session)
        assert changed[0] == draws(toy.session(seed=5, max_reply_tokens=1))[0]

    def test_a_context_may_shrink_and_grow(self, toy: Model) -> None:
        model, _ = scripted(toy)
        session = StreamingSession(model, Settings(context_limit=10 * FOUR))
        list(session.push(silence(30)))
        session.change(context_limit=FOUR)
        events = list(session.push(silence(1)))
        assert slides(events)[0].data["chunks"] == [0, 26]
        assert session.context_limit == FOUR
        session.change(context_limit=5 * FOUR)
        assert slides(session.push(silence(18))) == []

    def test_another_policy(self, toy: Model) -> None:
        model, _ = scripted(toy)
        session = StreamingSession(model, Settings(context_limit=FOUR))
        list(session.push(silence(4)))
        session.change(context="reset")
        assert [notice.kind for notice in of(Notice, session.push(silence(1)))] == ["settings", "context_reset"]
        session.change(context="stop")
        kinds = [notice.kind for notice in of(Notice, session.push(silence(5)))]
        assert kinds == ["settings", "context_full"]
        assert session.ended is not None

    @pytest.mark.parametrize("context", ["slide", "reset", "stop"])
    def test_another_prompt_starts_the_context_over_and_says_so(self, toy: Model, context: Any) -> None:
        model, decoder = scripted(toy)
        session = StreamingSession(model, Settings(context=context))
        session.push(silence(2))
        before = session.prefix
        session.change(system_prompt="Other!!")
        assert session.prefix == before, "what is in the context was fed with the old one"
        events = session.push(silence(2))
        assert [(notice.kind, notice.chunk) for notice in of(Notice, events)] == [("settings", 2), ("context_reset", 2)]
        assert "new system prompt" in of(Notice, events)[1].message
        fed = [bytes(t for t in step.tokens if t < 256).decode() for step in decoder.fed]
        assert fed == ["Listen.", "", "Other!!", ""]
        assert session.prefix == of(Decision, events)[0].before
        assert of(Decision, events)[0].oldest == 2

    def test_the_same_prompt_in_other_words_starts_nothing_over(self, toy: Model) -> None:
        model, decoder = scripted(toy)
        session = StreamingSession(model)
        session.push(silence(2))
        session.change(system_prompt=toy.traits.system_prompt)
        assert [notice.kind for notice in of(Notice, session.push(silence(1)))] == ["settings"]
        assert decoder.fed[-1].start > 0

    @given(
        prompts=st.lists(st.text("abc", max_size=120), min_size=1, max_size=4),
        limits=st.lists(st.integers(PREFIX + BLOCK + 1, 700), min_size=1, max_size=4),
    )
    def test_677_of_60_a_prompt_and_a_smaller_limit_at_once(
        self, toy: Model, prompts: list[str], limits: list[int]
    ) -> None:
        """Whatever is changed together, the prefix fed is that of the settings, and the limit is kept at once."""
        model, _ = scripted(toy)
        session = StreamingSession(model, Settings(context_limit=700, system_prompt="a" * 600))
        session.push(silence(6))
        for prompt, limit in zip(prompts, limits, strict=False):
            if len(prompt) + PREFIX - len("Listen.") + BLOCK + 1 > limit:
                with pytest.raises(SettingError, match="is too short"):
                    session.change(system_prompt=prompt, context_limit=limit)
                continue
            session.change(system_prompt=prompt, context_limit=limit)
            for event in session.push(silence(2)):
                if isinstance(event, Decision):
                    assert event.used <= event.limit == limit
            assert session.prefix == Framing.of(model, session.settings).prefix
            assert session._loop.turns._context.position == session.position

    def test_two_threads_that_change_settings_lose_none(self, toy: Model) -> None:
        session = StreamingSession(scripted(toy)[0])
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for number in range(1, 301):
                changes = [{"bias": float(number)}, {"max_reply_tokens": number}]
                threads = [Thread(target=session.change, kwargs=change) for change in changes]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert (session.settings.bias, session.settings.max_reply_tokens) == (number, number)
        finally:
            sys.setswitchinterval(interval)

    @pytest.mark.parametrize(
        ("assign", "words"),
        [
            (lambda session: setattr(session, "bias", 1), r"write session.change\(bias=1\)"),
            (lambda session: setattr(session.settings, "bias", 2), r"session.change\(bias=2\)"),
            (lambda session: setattr(session, "settings", Settings()), r"session.change\("),
            (lambda session: setattr(session, "temprature", 1), r"session.change\("),
            (lambda session: delattr(session.settings, "bias"), r"session.change\("),
        ],
    )
    def test_a_wrong_way_to_set_says_the_right_one(self, toy: Model, assign: Any, words: str) -> None:
        session = StreamingSession(scripted(toy)[0])
        before = session.settings
        with pytest.raises(ReadOnlyError, match=words):
            assign(session)
        assert session.settings == before


class TestWindow:
    """The book-keeping alone."""

    def filled(self, *positions: int) -> Window:
        window = Window().begun((1, 2, 3, 4, 5))
        for chunk, count in enumerate(positions):
            window = window.opened(chunk, count)
        return window

    def test_whole_chunks_leave(self) -> None:
        window, left = self.filled(13, 13, 13, 13).without_oldest(14, 0, 0, (0, 0)) or (None, None)
        assert left == Left(0, 1, 0, 26)
        assert window is not None
        assert (len(window), window.oldest, window.positions) == (2, 2, 5 + 26)

    def test_nothing_leaves_without_need(self) -> None:
        assert self.filled(13, 13).without_oldest(0, -3, 0, (50, 50)) is None

    def test_replies_leave_with_their_chunk(self) -> None:
        window = self.filled(12).extended(4, turn=True).extended().opened(1, 12)
        assert (window.without_oldest(1, 0, 0, (0, 0)) or ())[1] == Left(0, 0, 1, 17)

    def test_spare_room_never_takes_the_newest(self) -> None:
        window, left = self.filled(13, 13, 13).without_oldest(1, 0, 0, (500, 0)) or (Window(), None)
        assert left == Left(0, 1, 0, 26)
        window, left = window.without_oldest(14, 0, 0, (0, 0)) or (window, None)
        assert left == Left(2, 2, 0, 13)
        assert (window.oldest, window.positions, window.without_oldest(5, 5, 0, (0, 0))) == (None, 5, None)

    def test_what_is_to_stay_stays(self) -> None:
        assert (self.filled(13, 13, 13).without_oldest(500, 0, 2, (9, 9)) or ())[1] == Left(0, 0, 0, 13)
        assert self.filled(13).without_oldest(5, 0, 1, (0, 0)) is None
