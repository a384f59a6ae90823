"""Faults on the kernel's side: each has a clear end, and nothing is lost silently. The table is docs/faults.md."""

from __future__ import annotations

import errno
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Notice, Turn
from ai_widgets.widget import receiving
from tests.events import said
from tests.page import PATIENCE, Build, Page, settled, silence
from tests.scripted import scripted, spell
from tests.signals import babble


def decisions(page: Page) -> list[Decision]:
    return page.widget.record.of_type(Decision)


def told(page: Page, kind: str) -> list[Any]:
    return [dict(event.data) for event in page.widget.record.of_type(Notice) if event.kind == kind]


class Slow:
    """A model whose forward passes block until they are released: slower than any audio."""

    def __init__(self, toy: Model, decided: str = "", replies: Any = ()) -> None:
        self.passes = threading.Semaphore(0)
        self.begun = threading.Event()
        loaded, _ = scripted(toy, decided, replies, self._hold)
        self.model = loaded

    def _hold(self, _: Any) -> None:
        self.begun.set()
        assert self.passes.acquire(timeout=PATIENCE)

    def go_on(self, passes: int = 10_000) -> None:
        self.passes.release(passes)


class TestKernel:
    def test_cell_run_again(self, build: Build) -> None:
        """The old widget is closed or forgotten while it speaks; the new one starts from nothing."""
        first = build()
        first.hello()
        first.open()
        first.block(babble(1))
        second = build()
        second.hello()
        first.widget.close()
        second.record(babble(1))
        settled(second)
        assert len(decisions(second)) == 6
        assert not first.widget._channel.presenter.pipeline.alive

    def test_interrupted_while_a_cell_waits(self, build: Build, toy: Model) -> None:
        """KeyboardInterrupt ends the cell's waiting; the audio is answered all the same."""
        slow = Slow(toy)
        page = build(slow.model)
        timer = threading.Thread(target=lambda: slow.begun.wait(PATIENCE) and os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            page.widget.feed(silence(5), 16_000)
        timer.join(PATIENCE)
        slow.go_on()
        assert page.widget.wait(PATIENCE)
        assert len(decisions(page)) == 5
        page.widget.feed(silence(2), 16_000)
        assert len(decisions(page)) == 7

    def test_busy_kernel_without_subshells(self, page: Page) -> None:
        """Messages wait for the cell and come all at once: nothing is lost or out of order."""
        page.open(tail_s=0.0)
        waiting = np.array_split(babble(8), 80)
        for block in waiting:  # what the shell delivers when the cell has ended
            page.block(block)
        page.close()
        settled(page)
        assert len(decisions(page)) == 20
        np.testing.assert_array_equal(page.widget.record.audio, babble(8))
        assert not told(page, "lost_blocks")

    def test_busy_kernel_with_subshells(self, page: Page) -> None:
        """Messages are handled on another thread while the main thread is at work."""
        page.open(tail_s=0.0)
        thread = threading.Thread(target=lambda: [page.block(block) for block in np.array_split(babble(4), 40)])
        thread.start()
        thread.join(PATIENCE)  # the cell: the main thread handles nothing
        page.widget.wait(PATIENCE)
        assert len(decisions(page)) == 10
        page.until(lambda: len(page.events()) == len(page.widget.record))

    def test_page_reloaded(self, page: Page) -> None:
        """Another page takes over what was never closed, once the old one is silent; it gets all events."""
        page.record(babble(2))
        before = settled(page)
        page.open()
        page.block(silence(1))
        assert page.widget.wait(PATIENCE)
        anew = Page(page.widget, "reloaded")
        anew.hello(seen=0, session=None)
        assert anew.events()[: len(before)] == before
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(receiving, "STALE_SECONDS", 0.0)
            anew.open(tail_s=0.0)
        anew.block(silence(2))
        anew.close()
        settled(page)
        assert told(page, "stream_ended") == [{"reason": "replaced"}]
        assert page.problems() == []
        assert [event.clip for event in page.widget.record.of_type(Chunk)][-3:] == [1, 2, 2]

    def test_second_view_records_too(self, page: Page) -> None:
        """Only one page records; the other is told, and its blocks are not mixed in."""
        other = Page(page.widget, "two")
        page.open(tail_s=0.0)
        page.block(silence(1))
        other.open(tail_s=0.0)
        problem = page.of("problem")[0]
        assert (problem["code"], problem["page"]) == ("busy_elsewhere", "two")
        other.block(babble(1))
        other.close()
        page.block(silence(1))
        page.close()
        settled(page)
        assert len(decisions(page)) == 2
        assert not page.widget.record.audio.any()
        other.open(tail_s=0.0)
        other.block(silence(1))
        settled(page)
        assert len(decisions(page)) == 3


class TestSlowModel:
    """Real-time factor above 1: audio comes faster than it is decided."""

    @pytest.mark.parametrize(
        ("overload", "answered", "dropped"), [("lag", 12, 0), ("drop_oldest", 5, 7), ("pause", 5, 7)]
    )
    def test_overload(self, build: Build, toy: Model, overload: str, answered: int, dropped: int) -> None:
        slow = Slow(toy)
        page = build(slow.model, overload=overload, overload_chunks=4)
        page.open(tail_s=0.0)
        page.block(silence(1))
        assert slow.begun.wait(PATIENCE)
        for _ in range(11):
            page.block(silence(1))
        slow.go_on()
        page.close()
        settled(page)
        assert len(decisions(page)) == answered
        assert sum(notice["chunks"] for notice in told(page, "dropped")) == dropped
        assert page.widget.counters["dropped_chunks"] == dropped
        assert page.widget.counters["waiting"] == 0
        assert len([each for each in page.of("problem") if each["code"] == "overload"]) == (overload == "pause")
        assert page.widget.record.seconds + 0.4 * dropped == pytest.approx(12 * 0.4)

    @pytest.mark.parametrize(
        ("arrival", "ended", "heard"),
        [("keep", "TEXT_END", 4), ("drop", "TEXT_END", 1), ("interrupt", "interrupted", 4)],
    )
    def test_audio_while_it_speaks(self, build: Build, toy: Model, arrival: str, ended: str, heard: int) -> None:
        speaking, go = threading.Event(), threading.Event()

        def hold(fed: Any) -> None:
            if fed.tokens == spell("o"):
                speaking.set()
                assert go.wait(PATIENCE)

        model, _ = scripted(toy, "T...", [spell("a long one")], hold)
        page = build(model, arrival=arrival)
        page.open(tail_s=0.0)
        page.block(silence(1))
        assert speaking.wait(PATIENCE)
        for _ in range(3):
            page.block(babble(0.4, seed=5))
        go.set()
        page.close()
        settled(page)
        assert [turn.ended for turn in page.widget.record.of_type(Turn)] == [ended]
        assert len(page.widget.record.of_type(Chunk)) == heard
        assert told(page, "interrupted") == ([{"why": "audio"}] if ended == "interrupted" else [])
        seconds = [notice["seconds"] for notice in told(page, "dropped")]
        assert seconds == ([1.2] if arrival == "drop" else [])


class Failing:
    """An encoder that raises at its n-th chunk."""

    def __init__(self, encoder: Any, error: Exception, at: int) -> None:
        self._encoder, self._error, self._left = encoder, error, at

    def encode(self, mels: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise self._error
        return self._encoder.encode(mels)


OUT_OF_MEMORY = [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")]


class TestModel:
    def fails(self, page: Page, words: str, kept: int) -> None:
        """The session ends with a notice and a problem, its record is kept, and a reset goes on."""
        page.hello()
        page.open(tail_s=0.0)
        for _ in range(4):
            page.block(silence(1))
        settled(page)
        notice = page.events()[-1]
        assert isinstance(notice, Notice)
        assert notice.kind == "error"
        assert words in notice.message
        assert [each["code"] for each in page.of("problem")] == ["model"]
        assert "Traceback" in page.of("problem")[0]["detail"]
        assert (page.widget.state, len(decisions(page))) == ("error", kept)
        old = page.widget.record
        page.widget.reset()
        page.block(silence(2))
        settled(page)
        assert len(decisions(page)) == 2
        assert len(old.of_type(Decision)) == kept
        assert page.widget.state == "listening"

    def test_exception_in_encode(self, build: Build, toy: Model) -> None:
        encoder: Any = Failing(toy.encoder, ValueError("no such kernel"), at=3)
        model = replace(scripted(toy)[0], encoder=encoder)
        self.fails(build(model), "The model failed with ValueError: no such kernel", 2)

    def test_exception_in_decode(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, "..x", x=RuntimeError("boom"))
        self.fails(build(model), "The model failed with RuntimeError: boom", 2)

    @pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["host", "device"])
    def test_out_of_memory_in_a_step(self, build: Build, toy: Model, error: Exception) -> None:
        model, _ = scripted(toy, ".x", x=error)
        page = build(model)
        self.fails(page, "The model ran out of memory", 1)

    def test_a_recording_after_the_model_has_failed(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, "x", x=RuntimeError("boom"))
        page = build(model)
        page.hello()
        page.open(tail_s=0.0)
        page.block(silence(1))
        settled(page)
        page.close()
        assert len(page.of("problem")) == 1
        page.open()
        again = page.of("problem")[-1]
        assert (len(page.of("problem")), again["code"]) == (2, "model")
        assert "boom" in again["message"]

    def test_a_failed_session_holds_no_memory(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, "x", x=MemoryError())
        page = build(model)
        page.widget.feed(silence(1), 16_000, wait=False)
        page.widget.wait(PATIENCE)
        run = page.widget._channel.presenter.pipeline._running
        assert (run.session, run.listener) == (None, None)
        with pytest.raises(MemoryError):
            page.widget.feed([], 16_000)

    def test_reply_that_never_ends(self, build: Build, toy: Model) -> None:
        model, _ = scripted(toy, "T.", [spell("on and on " * 500)])
        page = build(model, max_reply_tokens=40)
        page.widget.feed(silence(2), 16_000)
        (turn,) = page.widget.record.of_type(Turn)
        assert (turn.ended, len(turn.tokens)) == ("limit", 40)
        assert told(page, "limit")
        assert len(decisions(page)) == 2

    def test_hostile_reply_text(self, build: Build, toy: Model) -> None:
        """Text goes out as JSON text, as it is; the page sets it as text (js/test)."""
        text = "<img src=x onerror=alert(1)>\u202e</script>\x00"
        model, _ = scripted(toy, "T", [spell(text)])
        page = build(model, max_reply_tokens=None)
        page.hello()
        page.widget.feed(silence(1), 16_000)
        (turn,) = [event for event in page.events() if isinstance(event, Turn)]
        assert turn.text == text
        assert page.widget.record.text == text

    @pytest.mark.parametrize("context", ["slide", "reset", "stop"])
    def test_context_full(self, build: Build, toy: Model, context: str) -> None:
        page = build(toy, context=context, context_limit=160, bias=-100.0)
        page.widget.feed(silence(30), 16_000)
        kind = {"slide": "context_slide", "reset": "context_reset", "stop": "context_full"}[context]
        assert told(page, kind)
        heard = [chunk for chunk in page.widget.record.of_type(Chunk) if "unheard" not in chunk.flags]
        assert len(decisions(page)) == len(heard)
        assert (len(heard) < 30) == (context == "stop")
        assert len(page.widget.record.of_type(Chunk)) == 30
        assert page.widget.error is None


def test_disk_full_while_recording(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file ends where the disk was full; audio stays in memory, the session goes on, and a notice says so."""
    page = build(keep=tmp_path)
    page.hello()
    page.widget.feed(babble(0.8), 16_000)
    real = os.write

    def full(handle: int, data: Any) -> int:
        if len(data) >= CHUNK_SAMPLES:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(os, "write", full)
    page.widget.feed(babble(0.8), 16_000)
    monkeypatch.undo()
    (notice,) = told(page, "not_written")
    assert (notice["why"], notice["seconds"]) == ("No space left on device", pytest.approx(0.8))
    assert len(decisions(page)) == 4
    np.testing.assert_allclose(page.widget.record.audio, np.concatenate([babble(0.8)] * 2), atol=1 / 16_384)
    assert page.widget.error is None
    assert said(page.events())[-1] == said(page.widget.record.events)[-1]
