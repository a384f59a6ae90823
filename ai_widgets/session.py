"""`StreamingSession`: perceive, decide, respond — once a chunk, for as long as audio comes.

    prefix                    ONLINE ENGLISH SYSTEM TEXT_BEGIN <system prompt> TEXT_END
    each chunk                AUDIO_BEGIN <ten frames> ASSISTANT -> KEEP_SILENCE
                                                              or -> TEXT_BEGIN [EMOTION] text … TEXT_END

`Listener` perceives: chunk → features → frames. `StreamingSession.step` decides and responds. The two share no
state, so that a worker can run them as two stages; `push` and `push_clip` run one after the other. Nothing here knows
threads or widgets. Facts: PROTOCOL.md §3, paper §3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .audio import ChunkAudio, Chunker, cut, envelope, level_db, mono, repair, silence
from .errors import SessionError, SettingError
from .features import Array, StreamingLogMel, log_mel
from .model.checkpoint import LoadedModel
from .model.sampling import Distribution, Draw, SamplingRule, draw
from .protocol import (
    CHUNK_SECONDS,
    FRAMES_PER_CHUNK,
    Alternative,
    Choice,
    Chunk,
    Decision,
    Ending,
    Event,
    Notice,
    Timing,
    Token,
    Turn,
)
from .record import SessionRecord
from .reply import ReplyText
from .settings import CARD_MAX_NEW_TOKENS, RESET_POSITIONS, Settings

FLOORS = ("clip", "running")


@dataclass(frozen=True)
class Heard:
    """One chunk after perception: its samples, and the frames that stand for it in the sequence.

    `frames` is [10, width] on the model's device. `arrived` is the clock (`perf_counter`) when its last sample came.
    """

    samples: Array
    flags: tuple[str, ...]
    clip: int
    frames: Tensor
    features_ms: float = 0.0
    tower_ms: float = 0.0
    arrived: float = field(default_factory=perf_counter)


class Listener:
    """Perceives a live stream: log-mel with the running floor, then the audio tower, a chunk at a time."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._features = StreamingLogMel()

    def hear(self, chunk: ChunkAudio, clip: int = 0, arrived: float | None = None) -> Heard:
        """Encode the next chunk of the stream. Its cost does not depend on how much came before."""
        start = perf_counter()
        mels = self._features.push(chunk.samples)
        between = perf_counter()
        with self._model.computing():
            frames = self._model.encoder.encode(mels)[0]
        end = perf_counter()
        return Heard(
            chunk.samples,
            chunk.flags,
            clip,
            frames,
            (between - start) * 1e3,
            (end - between) * 1e3,
            start if arrived is None else arrived,
        )


def hear_clip(model: LoadedModel, chunks: list[ChunkAudio], clip: int) -> list[Heard]:
    """Perceive a whole clip at once: one floor for all of it, chunks in one batch, as the authors' offline runner."""
    if not chunks:
        return []
    start = perf_counter()
    mels = log_mel(np.concatenate([chunk.samples for chunk in chunks]))
    between = perf_counter()
    with model.computing():
        frames = model.encoder.encode(mels)
    end = perf_counter()
    share = 1e3 / len(chunks)
    return [
        Heard(chunk.samples, chunk.flags, clip, each, (between - start) * share, (end - between) * share)
        for chunk, each in zip(chunks, frames, strict=True)
    ]


class EventStream(Iterator[Event]):
    """Events as they happen. Iterating runs the session; what nobody iterates runs at the session's next call."""

    def __init__(self, session: StreamingSession) -> None:
        self._session = session

    def __next__(self) -> Event:
        event = self._session._advance()
        if event is None:
            raise StopIteration
        return event


