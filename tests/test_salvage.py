"""A recording that was cut, altered or damaged: what is whole is read, and what is missing is said."""

from __future__ import annotations

import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ai_widgets.errors import (
    RecordError,
    RecordWarning,
)
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Notice, Turn
from ai_widgets.record import archive
from ai_widgets.record.header import Header
from ai_widgets.record.record import SessionRecord
from ai_widgets.special_tokens import Emotion
from tests.saved_sessions import TALK, recorded, same

FORMS = pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])


@pytest.fixture(scope="module")
def record(toy: Model) -> SessionRecord:
    return recorded(toy)


class TestSalvage:
    """A recording that is cut or altered opens with a warning and a notice on what is missing."""

    @pytest.fixture
    def folder(self, record: SessionRecord, tmp_path: Path) -> Path:
        return record.save(tmp_path / TALK, folder=True)

    def salvaged(self, where: Path) -> tuple[SessionRecord, Notice]:
        with pytest.warns(RecordWarning, match="is not complete: ") as told:
            loaded = SessionRecord.load(where)
        *_, notice = loaded.of_type(Notice)
        assert notice.kind == "salvaged"
        assert [str(each.message) for each in told] == [notice.message]
        return loaded, notice

    def test_a_last_line_that_is_cut(self, record: SessionRecord, folder: Path) -> None:
        lines = (folder / "events.jsonl").read_bytes()
        (folder / "events.jsonl").write_bytes(lines[:-10])
        loaded, notice = self.salvaged(folder)
        assert loaded.events[:-1] == record.events[:-1]
        assert "1 of its events is cut off or damaged" in notice.message
        assert notice.data == {"bad_events": 1}

    def test_lines_in_the_middle_that_are_altered(self, record: SessionRecord, folder: Path) -> None:
        lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
        lines[3] = b"\x00\xff" * 20 + b"\n"
        lines[5] = b'{"type":"chunk"}\n'
        lines[8] = lines[8].replace(b'"chunk":', b'"chunk":1e400,"was":')
        (folder / "events.jsonl").write_bytes(b"".join(lines))
        loaded, notice = self.salvaged(folder)
        expected = [event for number, event in enumerate(record.events) if number not in (3, 5, 8)]
        assert list(loaded.events[:-1]) == expected
        assert notice.data["bad_events"] == 3

    def test_audio_that_is_shorter_than_the_events(self, record: SessionRecord, folder: Path) -> None:
        audio = (folder / "audio.au").read_bytes()
        (folder / "audio.au").write_bytes(audio[: 28 + 4 * 6_400 * 3 + 17])
        loaded, notice = self.salvaged(folder)
        np.testing.assert_array_equal(loaded.audio, record.audio[: 3 * 6_400])
        missing = record.chunks_heard - 3
        assert notice.data["audio_missing_s"] == pytest.approx(missing * 0.4)
        assert f"the audio of its last {missing * 0.4:.1f} s is missing" in notice.message

    @pytest.mark.parametrize("name", ["audio.au", "header.json", "events.jsonl"])
    def test_a_part_that_is_missing(self, record: SessionRecord, folder: Path, name: str) -> None:
        (folder / name).unlink()
        loaded, notice = self.salvaged(folder)
        if name != "events.jsonl":
            assert loaded.events[:-1] == record.events
        if name != "audio.au":
            np.testing.assert_array_equal(loaded.audio, record.audio)
        assert {"audio.au": "audio", "header.json": "header", "events.jsonl": "events"}[name] in notice.message

    @pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'"\xff"', b" " * 5_000_000])
    def test_a_header_that_is_damaged(self, record: SessionRecord, folder: Path, content: bytes) -> None:
        (folder / "header.json").write_bytes(content)
        loaded, notice = self.salvaged(folder)
        assert loaded.events[:-1] == record.events
        assert notice.data["header"] == "damaged"

    def test_the_salvaged_part_is_saved_as_a_whole_recording(self, folder: Path, tmp_path: Path) -> None:
        lines = (folder / "events.jsonl").read_bytes()
        (folder / "events.jsonl").write_bytes(lines[:-10])
        loaded, _ = self.salvaged(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = SessionRecord.load(loaded.save(tmp_path / "again.aiw"))
        assert again.events == loaded.events

    @pytest.mark.parametrize("name", ["events.jsonl", "audio.flac", "audio.rest"])
    def test_one_member_of_a_file_that_is_altered(self, record: SessionRecord, tmp_path: Path, name: str) -> None:
        where = record.save(tmp_path / TALK)
        with zipfile.ZipFile(where) as file:
            info = file.getinfo(name)
        data = bytearray(where.read_bytes())
        names, extra = struct.unpack_from("<2H", data, info.header_offset + 26)
        middle = info.header_offset + 30 + names + extra + info.compress_size // 2
        data[middle : middle + 4] = bytes(each ^ 0xFF for each in data[middle : middle + 4])
        where.write_bytes(data)
        loaded, notice = self.salvaged(where)
        assert name.partition(".")[0] in notice.message
        whole = [event for event in loaded.events[:-1] if event in record.events]
        assert len(whole) > len(record) // 5

    def test_a_file_cut_at_any_place_gives_what_is_left(self, record: SessionRecord, tmp_path: Path) -> None:
        data = record.save(tmp_path / "whole.aiw").read_bytes()
        heard, where = [], tmp_path / TALK
        for part in range(1, 20):
            where.write_bytes(data[: len(data) * part // 20])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RecordWarning)
                loaded = SessionRecord.load(where)
            kept = len(loaded) - 1
            assert loaded.events[:kept] == record.events[:kept]
            assert loaded.events[-1].kind == "salvaged"  # type: ignore[attr-defined]
            heard.append(len(loaded.audio) / len(record.audio))
        assert heard == sorted(heard)

    def test_a_small_file_cannot_fill_the_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive, "SMALL_BYTES", 100_000)
        with zipfile.ZipFile(tmp_path / TALK, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("header.json", Header().to_bytes())
            file.writestr("events.jsonl", b"\n" * 2_000_000)
        with pytest.raises(RecordError, match=r"its events\.jsonl unpacks to more than .* bytes"):
            SessionRecord.load(tmp_path / TALK)

    def test_names_in_an_archive_are_never_paths(self, record: SessionRecord, tmp_path: Path) -> None:
        where = record.save(tmp_path / TALK)
        with zipfile.ZipFile(where, "a") as file:
            file.writestr("../escaped.txt", "out")
            file.writestr("/absolute.txt", "out")
            file.writestr("x/../../header.json", "out")
        assert same(SessionRecord.load(where), record)
        assert [path.name for path in tmp_path.iterdir()] == [TALK]


# Property tests ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines() -> bytes:
    record = SessionRecord()
    record.append(Chunk(0, 0, 0.0, -20.0, (0.5,) * 16, ("clipped",), "AAAA"))
    record.append(Turn(0, 0, 0, 0.0, Emotion.HAPPY, "Grüße, 世界\n\u2028", (1, 2), "TEXT_END"))
    record.append(Notice(0, "limit", "Ende", {"zwölf": [1, {"a": None}]}))
    written = bytearray()
    record.copy_events(written.extend)
    return bytes(written)


def test_events_cut_at_any_byte_give_all_whole_lines(lines: bytes, tmp_path: Path) -> None:
    (tmp_path / TALK).mkdir()
    (tmp_path / TALK / "header.json").write_bytes(Header().to_bytes())
    # A last line that lacks only its line end is whole.
    ends = [place for place, byte in enumerate(lines) if byte == ord("\n")]
    for end in range(len(lines) + 1):
        (tmp_path / TALK / "events.jsonl").write_bytes(lines[:end])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordWarning)
            loaded = SessionRecord.load(tmp_path / TALK)
        whole = [each for each in loaded.events if not (isinstance(each, Notice) and each.kind == "salvaged")]
        assert len(whole) == sum(end >= place for place in ends), end
