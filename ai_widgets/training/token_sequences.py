"""Lay streams out as token sequences, exactly as a session feeds them (docs/protocol.md §3 and §7).

For each chunk: the last token of the previous chunk, AUDIO_BEGIN, ten PADs (whose embeddings are replaced by encoder
frames), ASSISTANT. The label at ASSISTANT is the decision; on a reply chunk the emotion, the text and TEXT_END follow,
each as the label of the token before it. All other labels are -100.

At run time the model samples its decisions, so the context may hold wrong ones, which ideal labels never do.
`perturbed` adds such histories: a reply that is one chunk late, or superfluous. The wrong step is fed without a loss;
the steps after it are trained.

A sound that was named before is counted: the ordinal is one more than that of its newest reply which is still in the
context, and starts again where that reply has left the context. So that short streams teach high ordinals too, the
first reply of a sound that comes again, and at times a later one, may be fed with any ordinal, without a loss on its
text. A network that hears few high ordinals learns how many replies fit into a stream, and says "third" for ever after.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import FRAMES_PER_CHUNK
from ai_widgets.special_tokens import Emotion
from ai_widgets.training.corpus import SPEECH
from ai_widgets.training.labels import NO_REPLY, REPLIES, REPLY_SPEECH
from ai_widgets.training.replies import COUNTS, SYSTEM_PROMPT, counted, wordings
from ai_widgets.training.vocabulary import Vocabulary

IGNORED = -100
"""Label of positions without a loss, the default of `torch.nn.functional.cross_entropy`."""
Wordings = tuple[Emotion, tuple[str, ...]]
ADVANCED = 0.35
"""Share of the repeated sounds whose first reply in a stream has a random ordinal, as if more replies preceded it, by
default."""
JUMPED = 0.1
"""Share of the later replies to such a sound that have a random ordinal: the next one then follows from it alone."""


@dataclass
class History:
    """The fed steps of a stream: for each chunk the reply label (0 = KEEP_SILENCE) and whether it has a loss."""

    reply: npt.NDArray[np.uint8]
    learnt: npt.NDArray[np.bool_]


@dataclass
class Sequence:
    """One stream as a token sequence.

    Attributes
    ----------
    tokens, labels
        [length] token ids, and the label predicted *at* each position.
    pads
        [chunks, 10] positions of the frames.
    decisions
        [chunks] positions of the decisions.
    """

    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    pads: npt.NDArray[np.int64]
    decisions: npt.NDArray[np.int64]


def ideal(reply: npt.NDArray[np.uint8]) -> History:
    """Make the history in which every decision is correct."""
    return History(reply, np.ones(len(reply), np.bool_))


def perturbed(
    reply: npt.NDArray[np.uint8], kind: npt.NDArray[np.uint8], rng: np.random.Generator, rate: float = 0.12
) -> History:
    """Make a history with some wrong decisions.

    Parameters
    ----------
    reply, kind
        Chunk labels of the stream.
    rng
        Random generator.
    rate
        Share of replies that are one chunk late; a twelfth of it is the share of silent chunks with a false reply.
    """
    history = History(reply.copy(), np.ones(len(reply), np.bool_))
    for chunk in np.flatnonzero(reply):
        follows = chunk + 1 < len(reply) and history.reply[chunk + 1] == NO_REPLY
        if follows and rng.random() < rate:
            history.reply[chunk + 1] = history.reply[chunk]
            history.reply[chunk] = NO_REPLY
            history.learnt[chunk] = False
    speaking = (kind == SPEECH).any(1)
    for chunk in np.flatnonzero(history.reply == NO_REPLY):
        if rng.random() < rate / 12 and history.learnt[chunk]:
            ahead = np.flatnonzero(history.reply[chunk:])
            following = chunk + int(ahead[0]) if len(ahead) else -1
            history.reply[chunk] = (
                REPLY_SPEECH if speaking[max(0, chunk - 6) : chunk + 1].any() else rng.integers(1, REPLIES)
            )
            history.learnt[chunk] = False
            # The false reply answers speech that has ended before it, but not speech that continues.
            answers = following >= 0 and history.reply[following] <= REPLY_SPEECH
            if (
                answers
                and speaking[max(0, chunk - 3) : chunk + 1].any()
                and not speaking[chunk + 1 : following + 1].any()
            ):
                history.reply[following] = NO_REPLY
    return history


class SequenceBuilder:
    """A converter from histories to token sequences, with randomly drawn wordings.

    Parameters
    ----------
    vocabulary
        Tokenizer and special tokens.
    prompt
        System prompt.
    replies
        Emotion and wordings of the reply labels 1, 2, …; by default those of the embedded checkpoint, which counts.
    attended
        Positions of the context, the prefix included; 0 for no limit. Replies further back are not counted.
    advanced
        Share of the repeated sounds whose first reply in a stream has a random ordinal.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        prompt: str = SYSTEM_PROMPT,
        replies: Iterable[Wordings] | None = None,
        attended: int = 0,
        advanced: float = ADVANCED,
    ) -> None:
        self.advanced = advanced
        ids = vocabulary.ids
        begin = ids["TEXT_BEGIN"]
        self.prefix = [ids["ONLINE"], ids["ENGLISH"], begin, begin, *vocabulary.encode(prompt), ids["TEXT_END"]]
        self.block = [ids["AUDIO_BEGIN"], *[ids["PAD"]] * FRAMES_PER_CHUNK, ids["ASSISTANT"]]
        self.keep, self.begin, self.end = ids["KEEP_SILENCE"], begin, ids["TEXT_END"]
        self.replies: list[list[list[int]]] = [[]]
        for emotion, options in (wordings(label) for label in range(1, REPLIES)) if replies is None else replies:
            token = vocabulary.emotions[Emotion(emotion).name]
            self.replies.append([[token, *vocabulary.encode(text)] for text in options])
        self.again: dict[int, list[list[int]]] = {}
        for label in range(REPLY_SPEECH + 1, REPLIES) if replies is None else ():
            texts = [counted(label, number) for number in COUNTS[1:]]
            self.again[label] = [[vocabulary.emotions[mood.name], *vocabulary.encode(of[0])] for mood, of in texts]
        self.remembered = attended - len(self.prefix) - len(self.block) if attended else 1 << 30

    def history(
        self, reply: npt.NDArray[np.uint8], kind: npt.NDArray[np.uint8], rng: np.random.Generator, rate: float
    ) -> History:
        """Make the history to feed for a stream with these chunk labels."""
        return perturbed(reply, kind, rng, rate)

    def build(self, history: History, rng: np.random.Generator, limit: int = 1 << 30) -> Sequence:
        """Lay out one stream, truncated to the chunks that fit into `limit` positions."""
        tokens, labels = list(self.prefix), [IGNORED] * len(self.prefix)
        pads, decisions = [], []
        fed: list[int] = []
        counts: dict[int, tuple[int, int]] = {}
        for chunk, (reply, learnt) in enumerate(zip(history.reply.tolist(), history.learnt.tolist(), strict=True)):
            told = True
            spoken = self.replies[reply][int(rng.integers(len(self.replies[reply])))] if reply else []
            if reply in self.again:
                number, told = self._number(reply, counts.get(reply), len(tokens), history.reply[chunk + 1 :], rng)
                counts[reply] = (number, len(tokens))
                if number > 1:
                    spoken = self.again[reply][min(number, len(self.again[reply]) + 1) - 2]
            if len(tokens) + len(fed) + len(self.block) + len(spoken) + 2 > limit:
                break
            tokens += fed + self.block
            labels += [IGNORED] * (len(fed) + len(self.block))
            pads.append(np.arange(len(tokens) - 1 - FRAMES_PER_CHUNK, len(tokens) - 1))
            decisions.append(len(tokens) - 1)
            chosen = [self.begin, *spoken, self.end] if reply else [self.keep]
            if learnt:
                labels[-1] = chosen[0]
            tokens += chosen[:-1]
            labels += chosen[1:] if learnt and told else [IGNORED] * (len(chosen) - 1)
            fed = chosen[-1:]
        return Sequence(
            np.array(tokens), np.array(labels), np.array(pads).reshape(-1, FRAMES_PER_CHUNK), np.array(decisions)
        )

    def _number(
        self,
        reply: int,
        before: tuple[int, int] | None,
        position: int,
        following: npt.NDArray[np.uint8],
        rng: np.random.Generator,
    ) -> tuple[int, bool]:
        """Return the ordinal of a reply to a sound, and whether its text has a loss.

        `before` is the ordinal and the position of the newest reply to the same sound.
        """
        known = before is not None and position - before[1] < self.remembered
        if (following == reply).any() and rng.random() < (JUMPED if known else self.advanced):
            return int(rng.integers(1, len(COUNTS) + 1)), False
        return (before[0] + 1 if before is not None and known else 1), True
