"""Checkpoint folders (docs/protocol.md §5): what loads, and what is said of a folder that does not."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ai_widgets.errors import CheckpointError, CheckpointWarning
from ai_widgets.inference import Model, load_model
from tests.page import Build
from tests.reference_checkpoint import HEAD_SIZE, TOWER_FILES, TOY, language_model, write_checkpoint, write_weights

Writable = Callable[[], Path]


@pytest.fixture
def folder(toy_folder: Path, tmp_path: Path) -> Path:
    """A copy of the toy that a test may damage."""
    return Path(shutil.copytree(toy_folder, tmp_path / "copy"))


def weights(model: Model) -> dict[str, torch.Tensor]:
    language, tower = model.decoder.model.state_dict(), model.encoder.tower.state_dict()
    return dict(language) | {f"tower.{name}": tensor for name, tensor in tower.items()}


def refused(folder: Path) -> str:
    """The sentence with which a folder is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_model(folder, "cpu")
    message = str(caught.value)
    assert "\n" not in message
    assert message.rstrip().endswith((".", "…"))
    return message


class TestLayouts:
    @pytest.mark.parametrize(
        "layout",
        [
            {"names": "qwen2"},
            {"names": "litgpt", "shards": 1},
            {"names": "qwen2", "shards": 1},
            {"shards": 4},
            {"tower_files": TOWER_FILES[:1]},
            {"tower_files": TOWER_FILES[1:]},
        ],
        ids=str,
    )
    def test_every_layout_gives_the_same_weights(self, toy: Model, tmp_path: Path, layout: dict[str, Any]) -> None:
        loaded, expected = weights(load_model(write_checkpoint(tmp_path, TOY, **layout), "cpu")), weights(toy)
        assert loaded.keys() == expected.keys()
        assert all(torch.equal(loaded[name], expected[name]) for name in expected)

    def test_every_tensor_of_the_files_is_in_the_model(self, toy: Model) -> None:
        recipe, loaded = language_model(TOY), weights(toy)
        fused = recipe["transformer.h.1.attn.qkv.weight"]
        names = [f"model.layers.1.self_attn.{letter}_proj.weight" for letter in "qkv"]
        assert torch.equal(torch.cat([loaded[name] for name in names]), fused)
        assert len(loaded[names[0]]) == 4 * HEAD_SIZE
        assert torch.equal(loaded["lm_head.weight"], recipe["lm_head.weight"])
        assert torch.equal(loaded["model.embed_tokens.weight"], recipe["transformer.wte.weight"])

    def test_the_towers_names_may_carry_the_thinkers_prefix(self, toy: Model, folder: Path) -> None:
        path = folder / TOWER_FILES[0]
        state = torch.load(path, weights_only=True)
        torch.save({f"thinker.audio_tower.{name}": tensor for name, tensor in state.items()}, path)
        loaded, expected = weights(load_model(folder, "cpu")), weights(toy)
        assert all(torch.equal(loaded[name], expected[name]) for name in expected)

    @pytest.mark.parametrize("absent", ["positional_embedding.positional_embedding", "audio_bos_eos_token.weight"])
    def test_tensors_that_no_chunk_needs_may_be_absent(self, folder: Path, absent: str) -> None:
        state = torch.load(folder / TOWER_FILES[0], weights_only=True)
        torch.save({name: tensor for name, tensor in state.items() if name != absent}, folder / TOWER_FILES[0])
        load_model(folder, "cpu")

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
    def test_weights_are_converted_to_the_dtype(self, toy_folder: Path, dtype: str) -> None:
        loaded = load_model(toy_folder, "cpu", dtype)
        assert loaded.decoder.dtype == loaded.encoder.dtype == getattr(torch, dtype)
        floating = [tensor.dtype for name, tensor in weights(loaded).items() if "positional" not in name]
        assert set(floating) == {getattr(torch, dtype)}

    def test_tied_embeddings(self, folder: Path) -> None:
        shutil.rmtree(folder)
        write_checkpoint(folder, TOY, names="qwen2", shards=1)
        tensors = load_file(folder / "model.safetensors")
        del tensors["lm_head.weight"]
        save_file(tensors, folder / "model.safetensors")
        assert "lm_head.weight" in refused(folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
        loaded = weights(load_model(folder, "cpu"))
        assert torch.equal(loaded["lm_head.weight"], loaded["model.embed_tokens.weight"])

    def test_the_checkpoints_own_sampling_and_limits(self, toy: Model, folder: Path) -> None:
        assert (toy.rule.temperature, toy.rule.top_k, toy.rule.top_p) == (0.3, 3, 1.0)
        assert toy.positions == 2048
        (folder / "generation_config.json").write_text('{"temperature": 0.7}')
        rule = load_model(folder, "cpu").rule
        assert (rule.temperature, rule.top_k, rule.top_p) == (0.7, None, 1.0)

    @pytest.mark.parametrize("content", [None, "{}", '{"eos_token_id": 7}', '{"temperature": null, "top_k": 0}'])
    def test_a_folder_that_does_not_say_how_it_samples(self, toy: Model, folder: Path, content: str | None) -> None:
        """It samples as the model card says, and says so: to Python, and on the model for the widget."""
        path = folder / "generation_config.json"
        path.unlink()
        if content is not None:
            path.write_text(content)
        with pytest.warns(
            CheckpointWarning, match=r"generation_config\.json.* temperature=0\.3, top_k=3; add the file"
        ):
            model = load_model(folder, "cpu")
        rule = model.rule
        assert (rule.temperature, rule.top_k, rule.top_p, rule.greedy) == (0.3, 3, 1.0, False)
        assert len(model.notes) == 1
        assert toy.notes == ()

    def test_the_widget_shows_what_a_checkpoint_lacks(self, toy: Model, build: Build) -> None:
        page = build(replace(toy, notes=("It does not say how it samples.",)))
        page.hello()
        assert page.of("model")[-1]["detail"] == "cpu · float32 · It does not say how it samples."

    def test_a_model_says_what_it_is(self, toy: Model, toy_folder: Path) -> None:
        assert repr(toy) == f"<Model {toy_folder} on cpu · float32>"
        assert toy.revision is None


class TestTensors:
    """Missing, surplus and misshapen tensors are named."""

    def rewritten(self, folder: Path, **changes: torch.Tensor | None) -> Path:
        tensors: dict[str, torch.Tensor | None] = {**language_model(TOY), **changes}
        write_weights(folder, {name: tensor for name, tensor in tensors.items() if tensor is not None})
        return folder

    def test_missing(self, folder: Path) -> None:
        message = refused(self.rewritten(folder, **{"transformer.h.1.norm_2.weight": None}))
        assert "missing: model.layers.1.post_attention_layernorm.weight" in message

    def test_surplus(self, folder: Path) -> None:
        message = refused(self.rewritten(folder, **{"transformer.h.7.norm_2.weight": torch.zeros(64)}))
        assert "surplus: model.layers.7.post_attention_layernorm.weight" in message

    @pytest.mark.parametrize("shape", [(), (64,), (288, 63), (2, 288, 64)])
    def test_misshapen(self, folder: Path, shape: tuple[int, ...]) -> None:
        message = refused(self.rewritten(folder, **{"lm_head.weight": torch.zeros(shape)}))
        assert f"lm_head.weight {shape} instead of (288, 64)" in message

    @pytest.mark.parametrize("shape", [(), (64,), (100, 64), (128, 63)])
    def test_a_fused_qkv_of_the_wrong_shape(self, folder: Path, shape: tuple[int, ...]) -> None:
        message = refused(self.rewritten(folder, **{"transformer.h.0.attn.qkv.weight": torch.zeros(shape)}))
        assert "attn.qkv" in message or "q_proj" in message

    def test_many_are_counted(self, folder: Path) -> None:
        names = [name for name in language_model(TOY) if ".h.0." in name]
        message = refused(self.rewritten(folder, **dict.fromkeys(names)))
        assert "and 6 more" in message

    def test_the_tower_likewise(self, folder: Path) -> None:
        state = torch.load(folder / TOWER_FILES[0], weights_only=True)
        state["conv9.weight"] = state.pop("conv1.weight")
        state["proj.bias"] = torch.zeros(3)
        torch.save(state, folder / TOWER_FILES[0])
        message = refused(folder)
        assert "missing: conv1.weight" in message
        assert "surplus: conv9.weight" in message
        assert "proj.bias (3,) instead of (64,)" in message


class TestFiles:
    """Missing and damaged files are named."""

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("tokenizer.json", "lacks tokenizer.json"),
            ("qwen25OmniConfig/config.json", "lacks the encoder's configuration"),
            ("model-00002-of-00002.safetensors", "lacks model-00002-of-00002.safetensors"),
            ("model.safetensors.index.json", "contains no weights"),
        ],
    )
    def test_missing(self, folder: Path, name: str, words: str) -> None:
        (folder / name).unlink()
        assert words in refused(folder)

    def test_no_encoder(self, folder: Path) -> None:
        for name in TOWER_FILES:
            (folder / name).unlink()
        assert "lacks the encoder's weights" in refused(folder)

    def test_no_configuration(self, folder: Path) -> None:
        (folder / "model_config.yaml").unlink()
        (folder / "config.json").unlink()
        assert "neither model_config.yaml nor config.json" in refused(folder)

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert "is not a checkpoint" in refused(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1]", b'{"a": 1}', b"null", b"%YAML: @\n- [\n"])
    @pytest.mark.parametrize(
        "name",
        [
            "model_config.yaml",
            "qwen25OmniConfig/config.json",
            "tokenizer.json",
            "generation_config.json",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
        ],
    )
    def test_damaged(self, folder: Path, name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        if name == "generation_config.json" and content == b'{"a": 1}':
            with pytest.warns(CheckpointWarning):
                load_model(folder, "cpu")
            return
        assert name.rpartition("/")[2] in refused(folder)

    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_a_truncated_shard(self, folder: Path, share: float) -> None:
        shard = folder / "model-00002-of-00002.safetensors"
        content = shard.read_bytes()
        shard.write_bytes(content[: int(len(content) * share)])
        assert shard.name in refused(folder)

    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_a_truncated_encoder(self, folder: Path, share: float) -> None:
        path = folder / TOWER_FILES[0]
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        assert path.name in refused(folder)

    @pytest.mark.parametrize("outside", ["../model-00001-of-00002.safetensors", "/etc/hostname", "sub/x.safetensors"])
    def test_an_index_may_not_point_outside_its_folder(self, folder: Path, outside: str) -> None:
        index = folder / "model.safetensors.index.json"
        values = json.loads(index.read_text())
        values["weight_map"]["lm_head.weight"] = outside
        index.write_text(json.dumps(values))
        assert "outside its own folder" in refused(folder)

    def test_an_index_that_promises_too_much(self, folder: Path) -> None:
        index = folder / "model.safetensors.index.json"
        values = json.loads(index.read_text())
        values["weight_map"]["extra.weight"] = "model-00001-of-00002.safetensors"
        index.write_text(json.dumps(values))
        assert "does not contain extra.weight" in refused(folder)

    def test_special_tokens_beyond_the_vocabulary(self, folder: Path) -> None:
        (folder / "audio_interaction.json").unlink()
        assert "is outside the vocabulary of 288" in refused(folder)

    def test_an_encoder_of_another_width(self, folder: Path) -> None:
        path = folder / "qwen25OmniConfig" / "config.json"
        values = json.loads(path.read_text())
        values["thinker_config"]["audio_config"]["output_dim"] = 32
        path.write_text(json.dumps(values))
        assert "width 32; the language model's width is 64" in refused(folder)

    def test_bad_sampling_defaults(self, folder: Path) -> None:
        (folder / "generation_config.json").write_text('{"temperature": -1}')
        assert "generation_config.json" in refused(folder)


class Bomb:
    """Unpickling it runs code: here, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("written_by", ["pickle", "torch", "torch inside a state dict"])
def test_a_malicious_pickle_is_refused_and_not_executed(folder: Path, tmp_path: Path, written_by: str) -> None:
    trace, path = tmp_path / "executed", folder / TOWER_FILES[0]
    if written_by == "pickle":
        path.write_bytes(pickle.dumps(Bomb(trace)))
    elif written_by == "torch":
        torch.save(Bomb(trace), path)
    else:
        torch.save({**torch.load(path, weights_only=True), "extra": Bomb(trace)}, path)
    assert path.name in refused(folder)
    assert not trace.exists()
    # The test would notice: loaded carelessly, the file does run.
    if written_by == "pickle":
        pickle.loads(path.read_bytes())  # noqa: S301
        assert trace.exists()


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(3), None], ids=str)
def test_an_encoder_file_that_holds_something_else(folder: Path, content: Any) -> None:
    torch.save(content, folder / TOWER_FILES[0])
    assert "dictionary of tensors" in refused(folder)


def test_an_encoder_file_in_torchs_old_format_loads(toy: Model, folder: Path) -> None:
    path = folder / TOWER_FILES[0]
    torch.save(torch.load(path, weights_only=True), path, _use_new_zipfile_serialization=False)
    loaded, expected = weights(load_model(folder, "cpu")), weights(toy)
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def test_a_model_of_more_layers(tmp_path: Path) -> None:
    model = load_model(write_checkpoint(tmp_path, replace(TOY, layers=3)), "cpu")
    assert len(model.decoder.model.model.layers) == 3
