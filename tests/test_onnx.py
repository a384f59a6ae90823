"""Export to ONNX: the graphs compute what torch computes, step by step and in whole sessions."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from ai_widgets.audio.features import mel_filters
from ai_widgets.audio.files import load_audio
from ai_widgets.errors import ExportError, MissingPackageError
from ai_widgets.inference import Model, load_model
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.onnx.check import compare, difference
from ai_widgets.model.onnx.export import export
from ai_widgets.model.onnx.graphs import OPSET, STEP_INPUTS, StepGraph, require_onnx
from ai_widgets.model.onnx.manifest import manifest, vocabulary
from ai_widgets.model.onnx.runtime import OnnxDecoder, OnnxEncoder, _session
from ai_widgets.model.onnx.weights import store_as_float16
from ai_widgets.page import contents as contents_module
from ai_widgets.page.single_file import MOST_BYTES, write_single_file
from ai_widgets.protocol import Decision, Notice, Token, Turn
from ai_widgets.settings import Settings
from tests.signals import FIXTURES

Files = Mapping[str, bytes]


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny", "cpu")


@pytest.fixture(scope="module")
def files(tiny: Model) -> Files:
    return export(tiny)


@pytest.fixture(scope="module")
def facts(files: Files) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["manifest.json"])
    return found


@pytest.fixture(scope="module")
def in_onnx(tiny: Model, files: Files) -> Model:
    """The embedded checkpoint with onnxruntime in the place of torch."""
    return replace(
        tiny,
        encoder=OnnxEncoder(files["tower.onnx"]),  # type: ignore[arg-type]
        decoder=OnnxDecoder(files["step.onnx"], tiny.decoder),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("count", "room", "held"),
    [(25, 1, 0), (1, 1, 0), (1, 1, 1), (13, 100, 100), (1, 300, 137), (13, 512, 0)],
    ids=["empty context", "one token, empty", "one of one", "full room", "padded room", "only padding"],
)
def test_a_step_equals_torch_and_reads_no_padding(tiny: Model, files: Files, count: int, room: int, held: int) -> None:
    shape = tiny.decoder.model.shape
    torch.manual_seed(count + room)
    size = shape.layers, shape.key_heads, room, shape.head_size
    inputs = (
        torch.randint(0, shape.vocabulary, (count,)), torch.randn(count, shape.width), torch.rand(count) > 0.5,
        torch.arange(held, held + count), torch.randn(size), torch.randn(size), torch.tensor([held]),
    )  # fmt: skip
    inputs[4][:, :, held:] = inputs[5][:, :, held:] = 1e3  # what lies behind the positions in use has no effect
    trimmed = (*inputs[:4], inputs[4][:, :, :held], inputs[5][:, :, :held], inputs[6])
    found = _session(files["step.onnx"]).run(
        None, {name: value.numpy() for name, value in zip(STEP_INPUTS, inputs, strict=True)}
    )
    with torch.inference_mode():
        expected = StepGraph(tiny.decoder.model)(*trimmed)
    for one, other in zip(expected, found, strict=True):
        assert difference(one, torch.from_numpy(other)) < 1e-5


@pytest.mark.parametrize(
    "settings",
    [{"greedy": True}, {"seed": 3, "temperature": 0.9, "top_k": 0}, {"greedy": True, "context_limit": 150}],
    ids=["greedy", "drawn", "with slides"],
)
def test_a_session_in_onnxruntime_has_the_events_of_torch(
    tiny: Model, in_onnx: Model, settings: dict[str, Any]
) -> None:
    samples = load_audio(FIXTURES / "speech_pause_speech.ogg")
    expected, found = (model.session(**settings).push(samples) for model in (tiny, in_onnx))
    assert any(isinstance(event, Turn) for event in expected)
    slides = [event for event in expected if isinstance(event, Notice) and event.kind == "context_slide"]
    assert slides or "context_limit" not in settings
    told = [event for event in expected if isinstance(event, (Decision, Token, Turn, Notice))]
    same = [event for event in found if isinstance(event, (Decision, Token, Turn, Notice))]
    assert len(told) == len(same)
    for one, other in zip(told, same, strict=True):
        if isinstance(one, (Turn, Notice)):
            assert one == other
        else:
            assert isinstance(other, type(one))
            assert (one.token, one.draw) == (other.token, other.draw)  # type: ignore[union-attr]
        if isinstance(one, Decision) and isinstance(other, Decision):
            assert other.p_text == pytest.approx(one.p_text, abs=1e-4)
            assert (other.position, other.used, other.oldest) == (one.position, one.used, one.oldest)


@given(st.sampled_from(["exact", "float16"]), st.integers(0, 6000), st.integers(0, 3), st.integers(1, 40))
def test_positions_are_rounded_as_torch_rounds_them(rope: str, end: int, start: int, count: int) -> None:
    """The published weights round positions through float16, until the context slides; the graph takes them rounded."""
    model = load_model("tiny", "cpu")
    decoder = Decoder(model.decoder.model, rope)
    context = decoder.context(8000)
    context.start, context.end = min(start, end), end
    exported = OnnxDecoder.__new__(OnnxDecoder)
    exported._like = decoder
    assert exported._positions(context, count).tolist() == decoder._places(context, count)[0].tolist()


def test_weights_that_float16_holds_are_stored_so_bit_by_bit(tiny: Model, facts: dict[str, Any]) -> None:
    assert facts["files"]["step"]["float16"] == 1
    assert facts["files"]["step"]["bytes"] < 2.2 * sum(p.numel() for p in tiny.decoder.model.parameters())


def test_a_weight_with_more_digits_than_float16_keeps_them() -> None:
    exact, fine = np.linspace(-1, 1, 65, dtype=np.float32), np.full(65, 1 / 3, np.float32)
    large = np.full(65, 1e6, np.float32)
    values = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [3, 65])
    weights = [onnx.numpy_helper.from_array(each, name) for each, name in ((exact, "a"), (fine, "b"), (large, "c"))]
    stack = [onnx.helper.make_node("Unsqueeze", [name, "zero"], [f"{name}1"]) for name in "abc"]
    stack.append(onnx.helper.make_node("Concat", ["a1", "b1", "c1"], ["y"], axis=0))
    weights.append(onnx.numpy_helper.from_array(np.zeros(1, np.int64), "zero"))
    model = onnx.helper.make_model(
        onnx.helper.make_graph(stack, "stacked", [], [values], weights),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10,
    )  # fmt: skip
    assert store_as_float16(model) == pytest.approx(1 / 3)
    (found,) = _session(model.SerializeToString()).run(None, {})
    assert np.array_equal(found, np.stack([exact, fine, large]))


def test_graphs_contain_no_path_of_the_machine_that_made_them(files: Files) -> None:
    for name in ("tower.onnx", "step.onnx"):
        assert b"site-packages" not in files[name]
        assert str(Path(__file__).parents[1]).encode() not in files[name]


def test_a_graph_that_computes_something_else_is_not_written(tiny: Model, files: Files) -> None:
    other = onnx.load_from_string(files["step.onnx"])
    norm = next(each for each in other.graph.initializer if each.name == "model.model.norm.weight.float16")
    norm.CopyFrom(onnx.numpy_helper.from_array(np.zeros(norm.dims, np.float16), norm.name))
    with pytest.raises(ExportError, match=r"do not compute what torch computes: .*logits by 1\.0e\+00"):
        compare(tiny.encoder.tower, tiny.decoder, files["tower.onnx"], other.SerializeToString())


def test_a_checkpoint_too_large_for_a_page_is_refused(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ai_widgets.model.onnx.export.MOST_PARAMETERS", 3_000_000)
    with pytest.raises(ExportError, match=r"tiny has \d million weights; a page can run at most 3 million"):
        export(tiny)


def test_quantised_weights_are_refused(tiny: Model) -> None:
    quantised = replace(tiny, placement=replace(tiny.placement, quantize="int8"))
    with pytest.raises(ExportError, match="loaded with int8 weights"):
        export(quantised)


def test_another_tokenizer_is_refused(tiny: Model) -> None:
    with pytest.raises(ExportError, match=r"tokenizer of type WordLevel .* reads byte-level BPE"):
        vocabulary(replace(tiny, tokenizer=Tokenizer(models.WordLevel({"a": 0}))))


def test_missing_packages_are_named_with_the_way_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnx" else object())
    with pytest.raises(MissingPackageError, match=r"needs onnx; install it with: pip install 'ai_widgets\[page\]'"):
        require_onnx()


# The manifest ---------------------------------------------------------------------------------------------------------


def test_the_mel_filters_are_complete(facts: dict[str, Any]) -> None:
    filters = np.zeros_like(mel_filters())
    for place, (first, weights) in enumerate(facts["features"]["filters"]):
        filters[first : first + len(weights), place] = weights
    assert np.array_equal(filters, mel_filters())


def test_the_folder_of_a_checkpoint_is_not_published(toy: Model, toy_folder: Path) -> None:
    """A page is made for others: it names the checkpoint and not where it lay."""
    written = json.dumps(manifest(toy, {}, {}))
    assert json.loads(written)["model"]["name"] == toy_folder.name
    assert str(toy_folder.parent) not in written


def test_every_setting_of_python_is_described(facts: dict[str, Any]) -> None:
    assert [each["name"] for each in facts["settings"]] == list(Settings.names())
    temperature = next(each for each in facts["settings"] if each["name"] == "temperature")
    assert (temperature["low"], temperature["high"], temperature["above"], temperature["optional"]) == (
        0,
        100,
        True,
        True,
    )


def test_pieces_decode_every_token(tiny: Model, facts: dict[str, Any]) -> None:
    pieces = facts["vocabulary"]["pieces"]
    for token in range(tiny.decoder.vocabulary):
        assert facts["vocabulary"]["texts"][token] == tiny.token_text(token)
        raw = b"" if pieces[token] is None else b64decode(pieces[token])
        assert raw.decode("utf-8", errors="replace") == tiny.decode_tokens([token])


@given(st.lists(st.integers(0, 511), max_size=30))
def test_pieces_decode_any_reply(tokens: list[int]) -> None:
    model = load_model("tiny", "cpu")
    pieces = vocabulary(model)["pieces"]
    raw = b"".join(b64decode(pieces[token]) for token in tokens if pieces[token] is not None)
    assert raw.decode("utf-8", errors="replace") == model.decode_tokens(tokens)


# The page of the embedded checkpoint ----------------------------------------------------------------------------------


@pytest.fixture
def page_files(tiny: Model, files: Files, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """All files of the page, with the front end as it was built."""
    monkeypatch.setattr(contents_module, "export", lambda *_: files)
    return contents_module.contents(tiny)


def test_the_page_is_transferred_in_16_megabytes(page_files: dict[str, bytes]) -> None:
    """Half a minute on a line of 4 Mbit/s, once: later visits fetch nothing. Ten of the megabytes are the checkpoint.

    Servers compress by the type of a file; few of them know .onnx, and none gains from compressing sound.
    """
    sent = {
        name: len(content if name.endswith((".onnx", ".flac")) else gzip.compress(content, 6))
        for name, content in page_files.items()
    }
    assert sum(sent.values()) <= 16_000_000, sent


def test_the_single_file_has_at_most_35_megabytes_and_all_files(page_files: dict[str, bytes], tmp_path: Path) -> None:
    write_single_file(page_files, tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size <= 20_000_000 < MOST_BYTES == 35_000_000
    document = (tmp_path / "page.html").read_text(encoding="utf-8")
    for name in ("model/manifest.json", "model/tower.onnx", "model/step.onnx", "engine-worker.js", "clips/clips.json"):
        assert f'data-aiw-file="{name}"' in document
