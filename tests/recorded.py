"""Write the recording that every later version has to open: ``python -m tests.recorded`` (with the release's version).

A file that was written once is not written again: a later format gets a file of its own beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ai_widgets.audio.files import load_audio
from ai_widgets.inference import load_model

FOLDER = Path(__file__).parent / "fixtures"
RECORDING = FOLDER / "record_0_2.aiw"


def write(path: Path = RECORDING) -> None:
    """Speech of few bits, so that the file is small; settings changed on the way; audio that needs `audio.rest`."""
    speech = load_audio(FOLDER / "speech_pause_speech.ogg")[: round(5.2 * 16_000)]
    session = load_model("tiny", "cpu").session(seed=7, temperature=0.9)
    session.push((np.rint(speech * 256) / 256).astype(np.float32))
    session.change(bias=0.25)
    time = np.arange(round(0.5 * 48_000)) / 48_000
    session.push((0.1 * np.sin(2 * np.pi * 300 * time)).astype(np.float32), 48_000)
    session.finish(tail_silence=0.4)
    session.record.save(path)


if __name__ == "__main__":
    write()
    print(f"{RECORDING} has {RECORDING.stat().st_size:,} bytes")
