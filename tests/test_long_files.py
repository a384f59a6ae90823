"""A file of an hour in memory that does not grow with it, and its first decision at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Decision, Notice
from tests.encoded_sounds import encode
from tests.events import said
from tests.hours import hour
from tests.signals import babble

ROOM_MB = 300
"""What an hour's file may cost above the model."""

READ = """
import json, resource, sys
from ai_widgets.audio.files import load_audio, open_audio
load_audio(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_audio(sys.argv[1]) as reader:
    samples = sum(map(len, reader))
print(json.dumps([samples / reader.rate, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))
"""

LOAD = READ.replace(
    "with open_audio(sys.argv[1]) as reader:\n    samples = sum(map(len, reader))", "samples = load_audio(sys.argv[1])"
).replace("samples / reader.rate", "len(samples) / 16000")

RUN = """
import json, resource, sys
from pathlib import Path
import ai_widgets.cli.run
from ai_widgets.cli.main import main
from ai_widgets.inference import Model, load_model
from tests.scripted import scripted
model, _ = scripted(load_model(sys.argv[3], "cpu", progress=False))
ai_widgets.cli.run.load_model = lambda *_, **__: model
out = sys.argv[1] + ".jsonl"
assert main(["run", sys.argv[2], "--json", out]) == 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert main(["run", sys.argv[1], "--json", out, *sys.argv[4:]]) == 0
summary = json.loads(Path(out).read_text().splitlines()[-1])
print(json.dumps([summary["audio_s"], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))
"""


