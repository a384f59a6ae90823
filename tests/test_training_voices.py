"""Voices of the training: shares, splits, speakers that are changed, clips that are warped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import corpus, lexicon, speech, warping
from ai_widgets.training.replies import SYSTEM_PROMPT, all_texts
from ai_widgets.training.world_words import WORLD_WORDS


def babble(seed: int, seconds: float) -> np.ndarray:
    """A buzz with syllables, standing in for speech."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = np.sign(np.sin(2 * np.pi * rng.uniform(90, 220) * time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    return np.concatenate([np.zeros(3200), buzz, np.zeros(9600)]).astype(np.float32)


def test_splits_hold_folds_and_evaluation_apart() -> None:
    assert corpus.split_of("esc10/dog/4-100-A.opus") == "validation"
    assert corpus.split_of("esc10/dog/1-100-A.opus") == "train"
    assert corpus.split_of("digits_eval_only/0_george_0.opus") == "evaluation"


def test_a_group_is_never_on_two_sides() -> None:
    for group in (f"fs:{number}" for number in range(200)):
        sides = {
            corpus.split_of(f"{source}/{number}.opus", group) for source in ("esc50", "music") for number in range(4)
        }
        assert len(sides) == 1
    shares = [corpus.split_of("esc50/a.opus", f"fs:{number}") for number in range(2000)]
    assert 0.12 < shares.count("validation") / 2000 < 0.18
    assert 0.12 < shares.count("unseen") / 2000 < 0.18


def test_unseen_sources_and_their_recordists_are_only_reported(tmp_path: Path) -> None:
    rows = ["events/a.wav,dog,,x,CC0,fs:one", "esc50/b.wav,dog,,x,CC0,fs:one", "esc50/c.wav,dog,,x,CC0,fs:0",
            "esc50/d.wav,doorbell,,x,CC0,fs:0"]  # fmt: skip
    inner = tmp_path / "more"
    for row in rows:
        path = inner / row.split(",")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, babble(1, 0.5), SAMPLE_RATE)
    (inner / "manifest.csv").write_text(
        "\n".join(["path,label,text,source,licence,speaker_or_file_group", *rows]), encoding="utf-8"
    )
    assert corpus.split_of("esc50/c.wav", "fs:0") == "train"
    assert [clip.group for clip in corpus.recordings(tmp_path, ["train", "validation"])] == ["esc50/c.wav"]
    assert [clip.group for clip in corpus.recordings(tmp_path, ["unseen"])] == ["events/a.wav", "esc50/b.wav"]


def cache_of(folder: Path, engine: str, voices: list[str], text: str) -> None:
    """A speech cache with one clip a voice."""
    (folder / engine).mkdir(parents=True)
    with (folder / engine / "index.jsonl").open("w", encoding="utf-8") as lines:
        for number, voice in enumerate(voices):
            sf.write(folder / engine / f"{number}.wav", 0.5 * babble(number, 0.4), SAMPLE_RATE)
            lines.write(json.dumps({"file": f"{number}.wav", "engine": engine, "voice": voice, "text": text}) + "\n")


def test_only_training_voices_are_warped_and_stay_in_training(tmp_path: Path) -> None:
    voices = [f"blend{n}" for n in range(60)]
    kept = {f"kokoro/{voice}" for voice in voices if corpus.voice_split("kokoro", voice) == "train"}
    assert 0 < len(kept) < 60
    cache_of(tmp_path, "kokoro", voices, "seven")
    planned = [variant.utterance for variant in warping.plan([tmp_path], seed=1, named=400)]
    assert {utterance.voice.partition("~")[0] for utterance in planned} == kept
    assert {corpus.voice_split(utterance.engine, utterance.voice) for utterance in planned} == {"train"}
    assert len({utterance.voice for utterance in planned}) == len({utterance.name for utterance in planned}) == 400
    held = next(voice for voice in voices if corpus.voice_split("kokoro", voice) == "validation")
    assert corpus.voice_split("warped", f"kokoro/{held}~3") == "validation"


def test_every_kind_of_natural_voice_gets_its_share_and_robots_get_none(tmp_path: Path) -> None:
    cache_of(tmp_path, "hibari", ["heart"] * 9, "seven")
    cache_of(tmp_path, "piper", ["joe"], "seven")
    cache_of(tmp_path, "espeak-ng", [f"en-us+m{n}" for n in range(9)], "seven")
    engines = [v.utterance.voice.partition("/")[0] for v in warping.plan([tmp_path], seed=1, named=40)]
    assert engines.count("hibari") == engines.count("piper") == 20
    assert len(engines) == 40


