"""Compose training streams from a user's own turns (docs/protocol.md §7), varied in noise, room and level.

Every chunk of a turn is labelled KEEP_SILENCE, except the last, which has the reply. A turn lasts until the first chunk
that ends `SETTLED` seconds after its clip, so that the end is audible. Pauses within a clip that sound like its end are
labelled `EITHER`, on which no loss is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import CHUNK_SAMPLES, FRAMES_PER_CHUNK, SAMPLE_RATE
from ai_widgets.training import acoustics, sounds
from ai_widgets.training.compose_streams import TAIL_CHUNKS
from ai_widgets.training.conversations import Conversation, SpokenReply, UserTurn, read_clip
from ai_widgets.training.corpus import KINDS, sounding
from ai_widgets.training.labels import NO_REPLY, ChunkLabels
from ai_widgets.training.lexicon import OTHER_SPEECH
from ai_widgets.training.mels import clip_mels, running_mels

Samples = npt.NDArray[np.float32]
Rng = np.random.Generator

EITHER = 255
"""Reply label of a chunk where waiting and replying are both correct."""
SETTLED = 0.4
"""Seconds of silence after a clip before its reply: one chunk."""
SECONDS = (8.0, 30.0)
"""Approximate shortest and longest stream in seconds; whole conversations are added until the length is reached."""
AS_FILES = 0.35
"""Share of the streams whose turns are heard as files: one log-mel floor and one second of silence for each turn."""


@dataclass
class TurnStream:
    """Features [chunks, 128, 40] and labels of one stream."""

    mels: npt.NDArray[np.float32]
    labels: ChunkLabels


@dataclass
class _Piece:
    """One turn: audio of whole chunks, the number of chunks that the clip's file fills, and labels."""

    audio: Samples
    filled: int
    reply: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]


class TurnComposer:
    """A source of random streams from conversations; a random generator in the same state gives the same streams.

    Parameters
    ----------
    conversations
        Conversations, whose clips are read here.
    replies
        All replies, in the order of their labels.
    """

    def __init__(self, conversations: Sequence[Conversation], replies: Sequence[SpokenReply]) -> None:
        self.conversations = list(conversations)
        self.label = {reply: place for place, reply in enumerate(replies, start=1)}
        self.clips = {turn.path: read_clip(turn) for conversation in conversations for turn in conversation}

    def stream(self, rng: Rng) -> TurnStream:
        """Compose one stream."""
        left = rng.uniform(*SECONDS) * SAMPLE_RATE
        as_files = rng.random() < AS_FILES
        pieces: list[_Piece] = []
        while left > 0:
            conversation = self.conversations[int(rng.integers(len(self.conversations)))]
            pieces += [self._turn(rng, turn, as_files) for turn in conversation]
            left -= sum(len(piece.audio) for piece in pieces[-len(conversation) :])
        if as_files:
            mels = np.concatenate([part for piece in pieces for part in _as_file(rng, piece)])
        else:
            mels = running_mels(_line(rng, np.concatenate([piece.audio for piece in pieces])))
        kind = np.concatenate([piece.kind for piece in pieces])
        word = np.where(kind <= OTHER_SPEECH, kind, 0).astype(np.uint8)
        # The network's read-outs have few kinds: with more replies than kinds, several replies share a kind.
        kind = np.where(kind > 0, (kind.astype(np.int64) - 1) % (len(KINDS) - 1) + 1, 0).astype(np.uint8)
        return TurnStream(mels, ChunkLabels(np.concatenate([piece.reply for piece in pieces]), kind, word))

    def _turn(self, rng: Rng, turn: UserTurn, as_file: bool) -> _Piece:
        clip = acoustics.change_speed(self.clips[turn.path], rng.uniform(0.88, 1.13))
        pauses = [(stop, start) for (_, stop), (start, _) in pairwise(sounding(clip))]
        if rng.random() < 0.4:
            clip = acoustics.room(clip, rng)
        clip = clip * np.float32(acoustics.decibels(rng.uniform(-10, 0)))
        lead = int(rng.choice([rng.uniform(0, 0.4), rng.uniform(0.4, 2), rng.uniform(2, 5)]) * SAMPLE_RATE)
        end = lead + len(clip)
        due = _chunks(end + SETTLED * SAMPLE_RATE) - 1
        filled = _chunks(end) if as_file else due + 1
        chunks = filled + TAIL_CHUNKS if as_file else filled
        audio = np.zeros(chunks * CHUNK_SAMPLES, np.float32)
        audio[lead:end] = clip
        audio[: filled * CHUNK_SAMPLES] += _noise(rng, filled * CHUNK_SAMPLES)
        label = self.label[turn.reply] if turn.reply is not None else NO_REPLY
        reply: npt.NDArray[np.uint8] = np.zeros(chunks, np.uint8)
        if label:
            for stop, start in pauses:
                first = _chunks(lead + stop + SETTLED * SAMPLE_RATE) - 1
                reply[first : (lead + start) // CHUNK_SAMPLES] = EITHER
        reply[due] = label
        kind: npt.NDArray[np.uint8] = np.zeros(chunks * FRAMES_PER_CHUNK, np.uint8)
        size = CHUNK_SAMPLES // FRAMES_PER_CHUNK
        kind[lead // size : end // size] = label
        return _Piece(audio, filled, reply, kind.reshape(chunks, FRAMES_PER_CHUNK))


def _chunks(samples: float) -> int:
    """Return the number of chunks that hold these samples."""
    return -(-int(samples) // CHUNK_SAMPLES)


def _as_file(rng: Rng, piece: _Piece) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Compute the features of a clip with its own floor, and of the silence after the clip."""
    cut = piece.filled * CHUNK_SAMPLES
    return clip_mels(_line(rng, piece.audio[:cut])), clip_mels(piece.audio[cut:])


def _noise(rng: Rng, count: int) -> Samples:
    """Draw the background of a clip: silence, a faint hiss, or an ambience."""
    style = rng.random()
    if style < 0.3:
        return np.zeros(count, np.float32)
    if style < 0.7:
        noise, level = sounds.coloured_noise(rng, (count + 1) / SAMPLE_RATE)[:count], rng.uniform(-75, -35)
    else:
        maker = sounds.AMBIENCES[int(rng.integers(len(sounds.AMBIENCES)))]
        noise, level = maker(rng, (count + 1) / SAMPLE_RATE)[:count], rng.uniform(-45, -18)
    return noise * np.float32(acoustics.decibels(level))


def _line(rng: Rng, audio: Samples) -> Samples:
    """Apply a random microphone, line and level to a stream."""
    if rng.random() < 0.6:
        audio = acoustics.colour(audio, rng)
    if rng.random() < 0.15:
        audio = acoustics.band_limit(audio, rng)
    if rng.random() < 0.05:
        audio = acoustics.noise_gated(audio, rng)
    return acoustics.quantised(acoustics.at_level(audio, rng, -35))
