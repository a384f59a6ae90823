"""js/src/channel/messages.ts and js/src/record/events.ts say the same as messages.py and protocol.py."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from ai_widgets import protocol, special_tokens
from ai_widgets.audio.files import AUDIO_SUFFIXES
from ai_widgets.widget.files.file_stream import FileStream
from ai_widgets.widget.wire import messages, outgoing
from ai_widgets.widget.wire.fields import MAX_TEXT
from ai_widgets.widget.wire.token_table import UNKNOWN

SOURCES = Path(__file__).parents[1] / "js" / "src"
WIRE = (SOURCES / "channel" / "messages.ts").read_text(encoding="utf-8")
EVENTS = (SOURCES / "record" / "events.ts").read_text(encoding="utf-8")

Fields = dict[str, bool]
"""Name of each field of a TypeScript object type, and whether it must be there."""


def without_comments(source: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)


def constant(source: str, name: str) -> str:
    found = re.search(rf"export const {name}\b[^=]*= (.*?);", without_comments(source), re.DOTALL)
    assert found, f"{name} is not in the TypeScript source"
    return found.group(1).removesuffix(" as const").strip()


def words(source: str, name: str) -> list[str]:
    return re.findall(r'"(\w+)"', constant(source, name))


def object_fields(body: str) -> Fields:
    return {name: not optional for name, optional in re.findall(r"(\w+)(\??):", body)}


def union(name: str) -> dict[str, Fields]:
    """Members of `type NAME = | { type: "a"; … } | …`, by their type."""
    source = without_comments(WIRE)
    found = re.search(rf"export type {name} =(.*?);\n\n", source, re.DOTALL)
    assert found, name
    members: dict[str, Fields] = {}
    for body, extra in re.findall(r"\{([^{}]*)\}(?:\s*&\s*(\w+))?", found.group(1)):
        fields = object_fields(body) | (interface(WIRE, extra) if extra else {})
        kind = re.search(r'type: "(\w+)"', body)
        assert kind, body
        fields.pop("type")
        members[kind.group(1)] = fields
    return members


def interface(source: str, name: str) -> Fields:
    found = re.search(rf"export interface {name} \{{(.*?)\n\}}", without_comments(source), re.DOTALL)
    assert found, name
    return object_fields(found.group(1))


FROM_BROWSER: dict[str, tuple[type, set[str]]] = {
    # The dataclass, and how what is sent differs from what is parsed out of it.
    "hello": (messages.Hello, {"binary"}),
    "open": (messages.Open, set()),
    "block": (messages.Block, {"samples", "format", "data"}),
    "close": (messages.Close, set()),
    "play": (messages.Play, set()),
    "bytes": (messages.Bytes, {"data"}),
    "file": (messages.FileAction, set()),
    "state": (messages.MicState, set()),
    "set": (messages.Set, set()),
    "fetch": (messages.Fetch, set()),
    "loop": (messages.Loop, set()),
    "step": (messages.Step, set()),
    "interrupt": (messages.Interrupt, set()),
    "reset": (messages.Reset, set()),
    "poll": (messages.Poll, set()),
}
MODEL = {"status": "ready", "kind": "model", "name": "", "detail": "", **UNKNOWN}
HELLO = messages.Hello(messages.PROTOCOL_VERSION, 0, "page", None, True)
FEEDER: Any = object()
FROM_KERNEL: list[dict[str, Any]] = [
    outgoing.welcome(HELLO, False, 1, MODEL, {}, {}, {}, {}),
    outgoing.events(1, 0, [], 0),
    outgoing.ack(1, 1),
    outgoing.audio(messages.Fetch("audio", 3, 1), np.zeros(6400, np.float32), False)[0],
    outgoing.need(1, 0, 5, "page"),
    outgoing.playing(FileStream("x", FEEDER, FEEDER, 1.0).to_json()),
    outgoing.loop("step", "decide", 3, 2),
    outgoing.model_status(MODEL),
    outgoing.reset(1),
    outgoing.problem("a", "b"),
]


def test_the_version_and_the_handshake() -> None:
    assert int(constant(WIRE, "PROTOCOL_VERSION")) == messages.PROTOCOL_VERSION
    assert bytes(int(n) for n in re.findall(r"\d+", constant(WIRE, "HANDSHAKE"))) == messages.HANDSHAKE
    assert int(constant(WIRE, "MAX_TEXT")) == MAX_TEXT


@pytest.mark.parametrize(
    "name", ["MIC_STATES", "SOURCES", "CLOSE_REASONS", "PACES", "FILE_ACTIONS", "LOOP_MODES", "FETCHABLE"]
)
def test_lists_of_words(name: str) -> None:
    assert words(WIRE, name) == list(getattr(messages, name))


def test_the_file_chooser_takes_every_name_that_the_kernel_reads() -> None:
    playing = (SOURCES / "store" / "playing.ts").read_text(encoding="utf-8")
    found = re.search(r'AUDIO_SUFFIXES =\s+"([^"]*)"', playing)
    assert found
    assert set(found.group(1).split()) == AUDIO_SUFFIXES


def test_formats() -> None:
    assert words(WIRE, "FORMATS") == list(messages.FORMATS)


def test_the_browsers_message_types() -> None:
    assert set(union("BrowserMessage")) == set(FROM_BROWSER)


@pytest.mark.parametrize("kind", FROM_BROWSER)
def test_fields_from_the_browser(kind: str) -> None:
    parsed, different = FROM_BROWSER[kind]
    here = {item.name for item in dataclasses.fields(parsed)}
    there = set(union("BrowserMessage")[kind])
    assert here ^ there <= different


def test_the_kernels_message_types() -> None:
    assert set(union("KernelMessage")) == {message["type"] for message in FROM_KERNEL}
    assert words(WIRE, "KERNEL_TYPES") == [message["type"] for message in FROM_KERNEL]


@pytest.mark.parametrize("message", FROM_KERNEL, ids=lambda message: message["type"])
def test_fields_from_the_kernel(message: dict[str, Any]) -> None:
    there = union("KernelMessage")[message["type"]]
    assert set(there) == message.keys() - {"type"}


@pytest.mark.parametrize("kind", protocol.EVENT_TYPES)
def test_fields_of_events(kind: str) -> None:
    here = protocol.EVENT_TYPES[kind]
    there = interface(EVENTS, here.__name__)
    assert there == {"type": True} | {item.name: True for item in dataclasses.fields(here)}


def test_fields_of_an_alternative() -> None:
    assert list(interface(EVENTS, "Alternative")) == [item.name for item in dataclasses.fields(protocol.Alternative)]


def test_words_of_events() -> None:
    assert words(EVENTS, "EMOTIONS") == [emotion.value for emotion in special_tokens.Emotion]
    assert float(constant(EVENTS, "CHUNK_SECONDS")) == protocol.CHUNK_SECONDS
    for name, kind in (("Choice", protocol.Choice), ("Ending", protocol.Ending)):
        found = re.search(rf"export type {name} = ([^;]*);", EVENTS)
        assert found
        assert re.findall(r'"(\w+)"', found.group(1)) == list(get_args(kind))


def test_the_docstring_of_the_protocol_names_every_field() -> None:
    """The table at the top of messages.py is what people read."""
    up, down = (messages.__doc__ or "").split("Kernel → browser\n")
    for table, name in ((up, "BrowserMessage"), (down, "KernelMessage")):
        for kind, fields in union(name).items():
            row = re.search(rf"^{kind} .*?\{{([^}}]*)\}}", table, re.MULTILINE | re.DOTALL)
            assert row, kind
            named = set(re.findall(r"\w+", re.sub(r": [\w|]+", "", row.group(1))))
            assert named == set(fields) - {"data"}, kind
