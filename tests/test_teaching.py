"""`check` says whether an answer is right, how far off it is and what type is expected; it never names the solution."""

from __future__ import annotations

import io
from itertools import pairwise

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.audio.clips import clips
from ai_widgets.errors import AudioError, UnknownExerciseError
from ai_widgets.inference import load_model
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Turn
from ai_widgets.teaching import Chunks, Count, Number, OneOf, all_exercises, check, heatmap
from ai_widgets.teaching.noise import PEAK, in_noise, p_drawn_from, undecided_level
from ai_widgets.teaching.pictures import COLOURS
from ai_widgets.teaching.tape import MIXES, labelled_tape

EIGHT = Count(lambda: 8, unit="chunks")
HALF = Number(lambda: 0.5, unit="probability", tolerance=0.02)


class TestANumber:
    @pytest.mark.parametrize("answer", [0.5, 0.51, np.float32(0.49), torch.tensor(0.5)])
    def test_within_the_tolerance_is_right(self, answer: object) -> None:
        assert HALF.check(answer)
        assert str(HALF.check(answer)) == "Right."

    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            (0.53, "Too high, by less than a tenth."),
            (0.4, "Too low, by less than a quarter."),
            (0.7, "Too high, by less than a half."),
            (0.1, "Too low, by less than the value itself."),
            (3, "Too high, by more than the value itself."),
        ],
    )
    def test_farther_off_has_a_direction_and_a_rough_distance(self, answer: float, sentence: str) -> None:
        assert repr(HALF.check(answer)) == sentence
        assert not HALF.check(answer)

    def test_a_scale_is_the_distance_that_counts_as_the_value(self) -> None:
        assert str(Number(lambda: 0.0, scale=10.0).check(2.0)) == "Too high, by less than a quarter."

    @pytest.mark.parametrize("answer", ["0.5", True, [0.5], np.zeros(3), float("nan"), 1j])
    def test_another_type_is_told_what_is_expected(self, answer: object) -> None:
        verdict = HALF.check(answer)
        assert not verdict
        assert str(verdict).startswith("Expected is a number (probability); given was ")

    @pytest.mark.parametrize("answer", [None, ...])
    def test_no_answer_is_told_what_to_write(self, answer: object) -> None:
        assert str(HALF.check(answer)) == "No answer yet: replace None by a number (probability)."

    @given(st.integers(-1000, 1000))
    def test_only_the_expected_count_is_right_and_no_sentence_names_it(self, answer: int) -> None:
        verdict = EIGHT.check(answer)
        assert bool(verdict) == (answer == 8)
        assert "8" not in str(verdict)

    def test_a_part_of_a_chunk_is_no_count(self) -> None:
        assert str(EIGHT.check(7.5)) == "Expected is a whole number (chunks); given was 7.5."
        assert EIGHT.check(8.0)


class TestAChoice:
    choice = OneOf(lambda: "decide", choices=("perceive", "decide", "respond"), hint="Look at the lanes.")

    def test_upper_and_lower_case_are_the_same(self) -> None:
        assert self.choice.check("Decide")

    def test_another_choice_is_wrong_and_gets_the_hint(self) -> None:
        assert str(self.choice.check("respond")) == "No, it is not 'respond'. Look at the lanes."

    def test_what_is_no_choice_is_told_all(self) -> None:
        assert str(self.choice.check("x")) == "Expected is one of 'perceive', 'decide', 'respond'; given was 'x'."


class TestChunks:
    chunks = Chunks(lambda: [3, 7, 9])

    @pytest.mark.parametrize("answer", [[9, 3, 7], {3, 7, 9}, (3.0, 7, 9), np.array([3, 7, 9])])
    def test_order_and_container_do_not_matter(self, answer: object) -> None:
        assert self.chunks.check(answer)

    def test_how_many_are_right_and_missing_is_told(self) -> None:
        assert str(self.chunks.check([3, 4])) == "1 of your 2 are right, and 2 are missing."

    @pytest.mark.parametrize("answer", ["379", [3.5], ["3"], 3])
    def test_another_type_is_told_what_is_expected(self, answer: object) -> None:
        assert str(self.chunks.check(answer)).startswith("Expected is a list of whole numbers (chunks); given was ")


