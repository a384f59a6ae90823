"""A file that a page holds: it answers what the kernel asks for, as the browser's `File.slice` does."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import av
import numpy as np
import soundfile

from tests.page import Page
from tests.signals import Array


def wav_bytes(samples: Array, rate: int = 16_000, form: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """A sound file in memory."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 1, subtype, format=form) as sound:
        # In pieces: libsndfile's Vorbis encoder overflows the stack on a long one.
        for start in range(0, len(samples), rate):
            sound.write(samples[start : start + rate])
    return file.getvalue()


def m4a_bytes(samples: Array, rate: int = 16_000) -> bytes:
    """AAC in MP4 whose index stands at its end, as recorders write it."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.rate = rate
        fit = av.AudioResampler(format="fltp", layout="mono", rate=rate, frame_size=1024)
        for piece in [*fit.resample(frame), *fit.resample(None)]:
            piece.pts = None
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file.getvalue()


def beeps(seconds: float, rate: int = 16_000) -> Array:
    """A quiet tone that is silent every other second: nothing that would be flagged."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.1 * np.sin(2 * np.pi * 300 * time) * (time % 2 < 1)).astype(np.float32)


class HeldFile:
    """One file of one page. `answering` false: the page keeps silent, as one that is gone.

    Attributes
    ----------
    asked
        Offset and length of every range that was asked for.
    """

    def __init__(self, page: Page, data: bytes, name: str = "talk.wav", *, answering: bool = True) -> None:
        self.page, self.data, self.name, self.answering = page, data, name, answering
        self.asked: list[tuple[int, int]] = []
        self.problem = ""
        # A browser answers later, and never from within the kernel's own sending.
        self._later = ThreadPoolExecutor(1)
        self._answers: list[Future[None]] = []
        page.stream += 1
        self.stream = page.stream
        page.comm.listeners.append(self._hear)

    def announce(self, *, pace: str = "fast", tail_s: float = 1.0, size: int | None = None) -> None:
        """Send `play`."""
        given = {"name": self.name, "size": len(self.data) if size is None else size, "pace": pace, "tail_s": tail_s}
        self.page.send({"type": "play", "stream": self.stream, "page": self.page.name, **given})

    def send(self, offset: int, buffer: bytes | None, problem: str = "", **changed: Any) -> None:
        """Send `bytes`."""
        content = {"type": "bytes", "stream": self.stream, "offset": offset, "problem": problem, "page": self.page.name}
        self.page.send({**content, **changed}, [] if buffer is None else [buffer])

    def act(self, action: str, reason: str = "stopped") -> None:
        """Send `file`."""
        self.page.send({"type": "file", "action": action, "reason": reason, "page": self.page.name})

    def answer(self, offset: int, length: int) -> None:
        """What the page sends for one range."""
        if self.problem:
            self.send(offset, None, self.problem)
        else:
            self.send(offset, self.data[offset : offset + length])

    def close(self) -> None:
        """End answering; raises what answering raised."""
        self._later.shutdown()
        for answer in self._answers:
            answer.result()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] != "need" or (message["stream"], message["page"]) != (self.stream, self.page.name):
            return
        self.asked.append((message["offset"], message["length"]))
        if self.answering:
            self._answers.append(self._later.submit(self.answer, message["offset"], message["length"]))


Hold = Callable[..., HeldFile]
"""The fixture `hold`: give a page a file."""
