"""Git LFS pointers are recognised, and no message passes on advice that weakens safety."""

from __future__ import annotations

import shutil
import traceback
from pathlib import Path
from typing import Any

import pytest

from ai_widgets.errors import CheckpointError
from ai_widgets.inference import load_model
from ai_widgets.model.convert import convert
from tests.reference_checkpoint import TOWER_FILES

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 4966659872\n"


@pytest.fixture
def folder(toy_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_folder, tmp_path / "copy"))


def refused(work: Any, *given: Any) -> tuple[str, str]:
    """The sentence, and all that a traceback shows."""
    with pytest.raises(CheckpointError) as caught:
        work(*given)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message, "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "name",
    [
        "model-00001-of-00002.safetensors",
        "model.safetensors.index.json",
        TOWER_FILES[0],
        "tokenizer.json",
        "config.json",
        "model_config.yaml",
        "generation_config.json",
        "audio_interaction.json",
        "qwen25OmniConfig/config.json",
    ],
)
@pytest.mark.parametrize("work", [load_model, convert], ids=["load", "convert"])
def test_a_git_lfs_pointer_is_named(folder: Path, tmp_path: Path, name: str, work: Any) -> None:
    (folder / name).write_bytes(POINTER)
    message, _ = refused(work, folder, *(["cpu"] if work is load_model else [tmp_path / "out"]))
    assert f"{name} in {folder} is a Git LFS pointer" in message
    assert "5.0 GB" in message
    assert "`git lfs pull`" in message
    assert "hub id" in message


def test_a_clone_without_git_lfs_names_all_of_them(folder: Path) -> None:
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", TOWER_FILES[0]):
        (folder / name).write_bytes(POINTER)
    message, _ = refused(load_model, folder, "cpu")
    assert f"{TOWER_FILES[0]}, model-00001-of-00002.safetensors, model-00002-of-00002.safetensors in" in message
    assert "are Git LFS pointers" in message
    assert "14.9 GB" in message


@pytest.mark.parametrize("content", [POINTER[:43], POINTER.replace(b"size", b"siez")], ids=["cut", "without a size"])
def test_a_pointer_that_is_damaged_itself(folder: Path, content: bytes) -> None:
    (folder / "tokenizer.json").write_bytes(content)
    assert "Git LFS pointer" in refused(load_model, folder, "cpu")[0]


@pytest.mark.parametrize(
    "content",
    [b"", b"v", b"version 3 of nothing", b"PK\x03\x04 and no archive", b"\x80\x02}q\x00.", b"cos\nsystem\n(S'x'\ntR."],
)
def test_torchs_advice_to_trust_a_file_is_not_repeated(folder: Path, content: bytes) -> None:
    """Neither in the sentence nor in the traceback that a notebook shows below it."""
    for name in TOWER_FILES:
        (folder / name).unlink(missing_ok=True)
    (folder / TOWER_FILES[0]).write_bytes(content)
    message, shown = refused(load_model, folder, "cpu")
    assert TOWER_FILES[0] in message
    for advice in ("`weights_only`", "weights_only=False", "set to `False`", "trusted source", "add_safe_globals"):
        assert advice not in message
        assert advice not in shown


def test_code_in_a_pickle_is_named(folder: Path) -> None:
    (folder / TOWER_FILES[0]).write_bytes(b"cos\nsystem\n(S'x'\ntR.")
    message, _ = refused(load_model, folder, "cpu")
    assert "it refers to os.system, which is code" in message
