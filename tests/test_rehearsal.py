"""The rehearsal itself, at tiny sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_widgets.cli.bench.rehearsal import _apart_from, measure, read_cold, rehearse
from ai_widgets.cli.bench.rehearsal_files import RELEASE, SHARDS, SMALL, write_release
from ai_widgets.errors import CheckpointError
from ai_widgets.model.checkpoint import open_parts
from ai_widgets.model.configuration import LanguageModelShape
from ai_widgets.model.skeleton import language_skeleton, need_of, tower_skeleton


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rehearsal") / "release"
    write_release(folder, SMALL)
    return folder


def test_the_files_are_those_of_the_release(release: Path) -> None:
    """docs/protocol.md §5."""
    assert len(list(release.glob("model-*.safetensors"))) == SHARDS
    assert (release / "audiointeraction_ChunkwisedEncoder.pth").exists()
    assert {one.kind for one in open_parts(release).language_tensors} == {"F32"}


def test_the_full_sizes_are_those_of_the_release() -> None:
    """docs/protocol.md §5: 13.6 GB in fp32. Nothing is written here: the skeletons have no memory."""
    c = RELEASE["language"]
    shape = LanguageModelShape(
        c["padded_vocab_size"],
        c["n_embd"],
        c["n_layer"],
        c["n_head"],
        c["n_query_groups"],
        c["head_size"],
        c["intermediate_size"],
        c["block_size"],
        c["rope_base"],
        c["norm_eps"],
        False,
    )
    model = language_skeleton(shape)
    assert 4 * sum(one.numel() for one in model.parameters()) == pytest.approx(13.6e9, rel=0.01)
    tower = tower_skeleton(RELEASE["tower"], 2048, "RELEASE")
    need = need_of(model, tower)
    assert need.parameters - sum(one.numel() for one in model.parameters()) == pytest.approx(637e6, rel=0.01)
    assert need.cache_width == 2 * 36 * 2 * 128


def test_figures(release: Path) -> None:
    assert read_cold(release)["bytes"] > 1e8
    _check_figures(release, "bfloat16")


def test_figures_of_int8(release: Path) -> None:
    pytest.importorskip("torchao", reason="torchao is not installed; make test-quant brings it")
    for how in ("bfloat16", "bfloat16+int8"):
        _check_figures(release, how)
    away = _apart_from(release, "bfloat16+int8")
    assert 0 < away["mean_difference"] < 0.1 * away["spread"]


def _check_figures(release: Path, how: str) -> None:
    figures = measure(release, how)
    assert figures["peak_bytes"] >= figures["libraries_bytes"] > 0
    assert all(figures[f"{part}_ms"] > 0 for part in ("features", "tower", "prefill of 13", "token"))


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="is not empty"):
        rehearse(tmp_path, SMALL, ["bfloat16"])
    assert (tmp_path / "mine.txt").exists()
