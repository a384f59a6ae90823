"""The benchmark's own arithmetic, and that it measures what it says; the figures themselves belong to a machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ai_widgets.cli.bench import authors as bench_authors
from ai_widgets.cli.bench import speed as bench
from ai_widgets.cli.bench.batch import batch_figures
from ai_widgets.cli.main import main
from ai_widgets.errors import ChildError, SettingError
from ai_widgets.inference import Model, load_model
from ai_widgets.model.context import Context
from ai_widgets.model.decoder import Decoder
from ai_widgets.protocol import Decision

THEIR_RUNNER = """
import time
import torch
class GPT(torch.nn.Module):
    def forward(self, tokens):
        time.sleep(0.01 if tokens.shape[-1] > 1 else 0.002)
class ToyAudioEncoder(torch.nn.Module):
    def forward(self, mels):
        time.sleep(0.1)
def run_inference(*, checkpoint_dir, audio_paths, device):
    print("a line of its own", checkpoint_dir)
    model = GPT()
    ToyAudioEncoder()(torch.zeros(1))
    model(torch.zeros(1, 30))
    for _ in range(9):
        model(torch.zeros(1, 13))
    for _ in range(4):
        model(torch.zeros(1, 1))
"""


def test_the_bare_model_does_not_disturb_the_session(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps between which the bare model was timed are those of a session where it was not."""
    monkeypatch.setattr(bench, "BARE_CHUNK", 5)
    sessions = []
    make = toy.session

    def session(_: Model, **settings: object) -> object:
        sessions.append(make(**settings))
        return sessions[-1]

    monkeypatch.setattr(Model, "session", session)
    step, bare = bench.compare_with_bare(toy)
    assert step > 0 < bare
    (used,) = sessions
    alone = make(**bench.FULL)
    bench._age(toy, alone, used.chunks_done)
    pairs = zip(used.record.of_type(Decision), alone.record.of_type(Decision), strict=True)
    for ours, theirs in pairs:
        assert ours.logit_keep == pytest.approx(theirs.logit_keep, abs=1e-4)
        assert ours.position == theirs.position


def test_a_larger_vocabulary_changes_no_logit_of_the_model(toy: Model) -> None:
    large = bench.with_vocabulary(toy, 5_000)
    session, own = large.session(bias=bench.SILENT), toy.session(bias=bench.SILENT)
    bench._age(large, session, 4)
    bench._age(toy, own, 4)
    pairs = zip(session.record.of_type(Decision), own.record.of_type(Decision), strict=True)
    for ours, theirs in pairs:
        assert ours.logit_text == pytest.approx(theirs.logit_text, abs=1e-4)
        assert ours.logit_keep == pytest.approx(theirs.logit_keep, abs=1e-4)
    # An added token has a logit of its own, and can be fed.
    decoder = large.decoder
    assert decoder.feed(decoder.context(50), [4_999])[4_999] != 0


def test_plain_sampling_is_timed_too(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "BARE_CHUNK", 5)
    step, bare = bench.compare_with_bare(bench.with_vocabulary(toy, 5_000), **bench.PLAIN)
    assert step > 0 < bare


def test_ages_alternate_without_replies(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "EARLY", 6)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    young, old = bench.compare_ages(toy, 30)
    assert len(young) == len(old) == bench.WINDOW
    assert min(young) > 0 < min(old)


def test_chunks_that_slide_are_among_those_that_are_timed(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "REPEATS", 2)
    times, slides = bench.sliding_chunks(toy)
    assert len(times) == bench.WINDOW * bench.ROUNDS
    assert min(times) > 0 < slides


def test_a_young_session_cannot_be_the_old_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--chunks", "100"]) == 2
    assert "--chunks must be above 100" in capsys.readouterr().err


