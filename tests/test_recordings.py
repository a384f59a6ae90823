"""Recordings on disk: what was saved is loaded, and of a cut or altered recording what is left of it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ai_widgets.errors import (
    ForeignRecordError,
    NewerRecordError,
    RecordError,
    RecordExistsError,
)
from ai_widgets.inference import Model
from ai_widgets.protocol import Notice
from ai_widgets.record import exact_flac
from ai_widgets.record.header import Header
from ai_widgets.record.record import SessionRecord
from tests.saved_sessions import TALK, recorded, same
from tests.signals import babble

FORMS = pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])


@pytest.fixture(scope="module")
def record(toy: Model) -> SessionRecord:
    return recorded(toy)


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
