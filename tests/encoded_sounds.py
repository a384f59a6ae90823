"""A tone as a file of each format, and what is read of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from ai_widgets.audio.files import open_audio

RATE = 44_100


SECONDS = 4.0


LIBSNDFILE = {
    "a.wav": ("WAV", "PCM_16"),
    "a.flac": ("FLAC", "PCM_16"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
    "a.aiff": ("AIFF", "PCM_16"),
    "a.au": ("AU", "PCM_16"),
    "a.caf": ("CAF", "PCM_16"),
    "a.w64": ("W64", "PCM_16"),
    "a.rf64": ("RF64", "PCM_16"),
}

FFMPEG: dict[str, tuple[str, int, dict[str, str]]] = {
    "a.m4a": ("aac", RATE, {}),
    "fast.m4a": ("aac", RATE, {"movflags": "faststart"}),
    "frag.mp4": ("aac", RATE, {"movflags": "frag_keyframe+empty_moov"}),
    "a.aac": ("aac", RATE, {}),
    "a.webm": ("libopus", 48_000, {}),
    "a.mka": ("libopus", 48_000, {}),
}


def tone(seconds: float = SECONDS, rate: int = RATE) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(0).standard_normal(int(seconds * rate)) * 0.01
    left = np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate) * 0.3 + noise
    return np.stack([left, left / 2], axis=1).astype(np.float32)


def encode(path: Path) -> Path:
    """Write the tone as the format that the name asks for."""
    rows = tone()
    if path.name in LIBSNDFILE:
        form, subtype = LIBSNDFILE[path.name]
        soundfile.write(path, rows, RATE, format=form, subtype=subtype)
        return path
    codec, rate, options = FFMPEG[path.name]
    with av.open(str(path), "w", format="adts" if path.suffix == ".aac" else None, options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(rows.T), format="fltp", layout="stereo")
        frame.rate = RATE
        fit = av.AudioResampler(
            format=stream.format.name, layout="stereo", rate=rate, frame_size=stream.frame_size or 1024
        )
        for piece in [*fit.resample(frame), *fit.resample(None)]:
            piece.pts = None
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder, made = tmp_path_factory.mktemp("formats"), {}

    def get(name: str) -> bytes:
        if name not in made:
            made[name] = encode(folder / name).read_bytes()
        return made[name]

    return get


def read(source: Any, **options: Any) -> tuple[np.ndarray[Any, Any], Any]:
    with open_audio(source, **options) as reader:
        blocks = list(reader)
    return np.concatenate(blocks), reader
