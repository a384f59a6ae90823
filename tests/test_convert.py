"""`ai-widgets convert`: the same answers from a folder in transformers' own layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ai_widgets.cli.main import main
from ai_widgets.errors import AiWidgetsError, CheckpointError, CheckpointWarning, SettingError
from ai_widgets.inference import Model, load_model
from ai_widgets.model import convert as convert_module
from ai_widgets.model.convert import convert
from ai_widgets.session.answer_files import answer_files
from tests.reference_checkpoint import TOY, write_checkpoint
from tests.test_checkpoint import weights
from tests.test_parity import LOGIT_TOLERANCE, turns_of, vectors, watched

ONE_SHARD = "model-00001-of-00001.safetensors"


def same(one: Model, other: Model) -> bool:
    """Whether two models hold the same numbers."""
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def converted(reference_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(reference_folder, tmp_path_factory.mktemp("converted") / "float32", "float32")


def test_it_answers_as_the_reference_does(converted: Path) -> None:
    model, expected = load_model(converted, "cpu"), vectors("offline_short")
    with watched(model) as steps:
        events = list(answer_files(model.session(greedy=True, context="stop"), expected["paths"]))
    assert turns_of(model, events) == expected["turns"]
    for column in ("logit_keep_silence", "logit_text_begin", "max_logit"):
        ours, theirs = [step[column] for step in steps], [row[column] for row in expected["rows"]]
        assert ours == pytest.approx(theirs, abs=LOGIT_TOLERANCE)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_in_half_the_size_it_holds_what_loading_in_that_format_gives(
    toy_folder: Path, tmp_path: Path, dtype: str
) -> None:
    target = convert(toy_folder, tmp_path / "half", dtype)
    assert same(load_model(target, "cpu", dtype), load_model(toy_folder, "cpu", dtype))
    size = sum(file.stat().st_size for file in toy_folder.glob("model*.safetensors"))
    assert (target / ONE_SHARD).stat().st_size == pytest.approx(size / 2, rel=0.1)
    assert {tensor.dtype for tensor in load_file(target / ONE_SHARD).values()} == {getattr(torch, dtype)}


def test_the_folder_is_transformers_own_layout(converted: Path) -> None:
    names = sorted(file.name for file in converted.iterdir())
    assert names == [
        "audio_tower.safetensors",
        "config.json",
        "generation_config.json",
        ONE_SHARD,
        "model.safetensors.index.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config = json.loads((converted / "config.json").read_text())
    assert config["audio_interaction"]["special_tokens"]["KEEP_SILENCE"] == 151605
    assert config["audio_interaction"]["rope_positions"] == "float16"
    with safe_open(converted / ONE_SHARD, "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert "model.layers.0.self_attn.q_proj.bias" in file.keys()  # noqa: SIM118


def test_many_shards(toy: Model, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert_module, "SHARD_BYTES", 60_000)
    target = convert(toy_folder, tmp_path / "shards", "float32")
    shards = sorted(file.name for file in target.glob("model-*.safetensors"))
    assert len(shards) > 3
    assert shards[0] == f"model-00001-of-{len(shards):05}.safetensors"
    index = json.loads((target / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(4 * tensor.numel() for tensor in weights(toy).values())
    assert same(load_model(target, "cpu"), toy)


def test_traits_tied_weights_and_a_second_conversion_are_kept(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "tied", TOY, names="qwen2", shards=1)
    tensors = load_file(source / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, source / "model.safetensors")
    values = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**values, "tie_word_embeddings": True}))
    first = convert(source, tmp_path / "first", "float32")
    second = load_model(convert(first, tmp_path / "second", "float32"), "cpu")
    original = load_model(source, "cpu")
    assert same(second, original)
    assert second.traits == original.traits
    assert second.rule == original.rule


def test_how_it_samples_is_written_out(toy_folder: Path, tmp_path: Path) -> None:
    """transformers has defaults of its own (greedy, 50 tokens) for whatever a folder does not say."""
    values = json.loads((convert(toy_folder, tmp_path / "x") / "generation_config.json").read_text())
    assert values == {"do_sample": True, "temperature": 0.3, "top_k": 3, "top_p": 1.0}


def test_a_source_that_does_not_say_how_it_samples(toy_folder: Path, tmp_path: Path) -> None:
    source = shutil.copytree(toy_folder, tmp_path / "source")
    (source / "generation_config.json").unlink()
    with pytest.warns(CheckpointWarning, match=r"has no generation_config\.json"):
        target = convert(source, tmp_path / "x")
    assert load_model(target, "cpu").notes == ()


def test_progress_counts_every_byte(toy_folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert(toy_folder, tmp_path / "x", progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


class TestRefusals:
    def refused(self, *given: Any) -> str:
        with pytest.raises(AiWidgetsError) as caught:
            convert(*given)
        return str(caught.value)

    def test_a_target_in_use(self, toy_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("mine")
        assert "not an empty folder" in self.refused(toy_folder, tmp_path)
        assert "not an empty folder" in self.refused(toy_folder, tmp_path / "mine.txt")
        assert (tmp_path / "mine.txt").read_text() == "mine"

    def test_an_unknown_dtype(self, toy_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(SettingError, match="bfloat16"):
            convert(toy_folder, tmp_path / "x", "int8")

    def test_a_full_disk(self, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = shutil.disk_usage(tmp_path)._replace(free=10)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        assert "choose a folder on another disk" in self.refused(toy_folder, tmp_path / "x")
        assert not (tmp_path / "x").exists()

    def test_a_disk_that_fills_up_meanwhile(
        self, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> Any:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(convert_module, "write_shard", full)
        assert "No space left on device" in self.refused(toy_folder, tmp_path / "x")
        assert list(tmp_path.iterdir()) == []

    def test_a_damaged_source_leaves_nothing_behind(self, toy_folder: Path, tmp_path: Path) -> None:
        source = shutil.copytree(toy_folder, tmp_path / "source")
        tensors = load_file(source / "model-00001-of-00002.safetensors")
        name = next(iter(tensors))
        tensors[name].view(-1)[0] = torch.nan
        save_file(tensors, source / "model-00001-of-00002.safetensors")
        with pytest.raises(CheckpointError, match=r"damaged: .* contains nan"):
            convert(source, tmp_path / "x")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_command_line(toy_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out"
    assert main(["convert", str(toy_folder), str(target), "--dtype", "float16"]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    assert same(load_model(target, "cpu", "float16"), load_model(toy_folder, "cpu", "float16"))
    assert main(["convert", str(toy_folder), str(target)]) == 2
    assert "not an empty folder" in capsys.readouterr().err
