"""A recording that is written while the session happens: `keep`."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ai_widgets.audio.files import load_audio
from ai_widgets.errors import RecordExistsError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Decision, Notice, Timing
from ai_widgets.record.record import SessionRecord
from tests.interrupting import Bomb
from tests.page import Build
from tests.signals import Array, babble

TALK = "talk.aiw"


def filled(path: Path, chunks: int, seconds: float | None = 0.8) -> tuple[SessionRecord, list[Array]]:
    record = SessionRecord(seconds, path)
    random = np.random.default_rng(0)
    audio = [random.standard_normal(6_400).astype(np.float32) for _ in range(chunks)]
    for number, samples in enumerate(audio):
        assert record.append_audio(samples) == []
        record.append(Chunk(number, 0, number * 0.4, -20.0, ()))
    return record, audio


class TestFiles:
    def test_all_audio_to_the_last_bit_and_little_of_it_in_memory(self, tmp_path: Path) -> None:
        record, audio = filled(tmp_path / TALK, 7)
        assert record.path == tmp_path / TALK
        assert record.audio_start_s == 0
        np.testing.assert_array_equal(record.audio, np.concatenate(audio))
        for number, samples in enumerate(audio):
            np.testing.assert_array_equal(record.chunk_audio(number), samples)
        assert record.chunk_audio(7) is None
        assert len(record._audio._held) == 2

    def test_other_programs_read_the_audio_at_any_time(self, tmp_path: Path) -> None:
        """No header is rewritten and nothing waits in a buffer, so what a crash leaves behind is whole."""
        record, audio = filled(tmp_path / TALK, 3)
        file = tmp_path / TALK / "audio.au"
        for more in range(3, 6):
            np.testing.assert_array_equal(load_audio(file), np.concatenate(audio))
            audio.append(np.full(6_400, more / 10, np.float32))
            record.append_audio(audio[-1])
        samples, rate = soundfile.read(str(file), dtype="float32")
        assert rate == 16_000
        np.testing.assert_array_equal(samples, np.concatenate(audio))

    def test_every_event_is_a_line_at_once(self, toy: Model, tmp_path: Path) -> None:
        record = SessionRecord(keep=tmp_path / TALK)
        session = toy.session(record, max_reply_tokens=3)
        for event in session.stream(babble(4)):
            lines = (tmp_path / TALK / "events.jsonl").read_bytes().splitlines()
            assert len(lines) == len(record)
            assert f'"type":"{event.type}"'.encode() in lines[record.events.index(event)]

    def test_a_recording_is_for_its_owner_only(self, tmp_path: Path) -> None:
        record, _ = filled(tmp_path / TALK, 1)
        record.append(Notice(0, "limit", "The limit is reached."))
        assert (tmp_path / TALK).stat().st_mode & 0o077 == 0
        assert all(file.stat().st_mode & 0o022 == 0 for file in (tmp_path / TALK).iterdir())

    def test_before_the_first_chunk_nothing_is_written(self, tmp_path: Path) -> None:
        record, _ = filled(tmp_path / TALK, 0)
        assert (record.path, len(record.audio), list(tmp_path.iterdir())) == (None, 0, [])

    def test_the_header_says_what_was_computed_with(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(keep=tmp_path / TALK), seed=3, bias=0.5)
        session.push(babble(1))
        header = SessionRecord.load(tmp_path / TALK).header
        assert header == session.record.header
        assert (header.settings["seed"], header.settings["bias"]) == (3, 0.5)
        assert header.model["name"] == toy.name
        assert len(header.model["fingerprint"]) == 64
        assert header.framing["prefix"] == list(session.prefix)
        framed = {*header.framing["prefix"], *header.framing["block"]}
        assert set(header.framing["texts"]) == {str(token) for token in framed}
        assert {"ai_widgets", "torch", "numpy", "python"} <= set(header.versions)
        assert header.created.endswith("+00:00")


class TestNames:
    def test_a_recording_is_never_overwritten(self, tmp_path: Path) -> None:
        filled(tmp_path / TALK, 1)
        with pytest.raises(RecordExistsError, match="exists already and is not overwritten: choose another name"):
            SessionRecord(keep=tmp_path / TALK)

    def test_a_name_that_another_session_took_in_the_meantime_is_not_overwritten(self, tmp_path: Path) -> None:
        late = SessionRecord(keep=tmp_path / TALK)
        _, audio = filled(tmp_path / TALK, 2)
        (notice,) = late.append_audio(np.zeros(6_400, np.float32))
        assert notice.kind == "not_written"
        np.testing.assert_array_equal(SessionRecord.load(tmp_path / TALK).audio, np.concatenate(audio))

    def test_in_a_folder_every_session_gets_a_name_of_its_own(self, tmp_path: Path) -> None:
        paths = [filled(tmp_path / "talks", 1)[0].path for _ in range(3)]
        assert len(set(paths)) == 3
        assert all(path is not None and path.parent == tmp_path / "talks" and path.suffix == ".aiw" for path in paths)

    @pytest.mark.parametrize(
        ("keep", "words"),
        [("/nowhere/at/all.aiw", "must be in a writable folder; /nowhere/at does not exist"), (__file__, "is a file")],
    )
    def test_a_name_that_cannot_be_written_is_refused(self, keep: str, words: str) -> None:
        with pytest.raises(SettingError, match=words):
            SessionRecord(keep=keep)

    def test_a_widget_keeps_every_session(self, build: Build, tmp_path: Path) -> None:
        page = build(keep=tmp_path)
        page.widget.feed(babble(0.8), 16_000)
        page.widget.reset()
        page.widget.feed(babble(0.4), 16_000)
        kept = [SessionRecord.load(path) for path in tmp_path.iterdir()]
        assert sorted(record.seconds for record in kept) == [pytest.approx(0.4), pytest.approx(0.8)]
        assert all(record.header.live == page.widget.live for record in kept)

    def test_a_widget_needs_a_folder(self, build: Build, tmp_path: Path) -> None:
        with pytest.raises(SettingError, match=r"names one recording; a widget needs a folder.*keep='.*talk'"):
            build(keep=tmp_path / TALK)


class TestFaults:
    @pytest.mark.parametrize("part", [0, 20])
    @pytest.mark.parametrize("failing", ["audio.au", "events.jsonl"])
    def test_a_full_disk_is_told_and_memory_goes_on(
        self, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, failing: str
    ) -> None:
        """Whether the disk refuses at once or takes a part first, of the audio or of an event."""
        record = SessionRecord(0.8, tmp_path / TALK)
        session = toy.session(record, max_reply_tokens=1)
        audio = babble(4)
        session.push(audio[: 3 * 6_400])
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", _full_disk(tmp_path / TALK / failing, part))
            events = session.push(audio[3 * 6_400 :])
        told = [(event.kind, event.chunk) for event in events if isinstance(event, Notice) and "_" in event.kind]
        later = failing == "events.jsonl"
        assert [kind for kind, _ in told if kind in ("not_written", "audio_discarded")] == [
            "not_written",
            "audio_discarded",
        ]
        assert told[0] == ("not_written", 3 + later)
        assert len([event for event in events if isinstance(event, Decision)]) == 7
        notice = next(event for event in events if isinstance(event, Notice) and event.kind == "not_written")
        assert notice.data["path"] == str(tmp_path / TALK)
        assert notice.data["why"] == (
            "the disk stored only a part of the " + ("event" if later else "chunk")
            if part
            else "No space left on device"
        )
        # The files end with a whole chunk and a whole event.
        kept = 3 + later
        np.testing.assert_array_equal(SessionRecord.load(tmp_path / TALK).audio, audio[: kept * 6_400])
        assert SessionRecord.load(tmp_path / TALK).count(Chunk) == 3
        # In memory the events are all there; between the file's audio and the newest there is a gap.
        assert record.count(Chunk) == 10
        np.testing.assert_array_equal(record.chunk_audio(2), audio[2 * 6_400 : 3 * 6_400])
        assert record.chunk_audio(5) is None
        np.testing.assert_array_equal(record.audio, audio[8 * 6_400 :])
        assert record.audio_start_s == pytest.approx(3.2)

    def test_an_interrupted_append_of_an_event_may_be_repeated(self, tmp_path: Path) -> None:
        """At whatever line Ctrl-C comes: an event is added once, in memory and in the file."""
        line, done = 0, False
        while not done:
            line += 1
            path = tmp_path / f"{line}.aiw"
            record = SessionRecord(0.8, path, max_events=2)
            left, done = line, True
            for number in range(4):
                for event in (Notice(number, "limit", "x" * number), Timing(number, 1.0, 2.0, 3.0, 0.0, 0.0)):
                    count = len(record)
                    bomb = Bomb(left, KeyboardInterrupt)
                    try:
                        with bomb:
                            record.append(event)
                    except KeyboardInterrupt:
                        done = False
                        if len(record) == count:
                            record.append(event)
                    left -= bomb.lines
            expected = [(kind, number) for number in range(4) for kind in ("notice", "timing")]
            assert [(event.type, event.chunk) for event in record.events] == expected
            assert record.events == SessionRecord.load(path).events
            assert len((path / "events.jsonl").read_bytes().splitlines()) == 8
        assert line > 60


def _full_disk(path: Path, part: int) -> Callable[[int, bytes], int]:
    """`os.write` on a disk that has room for `part` more bytes of one file."""
    write = os.write

    def full(file: int, data: bytes) -> int:
        if not os.path.samestat(os.fstat(file), path.stat()):
            return write(file, data)
        if part == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:part])

    return full


KILLED = """
import sys
import numpy as np
from ai_widgets.inference import load_model
from ai_widgets.record.record import SessionRecord

model = load_model("tiny", "cpu")
session = model.session(SessionRecord(0.4, sys.argv[1]), seed=0, bias=2.0, max_reply_tokens=8)
noise = np.random.default_rng(0)
while True:
    for event in session.stream(noise.uniform(-0.3, 0.3, 6400).astype(np.float32)):
        print(len(session.record), flush=True)
"""


def killed_at(path: Path, event: int) -> int:
    """Kill a session with SIGKILL once it has announced its `event`-th event; return the newest it announced."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise AssertionError("no pipe")
    newest = 0
    with process, process.stdout as lines:
        for line in lines:
            newest = int(line)
            if newest >= event:
                process.kill()
                break
        # What it announced before the signal arrived.
        for line in lines:
            newest = int(line) if line.endswith("\n") else newest
    return newest


@pytest.mark.parametrize("event", [1, 2, 7, 40, 111])
def test_a_session_that_is_killed_loses_at_most_the_chunk_at_work(tmp_path: Path, event: int) -> None:
    announced = killed_at(tmp_path / TALK, event)
    record = SessionRecord.load(tmp_path / TALK)
    assert len(record) >= announced
    assert record.chunks_heard - record.count(Chunk) in (0, 1)
    assert record.header.settings["seed"] == 0
