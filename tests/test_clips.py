"""The clips of the package: each is what its name says, is credited, and is taken wherever an audio file is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ai_widgets as aiw
from ai_widgets.audio.clips import FOLDER, Clip
from ai_widgets.cli.main import main
from ai_widgets.errors import AudioError, UnknownClipError
from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import CHUNK_SECONDS, Decision, Notice, Turn
from tests.page import PATIENCE, Page

MOST_BYTES = 1_500_000
WORDS = {
    "speech_pause_speech": "speak",
    "digit": "seven",
    "keyword": "computer",
    "interruption": "speak",
    "rooster": "rooster",
    "alarm": "alarm",
    "knocking": "knock",
    "music": "music",
}
"""The word of its replies that shows that a clip was understood; a clip that is not named here gets no reply."""
CLIPS = [pytest.param(clip, id=name) for name, clip in aiw.clips.items()]


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny", "cpu")


@pytest.mark.parametrize("clip", CLIPS)
def test_the_embedded_checkpoint_answers_what_is_expected_and_when(tiny: Model, clip: Clip) -> None:
    record = aiw.run_inference("tiny", clip, "cpu", floor="running")
    turns = record.of_type(Turn)
    assert [turn.text for turn in turns] == [reply.text for reply in clip.expected]
    for turn, reply in zip(turns, clip.expected, strict=True):
        assert reply.from_s <= turn.start_s <= reply.to_s
        assert WORDS[clip.name] in turn.text.lower()
    assert bool(clip.expected) == (clip.name in WORDS)
    first = record.of_type(Decision)[0]
    assert first.choice == "KEEP_SILENCE"


def test_an_interruption_is_not_taken_for_an_end(tiny: Model) -> None:
    """The first speaker stops within a sentence; only the end of the second is answered."""
    clip = aiw.clips.interruption
    (reply,) = clip.expected
    assert reply.from_s > clip.seconds - 1.2 - 2 * CHUNK_SECONDS


def test_there_are_six_to_ten_in_less_than_a_megabyte_and_a_half() -> None:
    assert 6 <= len(aiw.clips) <= 10
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {*(f"{name}.flac" for name in aiw.clips), "clips.json", "CREDITS.md"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES


@pytest.mark.parametrize("clip", CLIPS)
def test_each_is_credited_with_a_licence_that_allows_its_use(clip: Clip) -> None:
    assert clip.licence in ("Apache-2.0", "CC0-1.0")
    assert clip.credit.endswith(".")
    row = f"| `{clip.name}.flac` | {clip.title} | {clip.licence} | {clip.credit} |"
    assert row in (FOLDER / "CREDITS.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("clip", CLIPS)
def test_its_samples_are_sound_at_16_khz_of_the_stated_length(clip: Clip) -> None:
    samples = clip.samples()
    assert samples.dtype == np.float32
    assert len(samples) / 16_000 == pytest.approx(clip.seconds, abs=0.001)
    assert 0.2 < np.abs(samples).max() < 0.99
    assert np.array_equal(samples, aiw.load_audio(clip))
    assert np.array_equal(samples, aiw.load_audio(f"clip:{clip.name}"))


class TestTheMapping:
    def test_names_are_keys_and_attributes(self) -> None:
        assert aiw.clips["rain"] is aiw.clips.rain
        assert next(iter(aiw.clips)) == "speech_pause_speech"
        assert "rain" in aiw.clips
        assert "rain" in dir(aiw.clips)
        assert "snow" not in aiw.clips

    def test_an_unknown_name_is_answered_with_the_names(self) -> None:
        with pytest.raises(UnknownClipError, match="There is no clip 'snow'; the clips are speech_pause_speech, digit"):
            aiw.clips["snow"]
        with pytest.raises(KeyError):
            aiw.clips["snow"]
        with pytest.raises(AttributeError, match="the clips are"):
            _ = aiw.clips.snow
        with pytest.raises(AudioError, match="There is no clip 'snow'"):
            aiw.load_audio("clip:snow")

    def test_a_notebook_shows_a_table_and_a_player(self) -> None:
        assert "<td><code>rain</code></td>" in aiw.clips._repr_html_()
        assert repr(aiw.clips).startswith("<9 clips: speech_pause_speech, ")
        assert "data:audio/flac;base64,ZkxhQ" in aiw.clips.rain._repr_html_()

    def test_a_file_of_such_a_name_is_reached_by_its_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "clip:rain").write_bytes(aiw.clips.digit.path.read_bytes())
        monkeypatch.chdir(tmp_path)
        assert len(aiw.load_audio("./clip:rain")) == len(aiw.clips.digit.samples())

    def test_listing_them_loads_no_decoder(self) -> None:
        code = (
            "import sys, ai_widgets as aiw; list(aiw.clips.values());"
            "print([name for name in ('torch', 'soundfile', 'av', 'numpy') if name in sys.modules])"
        )
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert shown.stdout.strip() == "[]"


class TestTheCommandLine:
    def test_run_takes_a_clip_by_name(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        lines = tmp_path / "out.jsonl"
        assert main(["run", "clip:digit", "--greedy", "--device", "cpu", "--json", str(lines)]) == 0
        events = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        assert [event["text"] for event in events if event["type"] == "turn"] == [
            each.text for each in aiw.clips.digit.expected
        ]
        shown = capsys.readouterr().out
        assert "clip:digit" in shown
        assert str(FOLDER) not in shown

    def test_run_names_the_clips_where_there_is_no_such(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["run", "clip:snow"]) == 2
        assert "There is no clip 'snow'; the clips are speech_pause_speech" in capsys.readouterr().err


class TestTheWidget:
    def ask(self, page: Page, clip: str, of: str | None = None) -> None:
        content = {"type": "play_clip", "clip": clip, "pace": "fast", "tail_s": 1.0}
        page.send({**content, "page": of or page.name})

    def streams(self, page: Page) -> list[str]:
        assert page.widget.wait(PATIENCE)
        return [str(n.data["name"]) for n in page.widget.record.of_type(Notice) if n.kind == "stream"]

    def test_a_page_plays_a_clip_by_name(self, page: Page) -> None:
        self.ask(page, "digit")
        assert self.streams(page) == ["clip:digit"]
        assert page.of("playing")[-1]["name"] == "clip:digit"
        assert page.widget.record.seconds >= aiw.clips.digit.seconds + 1.0

    def test_python_plays_a_clip_by_name_or_itself(self, page: Page) -> None:
        page.widget.play("clip:digit")
        page.widget.play(aiw.clips.digit)
        assert self.streams(page) == ["clip:digit", "clip:digit"]

    @pytest.mark.parametrize("clip", ["snow", "", "../../etc/passwd", "rain.flac", "clip:rain"])
    def test_what_is_no_clip_is_refused_with_the_names(self, page: Page, clip: str) -> None:
        self.ask(page, clip)
        (problem,) = page.problems()
        assert problem.startswith(f"There is no clip {clip!r}; the clips are speech_pause_speech, ")
        assert self.streams(page) == []

    def test_a_clip_does_not_mix_with_a_recording_of_another_page(self, page: Page) -> None:
        page.open()
        self.ask(page, "digit", of="another")
        assert any("Another page records" in sentence for sentence in page.problems())
        page.close()
        assert self.streams(page) == []
