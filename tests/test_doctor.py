"""`ai-widgets doctor`: right about set-ups that are broken in one place each, and about one that is well."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants

from ai_widgets.cli.doctor import jupyter
from ai_widgets.cli.doctor.command import examine, report
from ai_widgets.cli.doctor.finding import Asked, Finding, Surroundings, installed_version, requirements
from ai_widgets.cli.doctor.jupyter import secure
from ai_widgets.cli.main import main
from ai_widgets.model.machine import Hardware, Machine
from ai_widgets.widget.front_end import STATIC

HUB_ID = "owner/a-model-that-no-cache-has"
WELL = {"jupyterlab": "4.5.0", "ipykernel": "7.1.0", "jupyter_server": "2.20.0", "torchao": "0.18.0"}
"""What a well-kept environment has beside the declared dependencies."""


def machine(free: int = 16_000_000_000) -> Machine:
    return Machine(Hardware("cpu", "a processor", free, 32_000_000_000, True))


@pytest.fixture
def well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """A set-up in which nothing is wrong: files of the bundle, a writable cache, a hub that answers.

    Nothing of it depends on the memory or the disk of the machine that runs the tests."""
    for name in ("widget.js", "page_widget.js", "widget.css", "answer.js", "answer.css"):
        (tmp_path / name).write_text("built", encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # Any address answers so: without a network the doctor is asked of another machine's.
    monkeypatch.setattr("urllib.request.urlopen", Answer)
    monkeypatch.setattr(jupyter, "enabled", bool)
    return Surroundings(
        static=tmp_path,
        environment={},
        version=lambda package: WELL.get(package, installed_version(package)),
        machine=machine,
        free_disk=lambda _: 100_000_000_000,
        nvidia=lambda: False,
        servers=list,
    )


@dataclass
class Answer:
    """What the hub says: nothing but that it is there."""

    request: Any
    timeout: float
    left: list[object] = field(default_factory=list)

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *given: object) -> None:
        self.left.extend(given)


def named(found: list[Finding], name: str) -> Finding:
    (one,) = [each for each in found if each.name == name]
    return one


def troubles(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.level, each.name) for each in found if each.level != "ok"]


def absent(*gone: str) -> Callable[[str], str | None]:
    return lambda package: None if package in gone else WELL.get(package, installed_version(package))


def test_nothing_is_wrong_where_all_is_well(well: Surroundings) -> None:
    found = examine(well)
    assert troubles(found) == []
    assert {"python", "libraries", "bundle", "torch", "cpu", "model", "cache", "hub", "subshells", "extension"} <= {
        each.name for each in found
    }
    assert report(found).endswith("Everything is well.")


class TestABrokenSetUp:
    """Each is found in its own line, and nothing else is blamed."""

    def test_the_front_end_is_not_built(self, well: Surroundings) -> None:
        (well.static / "widget.js").unlink()
        found = examine(well)
        assert troubles(found) == [("fault", "bundle")]
        assert "widget.js" in named(found, "bundle").found
        assert "make setup" in named(found, "bundle").advice

    def test_the_front_end_is_an_empty_file(self, well: Surroundings) -> None:
        (well.static / "widget.css").write_text("", encoding="utf-8")
        assert troubles(examine(well)) == [("fault", "bundle")]

    def test_anywidget_is_too_old(self, well: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        old = tmp_path / "site" / "anywidget-0.8.1.dist-info"
        old.mkdir(parents=True)
        (old / "METADATA").write_text("Metadata-Version: 2.1\nName: anywidget\nVersion: 0.8.1\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(old.parent))
        found = examine(well)
        assert troubles(found) == [("fault", "anywidget")]
        assert "0.8.1 is installed; anywidget>=" in named(found, "anywidget").found
        assert "pip install --upgrade 'anywidget>=" in named(found, "anywidget").advice

    def test_a_library_is_missing(self, well: Surroundings) -> None:
        found = examine(replace(well, version=absent("soxr")))
        assert troubles(found) == [("fault", "soxr")]
        assert "not installed" in named(found, "soxr").found

    def test_a_library_cannot_be_imported(self, well: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        found = examine(well)
        assert troubles(found) == [("fault", "av")]
        assert "pip install --force-reinstall av" in named(found, "av").advice

    def test_torch_cannot_be_imported(self, well: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        found = examine(well)
        assert troubles(found) == [("fault", "torch")]
        assert "pytorch.org" in named(found, "torch").advice

    def test_cuda_is_asked_for_without_a_gpu(self, well: Surroundings) -> None:
        found = examine(replace(well, asked=Asked(device="cuda")))
        assert troubles(found) == [("fault", "model")]
        assert "torch sees no CUDA device" in named(found, "model").found

    @pytest.mark.parametrize(("device", "level"), [("auto", "note"), ("cuda", "fault")])
    def test_torch_has_no_cuda_beside_an_nvidia_driver(
        self, well: Surroundings, monkeypatch: pytest.MonkeyPatch, device: str, level: str
    ) -> None:
        monkeypatch.setattr(torch.version, "cuda", None)
        found = examine(replace(well, asked=Asked(device=device), nvidia=lambda: True))
        assert named(found, "torch").level == level
        assert "built without CUDA" in named(found, "torch").found

    def test_the_memory_is_too_small_for_the_embedded_checkpoint(self, well: Surroundings) -> None:
        found = examine(replace(well, machine=lambda: machine(free=1_000_000)))
        assert troubles(found) == [("fault", "memory")]
        assert "1.0 MB are free" in named(found, "memory").found

    def test_the_memory_is_too_small_for_the_published_one(self, well: Surroundings) -> None:
        asked = Asked(checkpoint=HUB_ID)
        found = examine(replace(well, asked=asked, machine=lambda: machine(free=4_000_000_000)))
        assert troubles(found) == [("fault", "memory")]
        assert "int4" in named(found, "memory").advice

    @pytest.mark.parametrize(("free", "expected"), [(13_999_999_999, [("fault", "cache")]), (14_000_000_000, [])])
    def test_the_disk_is_too_small_for_the_published_one(
        self, well: Surroundings, free: int, expected: list[tuple[str, str]]
    ) -> None:
        found = examine(replace(well, asked=Asked(checkpoint=HUB_ID), free_disk=lambda _: free))
        assert troubles(found) == expected
        assert "14 GB free" in named(found, "cache").found
        assert "HF_HOME" in named(found, "cache").advice or not expected

    def test_the_embedded_checkpoint_needs_no_disk(self, well: Surroundings) -> None:
        found = examine(replace(well, free_disk=lambda _: 0))
        assert troubles(found) == []

    @pytest.mark.parametrize(("checkpoint", "level"), [("tiny", "note"), (HUB_ID, "fault")])
    def test_the_hub_is_switched_off(
        self, well: Surroundings, monkeypatch: pytest.MonkeyPatch, checkpoint: str, level: str
    ) -> None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        found = examine(replace(well, asked=Asked(checkpoint=checkpoint)))
        assert troubles(found) == [(level, "hub")]
        assert named(found, "hub").found.startswith("HF_HUB_OFFLINE is set")

    @pytest.mark.parametrize(("checkpoint", "level"), [("tiny", "note"), (HUB_ID, "fault")])
    def test_the_hub_cannot_be_reached(
        self, well: Surroundings, monkeypatch: pytest.MonkeyPatch, checkpoint: str, level: str
    ) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(well.static / "cache"))
        # No program listens at this port of this machine.
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(jupyter, "enabled", bool)
        found = examine(replace(well, asked=Asked(checkpoint=checkpoint)))
        assert troubles(found) == [(level, "hub")]
        assert "http://127.0.0.1:9 cannot be reached" in named(found, "hub").found

    @pytest.mark.parametrize(("checkpoint", "level"), [("tiny", "note"), (HUB_ID, "fault")])
    def test_the_cache_cannot_be_written(
        self, well: Surroundings, monkeypatch: pytest.MonkeyPatch, checkpoint: str, level: str
    ) -> None:
        """A file is where a folder of the cache should be: there even root cannot write."""
        (well.static / "file").write_text("", encoding="utf-8")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(well.static / "file" / "cache"))
        found = examine(replace(well, asked=Asked(checkpoint=checkpoint)))
        assert troubles(found) == [(level, "cache")]
        assert "HF_HOME" in named(found, "cache").advice

    def test_the_folder_is_no_checkpoint(self, well: Surroundings, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        found = examine(replace(well, asked=Asked(checkpoint=str(tmp_path / "empty"))))
        assert troubles(found) == [("fault", "model")]

    def test_quantised_weights_are_asked_for_without_torchao(self, well: Surroundings) -> None:
        found = examine(replace(well, asked=Asked(quantize="int8"), version=absent("torchao")))
        assert troubles(found) == [("fault", "quantize")]
        assert "ai_widgets[quant]" in named(found, "quantize").advice

    def test_jupyterlab_is_missing(self, well: Surroundings) -> None:
        found = examine(replace(well, version=absent("jupyterlab")))
        assert troubles(found) == [("note", "jupyterlab")]
        assert "ai_widgets[lab]" in named(found, "jupyterlab").advice

    def test_the_kernel_has_no_subshells(self, well: Surroundings) -> None:
        def version(package: str) -> str | None:
            return "6.29.5" if package == "ipykernel" else well.version(package)

        found = examine(replace(well, version=version))
        assert troubles(found) == [("note", "subshells")]
        assert "ipykernel 6.29.5" in named(found, "subshells").found

    def test_the_page_is_opened_over_plain_http(self, well: Surroundings) -> None:
        found = examine(replace(well, asked=Asked(url="http://192.168.1.20:8890/lab?token=secret")))
        assert troubles(found) == [("fault", "microphone")]
        assert "ssh -L 8890:localhost:8890" in named(found, "microphone").advice
        assert "secret" not in report(found)

    def test_a_running_server_is_reached_over_plain_http(self, well: Surroundings) -> None:
        found = examine(replace(well, servers=lambda: [{"url": "http://office:8888/"}]))
        assert troubles(found) == [("note", "microphone")]

    @pytest.mark.parametrize("variable", jupyter.HOSTS)
    def test_the_host_limits_the_microphone(self, well: Surroundings, variable: str) -> None:
        assert troubles(examine(replace(well, environment={variable: "1"}))) == [("note", "host")]

    def test_a_check_itself_breaks(self, well: Surroundings) -> None:
        def broken() -> list[str]:
            raise RuntimeError("no metadata")

        found = examine(replace(well, requirements=broken))
        assert troubles(found) == [("fault", "libraries")]
        assert "RuntimeError: no metadata" in named(found, "libraries").found


@pytest.mark.parametrize("state", [True, False, None])
def test_the_server_extension_is_read_from_jupyters_configuration(
    state: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, well: Surroundings
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "")
    # Before all other folders, those of this environment included.
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "config"))
    if state is not None:
        folder = tmp_path / "config" / "jupyter_server_config.d"
        folder.mkdir(parents=True)
        values = {"ServerApp": {"jpserver_extensions": {jupyter.EXTENSION: state}}}
        (folder / "ai_widgets.json").write_text(json.dumps(values), encoding="utf-8")
    (found,) = jupyter.extension(well)
    assert found.level == ("ok" if state else "note")
    assert state or "jupyter server extension enable ai_widgets.server_extension" in found.advice


@pytest.mark.parametrize(
    ("url", "is_secure"),
    [
        ("https://example.org/lab", True),
        ("http://localhost:8888/lab", True),
        ("http://hub.localhost/lab", True),
        ("http://127.0.0.1:8888", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:8888/", True),
        ("http://192.168.0.2:8888", False),
        ("http://0.0.0.0:8888", False),
        ("http://localhost.example.org", False),
        ("http://office:8888", False),
        ("example.org", False),
    ],
)
def test_browsers_give_the_microphone_to_secure_pages(url: str, is_secure: bool) -> None:
    assert secure(url) == is_secure


class TestTheCommand:
    def test_each_trouble_has_advice(self, well: Surroundings) -> None:
        asked = Asked(HUB_ID, "cuda", quantize="int8", url="http://office:8888")
        found = examine(replace(well, asked=asked, version=absent("torchao", "jupyterlab", "ipykernel", "av")))
        assert len(troubles(found)) >= 5
        assert all(each.advice for each in found if each.level != "ok")
        assert all(f"-> {each.advice[:20]}" in report(found) for each in found if each.level != "ok")

    def test_the_exit_code_says_whether_there_is_a_fault(self, capsys: pytest.CaptureFixture[str]) -> None:
        code = main(["doctor", "--device", "cuda", "--json"])
        said = json.loads(capsys.readouterr().out)
        faults = [each for each in said["findings"] if each["level"] == "fault"]
        assert (code, said["ok"]) == ((1, False) if faults else (0, True))
        assert torch.cuda.is_available() or "model" in [each["name"] for each in faults]

    def test_the_bundle_of_this_installation_is_looked_at(self) -> None:
        assert Surroundings().static == STATIC
        assert any(each.startswith("anywidget") for each in requirements())

    @pytest.mark.parametrize("library", ["numpy", "msgspec"])
    def test_it_runs_where_a_library_is_missing(self, library: str) -> None:
        code = (
            f"import sys; sys.modules[{library!r}] = None; from ai_widgets.cli.doctor import installation as i;"
            "from ai_widgets.cli import main; from ai_widgets.cli.doctor.finding import Surroundings;"
            "print([each.name for each in i.native(Surroundings())])"
        )
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert f"'{library}'" in shown.stdout
