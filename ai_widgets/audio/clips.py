"""The clips of the package: short sounds with the replies that the embedded checkpoint gives to them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnknownClipError, printable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FOLDER = Path(__file__).parents[1] / "clips"
"""Folder of the FLAC files, made by `ai_widgets.training.make_clips`."""
INDEX = FOLDER / "clips.json"
"""The list of the clips, in the order in which menus show them."""
PREFIX = "clip:"
"""Beginning of a text that names a clip where a path may stand; the name of the clip follows."""


@dataclass(frozen=True)
class Expected:
    """A reply that the embedded checkpoint gives to a clip, greedily and followed by a second of silence.

    Attributes
    ----------
    from_s, to_s
        Seconds of the clip between which the decided chunk begins.
    text
        The whole reply.
    """

    from_s: float
    to_s: float
    text: str


@dataclass(frozen=True)
class Clip:
    """One clip. It is a path (`os.PathLike`), so everything that takes an audio file takes it.

    Attributes
    ----------
    name, title
        Name in `aiw.clips`, and what is heard, in a few words.
    seconds
        Length in seconds.
    expected
        Replies of the embedded checkpoint; empty where it is right to keep silent.
    licence, credit
        SPDX identifier of the licence, and a sentence on where the sound comes from.

    Examples
    --------
    >>> aiw.clips["digit"].expected[0].text
    'You said seven.'
    """

    name: str
    title: str
    seconds: float
    expected: tuple[Expected, ...]
    licence: str
    credit: str

    @property
    def path(self) -> Path:
        """The FLAC file: 16 kHz, mono, 16 bits."""
        return FOLDER / f"{self.name}.flac"

    def samples(self) -> npt.NDArray[np.float32]:
        """Read the clip: float32 [n] in [-1, 1] at 16 kHz."""
        # Listing clips must not import the decoders.
        from .files import load_audio

        return load_audio(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return f"{PREFIX}{self.name}"

    def _repr_html_(self) -> str:
        sound = base64.b64encode(self.path.read_bytes()).decode("ascii")
        said = "; ".join(reply.text for reply in self.expected) or "silence"
        return (
            f"<figure style='margin:0'><figcaption>{escape(self.title)} ({self.seconds:.1f} s). "
            f"Expected: {escape(said)}</figcaption><audio controls "
            f"src='data:audio/flac;base64,{sound}'></audio></figure>"
        )


class Clips(Mapping[str, Clip]):
    """The clips by name: ``aiw.clips["rain"]`` or ``aiw.clips.rain``. The index is read at the first use.

    Examples
    --------
    >>> list(aiw.clips)
    ['speech_pause_speech', 'digit', 'keyword', …]
    >>> record = aiw.run_inference("tiny", [aiw.clips["digit"]])
    """

    @cached_property
    def _clips(self) -> dict[str, Clip]:
        entries = json.loads(INDEX.read_text(encoding="utf-8"))
        return {
            entry["name"]: Clip(**{**entry, "expected": tuple(Expected(**each) for each in entry["expected"])})
            for entry in entries
        }

    def __getitem__(self, name: str) -> Clip:
        try:
            return self._clips[name]
        except KeyError:
            raise UnknownClipError(self.unknown(name)) from None

    def __getattr__(self, name: str) -> Clip:
        if name.startswith("_") or name not in self._clips:
            raise AttributeError(self.unknown(name))
        return self._clips[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._clips)

    def __len__(self) -> int:
        return len(self._clips)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._clips]

    def __repr__(self) -> str:
        return f"<{len(self)} clips: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{clip.name}</code></td><td>{escape(clip.title)}</td><td>{clip.seconds:.1f} s</td>"
            f"<td>{escape('; '.join(reply.text for reply in clip.expected) or 'keeps silent')}</td>"
            f"<td>{escape(clip.licence)}</td></tr>"
            for clip in self.values()
        )
        heads = "".join(f"<th>{head}</th>" for head in ("name", "what is heard", "length", "reply of tiny", "licence"))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"

    def unknown(self, name: object) -> str:
        """Format the sentence about a name that no clip has."""
        return f"There is no clip {printable(str(name))!r}; the clips are {', '.join(self._clips)}."


clips = Clips()
"""The clips of the package, which `import ai_widgets` offers as `aiw.clips`."""


def clip_named(source: object) -> Clip | None:
    """Return a clip, or the one that a text such as `clip:rain` names; None for any other source.

    A file whose name begins with ``clip:`` is given as ``./clip:rain``.

    Raises
    ------
    UnknownClipError
        No clip has that name.
    """
    if isinstance(source, Clip):
        return source
    text = str(source) if isinstance(source, (str, Path)) else ""
    return clips[text.removeprefix(PREFIX)] if text.startswith(PREFIX) else None
