"""Decide which chunk of a stream carries which reply: the rule behind every label.

A stream is a timeline of `Segment`s. Chunk by chunk, at the moment the chunk ends:

- *speech*: a reply is due if there was speech since the last reply, there is none now, and the last speech ended
  at least `END_OF_SPEECH` seconds ago. A shorter pause never gets a reply: what follows belongs to the same utterance.
  The reply names the word if the utterance was exactly one whole nameable word, else it says that speech was heard.
- *unfinished speech*: a pause inside a sentence whose end is to come (`Segment.unfinished`) gets a reply only where
  nothing follows for `END_OF_UNFINISHED` seconds.
- *sounds*: a reply is due when enough of the episode was heard (`EVIDENCE` seconds after its onset), once an episode.
- at most one reply a chunk; a second one waits for the next chunk.

Everything else is KEEP_SILENCE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import CHUNK_SAMPLES, FRAMES_PER_CHUNK, SAMPLE_RATE
from ai_widgets.training.corpus import ALARM, AMBIENCE, BABY, DOG, KNOCK, LAUGHTER, MUSIC, ROOSTER, SNEEZE, SPEECH
from ai_widgets.training.lexicon import OTHER_SPEECH

END_OF_SPEECH = 0.62
"""Seconds without speech after which an utterance counts as ended."""
END_OF_UNFINISHED = 1.45
"""Seconds without speech after which an utterance counts as ended whose last sentence is unfinished: a pause of up to
1 s, and one chunk more, since decisions are made at the ends of chunks."""
EVIDENCE = {DOG: 0.6, BABY: 1.2, SNEEZE: 0.6, ROOSTER: 1.0, KNOCK: 0.8, MUSIC: 2.0, ALARM: 1.4, LAUGHTER: 1.0}
"""Seconds of a sound after which it is named."""
SAME_EPISODE = 4.0
"""Seconds; the same kind of sound again after a shorter gap is the same episode."""

NO_REPLY = 0
"""Reply label of a chunk after which nothing is said."""
REPLY_SPEECH = OTHER_SPEECH
"""Reply labels: 0 none, 1 … 21 the words, 22 other speech, then one for each kind of sound."""
REPLY_OF_KIND = {kind: REPLY_SPEECH + place for place, kind in enumerate(EVIDENCE, start=1)}
"""Reply label of a kind of sound."""
REPLIES = REPLY_SPEECH + len(EVIDENCE) + 1
"""Number of reply labels."""


@dataclass(frozen=True)
class Segment:
    """A sound from sample `start` to sample `end` of a stream.

    `source` is its corpus, where known. `unfinished` says that the sentence of this speech goes on after a pause.
    """

    start: int
    end: int
    kind: int
    word: int = 0
    whole: bool = True
    source: str = ""
    unfinished: bool = False


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
        [chunks, 10] 1 … 22 in and just after the later part of a spoken word or other speech, else 0.
    """

    reply: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    word: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Occasion:
    """An utterance or an episode of a sound, which is due one reply.

    Attributes
    ----------
    start, end
        Samples between which it sounds.
    kind
        Place in `corpus.KINDS`.
    label
        The right reply.
    due
        Chunk that carries the reply; the number of chunks or more where the stream ends first.
    source
        Corpus of its first segment; empty where unknown.
    """

    start: int
    end: int
    kind: int
    label: int
    due: int
    source: str = ""


def occasions(segments: Sequence[Segment], chunks: int) -> list[Occasion]:
    """Apply the rule to a stream of `chunks` chunks; sorted by the chunk of the reply."""
    speech = sorted((s for s in segments if s.kind == SPEECH), key=lambda s: s.start)
    found = _utterances(speech, chunks) + _episodes(segments)
    placed: list[Occasion] = []
    taken: set[int] = set()
    for occasion in sorted(found, key=lambda o: (o.due, o.label)):
        due = occasion.due
        while due < chunks and due in taken:
            due += 1
        taken.add(due)
        placed.append(replace(occasion, due=due))
    return placed


def label_chunks(segments: Sequence[Segment], chunks: int) -> ChunkLabels:
    """Compute the labels of a stream of `chunks` chunks."""
    reply = np.zeros(chunks, np.uint8)
    for occasion in occasions(segments, chunks):
        if occasion.due < chunks:
            reply[occasion.due] = occasion.label
    return ChunkLabels(reply, *_frames(segments, chunks))


def _utterances(speech: list[Segment], chunks: int) -> list[Occasion]:
    found = []
    pending: list[Segment] = []
    arrived = 0
    for chunk in range(chunks):
        now = (chunk + 1) * CHUNK_SAMPLES
        while arrived < len(speech) and speech[arrived].start < now:
            pending.append(speech[arrived])
            arrived += 1
        if pending and _ends_at(pending) <= now:
            found.append(_utterance(pending, chunk))
            pending = []
    return [*found, _utterance(pending, chunks)] if pending else found


def _ends_at(pieces: list[Segment]) -> float:
    """Return the sample at which pieces of speech count as an ended utterance, where no speech follows."""
    last = max(pieces, key=lambda s: s.end)
    return last.end + (END_OF_UNFINISHED if last.unfinished else END_OF_SPEECH) * SAMPLE_RATE


def _utterance(pieces: list[Segment], due: int) -> Occasion:
    only = pieces[0]
    named = len(pieces) == 1 and only.whole and 0 < only.word < OTHER_SPEECH
    label = only.word if named else REPLY_SPEECH
    return Occasion(only.start, max(s.end for s in pieces), SPEECH, label, due, only.source)


def _episodes(segments: Sequence[Segment]) -> list[Occasion]:
    found: list[Occasion] = []
    newest: dict[int, int] = {}
    for segment in sorted(segments, key=lambda s: s.start):
        kind = segment.kind
        if kind in (SPEECH, AMBIENCE):
            continue
        place = newest.get(kind)
        if place is not None and segment.start - found[place].end <= SAME_EPISODE * SAMPLE_RATE:
            found[place] = replace(found[place], end=max(found[place].end, segment.end))
            continue
        heard = segment.start + int(EVIDENCE[kind] * SAMPLE_RATE)
        newest[kind] = len(found)
        due = -(-heard // CHUNK_SAMPLES) - 1
        found.append(Occasion(segment.start, segment.end, kind, REPLY_OF_KIND[kind], due, segment.source))
    return found


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
