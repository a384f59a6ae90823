"""`model.answer`: the sequence of the offline tasks, its tokens beside transformers' own, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import soundfile
import torch

import ai_widgets as aiw
from ai_widgets.audio.features import log_mel
from ai_widgets.errors import AudioError, AudioTooLongError, SettingError
from ai_widgets.inference import Model
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.traits import Traits
from ai_widgets.protocol import Token
from ai_widgets.session.answer import Answer, languages
from ai_widgets.special_tokens import SpecialTokens
from tests.networks import their_audio_tower, their_language_model
from tests.signals import Array, babble

QUESTION = "What was said?"


@pytest.fixture(scope="module")
def clip() -> Array:
    return babble(5.1, seed=3)


def names(model: Model, prompt: tuple[int, ...]) -> list[str]:
    """The prompt with texts and runs of AUDIO_PAD as one word each."""
    found: list[str] = []
    text: list[int] = []
    for token in [*prompt, -1]:
        name = model.traits.tokens.name(token)
        if name is None and token >= 0:
            text.append(token)
            continue
        if text:
            found.append(model.decode_tokens(text))
            text = []
        if token >= 0 and not (name == "AUDIO_PAD" and found[-1] == "AUDIO_PAD"):
            found.append(str(name))
    return found


class TestTheSequence:
    """docs/protocol.md §4, written out."""

    def test_of_a_question(self, toy: Model, clip: Array) -> None:
        answer = toy.answer(clip, QUESTION)
        assert names(toy, answer.prompt) == [
            *("OFFLINE", "ENGLISH", "TEXT_BEGIN", "TEXT_BEGIN", toy.traits.system_prompt, "TEXT_END"),
            *("AUDIO_BEGIN", "AUDIO_PAD", "AUDIO_END"),
            *("USER", "TEXT_BEGIN", QUESTION, "TEXT_END"),
            *("ASSISTANT", "TEXT_BEGIN"),
        ]

    def test_without_a_text_the_user_says_nothing(self, toy: Model, clip: Array) -> None:
        assert names(toy, toy.answer(clip).prompt)[6:] == [
            *("AUDIO_BEGIN", "AUDIO_PAD", "AUDIO_END"),
            *("ASSISTANT", "TEXT_BEGIN"),
        ]

    def test_has_a_pad_for_each_frame_of_the_padded_clip(self, toy: Model, clip: Array) -> None:
        pad = toy.traits.tokens["AUDIO_PAD"]
        assert toy.answer(clip).prompt.count(pad) == 130
        assert toy.answer(babble(0.4)).prompt.count(pad) == 10
        assert toy.answer(babble(20.0)).prompt.count(pad) == 500

    def test_another_system_prompt(self, toy: Model, clip: Array) -> None:
        assert names(toy, toy.answer(clip, system_prompt="Listen.").prompt)[4] == "Listen."

    def test_a_language_is_a_token_of_the_checkpoint(self, toy: Model, clip: Array) -> None:
        tokens = toy.traits.tokens
        ids = MappingProxyType({**tokens.ids, "CHINESE": tokens["KEEP_SILENCE"]})
        bilingual = replace(toy, traits=replace(toy.traits, tokens=SpecialTokens(ids, tokens.emotions)))
        assert languages(bilingual) == ["english", "chinese"]
        assert bilingual.answer(clip, language="Chinese").prompt[1] == tokens["KEEP_SILENCE"]
        with pytest.raises(SettingError, match="language must be one of english, not 'chinese'"):
            toy.answer(clip, language="chinese")


@pytest.mark.parametrize("chunks", [1, 5, 7, 13, 50])
def test_frames_are_those_of_transformers_for_one_piece(toy: Model, chunks: int) -> None:
    mels = log_mel(babble(chunks * 0.4, seed=chunks))
    with torch.inference_mode():
        expected = their_audio_tower(toy.encoder.tower)(
            torch.from_numpy(mels), feature_lens=torch.tensor([40 * chunks])
        ).last_hidden_state
    frames = toy.encoder.encode_clip(mels)
    assert frames.shape == expected.shape == (10 * chunks, 64)
    torch.testing.assert_close(frames, expected, atol=1e-4, rtol=0)


def test_a_piece_is_not_a_row_of_chunks(toy: Model) -> None:
    """In one piece a frame depends on its neighbours; in a stream only on its chunk."""
    mels = log_mel(babble(2.0))
    assert not torch.allclose(toy.encoder.encode_clip(mels), toy.encoder.encode(mels).flatten(0, 1), atol=1e-3)


def theirs(model: Model, answer: Answer, samples: Array, count: int) -> tuple[list[int], list[float]]:
    """Tokens and raw probabilities of transformers' modules with the same weights, without a cache, greedily."""
    padded = np.pad(samples, (0, -len(samples) % 6400))
    mels = log_mel(padded)
    tower, network = their_audio_tower(model.encoder.tower), their_language_model(model.decoder.model)
    pad = model.traits.tokens["AUDIO_PAD"]
    ids, tokens, chances = list(answer.prompt), [], []
    with torch.inference_mode():
        frames = tower(torch.from_numpy(mels), feature_lens=torch.tensor([mels.shape[1]])).last_hidden_state
        for _ in range(count):
            embedded = network.get_input_embeddings()(torch.tensor([ids]))
            embedded[0, [place for place, token in enumerate(ids) if token == pad]] = frames
            logits = network(inputs_embeds=embedded).logits[0, -1]
            tokens.append(int(logits.argmax()))
            chances.append(float(logits.softmax(0)[tokens[-1]]))
            ids.append(tokens[-1])
    return tokens, chances


