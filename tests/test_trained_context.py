"""The context that a checkpoint was trained for: it travels with the checkpoint, is the default, and is visible."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ai_widgets.inference import Model, load_model
from ai_widgets.model.convert import convert
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Notice
from ai_widgets.session.framing import Framing
from ai_widgets.settings import RESET_POSITIONS, SLIDE_POSITIONS, Settings
from ai_widgets.training.curriculum import Course, Shape
from ai_widgets.training.recipe import SHIPPED
from ai_widgets.training.trained_context import trained_seconds
from ai_widgets.widget.wire.token_table import vocabulary

PREFIX, STEP = 12, 13
"""Positions of the toy's prefix, and of a silent chunk."""
SECONDS = 2.0
LIMIT = PREFIX + 5 * STEP


@pytest.fixture
def made_for(toy: Model) -> Model:
    """The toy, with a traits file that says 2 s: five chunks."""
    return replace(toy, traits=replace(toy.traits, context_seconds=SECONDS))


def limit(model: Model, **settings: object) -> int:
    return Framing.of(model, Settings.of(dict(settings))).limit


class TestDefault:
    def test_a_sliding_context_is_as_long_as_in_training(self, made_for: Model) -> None:
        assert limit(made_for) == LIMIT

    def test_a_setting_goes_before_it(self, made_for: Model) -> None:
        assert limit(made_for, context_limit=500) == 500
        assert limit(made_for, context_seconds=30.0) == SLIDE_POSITIONS, "the seconds that were asked for fit in"

    def test_a_checkpoint_that_does_not_say_has_a_minute(self, toy: Model) -> None:
        assert limit(toy) == SLIDE_POSITIONS

    def test_the_authors_ways_are_as_they_were(self, made_for: Model) -> None:
        assert limit(made_for, context="reset") == RESET_POSITIONS
        assert limit(made_for, context="stop") == made_for.positions

    def test_a_long_prompt_takes_nothing_away_from_the_audio(self, made_for: Model) -> None:
        prompt = "Listen carefully to everything. " * 8
        grown = len(Framing.of(made_for, Settings(system_prompt=prompt)).prefix)
        assert grown > LIMIT
        assert limit(made_for, system_prompt=prompt) == grown + 5 * STEP

    def test_never_more_than_the_checkpoint_has_positions_for(self, toy: Model) -> None:
        endless = replace(toy, traits=replace(toy.traits, context_seconds=86_400.0))
        assert limit(endless) == toy.positions

    def test_every_decision_notice_and_page_says_it(self, made_for: Model) -> None:
        session = made_for.session(bias=-100.0)
        events = list(session.push(np.zeros(8 * CHUNK_SAMPLES, np.float32)))
        decisions = [event for event in events if isinstance(event, Decision)]
        slides = [event for event in events if isinstance(event, Notice) and event.kind == "context_slide"]
        assert {decision.limit for decision in decisions} == {session.context_limit} == {LIMIT}
        assert max(decision.chunk - decision.oldest + 1 for decision in decisions) == 5
        assert slides
        assert all(f"of {LIMIT} positions are used" in notice.message for notice in slides)
        assert vocabulary(made_for, session.settings)["limit"] == LIMIT


class TestTravel:
    def test_the_embedded_checkpoint_says_what_its_recipe_trained(self) -> None:
        traits = load_model("tiny", "cpu").traits
        assert SHIPPED.course is not None
        assert traits.context_seconds == trained_seconds([], SHIPPED.course, 156, attended=30) == 12.0

    def test_conversion_keeps_it(self, toy_folder: Path, tmp_path: Path) -> None:
        source = tmp_path / "source"
        shutil.copytree(toy_folder, source)
        file = source / "audio_interaction.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "context": {"seconds": SECONDS}}))
        converted = load_model(convert(source, tmp_path / "converted", dtype="float32"), "cpu")
        assert converted.traits.context_seconds == SECONDS
        assert converted.session().context_limit == LIMIT


class TestTraining:
    """How much audio stood before nineteen in twenty of the trained decisions."""

    def test_of_whole_streams(self) -> None:
        # Batches have equally many positions: of each length as many chunks are trained, however many streams it has.
        assert trained_seconds([20] * 7, None, 150) == pytest.approx(19 * 0.4)
        assert trained_seconds([10] * 99 + [100], None, 150) == 4.0

    def test_streams_are_cut_where_the_positions_end(self) -> None:
        assert trained_seconds([1000], None, 100) == pytest.approx(95 * 0.4)

    def test_no_longer_than_attention_reached(self) -> None:
        assert trained_seconds([1000], None, 100, attended=30) == 12.0
        assert trained_seconds([20], None, 100, attended=30) == pytest.approx(19 * 0.4)

    def test_of_a_course(self) -> None:
        one = Shape(1, 10, 200)
        assert trained_seconds([], Course(window=one, streams=one, long_streams=one), 150) == 4.0
        seldom = Course(0.9, 0.9, Shape(40, 6, 112), Shape(6, 30, 560), Shape(1, 110, 1920), 0.25)
        often = replace(seldom, windows_first=0.1, windows_last=0.1, long_share=0.9)
        assert trained_seconds([], seldom, 150) < 12.0 < trained_seconds([], often, 150)
