"""Converted checkpoints in transformers' auto classes: the same logits, decisions and words as `load_model`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ai_widgets.transformers
from ai_widgets.audio.features import log_mel
from ai_widgets.errors import AiWidgetsError
from ai_widgets.inference import Model, load_model
from ai_widgets.model.convert import convert
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Token, Turn
from tests.signals import babble
from tests.test_parity import vectors

TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(scope="module", params=["toy", "reference", "tiny"])
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints: exact positions, positions rounded as the published ones are, and the embedded one."""
    source = "tiny" if request.param == "tiny" else request.getfixturevalue(f"{request.param}_folder")
    return convert(source, tmp_path_factory.mktemp("converted") / request.param, "float32")


@pytest.fixture(scope="module")
def opened(converted: Path) -> tuple[Any, Any]:
    """Processor and model, through the auto classes."""
    from transformers import AutoModelForMultimodalLM, AutoProcessor

    model, info = AutoModelForMultimodalLM.from_pretrained(converted, output_loading_info=True)
    assert not any(info.values()), "every weight of the files is in the model, and none is left random"
    return AutoProcessor.from_pretrained(converted), model


@pytest.fixture(scope="module")
def ours(converted: Path) -> Model:
    return load_model(converted, "cpu")


def clip(seconds: float = 6.0, seed: int = 3) -> np.ndarray:
    return babble(seconds, seed)


def events_of(model: Model, samples: np.ndarray, **settings: Any) -> list[Any]:
    return list(model.session(context="stop", **settings).push_clip(samples))


def drawn_by(events: list[Any], end: int) -> list[int]:
    """Tokens in the order in which a session drew them."""
    tokens: list[int] = []
    for event in events:
        if isinstance(event, (Decision, Token)):
            tokens.append(event.token)
        elif isinstance(event, Turn) and event.ended == "TEXT_END":
            tokens.append(end)
    return tokens


class TestClasses:
    def test_the_auto_classes_give_ours(self, opened: tuple[Any, Any], converted: Path) -> None:
        from transformers import AutoConfig, AutoModelForCausalLM

        processor, model = opened
        assert type(model) is ai_widgets.transformers.AudioInteractionForConditionalGeneration
        assert type(processor) is ai_widgets.transformers.AudioInteractionProcessor
        assert AutoConfig.from_pretrained(converted).model_type == "audio_interaction"
        assert type(AutoModelForCausalLM.from_pretrained(converted)) is type(model)

    def test_the_folder_names_them(self, converted: Path) -> None:
        config = json.loads((converted / "config.json").read_text())
        assert config["model_type"] == "audio_interaction"
        assert config["architectures"] == ["AudioInteractionForConditionalGeneration"]
        assert json.loads((converted / "processor_config.json").read_text())["processor_class"] == (
            "AudioInteractionProcessor"
        )
        assert "auto_map" not in config, "no code of a checkpoint is run"

    def test_only_that_type_is_registered(self) -> None:
        """In a process of its own: the registries before and after."""
        script = """
from transformers.models.auto import configuration_auto, modeling_auto, processing_auto, tokenization_auto
def registered():
    found = {}
    for module in (configuration_auto, modeling_auto, processing_auto, tokenization_auto):
        for name, value in vars(module).items():
            if hasattr(value, "_extra_content"):
                found[name] = dict(value._extra_content)
            elif name.startswith("REGISTERED"):
                found[name] = dict(value)
    return found
import ai_widgets
before = registered()
import ai_widgets.transformers
import ai_widgets.transformers as again
after = registered()
for name in sorted(after):
    new = {getattr(key, "__name__", key) for key in after[name] if key not in before[name]}
    if new:
        print(name, *sorted(new))
"""
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        lines = dict(line.split(" ", 1) for line in run.stdout.splitlines())
        tokenizers = lines.pop("REGISTERED_TOKENIZER_CLASSES", "")
        assert lines == {
            "CONFIG_MAPPING": "audio_interaction",
            "MODEL_FOR_CAUSAL_LM_MAPPING": "AudioInteractionConfig",
            "MODEL_FOR_MULTIMODAL_LM_MAPPING": "AudioInteractionConfig",
            "PROCESSOR_MAPPING": "AudioInteractionConfig",
            "TOKENIZER_MAPPING": "AudioInteractionConfig",
        }
        assert tokenizers in ("", "PreTrainedTokenizerFast", "TokenizersBackend"), "classes of transformers itself"

    def test_the_package_does_not_register_by_itself(self, converted: Path) -> None:
        script = f"""
import ai_widgets, sys
ai_widgets.load_model({str(converted)!r}, "cpu", progress=False)
assert "ai_widgets.transformers" not in sys.modules
"""
        subprocess.run([sys.executable, "-c", script], check=True)

    def test_a_folder_of_an_earlier_conversion_goes_on_to_load(
        self, converted: Path, tmp_path: Path, ours: Model
    ) -> None:
        """Before, the type was `qwen2`, the weights one file, and the tower's names had no prefix."""
        from safetensors.torch import load_file, save_file

        folder = shutil.copytree(converted, tmp_path / "earlier")
        index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
        shards = {name for name in index.values() if name != "audio_tower.safetensors"}
        save_file(
            {name: tensor for shard in shards for name, tensor in load_file(folder / shard).items()},
            folder / "model.safetensors",
        )
        tower = load_file(folder / "audio_tower.safetensors")
        save_file(
            {name.removeprefix("audio_tower."): tensor for name, tensor in tower.items()},
            folder / "audio_tower.safetensors",
        )
        for name in (*shards, "model.safetensors.index.json", "processor_config.json"):
            (folder / name).unlink()
        config = json.loads((folder / "config.json").read_text())
        config |= {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}
        (folder / "config.json").write_text(json.dumps(config))
        assert events_equal(events_of(load_model(folder, "cpu"), clip()), events_of(ours, clip()))


