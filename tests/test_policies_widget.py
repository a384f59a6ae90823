"""Baseline policies in the widget: the same events as in a session, and a page that is told what it cannot show."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import ai_widgets as aiw
from ai_widgets.errors import SettingError
from ai_widgets.policies import BY_NAME, named
from ai_widgets.protocol import Chunk, Decision, Turn
from ai_widgets.widget.live_settings import LiveSettings
from tests.page import Build
from tests.test_policies import SPEECH, turns


@pytest.mark.parametrize("name", BY_NAME)
def test_a_policy_in_the_widget_decides_as_in_a_session(build: Build, name: str) -> None:
    if name == "silero" and find_spec("silero_vad") is None:
        pytest.skip("silero-vad is not installed")
    session = named(name).session()
    expected = [*session.push(SPEECH), *session.finish(tail_silence=1.0)]
    page = build(named(name))
    page.hello()
    page.widget.feed(SPEECH, 16_000, end=True)
    for kind in (Decision, Turn):
        assert [e for e in page.events() if isinstance(e, kind)] == [e for e in expected if isinstance(e, kind)]
    assert len([event for event in page.events() if isinstance(event, Chunk)]) == 13
    assert page.widget.error is None


def test_sound_from_the_microphone_reaches_the_policy(build: Build) -> None:
    page = build(aiw.policies.Energy())
    page.hello()
    page.record(SPEECH)
    page.until(lambda: turns(page.events()) == [6])


def test_the_page_is_told_that_it_is_a_policy(build: Build) -> None:
    page = build(aiw.policies.Energy(threshold=15))
    page.hello()
    (told, *_) = page.of("model")
    assert (told["kind"], told["name"], told["status"]) == ("policy", "energy", "ready")
    assert told["detail"] == "baseline · threshold 15 · release 4.0 · hangover_s 0.6 · shortest_s 0.1"
    assert (told["tokens"], told["prefix"], told["block"], told["limit"]) == ({}, [], [], 0)
    assert page.widget.model_info["kind"] == page.of("welcome")[0]["model"]["kind"] == "policy"
    groups = {setting["group"] for setting in page.widget.settings_schema}
    assert groups == {setting.group for setting in LiveSettings.schema if setting.group}


def test_a_model_says_that_it_is_a_model(page: Any) -> None:
    assert page.of("model")[0]["kind"] == "model"


def test_a_setting_of_tokens_is_refused_when_the_widget_is_made_and_later() -> None:
    with pytest.raises(SettingError, match="temperature does not apply to the policy energy"):
        aiw.AudioInteraction(aiw.policies.Energy(), temperature=0.3)
    widget = aiw.AudioInteraction(aiw.policies.Energy())
    try:
        assert widget.model.name == "energy"
        with pytest.raises(SettingError, match="bias does not apply"):
            widget.set(bias=1.0)
        assert widget.settings["bias"] == 0.0
    finally:
        widget.close()


def test_something_else_than_a_model_is_refused_in_a_sentence() -> None:
    with pytest.raises(SettingError, match=r"model must be a name such as 'tiny'.* not 5"):
        aiw.AudioInteraction(5)  # type: ignore[arg-type]


def test_a_reset_begins_with_a_new_detector(build: Build) -> None:
    page = build(aiw.policies.Energy())
    page.hello()
    page.widget.feed(np.concatenate([SPEECH, SPEECH[: 16_000 * 2]]), 16_000)
    page.widget.reset()
    page.widget.feed(SPEECH, 16_000)
    assert turns(page.widget.record.events) == [6]
