"""`PageFile`: a file in the browser reads like one on disk, whatever is read, and whatever the page does."""

from __future__ import annotations

import io
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import AudioError
from ai_widgets.widget.files import page_file
from ai_widgets.widget.files.page_file import KEPT_PIECES, PageFile

SIZE = 5000
DATA = bytes((7 * place + place // 256) % 251 for place in range(SIZE))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_file, "PIECE_BYTES", 64)


def served(data: bytes = DATA) -> tuple[PageFile, list[tuple[int, int]]]:
    """A file whose page answers at once, and the ranges it was asked for."""
    asked: list[tuple[int, int]] = []

    def ask(offset: int, length: int) -> None:
        asked.append((offset, length))
        file.take(offset, data[offset : offset + length])

    file = PageFile("talk.wav", len(data), ask)
    return file, asked


SEEKS = st.tuples(st.just("seek"), st.integers(-SIZE - 500, SIZE + 500), st.sampled_from([0, 1, 2]))
READS = st.tuples(st.just("read"), st.integers(-1, 700), st.just(0))


@pytest.mark.usefixtures("small_pieces")
@given(st.lists(SEEKS | READS, max_size=30), st.sampled_from([0, 1, 63, 64, 65, SIZE]))
def test_any_sequence_of_seek_and_read_equals_a_file_in_memory(steps: list[tuple[str, int, int]], size: int) -> None:
    file, asked = served(DATA[:size])
    model = io.BytesIO(DATA[:size])
    for step, value, whence in steps:
        if step == "read":
            assert file.read(value) == model.read(value)
        elif whence == 0 and value < 0:
            with pytest.raises(ValueError, match="at least 0"):
                file.seek(value)
        else:
            assert file.seek(value, whence) == model.seek(value, whence)
        assert file.tell() == model.tell()
    assert all(0 < length <= 64 and offset + length <= size for offset, length in asked)


@pytest.mark.usefixtures("small_pieces")
def test_each_piece_is_asked_for_once_while_it_is_kept_and_few_are_kept() -> None:
    file, asked = served()
    assert file.read() == DATA
    assert [offset for offset, _ in asked] == list(range(0, SIZE, 64))
    asked.clear()
    file.seek(-64 * (KEPT_PIECES - 1), io.SEEK_END)
    file.read()
    assert asked == [], "the newest pieces are at hand"
    file.seek(0)
    file.read(64)
    assert asked == [(0, 64)]


@pytest.mark.usefixtures("small_pieces")
def test_a_read_across_pieces_is_whole_since_decoders_take_a_short_one_for_the_end() -> None:
    file, _ = served()
    file.seek(60)
    buffer = bytearray(200)
    assert file.readinto(buffer) == 200
    assert bytes(buffer) == DATA[60:260]


def reading(file: PageFile) -> tuple[Thread, list[object]]:
    """Read all of a file on another thread; what came of it."""
    came: list[object] = []

    def read() -> None:
        try:
            came.append(file.read())
        except AudioError as error:
            came.append(str(error))

    thread = Thread(target=read)
    thread.start()
    return thread, came


@pytest.mark.usefixtures("small_pieces")
class TestAnswers:
    def file(self, answers: dict[int, list[tuple[int, bytes]]], patience: float = 60.0) -> PageFile:
        """A file of 128 bytes; `answers` says what comes for each range that is asked for."""

        def ask(offset: int, _: int) -> None:
            for place, data in answers.get(offset, [(offset, DATA[offset : offset + 64])]):
                file.take(place, data)

        file = PageFile("talk.wav", 128, ask, patience)
        return file

    def test_duplicates_and_unrequested_ranges_are_discarded(self) -> None:
        first = [(64, b"x" * 64), (9999, b"x" * 64), (0, DATA[:64]), (0, b"y" * 64)]
        assert self.file({0: first}).read() == DATA[:128]

    @pytest.mark.parametrize("data", [b"", DATA[:63], DATA[:65]], ids=["empty", "short", "long"])
    def test_a_range_of_another_length_ends_the_file_in_a_sentence(self, data: bytes) -> None:
        file = self.file({64: [(64, data)]})
        assert file.read(64) == DATA[:64]
        with pytest.raises(AudioError, match=rf"sent {len(data)} bytes of talk.wav where 64 were requested"):
            file.read(1)
        with pytest.raises(AudioError, match="sent"):
            file.read(1)

    def test_a_page_that_is_gone_ends_the_file_in_a_sentence(self) -> None:
        with pytest.raises(AudioError, match=r"page that holds talk.wav has sent no .* for 0.01 s"):
            self.file({0: []}, patience=0.01).read()

    def test_an_answer_that_was_lost_is_asked_for_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(page_file, "ASK_AGAIN_SECONDS", 0.01)
        asked: list[int] = []

        def ask(offset: int, length: int) -> None:
            asked.append(offset)
            if len(asked) > 1:
                file.take(offset, DATA[offset : offset + length])

        file = PageFile("talk.wav", 128, ask)
        assert file.read(64) == DATA[:64]
        assert asked == [0, 0]

    def test_a_read_that_waits_ends_at_once_where_the_file_is_ended(self) -> None:
        file = self.file({0: []})
        thread, came = reading(file)
        file.fail(AudioError("It was ended."))
        thread.join(30)
        assert came == ["It was ended."]

    def test_closing_ends_a_read_that_waits(self) -> None:
        file = self.file({0: []})
        thread, came = reading(file)
        file.close()
        thread.join(30)
        assert came == ["talk.wav is closed."]
