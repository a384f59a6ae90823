"""Streams that teach more than single events: counts, sounds during speech, pauses in sentences, a machine's voice."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.training import compose_events, replies, unfinished, vocabulary
from ai_widgets.training import token_sequences as sequence
from ai_widgets.training.clip_variation import from_sources
from ai_widgets.training.compose_events import Events
from ai_widgets.training.corpus import ALARM, AMBIENCE, DOG, LAUGHTER, MACHINE_VOICE, SPEECH, Clip, make_clip
from ai_widgets.training.labels import (
    END_OF_UNFINISHED,
    REPLIES,
    REPLY_OF_KIND,
    REPLY_SPEECH,
    SAME_EPISODE,
    Segment,
    label_chunks,
    occasions,
)
from ai_widgets.training.lexicon import OTHER_SPEECH
from ai_widgets.training.mel_clips import shelve
from tests.test_training_voices import cache_of

BARK = REPLY_OF_KIND[DOG]


def tone(frequency: float, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (np.sin(2 * np.pi * frequency * time) * np.minimum(1, 20 * np.minimum(time, seconds - time))).astype("f4")


def clip(samples: np.ndarray, kind: int, word: int = 0, group: str = "made/1", label: str = "", text: str = "") -> Clip:
    made = make_clip(samples, kind, word, group, label, text)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def sentence() -> Clip:
    """A sentence of 2.4 s with one gap of 0.2 s in its middle."""
    halves = [tone(220, 1.1), np.zeros(int(0.2 * SAMPLE_RATE), "f4"), tone(240, 1.1)]
    return clip(np.concatenate(halves), SPEECH, OTHER_SPEECH, "talk/1", "speech", "I would like a coffee")


@pytest.fixture(scope="module")
def events(sentence: Clip) -> Events:
    machine = clip(tone(500, 0.8), AMBIENCE, 0, "machine-flite/slt", MACHINE_VOICE, "A dog is barking.")
    return Events([sentence, clip(tone(900, 0.7), DOG, 0, "dog/1", "dog"), machine])


@pytest.fixture(scope="module")
def words() -> vocabulary.Vocabulary:
    return vocabulary.build(replies.all_texts())


def test_a_sound_is_counted_up_to_the_tenth_time() -> None:
    assert replies.counted(BARK, 1) == replies.wordings(BARK)
    assert replies.counted(BARK, 3)[1] == ("A dog is barking for the third time.",)
    assert replies.counted(BARK, 11)[1] == replies.counted(BARK, 200)[1] == ("A dog is barking once more.",)


@pytest.mark.parametrize("label", range(REPLY_SPEECH + 1, REPLIES))
def test_every_count_is_understood(label: int) -> None:
    for number in replies.COUNTS:
        for text in replies.counted(label, number)[1]:
            assert (replies.understood(f" {text}"), replies.ordinal(text)) == (label, number)
    assert replies.ordinal("You said seven.") == replies.ordinal("What?") == 0


@pytest.mark.parametrize(("label", "number"), [(REPLY_SPEECH, 2), (REPLIES, 2), (BARK, 0)])
def test_only_sounds_are_counted_from_one(label: int, number: int) -> None:
    with pytest.raises(ValueError, match="count"):
        replies.counted(label, number)


def said(laid: sequence.Sequence, words: vocabulary.Vocabulary) -> list[tuple[str, bool]]:
    """The replies of a sequence, and whether their texts have a loss."""
    ids = words.ids
    found = []
    for at in laid.decisions.tolist():
        if at + 1 < len(laid.tokens) and laid.tokens[at + 1] == ids["TEXT_BEGIN"]:
            later = laid.tokens[at + 3 :].tolist()
            end = later.index(ids["TEXT_END"]) if ids["TEXT_END"] in later else len(later)
            found.append((words.tokenizer.decode(later[:end]), laid.labels[at + 2] != sequence.IGNORED))
    return found


@given(gaps=st.lists(st.integers(1, 12), min_size=1, max_size=12), seed=st.integers(0, 2**16))
def test_the_ordinal_is_one_more_than_that_of_the_newest_reply_in_the_context(gaps: list[int], seed: int) -> None:
    words = vocabulary.build(replies.all_texts())
    builder = sequence.SequenceBuilder(words, attended=150)
    reply = np.zeros(sum(gaps) + 2, np.uint8)
    reply[np.cumsum([0, *gaps[:-1]])] = BARK
    laid = builder.build(sequence.ideal(reply), np.random.default_rng(seed))
    numbers = [(replies.ordinal(text), learnt) for text, learnt in said(laid, words)]
    assert len(numbers) == len(gaps)
    for (before, _), (number, learnt), gap in zip(numbers, numbers[1:], gaps, strict=False):
        if gap * 13 + 25 < builder.remembered:
            assert number == min(before + 1, 11) or not learnt
        elif gap * 13 > builder.remembered:
            assert number == 1 or not learnt
    assert numbers[0][0] == 1 or not numbers[0][1]


def test_ordinals_follow_each_other_where_none_is_random(
    words: vocabulary.Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "JUMPED", 0.0)
    builder = sequence.SequenceBuilder(words, advanced=0.0)
    laid = builder.build(sequence.ideal(np.full(12, BARK, np.uint8)), np.random.default_rng(0))
    assert [replies.ordinal(text) for text, learnt in said(laid, words) if learnt] == [*range(1, 12), 11]


def test_a_random_ordinal_has_no_loss_and_the_next_one_follows_it(words: vocabulary.Vocabulary) -> None:
    builder = sequence.SequenceBuilder(words, advanced=1.0)
    for seed in range(20):
        laid = builder.build(sequence.ideal(np.array([BARK, 0, BARK, 0], np.uint8)), np.random.default_rng(seed))
        (first, told), (second, learnt) = said(laid, words)
        assert (told, learnt) == (False, True)
        assert replies.ordinal(second) == min(replies.ordinal(first) + 1, 11)


def test_a_user_s_own_replies_are_not_counted(words: vocabulary.Vocabulary) -> None:
    builder = sequence.SequenceBuilder(words, replies=[replies.wordings(BARK)])
    laid = builder.build(sequence.ideal(np.array([1, 0, 1, 0], np.uint8)), np.random.default_rng(0))
    assert all(text in replies.wordings(BARK)[1] for text, _ in said(laid, words))


@pytest.mark.parametrize(("pause", "replied"), [(0.7, 1), (1.0, 1), (END_OF_UNFINISHED + 0.5, 2)])
def test_a_pause_of_a_second_does_not_end_an_unfinished_sentence(pause: float, replied: int) -> None:
    first = Segment(0, SAMPLE_RATE, SPEECH, OTHER_SPEECH, unfinished=True)
    second = Segment(int((1 + pause) * SAMPLE_RATE), int((2 + pause) * SAMPLE_RATE), SPEECH, OTHER_SPEECH)
    assert np.count_nonzero(label_chunks([first, second], 14).reply) == replied
    alone = label_chunks([first], 14).reply
    assert np.flatnonzero(alone).tolist() == [np.ceil((1 + END_OF_UNFINISHED) / 0.4) - 1]


def test_a_sentence_is_cut_at_its_quiet_places_only(sentence: Clip) -> None:
    (at,) = unfinished.inner_pauses(sentence)
    middle = (sentence.start + sentence.end) / 2
    assert abs(at - middle) < 0.12 * SAMPLE_RATE
    before, after = unfinished.split(sentence, at)
    assert len(before) + len(after) == sentence.end - sentence.start
    assert max(abs(before[-1]), abs(after[0])) == 0
    assert unfinished.inner_pauses(clip(tone(200, 0.9), SPEECH, OTHER_SPEECH)) == []
    assert unfinished.inner_pauses(clip(tone(200, 3), DOG)) == []


def placed(events: Events, monkeypatch: pytest.MonkeyPatch, seconds: float, seed: int = 1, **shares: float) -> tuple:
    """Events of a stream in which only the given shares are above 0."""
    monkeypatch.setattr(events, "repeating", shares.get("repeating", 0.0))
    for name in ("AT_ONCE_SHARE", "UNFINISHED_SHARE", "MACHINE_SHARE"):
        monkeypatch.setattr(compose_events, name, shares.get(name, 0.0))
    audio = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
    segments: list[Segment] = []
    events.place(np.random.default_rng(seed), audio, segments)
    return audio, segments


def test_a_repeated_sound_is_an_episode_each_time(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_events, "SOUNDS", (DOG,))
    _, segments = placed(events, monkeypatch, 80, repeating=1.0)
    barks = sorted((s for s in segments if s.kind == DOG), key=lambda s: s.start)
    assert len(barks) >= 7
    assert all(b.start - a.end > SAME_EPISODE * SAMPLE_RATE for a, b in itertools.pairwise(barks))
    assert np.count_nonzero(label_chunks(segments, 200).reply == BARK) == len(barks)


def test_a_sound_begins_while_somebody_speaks(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_events, "SOUNDS", (DOG,))
    _, segments = placed(events, monkeypatch, 60, AT_ONCE_SHARE=1.0)
    spoken = [s for s in segments if s.kind == SPEECH]
    within = [s for s in segments if s.kind == DOG and any(t.start <= s.start < t.end for t in spoken)]
    assert len(within) >= 3
    found = {occasion.kind for occasion in occasions(segments, 150)}
    assert found >= {SPEECH, DOG}


def test_sentences_pause_and_some_end_there(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    _, segments = placed(events, monkeypatch, 240, UNFINISHED_SHARE=1.0)
    broken = [s for s in segments if s.unfinished]
    resumed = [s for s in broken if any(0 < t.start - s.end <= 1.06 * SAMPLE_RATE for t in segments)]
    assert len(broken) > 30
    assert 0.6 < len(resumed) / len(broken) < 1


def test_a_machine_reads_a_reply_after_it_is_due(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_events, "SOUNDS", (DOG,))
    quiet, same = placed(events, monkeypatch, 30, repeating=1.0)
    heard, segments = placed(events, monkeypatch, 30, repeating=1.0, MACHINE_SHARE=1.0)
    assert segments == same  # it is no speech to be answered
    added = np.abs(heard - quiet)
    first = np.flatnonzero(added)[0]
    due = min(o.due for o in occasions(segments, 75) if o.kind == DOG)
    assert (due + 1) * CHUNK_SAMPLES <= first <= (due + 3) * CHUNK_SAMPLES
    assert added.max() < 0.25 * np.abs(quiet).max()


def test_machine_voices_are_no_ambience_and_no_speech(tmp_path: Path) -> None:
    from ai_widgets.evaluation.material import Material
    from ai_widgets.training import corpus

    cache_of(tmp_path, "machine-flite", ["slt", "awb"], "A dog is barking.")
    voices = corpus.synthetic_speech(tmp_path, ["train", "validation"])
    assert {(voice.kind, voice.word, voice.label, voice.text) for voice in voices} == {
        (AMBIENCE, 0, MACHINE_VOICE, "A dog is barking.")
    }
    shelf = shelve(voices, {}, seed=1, generated=2, quiet=True)
    assert MACHINE_VOICE not in shelf.ambience
    assert not shelf.speech
    assert Material(voices).ambience == []


def test_many_clips_of_one_source_do_not_displace_few_of_another() -> None:
    sources = {"rendered": [f"r{n}" for n in range(256)], "recorded": ["a", "b", "c", "d"]}
    rng = np.random.default_rng(0)
    drawn = [from_sources(rng, sources) for _ in range(2000)]
    share = sum(name in "abcd" for name in drawn) / 2000
    assert abs(share - 2 / 18) < 0.03  # √4 of √4 + √256


def test_laughter_is_named_and_an_alarm_stays_urgent() -> None:
    assert replies.wordings(REPLY_OF_KIND[LAUGHTER])[1][0] == "Somebody is laughing."
    assert replies.counted(REPLY_OF_KIND[ALARM], 2)[0].value == "urgent"
