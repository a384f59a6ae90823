"""A record for other programs: each file is read by a program that is not ours."""

from __future__ import annotations

import builtins
import json
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import webvtt
from praatio import textgrid
from praatio.data_classes.textgrid import Textgrid

from ai_widgets.errors import MissingPackageError, RecordError, RecordWarning, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.record.tables import COLUMNS
from ai_widgets.special_tokens import Emotion
from tests.signals import babble

HOSTILE = (
    'She said "hi" <b>&amp;</b> --> 00:00:01.000',
    "two\n\nlines\r\u2028and\ta tab",
    "</script><img src=x onerror=alert(1)>",
    "Größe 世界 🦜\u202e\x07\x1b[31m",
    "",
    "\ud800 lone",
)


@pytest.fixture(scope="module")
def record(toy: Model) -> SessionRecord:
    session = toy.session(seed=1, max_reply_tokens=10)
    session.push_clip(babble(4))
    session.change(bias=0.5)
    session.push(babble(2))
    return session.record


@pytest.fixture
def hostile() -> SessionRecord:
    """Replies of all kinds of text; two in neighbouring chunks, one far later."""
    record = SessionRecord()
    for number, text in enumerate(HOSTILE):
        chunk = number * 5 + (number == 2)
        record.append(Chunk(chunk, 0, chunk * 0.4, -20.0, ()))
        record.append(Decision(chunk, 0, chunk * 0.4, 5, "TEXT_BEGIN", 0.25, 0.75, 0.0, 0.0, 1.0, 1.0, None, 5, 20))
        for index in range(3):
            record.append(Token(chunk, number, index, 7, 0.5, text[index : index + 1], 0.5, 0.25, 7, 21 + index))
        record.append(
            Turn(chunk, number, 0, chunk * 0.4, Emotion.HAPPY if number % 2 else None, text, (7,), "TEXT_END")
        )
        record.append(Notice(chunk, "limit", text))
        record.append(Notice(chunk, "settings", "twice", {"b": text, "a": [1, None]}))
        record.append(Timing(chunk, 1.0, 2.0, 3.0, 4.0, 5.0))
    return record


class TestWav:
    @pytest.mark.parametrize(("bits", "subtype"), [(32, "FLOAT"), (16, "PCM_16")])
    def test_the_audio(self, record: SessionRecord, tmp_path: Path, bits: int, subtype: str) -> None:
        path = record.to_wav(tmp_path / "talk.wav", bits=bits)
        samples, rate = soundfile.read(str(path), dtype="float32")
        assert (rate, soundfile.info(str(path)).subtype) == (16_000, subtype)
        np.testing.assert_allclose(samples, record.audio, atol=0 if bits == 32 else 2**-15)

    def test_a_later_beginning_is_told(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(0.8), max_reply_tokens=1)
        session.push(babble(4))
        with pytest.warns(RecordWarning, match=r"begins 0:03\.2 after the start of the session"):
            path = session.record.to_wav(tmp_path / "talk.wav")
        np.testing.assert_array_equal(soundfile.read(str(path), dtype="float32")[0], session.record.audio)

    def test_no_audio_is_an_error_and_leaves_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(RecordError, match="keeps no audio"):
            SessionRecord(0).to_wav(tmp_path / "talk.wav")
        assert list(tmp_path.iterdir()) == []

    def test_other_bits(self, record: SessionRecord, tmp_path: Path) -> None:
        with pytest.raises(SettingError, match="bits must be 16 or 32, not 8"):
            record.to_wav(tmp_path / "talk.wav", bits=8)


