"""Whatever the files of a checkpoint folder are, loading ends in a model or in one of the package's own errors."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from ai_widgets.errors import AiWidgetsError, CheckpointError, NotEnoughMemoryError, SettingError
from ai_widgets.inference import load_model
from ai_widgets.model import checkpoint, weights
from ai_widgets.model.machine import Hardware, Machine
from tests.reference_checkpoint import TOWER_FILES, TOY, write_checkpoint

SHARD = "model-00001-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(toy_folder: Path, tmp_path: Path) -> Path:
    """A copy of the toy that a test may damage."""
    return Path(shutil.copytree(toy_folder, tmp_path / "copy"))


def refused(folder: Path | str, kind: type[AiWidgetsError] = CheckpointError, **options: Any) -> str:
    """The sentence with which a folder is refused."""
    with pytest.raises(kind) as caught:
        load_model(folder, "cpu", **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


class TestShards:
    def test_corrupt_shard(self, folder: Path) -> None:
        """Bytes that are no numbers any more: found while reading, before any answer is made of them."""
        content = bytearray((folder / SHARD).read_bytes())
        content[-64:] = b"\xff" * 64
        (folder / SHARD).write_bytes(content)
        message = refused(folder)
        assert SHARD in message
        assert "damaged" in message

    def test_corrupt_header(self, folder: Path) -> None:
        content = bytearray((folder / SHARD).read_bytes())
        content[8:40] = b"\0" * 32
        (folder / SHARD).write_bytes(content)
        assert SHARD in refused(folder)

    def test_truncated_shard(self, folder: Path) -> None:
        content = (folder / SHARD).read_bytes()
        (folder / SHARD).write_bytes(content[:-1])
        assert SHARD in refused(folder)

    def test_nothing_is_read_when_the_last_shard_is_missing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "model-00002-of-00002.safetensors").unlink()
        monkeypatch.setattr(weights, "Shard", lambda path: pytest.fail(f"{path} was opened"))
        assert "lacks model-00002-of-00002.safetensors" in refused(folder)

    def test_wrong_shapes_are_known_before_anything_is_read(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tensors = load_file(folder / SHARD)
        save_file({**tensors, "lm_head.weight": torch.zeros(287, 64)}, folder / SHARD)
        monkeypatch.setattr(checkpoint, "fill", lambda *_: pytest.fail("weights were read"))
        assert "lm_head.weight (287, 64) instead of (288, 64)" in refused(folder)

    @pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.float8_e4m3fn], ids=str)
    def test_wrong_dtype(self, folder: Path, dtype: torch.dtype) -> None:
        tensors = load_file(folder / SHARD)
        save_file({**tensors, "lm_head.weight": torch.zeros(288, 64).to(dtype)}, folder / SHARD)
        message = refused(folder)
        assert "none of F64, F32, F16, BF16: lm_head.weight" in message

    def test_too_large_for_the_format(self, folder: Path) -> None:
        tensors = load_file(folder / SHARD)
        tensors["lm_head.weight"][5, 5] = 1e6
        save_file(tensors, folder / SHARD)
        load_model(folder, "cpu", "bfloat16")
        assert "lm_head.weight contains 1e+06, which float16 cannot represent" in refused(folder, dtype="float16")


class TestIndex:
    @pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
    def test_truncated_index(self, folder: Path, share: float) -> None:
        content = (folder / INDEX).read_bytes()
        (folder / INDEX).write_bytes(content[: int(len(content) * share)])
        assert INDEX in refused(folder)

    def test_incomplete_index(self, folder: Path) -> None:
        values = json.loads((folder / INDEX).read_text())
        del values["weight_map"]["transformer.ln_f.weight"]
        (folder / INDEX).write_text(json.dumps(values))
        assert "missing: model.norm.weight" in refused(folder)

    @pytest.mark.parametrize("shard", ["..", ".", "", "a\0b", "../x", "/etc/hostname", 3, None, ["x"]])
    def test_an_index_that_names_no_file_of_the_folder(self, folder: Path, shard: Any) -> None:
        values = json.loads((folder / INDEX).read_text())
        values["weight_map"]["lm_head.weight"] = shard
        (folder / INDEX).write_text(json.dumps(values))
        assert INDEX in refused(folder)


class TestSizes:
    """Numbers that would take the machine, or that no model can have."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("n_layer", 10**9),
            ("n_layer", 0),
            ("n_layer", -1),
            ("n_embd", 10**12),
            ("n_head", 0),
            ("n_head", 3),
            ("head_size", 15),
            ("padded_vocab_size", 10**10),
            ("block_size", 0),
            ("rope_base", float("inf")),
            ("rope_base", -1),
            ("norm_eps", float("nan")),
            ("intermediate_size", "x"),
            ("intermediate_size", None),
        ],
    )
    def test_model_config(self, folder: Path, name: str, value: Any) -> None:
        import yaml

        path = folder / "model_config.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), name: value}))
        assert "model_config.yaml" in refused(folder)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("encoder_layers", 10**9),
            ("d_model", 10**12),
            ("d_model", 33),
            ("encoder_attention_heads", 0),
            ("encoder_attention_heads", 5),
            ("max_source_positions", 3),
            ("num_mel_bins", 80),
            ("activation_function", "no such function"),
            ("d_model", None),
            ("output_dim", "x"),
        ],
    )
    def test_tower_config(self, folder: Path, name: str, value: Any) -> None:
        path = folder / "qwen25OmniConfig" / "config.json"
        values = json.loads(path.read_text())
        values["thinker_config"]["audio_config"][name] = value
        path.write_text(json.dumps(values))
        refused(folder)

    def test_nesting_without_end(self, folder: Path) -> None:
        for name in ("generation_config.json", "audio_interaction.json", INDEX):
            original = (folder / name).read_bytes()
            (folder / name).write_bytes(b'{"a":' * 100_000)
            assert name in refused(folder)
            (folder / name).write_bytes(original)
        (folder / "model_config.yaml").write_bytes(b"[" * 20_000)
        assert "model_config.yaml" in refused(folder)


