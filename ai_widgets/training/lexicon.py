"""The words that the embedded checkpoint can name, and the texts spoken by synthetic voices.

A *word* here is anything the model repeats ("You said seven."). Everything else that is spoken is
"other speech". Sentences come from a small grammar, so that any number of different ones exists and a
seed reproduces them.
"""

from __future__ import annotations

import numpy as np

DIGITS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KEYWORDS: tuple[str, ...] = ("alexa", "computer", "jarvis", "smart mirror", "snowboy", "view glass")
COMMANDS: tuple[str, ...] = ("yes", "no", "stop", "go", "help")
WORDS: tuple[str, ...] = DIGITS + KEYWORDS + COMMANDS
"""Words that are named; their place in this tuple plus one is the word's label (0 = no word)."""

HOMOPHONES: dict[str, str] = {"won": "one", "ate": "eight", "for": "four", "too": "two", "to": "two"}
"""Homophones of named words; each counts as the named word."""

OTHER_SPEECH = len(WORDS) + 1
"""Word label of speech that is not one of `WORDS`."""

SHORT_TEXTS: tuple[str, ...] = (
    "yes", "no", "hello", "hi there", "stop", "go", "okay", "please", "thank you", "good morning", "good night",
    "help", "lights on", "lights off", "play", "pause", "next", "back", "left", "right", "up", "down", "maybe",
    "heaven", "tree", "sick", "nice", "wine", "fight", "store", "too much", "won", "ate", "hero", "never", "later",
    "mirror", "glass", "commuter", "harvest", "cowboy", "snow", "window", "water", "coffee", "table", "music",
    "open", "close", "what", "who is it", "really", "wait", "come here", "sure", "fine", "great", "sorry", "ten",
    "eleven", "twelve", "twenty", "hundred", "a test", "alright", "excuse me", "be quiet", "amelia", "athena",
    "bird", "cat", "happy", "house", "learn", "visual", "follow", "forward", "marvin", "sheila", "wow", "bed",
)  # fmt: skip

_OPENERS = (
    "could you please", "can you", "I would like to", "do you know how to", "we should", "please", "tomorrow I will",
    "my sister wants to", "they never", "why did he", "when will you", "let me", "it is time to", "somebody has to",
    "in the morning we", "nobody can", "did you ever", "I think I will", "would you", "the teacher had to",
)  # fmt: skip
_VERBS = (
    "open", "close", "find", "buy", "clean", "move", "paint", "bring back", "look at", "forget", "carry", "repair",
    "talk about", "describe", "remember", "sell", "photograph", "wash", "turn off", "think about", "listen to",
)  # fmt: skip
_THINGS = (
    "the window", "a cup of coffee", "seven apples", "the old computer", "the garden", "her yellow umbrella",
    "that strange noise", "our neighbours", "the kitchen light", "two tickets", "the weather report", "his shoes",
    "the blue car", "this music", "a long letter", "the front door", "my grandmother's house", "the whole story",
    "eight chairs", "the picture on the wall", "some bread and butter", "the river", "a good book", "their dog",
)  # fmt: skip
_ENDINGS = (
    "", "", "", "before dinner", "with a friend", "as soon as possible", "in the rain", "after the meeting",
    "on Thursday", "because it is late", "near the station", "if you have a moment", "without any help",
    "at half past nine", "and then go home", "for the third time", "and tell me what happened", "very carefully",
)  # fmt: skip
_WHOLE = (
    "what time is it", "how are you today", "tell me a joke", "where is the nearest station", "set a timer",
    "is it going to rain tomorrow", "the quick brown fox jumps over the lazy dog", "who wrote this book",
    "turn the volume down", "one two three four five", "my number is five five two nine",
    "what is the capital of France",
    "I am not sure what you mean", "she sells sea shells by the sea shore", "call me back later",
    "testing one two three",
    "good evening ladies and gentlemen", "this is a test of the microphone", "what is two plus two", "can you hear me",
)  # fmt: skip


def sentence(rng: np.random.Generator) -> str:
    """Draw one sentence of two to about twenty words.

    Parameters
    ----------
    rng
        Source of randomness.

    Returns
    -------
    str
        Plain lower-case text (proper nouns apart) without end punctuation.
    """

    def pick(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    if rng.random() < 0.25:
        return pick(_WHOLE)
    words = f"{pick(_OPENERS)} {pick(_VERBS)} {pick(_THINGS)} {pick(_ENDINGS)}".strip()
    if rng.random() < 0.2:
        words += f", and {pick(_OPENERS)} {pick(_VERBS)} {pick(_THINGS)}"
    return words


def word_label(text: str) -> int:
    """Return the label of a spoken text: 1 … len(WORDS) for a named word, `OTHER_SPEECH` for the rest.

    A digit may be written as a word or as a figure.
    """
    key = text.strip().lower().replace("_", " ")
    if len(key) == 1 and "0" <= key <= "9":
        key = DIGITS[int(key)]
    key = HOMOPHONES.get(key, key)
    return WORDS.index(key) + 1 if key in WORDS else OTHER_SPEECH
