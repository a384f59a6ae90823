"""Which chunk of a stream carries which reply: the rule behind every label.

A stream is a timeline of `Segment`s. Chunk by chunk, at the moment the chunk ends:

- *speech*: a reply is due when somebody has spoken since the last reply, nobody is speaking, and the last speech ended
  at least `END_OF_SPEECH` seconds ago. A shorter pause never gets a reply: what follows belongs to the same utterance.
  The reply names the word if the utterance was exactly one whole nameable word, else it says that speech was heard.
- *sounds*: a reply is due when enough of the episode was heard (`EVIDENCE` seconds after its onset), once an episode.
- at most one reply a chunk; a second one waits for the next chunk.

Everything else is KEEP_SILENCE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import CHUNK_SAMPLES, FRAMES_PER_CHUNK, SAMPLE_RATE
from ai_widgets.training.corpus import ALARM, AMBIENCE, BABY, DOG, KNOCK, MUSIC, ROOSTER, SNEEZE, SPEECH
from ai_widgets.training.lexicon import OTHER_SPEECH

END_OF_SPEECH = 0.62
"""Seconds without speech after which an utterance counts as ended."""
EVIDENCE = {DOG: 0.6, BABY: 1.2, SNEEZE: 0.6, ROOSTER: 1.0, KNOCK: 0.8, MUSIC: 2.0, ALARM: 1.4}
"""Seconds of a sound after which it is named."""
SAME_EPISODE = 4.0
"""Seconds; the same kind of sound again after a shorter gap is the same episode."""

NO_REPLY = 0
REPLY_SPEECH = OTHER_SPEECH
"""Reply labels: 0 none, 1 … 16 the words, 17 other speech, then one for each kind of sound."""
REPLY_OF_KIND = {kind: REPLY_SPEECH + place for place, kind in enumerate(EVIDENCE, start=1)}
REPLIES = REPLY_SPEECH + len(EVIDENCE) + 1


@dataclass(frozen=True)
class Segment:
    """Something that sounds from sample `start` to sample `end` of a stream."""

    start: int
    end: int
    kind: int
    word: int = 0
    whole: bool = True


@dataclass
class ChunkLabels:
    """Labels of a stream's chunks.

    Attributes
    ----------
    reply
        [chunks] reply label due at the end of each chunk (0 = KEEP_SILENCE).
    kind
        [chunks, 10] what each 40 ms frame holds.
    word
        [chunks, 10] 1 … 17 in and just after the later part of a spoken word or other speech, else 0.
    """

    reply: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    word: npt.NDArray[np.uint8]


def label_chunks(segments: Sequence[Segment], chunks: int) -> ChunkLabels:
    """Apply the rule to a stream of `chunks` chunks."""
    reply = np.zeros(chunks, np.uint8)
    speech = sorted((s for s in segments if s.kind == SPEECH), key=lambda s: s.start)
    due = _speech_replies(speech, chunks) + _sound_replies(segments)
    for chunk, label in sorted(due):
        while chunk < chunks and reply[chunk]:
            chunk += 1
        if chunk < chunks:
            reply[chunk] = label
    return ChunkLabels(reply, *_frames(segments, chunks))


def _speech_replies(speech: list[Segment], chunks: int) -> list[tuple[int, int]]:
    due = []
    pending: list[Segment] = []
    arrived = 0
    for chunk in range(chunks):
        now = (chunk + 1) * CHUNK_SAMPLES
        while arrived < len(speech) and speech[arrived].start < now:
            pending.append(speech[arrived])
            arrived += 1
        if pending and max(s.end for s in pending) + END_OF_SPEECH * SAMPLE_RATE <= now:
            only = pending[0]
            named = len(pending) == 1 and only.whole and 0 < only.word < OTHER_SPEECH
            due.append((chunk, only.word if named else REPLY_SPEECH))
            pending = []
    return due


def _sound_replies(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    due = []
    last_end: dict[int, int] = {}
    for segment in sorted(segments, key=lambda s: s.start):
        if segment.kind in (SPEECH, AMBIENCE):
            continue
        previous = last_end.get(segment.kind)
        if previous is None or segment.start - previous > SAME_EPISODE * SAMPLE_RATE:
            heard = segment.start + int(EVIDENCE[segment.kind] * SAMPLE_RATE)
            due.append((-(-heard // CHUNK_SAMPLES) - 1, REPLY_OF_KIND[segment.kind]))
        last_end[segment.kind] = max(segment.end, previous or 0)
    return due


def _frames(segments: Sequence[Segment], chunks: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    count = chunks * FRAMES_PER_CHUNK
    size = CHUNK_SAMPLES // FRAMES_PER_CHUNK
    kind, word = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    for segment in segments:
        first, last = round(segment.start / size), round(segment.end / size)
        kind[first:last] = segment.kind
        if segment.kind == SPEECH:
            label = segment.word if segment.whole else OTHER_SPEECH
            from_frame = first + round((last - first) * (0.7 if label != OTHER_SPEECH else 0.5))
            word[from_frame : last + 10] = label
    return kind.reshape(chunks, -1), word.reshape(chunks, -1)
