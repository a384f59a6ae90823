"""The evaluation: statistics and scores with answers known by hand, scenes and the command on generated sounds."""

# ruff: noqa: ARG002 - listeners that need not listen have the interface of those that do

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from ai_widgets.cli import main as cli
from ai_widgets.errors import AudioError, AudioWarning, SettingError
from ai_widgets.evaluation import figures
from ai_widgets.evaluation.command import evaluate
from ai_widgets.evaluation.material import Material, gather, gather_unseen
from ai_widgets.evaluation.players import BaselinePlayer, ModelPlayer, Point, baseline
from ai_widgets.evaluation.report import page
from ai_widgets.evaluation.scenes import SHARES, Scene, scenes
from ai_widgets.evaluation.scoring import Reply, label_name
from ai_widgets.inference import Model
from ai_widgets.policies.energy import Energy
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Decision, Turn
from ai_widgets.session.perceive import Heard
from ai_widgets.training import clipcache, corpus, sounds
from ai_widgets.training.corpus import AMBIENCE, DOG, SPEECH, Clip
from ai_widgets.training.labels import REPLY_SPEECH

HOURS, SEED = 0.01, 7
LAID_OUT = "19755210f0220ac4"
"""Hash of the lengths and occasions of twelve mixed scenes that this version composes of `clips`."""