def events_equal(first: list[Any], second: list[Any]) -> bool:
    def said(events: list[Any]) -> list[Any]:
        kinds = (Decision, Token)
        return [(event.token, round(event.p_drawn, 4)) for event in events if isinstance(event, kinds)]

    return said(first) == said(second)


class TestSame:
    def test_logits(self, opened: tuple[Any, Any], ours: Model) -> None:
        """One pass over the whole sequence there; step by step over a cache here."""
        processor, model = opened
        inputs = processor(audio=clip(2.0), sampling_rate=16_000, tail_silence=0)
        decoder, traits = ours.decoder, ours.traits
        frames = ours.encoder.encode(log_mel(np.pad(clip(2.0), (0, -32_000 % CHUNK_SAMPLES))))
        prefix, keep = inputs["input_ids"][0].tolist(), traits.tokens["KEEP_SILENCE"]
        block = [traits.tokens["AUDIO_BEGIN"], *[traits.tokens["PAD"]] * 10, traits.tokens["ASSISTANT"]]
        context, expected, row = decoder.context(400), [], list(prefix)
        for chunk, each in enumerate(frames):
            fed = [*(prefix if chunk == 0 else [keep]), *block]
            expected.append(decoder.feed(context, fed, each, len(fed) - 11))
            row += block if chunk == 0 else [keep, *block]
        with torch.no_grad():
            logits = model(torch.tensor([row]), inputs["input_features"]).logits[0].float()
        due = [place for place, token in enumerate(row) if token == traits.tokens["ASSISTANT"]]
        torch.testing.assert_close(logits[due], torch.stack(expected), **TOLERANCE)

    @pytest.mark.parametrize("seed", [0, 5])
    @pytest.mark.parametrize("do_sample", [False, True])
    def test_decisions_replies_and_logits_of_a_clip(
        self, opened: tuple[Any, Any], ours: Model, do_sample: bool, seed: int
    ) -> None:
        processor, model = opened
        samples = clip(seed=seed)
        answer = model.generate(
            **processor(audio=samples, sampling_rate=16_000),
            do_sample=do_sample,
            seed=seed,
            return_dict_in_generate=True,
            output_logits=True,
        )
        events = events_of(ours, samples, greedy=not do_sample, seed=seed)
        tokens = ours.traits.tokens
        drawn = drawn_by(events, tokens["TEXT_END"])
        assert len(answer.logits) == len(drawn)
        decisions = [event for event in events if isinstance(event, Decision)]
        row = answer.sequences[0].tolist()
        assert [row[place + 1] for place, token in enumerate(row[:-1]) if token == tokens["ASSISTANT"]] == [
            event.token for event in decisions
        ]
        place = iter(answer.logits)
        for event in events:
            if isinstance(event, Decision):
                logits = next(place)[0]
                assert float(logits[tokens["KEEP_SILENCE"]]) == pytest.approx(event.logit_keep, abs=1e-3)
                assert float(logits[tokens["TEXT_BEGIN"]]) == pytest.approx(event.logit_text, abs=1e-3)
            elif isinstance(event, (Token, Turn)) and not (isinstance(event, Turn) and event.ended != "TEXT_END"):
                next(place)
        turns = [event for event in events if isinstance(event, Turn)]
        (replies,) = processor.post_process_turns(answer.sequences)
        assert replies == [{"chunk": turn.chunk, "emotion": turn.emotion, "text": turn.text} for turn in turns]

    @given(text=st.text(max_size=40))
    def test_tokenizer(self, opened: tuple[Any, Any], ours: Model, text: str) -> None:
        processor, _ = opened
        ids = processor.tokenizer(text, add_special_tokens=False).input_ids
        assert ids == ours.encode_text(text)
        assert processor.tokenizer.decode(ids, skip_special_tokens=True) == ours.tokenizer.decode(ids)

    def test_auto_tokenizer(self, converted: Path, ours: Model) -> None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(converted)
        for text in ("Hello, world.", "你好 😊", ours.traits.system_prompt):
            assert tokenizer(text, add_special_tokens=False).input_ids == ours.encode_text(text)

    def test_a_system_prompt_of_ones_own(self, opened: tuple[Any, Any], ours: Model) -> None:
        processor, model = opened
        sequence = model.generate(**processor(audio=clip(3.0), sampling_rate=16_000, text="Be quiet."), do_sample=False)
        events = events_of(ours, clip(3.0), greedy=True, system_prompt="Be quiet.")
        tokens = ours.traits.tokens
        row = sequence[0].tolist()
        assert [row[place + 1] for place, token in enumerate(row[:-1]) if token == tokens["ASSISTANT"]] == [
            event.token for event in events if isinstance(event, Decision)
        ]

    def test_what_transformers_saves_loads_here(self, opened: tuple[Any, Any], ours: Model, tmp_path: Path) -> None:
        processor, model = opened
        model.save_pretrained(tmp_path)
        processor.save_pretrained(tmp_path)
        saved = load_model(tmp_path, "cpu")
        assert events_equal(events_of(saved, clip(), seed=1), events_of(ours, clip(), seed=1))


