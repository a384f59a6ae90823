"""The rehearsal itself, at tiny sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ai_widgets.audio.clips import clips
from ai_widgets.cli.bench import rehearsal_device, rehearsal_embedded
from ai_widgets.cli.bench.batch import wait
from ai_widgets.cli.bench.rehearsal import _apart_from, main, measure, read_cold, rehearse
from ai_widgets.cli.bench.rehearsal_device import rehearse_on
from ai_widgets.cli.bench.rehearsal_files import RELEASE, SHARDS, SMALL, write_release
from ai_widgets.errors import CheckpointError, SettingError
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


class TestOnADevice:
    """The stages with `--device`, here on the CPU, which goes the same way as an accelerator."""

    @pytest.fixture(scope="class")
    def stages(self, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
        folder, lines = tmp_path_factory.mktemp("device"), list[dict[str, Any]]()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rehearsal_embedded, "clips", {name: clips[name] for name in ("digit", "keyword")})
            assert rehearse_on(folder, "cpu", SMALL, ["float32", "bfloat16", "float16"], tell=lines.append)
        assert list(folder.iterdir()) == []
        return {line["stage"]: line for line in lines}

    def test_the_device_is_named(self, stages: dict[str, dict[str, Any]]) -> None:
        assert stages["machine"]["device"] == "cpu"
        assert stages["machine"]["torch"] == torch.__version__

    @pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
    def test_each_format_has_its_times_and_finite_logits(self, stages: dict[str, dict[str, Any]], name: str) -> None:
        figures = stages[name]
        assert figures["placement"] == f"cpu · {name}"
        assert figures["finite"]
        assert all(figures[f"{part}_ms"] > 0 for part in ("features", "tower", "prefill of 13", "token"))

    @pytest.mark.parametrize("name", ["bfloat16", "float16"])
    def test_a_format_is_compared_with_float32(self, stages: dict[str, dict[str, Any]], name: str) -> None:
        away = stages[name]["against float32"]
        assert 0 < away["mean_difference"] < 0.05 * away["spread"]
        assert away["mean_difference"] < away["largest_difference"]
        assert away["same_decision"] > 0.8

    def test_several_sessions_are_measured_in_one_format(self, stages: dict[str, dict[str, Any]]) -> None:
        assert stages["bfloat16"]["together"]["reply token, one session [ms]"] > 0
        assert "together" not in stages["float16"]

    def test_the_embedded_checkpoint_is_compared_with_float32_on_the_cpu(
        self, stages: dict[str, dict[str, Any]]
    ) -> None:
        assert stages["embedded, reference: float32 on the CPU"]["chunks"] > 10
        same = stages["embedded, float32"]
        assert (same["same_decision"], same["largest change"], same["clips with other replies"]) == (1, 0, [])
        assert 0 < stages["embedded, bfloat16"]["largest change"] < 0.1
        assert stages["embedded, float16"]["token_ms"] > 0


class TestAStageWithoutFigures:
    @pytest.fixture(autouse=True)
    def only_formats(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rehearsal_device, "embedded_stages", lambda _: ())

    def test_an_unmet_need_is_a_sentence(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def needs_torchao(*_: object, **__: object) -> None:
            raise SettingError("quantize needs torchao.")

        monkeypatch.setattr(rehearsal_device, "load_model", needs_torchao)
        lines: list[dict[str, Any]] = []
        assert rehearse_on(tmp_path, "cpu", SMALL, ["bfloat16+int8"], tell=lines.append)
        assert lines[-1]["left out"] == "quantize needs torchao."

    def test_a_failure_does_not_end_the_others(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rehearsal_device, "measure_steps", lambda *_: 1 / 0)
        lines: list[dict[str, Any]] = []
        assert not rehearse_on(tmp_path, "cpu", SMALL, ["float32", "float16"], tell=lines.append)
        assert ["ZeroDivisionError" in line["failed"] for line in lines[-2:]] == [True, True]

    def test_no_stage_begins_after_the_given_seconds(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([str(tmp_path), "--device", "cpu", "--small", "--formats", "float32", "--within", "-1"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["stage"] for line in lines] == ["machine", "write", "float32"]
        assert ["had passed" in line.get("left out", "") for line in lines] == [False, True, True]

    def test_compiling_comes_last(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rehearsal_device, "embedded_stages", lambda _: [("embedded", dict)])
        lines: list[dict[str, Any]] = []
        rehearse_on(tmp_path, "cpu", SMALL, ["bfloat16 compiled", "float32"], within=-1, tell=lines.append)
        assert [line["stage"] for line in lines[2:]] == ["float32", "embedded", "bfloat16 compiled"]


@pytest.mark.parametrize("options", [["--formats", "float32"], ["--device", "cpu", "--formats", "bfloat16+int4"]])
def test_a_format_that_cannot_be_measured_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main([str(tmp_path), "--small", *options]) == 2
    assert "cannot be measured here; use one of" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if torch.backends.mps.is_available():
        pytest.skip("this machine has an Apple GPU")
    assert main([str(tmp_path), "--small", "--device", "mps"]) == 2
    assert "no Apple GPU" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_an_accelerator_is_waited_for(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    waited: list[tuple[object, ...]] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waited.append(("cuda", device)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append(("mps", torch.device("mps"))))
    wait(torch.device(kind))
    assert waited == [(kind, torch.device(kind))]
