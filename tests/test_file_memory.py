"""An hour's file in at most 300 MB above the model, from the page and from disk."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

MOST_MB = 300
PROGRAM = Path(__file__).with_name("playing_an_hour.py")


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of stereo at 44.1 kHz, 635 MB: silence that takes no room on the disk."""
    path = tmp_path_factory.mktemp("hour") / "hour.wav"
    size = 3600 * 44_100 * 4
    with path.open("wb") as file:
        file.write(
            struct.pack("<4sI4s4sIHHIIHH", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 2, 44_100, 176_400, 4, 16)
        )
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(44 + size)
    return path


@pytest.mark.parametrize("source", ["disk", "page"])
def test_an_hours_file_takes_at_most_300_mb_above_the_model(source: str, hour: Path, toy_folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), source, str(hour), str(toy_folder)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["chunks"] == 9000 + 3
    assert told["grown_mb"] < MOST_MB
