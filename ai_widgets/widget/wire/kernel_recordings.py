"""Messages that the kernel sends about recordings: saved files, what is shown, and replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import UNSET, UnsetType

from .kernel_message import KernelMessage
from .limits import Base64

RecordingState = Literal["none", "loading", "shown"]
ReplayState = Literal["none", "running", "reproduced", "differs", "cancelled", "failed"]


class Saved(KernelMessage, frozen=True):
    """Answer to `save`: the file is written.

    Attributes
    ----------
    request, page
        As in the `save`.
    name, size
        Proposed name of the file, and its size in bytes.
    note
        Sentence on what the file lacks, or empty.
    problem
        Sentence that says why there is no file, or empty.
    """

    request: int
    page: str
    name: str
    size: int
    note: str
    problem: str


class FilePart(KernelMessage, frozen=True, tag="part"):
    """Answer to `part` of a page, with the part in a buffer.

    Attributes
    ----------
    request, page, offset
        As in the `part`.
    ok
        Whether the file is still there.
    data
        Part of the file in base64, to a host that drops buffers.
    """

    request: int
    page: str
    offset: int
    ok: bool
    data: Base64 | UnsetType = UNSET


class Recording(KernelMessage, frozen=True):
    """Recording that is shown in place of the session, or that is being read.

    Attributes
    ----------
    state
        `none`: the session is shown.
    name
        Name of the file.
    done, total
        Bytes that were read, and size of the file.
    facts
        Model, device and date, each a short text.
    tokens, prefix, block, limit
        As in `model`, of the model that made the recording.
    """

    state: RecordingState
    name: str
    done: int
    total: int
    facts: Sequence[str]
    tokens: Mapping[str, int]
    prefix: Sequence[tuple[int, str]]
    block: Sequence[tuple[str, int, int]]
    limit: int


class Replayed(KernelMessage, frozen=True):
    """Progress or result of a replay of what is shown.

    Attributes
    ----------
    state
        `none`: nothing was replayed since this record is shown.
    done, total
        Chunks that were heard again, and those of the record.
    chunk
        Chunk of the first difference; −1 if there is none.
    message
        What differs and by how much, how many decisions and tokens are the same, or why there is no result.
    """

    state: ReplayState
    done: int
    total: int
    chunk: int
    message: str
