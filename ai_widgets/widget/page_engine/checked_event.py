"""Checks of one event of a page: types, ranges and sizes, as a session of this package writes them.

What is read from a record later (tables, plots, replay, the saved viewer) may rely on these values, so an event that
does not have them is refused before it is appended.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from ...audio.features import LEFT_CONTEXT, THUMBNAIL_BANDS, THUMBNAIL_FRAMES
from ...audio.intake import ENVELOPE_POINTS
from ...errors import EventError, printable
from ...protocol import CHUNK_SECONDS, EVENT_TYPES, Alternative, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ...session.features_state import read
from ..wire.limits import MAX_CHANGES_BYTES, MAX_COUNT, MAX_MS, MAX_TEXT

MAX_EVENT_BYTES = 4 * MAX_CHANGES_BYTES
"""Bytes of one event as JSON: a notice of changed settings holds a system prompt twice, and a reply of a full context
is shorter."""
MAX_MESSAGE = 4_000
"""Characters of a notice's sentence: each changed setting is shortened to 60, and an error to 300."""
MAX_ALTERNATIVES = 128
"""Alternatives of one step: the setting allows 100, and the drawn token and both decisions are added."""
MAX_LEVEL_DB = 200.0
"""Largest magnitude of a level in dBFS: digital silence has −120."""
MAX_PEAK = 1e6
"""Largest value of an envelope: samples beyond full scale are kept as they are."""
MAX_LEAD = 4_096
"""Characters of the state of the running features: the samples of the left context in base64 have 3,000."""
MAX_LOGIT = 1e9
"""Largest magnitude of a logit: those of checkpoints are below 100."""
ROUNDING = 1e-6
"""Tolerance of probabilities and times, which a page computes from float32."""
KIND = re.compile(r"[a-z][a-z_]{0,39}")
"""Form of the word of a notice."""
FLAGS = frozenset(
    (
        *("clipped", "padded", "tail", "waited", "late", "gated", "dropped", "repaired", "channels_cancel"),
        *("dc_offset", "unheard"),
    )
)
"""Flags of a chunk, as `protocol.Chunk` lists them."""
OF_THE_KERNEL = frozenset({"fork", "context_rebuilt", "salvaged", "not_written", "audio_missing"})
"""Kinds of notices that a page's session never has: the record adds them, or a fork."""

