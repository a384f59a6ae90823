"""JSON Schema and constants of events and messages, from which the page's TypeScript types are generated.

python -m tests.wire_schema        writes js/schema/*.json; `make schema` also makes TypeScript of them
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

import msgspec

from ai_widgets import protocol
from ai_widgets.audio.clips import clips
from ai_widgets.audio.features import THUMBNAIL_BANDS, THUMBNAIL_FRAMES
from ai_widgets.audio.files import AUDIO_SUFFIXES
from ai_widgets.audio.intake import ENVELOPE_POINTS
from ai_widgets.special_tokens import Emotion
from ai_widgets.widget.wire import (
    answer_messages,
    engine_messages,
    kernel_engine,
    kernel_messages,
    kernel_recordings,
    limits,
    messages,
)

FOLDER = Path(__file__).parents[1] / "js" / "schema"
Struct = type[msgspec.Struct]
Schema = dict[str, Any]


class Rule(TypedDict, total=False):
    """Sampling rule of a decision, as `session.terms` writes it. A later version may add to it or leave out."""

    greedy: bool
    temperature: float
    top_k: int | None
    top_p: float
    bias: float
    mask: bool
    seed: int
    forced: Literal["KEEP_SILENCE", "TEXT_BEGIN"]


EVENTS: tuple[Struct, ...] = tuple(protocol.EVENT_TYPES.values())
EVENT_WORDS: Mapping[str, Any] = {"Choice": protocol.Choice, "Ending": protocol.Ending}
WIRE_WORDS: Mapping[str, Any] = {
    "Pace": limits.Pace,
    "LoopMode": limits.Mode,
    "CloseReason": limits.CloseReason,
    "MicPhase": limits.MicPhase,
    "FileState": limits.FileState,
    "LoadingStatus": kernel_messages.LoadingStatus,
    "RecordingFormat": limits.RecordingFormat,
    "RecordingState": kernel_recordings.RecordingState,
    "ReplayState": kernel_recordings.ReplayState,
    "AnalysisKind": limits.AnalysisKind,
    "AnalysisState": limits.AnalysisState,
    "AudioChange": limits.AudioChange,
    "AnswerStatus": answer_messages.AnswerStatus,
    "EngineAction": kernel_engine.EngineAction,
}
"""Names that the page has for types of words."""

STRUCTS_IN = (
    *(protocol, messages, engine_messages, kernel_messages, kernel_recordings, kernel_engine, answer_messages),
)
"""Modules whose structs give the descriptions of the schema."""


def events() -> Schema:
    """Return the schema of all events."""
    constants = {
        "EVENTS_VERSION": protocol.EVENTS_VERSION,
        "CHUNK_SECONDS": protocol.CHUNK_SECONDS,
        "ENVELOPE_POINTS": ENVELOPE_POINTS,
        "MEL_FRAMES": THUMBNAIL_FRAMES,
        "MEL_BANDS": THUMBNAIL_BANDS,
        "EMOTIONS": [emotion.value for emotion in Emotion],
    }
    defs = _definitions(EVENTS, EVENT_WORDS)
    _, rule = msgspec.json.schema_components([Rule])
    defs["Rule"] = {
        "description": "Sampling rule of a decision.",
        "type": "object",
        "properties": rule["Rule"]["properties"],
        "required": [],
    }
    defs["Decision"]["properties"]["rule"] |= {"$ref": "#/$defs/Rule"}
    del defs["Decision"]["properties"]["rule"]["type"]
    return _schema({"SessionEvent": EVENTS}, defs, constants)


def wire() -> Schema:
    """Return the schema of all messages."""
    constants = {
        "PROTOCOL_VERSION": limits.PROTOCOL_VERSION,
        "HANDSHAKE": list(limits.HANDSHAKE),
        "MAX_TEXT": limits.MAX_TEXT,
        "LOOP_MODES": list(limits.LOOP_MODES),
        "FILE_STATES": list(get_args(limits.FileState)),
        "AUDIO_SUFFIXES": sorted(AUDIO_SUFFIXES),
        "CLIPS": [[clip.name, clip.title] for clip in clips.values()],
        "MAX_ANSWER_FILE_BYTES": answer_messages.MAX_FILE_BYTES,
        "RECORDING_SUFFIX": limits.RECORDING_SUFFIX,
        "MAX_SEEDS": limits.MAX_SEEDS,
        "MAX_FORK_SAMPLES": limits.MAX_BLOCK_BYTES // 4,
        "MAX_ENGINE_EVENTS": limits.MAX_ENGINE_EVENTS,
        "MAX_ENGINE_BYTES": limits.MAX_ENGINE_BYTES,
        "MAX_UNDER_WAY": limits.MAX_UNDER_WAY,
        "KERNEL_TYPES": [kind.__struct_config__.tag for kind in kernel_messages.RECEIVED],
    }
    answering = (*answer_messages.REQUESTS, answer_messages.Answered)
    defs = _definitions((*messages.SENT, *kernel_messages.RECEIVED, *answering), WIRE_WORDS)
    for name in events()["$defs"]:
        defs.pop(name, None)
    for kind in ("Events", "BranchEvents", "EngineEvents"):
        defs[kind]["properties"]["events"]["items"] = {"$ref": "events.json#/$defs/SessionEvent"}
    defs["Answered"]["properties"]["tokens"]["items"] = {"$ref": "events.json#/$defs/Token"}
    unions = {
        "AnswerRequest": answer_messages.REQUESTS,
        "BrowserMessage": messages.SENT,
        "KernelMessage": kernel_messages.RECEIVED,
    }
    return _schema(unions, defs, constants)


def _schema(unions: Mapping[str, Sequence[Struct]], defs: Schema, constants: Schema) -> Schema:
    for name, kinds in unions.items():
        defs[name] = {"anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "constants": constants, "$defs": defs}


def _definitions(kinds: Sequence[Struct], words: Mapping[str, Any]) -> Schema:
    """Return the schemas of structs and of all that they hold.

    Every field is required, except those that are UNSET by default: a field with another default may be missing in a
    message of another program, but both sides of this package write it.
    """
    _, found = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    structs = {
        name: value
        for module in STRUCTS_IN
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, msgspec.Struct)
    }
    defs: Schema = {name: {"enum": list(get_args(kind))} for name, kind in words.items()}
    named = {tuple(sorted(part["enum"])): name for name, part in defs.items()}
    for name, part in found.items():
        defs[name] = _without_defaults(part, named)
        if name in structs:
            _document(defs[name], structs[name])
            optional = {item.name for item in msgspec.structs.fields(structs[name]) if item.default is msgspec.UNSET}
            defs[name]["required"] = [item for item in defs[name]["properties"] if item not in optional]
    return defs


def _without_defaults(part: Any, named: Mapping[tuple[str, ...], str]) -> Any:
    """Return a schema without defaults and titles; words that have a name refer to it."""
    if isinstance(part, list):
        return [_without_defaults(each, named) for each in part]
    if not isinstance(part, dict):
        return part
    if tuple(part.get("enum", ())) in named:
        return {"$ref": f"#/$defs/{named[tuple(part['enum'])]}"}
    kept = {name: value for name, value in part.items() if name not in ("title", "default", "discriminator")}
    return {name: _without_defaults(value, named) for name, value in kept.items()}


def _document(part: Schema, kind: Struct) -> None:
    """Replace a struct's docstring by its first sentences, and give each field its own."""
    part["description"] = _documented(kind)[0]
    for name, value in part["properties"].items():
        if name == "type":
            continue
        texts = [_documented(each)[1].get(name) for each in kind.__mro__ if issubclass(each, msgspec.Struct)]
        text = next(filter(None, texts), None)
        if text is not None:
            value["description"] = text


def _documented(kind: type) -> tuple[str, dict[str, str]]:
    """Return the summary of a docstring, and the text of each of its attributes."""
    summary, _, section = inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes\n----------\n")
    texts: dict[str, list[str]] = {}
    names: list[str] = []
    for line in section.split("\n\n")[0].splitlines():
        if not line.startswith(" "):
            names = line.split(", ")
            texts |= {name: [] for name in names}
        for name in names if line.startswith(" ") else ():
            texts[name].append(line.strip())
    return " ".join(summary.split()), {name: " ".join(lines) for name, lines in texts.items()}


FILES = {"events.json": events, "messages.json": wire}


def text(of: Schema) -> str:
    """Return a schema as it lies in its file."""
    return json.dumps(of, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (FOLDER / name).write_text(text(make()), encoding="utf-8")
        print(f"Written: js/schema/{name}")