class StreamingSession:
    """One conversation with a model: audio in, events out.

    Parameters
    ----------
    model
        Shared, immutable.
    settings
        See `Settings`.
    record
        Where events and audio go; a new record by default.
    """

    def __init__(
        self, model: LoadedModel, settings: Settings | None = None, record: SessionRecord | None = None
    ) -> None:
        self.model = model
        self.settings = settings or Settings()
        self._record = record if record is not None else SessionRecord()
        self._tokens = model.traits.tokens
        self._rule = _rule(self.settings, model.rule)
        self._generator = np.random.default_rng(self.settings.seed)
        self._prefix = self._prefix_tokens()
        self._block, self._frames_at = self._block_tokens()
        self._limit = self._context_limit()
        self._context = model.decoder.context(self._limit)
        self._listener = Listener(model)
        self._chunker = Chunker()
        self._waiting: deque[Heard | ChunkAudio] = deque()
        self._stepping: Iterator[Event] | None = None
        self._last: int | None = None
        self._chunk = 0
        self._turn = 0
        self._clip = 0
        self._drawn = 0
        self._interrupted = False
        self._ended: str | None = None

    # What a caller may ask -------------------------------------------------------------------------------------------

    @property
    def record(self) -> SessionRecord:
        """The record, after everything that was pushed has been answered."""
        if self._stepping is None:
            for _ in EventStream(self):
                pass
        return self._record

    @property
    def ended(self) -> str | None:
        """Why the session takes no more audio, or None while it does."""
        return self._ended

    @property
    def chunks_done(self) -> int:
        """Chunks that have been decided or are being decided; the index of the next one."""
        return self._chunk

    @property
    def position(self) -> int:
        """Positions of the context in use."""
        return self._context.position

    @property
    def context_limit(self) -> int:
        """Positions the context may hold."""
        return self._limit

    def push(self, samples: npt.ArrayLike) -> EventStream:
        """Feed live audio of any length: 16 kHz, mono, float in [-1, 1] or integer.

        Samples that do not fill a chunk wait for the next call. Returns an iterator of events; they happen while it is
        iterated, or at the next call of the session.
        """
        array, broken = repair(mono(samples))
        self._waiting.extend(self._chunker.push(array, ("repaired",) if broken else ()))
        return EventStream(self)

    def finish(self, tail_silence: float = 0.0) -> EventStream:
        """End the recording: the waiting rest is padded to a chunk, `tail_silence` seconds of silence follow.

        The session stays open; the next audio belongs to a new clip.
        """
        self._waiting.extend(self._chunker.flush())
        self._waiting.extend(silence(tail_silence))
        self._waiting.append(_END_OF_CLIP)
        return EventStream(self)

    def push_clip(self, samples: npt.ArrayLike, *, floor: str = "clip", tail_silence: float = 1.0) -> EventStream:
        """Feed one whole clip, padded to chunks and followed by silence so that the model can reply.

        Parameters
        ----------
        samples
            As in `push`.
        floor
            `clip`: the log-mel floor is that of the whole clip, and clip and tail are encoded on their own, as the
            authors' offline runner does. `running`: the clip goes on in the live stream.
        tail_silence
            Seconds, rounded up to whole chunks; the authors use 1.
        """
        if floor not in FLOORS:
            raise SettingError(f"floor must be one of {', '.join(FLOORS)}, not {floor!r}.")
        if floor == "running":
            self.push(samples)
            return self.finish(tail_silence)
        array, broken = repair(mono(samples))
        if self._chunker.waiting:
            # Live audio came before: its rest ends a clip of its own.
            self.finish()
        for part in (cut(array, ("repaired",) if broken else ()), silence(tail_silence)):
            self._waiting.extend(hear_clip(self.model, part, 0))
        self._waiting.append(_END_OF_CLIP)
        return EventStream(self)

    def interrupt(self) -> None:
        """End the running reply after the token at work. Without a running reply nothing happens. Safe to call from
        another thread: it only sets a flag.
        """
        self._interrupted = True

    # The loop --------------------------------------------------------------------------------------------------------

    def _advance(self) -> Event | None:
        """The next event, or None when everything pushed is answered. The step at work belongs to the session, not to
        the iterator that started it, so an abandoned iterator loses nothing.
        """
        while True:
            if self._stepping is None:
                if not self._waiting:
                    return None
                item = self._waiting.popleft()
                if item is _END_OF_CLIP:
                    self._clip += 1
                    continue
                if isinstance(item, ChunkAudio):
                    item = self._listener.hear(item)
                self._stepping = self._step(replace(item, clip=self._clip))
            try:
                event = next(self._stepping, None)
            except BaseException:
                self._stepping = None
                raise
            if event is not None:
                return event
            self._stepping = None

    def step(self, heard: Heard) -> Iterator[Event]:
        """Decide after one perceived chunk, and respond if so decided. Exactly one step a chunk, in order.

        Raises
        ------
        SessionError
            Where audio that was pushed is still unanswered: the order would be lost.
        """
        if self._waiting or self._stepping is not None:
            raise SessionError("Audio that was pushed is still unanswered; iterate its events before calling step.")
        return self._step(heard)

    def _step(self, heard: Heard) -> Iterator[Event]:
        self._interrupted = False
        chunk, self._chunk = self._chunk, self._chunk + 1
        started = perf_counter()
        self._record.append_audio(heard.samples)
        events = self._make_room(chunk)
        flags = heard.flags if self._ended is None else (*heard.flags, "unheard")
        yield self._note(
            Chunk(chunk, heard.clip, chunk * CHUNK_SECONDS, level_db(heard.samples), envelope(heard.samples), flags)
        )
        for event in events:
            yield self._note(event)
        if self._ended is not None:
            return
        with self.model.computing():
            decision = self._decide(chunk, heard)
        decided = perf_counter()
        yield self._note(decision)
        if decision.choice == "OTHER":
            yield self._note(self._violation(decision))
        elif decision.choice == "TEXT_BEGIN":
            yield from self._respond(chunk, heard.clip)
        replied = perf_counter()
        perceived = (heard.features_ms + heard.tower_ms) / 1e3
        yield self._note(
            Timing(
                chunk,
                heard.features_ms,
                heard.tower_ms,
                (decided - started) * 1e3,
                (replied - decided) * 1e3 if decision.choice == "TEXT_BEGIN" else 0.0,
                max(0.0, started - heard.arrived - perceived) * 1e3,
            )
        )

    def _note(self, event: Event) -> Event:
        self._record.append(event)
        return event

    def _make_room(self, chunk: int) -> list[Event]:
        """Before a decision: see that the context has room for it, or do what the settings say."""
        if self._ended is not None:
            return []
        allowed = self._max_new_tokens
        if allowed is not None and self._drawn >= allowed:
            return [self._end(chunk, "limit", f"The session has drawn its {allowed} tokens (max_new_tokens).")]
        needed = (len(self._prefix) if self._last is None else 1) + len(self._block)
        if self._context.room >= needed:
            return []
        used = self._context.position
        if self.settings.context == "stop":
            message = f"The context is full: {used} of {self._limit} positions are used, so the session has ended."
            return [self._end(chunk, "context_full", message)]
        self._forget()
        message = f"The context was full at {used} of {self._limit} positions; it starts over with the bare prefix."
        return [Notice(chunk, "context_reset", message, {"used": used, "limit": self._limit})]

    def _end(self, chunk: int, kind: str, message: str) -> Notice:
        self._ended = message
        data = {"used": self._context.position, "limit": self._limit, "drawn": self._drawn}
        return Notice(chunk, kind, message, data)

    def _forget(self) -> None:
        self._context.clear()
        self._last = None

    def _decide(self, chunk: int, heard: Heard) -> Decision:
        keep, text = self._tokens["KEEP_SILENCE"], self._tokens["TEXT_BEGIN"]
        opening = self._prefix if self._last is None else [self._last]
        logits = self.model.decoder.feed(
            self._context, opening + self._block, heard.frames, len(opening) + self._frames_at
        )
        raw = Distribution(logits)
        drawn = draw(
            raw,
            self._rule,
            self._generator,
            allowed=(keep, text) if self.settings.mask else None,
            bias=(text, self.settings.bias) if self.settings.bias else None,
            likeliest=self.settings.alternatives,
        )
        self._last = drawn.token
        self._drawn += 1
        logit_keep, logit_text = float(logits[keep]), float(logits[text])
        p_keep, p_text = raw.p(logit_keep), raw.p(logit_text)
        choices: dict[int, Choice] = {keep: "KEEP_SILENCE", text: "TEXT_BEGIN"}
        return Decision(
            chunk=chunk,
            clip=heard.clip,
            start_s=chunk * CHUNK_SECONDS,
            token=drawn.token,
            choice=choices.get(drawn.token, "OTHER"),
            p_keep=p_keep,
            p_text=p_text,
            p_other=max(0.0, 1.0 - p_keep - p_text),
            logit_keep=logit_keep,
            logit_text=logit_text,
            p_drawn=drawn.p_drawn,
            draw=drawn.draw,
            argmax=drawn.argmax,
            position=self._context.position - 1,
            alternatives=self._alternatives(drawn),
        )

    def _respond(self, chunk: int, clip: int) -> Iterator[Event]:
        """Speak until TEXT_END, a limit or an interruption; then the turn."""
        turn, self._turn = self._turn, self._turn + 1
        reply = ReplyText(self.model)
        ended: Ending | None = None
        notice: Notice | None = None
        while ended is None:
            limit = self._reply_limit(len(reply.tokens))
            if self._interrupted:
                ended = "interrupted"
            elif limit is not None:
                ended, notice = "limit", Notice(chunk, "limit", f"The reply was cut: {limit}.", {"turn": turn})
            else:
                with self.model.computing():
                    token = self._speak(chunk, turn, reply)
                if token is None:
                    ended = "TEXT_END"
                else:
                    yield self._note(token)
        # A reply that was cut is closed for the model too: the next block then follows TEXT_END, as in training.
        self._last = self._tokens["TEXT_END"]
        if notice is not None:
            yield self._note(notice)
        start_s = chunk * CHUNK_SECONDS
        yield self._note(Turn(chunk, turn, clip, start_s, reply.emotion, reply.text, tuple(reply.tokens), ended))
        if self.settings.forget_after_reply:
            self._forget()
            yield self._note(Notice(chunk, "context_reset", "The context starts over after the reply.", {"turn": turn}))

    def _speak(self, chunk: int, turn: int, reply: ReplyText) -> Token | None:
        """Draw the reply's next token; None for TEXT_END."""
        fed = reply.tokens[-1] if reply.tokens else self._tokens["TEXT_BEGIN"]
        logits = self.model.decoder.feed(self._context, [fed])
        drawn = draw(Distribution(logits), self._rule, self._generator, likeliest=self.settings.alternatives)
        self._drawn += 1
        if drawn.token == self._tokens["TEXT_END"]:
            return None
        index = len(reply.tokens)
        text = reply.add(drawn.token)
        return Token(
            chunk,
            turn,
            index,
            drawn.token,
            drawn.p,
            text,
            drawn.p_drawn,
            drawn.draw,
            drawn.argmax,
            self._context.position - 1,
            self._alternatives(drawn),
        )

    def _reply_limit(self, spoken: int) -> str | None:
        """The limit that forbids one more token of a reply, in words."""
        if self._context.room < 1:
            return f"the context's {self._limit} positions are used"
        most = self.settings.max_reply_tokens
        if most is not None and spoken >= most:
            return f"it reached {most} tokens (max_reply_tokens)"
        allowed = self._max_new_tokens
        if allowed is not None and self._drawn >= allowed:
            return f"the session has drawn its {allowed} tokens (max_new_tokens)"
        return None

    def _violation(self, decision: Decision) -> Notice:
        name = self.model.token_text(decision.token)
        message = f"Where a decision was due the model produced {name!r} ({decision.token})."
        if self.settings.strict:
            raise SessionError(message + " Turn the mask on, or strict off, to go on past it.")
        return Notice(decision.chunk, "violation", message, {"token": decision.token})

    def _alternatives(self, drawn: Draw) -> tuple[Alternative, ...]:
        return tuple(Alternative(token, self.model.token_text(token), p) for token, p in drawn.likeliest)

    # Set-up ----------------------------------------------------------------------------------------------------------

    @property
    def _max_new_tokens(self) -> int | None:
        if self.settings.max_new_tokens is None and self.settings.context == "stop":
            return CARD_MAX_NEW_TOKENS
        return self.settings.max_new_tokens

    def _prefix_tokens(self) -> list[int]:
        traits, prompt = self.model.traits, self.settings.system_prompt
        text = self.model.encode_text(traits.system_prompt if prompt is None else prompt)
        parts = [text if name == "PROMPT" else [self._tokens[name]] for name in traits.prefix]
        return [token for part in parts for token in part]

    def _block_tokens(self) -> tuple[list[int], int]:
        frames = [self._tokens["PAD"]] * FRAMES_PER_CHUNK
        chunk = self.model.traits.chunk
        parts = [frames if name == "FRAMES" else [self._tokens[name]] for name in chunk]
        return [token for part in parts for token in part], chunk.index("FRAMES")

    def _context_limit(self) -> int:
        usual = RESET_POSITIONS if self.settings.context == "reset" else self.model.positions
        limit = min(self.settings.context_limit or usual, self.model.positions)
        needed = len(self._prefix) + len(self._block) + 1
        if limit < needed:
            raise SettingError(
                f"A context of {limit} positions is too short: prefix, one chunk and one token need {needed}; "
                "raise context_limit or shorten system_prompt."
            )
        return limit


_END_OF_CLIP = ChunkAudio(np.zeros(0, np.float32))
"""Marks in the waiting line where a clip ends."""


def _rule(settings: Settings, default: SamplingRule) -> SamplingRule:
    """The settings over the checkpoint's defaults; top_k 0 means all tokens."""
    top_k = default.top_k if settings.top_k is None else (settings.top_k or None)
    return SamplingRule(
        greedy=settings.greedy,
        temperature=default.temperature if settings.temperature is None else settings.temperature,
        top_k=top_k,
        top_p=default.top_p if settings.top_p is None else settings.top_p,
    )
