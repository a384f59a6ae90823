"""The schemas that TypeScript is made of say what Python writes and reads, and every field is documented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, EVENT_TYPES
from ai_widgets.widget.wire import kernel_messages, messages
from ai_widgets.widget.wire.parsing import parse
from tests import every_message
from tests.every_event import EVENTS
from tests.every_message import FROM_KERNEL, FROM_PAGE, from_page
from tests.wire_schema import FILES, FOLDER, Rule, text

SCHEMAS = {name: make() for name, make in FILES.items()}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource(schema, DRAFT202012)) for name, schema in SCHEMAS.items()
)


def check(value: Any, file: str, definition: str) -> None:
    Draft202012Validator({"$ref": f"{file}#/$defs/{definition}"}, registry=REGISTRY).validate(value)


@pytest.mark.parametrize("name", FILES)
def test_the_schema_file_is_that_of_the_structs(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == text(SCHEMAS[name]), "Run: make schema"


def test_the_pages_tests_read_what_the_kernel_writes() -> None:
    written = every_message.FIXTURE.read_text(encoding="utf-8")
    assert written == every_message.fixture(), "Run: make schema"


@pytest.mark.parametrize("event", EVENTS, ids=repr)
def test_an_event_fits_its_schema(event: Any) -> None:
    check(json.loads(json.dumps(event.to_json())), "events.json", type(event).__name__)
    check(json.loads(json.dumps(event.to_json())), "events.json", "SessionEvent")


@pytest.mark.parametrize("message", FROM_KERNEL, ids=lambda message: message["type"])
def test_a_message_of_the_kernel_fits_the_schema(message: dict[str, Any]) -> None:
    check(json.loads(json.dumps(message)), "messages.json", "KernelMessage")


@pytest.mark.parametrize("message", from_page(), ids=lambda message: message["type"])
def test_a_message_of_a_page_fits_the_schema_and_is_taken(message: dict[str, Any]) -> None:
    check(message, "messages.json", "BrowserMessage")
    assert parse(message) is not None


def fields() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every message, with the name of each field in turn."""
    for message in from_page():
        yield from (("BrowserMessage", message, name) for name in message if name != "data")
    for message in FROM_KERNEL:
        yield from (("KernelMessage", json.loads(json.dumps(message)), name) for name in message if name != "data")


@pytest.mark.parametrize(
    ("union", "message", "name"), fields(), ids=lambda part: part.get("type") if isinstance(part, dict) else part
)
def test_a_message_that_lacks_a_field_does_not_fit(union: str, message: dict[str, Any], name: str) -> None:
    lacking = {other: value for other, value in message.items() if other != name}
    with pytest.raises(ValidationError):
        check(lacking, "messages.json", union)


def test_there_is_an_example_of_every_event_and_message() -> None:
    assert {type(event) for event in EVENTS} == set(EVENT_TYPES.values())
    assert {type(message) for message in FROM_PAGE} == set(messages.SENT)
    received = {kind.__struct_config__.tag for kind in kernel_messages.RECEIVED}
    assert {message["type"] for message in FROM_KERNEL} == received


def test_the_sampling_rule_of_a_decision_is_the_schemas(toy: Model) -> None:
    session = toy.session(seed=3)
    session.push(np.zeros(CHUNK_SAMPLES, np.float32), rate=16_000)
    fork = session.fork(0, force="TEXT_BEGIN", max_reply_tokens=1)
    fork.run_on()
    drawn, forced = (
        next(event.to_json()["rule"] for event in each.record.events if event.type == "decision")
        for each in (session, fork)
    )
    assert drawn.keys() == Rule.__annotations__.keys() - {"forced"}
    assert forced.keys() == Rule.__annotations__.keys()
    check(forced, "events.json", "Rule")


@pytest.mark.parametrize("file", FILES)
def test_every_field_is_documented(file: str) -> None:
    missing = [
        f"{name}.{field}"
        for name, part in SCHEMAS[file]["$defs"].items()
        for field, value in part.get("properties", {}).items()
        if field != "type" and name != "Rule" and "description" not in value
    ]
    assert missing == []
