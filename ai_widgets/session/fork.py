"""Fork: a session that shares the past of another one up to a chunk, and decides from there on with something changed.

The way back to chunk k, by cost:

- The cache still begins with the positions that it held at k, since no chunk has been evicted since: they are copied
  (`Context.branch`), which takes milliseconds.
- Chunks were evicted or the session was closed: the events tell every token that was fed and every eviction. They are
  fed again, without drawing, from the last reset of the context on (`rebuild`); one forward pass a chunk and one a
  token of a reply. Where the audio of that time is no longer kept, only the chunks that the context held at k are fed,
  and a notice says that numbers may differ.
- The change reaches further back than k (another system prompt, other audio inside a clip whose log-mel floor is that
  of the whole clip): the fork begins at that earlier chunk, and decides again from there.

Everything else of the state is a few numbers, kept for each of the newest chunks (`marks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy.typing as npt

from ..audio.intake import ChunkAudio
from ..errors import SessionError, SettingError
from ..protocol import CHUNK_SECONDS, Chunk, Notice
from ..record.branch import BranchRecord
from ..record.chunk_names import chunk_names
from ..record.record import SessionRecord
from ..settings import Settings
from .loop import Loop
from .loop_notices import short
from .marks import MOST, Mark
from .past_chunks import PastChunks
from .rebuild import bring, copied, turn_state, turn_taking
from .rehear import Audio, Rehearing, clip_start, missing, replacement
from .script import Script

if TYPE_CHECKING:
    from .listening import ListeningModel

Forced: TypeAlias = Literal["TEXT_BEGIN", "KEEP_SILENCE"]
FORCED = ("TEXT_BEGIN", "KEEP_SILENCE")
"""Decisions that can be forced."""
REBUILT = (
    "The context was rebuilt from the chunks that it held, since the audio of earlier ones is no longer kept: "
    "probabilities may differ slightly from those of the original."
)
"""Message of the notice `context_rebuilt`."""
Replaced: TypeAlias = Mapping[int, "npt.ArrayLike | int | None"]


@dataclass(frozen=True)
class Change:
    """What a fork changes, checked.

    Attributes
    ----------
    chunk
        Chunk from which on the fork differs.
    settings
        Settings that apply from that chunk on, by name.
    force
        Decisions by chunk.
    audio
        Other audio by chunk.
    """

    chunk: int
    settings: Mapping[str, Any]
    force: Mapping[int, str]
    audio: Mapping[int, ChunkAudio]

    @staticmethod
    def of(
        record: SessionRecord,
        done: int,
        chunk: int,
        force: Forced | Mapping[int, Forced] | None,
        audio: Replaced | None,
        settings: Mapping[str, Any],
    ) -> Change:
        """Check what a caller wants to change in a session of `done` chunks.

        Raises
        ------
        SessionError
            If a chunk is not one of the session, or its audio is not kept.
        SettingError, AudioError
            If a value is not allowed.
        """
        if isinstance(chunk, bool) or not isinstance(chunk, int) or not 0 <= chunk <= done:
            raise SessionError(
                f"A fork begins at a chunk from 0 to {done} ({done}: after all {done} chunks of the session), not at "
                f"{short(chunk)}."
            )
        Settings.of(settings)
        forces = {chunk: force} if isinstance(force, str) else dict(force or {})
        for at, name in forces.items():
            if name not in FORCED:
                raise SettingError(f"force must be one of {', '.join(FORCED)}, not {short(name)}.")
            if at < chunk:
                raise SessionError(
                    f"force names chunk {at}, before the fork at chunk {chunk}; fork at {at} or earlier."
                )
        others = dict(audio or {})
        for at in others:
            if not chunk <= at < done:
                raise SessionError(
                    f"audio names chunk {at}; a fork at chunk {chunk} changes audio from chunk {chunk} to {done - 1}."
                )
        sounds = {at: replacement(at, samples, record.chunk_audio) for at, samples in others.items()}
        return Change(chunk, dict(settings), forces, sounds)

    def told(self, first: int) -> Notice:
        """Build the notice that begins the fork's own events."""
        parts = [f"{name} is {short(value)}" for name, value in self.settings.items()]
        for name in dict.fromkeys(self.force.values()):
            forced = [at for at, other in self.force.items() if other == name]
            parts.append(f"{chunk_names(forced)} forced to {name}")
        if self.audio:
            parts.append(f"other audio at {chunk_names(self.audio)}")
        words = f": {', '.join(parts)}" if parts else ""
        data = {
            "chunk": self.chunk,
            "first": first,
            "settings": dict(self.settings),
            "force": {str(at): name for at, name in self.force.items()},
            "audio": list(self.audio),
        }
        return Notice(first, "fork", f"Fork of another session at chunk {self.chunk}{words}.", data)


