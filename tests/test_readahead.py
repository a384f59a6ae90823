"""Reading ahead of a map: never far in front, never twice, and no thread that stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_widgets.model import readahead
from ai_widgets.model.readahead import ReadAhead


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readahead, "SMALL", 0)
    monkeypatch.setattr(readahead, "AT_ONCE", 10)
    monkeypatch.setattr(readahead, "AHEAD", 100)
    monkeypatch.setattr(readahead, "IDLE_SECONDS", 0.01)


def file_of(folder: Path, count: int) -> Path:
    path = folder / "file"
    path.write_bytes(bytes(count))
    return path


def wait_for_end(ahead: ReadAhead) -> None:
    while (thread := ahead._thread) is not None:
        thread.join(10)


@pytest.mark.usefixtures("small")
def test_it_stays_a_bounded_distance_ahead_and_rests(tmp_path: Path) -> None:
    ahead = ReadAhead(file_of(tmp_path, 1000))
    ahead.advance(0)
    wait_for_end(ahead)
    assert ahead.read == 100
    ahead.advance(350)
    wait_for_end(ahead)
    assert ahead.read == 450


@pytest.mark.usefixtures("small")
def test_it_ends_with_the_file(tmp_path: Path) -> None:
    ahead = ReadAhead(file_of(tmp_path, 155))
    for used in range(0, 156, 31):
        ahead.advance(used)
    wait_for_end(ahead)
    assert ahead.read == 155
    ahead.advance(155)
    assert not ahead.alive


@pytest.mark.usefixtures("small")
def test_a_file_that_goes_away_is_no_error_here(tmp_path: Path) -> None:
    path = file_of(tmp_path, 500)
    ahead = ReadAhead(path)
    path.unlink()
    ahead.advance(0)
    wait_for_end(ahead)
    ahead.advance(10)
    assert not ahead.alive


def test_a_small_file_gets_no_thread(tmp_path: Path) -> None:
    ahead = ReadAhead(file_of(tmp_path, 1000))
    ahead.advance(10)
    assert not ahead.alive
