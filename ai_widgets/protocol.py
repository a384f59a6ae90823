"""The nouns of Audio-Interaction: its time grid, its special tokens and the events of a session.

Everything a person sees, saves, replays or plots is made from the frozen events of this module. It knows nothing of
torch, of audio files or of Jupyter. The facts are those of the model card and the paper (arXiv 2606.05121, §3): audio
arrives in chunks of 0.4 s; after each one the model decides KEEP_SILENCE or TEXT_BEGIN; a reply runs to TEXT_END.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from .errors import CheckpointError

SAMPLE_RATE = 16_000
"""Samples per second of the model's input."""
CHUNK_SAMPLES = 6_400
"""Samples of one chunk: 0.4 s."""
CHUNK_SECONDS = CHUNK_SAMPLES / SAMPLE_RATE
MELS_PER_CHUNK = 40
"""Log-mel frames (10 ms each) of one chunk."""
FRAMES_PER_CHUNK = 10
"""Encoder frames (40 ms each) of one chunk; each replaces one PAD embedding."""
EVENTS_VERSION = 2
"""Version of the event fields below, written wherever events are stored. Fields of a later version have defaults, so
that events of an earlier one can still be read."""

Choice = Literal["KEEP_SILENCE", "TEXT_BEGIN", "OTHER"]
Ending = Literal["TEXT_END", "limit", "interrupted", "error"]

TOKEN_NAMES = (
    "TEXT_BEGIN",
    "TEXT_END",
    "AUDIO_PAD",
    "AUDIO_BEGIN",
    "AUDIO_END",
    "USER",
    "ASSISTANT",
    "KEEP_SILENCE",
    "PAD",
    "ONLINE",
    "OFFLINE",
    "ENGLISH",
)


class Emotion(str, Enum):
    """The emotion a reply may open with. It is a token of its own, never part of the text."""

    HAPPY = "happy"
    SAD = "sad"
    ANGRY = "angry"
    SURPRISE = "surprise"
    NORMAL = "normal"
    URGENT = "urgent"


@dataclass(frozen=True)
class SpecialTokens:
    """Ids of the special tokens of one checkpoint. Ids are data of the checkpoint, never constants of the program.

    Parameters
    ----------
    ids
        Token id by name; every name of `TOKEN_NAMES` must be there.
    emotions
        Token id by emotion. A checkpoint without emotion tokens has an empty table.
    """

    ids: Mapping[str, int]
    emotions: Mapping[Emotion, int]

    def __post_init__(self) -> None:
        missing = [name for name in TOKEN_NAMES if name not in self.ids]
        if missing:
            raise CheckpointError(
                f"The special-token table lacks {', '.join(missing)}; it must name {', '.join(TOKEN_NAMES)}."
            )
        object.__setattr__(self, "ids", MappingProxyType(dict(self.ids)))
        object.__setattr__(self, "emotions", MappingProxyType(dict(self.emotions)))
        object.__setattr__(self, "_emotion_of", {token: emotion for emotion, token in self.emotions.items()})
        object.__setattr__(self, "_name_of", {token: name for name, token in reversed(list(self.ids.items()))})

    def __getitem__(self, name: str) -> int:
        return self.ids[name]

    def emotion(self, token: int) -> Emotion | None:
        """The emotion that `token` stands for, or None."""
        found: Emotion | None = self._emotion_of.get(token)  # type: ignore[attr-defined]
        return found

    def name(self, token: int) -> str | None:
        """Name of a special or emotion token, or None for a token of the text."""
        emotion = self.emotion(token)
        if emotion is not None:
            return emotion.name
        found: str | None = self._name_of.get(token)  # type: ignore[attr-defined]
        return found

    @property
    def highest(self) -> int:
        """The largest id of the table; the vocabulary must reach beyond it."""
        return max([*self.ids.values(), *self.emotions.values()])


@dataclass(frozen=True, slots=True)
class Alternative:
    """One token that could have been drawn at a step, and what became of its probability.

    Attributes
    ----------
    token, text
        Its id, and its text or name.
    p
        Raw: the softmax over the whole vocabulary.
    scaled
        After mask, bias and temperature: the softmax over the allowed tokens. Greedy: with temperature 1.
    kept
        After top-k and top-p, made to add up to 1 again: what the token is drawn from; 0 where it was removed. Greedy:
        1 for the drawn token.
    """

    token: int
    text: str
    p: float
    scaled: float = 0.0
    kept: float = 0.0