class TestMemory:
    def test_not_enough_is_known_before_loading(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small = Machine(Hardware("cpu", "x", 100_000, 200_000, False))
        monkeypatch.setattr("ai_widgets.model.placement.look", lambda: small)
        monkeypatch.setattr(checkpoint, "fill", lambda *_: pytest.fail("weights were read"))
        message = refused(folder, NotEnoughMemoryError)
        assert "0.1 MB are free of 0.2 MB" in message
        assert "as float32" in message

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError(),
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 1 bytes"),
            torch.OutOfMemoryError("CUDA out of memory"),
        ],
        ids=["MemoryError", "allocator", "CUDA"],
    )
    def test_out_of_memory_while_loading(self, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def full(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(weights.Dense, "put", full)
        assert "ran out of memory" in refused(folder, NotEnoughMemoryError)


class TestProgress:
    def test_every_byte_is_counted_once(self, folder: Path) -> None:
        told: list[tuple[int, int]] = []
        load_model(folder, "cpu", progress=lambda done, total: told.append((done, total)))
        totals = {total for _, total in told}
        assert len(totals) == 1
        assert told[-1] == (totals.pop(),) * 2
        assert all(first[0] <= second[0] for first, second in pairwise(told))

    def test_what_it_raises_ends_the_loading(self, folder: Path) -> None:
        class EnoughError(Exception):
            pass

        def stop(done: int, total: int) -> None:
            if done > total / 2:
                raise EnoughError

        with pytest.raises(EnoughError):
            load_model(folder, "cpu", progress=stop)

    def test_a_large_model_shows_a_bar_and_says_where_it_goes(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(checkpoint, "PROGRESS_FROM", 1)
        load_model(folder, "cpu")
        shown = capsys.readouterr().err
        assert f"{folder} on cpu · float32" in shown
        assert "100%" in shown
        load_model(folder, "cpu", progress=False)
        assert capsys.readouterr().err == ""


class TestNames:
    def test_missing_tokenizer(self, folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        assert "lacks tokenizer.json" in refused(folder)

    def test_a_folder_where_a_file_should_be(self, folder: Path) -> None:
        for name in ("tokenizer.json", "generation_config.json", "model_config.yaml", TOWER_FILES[0], SHARD):
            original = (folder / name).read_bytes()
            (folder / name).unlink()
            (folder / name).mkdir()
            refused(folder)
            (folder / name).rmdir()
            (folder / name).write_bytes(original)

    def test_a_hub_id_that_does_not_exist_offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        message = refused("nobody/nothing-of-that-name")
        assert "HF_HUB_OFFLINE" in message
        assert "the local cache does not contain 'nobody/nothing-of-that-name'" in message

    def test_quantize_without_torchao(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "torchao", None)
        assert "ai_widgets[quant]" in refused(folder, SettingError, quantize="int8")


@pytest.fixture(scope="module")
def victims(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders that hypothesis damages and that are mended after each example: as published, and converted."""
    from ai_widgets.model.convert import convert

    root = tmp_path_factory.mktemp("victims")
    published = write_checkpoint(root / "published", TOY, tower_files=TOWER_FILES[:1])
    return published, convert(toy_folder, root / "converted", "float32")


@pytest.mark.parametrize("layout", [0, 1], ids=["published", "converted"])
@given(
    place=st.floats(0, 1, exclude_max=True),
    cut=st.one_of(st.none(), st.floats(0, 1, exclude_max=True)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
    head=st.booleans(),
)
@example(place=0.0, cut=0.0, flips=[], head=False)
def test_random_damage(
    victims: tuple[Path, Path],
    layout: int,
    place: float,
    cut: float | None,
    flips: list[tuple[float, int]],
    head: bool,
) -> None:
    """Bytes flipped or a file cut short, anywhere: a model, or one of our errors.

    Parameters
    ----------
    head
        Flips fall into the first 2 kB, where headers and configurations are.
    """
    files = sorted(path for path in victims[layout].rglob("*") if path.is_file())
    path = files[int(place * len(files))]
    original = path.read_bytes()
    content = bytearray(original if cut is None else original[: int(cut * len(original))])
    span = min(len(content), 2048) if head else len(content)
    for where, bits in flips:
        if span:
            content[int(where * span)] ^= bits
    path.write_bytes(content)
    said = ""
    try:
        load_model(victims[layout], "cpu", progress=False)
    except AiWidgetsError as error:
        said = str(error)
    finally:
        path.write_bytes(original)
    assert "\n" not in said
