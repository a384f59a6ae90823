"""Device and number format are chosen by what the hardware really does well."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ai_widgets.errors import SettingError
from ai_widgets.model.placement import SMALL, choose, intra_op_threads, threads_for


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to be a machine with CUDA devices of some compute capability, or with an Apple GPU, or with neither."""

    def pretend(capability: tuple[int, int] | None = None, devices: int = 1, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: devices if capability else 0)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _=None: capability)
        # A T4 says yes here, and is slow: it must not be asked.
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [
        ((6, 1), torch.float16),
        ((7, 0), torch.float16),
        ((7, 5), torch.float16),
        ((8, 0), torch.bfloat16),
        ((8, 6), torch.bfloat16),
        ((9, 0), torch.bfloat16),
        ((12, 0), torch.bfloat16),
    ],
)
def test_cuda_below_compute_capability_8_gets_float16(
    machine: Any, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    machine(capability)
    for device in ("auto", "cuda"):
        chosen = choose(device)
        assert (chosen.device.type, chosen.dtype) == ("cuda", dtype)


def test_apple_gets_float16_and_never_bfloat16(machine: Any) -> None:
    machine(mps=True)
    assert (choose().device.type, choose().dtype) == ("mps", torch.float16)
    assert choose("mps", "float32").dtype == torch.float32
    with pytest.raises(SettingError, match="bfloat16 is not supported on mps"):
        choose("mps", "bfloat16")


def test_cpu_gets_float32_and_bfloat16_on_request(machine: Any) -> None:
    machine()
    assert (choose().device.type, choose().dtype) == ("cpu", torch.float32)
    for dtype in ("bfloat16", "torch.bfloat16", torch.bfloat16):
        assert choose("cpu", dtype).dtype == torch.bfloat16


def test_cuda_comes_before_apple(machine: Any) -> None:
    machine((8, 0), mps=True)
    assert choose().device.type == "cuda"


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda", "torch sees no CUDA device"),
        ("cuda:1", "torch sees no CUDA device"),
        ("mps", "no Apple GPU"),
        ("gpu", "unknown"),
        ("", "unknown"),
        ("meta", "not supported"),
        (3.5, "unknown"),
    ],
)
def test_a_device_that_is_not_there(machine: Any, device: Any, words: str) -> None:
    machine()
    with pytest.raises(SettingError, match=words):
        choose(device)


def test_a_cuda_index_too_high(machine: Any) -> None:
    machine((8, 0), devices=2)
    assert choose("cuda:1").device == torch.device("cuda:1")
    with pytest.raises(SettingError, match="torch sees 2 CUDA devices"):
        choose("cuda:2")


@pytest.mark.parametrize("dtype", ["float8", "", "int8", torch.float64, torch.int8, None, 16])
def test_an_unknown_dtype(dtype: Any) -> None:
    with pytest.raises(SettingError, match=r"dtype .* (unknown|not supported)"):
        choose("cpu", dtype)


def test_small_models_on_the_cpu_use_one_thread() -> None:
    assert threads_for(SMALL - 1, torch.device("cpu")) == 1
    assert threads_for(SMALL, torch.device("cpu")) is None
    assert threads_for(10, torch.device("cuda")) is None


def test_threads_are_restored_whatever_happens() -> None:
    before = torch.get_num_threads()

    def work() -> None:
        with intra_op_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise RuntimeError("the model fails")

    with pytest.raises(RuntimeError, match="the model fails"):
        work()
    assert torch.get_num_threads() == before