_ALTERNATIVE = tuple(item.name for item in fields(Alternative))

EVENT_TYPES: dict[str, type[Event]] = {}
"""Every event class by its `type`."""


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has in common: a `type`, the chunk it belongs to, and a JSON form."""

    type: ClassVar[str]
    chunk: int

    def __init_subclass__(cls) -> None:
        EVENT_TYPES[cls.type] = cls

    def to_json(self) -> dict[str, Any]:
        """The event as plain JSON values, `type` first. `from_json` is its inverse."""
        values: dict[str, Any] = {"type": self.type}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "alternatives":
                value = [{name: getattr(a, name) for name in _ALTERNATIVE} for a in value]
            elif isinstance(value, Emotion):
                value = value.value
            elif isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            values[item.name] = value
        return values

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Event:
        """The event that `to_json` wrote; unknown fields of a newer version are ignored."""
        kind = EVENT_TYPES.get(values.get("type", ""))
        if kind is None:
            raise ValueError(f"{values.get('type')!r} is not an event type; known are {', '.join(EVENT_TYPES)}.")
        known: dict[str, Any] = {}
        for item in fields(kind):
            if item.name not in values:
                continue
            value = values[item.name]
            if item.name == "alternatives":
                value = tuple(Alternative(**a) for a in value)
            elif item.name == "emotion" and value is not None:
                value = Emotion(value)
            elif isinstance(value, list):
                value = tuple(value)
            known[item.name] = value
        return kind(**known)


@dataclass(frozen=True, slots=True)
class Chunk(Event):
    """One chunk as the model hears it, 0.4 s of 16 kHz audio.

    Attributes
    ----------
    chunk, clip
        Index of the chunk in the session, and of the clip (file or recording) it belongs to.
    start_s
        Start of the chunk on the session's audio clock, in seconds.
    rms_db
        Level in dBFS (−120 for digital silence).
    envelope
        Peak magnitude (0…1) of each 25 ms, sixteen values: what a level lane draws.
    flags
        What happened to the audio on its way: `clipped`, `padded` (zeros were appended), `tail` (silence that follows
        a clip), `waited` (it arrived while the model was speaking), `late` (live audio that waited for more than a
        chunk's length between its capture and its decision), `gated`, `dropped`, `repaired` (NaN or infinity replaced
        by 0), `channels_cancel` (the louder channel was taken, since the average of all is silence), `dc_offset`
        (shifted by a constant), `unheard` (the session had ended).
    mel
        What the model heard, from the very features the tower gets: base64 of one byte for each of 10 frames × 32
        bands, frame by frame, the lowest band first (`features.thumbnail`). Empty where it is not known.
    """

    type = "chunk"
    clip: int
    start_s: float
    rms_db: float
    envelope: tuple[float, ...]
    flags: tuple[str, ...] = ()
    mel: str = ""

    def __repr__(self) -> str:
        flags = f", {' '.join(self.flags)}" if self.flags else ""
        return f"<Chunk {self.chunk} at {self.start_s:.1f} s: {self.rms_db:.0f} dB{flags}>"


@dataclass(frozen=True, slots=True)
class Decision(Event):
    """What the model decided after a chunk.

    Attributes
    ----------
    token, choice
        The token drawn and its name. `OTHER` is a protocol violation, possible only with the mask off.
    p_keep, p_text, p_other
        Raw probabilities (softmax over the whole vocabulary, before bias and temperature); they add up to 1.
    logit_keep, logit_text
        Raw logits of the two decision tokens.
    p_drawn
        Probability of `token` in the distribution it was drawn from (after mask, bias, temperature, top-k, top-p).
    draw
        The uniform number in [0, 1) that picked the token; None when greedy.
    argmax
        The likeliest token of the whole vocabulary.
    position
        Position of the step's last token in the context; the decision is read there.
    alternatives
        The likeliest tokens by raw probability; the drawn one and both decision tokens are always among them.
    before
        Tokens fed before the block: the whole prefix in a bare context, else the token drawn last, and TEXT_END after
        it where a reply was cut. Empty where the context slid so far that nothing but the prefix was left.
    oldest
        The oldest chunk that is still in the context.
    used, limit
        Positions in use after the step, and how many there may be.
    rule
        What was in effect: `greedy`, `temperature`, `top_k` (None: all), `top_p`, `bias`, `mask`, `seed`.
    """

    type = "decision"
    clip: int
    start_s: float
    token: int
    choice: Choice
    p_keep: float
    p_text: float
    p_other: float
    logit_keep: float
    logit_text: float
    p_drawn: float
    draw: float | None
    argmax: int
    position: int
    alternatives: tuple[Alternative, ...] = ()
    before: tuple[int, ...] = ()
    oldest: int = 0
    used: int = 0
    limit: int = 0
    rule: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Decision {self.chunk} at {self.start_s:.1f} s: {self.choice}, p(TEXT_BEGIN) {self.p_text:.3g}>"


@dataclass(frozen=True, slots=True)
class Token(Event):
    """One token of a reply, emotion included, TEXT_END left out.

    `text` is what this token adds to the visible reply: empty for an emotion and while a character's UTF-8 bytes are
    still incomplete. `p` is the raw probability; `p_drawn`, `draw` and `argmax` are as in `Decision`.
    """

    type = "token"
    turn: int
    index: int
    token: int
    p: float
    text: str
    p_drawn: float
    draw: float | None
    argmax: int
    position: int
    alternatives: tuple[Alternative, ...] = ()

    def __repr__(self) -> str:
        return f"<Token {self.index} of reply {self.turn}: {self.text or self.token!r}, p {self.p:.3g}>"


@dataclass(frozen=True, slots=True)
class Turn(Event):
    """A finished reply, emitted when it ends.

    `chunk` is the chunk whose decision began it; `start_s` that chunk's start. `tokens` are the ids after TEXT_BEGIN,
    emotion included, TEXT_END left out. `ended` says why it ended: TEXT_END, a limit, an
    interruption (Ctrl-C, a closed session), or an error of the model.
    """

    type = "turn"
    turn: int
    clip: int
    start_s: float
    emotion: Emotion | None
    text: str
    tokens: tuple[int, ...]
    ended: Ending

    def __repr__(self) -> str:
        mood = "" if self.emotion is None else f", {self.emotion.value}"
        ended = "" if self.ended == "TEXT_END" else f" ({self.ended})"
        return f"<Turn {self.turn} at {self.start_s:.1f} s{mood}: {self.text!r}{ended}>"


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something a person should know: a limit, a slide, a reset, a violation, changed settings, lost audio.

    `kind` is one word for programs (`context_slide`, `context_reset`, `context_full`, `limit`, `violation`,
    `settings`, `undecided`, …), `message` a sentence for people, `data` the figures. Of the input: `silent_input`,
    `faint_input`, `dc_offset`, `channels_cancel`, `repaired` (each with `phase` begins or ends), and of a file `cut`,
    `header_repaired`, `damaged`.
    """

    type = "notice"
    kind: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Notice at chunk {self.chunk}, {self.kind}: {self.message}>"