def test_a_speaker_moves_pitch_envelope_and_time_by_what_was_drawn() -> None:
    plain = warping.Speaker(1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, (1.0,) * 5)
    f0 = np.array([0.0, 100, 110, 100, 90, 100, 0])
    np.testing.assert_allclose(warping.change_pitch(f0, plain), f0)
    higher = dataclasses.replace(plain, pitch=1.5, melody=2.0)
    np.testing.assert_allclose(warping.change_pitch(f0, higher)[[0, 1, 2]], [0, 150, 181.5])
    peak = np.exp(-0.5 * ((np.arange(513) - 100) / 6.0) ** 2)[None] + 1e-9
    assert int(warping.change_envelope(peak, dataclasses.replace(plain, size=1.2)).argmax()) == 120
    np.testing.assert_allclose(warping.change_envelope(peak, plain), peak)
    longer = warping.change_times(101, dataclasses.replace(plain, duration=1.4, rhythm=(0.7, 1.3, 1.0, 0.8, 1.2)))
    assert len(longer) == 141
    assert longer[0] == 0
    assert longer[-1] == 100
    assert (np.diff(longer) > 0).all()


def test_speakers_keep_within_the_voices_of_people() -> None:
    rng = np.random.default_rng(1)
    for f0 in (80.0, 120.0, 220.0, 300.0):
        speakers = [warping.draw_speaker(rng, f0) for _ in range(200)]
        assert all(0.6 <= one.pitch <= 1.8 and 0.8 <= one.size <= 1.25 and 0.7 <= one.duration <= 1.4
                   for one in speakers)  # fmt: skip
        assert all(warping.LOWEST_F0 <= f0 * one.pitch <= warping.HIGHEST_F0 for one in speakers)
        assert np.ptp([one.pitch for one in speakers]) > 0.4


def test_a_wide_blend_is_another_voice_than_the_blend_of_its_number() -> None:
    wide = speech.plan("kokoro-wide", 1, 0.1)
    assert all(u.voice.startswith("wide") and u.settings["spread"] == speech.WIDE_SPREAD for u in wide)
    assert not {u.settings["blend"] for u in wide} & {u.settings["blend"] for u in speech.plan("kokoro", 1)}


def test_warped_clips_are_read_back_as_their_word(tmp_path: Path) -> None:
    pytest.importorskip("pyworld")
    cache_of(tmp_path / "speech", "piper", ["joe"], "seven")
    assert warping.warp([tmp_path / "speech"], tmp_path / "more", named=3) == 3
    before = sorted((tmp_path / "more").rglob("*.wav"))
    assert warping.warp([tmp_path / "speech"], tmp_path / "more", named=3) == 3
    assert sorted((tmp_path / "more").rglob("*.wav")) == before
    clips = corpus.synthetic_speech(tmp_path / "more", ["train"])
    assert [clip.word for clip in clips] == [8, 8, 8]
    assert len({len(clip.samples) for clip in clips}) == 3


def test_machines_read_replies_with_voices_of_their_own_names() -> None:
    replies = set(all_texts()) - {SYSTEM_PROMPT}
    for name in speech.MACHINE_ENGINES:
        planned = speech.plan(name, 1)
        assert {utterance.engine for utterance in planned} == {name}
        assert len({utterance.text for utterance in planned}) == len(planned) == speech.MACHINE_TEXTS
        assert {utterance.text for utterance in planned} <= replies
        plain = speech.plan(name.removeprefix(speech.MACHINE), 1, 0.1)
        assert planned[0].settings.keys() == plain[0].settings.keys()


def test_no_word_of_another_language_is_a_named_word() -> None:
    planned = speech.plan(speech.WORLD, 1)
    assert {utterance.voice for utterance in planned} == set(WORLD_WORDS)
    assert len(planned) > 500
    assert {lexicon.word_label(utterance.text) for utterance in planned} == {lexicon.OTHER_SPEECH}
    assert all(texts and all(text == text.strip() != "" for text in texts) for texts in WORLD_WORDS.values())


@pytest.mark.parametrize(
    ("arguments", "folders"),
    [
        (["--engines", "flite", "espeak-ng"], {"flite", "espeak-ng"}),
        (["--engines", "flite", "espeak-world", "--machine"], {"machine-flite"}),
        (["--engines", "espeak-world"], {"espeak-world"}),
    ],
)
def test_the_command_speaks_with_the_engines_of_its_arguments(
    arguments: list[str], folders: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "engine", lambda _: lambda _: babble(1, 0.1))
    assert speech.main(["--out", str(tmp_path), "--scale", "0.01", *arguments]) == 0
    assert {path.name for path in tmp_path.iterdir()} == folders


def test_words_of_other_languages_have_no_english_phones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "engine", lambda _: lambda _: babble(1, 0.3))
    speech.synthesise(tmp_path, (speech.WORLD,), scale=0.01)
    entries = [json.loads(line) for line in (tmp_path / speech.WORLD / "index.jsonl").read_text("utf-8").splitlines()]
    assert {entry["said"] for entry in entries} == {texts[0] for texts in WORLD_WORDS.values()}
    clips = corpus.synthetic_speech(tmp_path, ["train", "validation"])
    assert {(clip.kind, clip.word, clip.text) for clip in clips} == {(corpus.SPEECH, lexicon.OTHER_SPEECH, "")}
