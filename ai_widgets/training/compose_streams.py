"""Training streams: clips, generated sounds and ambience composed into minutes of listening with known labels.

A stream is *continuous* (one piece, running floor) or a *session of clips* (each clip with the floor of the whole clip
and followed by a second of digital silence, as the command line feeds files). Streams may begin in the middle of
anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.training import acoustics, lines, sounds
from ai_widgets.training.clip_variation import Rng, begun_at, ended_at
from ai_widgets.training.compose_events import REPEATING_SHARE, Events
from ai_widgets.training.corpus import SPEECH, Clip, Samples
from ai_widgets.training.labels import ChunkLabels, Segment, label_chunks
from ai_widgets.training.mels import clip_mels, running_mels

TAIL_CHUNKS = 3
"""Chunks of silence after each clip of a session, as a session appends them after a file."""
QUIET_SHARE = 0.3
"""Share of pieces in which nothing happens but ambience."""


@dataclass
class Stream:
    """Features [chunks, 128, 40] and labels of one stream, and the audio they were made from."""

    mels: npt.NDArray[np.float32]
    labels: ChunkLabels
    segments: list[Segment]
    audio: Samples


class Composer:
    """Composer of streams from a pool of clips; the same clips and generator state produce the same streams."""

    def __init__(self, clips: Sequence[Clip], repeating: float = REPEATING_SHARE) -> None:
        self.events = Events(clips, repeating)

    def stream(self, rng: Rng, seconds: float) -> Stream:
        """Compose one stream of about `seconds`."""
        if rng.random() < 0.25:
            return self._session(rng, seconds)
        if rng.random() < 0.3:
            skipped = rng.uniform(0.5, 4)
            audio, segments = begun_at(int(skipped * SAMPLE_RATE), *self.timeline(rng, seconds + skipped))
        else:
            audio, segments = self.timeline(rng, seconds)
        audio = audio[: len(audio) // CHUNK_SAMPLES * CHUNK_SAMPLES]
        return Stream(running_mels(audio), label_chunks(segments, len(audio) // CHUNK_SAMPLES), segments, audio)

    def _session(self, rng: Rng, seconds: float) -> Stream:
        """Compose a session of clips, cut at any time, each with its own floor and a second of silence after it."""
        pieces, mels, everything, cursor = [], [], list[Segment](), 0
        silence = np.zeros(TAIL_CHUNKS * CHUNK_SAMPLES, np.float32)
        while cursor < seconds * SAMPLE_RATE:
            audio, segments = self.timeline(rng, rng.uniform(1.5, 12))
            speech_ends = [s.end for s in segments if s.kind == SPEECH]
            if speech_ends and rng.random() < 0.6:  # most files end soon after their speech ends
                audio, segments = ended_at(
                    int(rng.choice(speech_ends) + rng.uniform(0, 0.5) * SAMPLE_RATE), audio, segments
                )
            if len(audio) < CHUNK_SAMPLES:
                continue
            audio = np.pad(audio, (0, -len(audio) % CHUNK_SAMPLES))
            pieces += [audio, silence]
            mels += [clip_mels(audio), clip_mels(silence)]
            everything += [replace(s, start=s.start + cursor, end=s.end + cursor) for s in segments]
            cursor += len(audio) + len(silence)
        labels = label_chunks(everything, cursor // CHUNK_SAMPLES)
        return Stream(np.concatenate(mels), labels, everything, np.concatenate(pieces))

    def timeline(self, rng: Rng, seconds: float) -> tuple[Samples, list[Segment]]:
        """Compose audio and segments of `seconds`, before features."""
        audio = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
        segments: list[Segment] = []
        quiet = rng.random() < QUIET_SHARE
        if not quiet:
            self.events.place(rng, audio, segments)
        style = (
            rng.choice(["none", "floor", "bed"], p=[0.22, 0.4, 0.38])
            if not quiet
            else rng.choice(["none", "bed"], p=[0.12, 0.88])
        )
        if style == "floor":
            audio += sounds.coloured_noise(rng, seconds)[: len(audio)] * np.float32(
                acoustics.decibels(rng.uniform(-75, -38))
            )
        elif style == "bed":
            level = acoustics.decibels(rng.uniform(-38, -8)) if not quiet else 1.0
            audio += self.events.beds.draw(rng, len(audio)) * np.float32(level)
        return self._line(rng, audio), segments

    def _line(self, rng: Rng, audio: Samples) -> Samples:
        """Apply a microphone, a line and a level to the whole piece."""
        if rng.random() < 0.7:
            audio = acoustics.colour(audio, rng)
        if rng.random() < 0.2:
            audio = acoustics.band_limit(audio, rng)
        if rng.random() < 0.06:
            audio = acoustics.companded(audio)
        if rng.random() < 0.06:
            audio = acoustics.clip_hard(audio, rng)
        if rng.random() < 0.12:
            audio = acoustics.noise_gated(audio, rng)
        if rng.random() < 0.08:
            audio = lines.gain_steps(audio, rng)
        if rng.random() < 0.06:
            audio = lines.coded(audio, rng)
        if rng.random() < 0.06:
            audio = lines.packets_lost(audio, rng)
        audio = acoustics.at_level(audio, rng, -45)
        if rng.random() < 0.1:
            audio = audio + np.float32(rng.uniform(-0.01, 0.01))
        return acoustics.quantised(audio) if rng.random() < 0.8 else np.asarray(audio, np.float32)