@pytest.mark.parametrize("text", [None, QUESTION])
def test_the_answer_is_that_of_transformers_modules(toy: Model, clip: Array, text: str | None) -> None:
    answer = toy.answer(clip, text, greedy=True, max_tokens=12)
    said = list(answer)
    assert said
    end = [toy.traits.tokens["TEXT_END"]] if answer.ended == "TEXT_END" else []
    tokens, chances = theirs(toy, answer, clip, len(said) + len(end))
    assert [token.token for token in said] + end == tokens
    assert [token.p for token in said] == pytest.approx(chances[: len(said)], abs=1e-4)


class TestStreaming:
    def test_tokens_come_one_by_one_with_probabilities(self, toy: Model, clip: Array) -> None:
        answer = toy.answer(clip, QUESTION, greedy=True)
        first = next(answer)
        assert isinstance(first, Token)
        assert answer.tokens == [first]
        assert answer.ended is None
        assert 0 < first.p <= 1
        assert len(first.alternatives) >= 5
        whole = answer.text
        assert answer.ended in ("TEXT_END", "limit")
        assert whole == toy.answer(clip, QUESTION, greedy=True).text
        assert [token.index for token in answer.tokens] == list(range(len(answer.tokens)))
        assert list(answer) == []

    def test_a_seed_gives_the_same_answer(self, toy: Model, clip: Array) -> None:
        def drawn(seed: int) -> list[int]:
            answer = toy.answer(clip, temperature=3.0, top_k=0, seed=seed, max_tokens=20)
            return [token.token for token in answer]

        assert drawn(1) == drawn(1)
        assert drawn(1) != drawn(2)

    def test_the_limit_ends_it(self, toy: Model, clip: Array) -> None:
        answer = toy.answer(clip, temperature=50.0, top_k=0, seed=1, max_tokens=3)
        assert len(list(answer)) == 3
        assert answer.ended == "limit"

    def test_an_interrupt_changes_nothing(self, toy: Model, clip: Array, monkeypatch: pytest.MonkeyPatch) -> None:
        """The step that Ctrl-C ended is done again, with the same random number."""
        options = {"temperature": 3.0, "top_k": 0, "seed": 4, "max_tokens": 8}
        expected = [token.token for token in toy.answer(clip, **options)]
        answer = toy.answer(clip, **options)
        feed = Decoder.feed
        for before in (0, 2):
            while len(answer.tokens) < before:
                next(answer)

            def interrupted(*given: object, **named: object) -> torch.Tensor:
                feed(*given, **named)  # type: ignore[arg-type]
                raise KeyboardInterrupt

            with monkeypatch.context() as patched:
                patched.setattr(Decoder, "feed", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    next(answer)
        list(answer)
        assert [token.token for token in answer.tokens] == expected

    def test_it_is_shown_as_a_table_and_in_a_notebook(self, toy: Model, clip: Array) -> None:
        answer = toy.answer(clip, greedy=True)
        assert repr(answer) == "<Answer '', 0 tokens, unfinished>"
        html = answer._repr_html_()
        assert html.count("<span title=") == len(answer.tokens) == len(answer.table)
        assert list(answer.table.columns) == ["index", "token", "text", "p", "p_drawn", "draw"]


class TestTheAudio:
    def test_a_file_a_clip_and_samples_at_any_rate(self, toy: Model, tmp_path: Path) -> None:
        samples = aiw.clips.digit.samples()
        soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
        texts = {
            toy.answer(given, greedy=True, max_tokens=8).text
            for given in (samples, aiw.clips.digit, "clip:digit", tmp_path / "a.wav", np.stack([samples] * 2, 1))
        }
        assert len(texts) == 1
        assert toy.answer(np.repeat(samples, 3), rate=48_000, max_tokens=1).prompt == toy.answer(samples).prompt

    @pytest.mark.parametrize("seconds", [20.01, 3600.0])
    def test_longer_clips_are_refused_with_what_to_do(self, toy: Model, seconds: float, tmp_path: Path) -> None:
        samples = np.zeros(round(seconds * 8_000), np.float32)
        with pytest.raises(AudioTooLongError, match=r"at most 20 s\. Answer it in parts") as error:
            toy.answer(samples, rate=8_000)
        assert f"{seconds:.1f} s" in str(error.value)
        soundfile.write(tmp_path / "a.wav", samples, 8_000)
        with pytest.raises(AudioTooLongError, match=r"or listen to all of it with model\.session"):
            toy.answer(tmp_path / "a.wav")

    def test_what_is_no_audio(self, toy: Model) -> None:
        with pytest.raises(AudioError):
            toy.answer("none.wav")
        with pytest.raises(AudioError, match="There is no clip"):
            toy.answer("clip:none")

    @pytest.mark.parametrize("settings", [{"bias": 1.0}, {"context": "slide"}, {"max_tokens": 0}, {"max_tokens": 1.5}])
    def test_settings_that_an_answer_has_not(self, toy: Model, clip: Array, settings: dict[str, object]) -> None:
        with pytest.raises(SettingError):
            toy.answer(clip, **settings)  # type: ignore[arg-type]

    def test_a_text_longer_than_the_context(self, toy: Model, clip: Array) -> None:
        with pytest.raises(SettingError, match=r"The prompt has [\d,]+ tokens"):
            toy.answer(clip, "so long " * 5_000)


class TestWhatTheCheckpointKnows:
    def test_tiny_says_that_it_was_not_trained_on_these_tasks(self) -> None:
        answer = aiw.load_model("tiny", "cpu").answer("clip:digit", "Transcribe the audio.", greedy=True)
        (note,) = answer.notes
        assert note.startswith("tiny was not trained to transcribe")
        assert note in answer._repr_html_()

    def test_the_published_one_was(self, toy: Model) -> None:
        assert toy.answer(babble(1.0)).notes == ()

    def test_traits_keep_it(self, toy: Model) -> None:
        for known in (True, False):
            traits = replace(toy.traits, offline_tasks=known)
            assert Traits.from_json(traits.to_json(), "here").offline_tasks == known
