"""What a checkpoint says of itself, and what a damaged traits file is told."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ai_widgets.errors import CheckpointError
from ai_widgets.model.traits import Traits, read_traits
from ai_widgets.special_tokens import Emotion
from tests.reference_checkpoint import PUBLISHED_TOKENS, TOY


def good() -> dict[str, Any]:
    return copy.deepcopy(dict(TOY.traits or {}))


def test_a_folder_without_traits_has_those_of_the_published_release(tmp_path: Path) -> None:
    """docs/protocol.md §2, §3 and §6."""
    traits = read_traits(tmp_path)
    assert dict(traits.tokens.ids) == PUBLISHED_TOKENS
    assert dict(traits.tokens.emotions) == {
        Emotion.HAPPY: 151614,
        Emotion.SAD: 151615,
        Emotion.ANGRY: 151616,
        Emotion.SURPRISE: 151617,
        Emotion.NORMAL: 151618,
        Emotion.URGENT: 151619,
    }
    assert traits.prefix == ("ONLINE", "ENGLISH", "TEXT_BEGIN", "TEXT_BEGIN", "PROMPT", "TEXT_END")
    assert traits.chunk == ("AUDIO_BEGIN", "FRAMES", "ASSISTANT")
    assert traits.rope_positions == "float16"
    assert traits.system_prompt == (
        "You are a helpful assistant. When there is no user text, if the audio contains a question, please answer it. "
        "If it is a sound effect, determine based on the sound whether help is needed."
    )


def test_a_folders_own_traits_are_taken(tmp_path: Path) -> None:
    (tmp_path / "audio_interaction.json").write_text(json.dumps(good()))
    traits = read_traits(tmp_path)
    assert (traits.name, traits.rope_positions, traits.system_prompt) == ("toy", "exact", "Listen.")
    assert traits.tokens["KEEP_SILENCE"] == TOY.tokens["KEEP_SILENCE"]


def test_a_checkpoint_need_not_have_emotions() -> None:
    values = good()
    del values["emotions"]
    assert not Traits.from_json(values, "x").tokens.emotions


def test_the_context_it_was_trained_for_travels_in_the_file() -> None:
    assert Traits.from_json(good(), "x").context_seconds is None, "a file need not say it"
    traits = Traits.from_json(changed(context={"seconds": 12}), "x")
    assert traits.context_seconds == 12.0
    assert Traits.from_json(traits.to_json(), "x") == traits
    assert "context" not in Traits.from_json(good(), "x").to_json()


def test_the_published_release_does_not_say_what_context_it_was_trained_for(tmp_path: Path) -> None:
    assert read_traits(tmp_path).context_seconds is None


@pytest.mark.parametrize(
    "context", [12, [], {}, {"seconds": None}, {"seconds": "12"}, {"seconds": True}, {"seconds": 0.3}, {"seconds": 1e9}]
)
def test_a_context_that_makes_no_sense_is_refused(context: Any) -> None:
    with pytest.raises(CheckpointError, match=r'x: context must be \{"seconds": number\} with 0.4 to 86400 seconds'):
        Traits.from_json(changed(context=context), "x")


def changed(**changes: Any) -> dict[str, Any]:
    return {**good(), **changes}


def without(name: str) -> dict[str, Any]:
    values = good()
    del values[name]
    return values


def framing(prefix: Any = None, chunk: Any = None) -> dict[str, Any]:
    values = good()
    values["framing"] = {
        "prefix": values["framing"]["prefix"] if prefix is None else prefix,
        "chunk": values["framing"]["chunk"] if chunk is None else chunk,
    }
    return values


BAD = {
    "no name": without("name"),
    "no tokens": without("special_tokens"),
    "no framing": without("framing"),
    "no prompt": without("system_prompt"),
    "no rope": without("rope_positions"),
    "a list": [1, 2],
    "a text": "hello",
    "null": None,
    "tokens are a list": changed(special_tokens=[1, 2]),
    "an id is a word": changed(special_tokens={**good()["special_tokens"], "PAD": "pad"}),
    "an id is null": changed(special_tokens={**good()["special_tokens"], "PAD": None}),
    "an id is below zero": changed(special_tokens={**good()["special_tokens"], "PAD": -3}),
    "a token is missing": changed(special_tokens={"PAD": 1}),
    "an unknown emotion": changed(emotions={"BORED": 5}),
    "emotions are a list": changed(emotions=[1]),
    "an unknown rounding": changed(rope_positions="float8"),
    "framing is null": changed(framing=None),
    "prefix is null": framing(prefix=None) | {"framing": {"prefix": None, "chunk": []}},
    "an unknown name in the prefix": framing(prefix=["ONLIN", "PROMPT"]),
    "a number in the prefix": framing(prefix=[3, "PROMPT"]),
    "a list in the prefix": framing(prefix=[["ONLINE"], "PROMPT"]),
    "no prompt in the prefix": framing(prefix=["ONLINE"]),
    "two prompts": framing(prefix=["PROMPT", "PROMPT"]),
    "frames in the prefix": framing(prefix=["PROMPT", "FRAMES"]),
    "no frames in the chunk": framing(chunk=["AUDIO_BEGIN", "ASSISTANT"]),
    "frames come first": framing(chunk=["FRAMES", "ASSISTANT"]),
    "an empty chunk": framing(chunk=[]),
}


@pytest.mark.parametrize("values", BAD.values(), ids=BAD.keys())
def test_bad_traits_are_a_checkpoint_error(tmp_path: Path, values: Any) -> None:
    (tmp_path / "audio_interaction.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError) as caught:
        read_traits(tmp_path)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00garbage", b"[" * 100])
def test_a_damaged_traits_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "audio_interaction.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"audio_interaction\.json"):
        read_traits(tmp_path)
