"""The rigged reference checkpoint answers exactly what the authors' own code answers (fixtures/reference)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ai_widgets.audio.features import StreamingLogMel, log_mel
from ai_widgets.audio.files import load_audio
from ai_widgets.audio.intake import cut, silence
from ai_widgets.cli.main import main
from ai_widgets.inference import Model, run_inference
from ai_widgets.protocol import Decision, Event, Token, Turn
from ai_widgets.session.answer_files import answer_files
from tests.signals import FIXTURES

REFERENCE = FIXTURES / "reference"
FRAME_TOLERANCE, LOGIT_TOLERANCE = 1e-4, 1e-3
OFFLINE = ("offline_short", "offline_long")

Step = dict[str, Any]


def vectors(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))
    values["rows"] = [dict(zip(values["step_columns"], row, strict=True)) for row in values["steps"]]
    values["paths"] = [REFERENCE / clip.replace(".wav", ".flac") for clip in values["audio"]]
    return values


@contextmanager
def watched(model: Model) -> Iterator[list[Step]]:
    """Every forward pass of the model, as a row of the reference's `steps`."""
    decoder, steps = model.decoder, []
    feed = type(decoder).feed

    def spy(self: Any, context: Any, tokens: list[int], frames: Any = None, frames_at: int = 0) -> torch.Tensor:
        logits = feed(self, context, tokens, frames, frames_at)
        special = model.traits.tokens
        steps.append(
            {
                "tokens": list(tokens),
                "tokens_fed": len(tokens),
                "last_position": context.position - 1,
                "has_audio": int(frames is not None),
                "argmax": int(logits.argmax()),
                "logit_keep_silence": float(logits[special["KEEP_SILENCE"]]),
                "logit_text_begin": float(logits[special["TEXT_BEGIN"]]),
                "max_logit": float(logits.max()),
                "logsumexp": float(logits.double().logsumexp(0)),
            }
        )
        return logits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(decoder), "feed", spy)
        yield steps


def turns_of(model: Model, events: list[Event]) -> list[list[int]]:
    """Events in the reference's form: the ids of each turn."""
    tokens = model.traits.tokens
    turns: list[list[int]] = []
    for event in events:
        if isinstance(event, Decision):
            turns.append([event.token])
        elif isinstance(event, Turn):
            turns[-1] += [*event.tokens, tokens["TEXT_END"]]
            assert event.ended == "TEXT_END"
    return turns


def text_of(model: Model, turn: list[int]) -> str:
    """Bytes of a turn of the rigged checkpoint, whose token b is byte b, as text."""
    return bytes(token for token in turn if token < 256).decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Run:
    """The reference's answers and ours, of one offline run."""

    expected: dict[str, Any]
    steps: list[Step]
    events: list[Event]


@pytest.fixture(scope="module", params=OFFLINE)
def run(request: pytest.FixtureRequest, reference: Model) -> Run:
    expected = vectors(request.param)
    session = reference.session(greedy=True, context="stop")
    with watched(reference) as steps:
        return Run(expected, steps, list(answer_files(session, expected["paths"])))


def test_the_sequence_fed_is_the_same(run: Run) -> None:
    assert run.steps[0]["tokens"][: len(run.expected["prefix"])] == run.expected["prefix"]
    assert len(run.steps) == len(run.expected["rows"])
    for column in ("tokens_fed", "last_position", "has_audio", "argmax"):
        assert [step[column] for step in run.steps] == [row[column] for row in run.expected["rows"]], column


@pytest.mark.parametrize("column", ["logit_keep_silence", "logit_text_begin", "max_logit", "logsumexp"])
def test_logits_agree(run: Run, column: str) -> None:
    ours, theirs = [step[column] for step in run.steps], [row[column] for row in run.expected["rows"]]
    np.testing.assert_allclose(ours, theirs, atol=LOGIT_TOLERANCE, rtol=0)