class TestTables:
    def test_jsonl_is_every_event(self, hostile: SessionRecord, tmp_path: Path) -> None:
        path = hostile.to_jsonl(tmp_path / "talk.jsonl")
        lines = [json.loads(line) for line in path.read_text("ascii").split("\n")[:-1]]
        assert [Event.from_json(line) for line in lines] == list(hostile.events)

    @pytest.mark.parametrize("kind", [kind.type for kind in COLUMNS])
    @pytest.mark.parametrize("details", [False, True])
    def test_csv_and_parquet_are_the_table(
        self, hostile: SessionRecord, tmp_path: Path, kind: str, details: bool
    ) -> None:
        table = hostile.table(kind, details=details)
        csv = pd.read_csv(hostile.to_csv(tmp_path / "t.csv", kind, details=details), keep_default_na=False)
        parquet = pd.read_parquet(hostile.to_parquet(tmp_path / "t.parquet", kind, details=details))
        for read in (csv, parquet):
            assert list(read.columns) == list(table.columns)
            assert len(read) == len(table)
        for name in table.select_dtypes("number").columns:
            np.testing.assert_array_equal(parquet[name].to_numpy(), table[name].to_numpy())
            np.testing.assert_allclose(csv[name].to_numpy(), table[name].to_numpy(), rtol=1e-15)
        for name in ("text", "message"):
            if name in table:
                whole = [text.replace("\ud800", "?") for text in table[name]]
                assert list(parquet[name]) == whole

    def test_lists_and_mappings_are_json(self, hostile: SessionRecord, tmp_path: Path) -> None:
        parquet = pd.read_parquet(hostile.to_parquet(tmp_path / "t.parquet", "notice", details=True))
        assert json.loads(parquet.data[1]) == {"b": HOSTILE[0], "a": [1, None]}

    def test_parquet_without_pyarrow_says_what_to_install(
        self, record: SessionRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = builtins.__import__

        def absent(name: str, *rest: Any) -> Any:
            if name == "pyarrow":
                raise ImportError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", absent)
        with pytest.raises(MissingPackageError, match=r'pip install "ai_widgets\[parquet\]"'):
            record.to_parquet(tmp_path / "t.parquet", "decision")

    def test_another_kind_and_another_folder(self, record: SessionRecord, tmp_path: Path) -> None:
        with pytest.raises(SettingError, match="There is no table 'talk'"):
            record.to_csv(tmp_path / "t.csv", "talk")
        with pytest.raises(RecordError, match="cannot be written: No such file or directory"):
            record.to_csv(tmp_path / "no" / "t.csv", "decision")


class TestTextGrid:
    def read(self, record: SessionRecord, tmp_path: Path) -> Textgrid:
        path = record.to_textgrid(tmp_path / "talk.TextGrid")
        # Strict: overlaps, gaps and times beyond the end are errors.
        return textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")

    def test_tiers(self, record: SessionRecord, tmp_path: Path) -> None:
        grid = self.read(record, tmp_path)
        assert grid.tierNames == ("decisions", "replies", "tokens", "notices")
        decisions = grid.getTier("decisions").entries
        assert [entry.start for entry in decisions] == pytest.approx(list(record.decisions.start_s))
        assert [entry.label.split()[0] for entry in decisions] == list(record.decisions.choice)
        replies = grid.getTier("replies").entries
        assert [entry.start for entry in replies] == pytest.approx(list(record.turns.start_s + 0.4))
        assert len(grid.getTier("tokens").entries) == len(record.tokens)
        assert len(grid.getTier("notices").entries) == record.notices.chunk.nunique()

    def test_hostile_text_stays_in_its_label(self, hostile: SessionRecord, tmp_path: Path) -> None:
        grid = self.read(hostile, tmp_path)
        labels = [entry.label for entry in grid.getTier("replies").entries]
        assert labels[0] == HOSTILE[0]
        assert labels[1] == "[happy] two  lines  and a tab"
        assert len(labels) == len(HOSTILE)
        assert all("\x1b" not in label and "\n" not in label for label in labels)
        marks = [entry.label for entry in grid.getTier("notices").entries]
        # The reader undoes the doubling of quotation marks in intervals, but not in points.
        assert marks[0].replace('""', '"') == f"limit: {HOSTILE[0]} | settings: twice"

    def test_an_empty_record(self, tmp_path: Path) -> None:
        path = SessionRecord().to_textgrid(tmp_path / "talk.TextGrid")
        assert path.read_text().count("IntervalTier") == 3


class TestWebVtt:
    def test_captions(self, record: SessionRecord, tmp_path: Path) -> None:
        cues = webvtt.read(str(record.to_webvtt(tmp_path / "talk.vtt")))
        assert [cue.start_in_seconds for cue in cues] == [int(start + 0.4 + 1e-9) for start in record.turns.start_s]
        for before, after in pairwise(cues):
            assert before.end <= after.start

    def test_hostile_text_stays_in_its_cue(self, hostile: SessionRecord, tmp_path: Path) -> None:
        path = hostile.to_webvtt(tmp_path / "talk.vtt")
        cues = webvtt.read(str(path))
        assert len(cues) == len(HOSTILE)
        assert unescape(cues[0].text) == 'She said "hi" <b>&amp;</b> --> 00:00:01.000'
        assert cues[1].text == "two lines and a tab"
        assert "(empty reply)" in cues[4].text
        text = path.read_text("utf-8")
        assert text.count("-->") == len(HOSTILE)
        assert "<img" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text

    def test_a_caption_ends_where_the_next_begins(self, hostile: SessionRecord, tmp_path: Path) -> None:
        cues = webvtt.read(str(hostile.to_webvtt(tmp_path / "talk.vtt")))
        assert (cues[0].end, cues[1].start) == ("00:00:02.400", "00:00:02.400")


class TestPlots:
    @pytest.mark.parametrize(
        ("kind", "axes"),
        [
            ("timeline", ["time [s]", "level [dBFS]", "p(TEXT_BEGIN)", "context [positions]"]),
            ("tokens", ["token [number in the session]", "probability"]),
            ("latency", ["time [s]", "time per chunk [ms]"]),
            ("calibration", ["p(TEXT_BEGIN), mean of a bin", "share of decisions with a reply due"]),
        ],
    )
    @pytest.mark.parametrize("empty", [False, True])
    def test_every_figure_has_a_title_and_units(
        self, record: SessionRecord, kind: str, axes: list[str], empty: bool
    ) -> None:
        shown = SessionRecord() if empty else record
        labels = [False] * shown.count(Decision) if kind == "calibration" else None
        layout = shown.plot(kind, labels=labels).to_dict()["layout"]
        titles = [axis["title"]["text"] for name, axis in layout.items() if "axis" in name and "title" in axis]
        assert set(titles) == set(axes)
        assert layout["title"]["text"]

    def test_what_the_timeline_draws(self, record: SessionRecord) -> None:
        drawn = {trace.name: trace for trace in record.plot().data}
        np.testing.assert_array_equal(drawn["p(TEXT_BEGIN)"].y, record.decisions.p_text)
        np.testing.assert_allclose(drawn["reply"].x, record.turns.start_s + 0.4)
        begun = record.decisions[record.decisions.choice == "TEXT_BEGIN"]
        np.testing.assert_array_equal(drawn["reply"].y, begun.p_text)
        assert len(drawn["notice"].x) == len(record.notices)

    def test_hover_texts_are_no_html(self, hostile: SessionRecord) -> None:
        for kind in ("timeline", "tokens"):
            for trace in hostile.plot(kind).data:
                assert all("<" not in text for text in (trace.text if trace.text is not None else ()))

    def test_calibration(self, hostile: SessionRecord) -> None:
        """Six decisions with p = 0.75, three with a reply due: one point, and the error is the distance."""
        figure = hostile.plot("calibration", labels=[True, False] * 3)
        points = figure.data[1]
        assert (list(points.x), list(points.y), list(points.customdata)) == ([0.75], [0.5], [6])
        assert "(ECE) 0.250" in figure.layout.title.text

    @pytest.mark.parametrize(
        ("kind", "labels", "words"),
        [
            ("pie", None, "There is no figure 'pie'; the figures are timeline, tokens, latency, calibration"),
            ("calibration", None, "needs labels="),
            ("calibration", [True], "6 decisions and 1 labels"),
            ("latency", [True], r"labels are for plot\('calibration'\)"),
        ],
    )
    def test_what_cannot_be_drawn(
        self, hostile: SessionRecord, kind: str, labels: list[bool] | None, words: str
    ) -> None:
        with pytest.raises(SettingError, match=words):
            hostile.plot(kind, labels=labels)
