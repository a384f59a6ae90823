"""The class server under hostile, slow and silent clients: nothing changes for the other learners."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.errors import MessageError
from ai_widgets.inference import Model
from ai_widgets.policies.constant import AlwaysReply
from ai_widgets.serve.limits import AHEAD_SECONDS, BURST_SECONDS, FASTER
from ai_widgets.serve.place import Pace, Place
from ai_widgets.widget.wire.frames import pack, unpack
from tests.class_server import Class, Learner, class_of, on_both_servers
from tests.learners import SETTINGS, SOUNDS, alone, chunks_of, decided, facts, speak


class TestHostile:
    FRAMES = (
        *(
            b"",
            b"\x01",
            b"\xff\xff\xff\x7f",
            b"\x02\x00\x00\x00[]",
            b"\x04\x00\x00\x00\xff\xfe\xfd\xfc",
            "",
            "{",
            "[]",
            "null",
        ),
        *("[" * 50_000, '"\\ud800"', '{"type": 3}', '{"type": "fork", "chunk": 1}', '{"type": "poll"}'),
        *('{"type": "block", "stream": 1, "seq": 0}', '{"type": "close", "stream": 9, "blocks": 0, "reason": "ended"}'),
        *('{"type": "set", "changes": {"seed": 1e999}}', '{"type": "set", "changes": {"nothing": 1}}'),
        pack({"type": "block", "stream": 7, "seq": 0, "rate": 16_000, "format": "int16", "time_s": 0.0}, [b"\0" * 64]),
        pack({"type": "block", "stream": 7, "seq": 0, "rate": 16_000, "format": "int16", "time_s": 0.0}, [b"\0"]),
    )

    @on_both_servers
    def test_bad_frames_are_answered_and_change_nothing_for_the_others(self, served: Class, toy: Model) -> None:
        hostile, good = Learner(served, 0), Learner(served, 1)
        hostile.hear("welcome")
        good.set(seed=2, **SETTINGS)
        good.open(tail_s=0.4)
        for place, frame in enumerate(self.FRAMES):
            hostile.socket.send(frame)
            good.block(SOUNDS[2][place * 1_600 : place * 1_600 + 1_600])
        good.send({"type": "close", "stream": 1, "blocks": good.sent, "reason": "ended"})
        for _ in self.FRAMES:
            assert hostile.hear("problem")["code"] in ("message", "setting")
        assert facts(good.until(decided(chunks_of(SOUNDS[2])))) == alone(toy, SOUNDS[2], 2)
        speak(hostile, SOUNDS[1])
        assert hostile.until(decided(chunks_of(SOUNDS[1])))

    @on_both_servers
    def test_a_frame_above_the_limit_ends_its_own_connection_only(self, served: Class) -> None:
        hostile, good = Learner(served, 0), Learner(served, 1)
        good.hear("welcome")
        hostile.socket.send(b"\0" * 3_000_000)
        assert hostile.until_closed() == 1009
        speak(good, SOUNDS[1])
        assert good.until(decided(chunks_of(SOUNDS[1])))

    @on_both_servers
    def test_a_flood_of_messages_changes_nothing_for_the_others(self, served: Class, toy: Model) -> None:
        hostile, good = Learner(served, 0), Learner(served, 1)
        good.set(seed=1, **SETTINGS)
        for _ in range(600):
            hostile.send({"type": "interrupt"})
            hostile.socket.send("{")
        speak(good, SOUNDS[1])
        assert facts(good.until(decided(chunks_of(SOUNDS[1])))) == alone(toy, SOUNDS[1], 1)

    @settings(max_examples=300)
    @given(frame=st.one_of(st.binary(max_size=64), st.text(max_size=64)))
    def test_any_frame_is_json_or_a_message_error(self, frame: str | bytes) -> None:
        with suppress(MessageError):
            assert len(unpack(frame)) == 2

    @given(content=st.dictionaries(st.text(max_size=8), st.integers(-(2**53), 2**53)), buffer=st.binary(max_size=64))
    def test_what_is_packed_is_unpacked(self, content: dict[str, int], buffer: bytes) -> None:
        assert unpack(pack(content)) == (content, ())
        message, buffers = unpack(pack(content, [buffer]))
        assert (message, [bytes(each) for each in buffers]) == (content, [buffer])


class TestBackPressure:
    def test_nothing_more_is_read_while_much_audio_is_undecided(self) -> None:
        place = Place(AlwaysReply(), "ada", "a")
        message, _ = unpack(
            pack({"type": "open", "stream": 1, "source": "mic", "name": "", "rate": 16_000, "tail_s": 0})
        )
        from ai_widgets.widget.wire.parsing import parse

        place.put(parse(message))
        block = {"type": "block", "stream": 1, "rate": 16_000, "format": "int16", "time_s": 0.0}
        place.put(parse({**block, "seq": 0}, [bytes(2 * 16_000 * int(AHEAD_SECONDS - 1))]))
        assert not place.full
        place.put(parse({**block, "seq": 1}, [bytes(2 * 16_000)]))
        assert place.full
        place.take()
        assert place.full
        while place.session is not None and place.session._loop.advance():
            pass
        place.look()
        assert not place.full

    def test_a_client_may_send_a_burst_and_then_four_times_real_time(self) -> None:
        now = [0.0]
        pace = Pace(lambda: now[0])
        assert pace.take(BURST_SECONDS) == 0.0
        wait = pace.take(4.0)
        assert wait == pytest.approx(4.0 / FASTER)
        now[0] += wait
        assert pace.take(0.0) == pytest.approx(0.0)

    def test_a_client_that_answers_no_ping_is_cut_off_unless_its_answers_were_not_read(self, toy: Model) -> None:
        with class_of(toy, 1) as served:
            learner = Learner(served)
            learner.hear("welcome")
            (connection,) = served.server.room.connections
            place = served.server.room.places.taken[0]
            connection._ping_s = 0.01
            pings = []

            async def unanswered(_: float) -> bool:
                # As with an answer that lies unread in the socket while much audio is undecided.
                pings.append(place.full)
                if len(pings) == 4:
                    place._taken_s = place._given_s
                return False

            connection._socket.answers = unanswered  # type: ignore[method-assign]
            place._given_s = AHEAD_SECONDS
            watching = asyncio.run_coroutine_threadsafe(connection._watch(), served.loop)
            assert learner.until_closed() == 1006
            watching.cancel()
            assert pings[:4] == [True] * 4
            assert False in pings

    @on_both_servers
    def test_a_client_that_takes_nothing_is_disconnected_and_told_when_it_comes_again(
        self, toy: Model, kind: Any
    ) -> None:
        with class_of(toy, 2, slow_s=0.01, kind=kind) as served:
            slow, good = Learner(served, 0), Learner(served, 1)
            slow.hear("welcome")
            good.hear("welcome")
            (connection,) = [each for each in served.server.room.connections if each.learner == served.names[0]]

            async def never(_: object) -> None:
                await asyncio.Event().wait()

            # In the place of a full socket, whose size the system chooses.
            connection._socket.send = never  # type: ignore[method-assign]
            speak(slow, SOUNDS[1])
            speak(good, SOUNDS[1])
            assert good.until(decided(chunks_of(SOUNDS[1])))
            # An ASGI server closes the socket with a code.
            assert slow.until_closed() in (1006, 1011)
            again = Learner(served, 0, session=1)
            assert again.hear("problem")["code"] == "slow"
            assert again.until(decided(chunks_of(SOUNDS[1])))