def test_decisions_turns_and_texts_are_identical(reference: Model, run: Run) -> None:
    assert turns_of(reference, run.events) == run.expected["turns"]
    replies = [turn for turn in run.expected["turns"] if len(turn) > 1]
    turns = [event for event in run.events if isinstance(event, Turn)]
    assert [turn.text for turn in turns] == [text_of(reference, reply) for reply in replies]
    for turn in turns:
        spoken = [event.text for event in run.events if isinstance(event, Token) and event.turn == turn.turn]
        assert turn.text.startswith("".join(spoken))


def test_decisions_carry_the_references_figures(run: Run) -> None:
    decisions = [event for event in run.events if isinstance(event, Decision)]
    rows = [row for row in run.expected["rows"] if row["has_audio"]]
    assert [decision.argmax for decision in decisions] == [row["argmax"] for row in rows]
    assert [decision.position for decision in decisions] == [row["last_position"] for row in rows]
    for decision, row in zip(decisions, rows, strict=True):
        assert decision.logit_keep == pytest.approx(row["logit_keep_silence"], abs=LOGIT_TOLERANCE)
        assert decision.logit_text == pytest.approx(row["logit_text_begin"], abs=LOGIT_TOLERANCE)
        p_keep = math.exp(row["logit_keep_silence"] - row["logsumexp"])
        p_text = math.exp(row["logit_text_begin"] - row["logsumexp"])
        assert decision.p_keep == pytest.approx(p_keep, abs=1e-3)
        assert decision.p_text == pytest.approx(p_text, abs=1e-3)


def test_the_long_run_passes_position_2048() -> None:
    assert vectors("offline_long")["rows"][-1]["last_position"] > 2_400


def test_offline_frames(reference: Model) -> None:
    """Encoder frames of each clip and of the silence after it, whole-clip floor."""
    with np.load(REFERENCE / "offline_short.npz") as expected:
        parts = []
        for path in vectors("offline_short")["paths"]:
            parts += [cut(load_audio(path)), silence(1.0)]
        for place, part in enumerate(parts):
            mels = log_mel(np.concatenate([chunk.samples for chunk in part]))
            frames = reference.encoder.encode(mels).numpy()
            np.testing.assert_allclose(frames, expected[f"feat{place}"], atol=FRAME_TOLERANCE, rtol=0)


def test_streaming_frames(reference: Model) -> None:
    """Encoder frames as the authors' web server gets them by re-encoding the whole history for every chunk."""
    with np.load(REFERENCE / "streaming_clip2.npz") as expected:
        samples = expected["audio"].astype(np.float32) / 32_768
        streaming = StreamingLogMel()
        frames = [reference.encoder.encode(streaming.push(chunk.samples))[0] for chunk in cut(samples)]
        np.testing.assert_allclose(torch.stack(frames).numpy(), expected["feats"], atol=FRAME_TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", OFFLINE)
def test_command_line(
    reference: Model, reference_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    expected = vectors(name)
    out = tmp_path / "out.jsonl"
    words = ["run", *map(str, expected["paths"]), "--checkpoint", str(reference_folder), "--device", "cpu"]
    assert main([*words, "--greedy", "--floor", "clip", "--context", "stop", "--json", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    events = [Event.from_json(line) for line in lines if line["type"] != "summary"]
    assert turns_of(reference, events) == expected["turns"]
    replies = [turn for turn in expected["turns"] if len(turn) > 1]
    assert [line["text"] for line in lines if line["type"] == "turn"] == [text_of(reference, turn) for turn in replies]
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["positions"] == expected["rows"][-1]["last_position"] + 1
    assert capsys.readouterr().err == ""


def test_the_cards_call(reference: Model, reference_folder: Path) -> None:
    expected = vectors("offline_short")
    record = run_inference(checkpoint_dir=str(reference_folder), audio_paths=expected["paths"], device="cpu")
    assert turns_of(reference, list(record.events)) == expected["turns"]
    assert len(record.turns) == sum(len(turn) > 1 for turn in expected["turns"])
