"""Recordings on disk: what was saved is loaded, and of a cut or altered recording what is left of it."""

from __future__ import annotations

import json
import shutil
import struct
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import (
    ForeignRecordError,
    NewerRecordError,
    RecordError,
    RecordExistsError,
    RecordWarning,
)
from ai_widgets.inference import Model
from ai_widgets.protocol import Alternative, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.record import archive, exact_flac
from ai_widgets.record.header import Header
from ai_widgets.record.record import SessionRecord
from ai_widgets.special_tokens import Emotion
from tests import exact_flac_vectors
from tests.signals import Array, babble

TALK = "talk.aiw"
FORMS = pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])


@pytest.fixture(scope="module")
def record(toy: Model) -> SessionRecord:
    session = toy.session(seed=1, max_reply_tokens=10)
    session.push_clip(babble(4))
    session.change(bias=0.5)
    session.push(babble(2), 48_000)
    return session.record


def same(left: SessionRecord, right: SessionRecord) -> bool:
    headers = (replace(each.header, first_chunk=0, reduced=(0, 0)) for each in (left, right))
    return left.events == right.events and len({*map(repr, headers)}) == 1 and np.array_equal(left.audio, right.audio)


class TestSaveAndLoad:
    @FORMS
    def test_what_was_saved_is_loaded(self, record: SessionRecord, tmp_path: Path, folder: bool) -> None:
        where = record.save(tmp_path / TALK, folder=folder)
        assert where.is_dir() == folder
        loaded = SessionRecord.load(where)
        assert same(loaded, record)
        assert loaded.path == where
        assert loaded.decisions.equals(record.decisions)
        assert loaded.turns.equals(record.turns)
        assert repr(loaded) == repr(record)
        assert loaded.chunk_audio(3) is not None
        assert list(tmp_path.iterdir()) == [where]

    @FORMS
    def test_a_loaded_recording_is_saved_in_the_other_form(
        self, record: SessionRecord, tmp_path: Path, folder: bool
    ) -> None:
        first = SessionRecord.load(record.save(tmp_path / TALK, folder=folder))
        assert same(SessionRecord.load(first.save(tmp_path / "other.aiw", folder=not folder)), record)

    def test_a_running_session_is_saved_as_far_as_it_is(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(keep=tmp_path / "kept.aiw"), seed=1)
        session.push(babble(2))
        at_once = SessionRecord.load(session.record.save(tmp_path / TALK))
        assert same(at_once, session.record)
        session.push(babble(2))
        assert same(SessionRecord.load(session.record.save(tmp_path / TALK, overwrite=True)), session.record)

    def test_older_audio_that_was_discarded_stays_so(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(0.8), max_reply_tokens=1)
        session.push(babble(4))
        loaded = SessionRecord.load(session.record.save(tmp_path / TALK))
        assert same(loaded, session.record)
        assert loaded.audio_start_s == pytest.approx(3.2)
        assert loaded.chunk_audio(7) is None
        np.testing.assert_array_equal(loaded.chunk_audio(8), session.record.chunk_audio(8))
        assert loaded.seconds == pytest.approx(4.0)

    @FORMS
    def test_a_record_without_audio(self, toy: Model, tmp_path: Path, folder: bool) -> None:
        session = toy.session(SessionRecord(0), max_reply_tokens=1)
        session.push(babble(2))
        loaded = SessionRecord.load(session.record.save(tmp_path / TALK, folder=folder))
        assert same(loaded, session.record)
        assert len(loaded.audio) == 0

    def test_details_that_were_discarded_stay_so(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(max_events=10), max_reply_tokens=1)
        session.push(babble(4))
        loaded = SessionRecord.load(session.record.save(tmp_path / TALK))
        assert same(loaded, session.record)
        assert loaded.reduced == session.record.reduced == range(len(loaded) - 10)

    def test_an_empty_record(self, tmp_path: Path) -> None:
        loaded = SessionRecord.load(SessionRecord().save(tmp_path / TALK))
        assert (len(loaded), len(loaded.audio), loaded.header) == (0, 0, Header())

    def test_a_loaded_record_goes_on_in_memory(self, record: SessionRecord, tmp_path: Path) -> None:
        loaded = SessionRecord.load(record.save(tmp_path / TALK))
        loaded.append(Notice(9, "limit", "The limit is reached."))
        loaded.append_audio(np.ones(6_400, np.float32))
        assert loaded.events == (*record.events, Notice(9, "limit", "The limit is reached."))
        np.testing.assert_array_equal(loaded.audio, np.concatenate([record.audio, np.ones(6_400, np.float32)]))
        assert len(SessionRecord.load(tmp_path / TALK)) == len(record)

    def test_any_program_plays_the_audio_of_a_file(self, record: SessionRecord, tmp_path: Path) -> None:
        with zipfile.ZipFile(record.save(tmp_path / TALK)) as file, file.open("audio.flac") as audio:
            samples, rate = soundfile.read(audio, dtype="float32")
        assert rate == 16_000
        np.testing.assert_allclose(samples, record.audio, atol=2**-23)

    def test_a_file_may_hold_the_audio_of_a_folder(self, record: SessionRecord, tmp_path: Path) -> None:
        folder = record.save(tmp_path / "folder.aiw", folder=True)
        with zipfile.ZipFile(tmp_path / TALK, "w", zipfile.ZIP_DEFLATED) as file:
            for name in ("header.json", "events.jsonl", "audio.au"):
                file.write(folder / name, name)
        assert same(SessionRecord.load(tmp_path / TALK), record)

    def test_of_two_forms_of_audio_flac_counts(self, record: SessionRecord, tmp_path: Path) -> None:
        where = record.save(tmp_path / TALK)
        with zipfile.ZipFile(where, "a") as file:
            file.writestr("audio.au", b"no audio")
        assert same(SessionRecord.load(where), record)


