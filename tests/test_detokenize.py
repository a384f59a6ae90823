"""Text of a growing reply: incomplete UTF-8 is held back, what was shown stays, the emotion is no text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.inference import Model
from ai_widgets.session.detokenize import REPLACEMENT, ReplyText
from ai_widgets.special_tokens import Emotion


class Growing:
    """A reply that is extended token by token."""

    def __init__(self, model: Model) -> None:
        self.reply = ReplyText(model)

    def add(self, token: int) -> str:
        self.reply = self.reply.with_token(token)
        return self.reply.added

    @property
    def text(self) -> str:
        return self.reply.text


def shown(model: Model, tokens: list[int]) -> list[str]:
    growing = Growing(model)
    return [growing.add(token) for token in tokens]


def test_a_character_appears_with_its_last_byte(toy: Model) -> None:
    assert shown(toy, list("aé你😊!".encode())) == ["a", "", "é", "", "", "你", "", "", "", "😊", "!"]


@given(st.text(max_size=12))
def test_the_pieces_of_whole_text_join_to_it(toy: Model, text: str) -> None:
    reply = Growing(toy)
    pieces = [reply.add(token) for token in text.encode()]
    # A text may itself end in what looks like an incomplete character.
    assert "".join(pieces) == text.rstrip(REPLACEMENT) or "".join(pieces) == text
    assert reply.text == text


@given(st.lists(st.integers(0, 255), max_size=16))
def test_whatever_bytes_come_the_pieces_begin_the_text(toy: Model, tokens: list[int]) -> None:
    reply = Growing(toy)
    pieces = ""
    for token in tokens:
        pieces += reply.add(token)
        assert reply.text.startswith(pieces)
    assert reply.text == bytes(tokens).decode("utf-8", errors="replace")


def test_broken_bytes_do_not_hold_the_rest_back(toy: Model) -> None:
    pieces = shown(toy, [0xE4, *b"ok", 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, *b"go"])
    assert pieces[1].endswith("o")
    assert "".join(pieces).count(REPLACEMENT) == 6
    assert "".join(pieces).endswith("go")


def test_a_long_run_of_broken_bytes_flows(toy: Model) -> None:
    pieces = shown(toy, [0xFF] * 10)
    assert len("".join(pieces)) == 7


def test_the_emotion_is_the_first_token_or_none(toy: Model) -> None:
    sad = toy.traits.tokens.emotions[Emotion.SAD]
    reply = Growing(toy)
    assert reply.reply.emotion is None
    assert [reply.add(token) for token in [sad, *b"oh"]] == ["", "o", "h"]
    assert (reply.reply.emotion, reply.text, reply.reply.tokens) == (Emotion.SAD, "oh", (sad, *b"oh"))


def test_an_emotion_in_the_middle_is_no_text_and_not_the_emotion(toy: Model) -> None:
    sad = toy.traits.tokens.emotions[Emotion.SAD]
    reply = Growing(toy)
    assert [reply.add(token) for token in [*b"o", sad, *b"h"]] == ["o", "", "h"]
    assert reply.reply.emotion is None


def test_special_tokens_are_no_text(toy: Model) -> None:
    tokens = [*b"a", *toy.traits.tokens.ids.values(), *b"b"]
    assert "".join(shown(toy, tokens)) == "ab"
