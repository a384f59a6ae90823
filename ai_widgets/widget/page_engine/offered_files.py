"""`OfferedFiles`: the files of the engine, which a page fetches from the kernel part by part."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from ..wire.engine_messages import EngineFile
from ..wire.kernel_engine import OfferedFile
from ..wire.limits import MAX_RANGE_BYTES

if TYPE_CHECKING:
    from ...model.hub import Progress
    from ...session.listening import ListeningModel

LEAST_GZIP_BYTES = 100_000
"""Size of a file, in bytes, from which on it is compressed: a smaller one is one message either way."""
GAIN = 0.9
"""Largest share of its size that a compressed file may have; weights hardly shrink, and unpacking them costs time."""
LEVEL = 6
"""Level of gzip: 14 MB of WebAssembly become 3.7 MB in half a second; a higher level gains one per cent."""

Packed: TypeAlias = "Mapping[str, tuple[bytes, bool]]"
"""Content of files as it is sent, and whether that is gzip, by name."""

_PACKED: WeakKeyDictionary[object, Packed] = WeakKeyDictionary()
"""Files of a model by its decoder: further widgets on one model need no second export."""


class OfferedFiles:
    """Files by name, as they are sent; none until the model is exported.

    Attributes
    ----------
    listed
        What a page is told of them.
    """

    def __init__(self) -> None:
        self._files: Packed = {}
        self.listed: tuple[OfferedFile, ...] = ()

    def offer(self, files: Packed) -> None:
        """Offer files: their content as it is sent, and whether that is gzip."""
        self._files = dict(files)
        self.listed = tuple(
            OfferedFile(name, len(content), hashlib.sha256(content).hexdigest(), packed)
            for name, (content, packed) in sorted(files.items())
        )

    def part(self, asked: EngineFile) -> tuple[bytes | None, bool]:
        """Return at most `MAX_RANGE_BYTES` of a file, and whether it ends there; None where there is no such part."""
        content, _ = self._files.get(asked.name, (b"", False))
        if not asked.offset < len(content):
            return None, False
        end = asked.offset + MAX_RANGE_BYTES
        return content[asked.offset : end], end >= len(content)

    def withdraw(self) -> None:
        """Offer nothing any more, and release the memory."""
        self._files, self.listed = {}, ()


def exporting(load: Callable[[Progress], ListeningModel], files: OfferedFiles) -> Callable[[Progress], ListeningModel]:
    """Return a function that loads a model as `load` does, exports it, and offers the engine's files.

    The export belongs to loading: what it raises is what loading raises, and a closed widget ends it between two steps.
    """

    def load_and_export(progress: Progress) -> ListeningModel:
        from ...model.onnx.graphs import require_onnx

        last = (0, 0)

        def advanced(done: int, total: int) -> None:
            nonlocal last
            last = done, total
            progress(done, total)

        require_onnx()
        model = load(advanced)
        files.offer(packed_files(model, lambda: progress(*last)))
        return model

    return load_and_export


def packed_files(model: ListeningModel, step_done: Callable[[], object] | None = None) -> Packed:
    """Return all files that the engine needs in a page, compressed where that helps.

    Raises
    ------
    ExportError, MissingPackageError
        If the model cannot be exported; see `model.onnx.export.export`.
    PageError
        If the front end was not built.
    """
    from ...page.contents import model_files

    language: Any = model.language
    found = _PACKED.get(language.decoder)
    if found is None:
        # Read first: a missing build is reported before an export of several seconds.
        built = _built()
        found = {**built, **{name: packed(content) for name, content in model_files(language, step_done).items()}}
        _PACKED[language.decoder] = found
    return found


@cache
def _built() -> Packed:
    """Return the files that all models share: worker, runtime and clips."""
    from ...page.files import WASM_FILE, WORKER_FILE, built, clips

    front_end = built()
    shared = {WORKER_FILE: front_end[WORKER_FILE], WASM_FILE: front_end[WASM_FILE], **clips()}
    return {name: packed(content) for name, content in shared.items()}


def packed(content: bytes) -> tuple[bytes, bool]:
    """Return a file as it is sent, and whether that is gzip; without a time, so that equal files stay equal."""
    if len(content) >= LEAST_GZIP_BYTES:
        small = gzip.compress(content, LEVEL, mtime=0)
        if len(small) <= GAIN * len(content):
            return small, True
    return content, False
