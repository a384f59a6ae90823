"""`record.to_html`: one file that shows a record without kernel and network, whatever its texts contain."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ai_widgets.errors import RecordError
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice
from ai_widgets.record import html, packed_events
from ai_widgets.record.header import Header
from ai_widgets.record.packed_events import LEVELS, pack
from ai_widgets.record.record import SessionRecord

from .page_record import record_of

HOSTILE = "<img src=x onerror=alert(1)></script><!--\u2028\u2029&amp;\ud800\x00"
VECTORS = Path(__file__).parent / "vectors" / "packed_events.json"


class Elements(HTMLParser):
    """Elements of a document with their attributes, and the text of each script element by its id."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self._script: str | None = None
        self._inside = False
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._inside, self._script = True, dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


def with_header(record: SessionRecord, **values: Any) -> SessionRecord:
    record._header = Header(**values)
    return record


def header_of(document: str) -> dict[str, Any]:
    found = json.loads(Elements(document).scripts["aiw-header"])
    assert isinstance(found, dict)
    return found


def test_a_page_has_one_file_and_no_address() -> None:
    document = str(record_of(30, audio=True).to_html())
    elements = Elements(document)
    assert not [tag for tag, attributes in elements.tags if "src" in attributes or "href" in attributes]
    (policy,) = [a["content"] or "" for tag, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "connect-src" not in policy


def test_hostile_text_stays_data_in_reply_title_and_settings() -> None:
    calm = Elements(str(record_of(30).to_html(title="Calm")))
    record = with_header(
        record_of(30, text=f" {HOSTILE}"), settings={"system_prompt": HOSTILE}, model={"name": HOSTILE}, created=HOSTILE
    )
    hostile = Elements(str(record.to_html(title=HOSTILE)))
    # The same elements as for a calm text: none was made of the text, and none was ended by it.
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in calm.tags]
    assert not [a for _, a in hostile.tags if any(name.startswith("on") for name in a)]
    assert hostile.scripts[None] == calm.scripts[None]
    assert header_of(str(record.to_html(title=HOSTILE)))["settings"]["system_prompt"] == HOSTILE.replace("\ud800", "?")


@settings(max_examples=50)
@given(st.text())
def test_any_title_is_read_back_as_it_was(title: str) -> None:
    document = str(SessionRecord().to_html(title=title))
    shown = title.encode("utf-8", "replace").decode("utf-8")
    assert header_of(document)["title"] == shown
    assert len(re.findall("<script", document, re.IGNORECASE)) == 4


def test_the_licences_of_the_viewers_libraries_are_passed_on() -> None:
    assert "Copyright" in Elements(str(SessionRecord().to_html())).scripts["aiw-licenses"]


def test_the_same_record_gives_the_same_page() -> None:
    assert str(record_of(30, audio=True).to_html()) == str(record_of(30, audio=True).to_html())


def test_an_hour_without_audio_takes_less_than_a_megabyte() -> None:
    document = str(record_of(9000).to_html(audio=False))
    assert len(document.encode("utf-8")) <= 1_000_000
    # What had to be left out for that, the page says.
    assert "to keep this page small" in " ".join(header_of(document)["notes"])


def test_a_short_record_is_kept_exactly() -> None:
    assert header_of(str(record_of(100).to_html(audio=False)))["notes"] == []


def test_audio_is_the_recorded_one_as_mp3() -> None:
    record = SessionRecord()
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(10 * CHUNK_SAMPLES) / 16_000)).astype(np.float32)
    for part in tone.reshape(10, -1):
        record.append_audio(part)
    scripts = Elements(str(record.to_html())).scripts
    decoded, rate = soundfile.read(BytesIO(b64decode(scripts["aiw-audio"])), dtype="float32")
    assert rate == 16_000
    # Where the page expects it: each sample after the delay that the header tells.
    start = round(header_of(str(record.to_html()))["audio"]["delay_s"] * 16_000)
    heard = decoded[start : start + len(tone)]
    assert np.sqrt(np.mean((heard - tone)[800:-800] ** 2)) < 0.02


