"""An evaluation with many sessions in a pass has the figures of one session at a time, and goes on after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_widgets.cli import main as cli
from ai_widgets.errors import SettingError
from ai_widgets.evaluation import command
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.players import ModelPlayer, baseline
from ai_widgets.evaluation.playing import CURVE_EVERY, Line, play, replies_of
from ai_widgets.evaluation.results import Results
from ai_widgets.evaluation.scenes import Scene
from ai_widgets.evaluation.streams import SEEN, SPEED, Stream, streams
from ai_widgets.inference import Model
from ai_widgets.training import clipcache
from tests.test_evaluation import SEED, Mute, clips

HOURS = 0.001
"""One scene of each suite."""


@pytest.fixture(scope="module")
def composed() -> list[Stream]:
    return list(streams({SEEN: Material(list(clips()))}, HOURS, SEED))


def as_json(line: Line) -> Line:
    """A line as a file gives it back."""
    found: Line = json.loads(json.dumps(line))
    return found


def test_every_session_replies_as_alone(toy: Model, composed: list[Stream]) -> None:
    player = ModelPlayer(toy, max_reply_tokens=3)
    some = [each for each in composed if each.kind != SPEED and each.scene.chunks < 90][:5]
    lines = {line["number"]: line for line in play([player], some, places=4)}
    assert sorted(lines) == [each.number for each in some]
    for each in some:
        line = lines[each.number]
        places = range(len(player.points) if each.number % CURVE_EVERY == 0 else 1)
        assert sorted(map(int, line["players"]["model"]["replies"])) == list(places)
        for place in places:
            alone, p_text = player.reply(player.hear(each.scene), each.scene, player.points[place], each.number)
            assert replies_of(line, "model", place) == alone
            if place == 0:
                assert line["players"]["model"]["p_text"] == pytest.approx(p_text, abs=1e-4)


def test_the_report_does_not_depend_on_the_number_of_places(toy: Model) -> None:
    material = Material(list(clips()))
    one, many = (
        command.evaluate([ModelPlayer(toy, max_reply_tokens=2), baseline("energy")], material, HOURS, SEED, places=n)
        for n in (1, 16)
    )
    assert without_times(one) == without_times(many)


def without_times(result: dict[str, Any]) -> Any:
    for policy in result["policies"].values():
        del policy["times_real_time"]
        # Probabilities differ by rounding.
        policy["calibration"] = None
    return result


def test_streams_are_taken_as_places_become_free(toy: Model, composed: list[Stream]) -> None:
    taken = 0

    def coming() -> Iterator[Stream]:
        nonlocal taken
        for each in composed[1:8]:
            taken += 1
            yield each

    first = next(play([ModelPlayer(toy, max_reply_tokens=1)], coming(), curves=False, places=2))
    assert first["type"] == "stream"
    assert taken == 2


class Evaluation:
    """The command on generated sounds, with a file of results."""

    def __init__(self, folder: Path) -> None:
        clipcache.save(Material(list(clips())).validation, folder / "clips")
        self.folder, self.results = folder, folder / "results.jsonl"

    def __call__(self, *words: str) -> int:
        where = ["--clips", str(self.folder / "clips"), "--json", str(self.folder / "out.json")]
        options = ["--policy", "energy", "--hours", str(HOURS), "--sessions", "0", "--results", str(self.results)]
        return cli.main(["evaluate", *where, *options, *words])

    @property
    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        for name in ("elapsed_s", "versions"):
            del found[name]
        for policy in found["policies"].values():
            del policy["times_real_time"]
        return found


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    return Evaluation(tmp_path)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Scene]:
    """The scenes that a baseline hears from now on."""
    found: list[Scene] = []
    hear = command.baseline("energy").__class__.hear

    def noting(self: Any, scene: Scene) -> Any:
        found.append(scene)
        return hear(self, scene)

    monkeypatch.setattr("ai_widgets.evaluation.players.BaselinePlayer.hear", noting)
    return found


class TestResume:
    def test_a_killed_evaluation_hears_only_what_is_missing(self, evaluation: Evaluation, heard: list[Scene]) -> None:
        assert evaluation() == 0
        expected, whole = evaluation.figures, len(heard)
        lines = evaluation.results.read_bytes().splitlines(keepends=True)
        # Killed in the middle of the line of the fifth stream.
        evaluation.results.write_bytes(b"".join(lines[:5]) + lines[5][:40])
        heard.clear()
        assert evaluation() == 0
        assert len(heard) == whole - 4
        assert evaluation.figures == expected
        assert len(evaluation.results.read_bytes().splitlines()) == len(lines)

    def test_a_complete_evaluation_hears_nothing_again(self, evaluation: Evaluation, heard: list[Scene]) -> None:
        assert evaluation() == 0
        expected = evaluation.figures
        heard.clear()
        assert evaluation() == 0
        assert heard == []
        assert evaluation.figures == expected

    @pytest.mark.parametrize(
        ("words", "said"), [(["--seed", "3"], "other values of seed"), (["--no-curve"], "other values of curves")]
    )
    def test_other_settings_are_refused(
        self, evaluation: Evaluation, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert evaluation() == 0
        before = evaluation.results.read_bytes()
        assert evaluation(*words) == 2
        assert said in capsys.readouterr().err
        assert evaluation.results.read_bytes() == before

    def test_other_recordings_are_refused(self, evaluation: Evaluation, capsys: pytest.CaptureFixture[str]) -> None:
        assert evaluation() == 0
        clipcache.save(list(clips())[1:], evaluation.folder / "clips")
        assert evaluation() == 2
        assert "The recordings have changed" in capsys.readouterr().err

    def test_other_weights_are_refused(self, tmp_path: Path, composed: list[Stream]) -> None:
        one, two, *_ = play([Mute()], composed, curves=False)
        with Results(tmp_path / "results.jsonl", {}) as results:
            results.add(one)
            two["players"]["mute"]["fingerprint"] = "another"
            with pytest.raises(SettingError, match="other weights"):
                results.add(two)
        assert len((tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()) == 2

    @pytest.mark.parametrize("content", [b"nonsense\n", b'{"type": 1}\n', b"[]\n", b"\xff\n"])
    def test_a_file_that_is_no_output_is_refused_and_kept(self, evaluation: Evaluation, content: bytes) -> None:
        evaluation.results.write_bytes(content)
        assert evaluation() == 2
        assert evaluation.results.read_bytes() == content


def test_a_number_of_places_that_is_no_number_is_refused(
    evaluation: Evaluation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluation("--places", "0") == 2
    assert "--places must be from 1 to 512, not 0" in capsys.readouterr().err


def test_lines_survive_their_file(composed: list[Stream]) -> None:
    for line in play([baseline("energy")], composed[:8]):
        assert as_json(line) == line
