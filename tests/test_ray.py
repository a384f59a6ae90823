"""A corpus on a Ray cluster: the code of `--ray`, on a Ray of this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from ai_widgets.evaluation import command
from ai_widgets.evaluation.on_ray import row_of, stream_of
from ai_widgets.evaluation.streams import SEEN, streams
from ai_widgets.training import clipcache
from tests.signals import babble
from tests.test_cli import exit_code
from tests.test_evaluation import Material, clips

COUNT = 5
SETTINGS = ("--seed", "3", "--max-reply-tokens", "4")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Start Ray once: a command that finds a connection uses it."""
    pytest.importorskip("ray.data")
    from ai_widgets.cluster.connection import ray_at

    with ray_at("local") as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(COUNT):
        soundfile.write(folder / f"{number}.wav", babble(0.5 + 0.4 * (number % 3), number), 16_000)
    return folder


def outcomes(lines: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """What happened in each file, without probabilities, which differ by rounding."""
    found: dict[str, list[Any]] = {}
    for line in lines:
        if "file" in line:
            kept = tuple(str(line.get(name)) for name in ("type", "chunk", "token", "choice", "text", "ended", "error"))
            found.setdefault(Path(line["file"]).name, []).append(kept)
    return found


def events_in(folder: Path) -> list[dict[str, Any]]:
    table = pd.concat([pd.read_parquet(part) for part in sorted(folder.glob("part-*.parquet"))])
    return [json.loads(event) for event in table["event"]]


def test_files_have_the_events_of_one_process_and_a_killed_run_goes_on(
    ray: Any, folder: Path, toy_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "0.wav").write_bytes(b"no sound")
    model = ["--checkpoint", str(toy_folder), "--device", "cpu", *SETTINGS]
    out, lines = tmp_path / "events", tmp_path / "out.jsonl"
    on_ray = ["run", str(folder), *model, "--ray", "local", "--workers", "1", "--parquet", str(out)]
    # The error of one file is a row, and the others are heard.
    assert exit_code(on_ray) == 2
    assert "1 of 5 files could not be heard" in capsys.readouterr().err
    failed = [event["file"] for event in events_in(out) if event.get("error")]
    assert [Path(name).name for name in failed] == ["0.wav"]
    assert exit_code(on_ray) == 2
    assert "is not empty: give --resume" in capsys.readouterr().err
    # As killed before its end: files are missing in the output.
    soundfile.write(folder / "0.wav", babble(0.5, 0), 16_000)
    soundfile.write(folder / "9.wav", babble(0.5, 9), 16_000)
    assert exit_code([*on_ray, "--resume"]) == 0
    assert "4 of 6 files were heard before" in capsys.readouterr().out
    assert exit_code(["run", str(folder), "--separate", *model, "--json", str(lines)]) == 0
    expected = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert outcomes(events_in(out)) == outcomes(expected)
    report = json.loads((out / "_report.json").read_text(encoding="utf-8"))
    assert {name: report[name] for name in ("files", "failed", "tokens", "decisions")} == {
        name: expected[-1][name] for name in ("files", "failed", "tokens", "decisions")
    }
    assert len(pd.read_parquet(out)) == len(events_in(out))
    assert exit_code([*on_ray, "--resume", "--bias", "1"]) == 2
    assert "was begun with other values of settings" in capsys.readouterr().err


def test_an_evaluation_has_the_report_of_one_process(ray: Any, tmp_path: Path) -> None:
    clipcache.save(list(clips()), tmp_path / "clips")
    found = []
    for name, words in (("alone", []), ("ray", ["--ray", "local", "--workers", "1"])):
        out = tmp_path / f"{name}.json"
        options = ["--policy", "energy", "--hours", "0.001", "--sessions", "0", "--json", str(out)]
        results = ["--results", str(tmp_path / f"{name}.jsonl")]
        assert exit_code(["evaluate", "--clips", str(tmp_path / "clips"), *options, *results, *words]) == 0
        result = json.loads(out.read_text(encoding="utf-8"))
        del result["elapsed_s"], result["policies"]["energy"]["times_real_time"]
        found.append(result)
    assert found[0] == found[1]
    # The file of one goes on in the other.
    assert command.main(["--clips", str(tmp_path / "clips"), *options, "--results", str(tmp_path / "ray.jsonl")]) == 0


def test_a_stream_travels_whole() -> None:
    (stream, *_) = streams({SEEN: Material(list(clips()))}, 0.0001, 3)
    again = stream_of(row_of(stream))
    np.testing.assert_array_equal(again.scene.audio, stream.scene.audio)
    np.testing.assert_array_equal(again.scene.mels, stream.scene.mels)
    assert (again.key, again.sha256, again.scene.occasions) == (stream.key, stream.sha256, stream.scene.occasions)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ray", "local"), "--ray and --parquet go together"),
        (("--parquet", "out"), "--ray and --parquet go together"),
        (("--ray", "local", "--parquet", "out", "--json", "a.jsonl"), "--json cannot be given with --ray"),
        (("--ray", "local", "--parquet", "out", "--workers", "0"), "--workers must be at least 1, not 0"),
    ],
)
def test_options_that_do_not_go_together(
    folder: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["run", str(folder), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray")

    def timing_out(**_: Any) -> None:
        # As raised by Ray: of no class of its own.
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", timing_out)
    words = ["--policy", "energy", "--ray", "auto", "--parquet", str(tmp_path / "events")]
    assert exit_code(["run", str(folder), *words]) == 2
    said = capsys.readouterr().err
    assert "No Ray cluster answers at 'auto' (The current node timed out during startup.)" in said
    assert "HOST:6379" in said


def test_without_ray_the_command_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["--policy", "energy", "--ray", "local", "--parquet", str(tmp_path / "events")]
    assert exit_code(["run", str(folder), *words]) == 2
    assert 'pip install "ai_widgets[ray]"' in capsys.readouterr().err
