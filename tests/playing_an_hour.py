"""Plays an hour's file into a widget whose model decides at once, and prints by how much the process grew.

Run as a program by `test_file_memory.py`: the peak of a process cannot be set back.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import comm
import numpy as np
import torch

from ai_widgets.audio.features import MEL_BINS
from ai_widgets.inference import load_model
from ai_widgets.protocol import MELS_PER_CHUNK
from ai_widgets.session import perceive
from ai_widgets.widget.app import AudioInteraction
from tests.held_files import HeldFile
from tests.page import Comm, Page
from tests.scripted import scripted


def peak_mb() -> float:
    """Most memory that the process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


class FileOnDisk(HeldFile):
    """A page's file whose bytes lie on the disk: a browser does not hold them in memory either."""

    def __init__(self, page: Page, path: Path) -> None:
        super().__init__(page, b"", path.name)
        self._path = path

    def answer(self, offset: int, length: int) -> None:
        with self._path.open("rb") as file:
            file.seek(offset)
            self.send(offset, file.read(length))


def main(source: str, path: Path, checkpoint: str) -> None:
    """Play the file from the `disk`, or from a `page`."""
    frames, features = torch.zeros(1, 10, 1), np.zeros((MEL_BINS, MELS_PER_CHUNK), np.float32)
    perceive.StreamingLogMel.push = lambda *_: features  # type: ignore[assignment, method-assign]
    loaded, _ = scripted(load_model(checkpoint, "cpu"))
    encoder: Any = type("Instant", (), {"encode": staticmethod(lambda _: frames)})()
    object.__setattr__(loaded, "encoder", encoder)
    comm.create_comm = Comm
    widget = AudioInteraction(loaded)
    page = Page(widget)
    # What the page got would be its own memory.
    page.comm.publish_msg = _forget(page.comm)
    widget.feed(np.zeros(6400, np.float32), 16_000, end=True)
    widget.reset()
    before = peak_mb()
    if source == "disk":
        widget.play(path)
    else:
        file = FileOnDisk(page, path)
        file.announce(size=path.stat().st_size)
        widget.wait()
        file.close()
    print(json.dumps({"chunks": len(widget.record.decisions), "grown_mb": peak_mb() - before}))
    widget.close()


def _forget(comm_: Comm) -> Any:
    def publish(msg_type: str, data: Any = None, **_: Any) -> None:
        if msg_type == "comm_msg" and data["method"] == "custom":
            for listener in comm_.listeners:
                listener(data["content"])

    return publish


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