def measure(program: str, *words: object) -> tuple[float, float]:
    """Seconds heard and megabytes above what was there before, of a process of its own."""
    command = [sys.executable, "-c", program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, megabytes


@pytest.fixture(scope="module")
def empty_hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of 44.1 kHz stereo WAV that takes no room on the disk."""
    path = tmp_path_factory.mktemp("hour") / "hour.wav"
    soundfile.write(path, np.zeros((1, 2), np.int16), 44_100)
    size = 3600 * 44_100 * 4
    with path.open("r+b") as file:
        file.truncate(44 + size)
        for at, value in ((4, size + 36), (40, size)):
            file.seek(at)
            file.write(value.to_bytes(4, "little"))
    return path


@pytest.fixture(scope="module")
def moment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("moment") / "a.wav"
    soundfile.write(path, np.stack([babble(10, 0, rate=44_100)] * 2, axis=1), 44_100)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a", ".flac"])
def test_reading_an_hour_takes_the_memory_of_a_moment(
    tmp_path: Path, empty_hour: Path, moment: Path, suffix: str
) -> None:
    file = empty_hour if suffix == ".wav" else hour(tmp_path / f"hour{suffix}")
    seconds, megabytes = measure(READ, file, moment)
    assert seconds == pytest.approx(3600, abs=10)
    assert megabytes < 60


def test_loading_an_hour_holds_it_once(empty_hour: Path, moment: Path) -> None:
    """As `train` and `evaluate` do: 16 kHz float32 of an hour are 230 MB."""
    seconds, megabytes = measure(LOAD, empty_hour, moment)
    assert seconds == pytest.approx(3600)
    assert megabytes < ROOM_MB


def test_an_hours_file_is_answered_within_300_mb(empty_hour: Path, moment: Path, toy_folder: Path) -> None:
    """`ai-widgets run` with the floor of the whole clip; it took more than 8 GB before the first reply."""
    seconds, megabytes = measure(RUN, empty_hour, moment, toy_folder)
    assert seconds == pytest.approx(3601.2)
    assert megabytes < ROOM_MB


class TestSession:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        rows = np.stack([babble(14, 0, rate=44_100), babble(14, 1, rate=44_100)], axis=1)
        soundfile.write(tmp_path / "a.wav", rows, 44_100)
        return tmp_path / "a.wav"

    def test_the_running_floor_decides_before_the_file_is_read(self, toy: Model, file: Path) -> None:
        session = toy.session(greedy=True)
        stream = session.stream_file(file)
        assert next(stream).type == "chunk"
        assert next(stream).type == "decision"
        item = session._loop._feed._items[0][1]
        assert item.sound._window[0] + len(item.sound._window[1]) < 12 * 16_000  # type: ignore[union-attr]
        session.close()

    @pytest.mark.parametrize("floor", ["clip", "running"])
    def test_a_file_is_what_its_samples_are(self, toy: Model, file: Path, floor: str) -> None:
        from ai_widgets.audio.files import load_audio

        played = toy.session(greedy=True, max_reply_tokens=3).play(file, floor=floor)
        pushed = toy.session(greedy=True, max_reply_tokens=3).push_clip(load_audio(file), floor=floor)
        assert said(played) == said(pushed)
        assert sum(isinstance(event, Chunk) for event in played) == 38

    def test_what_is_wrong_with_a_file_is_on_the_timeline(self, toy: Model, file: Path) -> None:
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2])
        for floor in ("clip", "running"):
            session = toy.session(greedy=True, max_reply_tokens=2)
            session.play(file, floor=floor)
            (notice,) = [notice for notice in session.record.of_type(Notice) if notice.kind == "cut"]
            assert "7.0 s of 14.0 s are missing" in notice.message

    @pytest.mark.parametrize("floor", ["clip", "running"])
    def test_a_file_that_fails_in_the_middle_leaves_what_was_heard(
        self, toy: Model, tmp_path: Path, floor: str
    ) -> None:
        """Its length is known only while it is decoded."""
        from ai_widgets.errors import AudioTooLongError

        path = encode(tmp_path / "a.aac")
        session = toy.session(greedy=True, max_reply_tokens=2)
        with pytest.raises(AudioTooLongError):
            session.play(path, floor=floor, longest_s=2)
        heard = len(session.record.of_type(Decision))
        session.push(babble(0.8))
        assert len(session.record.of_type(Decision)) >= heard + 2

    def test_a_bad_file_changes_nothing(self, toy: Model, tmp_path: Path) -> None:
        from ai_widgets.errors import AudioError

        session = toy.session(greedy=True)
        with pytest.raises(AudioError, match="There is no audio file"):
            session.play(tmp_path / "gone.wav")
        assert len(session.record) == 0

    def test_a_muted_input_is_on_the_timeline(self, toy: Model) -> None:
        session = toy.session(greedy=True, bias=-1000.0)
        session.push(np.zeros(16_000 * 12, np.float32))
        session.push(babble(0.4))
        assert [(n.kind, n.data["phase"]) for n in session.record.of_type(Notice) if n.kind == "silent_input"] == [
            ("silent_input", "begins"),
            ("silent_input", "ends"),
        ]

    def test_channels_that_cancel_are_on_the_timeline(self, toy: Model) -> None:
        session = toy.session(greedy=True, bias=-1000.0)
        signal = babble(1.2)
        session.push(np.stack([signal, -signal]))
        chunks = session.record.of_type(Chunk)
        assert {chunk.flags for chunk in chunks} == {("channels_cancel",)}
        assert min(chunk.rms_db for chunk in chunks) > -50
        assert [notice.kind for notice in session.record.of_type(Notice)] == ["channels_cancel"]

    @pytest.mark.parametrize("at", [0, 3, 17, 40])
    @pytest.mark.parametrize("floor", ["clip", "running"])
    def test_a_file_that_is_left_is_finished_by_the_next_call(
        self, toy: Model, file: Path, floor: str, at: int
    ) -> None:
        session, whole = toy.session(greedy=True, max_reply_tokens=3), toy.session(greedy=True, max_reply_tokens=3)
        stream = session.stream_file(file, floor=floor)
        for _ in range(at):
            next(stream)
        session.push(babble(0.4))
        whole.play(file, floor=floor)
        whole.push(babble(0.4))
        assert said(session.record.events) == said(whole.record.events)
