"""Abilities: what their scenes ask for, and that each way to fail is counted as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.cli import main as cli
from ai_widgets.errors import SettingError
from ai_widgets.evaluation import command, figures
from ai_widgets.evaluation.abilities import FIGURES, abilities, counted_to, headline
from ai_widgets.evaluation.ability_scenes import (
    ALONE,
    BETWEEN_S,
    COUNTING,
    EVENTS,
    MOST_SCENES,
    OVER,
    PAUSE_S,
    PAUSED,
    STOP,
    SUITES,
    TWO_AT_ONCE,
    UNFINISHED,
    WHOLE,
    ability_scenes,
)
from ai_widgets.evaluation.figures import Tally
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.players import ModelPlayer, baseline
from ai_widgets.evaluation.playing import play, replies_of
from ai_widgets.evaluation.scenes import Scene
from ai_widgets.evaluation.scoring import FURTHER_SOUNDS, SEVEN_SOUNDS, Reply, Score, first_chunk, score
from ai_widgets.evaluation.streams import ABILITY, SEEN, UNSEEN, Stream
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.training import acoustics, corpus, sounds
from ai_widgets.training.corpus import AMBIENCE, DOG, KINDS, KNOCK, LAUGHTER, MACHINE_VOICE, ROOSTER, SPEECH, Clip
from ai_widgets.training.labels import REPLY_OF_KIND, REPLY_SPEECH, Occasion
from ai_widgets.training.lexicon import WORDS
from ai_widgets.training.replies import counted, understood, wordings

SEED, COUNT = 7, 2
STOP_WORD = WORDS.index("stop") + 1
GAP_S = 0.2
"""Seconds of the natural pause inside each sentence of the material."""


def voiced(seed: int, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    voice = np.sign(np.sin(2 * np.pi * (90 + 7 * seed) * time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    return voice.astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * SAMPLE_RATE), np.float32)


def clips() -> Iterator[Clip | None]:
    for n in range(3):
        sentence = np.concatenate([silence(0.2), voiced(n, 0.9), silence(GAP_S), voiced(n + 9, 0.9), silence(0.6)])
        yield corpus.make_clip(sentence, SPEECH, REPLY_SPEECH, f"reading/{n}", "speech")
        spoken = np.concatenate([silence(0.2), voiced(n, 0.4), silence(0.6)])
        yield corpus.make_clip(spoken, SPEECH, STOP_WORD, f"commands/{n}", "speech")
        yield corpus.make_clip(voiced(n, 2), AMBIENCE, 0, f"machine-voice/{n}", MACHINE_VOICE, "I hear a dog.")
    for kind, count in ((DOG, 4), (KNOCK, 3), (ROOSTER, 1), (LAUGHTER, 1)):
        for n in range(count):
            samples = sounds.knocking(np.random.default_rng(n), 1)
            yield corpus.make_clip(samples, kind, 0, f"esc50/{KINDS[kind]}{n}", KINDS[kind])


@pytest.fixture(scope="module")
def material() -> Material:
    return Material([clip for clip in clips() if clip is not None])


@pytest.fixture(scope="module")
def composed(material: Material) -> list[Scene]:
    return list(ability_scenes(material, COUNT, SEED))


def named(composed: Sequence[Scene], suite: str, name: str = "") -> list[Scene]:
    return [scene for scene in composed if scene.suite == suite and name in ("", scene.name)]


def texts(scene: Scene) -> list[tuple[int, str]]:
    """The right replies to a scene: chunk and text."""
    if scene.suite != COUNTING:
        return [(o.due, wordings(o.label)[1][0]) for o in scene.occasions]
    return [(o.due, number(o.label, place)) for place, o in enumerate(scene.occasions, start=1)]


def number(label: int, place: int) -> str:
    """The reply to the `place`-th sound."""
    return counted(label, place)[1][0]


def scored(scene: Scene, replies: Sequence[tuple[int, str]]) -> Score:
    said = [Reply(chunk, understood(text), text) for chunk, text in replies]
    return score(scene.suite, scene.name, scene.chunks, scene.occasions, said)


class TestScenes:
    def test_a_seed_gives_the_same_scenes_and_a_larger_count_begins_with_them(
        self, material: Material, composed: list[Scene]
    ) -> None:
        fewer = list(ability_scenes(material, COUNT - 1, SEED))
        assert 0 < len(fewer) < len(composed)
        for one, two in zip(fewer, composed, strict=False):
            np.testing.assert_array_equal(one.audio, two.audio)
            np.testing.assert_array_equal(one.mels, two.mels)
            assert (one.suite, one.name, one.occasions, one.sources) == (
                two.suite, two.name, two.occasions, two.sources,
            )  # fmt: skip
        other = next(ability_scenes(material, 1, SEED + 1))
        assert len(other.audio) != len(composed[0].audio)

    def test_every_reply_is_due_within_its_scene(self, composed: list[Scene]) -> None:
        assert list(dict.fromkeys(scene.suite for scene in composed)) == list(SUITES)
        for scene in composed:
            assert scene.mels.shape == (len(scene.audio) // CHUNK_SAMPLES, 128, 40)
            assert all(occasion.due < scene.chunks for occasion in scene.occasions)

    def test_a_counting_session_has_ten_episodes_of_one_kind(self, composed: list[Scene]) -> None:
        sessions = named(composed, COUNTING)
        assert [scene.name for scene in sessions] == ["dog", "knock"], "kinds take turns, and one clip is too few"
        for scene in sessions:
            assert len(scene.occasions) == EVENTS
            assert {KINDS[o.kind] for o in scene.occasions} == {scene.name}
            for one, two in pairwise(scene.occasions):
                assert BETWEEN_S[0] <= (two.start - one.end) / SAMPLE_RATE + 1e-3 <= BETWEEN_S[1] + 1e-3
            for one, two in pairwise(scene.sources):
                assert one != two

    def test_a_sentence_with_a_pause_is_one_utterance(self, composed: list[Scene]) -> None:
        for paused, whole in zip(named(composed, UNFINISHED, PAUSED), named(composed, UNFINISHED, WHOLE), strict=True):
            (broken,), (spoken,) = paused.occasions, whole.occasions
            assert broken.label == spoken.label == REPLY_SPEECH
            assert (broken.source, paused.sources) == ("reading", whole.sources)
            longer = ((broken.end - broken.start) - (spoken.end - spoken.start)) / SAMPLE_RATE
            assert PAUSE_S[0] - 0.02 <= longer + GAP_S <= PAUSE_S[1] + 0.02
            assert broken.due * CHUNK_SAMPLES >= broken.end - CHUNK_SAMPLES

    def test_a_sound_begins_while_somebody_speaks(self, composed: list[Scene]) -> None:
        for scene in named(composed, TWO_AT_ONCE):
            (speech,) = (o for o in scene.occasions if o.kind == SPEECH)
            (sound,) = (o for o in scene.occasions if o.kind != SPEECH)
            assert KINDS[sound.kind] == scene.name
            assert speech.start < sound.start < speech.end
            assert speech.end - speech.start >= SAMPLE_RATE

    def test_stop_is_said_over_a_machine_voice_that_is_quieter(self, composed: list[Scene]) -> None:
        for scene in named(composed, STOP, OVER):
            (said,) = scene.occasions
            assert said.label == STOP_WORD
            voice = acoustics.loudness(scene.audio[said.start - SAMPLE_RATE // 4 : said.start])
            person = acoustics.loudness(scene.audio[said.start : said.end])
            assert 8 < 20 * np.log10(person / voice) < 30
        for scene in named(composed, STOP, ALONE):
            assert scene.occasions == []
            assert scene.audio.any()

    def test_without_material_there_are_no_scenes(self, material: Material) -> None:
        assert list(ability_scenes(Material([c for c in material.sounds if c.kind == ROOSTER]), 1, SEED)) == []
        people = Material([c for c in material.validation if c.kind == SPEECH])
        assert {scene.suite for scene in ability_scenes(people, 1, SEED)} == {UNFINISHED}

    @pytest.mark.parametrize("count", [-1, MOST_SCENES + 1])
    def test_a_number_out_of_bounds(self, material: Material, count: int) -> None:
        with pytest.raises(SettingError, match=f"from 0 to {MOST_SCENES}"):
            list(ability_scenes(material, count, SEED))


class TestFigures:
    def test_who_replies_rightly_has_every_ability(self, composed: list[Scene]) -> None:
        found = abilities([scored(scene, texts(scene)) for scene in composed])
        for words in FIGURES:
            expected = 0 if words.startswith("machine voice alone") else 1
            assert headline(found, words)["value"] == expected, words
        counting = found[COUNTING]
        assert counting["sessions"] == COUNT
        assert set(counting["kinds"]) == {"dog", "knock"}
        assert [counting["counted"][str(place)]["count"] for place in range(1, EVENTS + 1)] == [COUNT] * EVENTS
        assert set(found[UNFINISHED]["sources"]) == {"reading"}
        assert set(found[STOP]["sources"]) == {"commands"}
        json.dumps(found, allow_nan=False)

    def test_silence_has_none(self, composed: list[Scene]) -> None:
        found = abilities([scored(scene, []) for scene in composed])
        for words in FIGURES:
            expected = 1 if words.endswith("no reply before its end") else 0
            assert headline(found, words)["value"] == expected, words

    def test_what_had_no_material_is_nothing_to_measure(self, composed: list[Scene]) -> None:
        assert abilities([]) == {}
        found = abilities([scored(scene, []) for scene in named(composed, COUNTING)])
        assert headline(found, "stop over a machine voice: named")["value"] is None
        assert headline(found, "machine voice alone: false replies per hour")["value"] is None

    def test_a_missed_third_sound_ends_the_count_at_two(self, composed: list[Scene]) -> None:
        scene = named(composed, COUNTING)[0]
        right = texts(scene)
        missed = [*right[:2], *right[3:]]
        counting = abilities([scored(scene, missed)])[COUNTING]
        assert (counting["answered"]["count"], counting["answered"]["of"]) == (EVENTS - 1, EVENTS)
        assert [counting["counted"][str(place)]["count"] for place in (2, 3, 4)] == [1, 0, 1]
        assert [counting["counted_to"][str(place)]["count"] for place in (1, 2, 3, 4, 5)] == [1, 1, 0, 0, 0]

    def test_another_sound_with_the_right_number_is_not_counted(self, composed: list[Scene]) -> None:
        scene = named(composed, COUNTING)[0]
        replies = texts(scene)
        replies[1] = (replies[1][0], counted(REPLY_OF_KIND[ROOSTER], 2)[1][0])
        assert counted_to(scored(scene, replies)) == 1

    def test_a_reply_between_two_sounds_ends_the_count(self, composed: list[Scene]) -> None:
        scene = named(composed, COUNTING)[0]
        right = texts(scene)
        beside = (right[3][0] - 3, number(scene.occasions[0].label, 4))
        assert first_chunk(scene.occasions[3]) > beside[0]
        assert counted_to(scored(scene, [*right, beside])) == 2

    @given(st.lists(st.integers(0, EVENTS), max_size=EVENTS))
    def test_a_session_is_counted_as_far_as_its_numbers_are_right(self, numbers: list[int]) -> None:
        """0: no reply."""
        dog = REPLY_OF_KIND[DOG]
        places = range(len(numbers))
        occasions = [
            Occasion(20 * n * CHUNK_SAMPLES, (20 * n + 2) * CHUNK_SAMPLES, DOG, dog, 20 * n + 1) for n in places
        ]
        said = [Reply(o.due, dog, number(dog, said)) for o, said in zip(occasions, numbers, strict=True) if said]
        expected = next((place for place in places if numbers[place] != place + 1), len(numbers))
        assert counted_to(score(COUNTING, "dog", 20 * len(numbers) + 20, occasions, said)) == expected

    def test_a_reply_in_the_pause_is_early_also_where_the_end_is_answered(self, composed: list[Scene]) -> None:
        scene = named(composed, UNFINISHED, PAUSED)[0]
        (sentence,) = scene.occasions
        early = (first_chunk(sentence) - 1, wordings(REPLY_SPEECH)[1][0])
        found = abilities([scored(scene, [early]), scored(scene, [early, *texts(scene)])])[UNFINISHED]
        counts = {name: found["paused"][name]["count"] for name in ("waited", "answered", "both")}
        assert counts == {"waited": 0, "answered": 1, "both": 0}
        assert found["whole"]["sentences"] == 0

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            (lambda _: [SPEECH], (1, 0, 0)),
            (lambda kind: [kind], (0, 1, 0)),
            (lambda kind: [SPEECH, kind], (1, 1, 1)),
            (lambda kind: [SPEECH, DOG if kind != DOG else KNOCK], (1, 0, 0)),
        ],
        ids=["speech alone", "sound alone", "both", "another sound"],
    )
    def test_two_at_once_are_two_replies(
        self, composed: list[Scene], said: Callable[[int], list[int]], expected: tuple[int, int, int]
    ) -> None:
        scene = named(composed, TWO_AT_ONCE)[0]
        due = {o.kind == SPEECH: o for o in scene.occasions}
        replies = [
            (due[kind == SPEECH].due, wordings(REPLY_SPEECH if kind == SPEECH else REPLY_OF_KIND[kind])[1][0])
            for kind in said(due[False].kind)
        ]
        found = abilities([scored(scene, replies)])[TWO_AT_ONCE]
        assert tuple(found[name]["count"] for name in ("speech_answered", "sound_named", "both")) == expected

    def test_a_reply_to_a_machine_voice_alone_is_false(self, composed: list[Scene]) -> None:
        one, two = named(composed, STOP, ALONE)
        found = abilities([scored(one, [(4, "You said stop."), (8, "You said go.")]), scored(two, [])])[STOP]
        alone = found["alone"]
        assert (alone["false"], alone["with_a_reply"]["count"], alone["with_a_reply"]["of"]) == (2, 1, 2)
        assert alone["false_per_hour"]["value"] == pytest.approx(2 / alone["hours"], rel=0.01)

    def test_the_seven_sounds_stay_the_same_seven(self) -> None:
        assert SEVEN_SOUNDS == ("dog", "baby", "sneeze", "rooster", "knock", "music", "alarm")
        assert FURTHER_SOUNDS == ("laughter",)
        tally = Tally()
        for kind, label in REPLY_OF_KIND.items():
            said = REPLY_SPEECH if kind == LAUGHTER else label
            tally.add(score("sounds", "sounds", 10, [Occasion(0, 1, kind, label, 1)], [Reply(1, said)]), [])
        naming = figures.naming(tally)
        assert naming["sounds_macro_f1"]["value"] == naming["sounds_recorded_macro_f1"]["value"] == 1
        assert naming["by_origin"]["laughter"]["recorded"]["value"] == 0, "laughter is reported by itself"


class TestCommand:
    def test_baselines_do_not_hear_them(self, composed: list[Scene]) -> None:
        (line,) = play([baseline("always")], [Stream(SEEN, ABILITY, 0, composed[1], "")])
        assert line["players"]["always"]["replies"] == {}
        with pytest.raises(KeyError):
            replies_of(line, "always")

    def test_it_reports_seen_and_unseen_material(
        self, toy: Model, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        unseen = Material([c for c in material.validation if c.kind == SPEECH])
        monkeypatch.setattr(command, "gathered", lambda _: {SEEN: material, UNSEEN: unseen})
        player = ModelPlayer(toy, max_reply_tokens=2)
        monkeypatch.setattr(command, "_player", lambda name, _: player if name == "model" else baseline(name))
        out, html = tmp_path / "out.json", tmp_path / "out.html"
        arguments = ["--data", str(tmp_path), "--policy", "model", "never", "--hours", "0.0001", "--sessions", "0",
                     "--no-curve", "--unseen", "--abilities", "1"]  # fmt: skip
        assert cli.main(["evaluate", *arguments, "--json", str(out), "--report", str(html)]) == 0
        result = json.loads(out.read_text(encoding="utf-8"))
        found = result["policies"]["model"]["abilities"]
        assert found[COUNTING]["answered"]["of"] == EVENTS
        there = result["unseen"]["policies"]["model"]["abilities"]
        assert there[STOP]["named"]["of"] == 1, "unseen people speak over the machine voices of the other part"
        assert there[TWO_AT_ONCE]["scenes"] == 0
        assert result["policies"]["never"]["abilities"] == {}
        assert result["streams"]["abilities"]["scenes"] == 6
        assert set(FIGURES) <= set(result["unseen"]["gap"]["model"])
        assert not set(FIGURES) & set(result["unseen"]["gap"]["never"])
        words, page = capsys.readouterr().out, html.read_text(encoding="utf-8")
        for each in FIGURES:
            assert each in words
            assert each in page
        assert "sessions of ten sounds" in page
        assert "laughter named, recorded" in words

    def test_without_the_option_everything_is_as_before(
        self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(command, "gathered", lambda _: {SEEN: material})
        out, html, kept = tmp_path / "out.json", tmp_path / "out.html", tmp_path / "out.jsonl"
        arguments = ["--data", str(tmp_path), "--policy", "never", "--hours", "0.0001", "--sessions", "0", "--no-curve"]
        written = ["--json", str(out), "--report", str(html), "--results", str(kept)]
        assert cli.main(["evaluate", *arguments, *written]) == 0
        result = json.loads(out.read_text(encoding="utf-8"))
        assert result["policies"]["never"]["abilities"] == {}
        assert "abilities" not in result["streams"]
        assert "abilities" not in html.read_text(encoding="utf-8")
        assert "abilities" not in json.loads(kept.read_text(encoding="utf-8").splitlines()[0])

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--abilities", "-1"], "--abilities must be from 0 to"),
            (["--abilities", "3", "--policy", "energy"], "Add model to --policy"),
        ],
    )
    def test_mistakes_are_said_in_a_sentence(
        self, arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["evaluate", "--data", str(tmp_path), *arguments]) == 2
        assert words in capsys.readouterr().err
