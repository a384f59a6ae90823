"""The replies of the embedded checkpoint: for every reply label an emotion and several wordings.

A sound that was named before is counted ("A dog is barking for the second time."), as far as the reply before it is
still in the context (`token_sequences.py`).
"""

from __future__ import annotations

from ai_widgets.special_tokens import Emotion
from ai_widgets.training.corpus import ALARM, BABY, DOG, KNOCK, LAUGHTER, MUSIC, ROOSTER, SNEEZE
from ai_widgets.training.labels import REPLIES, REPLY_OF_KIND, REPLY_SPEECH
from ai_widgets.training.lexicon import WORDS

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
_KIND_OF_REPLY = {reply: kind for kind, reply in REPLY_OF_KIND.items()}
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
    LAUGHTER: (Emotion.HAPPY, ("Somebody is laughing.", "I hear laughter.", "That was a laugh!")),
}
ORDINALS: tuple[str, ...] = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
"""Ordinals that the replies count with; a sound is counted up to the tenth time."""
_AGAIN: dict[int, str] = {
    DOG: "A dog is barking",
    BABY: "A baby is crying",
    SNEEZE: "Bless you",
    ROOSTER: "A rooster is crowing",
    KNOCK: "Somebody is knocking",
    MUSIC: "Music is playing",
    ALARM: "Warning! I hear an alarm",
    LAUGHTER: "Somebody is laughing",
}
"""Start of the reply to a sound that was named before."""
COUNTS = range(1, len(ORDINALS) + 3)
"""Counts with a wording of their own: 1, the ordinals, and all above them ("once more")."""


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
    return _SOUNDS[_KIND_OF_REPLY[label]]


def counted(label: int, number: int) -> tuple[Emotion, tuple[str, ...]]:
    """Return the emotion and the wordings of the reply to a sound that is heard for the `number`-th time.

    Parameters
    ----------
    label
        Reply label of a sound, above `REPLY_SPEECH`.
    number
        How many times the sound was named, this time included; 1 gives `wordings`, above 10 "once more".

    Raises
    ------
    ValueError
        Where the label is not that of a sound, or the number is below 1.

    Examples
    --------
    >>> counted(REPLY_OF_KIND[DOG], 3)[1]
    ('A dog is barking for the third time.',)
    """
    if not REPLY_SPEECH < label < REPLIES:
        raise ValueError(f"Sounds are counted, labels {REPLY_SPEECH + 1} to {REPLIES - 1}; {label} is none of them.")
    if number < 1:
        raise ValueError(f"A count is at least 1, not {number}.")
    emotion, texts = wordings(label)
    if number == 1:
        return emotion, texts
    again = _AGAIN[_KIND_OF_REPLY[label]]
    if number > len(ORDINALS) + 1:
        return emotion, (f"{again} once more.",)
    return emotion, (f"{again} for the {ORDINALS[number - 2]} time.",)


def all_texts() -> list[str]:
    """Return the system prompt and all wordings, on which the tokenizer is trained."""
    plain = [text for label in range(1, REPLIES) for text in wordings(label)[1]]
    again = [text for label in range(REPLY_SPEECH + 1, REPLIES) for n in COUNTS[1:] for text in counted(label, n)[1]]
    return [SYSTEM_PROMPT, *plain, *again]


def understood(text: str) -> int:
    """Return the reply label that has this text among its wordings, or 0."""
    return _MEANINGS.get(text.strip(), (0, 0))[0]


def ordinal(text: str) -> int:
    """Return the count in the reply to a sound: 1 where it does not count, 0 where it is no reply to a sound."""
    return _MEANINGS.get(text.strip(), (0, 0))[1]


def _meanings() -> dict[str, tuple[int, int]]:
    """Return the reply label and the count of every text; the count of a reply to speech is 0."""
    found = {text: (label, 0) for label in range(1, REPLY_SPEECH + 1) for text in wordings(label)[1]}
    for label in range(REPLY_SPEECH + 1, REPLIES):
        found.update({text: (label, number) for number in COUNTS for text in counted(label, number)[1]})
    return found


_MEANINGS = _meanings()
