"""The mean of two checkpoints' weights, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import ai_widgets as aiw
from ai_widgets.errors import CheckpointError, SettingError
from ai_widgets.inference import load_model
from ai_widgets.training.export import SHARD, TOWER
from ai_widgets.training.mean_weights import main, write_mean

TINY = Path(aiw.__file__).parent / "tiny"


@pytest.fixture(scope="module")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with twice the weights of the embedded one."""
    folder = tmp_path_factory.mktemp("doubled")
    shutil.copytree(TINY, folder, dirs_exist_ok=True)
    save_file({name: 2 * one for name, one in load_file(TINY / SHARD).items()}, folder / SHARD, {"format": "pt"})
    torch.save({name: 2 * one for name, one in torch.load(TINY / TOWER, weights_only=True).items()}, folder / TOWER)
    return folder


def test_each_weight_is_the_mean(doubled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(doubled), str(TINY), "--share", "0.25", "--out", str(tmp_path / "mean")]) == 0
    assert f"The checkpoint is in {tmp_path / 'mean'}." in capsys.readouterr().out
    for name, load in ((SHARD, load_file), (TOWER, lambda path: torch.load(path, weights_only=True))):
        before, mean = load(TINY / name), load(tmp_path / "mean" / name)
        assert before.keys() == mean.keys()
        for key, one in before.items():
            torch.testing.assert_close(mean[key], (one.float() * 1.25).half(), rtol=1e-3, atol=1e-7)
            assert mean[key].dtype == one.dtype == torch.float16
    record = json.loads((tmp_path / "mean" / "training.json").read_text("utf-8"))
    assert record["mean"]["share"] == 0.25
    assert record["mean"]["with"] == json.loads((TINY / "training.json").read_text("utf-8"))
    assert load_model(tmp_path / "mean", "cpu").traits == load_model(TINY, "cpu").traits


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_is_between_none_and_all(share: float, doubled: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="between 0 and 1"):
        write_mean(doubled, TINY, share, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_the_checkpoints_are_not_overwritten(doubled: Path) -> None:
    before = (doubled / SHARD).read_bytes()
    with pytest.raises(SettingError, match="name another folder"):
        write_mean(doubled, TINY, 0.5, doubled / ".." / doubled.name)
    assert (doubled / SHARD).read_bytes() == before


def test_another_vocabulary_is_refused(doubled: Path, tmp_path: Path) -> None:
    other = shutil.copytree(doubled, tmp_path / "other")
    (other / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"differ in tokenizer\.json"):
        write_mean(other, TINY, 0.5, tmp_path / "mean")


def test_other_tensors_are_refused(doubled: Path, tmp_path: Path) -> None:
    other = shutil.copytree(doubled, tmp_path / "other")
    weights = load_file(other / SHARD)
    weights.pop("lm_head.weight")
    save_file(weights, other / SHARD, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"differ in lm_head\.weight"):
        write_mean(other, TINY, 0.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_a_folder_that_training_did_not_write_is_refused(doubled: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="name folders that training wrote"):
        write_mean(doubled, tmp_path, 0.5, tmp_path / "mean")


def test_the_command_says_what_is_wrong_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(TINY), str(TINY), "--share", "2", "--out", str(tmp_path / "mean")]) == 2
    assert capsys.readouterr().err.endswith("The share of the first checkpoint must be between 0 and 1, not 2.\n")


@pytest.mark.parametrize("name", [SHARD, TOWER])
def test_damaged_weights_are_refused(name: str, doubled: Path, tmp_path: Path) -> None:
    other = shutil.copytree(doubled, tmp_path / "other")
    (other / name).write_bytes((doubled / name).read_bytes()[:100])
    with pytest.raises(CheckpointError, match=name):
        write_mean(other, TINY, 0.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