class TestRefusals:
    @FORMS
    def test_nothing_is_overwritten_unless_asked(self, record: SessionRecord, tmp_path: Path, folder: bool) -> None:
        SessionRecord().save(tmp_path / TALK, folder=not folder)
        with pytest.raises(RecordExistsError, match=r"talk\.aiw exists already; overwrite=True replaces it"):
            record.save(tmp_path / TALK, folder=folder)
        assert len(SessionRecord.load(tmp_path / TALK)) == 0
        record.save(tmp_path / TALK, folder=folder, overwrite=True)
        assert same(SessionRecord.load(tmp_path / TALK), record)
        assert [path.name for path in tmp_path.iterdir()] == [TALK]

    def test_a_folder_that_is_no_recording_is_not_replaced(self, record: SessionRecord, tmp_path: Path) -> None:
        (tmp_path / TALK).mkdir()
        (tmp_path / TALK / "thesis.txt").write_text("precious")
        with pytest.raises(RecordExistsError, match="is a folder but no recording, and is not replaced"):
            record.save(tmp_path / TALK, overwrite=True)
        assert (tmp_path / TALK / "thesis.txt").read_text() == "precious"

    def test_the_recording_that_a_record_reads_from_is_not_replaced(
        self, record: SessionRecord, tmp_path: Path
    ) -> None:
        loaded = SessionRecord.load(record.save(tmp_path / TALK, folder=True))
        with pytest.raises(RecordExistsError, match="is the recording that this record reads from"):
            loaded.save(tmp_path / TALK, overwrite=True)

    @pytest.mark.parametrize(("name", "words"), [("talk.wav", "ends in .aiw"), ("no/talk.aiw", "does not exist")])
    def test_a_name_that_is_no_recordings_name(
        self, record: SessionRecord, tmp_path: Path, name: str, words: str
    ) -> None:
        with pytest.raises(RecordError, match=words):
            record.save(tmp_path / name)

    def test_a_full_disk_leaves_the_old_recording(
        self, record: SessionRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record.save(tmp_path / TALK)

        def full(*_: object) -> bool:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(exact_flac, "write", full)
        with pytest.raises(RecordError, match=r"cannot be written to .*: No space left on device"):
            SessionRecord().save(tmp_path / TALK, overwrite=True)
        monkeypatch.undo()
        assert same(SessionRecord.load(tmp_path / TALK), record)
        assert [path.name for path in tmp_path.iterdir()] == [TALK]

    def test_what_is_no_recording_is_refused(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
        (tmp_path / "empty").mkdir()
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "events.jsonl").write_text('{"name": "someone else\'s"}\n')
        (tmp_path / "third").mkdir()
        (tmp_path / "third" / "header.json").write_text('{"version": 2, "width": 80}')
        with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
            file.writestr("word/document.xml", "<xml/>")
        (tmp_path / "nothing").write_bytes(b"")
        for name in ("a.wav", "empty", "b.zip", "nothing", "third"):
            with pytest.raises(ForeignRecordError, match=r"no recording|not a recording"):
                SessionRecord.load(tmp_path / name)
        with pytest.raises(ForeignRecordError, match="holds no event"):
            SessionRecord.load(tmp_path / "other")
        with pytest.raises(RecordError, match="There is no recording"):
            SessionRecord.load(tmp_path / "absent.aiw")

    @FORMS
    def test_a_newer_format_is_refused_with_the_way_out(self, tmp_path: Path, folder: bool) -> None:
        where = SessionRecord().save(tmp_path / TALK, folder=True)
        header = json.loads((where / "header.json").read_text())
        header.update(version=[2, 0], versions={"ai_widgets": "1.7"})
        (where / "header.json").write_text(json.dumps(header))
        if not folder:
            with zipfile.ZipFile(tmp_path / "zip.aiw", "w") as file:
                file.write(where / "header.json", "header.json")
            where = tmp_path / "zip.aiw"
        with pytest.raises(NewerRecordError, match=r"written by ai_widgets 1\.7; .* pip install -U ai_widgets"):
            SessionRecord.load(where)


class TestNewerMinorVersion:
    def test_events_and_fields_of_a_later_version_are_kept(self, record: SessionRecord, tmp_path: Path) -> None:
        """asciinema's way: what is not known is passed over, and is there again in a copy."""
        where = record.save(tmp_path / TALK, folder=True)
        lines = (where / "events.jsonl").read_bytes().splitlines(keepends=True)
        unknown = b'{"type":"gesture","chunk":1,"wave":[1,2]}\n'
        mixed = b"".join(line + (unknown if number % 7 == 0 else b"") for number, line in enumerate(lines)) + unknown
        (where / "events.jsonl").write_bytes(mixed)
        header = json.loads((where / "header.json").read_text())
        (where / "header.json").write_text(json.dumps({**header, "version": [1, 9], "speaker": "Ada"}))
        loaded = SessionRecord.load(where)
        assert loaded.events == record.events
        assert [loaded.since(number, 1)[0] for number in range(len(loaded))] == list(record.events)
        copy = SessionRecord.load(loaded.save(tmp_path / "copy.aiw"))
        assert copy.events == record.events
        assert copy.header.extra == {"speaker": "Ada"}
        with zipfile.ZipFile(tmp_path / "copy.aiw") as file:
            assert file.read("events.jsonl") == mixed


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

WHOLE = st.integers(-(2**40), 2**40)
REAL = st.floats(allow_nan=False, allow_infinity=False, width=64)
TEXT = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["</script><img src=x onerror=alert(1)>", "a\nb\r\u2028\u2029c", "\ud800", "\x00", '"\\', "🦜́", '{"type":"turn"}']
)
JSON: Any = st.recursive(
    st.none() | st.booleans() | WHOLE | REAL | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TOKENS = st.lists(WHOLE, max_size=5).map(tuple)
ALTERNATIVES = st.lists(st.builds(Alternative, WHOLE, TEXT, REAL, REAL, REAL), max_size=2).map(tuple)
DRAW = st.none() | REAL
EVENTS = st.one_of(
    st.builds(
        Chunk,
        WHOLE,
        WHOLE,
        REAL,
        REAL,
        st.lists(REAL, max_size=3).map(tuple),
        st.lists(TEXT, max_size=2).map(tuple),
        TEXT,
    ),
    st.builds(
        Decision,
        *(WHOLE, WHOLE, REAL, WHOLE, st.sampled_from(["KEEP_SILENCE", "TEXT_BEGIN", "OTHER"])),
        *(REAL, REAL, REAL, REAL, REAL, REAL, DRAW, WHOLE, WHOLE, ALTERNATIVES, TOKENS, WHOLE, WHOLE, WHOLE),
        st.dictionaries(TEXT, JSON, max_size=2),
    ),
    st.builds(Token, WHOLE, WHOLE, WHOLE, WHOLE, REAL, TEXT, REAL, DRAW, WHOLE, WHOLE, ALTERNATIVES),
    st.builds(
        *(Turn, WHOLE, WHOLE, WHOLE, REAL, st.none() | st.sampled_from(Emotion), TEXT, TOKENS),
        st.sampled_from(["TEXT_END", "limit", "interrupted", "error"]),
    ),
    st.builds(Notice, WHOLE, TEXT, TEXT, st.dictionaries(TEXT, JSON, max_size=2)),
    st.builds(Timing, WHOLE, REAL, REAL, REAL, REAL, REAL, WHOLE, WHOLE, REAL, REAL, REAL, REAL),
)
SAMPLES = st.lists(
    st.floats(-1.5, 1.5, width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20
)


@given(st.lists(EVENTS, max_size=12), st.lists(SAMPLES, max_size=3), st.booleans())
def test_save_and_load_give_equal_events_and_audio(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], audio: list[list[float]], folder: bool
) -> None:
    here = tmp_path_factory.mktemp("given")
    record = SessionRecord(keep=here / "kept.aiw")
    for event in events:
        record.append(event)
    for samples in audio:
        record.append_audio(np.resize(np.array([*samples, 0], np.float32), 6_400))
    with warnings.catch_warnings():
        # Chunks and audio of different number are no concern here.
        warnings.simplefilter("ignore", RecordWarning)
        for where in (here / "kept.aiw", record.save(here / "saved.aiw", folder=folder)):
            loaded = SessionRecord.load(where) if where.exists() else SessionRecord()
            assert loaded.events[: len(events)] == tuple(events)
            np.testing.assert_array_equal(loaded.audio, record.audio)
    shutil.rmtree(here)


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


@given(st.lists(SAMPLES, min_size=1, max_size=3))
def test_flac_and_its_rest_are_exact(audio: list[list[float]]) -> None:
    for samples in audio:
        array: Array = np.array(samples, np.float32)
        whole, rest = exact_flac.split(array)
        assert np.abs(whole).max(initial=0) <= 1 << 23
        np.testing.assert_array_equal(exact_flac.join(whole, rest), array)


def test_the_web_page_reads_the_same_split() -> None:
    assert exact_flac_vectors.PATH.read_text(encoding="utf-8") == exact_flac_vectors.text()


def test_16_bit_audio_needs_no_rest(tmp_path: Path) -> None:
    record = SessionRecord()
    for number in range(3):
        record.append_audio((np.arange(6_400, dtype=np.int16) * (number + 1) / 32_768).astype(np.float32))
        record.append(Chunk(number, 0, number * 0.4, -20.0, ()))
    with zipfile.ZipFile(record.save(tmp_path / TALK)) as file:
        assert file.namelist() == ["mimetype", "header.json", "events.jsonl", "audio.flac"]
    np.testing.assert_array_equal(SessionRecord.load(tmp_path / TALK).audio, record.audio)
