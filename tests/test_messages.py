"""What a browser may send is taken; whatever else it sends is a `MessageError` and nothing worse."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.errors import MessageError
from ai_widgets.protocol import Notice
from ai_widgets.widget.files.page_file import PIECE_BYTES
from ai_widgets.widget.wire import messages, outgoing
from ai_widgets.widget.wire.limits import MAX_BLOCK_BYTES, MAX_COUNT, MAX_TEXT
from ai_widgets.widget.wire.parsing import parse
from ai_widgets.widget.wire.token_table import UNKNOWN
from tests.every_message import from_page

OPEN = {"type": "open", "stream": 1, "source": "mic", "name": "Mic", "rate": 48_000, "tail_s": 1.0}
BLOCK = {"type": "block", "stream": 1, "seq": 0, "rate": 48_000, "format": "float32", "time_s": 0.5}
CLOSE = {"type": "close", "stream": 1, "blocks": 3, "reason": "stopped"}
STATE = {"type": "state", "state": "error", "problem": "denied", "message": "Not allowed."}
HELLO = {"type": "hello", "protocol": 3, "seen": 7, "page": "p", "session": 3}
SET = {"type": "set", "changes": {"temperature": 0.5, "arrival": "drop"}, "request": 4}
FETCH = {"type": "fetch", "what": "audio", "chunk": 3, "request": 5}
LOOP = {"type": "loop", "mode": "step"}
FLOATS = np.array([0.5, -0.25], "<f4")


class TestTaken:
    def test_hello(self) -> None:
        assert parse(HELLO, [bytes((1, 2, 3, 4))]) == messages.Hello(3, 7, "p", 3, True)
        assert parse(HELLO, [memoryview(bytearray((1, 2, 3, 4)))]) == messages.Hello(3, 7, "p", 3, True)

    @pytest.mark.parametrize("buffers", [[], [b""], [b"\x04\x03\x02\x01"], [b"\1\2\3\4", b""]])
    def test_a_host_that_spoils_buffers_is_noticed(self, buffers: list[bytes]) -> None:
        assert parse(HELLO, buffers) == messages.Hello(3, 7, "p", 3, False)

    @pytest.mark.parametrize("session", [None, 0, 5])
    def test_the_session_a_page_knows(self, session: int | None) -> None:
        hello = parse({**HELLO, "session": session})
        assert isinstance(hello, messages.Hello)
        assert hello.session == session

    @pytest.mark.parametrize("session", ["uuid", -1, True, 1.5, [], 2**60])
    def test_a_session_that_never_was(self, session: Any) -> None:
        hello = parse({**HELLO, "session": session})
        assert isinstance(hello, messages.Hello)
        assert hello.session == -1

    def test_open_close_and_state(self) -> None:
        assert parse(OPEN) == messages.Open(1, "mic", "Mic", 48_000, 1.0, "", {})
        track = {"sampleRate": 48_000, "echoCancellation": False}
        assert parse({**OPEN, "page": "p", "track": track}) == messages.Open(1, "mic", "Mic", 48_000, 1.0, "p", track)
        assert parse(CLOSE) == messages.Close(1, 3, "stopped", "")
        assert parse({**STATE, "state": "paused"}) == messages.MicState("paused", "denied", "Not allowed.")

    def test_a_file_that_a_page_holds(self) -> None:
        assert parse(PLAY) == messages.Play(1, "talk.wav", 635_000_044, "fast", 1.0, "p")
        assert parse(FILE) == messages.FileAction("stop", "stopped", "p")

    def test_a_part_of_a_file(self) -> None:
        assert parse(BYTES, [b"RIFF"]) == messages.Bytes(1, 512, "", "p", b"RIFF")
        encoded = {**BYTES, "data": base64.b64encode(b"RIFF").decode()}
        assert parse(encoded) == messages.Bytes(1, 512, "", "p", b"RIFF")
        assert parse({**BYTES, "problem": "NotReadableError"}) == messages.Bytes(1, 512, "NotReadableError", "p", b"")

    def test_what_a_page_asks_for(self) -> None:
        assert parse(SET) == messages.Set({"temperature": 0.5, "arrival": "drop"}, 4)
        assert parse(FETCH) == messages.Fetch("audio", 3, 5)
        assert parse(LOOP) == messages.Loop("step")

    @pytest.mark.parametrize("kind", ["step", "interrupt", "reset", "poll"])
    def test_bare_messages(self, kind: str) -> None:
        assert type(parse({"type": kind})).__name__.lower() == kind

    @pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
    def test_a_block_of_floats(self, wrap: Any) -> None:
        block = parse(BLOCK, [wrap(FLOATS.tobytes())])
        assert isinstance(block, messages.Block)
        assert (block.stream, block.seq, block.rate, block.time_s) == (1, 0, 48_000, 0.5)
        assert (block.captured_ms, block.sent_ms, block.gated, block.page) == (0.0, 0.0, False, "")
        assert block.samples.dtype == np.float32
        np.testing.assert_array_equal(block.samples, FLOATS)

    def test_when_a_block_was_captured_and_sent_and_that_it_is_silenced(self) -> None:
        block = parse({**BLOCK, "captured_ms": 1.6e12, "sent_ms": 1.7e12, "gated": True, "page": "p"}, [b""])
        assert isinstance(block, messages.Block)
        assert (block.captured_ms, block.sent_ms, block.gated, block.page) == (1.6e12, 1.7e12, True, "p")

    @pytest.mark.parametrize(
        ("given", "offset_ms"), [({}, None), ({"offset_ms": None}, None), ({"offset_ms": -7.5}, -7.5)]
    )
    def test_how_the_pages_clock_stands_to_the_kernels(self, given: dict[str, Any], offset_ms: float | None) -> None:
        block = parse({**BLOCK, **given}, [b""])
        assert isinstance(block, messages.Block)
        assert block.offset_ms == offset_ms

    def test_a_request_without_a_number_needs_no_answer(self) -> None:
        assert parse({"type": "set", "changes": {}}) == messages.Set({}, 0)

    def test_a_block_of_int16(self) -> None:
        samples = np.array([-32_768, 0, 16_384], "<i2")
        block = parse({**BLOCK, "format": "int16"}, [samples.tobytes()])
        assert isinstance(block, messages.Block)
        np.testing.assert_array_equal(block.samples, [-1, 0, 0.5])

    def test_a_block_in_base64(self) -> None:
        block = parse({**BLOCK, "data": base64.b64encode(FLOATS.tobytes()).decode()})
        assert isinstance(block, messages.Block)
        np.testing.assert_array_equal(block.samples, FLOATS)

    def test_an_empty_block(self) -> None:
        block = parse(BLOCK, [b""])
        assert isinstance(block, messages.Block)
        assert block.samples.shape == (0,)

    def test_the_largest_block(self) -> None:
        block = parse(BLOCK, [bytes(MAX_BLOCK_BYTES)])
        assert isinstance(block, messages.Block)
        assert len(block.samples) == MAX_BLOCK_BYTES // 4

    def test_whole_numbers_may_arrive_as_floats(self) -> None:
        assert parse({**CLOSE, "stream": 2.0, "blocks": 3.0}) == messages.Close(2, 3, "stopped", "")

    def test_unknown_fields_are_left_out(self) -> None:
        assert parse({**CLOSE, "later": {"a": 1}}) == messages.Close(1, 3, "stopped", "")


PLAY = {"type": "play", "stream": 1, "name": "talk.wav", "size": 635_000_044, "pace": "fast", "tail_s": 1, "page": "p"}
BYTES = {"type": "bytes", "stream": 1, "offset": 512, "problem": "", "page": "p"}
FILE = {"type": "file", "action": "stop", "reason": "stopped", "page": "p"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "song"}, "'song' is not a message type"),
    ({"type": None}, "None is not a message type"),
    ({"type": ["block"]}, "not a message type"),
    ({}, "not a message type"),
    ({**HELLO, "seen": -1}, "seen must be a whole number"),
    ({**HELLO, "seen": None}, "seen must be"),
    ({**HELLO, "protocol": True}, "protocol must be"),
    ({**HELLO, "protocol": "1"}, "protocol must be"),
    ({**OPEN, "stream": 0}, "stream must be a whole number from 1"),
    ({**OPEN, "stream": 1.5}, "stream must be"),
    ({**OPEN, "stream": MAX_COUNT + 1}, "stream must be"),
    ({**OPEN, "source": "radio"}, "source must be one of mic, not 'radio'"),
    ({**OPEN, "source": ["mic"]}, "source must be one of"),
    ({**OPEN, "rate": 3_999}, "rate must be"),
    ({**OPEN, "rate": 384_001}, "rate must be"),
    ({**OPEN, "rate": float("nan")}, "rate must be"),
    ({**OPEN, "rate": float("inf")}, "rate must be"),
    ({**OPEN, "tail_s": -0.1}, "tail_s must be"),
    ({**OPEN, "tail_s": 11}, "tail_s must be"),
    ({**OPEN, "tail_s": float("nan")}, "tail_s must be"),
    ({**OPEN, "tail_s": 10**400}, "tail_s must be"),
    ({**OPEN, "name": "x" * (MAX_TEXT + 1)}, "name must be text of at most"),
    ({**OPEN, "name": 5}, "name must be text"),
    ({**PLAY, "size": -1}, "size must be a whole number"),
    ({**PLAY, "pace": "slow"}, "pace must be one of fast, realtime"),
    ({**BYTES, "offset": -1}, "offset must be a whole number"),
    ({**BYTES, "data": "x" * 800_000}, "data must be base64 text of at most 524288 bytes"),
    ({**BYTES, "data": "!"}, "data is not valid base64"),
    ({**FILE, "action": "rewind"}, "action must be one of pause, resume, stop"),
    ({**CLOSE, "reason": "bored"}, "reason must be one of"),
    ({**CLOSE, "blocks": -1}, "blocks must be"),
    ({**STATE, "state": "flying"}, "state must be one of"),
    ({**STATE, "message": ["x"]}, "message must be text"),
    ({**BLOCK, "format": "float64"}, "format must be one of int16, float32"),
    ({**BLOCK, "format": None}, "format must be one of"),
    ({**BLOCK, "seq": -1}, "seq must be"),
    ({**BLOCK, "time_s": -1}, "time_s must be"),
    ({**BLOCK, "gated": "yes"}, "gated must be true or false"),
    ({**BLOCK, "sent_ms": None}, "sent_ms must be a number"),
    ({**BLOCK, "captured_ms": "now"}, "captured_ms must be a number"),
    ({**BLOCK, "offset_ms": "much"}, "offset_ms must be a number"),
    ({**BLOCK, "page": 7}, "page must be text"),
    ({**SET, "request": -1}, "request must be a whole number"),
    ({**FETCH, "request": "1"}, "request must be a whole number"),
    ({**OPEN, "track": [1]}, "track must be a JSON object"),
    ({**OPEN, "track": {"x": "y" * 2048}}, "track must be a JSON object of at most 2048 bytes"),
    ({**OPEN, "track": {"x": float("nan")}}, "track must be"),
    ({**OPEN, "track": {"x": {1, 2}}}, "track must be"),
    ({**SET, "changes": None}, "changes must be a JSON object"),
    ({**SET, "changes": {"system_prompt": "x" * 70_000}}, "changes must be"),
    ({**FETCH, "what": "video"}, "what must be one of audio"),
    ({**FETCH, "chunk": -1}, "chunk must be"),
    ({**LOOP, "mode": "fly"}, "mode must be one of run, pause, step"),
    ({**BLOCK, "data": 5}, "base64"),
    ({**BLOCK, "data": "!!!"}, "base64"),
    ({**BLOCK, "data": "ü"}, "base64"),
    ({**BLOCK, "data": "A" * (MAX_BLOCK_BYTES * 2)}, "base64 text of at most"),
    ({**BLOCK, "data": "AAAA"}, "whole float32 samples"),
]


@pytest.mark.parametrize(("content", "words"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refused_with_a_sentence(content: dict[str, Any], words: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse(content, [FLOATS.tobytes()])
    message = str(caught.value)
    assert words in message
    assert message.endswith(".")
    assert len(message) < 250


EVERY_FIELD = [(message, name) for message in from_page() for name in message if name not in ("type", "session")]


@pytest.mark.parametrize(
    "wrong", [object(), [1], b"1", -(10**400), float("nan")], ids=lambda wrong: type(wrong).__name__
)
@pytest.mark.parametrize(("message", "name"), EVERY_FIELD, ids=str)
def test_a_value_that_fits_no_field_is_refused_by_the_fields_name(
    message: dict[str, Any], name: str, wrong: Any
) -> None:
    with pytest.raises(MessageError, match=f"^{name} must be .* not .*[.]$"):
        parse({**message, name: wrong})


@pytest.mark.parametrize(
    ("buffers", "words"),
    [
        ([], "exactly one buffer"),
        ([b"1234", b"1234"], "exactly one buffer"),
        ([b"123"], "whole float32 samples"),
        ([bytes(MAX_BLOCK_BYTES + 4)], "too large"),
    ],
)
def test_bad_buffers(buffers: list[bytes], words: str) -> None:
    with pytest.raises(MessageError, match=words):
        parse(BLOCK, buffers)


@pytest.mark.parametrize(
    ("buffers", "words"),
    [
        ([], "A part of a file needs exactly one buffer, not 0"),
        ([b"1", b"2"], "exactly one buffer, not 2"),
        ([bytes(PIECE_BYTES + 1)], "A part of a file of 524289 bytes is too large; at most 524288 are taken"),
    ],
)
def test_bad_parts_of_a_file(buffers: list[bytes], words: str) -> None:
    with pytest.raises(MessageError, match=words):
        parse(BYTES, buffers)


@pytest.mark.parametrize("content", [None, 5, "hello", ["type"], b"block", 3.5])
def test_what_is_no_object(content: Any) -> None:
    with pytest.raises(MessageError, match="must be an object"):
        parse(content)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
buffers = st.lists(st.binary(max_size=20), max_size=3)
known = st.sampled_from([OPEN, BLOCK, CLOSE, STATE, HELLO, SET, FETCH, LOOP, {"type": "poll"}])


@settings(max_examples=200)
@given(json_like, buffers)
def test_nothing_worse_than_a_message_error(content: Any, buffers: list[bytes]) -> None:
    with suppress(MessageError):
        parse(content, buffers)


@settings(max_examples=500)
@given(known, st.data(), buffers)
def test_nor_from_known_messages_with_odd_fields(good: dict[str, Any], data: st.DataObject, raw: list[bytes]) -> None:
    content = dict(good)
    fields = st.sampled_from([*good, "data"])
    for name in data.draw(st.lists(fields, max_size=3)):
        content[name] = data.draw(json_like)
    for name in data.draw(st.lists(fields, max_size=1)):
        content.pop(name, None)
    with suppress(MessageError):
        parse(content, raw)


PLAYING = {
    "name": "talk.wav",
    "page": "p",
    "state": "paused",
    "pace": "fast",
    "position_s": 1.5,
    "seconds": None,
    "speed": 2.0,
    "left_s": None,
}


class TestToTheBrowser:
    def test_every_message_is_plain_json(self) -> None:
        model = {"status": "ready", "kind": "model", "name": "toy", "detail": "", **UNKNOWN}
        hello = messages.Hello(3, 0, "page", None, True)
        sent = [
            outgoing.welcome(hello, False, 1, model, {"seed": 0}, {"arrival": "keep"}, {"mode": "run"}, {}, {}, {}),
            outgoing.events(1, 5, [Notice(0, "limit", "Full.", {"used": 3})], 2),
            outgoing.ack(1, 4),
            outgoing.audio(messages.Fetch("audio", 3, 5), np.zeros(4, np.float32), False)[0],
            outgoing.need(1, 0, 5, "page"),
            outgoing.playing(PLAYING),
            outgoing.loop("pause", "", -1, 0),
            outgoing.model_status(model),
            outgoing.reset(2),
            outgoing.problem("message", "Oh.", "trace"),
        ]
        types = ["welcome", "events", "ack", "audio", "need", "playing", "loop", "model", "reset", "problem"]
        assert [message["type"] for message in sent] == types
        assert json.loads(json.dumps(sent)) == sent

    def test_events_are_as_the_protocol_writes_them(self) -> None:
        notice = Notice(3, "limit", "Full.", {"used": 3})
        message = outgoing.events(2, 7, [notice], 4)
        assert message["events"] == [notice.to_json()]
        assert (message["session"], message["first"], message["waiting"]) == (2, 7, 4)

    def test_a_chunks_samples_in_a_buffer_or_as_text(self) -> None:
        samples = np.array([0.0, 0.5, -1.0, 1.0], np.float32)
        fetch = messages.Fetch("audio", 7, 2)
        message, buffers = outgoing.audio(fetch, samples, binary=True)
        assert message == {"type": "audio", "chunk": 7, "request": 2, "rate": 16_000, "format": "int16", "ok": True}
        assert np.frombuffer(buffers[0], "<i2").tolist() == [0, 16_384, -32_768, 32_767]
        inline, none = outgoing.audio(fetch, samples, binary=False)
        assert (base64.b64decode(inline["data"]), none) == (buffers[0], [])
        assert outgoing.audio(fetch, None, binary=True) == ({**message, "ok": False}, [])
