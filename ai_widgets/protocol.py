"""Time grid and session events of the Audio-Interaction model.

The timeline, tables, saved histories and plots are built from the frozen events of this module. They are structs of
msgspec, which writes and checks their JSON form. The module imports neither torch nor audio libraries nor Jupyter.
Source: the model card and the paper (arXiv 2606.05121, §3). Audio is split into chunks of 0.4 s; after each chunk the
model decides KEEP_SILENCE or TEXT_BEGIN; a reply ends with TEXT_END.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec

from .errors import EventError, UnknownEventError, printable
from .special_tokens import Emotion

SAMPLE_RATE = 16_000
"""Sample rate of the model's input, in Hz."""
CHUNK_SAMPLES = 6_400
"""Length of one chunk, in samples at `SAMPLE_RATE` (0.4 s)."""
CHUNK_SECONDS = CHUNK_SAMPLES / SAMPLE_RATE
"""Length of one chunk, in seconds."""
MELS_PER_CHUNK = 40
"""Log-mel frames per chunk, 10 ms each."""
FRAMES_PER_CHUNK = 10
"""Encoder frames per chunk, 40 ms each; each frame replaces the embedding of one PAD token."""
EVENTS_VERSION = 2
"""Version of the event fields, stored with saved events. New fields of a later version have defaults, so that events of
an earlier version can be read."""

Choice = Literal["KEEP_SILENCE", "TEXT_BEGIN", "OTHER"]
"""Name of the token drawn at a decision; `OTHER` is a protocol violation."""
Ending = Literal["TEXT_END", "limit", "interrupted", "error"]
"""Reason why a reply ended: the model's own end token, a limit of tokens or positions, an interrupt, or an error."""


class Alternative(msgspec.Struct, frozen=True, gc=False):
    """Candidate token of one step, with its probability at each stage of sampling.

    Attributes
    ----------
    token, text
        Token id, and the token's text or special name.
    p
        Raw probability: softmax over the whole vocabulary.
    scaled
        Probability after mask, bias and temperature: softmax over the allowed tokens. With greedy decoding the
        temperature is 1.
    kept
        Probability after top-k and top-p, normalised again: the distribution that is drawn from. 0 if removed; with
        greedy decoding 1 for the drawn token.
    """

    token: int
    text: str
    p: float
    scaled: float = 0.0
    kept: float = 0.0


EVENT_TYPES: dict[str, type[Event]] = {}
"""Event classes by `type`, the word for programs: the class's name in lower case."""


