"""Read a user's own clips as conversations: JSON lines (docs/protocol.md §7), or one folder per class.

A line of the file, with paths relative to the file::

    {"conversation": [{"audio_path": "dog/1.wav", "assistant": "A dog is barking.", "emotion": "surprise"},
                      {"audio_path": "rain/7.wav", "assistant": "<no need to response>"}]}

``emotion`` is optional (normal). An optional ``source`` names the recording that a clip was cut from: clips of one
source are never split between training and validation. By default every file is its own source.

``replies.json`` has the reply of each folder beside it: a text, ``{"assistant": …, "emotion": …}``, or null for
silence.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_widgets.audio.files import AUDIO_SUFFIXES
from ai_widgets.audio.folders import audio_in, skipped_words
from ai_widgets.errors import AudioError, AudioWarning, SettingError
from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.special_tokens import Emotion
from ai_widgets.training.corpus import read_16k, sounding

Samples = npt.NDArray[np.float32]

NO_RESPONSE = "<no need to response>"
"""Text of ``assistant`` where no reply is due, as in the authors' data."""
REPLIES_FILE = "replies.json"
"""Name of the file that makes a folder a set of clips."""
SHORTEST_S = 0.1
"""Seconds of a clip at least: a shorter file is an error in the data."""
MOST_REPLIES = 250
"""Different replies at most: labels are uint8, with 0 for silence and 255 for `compose_turns.EITHER`."""
VALIDATION_SHARE = 0.15
"""Share of the clips that are held out by default."""


@dataclass(frozen=True)
class SpokenReply:
    """A reply: its text and emotion."""

    text: str
    emotion: Emotion


@dataclass(frozen=True)
class UserTurn:
    """One clip and its reply; the reply is None where the model should keep silent."""

    path: Path
    reply: SpokenReply | None
    source: str


Conversation = tuple[UserTurn, ...]


def read_conversations(path: Path) -> list[Conversation]:
    """Read a file of JSON lines, or a folder with a ``replies.json``.

    Raises
    ------
    SettingError
        Where the file is malformed, holds no turns or no replies, or too many different replies.
    AudioError
        Where a clip is missing.
    """
    found = _from_folders(path) if path.is_dir() else _from_lines(path)
    turns = [turn for conversation in found for turn in conversation]
    if not turns:
        raise SettingError(f"{path} holds no turns.")
    missing = [turn.path for turn in turns if not turn.path.is_file()]
    if missing:
        more = f" ({len(missing)} files are missing)" if len(missing) > 1 else ""
        raise AudioError(f"{path} names {missing[0]}, but this file does not exist{more}.")
    count = len(replies_of(found))
    if not count:
        raise SettingError(f'{path}: every turn is "{NO_RESPONSE}"; training needs at least one turn with a reply.')
    if count > MOST_REPLIES:
        raise SettingError(f"{path} holds {count} different replies; at most {MOST_REPLIES} are allowed.")
    return found


def replies_of(conversations: Sequence[Conversation]) -> list[SpokenReply]:
    """Return all different replies, sorted; the label of a reply is its index plus one."""
    distinct = {turn.reply for conversation in conversations for turn in conversation if turn.reply is not None}
    return sorted(distinct, key=lambda reply: (reply.text, reply.emotion.value))


def read_clip(turn: UserTurn) -> Samples:
    """Read the samples of a turn's clip, without leading and trailing silence, at a peak of 1.

    Raises
    ------
    AudioError
        Where the clip cannot be read, is too short, or is silent and has a reply.
    """
    samples = read_16k(turn.path)
    if len(samples) < SHORTEST_S * SAMPLE_RATE:
        raise AudioError(
            f"{turn.path} is {len(samples) / SAMPLE_RATE:.2f} s long; a clip must have at least {SHORTEST_S:g} s."
        )
    peak = float(np.abs(samples).max())
    if peak < 1e-4:
        if turn.reply is None:
            return samples
        raise AudioError(f'{turn.path} is silent, but its reply is "{turn.reply.text}".')
    samples = samples / np.float32(peak)
    heard = sounding(samples)
    return samples[heard[0][0] : heard[-1][1]].copy() if heard else samples


