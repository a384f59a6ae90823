"""Several processes train one network, and a training that goes wrong says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ai_widgets import load_model
from ai_widgets.training import acoustics, command, compose_streams, pool, trainer
from ai_widgets.training.compose_streams import Composer
from ai_widgets.training.labels import ChunkLabels
from ai_widgets.training.peers import STEPS, Peers
from tests.test_training import arguments, clips, trained  # noqa: F401 - fixtures


def test_weights_and_times_become_the_means_of_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = torch.tensor([1.0, 2.0, 30.0, 8.0])
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *_, **__: None)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda tensor: tensor.add_(sums))
    weight, bias = torch.tensor([[3.0, 4.0]]), torch.tensor([10.0])
    assert Peers(1, 2, tmp_path / "peers").average([weight, bias], used_s=2.0) == 5.0
    assert (weight.tolist(), bias.tolist()) == ([[2.0, 3.0]], [20.0])


def test_two_processes_train_one_checkpoint(trained: Path, tmp_path: Path) -> None:  # noqa: F811
    for part in ("clips", "pool"):
        (tmp_path / part).symlink_to(trained / part)
    (tmp_path / "recipe.json").write_bytes((trained / "recipe.json").read_bytes())
    assert command.main([*arguments(tmp_path, 0.02), "--processes", "2"]) == 0
    record = json.loads((tmp_path / "checkpoint" / "training.json").read_text(encoding="utf-8"))
    assert record["steps"] > 0
    assert record["steps"] % STEPS == 0  # a training ends where the processes meet
    assert load_model(tmp_path / "checkpoint").session(greedy=True).push(np.zeros(6400, np.float32), rate=16000)


def test_the_number_of_processes_is_bounded(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    assert command.main([*arguments(trained, 0.02), "--processes", "65"]) == 2
    assert "--processes must be from 1 to 64, not 65" in capsys.readouterr().err


def test_a_piece_that_is_nearly_silent_has_features(monkeypatch: pytest.MonkeyPatch) -> None:
    composer = Composer([])
    monkeypatch.setattr(compose_streams, "QUIET_SHARE", 1.0)
    monkeypatch.setattr(composer.events.beds, "draw", lambda _rng, count: np.full(count, 1e-42, np.float32))
    monkeypatch.setattr(acoustics, "colour", lambda audio, _rng: audio)
    rng = np.random.default_rng(0)
    for _ in range(30):
        audio, _ = composer.timeline(rng, 1.0)
        assert np.isfinite(audio).all()


@pytest.mark.parametrize("peak", [1e-5, 0.2, 3.0])
def test_a_level_is_set_where_there_is_one(peak: float) -> None:
    levelled = acoustics.at_level(np.full(10, peak, np.float32), np.random.default_rng(0), quietest=-20)
    assert 0.099 < levelled.max() < 0.9  # -20 … -1 dB


@pytest.mark.parametrize("peak", [0.0, 1e-42, 1e-7])
def test_a_piece_without_a_level_is_left_as_it_is(peak: float) -> None:
    piece = np.full(10, peak, np.float32)
    np.testing.assert_array_equal(acoustics.at_level(piece, np.random.default_rng(0), quietest=-20), piece)


def test_features_that_are_no_numbers_enter_no_shard(tmp_path: Path) -> None:
    labels = ChunkLabels(np.zeros(1, np.uint8), np.zeros((1, 10), np.uint8), np.zeros((1, 10), np.uint8))
    stream = compose_streams.Stream(np.full((1, 128, 40), np.nan, np.float32), labels, [], np.zeros(6400, np.float32))
    with pytest.raises(ValueError, match="not finite"):
        pool.write_shard([stream], tmp_path, 0)
    assert not (tmp_path / "shard-0000").exists()


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence(
    trained: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for part in ("clips", "pool"):
        (tmp_path / part).symlink_to(trained / part)
    (tmp_path / "recipe.json").write_bytes((trained / "recipe.json").read_bytes())
    real = trainer.loss
    steps = []

    def lost(*given: object) -> tuple[torch.Tensor, dict[str, float]]:
        total, report = real(*given)  # type: ignore[arg-type]
        steps.append(report)
        return total, {**report, "loss": float("nan") if len(steps) > 2 else report["loss"]}

    monkeypatch.setattr(trainer, "loss", lost)
    assert command.main(arguments(tmp_path, 1.0)) == 2
    assert "The loss is not a number at step 2" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint").exists()
