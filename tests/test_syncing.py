"""What a power cut costs: files of a kept session are synced a bounded time after they were written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from threading import current_thread

import numpy as np
import pytest

from ai_widgets.protocol import Chunk, Notice
from ai_widgets.record import kept, syncing
from ai_widgets.record.record import SessionRecord
from ai_widgets.record.syncing import SYNC_SECONDS, DelayedSync

TALK = "talk.aiw"


class Clock:
    """Timers that a test fires, in place of threads."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, function: Callable[[], None]) -> Clock:
        self._newest = seconds, function
        self.daemon = False
        return self

    def start(self) -> None:
        assert self.daemon
        self.due.append(self._newest)

    def cancel(self) -> None:
        self.due.clear()

    def is_alive(self) -> bool:
        return bool(self.due)

    def fire(self) -> None:
        waiting, self.due = self.due, []
        for _, function in waiting:
            function()


class Disk:
    """The calls of `os.fsync`: which file, how much of it, on which thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: dict[str, int] = {}
        self.threads: set[str] = set()
        self.failure: OSError | None = None
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, file: int) -> None:
        if self.failure is not None:
            raise self.failure
        self.threads.add(current_thread().name)
        self.synced[Path(f"/proc/self/fd/{file}").readlink().name] = os.fstat(file).st_size
        self._fsync(file)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(kept, "DelayedSync", lambda: DelayedSync(timer=made))  # type: ignore[arg-type]
    return made


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    if not Path("/proc/self/fd").exists():
        pytest.skip("the test names open files as Linux does")
    return Disk(monkeypatch)


def hear(record: SessionRecord, chunk: int) -> list[Notice]:
    notices = record.append_audio(np.full(6_400, 0.5, np.float32))
    record.append(Chunk(chunk, 0, chunk * 0.4, -6.0, ()))
    record.append_raw(np.full(19_200, 0.5, np.float32), 48_000, 0)
    return notices


class TestBound:
    def test_everything_written_is_synced_once_the_delay_is_over(
        self, tmp_path: Path, clock: Clock, disk: Disk
    ) -> None:
        record = SessionRecord(keep=tmp_path / TALK)
        for chunk in range(3):
            hear(record, chunk)
        assert [seconds for seconds, _ in clock.due] == [SYNC_SECONDS]
        assert disk.synced == {}
        clock.fire()
        for file in ("events.jsonl", "audio.au", "raw/0000-48000-1.au", "header.json"):
            path = tmp_path / TALK / file
            assert disk.synced[path.name] == path.stat().st_size
        # The names in the folders too: a file without a name is lost.
        assert {TALK, "raw", tmp_path.name} <= disk.synced.keys()

    def test_every_later_write_begins_one_delay(self, tmp_path: Path, clock: Clock, disk: Disk) -> None:
        record = SessionRecord(keep=tmp_path / TALK)
        for chunk in range(4):
            hear(record, chunk)
            assert len(clock.due) == 1
            if chunk % 2:
                clock.fire()
                assert disk.synced["audio.au"] == (tmp_path / TALK / "audio.au").stat().st_size
        assert clock.due == []

    def test_what_is_written_while_the_disk_is_busy_is_synced_again(
        self, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = SessionRecord(keep=tmp_path / TALK)
        sync, busy = syncing.sync, [True]

        def slow(path: Path) -> None:
            sync(path)
            if busy.pop() if busy else False:
                hear(record, 1)

        monkeypatch.setattr(syncing, "sync", slow)
        hear(record, 0)
        clock.fire()
        assert len(clock.due) == 1

    def test_without_a_folder_nothing_waits(self, clock: Clock) -> None:
        hear(SessionRecord(), 0)
        assert clock.due == []

    def test_the_thread_that_decides_never_waits_for_the_disk(self, tmp_path: Path, disk: Disk) -> None:
        """With the timers of a session: a thread of its own, which ends."""
        record = SessionRecord(keep=tmp_path / TALK)
        record._syncing = DelayedSync(0.001)
        hear(record, 0)
        while (timer := record._syncing._timer) is not None:
            timer.join(10)  # type: ignore[attr-defined]
        assert disk.threads
        assert current_thread().name not in disk.threads

    def test_the_rest_is_synced_when_the_process_exits(self, tmp_path: Path, clock: Clock, disk: Disk) -> None:
        record = SessionRecord(keep=tmp_path / TALK)
        hear(record, 0)
        record._syncing.stop()
        assert clock.due == []
        record._syncing.join(1)
        assert disk.synced["events.jsonl"] == (tmp_path / TALK / "events.jsonl").stat().st_size


class TestFaults:
    def test_a_disk_that_fails_is_told_with_the_next_chunk(self, tmp_path: Path, clock: Clock, disk: Disk) -> None:
        """A sync that failed may have lost what was written before it: the recording is not continued."""
        record = SessionRecord(keep=tmp_path / TALK)
        hear(record, 0)
        disk.failure = OSError(errno.EIO, "Input/output error")
        clock.fire()
        hear(record, 1)
        (notice,) = hear(record, 2)
        assert notice.kind == "not_written"
        assert "Input/output error" in notice.message
        assert len(record) == 3

    def test_a_recording_that_was_removed_is_no_fault(self, tmp_path: Path, clock: Clock) -> None:
        record = SessionRecord(keep=tmp_path / TALK)
        hear(record, 0)
        for path in sorted((tmp_path / TALK).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        clock.fire()
        assert hear(record, 1) == []


def test_a_saved_recording_and_its_name_are_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    record = SessionRecord()
    hear(record, 0)
    saved = record.save(tmp_path / TALK)
    assert disk.synced == {TALK: saved.stat().st_size, tmp_path.name: tmp_path.stat().st_size}