class TestAuthors:
    def test_a_step_is_from_one_block_to_the_next(self) -> None:
        calls = [
            ("MoonAudioEncoder", 0, 0.0, 0.5),
            ("GPT", 47, 1.0, 1.2),
            *[("GPT", 13, 2.0 + n, 2.5 + n) for n in range(4)],
            ("GPT", 1, 6.0, 6.1),
            ("GPT", 13, 6.2, 6.3),
            ("MoonAudioEncoder", 0, 6.5, 6.6),
            ("GPT", 13, 9.0, 9.5),
        ]
        step, chunk = bench_authors.times(calls)
        assert step == pytest.approx(1_000)
        # Seven decisions share 0.6 s of encoding.
        assert chunk == pytest.approx(1_000 + 600 / 7)

    def test_code_that_decides_nothing(self) -> None:
        with pytest.raises(SettingError, match="made no decisions"):
            bench_authors.times([("GPT", 47, 0.0, 1.0)])

    def test_their_runner_is_timed_in_a_process_of_its_own(self, tmp_path: Path, toy: Model, toy_folder: Path) -> None:
        (tmp_path / "infer_online.py").write_text(THEIR_RUNNER)
        figures = bench_authors.compare(tmp_path, toy_folder, toy)
        assert figures["step, authors' code [ms]"] >= 10
        assert figures["chunk, authors' code [ms]"] >= figures["step, authors' code [ms]"] + 5
        ours, theirs = figures["step, ours [ms]"], figures["step, authors' code [ms]"]
        assert figures["step, ours ÷ authors'"] == pytest.approx(ours / theirs, rel=0.05)

    def test_what_cannot_be_run_is_said(self, tmp_path: Path, toy: Model, toy_folder: Path) -> None:
        with pytest.raises(SettingError, match=r"holds no infer_online\.py"):
            bench_authors.compare(tmp_path, toy_folder, toy)
        (tmp_path / "infer_online.py").write_text("import nothing_of_that_name")
        with pytest.raises(ChildError, match=r"^Running the authors' code in .* failed: No module named 'nothing_of"):
            bench_authors.compare(tmp_path, toy_folder, toy)


class TestCompiling:
    def test_a_compiled_model_says_the_same(self, toy: Model) -> None:
        decoder = type(toy.decoder)(toy.decoder.model, "exact")
        before = decoder.feed(decoder.context(50), [1, 2, 3])
        try:
            assert decoder.compile(backend="eager")
            torch.testing.assert_close(decoder.feed(decoder.context(50), [1, 2, 3]), before, atol=1e-4, rtol=0)
        finally:
            for layer in decoder.model.model.layers:
                layer.mlp._compiled_call_impl = None

    def test_loading_compiles_on_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compiled: list[Decoder] = []
        monkeypatch.setattr(Decoder, "compile", lambda self: compiled.append(self))
        load_model("tiny", "cpu")
        assert compiled == []
        model = load_model("tiny", "cpu", compiled=True)
        assert compiled == [model.decoder]

    def test_where_it_fails_the_model_stays_as_it_was(self, toy: Model, caplog: pytest.LogCaptureFixture) -> None:
        decoder = toy.decoder
        before = decoder.feed(decoder.context(50), [1, 2, 3])

        def broken(*_: object, **__: object) -> object:
            raise RuntimeError("no compiler")

        assert not decoder.compile(backend=broken)
        assert "torch.compile failed" in caplog.text
        torch.testing.assert_close(decoder.feed(decoder.context(50), [1, 2, 3]), before, atol=0, rtol=0)


def test_what_sessions_cost_together(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    heights: list[tuple[int, int]] = []
    advance_many = Decoder.advance_many

    def counted(self: Decoder, contexts: Sequence[Context], embeddings: Sequence[Tensor]) -> Tensor:
        heights.append((len(contexts), embeddings[0].shape[1]))
        assert {context.position for context in contexts} == {20}
        return advance_many(self, contexts, embeddings)

    monkeypatch.setattr(Decoder, "advance_many", counted)
    figures = batch_figures(toy, (1, 3), positions=20)
    assert set(heights) == {(3, 13), (3, 1)}
    assert set(figures) == {
        *(f"{what}, one session [ms]" for what in ("decision step", "reply token", "tower")),
        *(f"{what}, 3 sessions together ÷ one" for what in ("decision step", "reply token", "tower")),
        "keys and values of one position [kB]",
    }
    assert all(value > 0 for value in figures.values())
