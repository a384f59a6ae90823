"""Messages that the kernel sends about recordings: saved files, what is shown, and replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .kernel_message import KernelMessage
from .limits import AnalysisKind, AnalysisState, Base64

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


class OnsetCurve(msgspec.Struct, frozen=True):
    """Onset curve: the page computes the probability of the first reply from the hazards.

    Attributes
    ----------
    settings
        Settings of the decision that differ from the record's.
    chunk, hazard
        Chunks, and the probability of a reply after each if there was none before.
    """

    settings: Mapping[str, Any]
    chunk: Sequence[int]
    hazard: Sequence[float]


class SeedRaster(msgspec.Struct, frozen=True):
    """Decisions by seed.

    Attributes
    ----------
    settings
        Settings that differ from the record's, without the seed.
    seeds
        Seeds, in the order of the rows.
    begun
        By seed, the chunks after which a reply began.
    decided
        By seed, the number of decided chunks.
    """

    settings: Mapping[str, Any]
    seeds: Sequence[int]
    begun: Sequence[Sequence[int]]
    decided: Sequence[int]


class Analysed(KernelMessage, frozen=True):
    """Progress or result of an analysis of what is shown.

    Attributes
    ----------
    what, state
        Kind of the analysis; `none`: there is no result of it for this record.
    done, total
        Chunks that were heard, in all runs, and that are to be heard.
    message
        Sentence that says why there is no result, or empty.
    onset, seeds
        Result of the kind, or null.
    """

    what: AnalysisKind
    state: AnalysisState
    done: int
    total: int
    message: str
    onset: OnsetCurve | None
    seeds: SeedRaster | None
