"""Sound files of an hour that cost seconds to make."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile

from tests.signals import babble

RATE = 44_100
MINUTES = 60


def hour(path: Path, minutes: int = MINUTES) -> Path:
    """Write a stereo file of the format that the suffix names; one minute of sound, again and again (FLAC: silence)."""
    minute = np.stack([babble(60, 0, rate=RATE), babble(60, 1, rate=RATE)], axis=1)
    pcm = (minute * 20_000).astype(np.int16)
    if path.suffix == ".m4a":
        return _m4a(path, minute, minutes)
    if path.suffix == ".mp3":
        # MP3 frames stand for themselves: files may be joined.
        soundfile.write(path, pcm, RATE, format="MP3", subtype="MPEG_LAYER_III")
        data = path.read_bytes()
        with path.open("wb") as file:
            for _ in range(minutes):
                file.write(data)
        return path
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(pcm if path.suffix == ".wav" else np.zeros_like(pcm))
    return path


def _m4a(path: Path, minute: np.ndarray, minutes: int) -> Path:  # type: ignore[type-arg]
    """The packets of one minute, at sixty places."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(minute.T), format="fltp", layout="stereo")
        frame.rate = RATE
        fit = av.AudioResampler(format="fltp", layout="stereo", rate=RATE, frame_size=1024)
        packets = []
        for piece in [*fit.resample(frame), *fit.resample(None)]:
            piece.pts = None
            packets += stream.encode(piece)
        packets += stream.encode(None)
        at = 0
        for _ in range(minutes):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.stream, copy.time_base, copy.duration = stream, packet.time_base, packet.duration
                copy.pts = copy.dts = at
                at += packet.duration or 1024
                container.mux(copy)
    return path