def talk(seed: int, seconds: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    voice = np.sign(np.sin(2 * np.pi * rng.uniform(90, 220) * time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    return np.concatenate([np.zeros(3200), voice, np.zeros(9600)]).astype(np.float32)


def clips() -> Iterator[Clip]:
    for word in (2, 5, 11, 14, 17, REPLY_SPEECH):
        made = corpus.make_clip(talk(word, 0.6), SPEECH, word, f"word{word}", "speech")
        if made is not None:
            yield made
    for label, kind, samples in (
        ("dog", DOG, sounds.knocking(np.random.default_rng(1), 1)),
        ("rain", AMBIENCE, sounds.rain(np.random.default_rng(2), 3)),
        ("clock", AMBIENCE, sounds.ticking(np.random.default_rng(3), 3)),
    ):
        made = corpus.make_clip(samples, kind, 0, label, label)
        if made is not None:
            yield made


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(list(clips()))


@pytest.fixture(scope="module")
def played(material: Material) -> list[Scene]:
    return list(scenes(material, HOURS, SEED))


class Perfect:
    """Answers every occasion when it is due, in the right words, with full confidence."""

    name = "perfect"
    points: tuple[Point, ...] = ({"bias": 0.0},)

    def hear(self, scene: Scene) -> None:
        return None

    def reply(self, heard: Any, scene: Scene, point: Point, seed: int) -> tuple[list[Reply], list[float]]:
        due = {o.due: o.label for o in scene.occasions if o.due < scene.chunks}
        replies = [Reply(chunk, label) for chunk, label in sorted(due.items())]
        return replies, [float(chunk in due) for chunk in range(scene.chunks)]

    def times_real_time(self, scene: Scene) -> float:
        return 1.0


class Mute(Perfect):
    name = "mute"

    def reply(self, heard: Any, scene: Scene, point: Point, seed: int) -> tuple[list[Reply], list[float]]:
        return [], [0.0] * scene.chunks


# Statistics -----------------------------------------------------------------------------------------------------------


def test_scenes_are_complete_and_reproducible(material: Material, played: list[Scene]) -> None:
    assert list(dict.fromkeys(scene.suite for scene in played)) == list(SHARES)
    for one, two in zip(played, scenes(material, HOURS, SEED), strict=True):
        np.testing.assert_array_equal(one.audio, two.audio)
        np.testing.assert_array_equal(one.mels, two.mels)
        assert one.occasions == two.occasions
    other = list(scenes(material, HOURS, SEED + 1))
    assert any(not np.array_equal(a.audio, b.audio) for a, b in zip(played, other, strict=False))


def test_the_scenes_of_a_seed_are_those_of_the_model_card(material: Material) -> None:
    """Where this fails, training composes other streams than before: measure the card's figures on the new scenes."""
    due = hashlib.sha256()
    for scene in islice(scenes(material, 0.6, SEED), 12):
        assert scene.suite == "mixed"
        due.update(f"{scene.chunks} {[(one.label, one.due) for one in scene.occasions]}".encode())
    assert due.hexdigest()[:16] == LAID_OUT


def test_scenes_hold_what_they_say(played: list[Scene]) -> None:
    for scene in played:
        assert scene.mels.shape == (len(scene.audio) // CHUNK_SAMPLES, 128, 40)
        if scene.suite in ("ambience", "silence"):
            assert scene.occasions == []
        elif scene.suite != "mixed":
            assert len(scene.occasions) == len(scene.sources) == 4
            assert all(occasion.due < scene.chunks for occasion in scene.occasions)
    digits = next(scene for scene in played if scene.suite == "digits")
    assert {label_name(o.label) for o in digits.occasions} == {"one", "four"}
    assert not next(scene for scene in played if scene.suite == "silence").audio.any()


def test_recordings_for_evaluation_come_first_and_nothing_is_no_material() -> None:
    person, *_ = clips()
    made = Material([clip for clip in clips() if clip.word != 2], [person])
    assert [clip is person for clip in made.digits] == [True]
    assert not any(clip is person for clip in made.validation)
    with pytest.raises(SettingError, match="nothing to evaluate on"):
        Material([])


def test_a_swept_baseline_replies_as_the_policy_itself(played: list[Scene]) -> None:
    player = baseline("energy")
    for scene in played:
        policy = Energy().session()
        events = list(policy.push(scene.audio))
        replies, p_text = player.reply(player.hear(scene), scene, player.points[0], 0)
        assert [r.chunk for r in replies] == [e.chunk for e in events if isinstance(e, Turn)]
        assert p_text == [e.p_text for e in events if isinstance(e, Decision)]


def test_a_checkpoint_is_heard_as_in_a_live_session(toy: Model, played: list[Scene]) -> None:
    scene = next(scene for scene in played if scene.suite == "digits")
    player = ModelPlayer(toy, max_reply_tokens=3)
    replies, p_text = player.reply(player.hear(scene), scene, {"bias": 0.0}, 5)
    session = toy.session(seed=5, max_reply_tokens=3)
    events = list(session.push(scene.audio))
    np.testing.assert_allclose(p_text, [e.p_text for e in events if isinstance(e, Decision)], atol=1e-4)
    assert [r.chunk for r in replies] == [e.chunk for e in events if isinstance(e, Turn)]
    assert player.times_real_time(scene) > 0


@pytest.mark.parametrize("bias", [-2.0, 0.0, 4.0])
@pytest.mark.parametrize("limits", [{}, {"context_limit": 200}, {"context_limit": 200, "context": "reset"}])
def test_reading_ahead_changes_nothing(toy: Model, played: list[Scene], bias: float, limits: dict[str, Any]) -> None:
    scene = next(scene for scene in played if scene.suite == "sounds")
    player = ModelPlayer(toy, max_reply_tokens=4, **limits)
    frames = player.hear(scene)
    replies, p_text = player.reply(frames, scene, {"bias": bias}, 3)
    session = toy.session(seed=3, max_reply_tokens=4, bias=bias, **limits)
    events = [
        event
        for chunk, samples in zip(frames, scene.audio.reshape(-1, CHUNK_SAMPLES), strict=True)
        for event in session.step(Heard(samples, (), 0, chunk))
    ]
    np.testing.assert_allclose(p_text, [e.p_text for e in events if isinstance(e, Decision)], atol=1e-5)
    assert [(r.chunk, r.text) for r in replies] == [(e.chunk, e.text) for e in events if isinstance(e, Turn)]
    assert len(p_text) == scene.chunks


def test_a_guess_is_read_in_fewer_steps(toy: Model, played: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    scene = max(played, key=lambda scene: scene.chunks)
    player = ModelPlayer(toy)
    frames = player.hear(scene)
    steps = []
    forward = toy.decoder.model.model.forward
    monkeypatch.setattr(
        toy.decoder.model.model, "forward", lambda *a, **k: steps.append(1) or forward(*a, **k)
    )  # fmt: skip
    replies, _ = player.reply(frames, scene, {"bias": -50.0}, 0)
    assert replies == []
    assert len(steps) <= scene.chunks / 10


def test_sounds_for_evaluation_alone_are_all_heard(tmp_path: Path, material: Material) -> None:
    for label, maker in (("alarm", sounds.alarm), ("knock", sounds.knocking), ("cafe", sounds.rain)):
        (tmp_path / label).mkdir()
        for number in range(2):
            samples = maker(np.random.default_rng(number), 2.0)
            sf.write(tmp_path / label / f"{number}.wav", samples, SAMPLE_RATE)
    (tmp_path / "alarm" / "licences.csv").write_text("a,b\n")
    with pytest.warns(AudioWarning, match=r"Skipped in .*: alarm/licences\.csv"):
        found = gather([], heldout=[tmp_path])
    assert [corpus.KINDS[clip.kind] for clip in found.sounds] == ["alarm", "alarm", "knock", "knock"]
    assert [clip.label for clip in found.ambience] == ["cafe", "cafe"]
    together = Material(material.validation, [*found.sounds, *found.ambience])
    result = evaluate([Perfect()], together, 0.06, SEED)
    origins = result["policies"]["perfect"]["naming"]["by_origin"]
    assert set(origins["alarm"]) == set(origins["knock"]) == {"recorded", "generated"}
    assert set(origins["dog"]) == {"recorded"}
    assert origins["alarm"]["recorded"]["value"] == 1
    heard = result["streams"]["ambience"]
    ambience = [scene for scene in scenes(together, 0.06, SEED) if scene.suite == "ambience"]
    assert set(heard["classes"]) == {scene.name for scene in ambience}
    recorded = {source for scene in ambience for source in scene.sources if not source.startswith("generated")}
    assert heard["recordings"] == len(recorded) > 0
    seconds = sum(len(clip.samples) for clip in together.ambience if clip.group in recorded) / SAMPLE_RATE
    assert heard["recorded_hours"] == pytest.approx(seconds / 3600, abs=1e-4)
    assert heard["hours"] >= 0.36 * 0.06 > heard["recorded_hours"]


def corpus_of(folder: Path) -> Path:
    """Write a folder with a manifest: three sources, of which `events` and `students_words` are held back."""
    rows = ["path,label,text,source,licence,speaker_or_file_group"]
    for source, label, text, samples in (
        ("esc50", "rain", "", sounds.rain(np.random.default_rng(1), 3)),
        ("events", "dog", "", sounds.knocking(np.random.default_rng(2), 2)),
        ("students_words", "speech", "table", talk(3, 0.6)),
    ):
        (folder / source).mkdir()
        for number in range(40 if source == "esc50" else 8):
            sf.write(folder / source / f"{number}.wav", samples, SAMPLE_RATE)
            rows.append(f"{source}/{number}.wav,{label},{text},somebody,CC0,{source}:{number}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_unseen_sources_are_reported_beside_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = corpus_of(tmp_path)
    seen, unseen = gather([folder]), gather_unseen([folder])
    assert {clip.source for clip in seen.validation} == {"esc50"}
    assert {clip.source for clip in unseen.validation} == {"esc50", "events", "students_words"}
    assert not {clip.group for clip in seen.validation} & {clip.group for clip in unseen.validation}
    out = tmp_path / "out.json"
    arguments = ["--policy", "energy", "--data", str(folder), "--hours", "0.03", "--sessions", "0", "--no-curve"]
    assert cli.main(["evaluate", *arguments, "--unseen", "--json", str(out)]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    sources = result["unseen"]["policies"]["energy"]["sources"]
    assert set(sources) == {"events", "students_words"}
    assert sum(row["due"] for row in sources.values()) > 0
    row = result["unseen"]["gap"]["energy"]["false replies per hour of ambience"]
    assert row["difference"] == pytest.approx(row["unseen"]["value"] - row["seen"]["value"], abs=1e-3)
    assert result["unseen"]["gap"]["energy"]["digits named"]["difference"] is None
    words = capsys.readouterr().out
    assert "unseen source students_words" in words
    assert "sources that training uses, others, and the difference" in words


def test_a_folder_without_held_back_sources_has_no_unseen_ones(tmp_path: Path) -> None:
    (tmp_path / "rain").mkdir()
    sf.write(tmp_path / "rain" / "a.wav", sounds.rain(np.random.default_rng(1), 3), SAMPLE_RATE)
    (tmp_path / "manifest.csv").write_text("path,label,text,source,licence\nrain/a.wav,rain,,somebody,CC0\n")
    with pytest.raises(SettingError, match="--unseen needs recordings of sources that are held back"):
        gather_unseen([tmp_path])


def test_a_perfect_listener_names_every_source(material: Material) -> None:
    sources = evaluate([Perfect()], material, 0.06, SEED)["policies"]["perfect"]["sources"]
    assert set(sources) == {clip.source for clip in material.validation if clip.kind != AMBIENCE}
    assert all(row["named"]["value"] == 1 for row in sources.values())


def test_a_folder_without_sounds_is_said(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="<label>"):
        gather([], heldout=[tmp_path])


# The whole ------------------------------------------------------------------------------------------------------------


def test_perfect_and_mute_listeners_get_what_they_deserve(material: Material) -> None:
    result = evaluate([Perfect(), Mute()], material, 0.06, SEED)
    perfect, mute = result["policies"]["perfect"], result["policies"]["mute"]
    assert perfect["spoken"]["answered_within_3_chunks"]["value"] == 1
    assert perfect["sounds"]["answered_in_time"]["value"] == 1
    assert perfect["spoken"]["early"]["value"] == 0
    assert perfect["replies"]["false"] == perfect["replies"]["late"] == perfect["replies"]["repeated"] == 0
    assert perfect["calibration"]["ece"]["value"] == 0
    assert perfect["naming"]["sounds_macro_f1"]["value"] == 1
    assert perfect["naming"]["digits"]["right_of_due"]["value"] == 1
    assert mute["spoken"]["answered_within_3_chunks"]["value"] == 0
    assert mute["naming"]["confusion"]["dog"] == {"no reply": mute["naming"]["by_name"]["dog"]["due"]}
    assert mute["ambience"]["false_per_hour"]["value"] == 0
    assert set(mute["ambience"]["classes"]) == {"rain", "clock", "generated"}
    equal = result["at_equal_recall"]
    assert (equal["perfect"]["recall"], equal["mute"]["reached"]) == (1, False)
    json.dumps(result, allow_nan=False)


def test_the_streams_do_not_depend_on_who_listens(material: Material) -> None:
    one = evaluate([Mute()], material, HOURS, SEED)
    two = evaluate([baseline("energy")], material, HOURS, SEED, curves=False)
    assert one["streams"] == two["streams"]
    assert two["policies"]["energy"]["curve"] == []


def test_a_curve_has_every_operating_point_once(material: Material) -> None:
    player = BaselinePlayer(Energy(), (12.0, 20.0))
    curve = evaluate([player], material, HOURS, SEED)["policies"]["energy"]["curve"]
    settings = [tuple(point["setting"].values()) for point in curve]
    assert settings[0] == (12.0, 0.6)
    assert len(set(settings)) == len(settings) == 12


def test_always_and_never_bound_every_policy(material: Material) -> None:
    result = evaluate([baseline("always"), baseline("never")], material, HOURS, SEED)
    always, never = (result["policies"][name] for name in ("always", "never"))
    assert always["spoken"]["answered_within_3_chunks"]["value"] == 1
    assert never["spoken"]["answered_within_3_chunks"]["value"] == 0
    # One reply after each chunk of 0.4 s.
    assert always["ambience"]["false_per_hour"]["value"] == pytest.approx(9000, rel=0.05)
    assert never["ambience"]["false_per_hour"]["value"] == 0
    assert "always" in page(result)


def test_equal_recall_picks_the_fewest_false_replies_that_answer_enough() -> None:
    def point(recall: float, false: float) -> dict[str, Any]:
        return {"recall": recall, "false_per_hour": {"value": false}}

    curve = [point(0.9, 4), point(0.95, 9), point(0.97, 7), point(0.5, 0)]
    best = figures.at_equal_recall(point(0.93, 1), curve)
    assert best == {**point(0.97, 7), "reached": True}
    assert figures.at_equal_recall(point(0.99, 1), curve) == {**point(0.97, 7), "reached": False}


def test_players_are_compared_at_the_same_recall() -> None:
    def point(recall: float | None, false: float | None) -> dict[str, Any]:
        rate = {"value": false}
        return {"recall": recall, "false_per_hour": rate, "false_per_hour_of_ambience": rate}

    model = [point(0.9, 4), point(0.8, 2), point(0.7, 6), point(None, None)]  # the third is worse in both
    baseline = [point(0.85, 30), point(0.6, 10)]
    best = figures.front(model, "false_per_hour")
    assert best == [(0.8, 2), (0.9, 4)]
    assert [figures.at_recall(best, r) for r in (0.5, 0.8, 0.85, 0.9, 0.91)] == [2, 2, pytest.approx(3), 4, None]
    table = figures.equal_recall({"model": model, "baseline": baseline})
    assert table["own"] == 0.9
    at = dict(zip(table["recalls"], zip(*table["false_per_hour"].values(), strict=True), strict=True))
    assert at[0.7] == (2, 18)
    assert at[0.9] == (4, None)
    assert figures.equal_recall({"silent": []})["false_per_hour"]["silent"] == [None] * len(figures.RECALLS)


def test_the_command_writes_figures_and_a_page(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clipcache.save(material.validation, tmp_path / "clips")
    out, html = tmp_path / "out.json", tmp_path / "out.html"
    arguments = ["--clips", str(tmp_path / "clips"), "--policy", "energy", "--hours", str(HOURS), "--sessions", "1"]
    assert cli.main(["evaluate", *arguments, "--json", str(out), "--report", str(html)]) == 0
    words = capsys.readouterr().out
    assert "spoken turns answered within 3 chunks" in words
    assert "third and later minute: spoken turns answered" in words
    result = json.loads(out.read_text(encoding="utf-8"))
    assert list(result["policies"]) == ["energy"]
    written = html.read_text(encoding="utf-8")
    assert written.count("plotly-graph-div") == 6
    assert "Spoken turns answered, by age of session" in written
    assert "energy, third and later" in written
    assert 'src="http' not in written
    assert result["streams"]["sha256"][:16] in written


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to evaluate on"),
        (["--data", "{folder}"], "manifest.csv"),
        (["--clips", "{folder}/none"], "is no clip cache"),
        (["--clips", "{folder}/clips", "--hours", "0"], "--hours"),
        (["--clips", "{folder}/clips", "--seed", "-1"], "--seed"),
        (["--clips", "{folder}/clips", "--sessions", "-1"], "--sessions"),
        (["--clips", "{folder}/clips", "--sessions", "1000"], "--sessions"),
        (["--clips", "{folder}/clips", "--json", "{folder}/no/out.json"], "no folder"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    arguments: list[str], words: str, material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clipcache.save(material.validation, tmp_path / "clips")
    filled = [argument.format(folder=tmp_path) for argument in arguments]
    assert cli.main(["evaluate", "--policy", "energy", *filled]) == 2
    assert words in capsys.readouterr().err