def test_rounded_positions(reference_folder: Path, reference: Model, tmp_path: Path) -> None:
    """Past 2048, where the published weights want positions rounded: the authors' vectors of a long session."""
    from transformers import AutoModelForMultimodalLM

    model = AutoModelForMultimodalLM.from_pretrained(convert(reference_folder, tmp_path / "x", "float32"))
    tokens = np.random.default_rng(0).integers(0, 1000, 2100).tolist()
    decoder = reference.decoder
    context = decoder.context(2200)
    decoder.feed(context, tokens[:2090])
    expected = [decoder.feed(context, [token]) for token in tokens[2090:]]
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0, 2090:].float()
    torch.testing.assert_close(logits, torch.stack(expected), atol=1e-3, rtol=1e-3)


def test_the_authors_decisions(reference_folder: Path, tmp_path: Path) -> None:
    """The vectors made with the authors' code: the first clip of their runner, greedy, with its second of silence."""
    from soundfile import read
    from transformers import AutoModelForMultimodalLM, AutoProcessor

    folder = convert(reference_folder, tmp_path / "x", "float32")
    expected = vectors("offline_short")
    samples, rate = read(expected["paths"][0], dtype="float32")
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForMultimodalLM.from_pretrained(folder)
    answer = model.generate(
        **processor(audio=samples, sampling_rate=rate),
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
    )
    keep, text = 151605, 151644
    ours = [(float(step[0, keep]), float(step[0, text]), float(step.max())) for step in answer.logits]
    columns = ("logit_keep_silence", "logit_text_begin", "max_logit")
    theirs = [tuple(row[name] for name in columns) for row in expected["rows"][: len(ours)]]
    assert len(ours) > 10
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


class TestRefusals:
    def test_two_clips(self, opened: tuple[Any, Any]) -> None:
        processor, model = opened
        inputs = processor(audio=clip(1.0), sampling_rate=16_000)
        with pytest.raises(ValueError, match="hears one clip"):
            model.generate(inputs["input_ids"].repeat(2, 1), inputs["input_features"].repeat(2, 1, 1, 1))

    def test_an_unknown_option(self, opened: tuple[Any, Any]) -> None:
        processor, model = opened
        with pytest.raises(ValueError, match="'num_beams'"):
            model.generate(**processor(audio=clip(1.0), sampling_rate=16_000), num_beams=4)

    def test_pads_that_do_not_fit(self, opened: tuple[Any, Any]) -> None:
        processor, model = opened
        inputs = processor(audio=clip(1.0), sampling_rate=16_000)
        with pytest.raises(ValueError, match=r"must hold 60 PADs in each row, 10 for each of 6 chunks, not \[0\]"):
            model(**inputs)

    @pytest.mark.parametrize("options", [{"sampling_rate": 0}, {"return_tensors": "np"}, {"audio": []}])
    def test_a_clip_that_is_none(self, opened: tuple[Any, Any], options: dict[str, Any]) -> None:
        processor, _ = opened
        with pytest.raises(AiWidgetsError):
            processor(**{"audio": clip(1.0), "sampling_rate": 16_000, **options})

    def test_the_limits_hold(self, opened: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        processor, model = opened
        inputs = processor(audio=clip(), sampling_rate=16_000)
        answer = model.generate(**inputs, max_new_tokens=3, return_dict_in_generate=True, output_logits=True)
        assert len(answer.logits) == 3
        positions = inputs["input_ids"].shape[1] + 40
        monkeypatch.setattr(model.config, "max_position_embeddings", positions)
        assert model.generate(**inputs).shape[1] <= positions + 1