class Event(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Base class of all events.

    Attributes
    ----------
    type
        Word that identifies the class in JSON.
    chunk
        Index of the chunk that the event belongs to, counted from the start of the session.
    """

    type: ClassVar[str]
    chunk: int

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        cls.type = cls.__name__.lower()
        EVENT_TYPES[cls.type] = cls

    def to_json(self) -> dict[str, Any]:
        """Convert the event to plain JSON values, `type` first. `from_json` is the inverse."""
        values: dict[str, Any] = msgspec.to_builtins(self, enc_hook=plain)
        return {name: list(value) if type(value) is tuple else value for name, value in values.items()}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Event:
        """Build the event that `to_json` wrote. Unknown fields of a newer version are ignored.

        Raises
        ------
        UnknownEventError
            If `type` is no event type of this version; a newer version may have written it.
        EventError
            If a field is missing or has a value of another type.

        Examples
        --------
        >>> Event.from_json(Notice(3, "limit", "The limit is reached.").to_json())
        <Notice at chunk 3, limit: The limit is reached.>
        """
        given = values.get("type")
        kind = EVENT_TYPES.get(given) if isinstance(given, str) else None
        if kind is None:
            raise UnknownEventError(given, tuple(EVENT_TYPES))
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            raise EventError(f"The event {given!r} is damaged: {printable(str(error))}.") from error


def plain(value: object) -> object:
    """Convert a mapping, or a number or array of NumPy, to a plain value."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"An event holds JSON values only, not {type(value).__name__}.")


class Chunk(Event, frozen=True):
    """Event of one chunk of model input, 0.4 s of 16 kHz audio.

    Attributes
    ----------
    chunk, clip
        Index of the chunk in the session, and index of its clip (file or recording).
    start_s
        Start of the chunk on the session's audio clock, in seconds.
    rms_db
        Root-mean-square level, in dBFS; −120 for digital silence.
    envelope
        Peak magnitude (0…1) of each 25 ms, 16 values; drawn by the level lane.
    flags
        Conditions of the audio: `clipped`, `padded` (zeros were appended), `tail` (silence added after a clip),
        `waited` (arrived during a reply), `late` (microphone, more than 0.4 s from capture to decision), `gated`,
        `dropped`, `repaired` (NaN or infinity replaced by 0), `channels_cancel` (the louder channel was used, because
        the average of all is silent), `dc_offset` (constant offset), `unheard` (not decided: the session had ended or
        the chunk could not be perceived).
    mel
        Thumbnail of the encoder's input features: base64 of 10 frames × 32 bands, one byte each, frame by frame, the
        lowest band first (`audio.features.thumbnail`). Empty if unknown.
    floor
        Log-mel floor of the frames: below the maximum of the stream so far (`running`) or of the whole clip (`clip`).
    lead
        State of the running features where the chunk before is not in the record (`session.features_state`), or empty.
    """

    clip: int
    start_s: float
    rms_db: float
    envelope: tuple[float, ...]
    flags: tuple[str, ...] = ()
    mel: str = ""
    floor: Literal["running", "clip"] = "running"
    lead: str = ""

    def __repr__(self) -> str:
        flags = f", {' '.join(self.flags)}" if self.flags else ""
        return f"<Chunk {self.chunk} at {self.start_s:.1f} s: {self.rms_db:.0f} dB{flags}>"


class Decision(Event, frozen=True):
    """Event of the model's decision after one chunk: keep silent or begin a reply.

    Attributes
    ----------
    clip, start_s
        Index of the chunk's clip, and start of the chunk on the session's audio clock, in seconds.
    token, choice
        Drawn token id and its name. `OTHER` is a protocol violation, possible only with `mask=False`.
    p_keep, p_text, p_other
        Raw probabilities of KEEP_SILENCE, TEXT_BEGIN and all other tokens together (softmax over the whole vocabulary,
        before bias and temperature). Their sum is 1.
    logit_keep, logit_text
        Raw logits of KEEP_SILENCE and TEXT_BEGIN.
    p_drawn
        Probability of `token` in the distribution that it was drawn from, after mask, bias, temperature, top-k and
        top-p.
    draw
        Uniform random number in [0, 1) that selected the token; None for greedy decoding.
    argmax
        Most probable token of the whole vocabulary.
    position
        Context position of the last token fed; its logits give the decision.
    alternatives
        Most probable tokens by raw probability, always with the drawn token and both decision tokens.
    before
        Tokens fed before the chunk's block: the prefix if the context was empty, otherwise the last drawn token,
        followed by TEXT_END if a reply was truncated. Empty if a slide left only the prefix.
    oldest, used, limit
        Oldest chunk in the context, positions in use after the step, and their maximum.
    rule
        Settings in effect: `greedy`, `temperature`, `top_k` (None: all), `top_p`, `bias`, `mask`, `seed`; of a forced
        decision also `forced`, the token's name. Of a policy its name (`policy`), parameters and state.
    """

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
    rule: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Decision {self.chunk} at {self.start_s:.1f} s: {self.choice}, p(TEXT_BEGIN) {self.p_text:.3g}>"


class Token(Event, frozen=True):
    """Event of one reply token, the emotion token included, TEXT_END excluded.

    Attributes
    ----------
    turn, index
        Index of the reply in the session, and of the token in the reply.
    token, p
        Token id, and its raw probability.
    text
        Text that the token adds to the visible reply; empty for an emotion, and while the UTF-8 bytes of a character
        are incomplete.
    p_drawn, draw, argmax, position, alternatives
        As in `Decision`.
    """

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


class Turn(Event, frozen=True):
    """Event of a complete reply, emitted when the reply ends.

    Attributes
    ----------
    chunk, start_s
        Index of the chunk whose decision began the reply, and the start of that chunk, in seconds.
    turn, clip
        Index of the reply in the session, and of the chunk's clip.
    emotion, text
        Emotion token or None, and the reply's text without the emotion.
    tokens
        Token ids after TEXT_BEGIN, the emotion included, TEXT_END excluded.
    ended
        Reason of the end: `TEXT_END`, `limit`, `interrupted` (Ctrl-C, a closed session, a lost server) or `error`.
    """

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


class Notice(Event, frozen=True):
    """Event that informs the user: a limit, a slide, a reset, a violation, changed settings, or lost audio.

    Attributes
    ----------
    kind
        Word for programs. Of the context: `context_slide`, `context_reset`, `context_full`, `limit`. Of the model:
        `violation`, `undecided`. Of the settings: `settings`. Of a fork: `fork`, `context_rebuilt`. Of a class
        server: `server_changed`, `context_rebuilt`. Of the input: `silent_input`, `faint_input`, `dc_offset`,
        `channels_cancel`, `repaired` (with `phase`). Of a file: `cut`, `header_repaired`, `damaged`. Of the record:
        `audio_discarded`, `audio_missing`, `events_reduced`, `not_written`, `salvaged`.
    message
        Sentence for the user.
    data
        Values of the sentence, for programs.
    """

    kind: str
    message: str
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Notice at chunk {self.chunk}, {self.kind}: {self.message}>"


class Timing(Event, frozen=True):
    """Event of the processing times of one chunk, in milliseconds on the kernel's clock.

    Attributes
    ----------
    features_ms, tower_ms, decide_ms, reply_ms
        Duration of the log-mel features, the audio tower, the decision step, and the whole reply (0 without one).
    queue_ms, encode_wait_ms
        Time that the chunk spent in queues between the arrival of its last sample and the start of its decision, and
        the part of it before the features. 0 for audio from a file or from Python, which has no deadline.
    stream, seq
        Stream and sequence number of the browser block that completed the chunk; 0 and −1 for audio from Python.
    arrived_ms, decided_ms
        Unix time, in milliseconds, of the arrival of that block (or of the samples) and of the decision.
    capture_ms
        Time between the capture of the chunk's last sample and its arrival, spent in the page, the connection and the
        kernel's message queue. 0 if the audio is not from a microphone or the time is unknown.
    network_ms
        Time of the decision outside of a class server's computing: network and queue. 0 with a model in the kernel.
    """

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
    network_ms: float = 0.0

    def __repr__(self) -> str:
        spent = f"features {self.features_ms:.1f}, tower {self.tower_ms:.1f}, decide {self.decide_ms:.1f}"
        return f"<Timing of chunk {self.chunk}: {spent}, reply {self.reply_ms:.1f} ms, queued {self.queue_ms:.0f} ms>"
