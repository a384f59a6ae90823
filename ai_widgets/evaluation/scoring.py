"""Match replies to occasions, and classify the replies that match none.

Times are in chunks. The *end chunk* of an utterance holds its last sample, the *onset chunk* of a sound its first one.

- A reply *answers* an utterance from the end chunk to `WITHIN` chunks later (to one chunk after the due chunk, where
  that is later: an unfinished sentence), and a sound from the onset chunk to
  `WITHIN` chunks after the chunk where the reply is due. A reply answers one occasion; in order of time, and where two
  occasions are open, the occasion that the reply names.
- *early*: the reply begins during an utterance or a pause in it, before the end chunk.
- *repeated*, *late*: the reply belongs to an occasion that was answered before, or whose time for an answer is over (up
  to `AFTER` chunks past its end).
- *unscored*: the reply belongs to an occasion whose reply is due after the stream's end.
- *false*: all other replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_widgets.protocol import CHUNK_SAMPLES, CHUNK_SECONDS
from ai_widgets.training.corpus import ALARM, BABY, DOG, KINDS, KNOCK, MUSIC, ROOSTER, SNEEZE, SPEECH
from ai_widgets.training.labels import NO_REPLY, REPLY_OF_KIND, REPLY_SPEECH, Occasion
from ai_widgets.training.lexicon import WORDS

WITHIN = 3
"""Chunks (1.2 s) after the end or due chunk in which a reply still is an answer."""
AFTER = 6
"""Chunks (2.4 s) past an occasion's end in which a reply still belongs to it, as late or repeated and not as false."""
OTHER_WORDS = "other words"
NO_ANSWER = "no reply"

SOUND_NAMES = tuple(KINDS[kind] for kind in REPLY_OF_KIND)
SEVEN_SOUNDS = tuple(KINDS[kind] for kind in (DOG, BABY, SNEEZE, ROOSTER, KNOCK, MUSIC, ALARM))
"""The sounds of the figure *seven sounds*, the same for every version of the model."""
FURTHER_SOUNDS = tuple(name for name in SOUND_NAMES if name not in SEVEN_SOUNDS)
"""Sounds that later versions name too; reported one by one."""
_NAME_OF_SOUND = {reply: KINDS[kind] for kind, reply in REPLY_OF_KIND.items()}


def label_name(label: int) -> str:
    """Return the name of a reply label."""
    if label == NO_REPLY:
        return OTHER_WORDS
    if label < REPLY_SPEECH:
        return WORDS[label - 1]
    return "speech" if label == REPLY_SPEECH else _NAME_OF_SOUND[label]


@dataclass(frozen=True)
class Reply:
    """One reply: the chunk whose decision began it, and the label that its text means (0: none of them)."""

    chunk: int
    label: int
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of one occasion whose reply was due within its stream.

    `latency` is in chunks, from the end chunk (utterance) or the onset chunk (sound) to the reply.
    """

    occasion: Occasion
    answer: Reply | None
    early: bool = False

    @property
    def spoken(self) -> bool:
        """Whether the occasion is an utterance."""
        return self.occasion.kind == SPEECH

    @property
    def latency(self) -> int | None:
        """Chunks from the end or onset to the answer; None without an answer."""
        return None if self.answer is None else self.answer.chunk - first_chunk(self.occasion)

    @property
    def right(self) -> bool:
        """Whether the answer has the correct name."""
        return self.answer is not None and self.answer.label == self.occasion.label

    @property
    def said(self) -> str:
        """The name in the answer."""
        return NO_ANSWER if self.answer is None else label_name(self.answer.label)


@dataclass
class Score:
    """The scored replies of one stream.

    `due` says for every chunk whether a reply was due: from the due chunk of an occasion until its answer. The value is
    None where both waiting and answering are correct; calibration excludes these chunks.
    """

    suite: str
    name: str
    chunks: int
    outcomes: list[Outcome] = field(default_factory=list)
    false: list[Reply] = field(default_factory=list)
    early: list[Reply] = field(default_factory=list)
    repeated: list[Reply] = field(default_factory=list)
    late: list[Reply] = field(default_factory=list)
    unscored: list[Reply] = field(default_factory=list)
    due: list[bool | None] = field(default_factory=list)

    @property
    def hours(self) -> float:
        """Length of the stream in hours."""
        return self.chunks * CHUNK_SECONDS / 3600


def first_chunk(occasion: Occasion) -> int:
    """Return the first chunk in which a reply is an answer."""
    return max(0, occasion.end - 1) // CHUNK_SAMPLES if occasion.kind == SPEECH else occasion.start // CHUNK_SAMPLES


def last_chunk(occasion: Occasion) -> int:
    """Return the last chunk in which a reply is an answer."""
    if occasion.kind == SPEECH:
        return max(first_chunk(occasion) + WITHIN, occasion.due + 1)
    return occasion.due + WITHIN


def score(suite: str, name: str, chunks: int, occasions: Sequence[Occasion], replies: Sequence[Reply]) -> Score:
    """Match and classify the replies to one stream of `chunks` chunks."""
    result = Score(suite, name, chunks)
    waiting = sorted(occasions, key=lambda o: o.due)
    answers: dict[Occasion, Reply] = {}
    interrupted: set[Occasion] = set()
    for reply in sorted(replies, key=lambda r: r.chunk):
        interrupts = [o for o in occasions if _under_way(o, reply.chunk)]
        open_now = [o for o in waiting if first_chunk(o) <= reply.chunk <= last_chunk(o)]
        if interrupts and reply.label <= REPLY_SPEECH:
            # A reply about speech, during speech, is no answer to a sound at the same time.
            open_now = [o for o in open_now if o.kind == SPEECH]
        named = [o for o in open_now if o.label == reply.label]
        if open_now:
            answered = (named or open_now)[0]
            waiting.remove(answered)
            answers[answered] = reply
        elif interrupts:
            interrupted.update(interrupts)
            result.early.append(reply)
        else:
            _unmatched(result, occasions, answers, reply)
    for occasion in occasions:
        if occasion.due < chunks:
            result.outcomes.append(Outcome(occasion, answers.get(occasion), occasion in interrupted))
    result.due = _due(chunks, occasions, answers)
    return result


def _under_way(occasion: Occasion, chunk: int) -> bool:
    return occasion.kind == SPEECH and occasion.start // CHUNK_SAMPLES <= chunk < first_chunk(occasion)


def _unmatched(result: Score, occasions: Sequence[Occasion], answers: dict[Occasion, Reply], reply: Reply) -> None:
    around = [o for o in occasions if o.start // CHUNK_SAMPLES <= reply.chunk <= o.end // CHUNK_SAMPLES + AFTER]
    if not around:
        result.false.append(reply)
    elif all(o.due >= result.chunks for o in around):
        result.unscored.append(reply)
    elif any(o in answers for o in around):
        result.repeated.append(reply)
    else:
        result.late.append(reply)


def _due(chunks: int, occasions: Sequence[Occasion], answers: dict[Occasion, Reply]) -> list[bool | None]:
    due: list[bool | None] = [False] * chunks
    for occasion in occasions:
        answer = answers.get(occasion)
        until = last_chunk(occasion) if answer is None else answer.chunk
        for chunk in range(first_chunk(occasion), min(chunks, until + 1)):
            if chunk >= occasion.due:
                due[chunk] = True
            elif due[chunk] is False:
                due[chunk] = None
    return due
