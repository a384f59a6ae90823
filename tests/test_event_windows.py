"""Windows: dense training material composed from mel power, in fixed shapes, with the labels of the rule."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ai_widgets.audio.features import log_mel
from ai_widgets.errors import SettingError
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.training import acoustics, corpus, phones, pool, replies, sounds, vocabulary
from ai_widgets.training.batches import BatchMaker
from ai_widgets.training.colouring import stretched
from ai_widgets.training.corpus import AMBIENCE, DOG, SPEECH
from ai_widgets.training.curriculum import Course, Curriculum, Shape
from ai_widgets.training.distractors import DISTRACTORS
from ai_widgets.training.event_windows import Mixture, WindowMaker
from ai_widgets.training.labels import REPLY_SPEECH
from ai_widgets.training.mel_clips import Shelf, excerpt, shelve
from ai_widgets.training.synthesis import Generator
from ai_widgets.training.token_sequences import IGNORED, SequenceBuilder


def tone(frequency: float, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.sin(2 * np.pi * frequency * time) * np.sin(np.pi * time / seconds)
    return np.concatenate([np.zeros(1600), wave, np.zeros(8000)]).astype(np.float32)


@pytest.fixture(scope="module")
def clips() -> list[corpus.Clip]:
    made = [corpus.make_clip(tone(300 * n, 0.5), SPEECH, n, f"engine{n % 2}/v", "e", f"w{n}") for n in (1, 2, 11)]
    made += [corpus.make_clip(tone(200, 3.0), SPEECH, REPLY_SPEECH, "talk/v", "e")]
    made += [corpus.make_clip(tone(700, 2.0), DOG, 0, "dog/1", "dog")]
    made += [corpus.make_clip(sounds.rain(np.random.default_rng(0), 4), AMBIENCE, 0, "rain", "rain")]
    return [clip for clip in made if clip is not None]


@pytest.fixture(scope="module")
def shelf(clips: list[corpus.Clip]) -> Shelf:
    return shelve(clips, {"w1": (1, 2), "w2": (2,), "w11": (3,)}, seed=1, generated=2, quiet=True)


@pytest.fixture(scope="module")
def words() -> vocabulary.Vocabulary:
    return vocabulary.build(replies.all_texts())


def test_every_batch_has_the_same_shape_and_holds_events(shelf: Shelf, words: vocabulary.Vocabulary) -> None:
    maker = WindowMaker(shelf, SequenceBuilder(words), windows=8, chunks=6, length=112, seed=3)
    begin, keep = words.ids["TEXT_BEGIN"], words.ids["KEEP_SILENCE"]
    replied = decided = 0
    for _ in range(6):
        batch = maker.draw()
        assert batch.mels.shape == (48, 128, 40)
        assert batch.tokens.shape == batch.labels.shape == (8, 112)
        assert batch.at.shape == (480,)
        spread = batch.mels.amax((1, 2)) - batch.mels.amin((1, 2))
        assert float(spread.max()) <= 2.0 + 1e-6, "the floor is 8 below the loudest, in quarters"
        at_decisions = batch.labels.reshape(-1)[batch.decisions]
        replied += int((at_decisions == begin).sum())
        decided += int(((at_decisions == begin) | (at_decisions == keep)).sum())
        assert set(at_decisions.tolist()) <= {begin, keep, IGNORED}
    assert 20 <= replied <= 60
    assert decided > 250


def test_the_same_seed_draws_the_same_windows(shelf: Shelf, words: vocabulary.Vocabulary) -> None:
    first, second = (WindowMaker(shelf, SequenceBuilder(words), 4, 6, 112, seed=9).draw() for _ in range(2))
    assert np.array_equal(first.mels.numpy(), second.mels.numpy())
    assert np.array_equal(first.labels.numpy(), second.labels.numpy())
    assert first.phones == second.phones


def test_phones_are_told_where_the_whole_word_is_in_the_window(shelf: Shelf, words: vocabulary.Vocabulary) -> None:
    only_words = Mixture(words=1.0, speech=0.0, sounds=0.0, ambience=0.0)
    batch = WindowMaker(shelf, SequenceBuilder(words), 24, 6, 112, seed=5, mixture=only_words).draw()
    assert {(1, 2), (2,), (3,)} >= {said for said in batch.phones if said}
    assert sum(bool(said) for said in batch.phones) > 12


def test_silent_windows_keep_silent(shelf: Shelf, words: vocabulary.Vocabulary) -> None:
    ambience = Mixture(words=0.0, speech=0.0, sounds=0.0, ambience=1.0)
    maker = WindowMaker(shelf, SequenceBuilder(words), 8, 6, 112, seed=5, mixture=ambience, perturbation=0.0)
    labels = maker.draw().labels.reshape(-1)
    assert set(labels[labels != IGNORED].tolist()) == {words.ids["KEEP_SILENCE"]}


@pytest.mark.parametrize("maker", DISTRACTORS, ids=lambda maker: maker.__name__)
@pytest.mark.parametrize("seconds", [0.3, 1.7])
def test_a_distractor_sounds_and_stays_within_its_length(maker: Generator, seconds: float) -> None:
    for seed in range(8):
        samples = maker(np.random.default_rng(seed), seconds)
        assert samples.dtype == np.float32
        assert len(samples) == int(seconds * SAMPLE_RATE)
        assert 0.99 < np.abs(samples).max() <= 1.0


def test_a_stretched_sound_keeps_its_place_and_its_pitch(shelf: Shelf) -> None:
    chosen = next(iter(shelf.sounds[DOG].values()))[0]
    rng = np.random.default_rng(4)
    for _ in range(10):
        made = stretched(chosen, rng, often=1.0)
        ratio = len(made.power) / len(chosen.power)
        assert 0.7 < ratio < 1.4
        assert abs(made.start - chosen.start * ratio) <= 1
        assert abs(made.end - chosen.end * ratio) <= 1
        assert made.power.astype(np.float32).mean(0).argmax() == chosen.power.astype(np.float32).mean(0).argmax()


def test_recorded_beds_come_more_often_than_generated_ones(shelf: Shelf, words: vocabulary.Vocabulary) -> None:
    maker = WindowMaker(shelf, SequenceBuilder(words), 4, 6, 112, seed=5)
    rain = {id(excerpt) for excerpt in shelf.ambience["rain"] if "rain" not in shelf.generated}
    assert shelf.generated >= {"fan", "typing"}
    drawn = [id(maker._ambience()) for _ in range(300)]
    assert not rain or 0.6 < np.mean([each in rain for each in drawn]) < 0.8


def test_an_excerpt_is_the_log_mel_of_its_clip() -> None:
    samples = tone(440, 0.8)[: 2 * CHUNK_SAMPLES]
    samples = np.pad(samples, (0, 2 * CHUNK_SAMPLES - len(samples)))
    power = excerpt(samples, DOG, 0, 0, len(samples)).power.astype(np.float32).T[:, :80]
    expected = (np.maximum(power, power.max() - 8) + 4) / 4
    assert np.abs(expected - log_mel(samples)).max() < 0.01


def test_reverberation_only_adds_what_was_heard_before() -> None:
    power = np.zeros((50, 3), np.float32)
    power[10] = 1.0
    wet = acoustics.smeared(power, 0.5)
    assert not wet[:10].any()
    assert np.allclose(wet[10:14, 0], [1, 0.5, 0.25, 0.125])


def test_streams_of_one_shape_are_cut_from_longer_ones(
    clips: list[corpus.Clip], words: vocabulary.Vocabulary, tmp_path: Path
) -> None:
    pool.make_shard(clips, tmp_path, 0, 1, 6)
    streams = pool.Pool(tmp_path)
    maker = BatchMaker(streams, SequenceBuilder(words), 2000, 2048, 1)
    chunks = int(np.sort(streams.chunks)[-2])
    batch = maker.draw_shape(2, chunks, 2304)
    assert batch.tokens.shape == (2, 2304)
    assert len(batch.decisions) == 2 * chunks
    with pytest.raises(SettingError, match="No stream of the pool has 100000 chunks"):
        maker.draw_shape(1, 100_000, 2048)


def test_windows_come_first_and_streams_later(
    clips: list[corpus.Clip], shelf: Shelf, words: vocabulary.Vocabulary, tmp_path: Path
) -> None:
    pool.make_shard(clips, tmp_path, 0, 1, 4)
    streams = pool.Pool(tmp_path)
    few = int(streams.chunks.min())
    course = Course(1.0, 0.0, Shape(2, 6, 112), Shape(1, few, 2048), Shape(1, few, 2048))
    curriculum = Curriculum(course, shelf, streams, SequenceBuilder(words), 1, 0.1)
    assert curriculum.draw(0.0).tokens.shape == (2, 112)
    assert curriculum.draw(1.0).tokens.shape == (1, 2048)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_homophones_have_the_same_phones() -> None:
    said = phones.pronounce(["one", "won", "seven", ""])
    assert said["one"] == said["won"] != said["seven"]
    assert "" not in said
    assert min(phones.table(said).values()) == 1, "0 is the blank"


def test_without_espeak_phones_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(SettingError, match="espeak-ng, which is not installed"):
        phones.pronounce(["one"])