class Past:
    """What a fork takes from its original, which may go on while the fork is made.

    Only the state is copied: keys and values of the context, and at most `MOST` marks. Events and audio are shared with
    the original's record, which only grows; so the cost does not depend on the session's age.

    Parameters
    ----------
    model, loop, record
        Of the original, which has no chunk in progress and is not changed.
    change
        What the fork changes.

    Attributes
    ----------
    done
        Number of chunks that the original has heard.
    shared
        Number of events that the fork's record begins with.

    Raises
    ------
    SessionError
        If the state before the chunk, or the audio from there on, is not kept, or what decides has no context.
    SettingError
        If the settings leave the context too short.
    """

    def __init__(self, model: ListeningModel, loop: Loop, record: SessionRecord, change: Change) -> None:
        turn_taking(loop)
        now = loop.mark()
        self.model, self._record, self._change = model, record, change
        self.done = done = now.state.taken.chunks
        self._chunks = chunks = PastChunks(record, done)
        if record.count(Chunk) != done or record.header.sessions > 1:
            raise SessionError("The record holds other sessions too; a session with a record of its own can be forked.")
        self._first = first = _first(change, chunks, _mark(loop, now, change.chunk))
        self._mark = mark = _mark(loop, now, first)
        self._audio = _audio(record, change, range(clip_start(chunks, first) if first < done else done, done))
        self.shared = mark.events
        self._events, self._clip_open, self._marks = now.events, now.state.clip_open, loop.marks.before(first)
        model.framing(mark.settings.changed(**change.settings))
        self._context = copied(loop, mark) if first else None

    def fork(self) -> tuple[Loop, SessionRecord]:
        """Return the loop and the record of the fork; the audio that the original heard from there on is pending in it.

        This may feed the past again, which takes as long as a part of the session. The original is not used.
        """
        model, change, first, mark = self.model, self._change, self._first, self._mark
        script = Script.of(self._record.since(0, self._events))
        settings, script = _from_there_on(mark, change, first, script)
        record = BranchRecord(self._record, mark.events, first)
        branch = Loop(model, settings, record, mark.state if first else None, script)
        exact = bring(branch, self._context, mark, self._record, self._marks) if first else True
        branch.marks = self._marks
        record.append(change.told(first))
        if not exact:
            data = {"used": turn_state(mark.state).window.positions}
            record.append(Notice(first, "context_rebuilt", REBUILT, data))
        if self.done > first:
            again = Rehearing(
                model,
                self._chunks,
                self._audio,
                changed=change.audio,
                closing=not self._clip_open,
                first=first,
                undecided=script.undecided,
            )
            branch.put([again])
        return branch, record


def _mark(loop: Loop, now: Mark, chunk: int) -> Mark:
    """Return the mark of a chunk; `now` is that of the next chunk of the original."""
    mark = now if chunk == now.state.taken.chunks else loop.marks.get(chunk)
    if mark is None:
        raise SessionError(
            f"A fork at chunk {chunk} is out of reach: the state is kept before the newest {MOST} chunks "
            f"({MOST * CHUNK_SECONDS / 60:g} minutes), from chunk {loop.marks.first} on, and before chunk 0."
        )
    return mark


def _first(change: Change, chunks: Sequence[Chunk], mark: Mark) -> int:
    """Return the chunk from which on the fork decides again: earlier than asked, if the change reaches further back."""
    prompt = change.settings.get("system_prompt", mark.settings.system_prompt)
    if prompt != mark.settings.system_prompt:
        return 0
    clips = (clip_start(chunks, at) for at in change.audio if chunks[at].floor == "clip")
    return min([change.chunk, *clips])


def _from_there_on(mark: Mark, change: Change, first: int, script: Script) -> tuple[Settings, Script]:
    """Return the settings of the first chunk, and the script from there on."""
    before = mark.settings.changed(**script.settings.get(first, {}))
    later = script.after(first, change.settings)
    if first == change.chunk:
        settings = before.changed(**change.settings)
    else:
        prompt = {name: value for name, value in change.settings.items() if name == "system_prompt"}
        settings = before.changed(**prompt)
        at_chunk = {**later.settings.get(change.chunk, {}), **change.settings}
        later = replace(later, settings={**later.settings, change.chunk: at_chunk})
    undecided = later.undecided - set(change.audio)
    return settings, replace(later, force={**later.force, **change.force}, undecided=undecided)


def _audio(record: SessionRecord, change: Change, needed: range) -> Audio:
    """Return a source of the audio of the chunks in `needed`, also after the original has discarded it from memory."""
    for at in needed:
        if at not in change.audio and not record.keeps(at):
            raise missing(at)
    if record.path is not None:
        return record.chunk_audio
    return {at: record.chunk_audio(at) for at in needed}.get
