"""`widget.play(path)`: files that the kernel reads from its disk."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from ai_widgets.errors import AudioError, SettingError
from ai_widgets.inference import Model
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.files.file_stream import FileStream
from tests.held_files import beeps, wav_bytes
from tests.page import Build, settled
from tests.playing import chunks, notices, read_ahead, until_state


class TestFromDisk:
    def write(self, folder: Path, seconds: float, name: str = "talk.wav") -> Path:
        path = folder / name
        path.write_bytes(wav_bytes(beeps(seconds)))
        return path

    def test_it_returns_when_all_is_answered(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.play(self.write(tmp_path, 4.0))
        assert page.widget.waiting == 0
        assert chunks(page) == 10 + 3
        assert page.widget.playing is None

    def test_without_waiting_files_play_one_after_the_other(self, build: Build, tmp_path: Path) -> None:
        page = build()
        for name in ("one.wav", "two.wav"):
            page.widget.play(self.write(tmp_path, 2.0, name), wait=False)
        assert page.widget.wait(60)
        settled(page)
        assert [notice.data["name"] for notice in notices(page, "stream")] == ["one.wav", "two.wav"]

    def test_the_page_sees_it_and_may_stop_it(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.pause()
        page.widget.play(self.write(tmp_path, 600.0), wait=False)
        read_ahead(page)
        page.send({"type": "file", "action": "stop", "reason": "stopped", "page": page.name})
        page.widget.resume()
        assert page.widget.wait(60)
        assert notices(page, "stream_ended")[0].data["reason"] == "stopped"

    def test_stop_ends_it_and_what_would_follow(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.pause()
        for name in ("one.wav", "two.wav"):
            page.widget.play(self.write(tmp_path, 600.0, name), wait=False)
        read_ahead(page)
        page.widget.stop()
        page.widget.resume()
        assert page.widget.wait(60)
        assert [notice.data["name"] for notice in notices(page, "stream")] == ["one.wav"]

    def test_an_interrupt_ends_the_waiting_and_says_how_to_end_the_file(
        self, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = build()

        def interrupted(*_: Any, **__: Any) -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(page.widget, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"talk.wav plays on; `stop\(\)` of the widget ends it"):
            page.widget.play(self.write(tmp_path, 4.0))
        monkeypatch.undo()
        assert page.widget.wait(60)
        assert chunks(page) == 10 + 3

    def test_a_file_that_is_none_is_refused_at_once(self, build: Build, tmp_path: Path) -> None:
        page = build()
        with pytest.raises(AudioError, match="There is no audio file"):
            page.widget.play(tmp_path / "absent.wav")
        with pytest.raises(SettingError, match="pace must be one of fast, realtime, not 'slow'"):
            page.widget.play(self.write(tmp_path, 1.0), pace="slow")  # type: ignore[arg-type]
        assert settled(page) == []

    def test_a_file_that_breaks_off_later_keeps_what_was_heard_and_raises(
        self, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = build()
        path = self.write(tmp_path, 4.0)
        taken = FileStream.push

        def failing(stream: FileStream, samples: Any, rate: int) -> bool:
            if stream.read_s > 1.9:
                raise AudioError("talk.wav is damaged from here on.")
            return taken(stream, samples, rate)

        monkeypatch.setattr(FileStream, "push", failing)
        with pytest.raises(AudioError, match="damaged from here on"):
            page.widget.play(path)
        (ended,) = notices(page, "stream_ended")
        assert ended.message == "talk.wav ended at 0:02 of 0:04: talk.wav is damaged from here on."
        assert chunks(page) == 5 + 3

    def test_pause_and_resume_from_the_page(self, build: Build, tmp_path: Path) -> None:
        page = build()
        page.widget.pause()
        page.widget.play(self.write(tmp_path, 20.0), wait=False)
        read_ahead(page)
        page.send({"type": "file", "action": "pause", "reason": "stopped", "page": page.name})
        page.widget.resume()
        assert page.widget.wait(60) is False, "a paused file has not ended"
        assert page.widget.state == "paused"
        assert until_state(page, "paused")["state"] == "paused"
        page.send({"type": "file", "action": "resume", "reason": "stopped", "page": page.name})
        assert page.widget.wait(60)
        assert chunks(page) == 50 + 3

    def test_widgets_that_played_are_freed(self, toy: Model, tmp_path: Path) -> None:
        widget = AudioInteraction(toy)
        widget.play(self.write(tmp_path, 1.0))
        player = weakref.ref(widget._channel.presenter.player)
        widget.close()
        del widget
        gc.collect()
        assert player() is None or player()._stage.alive is False  # type: ignore[union-attr]
