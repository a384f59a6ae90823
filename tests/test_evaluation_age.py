"""Recall by age of session: what long sessions hold, and that forgetting with age is seen."""

# ruff: noqa: ARG002 - listeners that need not listen have the interface of those that do

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import SettingError
from ai_widgets.evaluation import context_curve
from ai_widgets.evaluation.age import CHUNKS_A_MINUTE, by_age
from ai_widgets.evaluation.command import evaluate
from ai_widgets.evaluation.long_sessions import CHUNKS, MINUTES, long_sessions
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.players import ModelPlayer, Point
from ai_widgets.evaluation.scenes import GENERATED, Scene
from ai_widgets.evaluation.scoring import Outcome, Reply, Score
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES
from ai_widgets.settings import SLIDE_POSITIONS
from ai_widgets.training import clipcache, corpus, sounds
from ai_widgets.training.corpus import AMBIENCE, DOG, SPEECH
from ai_widgets.training.labels import REPLY_SPEECH, Occasion
from tests.signals import babble

SEED = 7


@pytest.fixture(scope="module")
def material() -> Material:
    """A hundred utterances, a dog and two kinds of ambience."""
    made = [
        corpus.make_clip(babble(1 + n % 3 / 2, n), SPEECH, REPLY_SPEECH if n % 2 else 1 + n % 16, f"talk{n}", "speech")
        for n in range(100)
    ]
    made.append(corpus.make_clip(sounds.knocking(np.random.default_rng(1), 1), DOG, 0, "dog", "dog"))
    rain = [sounds.rain(np.random.default_rng(n), 3) for n in range(4)]
    made += [corpus.make_clip(samples, AMBIENCE, 0, f"rain{n}", "rain") for n, samples in enumerate(rain)]
    return Material([clip for clip in made if clip is not None])


@pytest.fixture(scope="module")
def played(material: Material) -> list[Scene]:
    return list(long_sessions(material, 2, SEED))


class Tiring:
    """Answers everything at once in the first two minutes, later every other spoken turn, and then speaks unasked."""

    name = "tiring"
    points: tuple[Point, ...] = ({"bias": 0.0},)

    def hear(self, scene: Scene) -> None:
        return None

    def reply(self, heard: Any, scene: Scene, point: Point, seed: int) -> tuple[list[Reply], list[float]]:
        young = 2 * CHUNKS_A_MINUTE
        due = [o for o in scene.occasions if o.due < scene.chunks]
        kept = [o for place, o in enumerate(due) if o.due < young or o.kind != SPEECH or place % 2]
        return [Reply(o.due, o.label) for o in kept], [0.0] * scene.chunks

    def times_real_time(self, scene: Scene) -> float:
        return 1.0