def test_audio_is_left_out_on_request_and_missing_audio_is_told() -> None:
    assert "aiw-audio" not in Elements(str(record_of(5, audio=True).to_html(audio=False))).scripts
    short = SessionRecord(audio_seconds=0.8)
    for _ in range(5):
        short.append_audio(np.zeros(CHUNK_SAMPLES, np.float32))
    header = header_of(str(short.to_html()))
    assert header["audio"]["start_s"] == pytest.approx(1.2)
    assert header["notes"] == ["The record kept no audio before 0:01.2."]
    none = SessionRecord(audio_seconds=0)
    none.append_audio(np.zeros(CHUNK_SAMPLES, np.float32))
    assert header_of(str(none.to_html()))["notes"] == ["The record kept no audio."]


def test_an_empty_record_has_a_page() -> None:
    assert header_of(str(SessionRecord().to_html()))["audio"] is None


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "talk.html"
    page = record_of(5).to_html(path)
    assert path.read_text(encoding="utf-8") == str(page)
    assert [entry.name for entry in tmp_path.iterdir()] == ["talk.html"]
    with pytest.raises(RecordError, match="cannot be written"):
        page.save(tmp_path / "missing" / "talk.html")


def test_writing_a_page_takes_the_same_memory_for_any_length_of_audio(tmp_path: Path) -> None:
    """Encoded, and written as base64, in pieces: measured from the record to the file."""
    peaks = []
    for chunks in (300, 900):
        record = SessionRecord(audio_seconds=None)
        # The same array each time, so that the record itself takes no memory.
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, CHUNK_SAMPLES).astype(np.float32)
        for _ in range(chunks):
            record.append_audio(noise)
        tracemalloc.start()
        record.to_html(tmp_path / "talk.html")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Four minutes more are 1 MB of MP3 and 1.3 MB of base64.
    assert (tmp_path / "talk.html").stat().st_size > 1_900_000
    assert peaks[1] - peaks[0] < 300_000


def test_a_page_is_read_again_after_it_was_written(tmp_path: Path) -> None:
    page = record_of(400, audio=True).to_html(tmp_path / "talk.html")
    both = zip(page.pieces(), page.pieces(), strict=True)
    assert "".join(one for one, other in both if one == other) == str(page)
    assert str(page).encode("utf-8") == (tmp_path / "talk.html").read_bytes()
    assert len(page) == (tmp_path / "talk.html").stat().st_size


def test_a_page_for_a_folder_that_is_missing_is_refused_before_a_run(tmp_path: Path) -> None:
    html.check_folder(tmp_path / "talk.html")
    for path in (tmp_path, tmp_path / "missing" / "talk.html"):
        with pytest.raises(RecordError, match="Name a file in an existing folder"):
            html.check_folder(path)


def test_a_notebook_shows_the_page_in_a_frame_that_cannot_reach_it() -> None:
    ((tag, attributes),) = Elements(record_of(5).to_html()._repr_html_()).tags
    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts"
    assert (attributes["srcdoc"] or "").startswith("<!doctype html>")


def test_a_source_tree_that_was_not_built_says_how_to_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(html, "files", lambda _: tmp_path)
    with pytest.raises(RecordError, match="make setup"):
        SessionRecord().to_html()


def test_numbers_that_json_lacks_are_written_as_unknown() -> None:
    notice = Notice(0, "limit", "Said.", {"value": float("nan"), "nested": [float("inf")]})
    assert b"NaN" not in gzip.decompress(pack([notice]))
    assert packed_events.finite({"a": [float("-inf"), 1.5]}) == {"a": [None, 1.5]}


def test_coarse_levels_keep_logits_exact_and_choices_as_they_are() -> None:
    events = list(record_of(60).events)
    for level in LEVELS:
        data = gzip.decompress(pack(events, level))
        table = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])["tables"]["decision"]
        logits = [np.float32(value) for value in table["columns"]["logit_text"]["single"]]
        assert logits == [np.float32(event.logit_text) for event in events if isinstance(event, Decision)]


def test_events_without_envelope_or_log_mel_are_packed() -> None:
    bare = [replace(event, envelope=(), mel="") for event in record_of(3).events if isinstance(event, Chunk)]
    for level in LEVELS:
        assert pack(bare, level)


def vectors() -> dict[str, Any]:
    """Events, and what each level of detail makes of them before compression."""
    events: list[Event] = list(record_of(26).events)
    levels = [b64encode(gzip.decompress(pack(events, level))).decode("ascii") for level in LEVELS]
    return {"events": [event.to_json() for event in events], "levels": levels}


def test_vectors_for_the_page_are_up_to_date() -> None:
    assert json.loads(VECTORS.read_text(encoding="utf-8")) == json.loads(json.dumps(vectors()))