def split(
    conversations: Sequence[Conversation], share: float = VALIDATION_SHARE
) -> tuple[list[Conversation], list[Conversation]]:
    """Split into training and validation; conversations that share a source stay together.

    Of the groups with the same first reply, the same share goes to validation (at least one of three or more), chosen
    by a hash of their sources, so that more data does not reshuffle the split.
    """
    piles: dict[SpokenReply | None, list[list[Conversation]]] = {}
    for group in _groups(conversations):
        piles.setdefault(group[0][0].reply, []).append(group)
    training: list[Conversation] = []
    validation: list[Conversation] = []
    for groups in piles.values():
        groups.sort(key=_fingerprint)
        held = max(1, round(share * len(groups))) if len(groups) >= 3 and share > 0 else 0
        validation += [conversation for group in groups[:held] for conversation in group]
        training += [conversation for group in groups[held:] for conversation in group]
    return training, validation


def _groups(conversations: Sequence[Conversation]) -> list[list[Conversation]]:
    """Group conversations that share a source."""
    groups: dict[int, list[Conversation]] = {}
    group_of: dict[str, int] = {}
    for number, conversation in enumerate(conversations):
        sources = {turn.source for turn in conversation}
        joined = sorted({group_of[source] for source in sources if source in group_of})
        members = [member for place in joined for member in groups.pop(place)]
        groups[number] = [*members, conversation]
        for source in sources | {turn.source for member in members for turn in member}:
            group_of[source] = number
    return list(groups.values())


def _fingerprint(group: Sequence[Conversation]) -> str:
    sources = sorted({turn.source for conversation in group for turn in conversation})
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()


def _from_lines(path: Path) -> list[Conversation]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} cannot be read: {error}.") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise SettingError(f"{where} is not JSON: {error}.") from error
        turns = entry.get("conversation") if isinstance(entry, dict) else None
        if not isinstance(turns, list) or not turns:
            raise SettingError(f'{where} must be {{"conversation": [{{"audio_path": …, "assistant": …}}, …]}}.')
        found.append(tuple(_turn(turn, path.parent, where) for turn in turns))
    return found


def _turn(entry: Any, folder: Path, where: str) -> UserTurn:
    if not isinstance(entry, dict) or not isinstance(entry.get("audio_path"), str):
        raise SettingError(f'{where}: every turn needs an "audio_path".')
    name = entry["audio_path"]
    return UserTurn(folder / name, _reply(entry, f"{where} ({name})"), str(entry.get("source", name)))


def _reply(entry: dict[str, Any], where: str) -> SpokenReply | None:
    text = entry.get("assistant")
    if not isinstance(text, str) or not text.strip():
        raise SettingError(f'{where}: "assistant" must be the reply, or "{NO_RESPONSE}" for silence.')
    if text.strip() == NO_RESPONSE:
        return None
    emotion = entry.get("emotion") or Emotion.NORMAL.value
    allowed = [known.value for known in Emotion]
    if emotion not in allowed:
        raise SettingError(f"{where}: emotion {emotion!r} is unknown; allowed are {', '.join(allowed)}.")
    return SpokenReply(text.strip(), Emotion(emotion))


def _from_folders(folder: Path) -> list[Conversation]:
    path = folder / REPLIES_FILE
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SettingError(f"{path} cannot be read: {error}.") from error
    if not isinstance(table, dict) or not table:
        raise SettingError(f'{path} must be an object such as {{"dog": "A dog is barking.", "rain": null}}.')
    return [(turn,) for name, value in table.items() for turn in _class(folder, name, value, f"{path} ({name})")]


def _class(folder: Path, name: str, value: Any, where: str) -> Iterator[UserTurn]:
    entry = {"assistant": NO_RESPONSE} if value is None else value if isinstance(value, dict) else {"assistant": value}
    reply = _reply(entry, where)
    files, skipped = audio_in(folder / name)
    if not files:
        raise AudioError(f"{where}: the folder {folder / name} holds no audio ({', '.join(sorted(AUDIO_SUFFIXES))}).")
    if skipped:
        warnings.warn(skipped_words(folder / name, skipped), AudioWarning, stacklevel=2)
    for file in files:
        yield UserTurn(file, reply, file.relative_to(folder).as_posix())
