"""Logits that are not finite: one error at the first, which names the layer and the remedy; nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from ai_widgets.errors import AiWidgetsError, NotFiniteError
from ai_widgets.inference import Model, load_model
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.encoder import Encoder
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Notice, Token, Turn
from tests.interrupting import check
from tests.scripted import scripted, spell
from tests.signals import babble

AUDIO = babble(1.2)


@pytest.fixture(scope="module")
def half(toy_folder: Path) -> Model:
    """The toy in float16, as it is on a T4."""
    return load_model(toy_folder, "cpu", "float16")


def with_language_model(model: Model, spoil: Callable[[Any], object]) -> Model:
    network = deepcopy(model.decoder.model)
    with torch.no_grad():
        spoil(network)
    return replace(model, decoder=Decoder(network, model.decoder.rope_positions))


def overflow_in_layer_two(network: Any) -> None:
    network.model.layers[1].mlp.down_proj.weight.fill_(torch.inf)


class TestWhere:
    def test_in_a_layer_of_the_language_model(self, half: Model) -> None:
        session = with_language_model(half, overflow_in_layer_two).session()
        with pytest.raises(NotFiniteError) as raised:
            session.push(AUDIO)
        said = str(raised.value)
        assert "The logits of the decision on chunk 0 are not finite (NaN or infinity)" in said
        assert "with dtype float16 on cpu" in said
        assert "the cause is in the language model, first in layer 2 of" in said
        assert 'load the model with dtype="float32"' in said

    def test_in_the_output_head(self, half: Model) -> None:
        session = with_language_model(half, lambda network: network.lm_head.weight.fill_(torch.inf)).session()
        with pytest.raises(NotFiniteError, match="in the language model, in its output head"):
            session.push(AUDIO)

    def test_in_the_encoder(self, half: Model) -> None:
        tower = deepcopy(half.encoder.tower)
        with torch.no_grad():
            tower.proj.weight.fill_(torch.inf)  # type: ignore[union-attr, operator]
        session = replace(half, encoder=Encoder(tower)).session()
        with pytest.raises(NotFiniteError, match=r"chunk 0 .* in the audio encoder, whose frames of this chunk"):
            session.push(AUDIO)

    def test_with_float32_the_weights_are_to_blame(self, toy: Model) -> None:
        session = with_language_model(toy, lambda network: network.lm_head.weight.fill_(torch.nan)).session()
        with pytest.raises(NotFiniteError, match="With float32 this means that the weights are damaged"):
            session.push(AUDIO)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_of_a_decision_token_alone(self, toy: Model, value: float) -> None:
        keep = toy.traits.tokens["KEEP_SILENCE"]
        session = toy.session()
        feed = toy.decoder.feed

        def spoilt(*given: Any) -> torch.Tensor:
            logits = feed(*given).clone()
            logits[keep] = value
            return logits

        decoder = deepcopy(toy.decoder)
        decoder.feed = spoilt  # type: ignore[method-assign, assignment]
        session = replace(toy, decoder=decoder).session()
        with pytest.raises(NotFiniteError):
            session.push(AUDIO)


class TestWhatIsKept:
    def test_it_is_the_first_and_nothing_recorded_is_lost(self, toy: Model) -> None:
        """Two good chunks, then NaN; a reply under way is cut with an error."""
        model, decoder = scripted(toy, ".T", [spell("abcdef")])
        feed = decoder.feed

        def spoilt(*given: Any) -> torch.Tensor:
            logits = feed(*given)
            return logits * torch.nan if len(decoder.fed) == 4 else logits

        decoder.feed = spoilt  # type: ignore[method-assign]
        session = model.session(temperature=1.0)
        with pytest.raises(NotFiniteError, match="token 1 of the reply to chunk 1"):
            session.push(AUDIO)
        assert len(session.record.of_type(Decision)) == 2
        assert [(turn.text, turn.ended) for turn in session.record.of_type(Turn)] == [("a", "error")]
        assert [token.text for token in session.record.of_type(Token)] == ["a"]
        for event in session.record.events:
            json.dumps(event.to_json(), allow_nan=False)
        session.push([])
        assert [decision.chunk for decision in session.record.of_type(Decision)] == [0, 1, 2]
        check(session, complete=True)

    def test_a_decision_is_not_made(self, half: Model) -> None:
        session = with_language_model(half, overflow_in_layer_two).session()
        with pytest.raises(NotFiniteError):
            session.push(AUDIO[:CHUNK_SAMPLES])
        assert [chunk.chunk for chunk in session.record.of_type(Chunk)] == [0]
        assert session.record.of_type(Decision) == []
        (notice,) = session.record.of_type(Notice)
        assert (notice.kind, notice.data) == ("undecided", {"error": "NotFiniteError"})
        check(session, complete=True)

    def test_it_is_an_error_of_this_package_and_an_arithmetic_one(self) -> None:
        assert issubclass(NotFiniteError, AiWidgetsError)
        assert issubclass(NotFiniteError, ArithmeticError)


def test_the_command_line_says_it_in_a_sentence_and_keeps_its_lines(
    half: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_widgets.cli import run
    from ai_widgets.cli.main import main

    spoilt = with_language_model(half, overflow_in_layer_two)
    monkeypatch.setattr(run, "load_model", lambda *_, **__: spoilt)
    soundfile.write(tmp_path / "talk.wav", AUDIO, 16_000)
    assert main(["run", str(tmp_path / "talk.wav"), "--json", str(tmp_path / "out.jsonl")]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert said.err.startswith("ai-widgets: The logits of the decision on chunk 0 are not finite")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["type"], line["kind"]) for line in lines] == [("notice", "undecided")]