@dataclass(frozen=True, slots=True)
class Timing(Event):
    """Where the time of one chunk went, in milliseconds on the kernel's clock.

    `queue_ms` is the time between the arrival of the chunk's last sample and the start of its decision that no stage
    was working on it, `encode_wait_ms` the part of it before the features; both are 0 for audio of a file or from
    Python, which comes as fast as it can be taken and has no deadline. `reply_ms` is the time of the whole reply, 0
    where the model kept silent. `stream` and `seq` name the browser's block that completed the chunk (0 and −1 where
    Python fed it). `arrived_ms` (that block, or the samples, were here) and `decided_ms` are Unix time in milliseconds.
    `capture_ms` is the time between the capture of the chunk's last sample and its arrival: what a busy page, line or
    kernel took; 0 where it is no microphone's or not known.
    """

    type = "timing"
    features_ms: float
    tower_ms: float
    decide_ms: float
    reply_ms: float
    queue_ms: float
    stream: int = 0
    seq: int = -1
    arrived_ms: float = 0.0
    decided_ms: float = 0.0
    encode_wait_ms: float = 0.0
    capture_ms: float = 0.0

    def __repr__(self) -> str:
        parts = {"features": self.features_ms, "tower": self.tower_ms, "decide": self.decide_ms, "reply": self.reply_ms}
        spent = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in parts.items())
        return f"<Timing of chunk {self.chunk}: {spent} ms, queued {self.queue_ms:.0f} ms>"
