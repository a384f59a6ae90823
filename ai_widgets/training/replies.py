"""The replies of the embedded checkpoint: for every reply label an emotion and several wordings."""

from __future__ import annotations

from ai_widgets.special_tokens import Emotion
from ai_widgets.training.corpus import ALARM, BABY, DOG, KNOCK, MUSIC, ROOSTER, SNEEZE
from ai_widgets.training.labels import REPLIES, REPLY_OF_KIND, REPLY_SPEECH
from ai_widgets.training.lexicon import WORDS

ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
"""Words for the places from the second on in a count of one sound."""

SYSTEM_PROMPT = "You hear sounds and words."

_WORD = ("You said {word}.", "You said {word}.", "I heard {word}.", "That was {word}.")
_SPEECH = (
    "I heard you speak.",
    "I heard you, but I only know a few words.",
    "I heard speech. I can name digits and some names.",
    "You said something. I only know a few words.",
    "I heard somebody speak.",
    "You said something that I do not know.",
)
_SOUNDS: dict[int, tuple[Emotion, tuple[str, ...]]] = {
    DOG: (Emotion.SURPRISE, ("A dog is barking.", "I hear a dog.", "That is a dog!")),
    BABY: (
        Emotion.SAD,
        ("A baby is crying. Is everything all right?", "I hear a baby crying.", "A baby is crying."),
    ),
    SNEEZE: (Emotion.HAPPY, ("Bless you!", "Bless you! Was that a sneeze?", "A sneeze. Bless you!")),
    ROOSTER: (Emotion.HAPPY, ("A rooster is crowing.", "I hear a rooster. Good morning!", "That is a rooster.")),
    KNOCK: (Emotion.NORMAL, ("I hear knocking.", "Somebody is knocking.", "That was a knock or a clap.")),
    MUSIC: (Emotion.HAPPY, ("I hear music.", "Music is playing.", "That sounds like music!")),
    ALARM: (
        Emotion.URGENT,
        ("Warning! I hear an alarm.", "Warning! An alarm or a siren is sounding.", "Careful! That is an alarm."),
    ),
}


def wordings(label: int) -> tuple[Emotion, tuple[str, ...]]:
    """Return the emotion and the wordings of a reply label (1 … `REPLIES` - 1).

    Raises
    ------
    ValueError
        Where the label is out of range.
    """
    if not 0 < label < REPLIES:
        raise ValueError(f"A reply label is a number from 1 to {REPLIES - 1}, not {label}.")
    if label < REPLY_SPEECH:
        return Emotion.NORMAL, tuple(text.format(word=WORDS[label - 1]) for text in _WORD)
    if label == REPLY_SPEECH:
        return Emotion.NORMAL, _SPEECH
    kind = next(kind for kind, reply in REPLY_OF_KIND.items() if reply == label)
    return _SOUNDS[kind]


def counted(label: int, ordinal: int) -> tuple[Emotion, tuple[str, ...]]:
    """Return the emotion and the wordings for a sound that is heard for the `ordinal`-th time (2 … 10)."""
    emotion, texts = wordings(label)
    return emotion, tuple(f"{text[:-1]} for the {ORDINALS[ordinal - 2]} time." for text in texts if "." in text[-1:])


def ordinal(text: str) -> int:
    """Return how often the sound was heard as a reply says: 1 without a count, 0 where it names no sound."""
    if understood(text) <= REPLY_SPEECH:
        return 0
    return next((n for n, word in enumerate(ORDINALS, 2) if text.strip().endswith(f" for the {word} time.")), 1)


def all_texts() -> list[str]:
    """Return the system prompt and all wordings, on which the tokenizer is trained."""
    return [SYSTEM_PROMPT] + [text for label in range(1, REPLIES) for text in wordings(label)[1]]


def understood(text: str) -> int:
    """Return the reply label that has this text among its wordings, or 0."""
    for label in range(1, REPLIES):
        if text.strip() in wordings(label)[1]:
            return label
    for label in range(REPLY_SPEECH + 1, REPLIES):
        if any(text.strip() in counted(label, place)[1] for place in range(2, len(ORDINALS) + 2)):
            return label
    return 0
