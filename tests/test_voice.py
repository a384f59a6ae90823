"""The voice: each complete reply is spoken by a function of Python, off the decode thread, and marked in the record."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import SettingError
from ai_widgets.protocol import Notice, Turn
from ai_widgets.widget.voice import voice
from ai_widgets.widget.voice.voice import Speak
from ai_widgets.widget.wire.limits import MAX_RANGE_BYTES
from tests.page import PATIENCE, Build, Page, silence

SOUND = np.linspace(-1.0, 1.0, 800, dtype=np.float32)
TALKS: dict[str, Any] = {"bias": 1000.0}
"""Settings with which each chunk gets a reply."""


def says(returned: Any) -> Speak:
    """Return a function of text-to-speech that returns the same for every reply."""

    def speak(_: str, __: Turn) -> Any:
        return returned

    return speak


def spoken(page: Page, chunks: int = 1) -> None:
    """Feed audio and wait until each reply was spoken, and noted in the record."""
    page.widget.feed(silence(chunks), 16_000)
    assert page.widget._channel.presenter.voice._stage.join(PATIENCE)
    assert page.widget.wait(PATIENCE)


def speaking_until_told(page: Page, returned: Any) -> threading.Event:
    """Begin to speak a first reply; the function returns when the event is set."""
    begun, go = threading.Event(), threading.Event()

    def slow(_: str, __: Turn) -> Any:
        begun.set()
        assert go.wait(PATIENCE)
        return returned

    page.widget.on_reply(slow)
    page.widget.feed(silence(1), 16_000)
    assert begun.wait(PATIENCE)
    return go


def notices(page: Page, kind: str) -> list[Notice]:
    return [notice for notice in page.widget.record.of_type(Notice) if notice.kind == kind]


def test_a_reply_is_spoken_marked_and_sent_to_the_page_that_records(build: Build) -> None:
    page = build(**TALKS)
    page.hello()
    told: list[tuple[str, Turn]] = []

    @page.widget.on_reply
    def speak(text: str, turn: Turn) -> tuple[Any, int]:
        told.append((text, turn))
        return SOUND, 16_000

    spoken(page)
    (turn,) = page.widget.record.of_type(Turn)
    assert told == [(turn.text, turn)]
    (message,) = page.of("voice")
    assert (message["turn"], message["page"], message["rate"], message["parts"]) == (turn.turn, page.name, 16_000, 1)
    heard = np.frombuffer(page.buffers_of("voice")[0], "<i2") / 32768
    assert np.abs(heard - SOUND).max() < 1e-4
    (notice,) = notices(page, "voice")
    assert dict(notice.data) == {"turn": turn.turn, "seconds": 0.05}
    assert notice.message == f"Reply {turn.turn} is spoken: 0.1 s of sound."


def test_the_function_runs_off_the_decode_thread(build: Build) -> None:
    page, go = build(**TALKS), threading.Event()

    def slow(_: str, __: Turn) -> None:
        assert go.wait(PATIENCE)

    page.widget.on_reply(slow)
    page.widget.feed(silence(3), 16_000)
    assert len(page.widget.record.of_type(Turn)) == 3
    go.set()
    spoken(page, 0)


def test_long_sound_comes_in_parts_below_the_limit_of_a_message(build: Build) -> None:
    page = build(**TALKS)
    page.hello()
    sound = np.random.default_rng(0).uniform(-1, 1, 48_000 * 12).astype(np.float32)
    page.widget.on_reply(says((sound, 48_000)))
    spoken(page)
    parts, buffers = page.of("voice"), page.buffers_of("voice")
    assert [(each["part"], each["parts"]) for each in parts] == [(0, 3), (1, 3), (2, 3)]
    assert max(map(len, buffers)) <= MAX_RANGE_BYTES
    assert np.abs(np.frombuffer(b"".join(buffers), "<i2") / 32768 - sound).max() < 1e-4


def test_a_host_without_buffers_gets_base64(build: Build) -> None:
    page = build(**TALKS)
    page.hello(binary=False)
    page.widget.on_reply(says((SOUND, 16_000)))
    spoken(page)
    assert page.buffers_of("voice") == []
    assert len(page.of("voice")[0]["data"]) > 800


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (SOUND, "must return (samples, rate) or None, not ndarray"),
        (b"RIFF", "must return (samples, rate) or None, not bytes"),
        ((SOUND, "16 kHz"), "The sample rate must be a whole number"),
        ((SOUND, 4_000), "browsers play 8000 to 96000 Hz"),
        ((SOUND * 32768, 16_000), "Float audio must lie between"),
        ((np.zeros(8_000 * 121), 8_000), "returned 121 s of sound"),
    ],
)
def test_what_is_no_sound_is_a_sentence(build: Build, returned: Any, words: str) -> None:
    page = build(**TALKS)
    page.widget.on_reply(says(returned))
    spoken(page)
    (notice,) = notices(page, "voice_failed")
    assert notice.message.startswith("Reply 0 was not spoken.")
    assert words in notice.message
    assert any(words in problem for problem in page.problems())
    assert page.of("voice") == []


def test_an_exception_of_the_function_ends_nothing(build: Build) -> None:
    page = build(**TALKS)

    def broken(text: str, turn: Turn) -> tuple[Any, int]:
        if turn.turn == 0:
            raise ConnectionError("the speech server is away")
        return SOUND, 16_000

    page.widget.on_reply(broken)
    spoken(page)
    spoken(page)
    assert page.widget.error is None
    (notice,) = notices(page, "voice_failed")
    assert "raised ConnectionError: the speech server is away" in notice.message
    assert [message["turn"] for message in page.of("voice")] == [1]


@pytest.mark.parametrize("returned", [None, ([], 16_000)])
def test_nothing_to_say_is_no_notice(build: Build, returned: Any) -> None:
    page = build(**TALKS)
    page.widget.on_reply(says(returned))
    spoken(page)
    assert (page.of("voice"), notices(page, "voice"), notices(page, "voice_failed")) == ([], [], [])


def test_replies_before_the_function_and_after_none_are_not_spoken(build: Build) -> None:
    page = build(**TALKS)
    page.widget.feed(silence(1), 16_000)
    page.widget.on_reply(says((SOUND, 16_000)))
    spoken(page)
    page.widget.on_reply(None)
    spoken(page)
    assert [message["turn"] for message in page.of("voice")] == [1]


def test_a_reply_of_a_session_that_was_reset_is_not_said_into_the_next(build: Build) -> None:
    page = build(**TALKS)
    go = speaking_until_told(page, (SOUND, 16_000))
    page.widget.reset()
    go.set()
    spoken(page, 0)
    assert page.of("voice") == []


def test_replies_beyond_the_queue_are_noted(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "MAX_UNSPOKEN", 1)
    page = build(**TALKS)
    go = speaking_until_told(page, None)
    page.widget.feed(silence(3), 16_000)
    go.set()
    spoken(page, 0)
    assert [notice.data["turn"] for notice in notices(page, "voice_failed")] == [2, 3]


def test_a_closed_widget_speaks_no_more(build: Build) -> None:
    page = build(**TALKS)
    go = speaking_until_told(page, (SOUND, 16_000))
    speaking = page.widget._channel.presenter.voice
    speaking.stop()
    go.set()
    page.widget.close()
    assert not speaking._stage.alive
    assert page.of("voice") == []


def test_what_cannot_be_called_is_refused(build: Build) -> None:
    with pytest.raises(SettingError, match="takes a function of"):
        build().widget.on_reply("espeak")  # type: ignore[type-var]