T = TypeVar("T")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sampling rule of a decision, as `session.terms` writes it."""

    greedy: bool
    temperature: float
    top_k: int | None
    top_p: float
    bias: float
    mask: bool
    seed: int
    forced: Literal["KEEP_SILENCE", "TEXT_BEGIN"] | None = None


class Slide(msgspec.Struct, frozen=True):
    """Data of a notice `context_slide`, from which a fork computes the context again."""

    positions: int
    used: int
    limit: int
    turns: int
    chunks: list[int]


class Changed(msgspec.Struct, frozen=True):
    """Data of a notice `settings`, from which a replay changes them again; `page_session` checks names and values."""

    changed: dict[str, Any]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """Facts of the model that its events must fit.

    Attributes
    ----------
    vocabulary, positions
        Number of tokens of the model, and of positions that its context may have.
    keep, text
        Ids of KEEP_SILENCE and TEXT_BEGIN.
    """

    vocabulary: int
    positions: int
    keep: int
    text: int


def checked(values: Mapping[str, Any], facts: Facts) -> tuple[Event, int]:
    """Return the event that a page's JSON values describe, and its size in bytes.

    Raises
    ------
    EventError
        If they are no event, or a field has a value that no session writes.
    """
    try:
        # Written and read again, so that the event has JSON values only and shares none with the message.
        line = msgspec.json.encode(values)
        kind = EVENT_TYPES.get(str(values.get("type")))
        if kind is None:
            raise EventError(f"An event must have one of the types {', '.join(EVENT_TYPES)}.")
        if len(line) > MAX_EVENT_BYTES:
            raise EventError(f"The event {kind.type!r} has {len(line)} bytes; at most {MAX_EVENT_BYTES} are taken.")
        event: Event = msgspec.json.decode(line, type=kind)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, EventError):
            raise
        raise EventError(f"An event is damaged: {printable(str(error))[:MAX_TEXT]}.") from error
    _within("chunk", event.chunk, 0, MAX_COUNT)
    match event:
        case Chunk():
            _check_chunk(event)
        case Decision():
            _check_decision(event, facts)
        case Token():
            _check_step(event, facts)
            _check_text("text", event.text)
            _within("turn", event.turn, 0, MAX_COUNT)
            # Each token has a position of its own while its reply lasts.
            _within("index", event.index, 0, facts.positions)
        case Turn():
            _check_turn(event, facts)
        case Notice():
            _check_notice(event)
        case Timing():
            _check_timing(event)
    return event, len(line)


def _check_chunk(chunk: Chunk) -> None:
    _within("clip", chunk.clip, 0, MAX_COUNT)
    _check_start(chunk)
    _within("rms_db", chunk.rms_db, -MAX_LEVEL_DB, MAX_LEVEL_DB)
    _demand(len(chunk.envelope) == ENVELOPE_POINTS, f"envelope must have {ENVELOPE_POINTS} values")
    _all_within("envelope", chunk.envelope, 0, MAX_PEAK)
    _demand(
        FLAGS.issuperset(chunk.flags) and len(set(chunk.flags)) == len(chunk.flags),
        f"flags must be different ones of {', '.join(sorted(FLAGS))}",
    )
    _demand(
        not chunk.mel or len(_decoded(chunk.mel)) == THUMBNAIL_BANDS * THUMBNAIL_FRAMES,
        f"mel must be base64 of {THUMBNAIL_BANDS * THUMBNAIL_FRAMES} bytes, or empty",
    )
    if chunk.lead:
        _demand(len(chunk.lead) <= MAX_LEAD, f"lead must have at most {MAX_LEAD} characters")
        try:
            left, highest = read(chunk.lead)
        except ValueError as error:
            raise EventError(f"lead must be a state of the features: {error}") from error
        _demand(
            highest == highest and highest < float("inf") and (left is None or len(left) == LEFT_CONTEXT),
            "lead must be a state of the features",
        )


def _check_decision(decision: Decision, facts: Facts) -> None:
    _check_start(decision)
    _within("clip", decision.clip, 0, MAX_COUNT)
    choice = {facts.keep: "KEEP_SILENCE", facts.text: "TEXT_BEGIN"}.get(decision.token, "OTHER")
    _demand(decision.choice == choice, f"choice must be {choice}, the name of its token")
    _check_step(decision, facts)
    shares = (decision.p_keep, decision.p_text, decision.p_other)
    _all_within("p_keep, p_text and p_other", shares, 0, 1)
    _demand(abs(sum(shares) - 1) <= 1e3 * ROUNDING, "p_keep, p_text and p_other must have the sum 1")
    _all_within("logit_keep and logit_text", (decision.logit_keep, decision.logit_text), -MAX_LOGIT, MAX_LOGIT)
    _demand(len(decision.before) <= facts.positions, f"before must have at most {facts.positions} tokens")
    _all_within("before", decision.before, 0, facts.vocabulary - 1)
    _within("oldest", decision.oldest, 0, decision.chunk)
    _within("limit", decision.limit, 0, facts.positions)
    _within("used", decision.used, 0, facts.positions)
    _converted(decision.rule, Rule, "rule")


def _check_step(event: Decision | Token, facts: Facts) -> None:
    """Check the fields of a drawn token."""
    _all_within("token and argmax", (event.token, event.argmax), 0, facts.vocabulary - 1)
    _within("position", event.position, 0, facts.positions - 1)
    shares = [event.p_drawn] if isinstance(event, Decision) else [event.p_drawn, event.p]
    if event.draw is not None:
        shares.append(event.draw)
    _all_within("probabilities", shares, 0, 1)
    _demand(len(event.alternatives) <= MAX_ALTERNATIVES, f"alternatives must be at most {MAX_ALTERNATIVES}")
    for each in event.alternatives:
        _check_alternative(each, facts)


def _check_alternative(one: Alternative, facts: Facts) -> None:
    _within("token", one.token, 0, facts.vocabulary - 1)
    _check_text("text", one.text)
    _all_within("probabilities", (one.p, one.scaled, one.kept), 0, 1)


def _check_turn(turn: Turn, facts: Facts) -> None:
    _check_start(turn)
    _all_within("turn and clip", (turn.turn, turn.clip), 0, MAX_COUNT)
    _all_within("tokens", turn.tokens, 0, facts.vocabulary - 1)


def _check_notice(notice: Notice) -> None:
    _demand(KIND.fullmatch(notice.kind) is not None, "kind must be a word of at most 40 small letters and underscores")
    _demand(notice.kind not in OF_THE_KERNEL, f"kind must not be {notice.kind}, which only the kernel notes")
    _demand(len(notice.message) <= MAX_MESSAGE, f"message must have at most {MAX_MESSAGE} characters")
    if notice.kind == "settings":
        _converted(notice.data, Changed, "data")
    elif notice.kind == "context_slide":
        slide = _converted(notice.data, Slide, "data")
        _all_within("data", (slide.positions, slide.used, slide.limit, slide.turns), 0, MAX_COUNT)


def _check_timing(timing: Timing) -> None:
    spent = (timing.features_ms, timing.tower_ms, timing.decide_ms, timing.reply_ms, timing.queue_ms)
    _all_within("times", (*spent, timing.encode_wait_ms, timing.capture_ms, timing.network_ms), -MAX_MS, MAX_MS)
    _all_within("arrived_ms and decided_ms", (timing.arrived_ms, timing.decided_ms), 0, MAX_MS)
    _within("stream", timing.stream, 0, MAX_COUNT)
    _within("seq", timing.seq, -1, MAX_COUNT)


def _check_start(event: Chunk | Decision | Turn) -> None:
    start_s = event.chunk * CHUNK_SECONDS
    _demand(abs(event.start_s - start_s) <= ROUNDING * max(1.0, start_s), f"start_s must be {start_s:g}")


def _check_text(name: str, text: str) -> None:
    _demand(len(text) <= MAX_TEXT, f"{name} must have at most {MAX_TEXT} characters")


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise EventError("mel must be base64.") from error


def _converted(values: Mapping[str, Any], kind: type[T], name: str) -> T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise EventError(f"{name} must be as a session writes it: {printable(str(error))[:MAX_TEXT]}.") from error


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low - ROUNDING <= value <= high + ROUNDING:
        raise EventError(f"{name} must be from {low:g} to {high:g}, not {value:g}.")


def _all_within(name: str, values: Iterable[float], low: float, high: float) -> None:
    for value in values:
        _within(name, value, low, high)


def _demand(holds: bool, sentence: str) -> None:
    if not holds:
        raise EventError(f"{sentence}.")