class TestLongSessions:
    def test_they_are_long_and_live_and_never_repeat_themselves(self, played: list[Scene]) -> None:
        for scene in played:
            assert scene.chunks == CHUNKS == MINUTES * CHUNKS_A_MINUTE
            assert len(scene.audio) == CHUNKS * CHUNK_SAMPLES
            heard = [source for source in scene.sources if source != GENERATED]
            assert len(heard) == len(set(heard)), "no recording twice"
            assert {source.rstrip("0123456789") for source in heard} == {"talk", "dog", "rain"}
            assert GENERATED in scene.sources
            minutes = {o.due // CHUNKS_A_MINUTE for o in scene.occasions if o.kind == SPEECH}
            assert minutes == set(range(MINUTES)), "somebody speaks in every minute"

    def test_a_seed_gives_the_same_sessions_and_another_one_others(
        self, material: Material, played: list[Scene]
    ) -> None:
        for one, two in zip(played, long_sessions(material, 2, SEED), strict=True):
            np.testing.assert_array_equal(one.audio, two.audio)
            assert (one.occasions, one.sources) == (two.occasions, two.sources)
        other = next(long_sessions(material, 1, SEED + 1))
        assert other.sources != played[0].sources != played[1].sources

    def test_without_speech_there_are_none(self) -> None:
        rain = corpus.make_clip(sounds.rain(np.random.default_rng(0), 3), AMBIENCE, 0, "rain", "rain")
        assert rain is not None
        assert list(long_sessions(Material([rain]), 2, SEED)) == []

    @pytest.mark.parametrize("count", [-1, 1000])
    def test_a_number_out_of_bounds(self, material: Material, count: int) -> None:
        with pytest.raises(SettingError, match="from 0 to 200"):
            list(long_sessions(material, count, SEED))


class TestFigures:
    def test_what_is_heard_less_with_age_is_seen(self, material: Material) -> None:
        result = evaluate([Tiring()], material, 0.01, SEED, sessions=2)
        ages = result["policies"]["tiring"]["age"]["ages"]
        assert [ages[name]["spoken"]["value"] for name in ("first", "second")] == [1, 1]
        assert 0.35 < ages["third and later"]["spoken"]["value"] < 0.65
        assert ages["third and later"]["sounds"]["value"] == 1
        assert list(result["policies"]["tiring"]["age"]["minutes"]) == [str(n + 1) for n in range(MINUTES)]
        long = result["streams"]["long_sessions"]
        assert (long["hours"], long["minutes_each"]) == (0.2, MINUTES)
        json.dumps(result, allow_nan=False)

    def test_the_other_figures_do_not_depend_on_them(self, material: Material) -> None:
        without, beside = (evaluate([Tiring()], material, 0.01, SEED, sessions=count) for count in (0, 1))
        assert without["streams"]["sha256"] == beside["streams"]["sha256"]
        assert without["policies"]["tiring"]["spoken"] == beside["policies"]["tiring"]["spoken"]
        assert without["policies"]["tiring"]["age"] == {"sessions": 0, "ages": {}, "minutes": {}}

    def test_everything_counts_in_its_own_minute(self) -> None:
        """An occasion in the minute where its reply is due, a false reply in the one where it begins."""

        def spoken(due: int, answered: bool) -> Outcome:
            occasion = Occasion(0, 1, SPEECH, REPLY_SPEECH, due)
            return Outcome(occasion, Reply(due, REPLY_SPEECH) if answered else None)

        score = Score("long", "long", 400)
        score.outcomes = [spoken(149, True), spoken(150, False), spoken(299, True), spoken(300, False)]
        score.false = [Reply(299, 1), Reply(300, 1), Reply(399, 1)]
        found = by_age([score])
        counts = {
            age: (row["spoken"]["count"], row["spoken"]["of"], row["false"]) for age, row in found["ages"].items()
        }
        assert counts == {"first": (1, 1, 0), "second": (1, 2, 1), "third and later": (0, 1, 2)}
        assert [row["minutes_heard"] for row in found["minutes"].values()] == [1, 1, 0.67]
        assert found["ages"]["third and later"]["false_per_hour"]["value"] == pytest.approx(2 / (40 / 3600))


class TestCurve:
    def test_lengths_are_positions_of_that_much_audio(self, toy: Model) -> None:
        plans = context_curve.plans(toy, [4.0])
        assert plans["4 s"] == {"context_limit": 12 + 10 * 13}
        assert list(plans)[1:] == [f"{SLIDE_POSITIONS} positions", "reset", "forget after each reply"]
        for settings in plans.values():
            assert ModelPlayer(toy, **settings).context_limit > 0

    def test_it_goes_on_where_it_stopped(
        self, toy: Model, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        clipcache.save(material.validation, tmp_path / "clips")
        monkeypatch.setattr(context_curve, "load_model", lambda *_: toy)
        monkeypatch.setattr(context_curve, "plans", lambda *_: {"short": {"context_limit": 142, "bias": -50.0}})
        monkeypatch.setattr(ModelPlayer, "reply", lambda *_: ([], []))
        out = tmp_path / "curve.jsonl"
        arguments = ["--clips", str(tmp_path / "clips"), "--out", str(out), "--seed", str(SEED)]
        assert context_curve.main([*arguments, "--sessions", "1"]) == 0
        first = out.read_text()
        assert context_curve.main([*arguments, "--sessions", "2"]) == 0
        assert out.read_text().startswith(first)
        assert [json.loads(line)["session"] for line in out.read_text().splitlines()] == [0, 1]
        assert "third and later" in capsys.readouterr().out
        with pytest.raises(SettingError, match="another seed"):
            context_curve.main([*arguments[:-1], "8"])