def test_a_long_answer_of_a_wrong_type_is_not_repeated() -> None:
    assert str(HALF.check("x" * 1000)).endswith("given was a str.")


def test_an_unknown_exercise_is_answered_with_a_similar_one() -> None:
    with pytest.raises(UnknownExerciseError, match="did you mean 'chunks_of_a_clip'"):
        check("chunks_of_the_clip", 1)


def test_every_exercise_says_what_an_answer_has_to_be() -> None:
    for exercise in all_exercises().values():
        assert exercise.wanted.startswith(("a ", "one of "))


class TestAHeatmap:
    def test_is_a_png_whose_lowest_row_is_the_first_and_whose_highest_value_is_the_lightest(self) -> None:
        picture = heatmap([[0.0, 1.0], [0.0, 0.0]], zoom=2)
        frame = next(av.open(io.BytesIO(picture.png)).decode(video=0)).to_ndarray(format="rgb24")
        assert frame.shape == (4, 4, 3)
        dark, light = COLOURS[0], COLOURS[-1]
        assert (frame[:2] == dark).all()
        assert (frame[2:, :2] == dark).all()
        assert (frame[2:, 2:] == light).all()
        assert repr(picture) == "<Picture: 2 × 2 values from 0 to 1>"

    def test_of_one_value_has_one_colour(self) -> None:
        assert repr(heatmap(np.full((2, 3), 7))) == "<Picture: 2 × 3 values from 7 to 7>"


class TestTheLabelledTape:
    def test_has_each_expected_reply_of_the_clips_once_in_each_mix(self) -> None:
        names = [each.name for each in labelled_tape().occasions]
        assert names == [clip.name for clip in clips.values() for _ in clip.expected] * len(MIXES)

    def test_is_whole_chunks_without_clipping(self) -> None:
        tape = labelled_tape()
        assert tape.chunks * CHUNK_SAMPLES == len(tape.samples) == round(tape.seconds * SAMPLE_RATE)
        assert np.mean(np.abs(tape.samples) >= 1) < 1e-4

    def test_has_its_occasions_in_order_and_apart(self) -> None:
        occasions = labelled_tape().occasions
        assert all(one.from_s < one.to_s < two.from_s for one, two in pairwise(occasions))
        assert occasions[-1].to_s <= labelled_tape().seconds

    def test_is_the_same_each_time(self) -> None:
        first = labelled_tape()
        labelled_tape.cache_clear()
        assert np.array_equal(labelled_tape().samples, first.samples)


class TestASoundInNoise:
    @pytest.mark.parametrize("level_db", [20.0, 0.0, -15.0])
    def test_lies_by_the_level_above_the_noise_and_does_not_clip(self, level_db: float) -> None:
        sound = clips["alarm"].samples().astype(np.float64)
        mixed = in_noise(clips["alarm"].samples(), level_db).astype(np.float64)
        gain = sound @ mixed / (sound @ sound)  # the noise is independent of the sound
        noise = mixed - gain * sound
        assert 10 * np.log10(gain**2 * (sound @ sound) / (noise @ noise)) == pytest.approx(level_db, abs=0.3)
        assert np.abs(mixed).max() == pytest.approx(PEAK)

    @pytest.mark.parametrize("samples", [np.zeros(6400, np.float32), np.zeros(0, np.float32)])
    def test_of_silence_has_no_level(self, samples: np.ndarray) -> None:
        with pytest.raises(AudioError, match="no sample other than 0"):
            in_noise(samples, 0.0)

    def test_has_a_level_at_which_the_model_is_undecided(self) -> None:
        model, sound = load_model("tiny"), clips["alarm"].samples()
        with model.session(greedy=True) as session:
            session.play(clips["alarm"])
        chunk = session.record.of_type(Turn)[0].chunk
        level = undecided_level(model, sound, chunk, p=0.4)
        assert p_drawn_from(model, in_noise(sound, level), chunk) == pytest.approx(0.4, abs=0.05)

    def test_that_the_model_never_answers_has_none_and_a_sentence_says_so(self) -> None:
        with pytest.raises(
            AudioError, match=r"No level between -20 dB and 30 dB .* after chunk 0 with probability 0\.6"
        ):
            undecided_level(load_model("tiny"), clips["rain"].samples(), 0)
