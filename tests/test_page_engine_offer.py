"""What the kernel offers to a page that runs the session, and what is refused before and then."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ai_widgets import policies
from ai_widgets.errors import (
    AiWidgetsError,
    ExportError,
    MissingPackageError,
    SessionError,
    SettingError,
)
from ai_widgets.inference import Model
from ai_widgets.model.onnx import export as export_module
from ai_widgets.model.onnx import graphs
from ai_widgets.page import contents
from ai_widgets.page.files import WASM_FILE, built
from ai_widgets.record.record import SessionRecord
from ai_widgets.widget import front_end
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.wire.limits import MAX_RANGE_BYTES
from tests.engine_page import MODEL_FILES, EnginePage, Run, run
from tests.page_engine_widgets import Show, widgets, without_build


@pytest.fixture(scope="module")
def made(toy: Model) -> Run:
    return run(toy)


@pytest.fixture(autouse=True)
def _front_end_and_export(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_build(monkeypatch, tmp_path)


@pytest.fixture
def shown(toy: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    with widgets(toy, monkeypatch) as make:
        yield make


@pytest.fixture
def page(shown: Show) -> EnginePage:
    page = shown()
    page.hello()
    return page


# The engine's files


def test_the_front_end_is_that_of_the_page(page: EnginePage) -> None:
    assert (page.widget._esm, page.widget._css) == ("export default {};", "p {}")


def test_the_kernel_offers_what_the_engine_needs_once_the_model_is_exported(page: EnginePage) -> None:
    offered = {file["name"]: file for file in page.of("engine_files")[-1]["files"]}
    assert {"engine-worker.js", WASM_FILE, "model/manifest.json", "model/step.onnx", "model/tower.onnx"} <= set(offered)
    assert {"clips/rain.flac", "clips/clips.json"} <= set(offered)
    for name, content in {
        **{f"model/{name}": raw for name, raw in MODEL_FILES.items()},
        WASM_FILE: built()[WASM_FILE],
    }.items():
        sent = page.fetch(name)
        assert (len(sent), hashlib.sha256(sent).hexdigest()) == (offered[name]["bytes"], offered[name]["sha256"])
        assert (gzip.decompress(sent) if offered[name]["gzip"] else sent) == content
    assert offered[WASM_FILE]["gzip"]
    assert offered[WASM_FILE]["bytes"] < 4_000_000


def test_a_part_is_a_message_that_every_server_passes_on(page: EnginePage) -> None:
    page.fetch("model/step.onnx")
    assert max(map(len, page.buffers_of("engine_part"))) == MAX_RANGE_BYTES


def test_a_host_that_drops_buffers_gets_parts_as_text(shown: Show) -> None:
    page = shown()
    page.hello(binary=False)
    page.send({"type": "engine_file", "page": "one", "name": "model/manifest.json", "offset": 0})
    assert b64decode(page.of("engine_part")[-1]["data"]) == MODEL_FILES["manifest.json"]
    assert page.buffers_of("engine_part") == []


def test_a_host_that_drops_buffers_sends_sound_as_text(page: EnginePage, made: Run) -> None:
    page.begin(made)
    page.events_of(made)
    text = b64encode(made.chunk(0).astype("<f4").tobytes()).decode("ascii")
    page.send(page.message("engine_chunk", chunk=0, missing=False, data=text))
    np.testing.assert_array_equal(page.widget.record.audio, made.chunk(0))


@pytest.mark.parametrize(("name", "offset"), [("../settings.py", 0), ("", 0), ("model/step.onnx", 10**9)])
def test_there_is_no_part_of_another_file_or_behind_the_end(page: EnginePage, name: str, offset: int) -> None:
    page.send({"type": "engine_file", "page": "one", "name": name, "offset": offset})
    assert (page.of("engine_part")[-1]["ok"], page.buffers_of("engine_part")) == (False, [])


def test_two_widgets_of_one_model_export_it_once(shown: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    exports: list[object] = []
    monkeypatch.setattr(contents, "export", lambda *given: exports.append(given) or MODEL_FILES)
    assert shown().of("engine_files")
    assert shown().of("engine_files")
    assert len(exports) == 1


# The record arrives


# What is refused


KERNEL = 'or make the widget with engine="kernel"'
REFUSED: dict[str, tuple[Callable[[AudioInteraction], object], str]] = {
    "feed": (lambda widget: widget.feed(np.zeros(10), 16_000), f"Record or open a file in the page, {KERNEL}"),
    "play": (lambda widget: widget.play("clip:rain"), f"Open the file in the page, {KERNEL}"),
    "stop": (lambda widget: widget.stop(), "A file of the page is stopped in the page"),
    "wait": (lambda widget: widget.wait(), f"Read w.record in a later cell, {KERNEL}"),
    "fork": (lambda widget: widget.fork(0), f"Select a chunk there, {KERNEL}"),
    "show": (lambda widget: widget.show(SessionRecord()), f"Save the record and open its file in the page, {KERNEL}"),
    "on_reply": (lambda widget: widget.on_reply(lambda *_: None), f"Switch the voice on there, {KERNEL}"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_a_session_in_the_kernel_can_do_is_refused_with_a_way_out(page: EnginePage, name: str) -> None:
    call, instead = REFUSED[name]
    with pytest.raises(SessionError, match=r'runs in its page \(engine="page"\)') as refusal:
        call(page.widget)
    assert str(refusal.value).endswith(f"{instead}.")


def test_what_asks_for_nothing_is_allowed(page: EnginePage) -> None:
    page.widget.show(None)
    page.widget.on_reply(None)
    assert (page.widget.playing, page.widget.branches) == (None, ())


def test_a_model_that_cannot_run_in_a_page_is_refused_at_once() -> None:
    for model, sentence in ((policies.Energy(), "policy"), ("wss://example.org/class", "class server")):
        with pytest.raises(SettingError, match=sentence):
            AudioInteraction(model, engine="page")
    with pytest.raises(SettingError, match="kernel, page"):
        AudioInteraction(engine="gpu")  # type: ignore[arg-type]


def test_a_loaded_model_that_is_too_large_is_refused_at_once(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "MOST_PARAMETERS", 10)
    with pytest.raises(ExportError, match="real time"):
        AudioInteraction(toy, engine="page")


def test_a_front_end_that_is_not_built_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(front_end, "FRONT_ENDS", {"page": (tmp_path / "none.js", tmp_path / "none.css")})
    with pytest.raises(AiWidgetsError, match="make setup"):
        AudioInteraction(engine="page")


@pytest.mark.parametrize("failure", [ExportError("too large"), MissingPackageError("needs onnx")])
def test_a_model_that_cannot_be_exported_is_a_failed_loading(
    shown: Show, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fails(*_: object) -> None:
        raise failure

    monkeypatch.setattr(
        *((graphs, "require_onnx") if isinstance(failure, MissingPackageError) else (contents, "export")), fails
    )
    page = shown()
    assert (page.widget.model_info["status"], page.widget.model_info["detail"]) == ("failed", str(failure))
    assert (page.widget.state, page.widget.error, page.of("engine_files")) == ("error", failure, [])
    with pytest.raises(type(failure)):
        _ = page.widget.model
