"""Device and number format are chosen by what the hardware really does well and has memory for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from ai_widgets.errors import AiWidgetsError, NotEnoughMemoryError, SettingError
from ai_widgets.model.machine import Hardware, Machine, host_memory, look, memory_named
from ai_widgets.model.placement import SMALL, Need, Placement, choose, threads_for

GB = 1_000_000_000
PUBLISHED = Need(matrices=3_085_000_000, rows=1_300_000, head=311_164_928, others=950_000_000, cache_width=36_864)
"""About what the published release needs: 8.1 GB in sixteen bits."""
TOY = Need(matrices=200_000, rows=2_000, head=20_000, others=100_000, cache_width=128)


def cpu(free: float | None = 64, bfloat16: bool = False) -> Hardware:
    size = None if free is None else int(free * GB)
    return Hardware("cpu", "processor", size, size, bfloat16)


def cuda(name: str, capability: tuple[int, int], total: float, index: int = 0, free: float | None = None) -> Hardware:
    left = total - 0.3 if free is None else free
    return Hardware("cuda", name, int(left * GB), int(total * GB), capability[0] >= 8, index, capability)


T4, L4 = cuda("Tesla T4", (7, 5), 15.6), cuda("NVIDIA L4", (8, 9), 23.6)
A100, LAPTOP = cuda("NVIDIA A100", (8, 0), 42.3), cuda("GTX 1650", (7, 5), 4.1)
M2 = Hardware("mps", "Apple GPU", int(11.4 * GB), int(11.4 * GB), False)
PLAIN, AMX = Machine(cpu()), Machine(cpu(bfloat16=True))
COLAB = Machine(cpu(11.8), (T4,))


@pytest.mark.parametrize(
    ("machine", "device", "dtype"),
    [
        (COLAB, "cuda:0", torch.float16),
        (Machine(cpu(), (L4,)), "cuda:0", torch.bfloat16),
        (Machine(cpu(), (A100,)), "cuda:0", torch.bfloat16),
        (Machine(cpu(16), mps=M2), "mps", torch.float16),
        (PLAIN, "cpu", torch.float32),
        (AMX, "cpu", torch.bfloat16),
        (Machine(cpu(12)), "cpu", torch.bfloat16),
    ],
    ids=["T4", "L4", "A100", "Apple", "CPU", "CPU with bfloat16", "CPU of 12 GB"],
)
def test_the_published_checkpoint_on(machine: Machine, device: str, dtype: torch.dtype) -> None:
    chosen = choose(need=PUBLISHED, machine=machine)
    assert (str(chosen.device), chosen.dtype, chosen.quantize) == (device, dtype, None)
    assert "\n" not in chosen.line
    assert chosen.line.startswith(str(chosen))


def test_the_line_says_why() -> None:
    assert "Tesla T4 emulates bfloat16: compute capability 7.5" in choose(need=PUBLISHED, machine=COLAB).line
    assert "bfloat16 in hardware" in choose(need=PUBLISHED, machine=AMX).line
    assert "float32 does not fit into 12.0 GB" in choose(need=PUBLISHED, machine=Machine(cpu(12))).line
    assert choose("cpu", "float32", machine=PLAIN).line == "cpu · float32"


@pytest.mark.parametrize("capability", [(6, 1), (7, 0), (7, 5), (8, 0), (8, 6), (9, 0), (12, 0)])
def test_cuda_below_compute_capability_8_gets_float16(capability: tuple[int, int]) -> None:
    machine = Machine(cpu(), (cuda("a GPU", capability, 16),))
    expected = torch.bfloat16 if capability[0] >= 8 else torch.float16
    for device in ("auto", "cuda:0"):
        assert choose(device, machine=machine).dtype == expected


def test_small_models_stay_float32_on_the_cpu() -> None:
    assert choose(need=TOY, machine=AMX).dtype == torch.float32


def test_apple_never_gets_bfloat16() -> None:
    machine = Machine(cpu(), mps=M2)
    assert choose("mps", "float32", machine=machine).dtype == torch.float32
    with pytest.raises(SettingError, match="bfloat16 is not supported on mps"):
        choose("mps", "bfloat16", machine=machine)


@pytest.mark.parametrize("dtype", ["bfloat16", "torch.bfloat16", torch.bfloat16])
def test_bfloat16_on_the_cpu_on_request(dtype: Any) -> None:
    assert choose("cpu", dtype, machine=PLAIN).dtype == torch.bfloat16


def test_cuda_comes_before_apple_and_the_emptiest_first() -> None:
    busy, idle = cuda("first", (8, 0), 24, 0, free=3), cuda("second", (8, 0), 24, 1, free=20)
    assert str(choose(machine=Machine(cpu(), (busy, idle), M2)).device) == "cuda:1"


class TestMemory:
    """What does not fit is refused before anything is read, with numbers and with what would fit."""

    def test_auto_passes_over_a_gpu_that_is_too_small(self) -> None:
        chosen = choose(need=PUBLISHED, machine=Machine(cpu(64, bfloat16=True), (LAPTOP,)))
        assert chosen.device.type == "cpu"
        assert "cuda:0 has 3.8 GB free of the" in chosen.why

    def test_a_named_gpu_that_is_too_small(self) -> None:
        with pytest.raises(NotEnoughMemoryError) as caught:
            choose("cuda:0", need=PUBLISHED, machine=Machine(cpu(64), (LAPTOP,)))
        message = str(caught.value)
        assert "9.1 GB on cuda:0 as float16 (weights 8.1 GB" in message
        assert "3.8 GB are free of 4.1 GB" in message
        assert "device='cpu', dtype='bfloat16'" in message

    def test_what_would_fit_is_named_with_its_size(self) -> None:
        with pytest.raises(NotEnoughMemoryError) as caught:
            choose("cuda:0", "float32", need=PUBLISHED, machine=COLAB)
        assert "device='cuda:0', dtype='float16' (9.1 GB of 15.3 GB)" in str(caught.value)
        with pytest.raises(NotEnoughMemoryError) as caught:
            choose("cpu", need=PUBLISHED, machine=Machine(cpu(7)))
        assert "device='cpu', dtype='bfloat16', quantize='int8' (5." in str(caught.value)

    def test_where_nothing_fits(self) -> None:
        with pytest.raises(NotEnoughMemoryError, match="No smaller number format fits either"):
            choose(need=PUBLISHED, machine=Machine(cpu(2)))

    def test_what_is_named_does_fit(self) -> None:
        for free in (3.0, 4.2, 6.0, 8.5, 12.0):
            machine = Machine(cpu(free), (cuda("a GPU", (8, 6), free + 0.3),))
            with pytest.raises(NotEnoughMemoryError) as caught:
                choose("cpu", "float32", need=PUBLISHED, machine=machine)
            for way in str(caught.value).partition("What would fit: ")[2].split("; "):
                if not way:
                    continue
                words = dict(part.split("=") for part in way.partition(" (")[0].split(", "))
                given = {name: value.strip("'") for name, value in words.items()}
                choose(need=PUBLISHED, machine=machine, **given)

    def test_unknown_memory_is_no_obstacle(self) -> None:
        assert choose(need=PUBLISHED, machine=Machine(cpu(None))).device.type == "cpu"

    def test_int8_halves_and_int4_quarters_the_matrices(self) -> None:
        half, int8, int4 = (PUBLISHED.weights(torch.bfloat16, way) for way in (None, "int8", "int4"))
        assert half == 2 * PUBLISHED.parameters
        assert half - int8 == pytest.approx(PUBLISHED.matrices, rel=0.01)
        assert half - int4 == pytest.approx(1.5 * (PUBLISHED.matrices - PUBLISHED.head), rel=0.05)

    def test_a_containers_limit_counts(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {"max": "4000000000", "current": "3000000000", "stat": "anon 5\ninactive_file 500000000\n"}
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        paths = tuple(str(tmp_path / name) for name in files)
        monkeypatch.setattr("ai_widgets.model.machine.CGROUPS", ((*paths, "inactive_file"),))
        assert host_memory() == (1_500_000_000, 4_000_000_000)
        (tmp_path / "max").write_text("max")
        assert host_memory()[1] != 4_000_000_000

    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
            RuntimeError("MPS backend out of memory"),
            MemoryError(),
        ],
        ids=str,
    )
    def test_running_out_has_one_error(self, error: Exception) -> None:
        with (
            pytest.raises(NotEnoughMemoryError, match="Loading x on cpu ran out of memory"),
            memory_named("Loading x on cpu"),
        ):
            raise error
        assert issubclass(NotEnoughMemoryError, (AiWidgetsError, MemoryError))

    def test_other_errors_pass(self) -> None:
        with pytest.raises(RuntimeError, match="a bug"), memory_named("Loading"):
            raise RuntimeError("a bug")


class TestQuantize:
    def test_it_is_part_of_the_placement(self) -> None:
        assert str(choose("cpu", "bfloat16", "int8", machine=PLAIN)) == "cpu · bfloat16 · int8"

    @pytest.mark.parametrize("quantize", ["int3", "", True, 8, "INT8"])
    def test_unknown(self, quantize: Any) -> None:
        with pytest.raises(SettingError, match="use int8 or int4"):
            choose(quantize=quantize, machine=PLAIN)

    def test_int4_needs_bfloat16_on_cuda_and_is_not_on_mps(self) -> None:
        assert choose(quantize="int4", machine=Machine(cpu(), (L4,))).quantize == "int4"
        for machine in (COLAB, Machine(cpu(), mps=M2)):
            with pytest.raises(SettingError, match="int4"):
                choose(quantize="int4", machine=machine)
        with pytest.raises(SettingError, match="needs bfloat16"):
            choose("cuda:0", "float16", "int4", machine=Machine(cpu(), (L4,)))


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
def test_a_device_that_is_not_there(device: Any, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        choose(device, machine=PLAIN)


def test_a_cuda_index_too_high() -> None:
    machine = Machine(cpu(), (A100, replace(A100, index=1)))
    assert choose("cuda:1", machine=machine).device == torch.device("cuda:1")
    with pytest.raises(SettingError, match="torch sees 2 CUDA devices"):
        choose("cuda:2", machine=machine)


@pytest.mark.parametrize("dtype", ["float8", "", "int8", torch.float64, torch.int8, None, 16])
def test_an_unknown_dtype(dtype: Any) -> None:
    with pytest.raises(SettingError, match=r"dtype .* (unknown|not supported)"):
        choose("cpu", dtype, machine=PLAIN)


def test_a_cuda_machine_is_asked_for_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "get_device_capability": lambda _=None: (7, 5),
        "mem_get_info": lambda _=None: (15 * GB, 16 * GB),
        "get_device_name": lambda _=None: "Tesla T4",
        "current_device": lambda: 0,
        # A T4 says yes here, and is slow: it must not be asked.
        "is_bf16_supported": lambda *_: True,
    }
    for name, answer in facts.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    assert look().cuda == (Hardware("cuda", "Tesla T4", 15 * GB, 16 * GB, False, 0, (7, 5)),)
    assert choose("cuda").dtype == torch.float16


def test_an_apple_machine_is_asked_for_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * GB)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 1 * GB)
    monkeypatch.setattr("ai_widgets.model.machine.host_memory", lambda: (5 * GB, 16 * GB))
    found = look().mps
    assert found is not None
    assert (found.free, found.total, found.bfloat16) == (5 * GB, 12 * GB, False)


def test_this_machine() -> None:
    found = look().cpu
    assert found.free is not None
    assert found.total is not None
    assert 0 < found.free <= found.total
    assert choose("cpu") == Placement(torch.device("cpu"), torch.float32)


def test_small_models_on_the_cpu_use_one_thread() -> None:
    assert threads_for(SMALL - 1, torch.device("cpu")) == 1
    assert threads_for(SMALL, torch.device("cpu")) is None
    assert threads_for(10, torch.device("cuda")) is None
