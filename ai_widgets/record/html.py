"""One HTML file of a record: viewer, events and audio, with no network access.

The file opens from disk, in a frame and in a notebook's output. The viewer (`viewer.js`, built from
`js/src/viewer.tsx`) draws it with the code of the widget. A content security policy allows the two inline assets by
their hashes and nothing else; text of a model, a file or a person is data, never markup.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import __version__
from ..errors import RecordError
from ..protocol import CHUNK_SAMPLES, CHUNK_SECONDS, SAMPLE_RATE, Event
from .bars import bar_of_seconds
from .html_document import HtmlPage, Sound
from .packed_events import LEVELS, encodable, finite, pack
from .page_facts import page_facts
from .transcript import clock, summary, transcript_html

if TYPE_CHECKING:
    from .record import SessionRecord

FORMAT = 1
"""Version of the header below; `js/src/channel/record-channel.ts` reads it."""
MAX_BYTES = 1_000_000
"""Size of a page without audio up to which the finest level of detail that fits is taken, in bytes."""
MP3_LEVEL = 0.84
"""libsndfile's compression level, 0 to 1: 32 kbit/s for 16 kHz mono, 14 MB per hour. The rate is constant, so that a
browser finds every position exactly. All browsers play MP3; Safari plays Ogg from version 18.4 on only."""
MP3_DELAY_S = 1105 / SAMPLE_RATE
"""Delay of the sound in an MP3 file, in seconds: 576 samples of the encoder and 529 of every decoder. A file with a
constant rate has no tag by which decoders would skip it, so the page does."""
TITLE = "Audio-Interaction"
"""Title of a page whose record names no model."""


class Analysis(Protocol):
    """Result of an analysis that a page shows: an `Onset` or `Seeds` of `ai_widgets.analysis`."""

    @property
    def kind(self) -> str:
        """Kind of the analysis: `onset` or `seeds`."""

    def to_json(self) -> dict[str, Any]:
        """Return the numbers of the picture."""


def check_folder(path: str | Path) -> None:
    """Check, before a long run, that a page can be written to a path.

    Raises
    ------
    RecordError
        If the folder does not exist, or the path is a folder.
    """
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else f"is in {target.parent}, which does not exist"
        raise RecordError(f"The page cannot be written: {target} {what}. Name a file in an existing folder.")


def html_page(
    record: SessionRecord,
    *,
    title: str | None = None,
    audio: bool = True,
    progress: bool = False,
    analyses: Iterable[Analysis] = (),
) -> HtmlPage:
    """Build the HTML page of a record. The same record gives the same page.

    Parameters
    ----------
    record
        Record to show.
    title
        Title, as plain text; None for one with the model's name.
    audio
        Whether the page contains the audio that the record keeps, as MP3.
    progress
        Whether a bar is shown while long audio is encoded.
    analyses
        Results of analyses of the record, which the page shows: an onset curve, a raster of seeds.

    Returns
    -------
    HtmlPage
        The document; `str` gives its text.

    Raises
    ------
    RecordError
        If the viewer's files were not built.
    """
    script, style, licenses = (_asset(name) for name in ("viewer.js", "viewer.css", "viewer.licenses.txt"))
    about = page_facts(record.header.to_json())
    heading = heading_of(record, title)
    notes: list[str] = []
    sound: Sound | None = None
    if audio:
        sound, notes = _sound(record, progress)
    events: list[Event] = list(record.events)
    packed, left_out = b"", ""
    # Everything of the page but the events: 4 kB are the tags, the header and the transcript's frame.
    fallback = text_of(record, heading)
    analysed = {each.kind: finite(each.to_json()) for each in analyses}
    room = (
        MAX_BYTES
        - len(_script_json(analysed))
        - sum(len(part.encode("utf-8")) for part in (script, style, licenses, fallback))
        - 4_000
    )
    if events:
        for level in LEVELS:
            packed, left_out = pack(events, level), level.left_out
            if len(packed) * 4 / 3 <= room:
                break
    header = {
        "format": FORMAT,
        "title": heading,
        "made_by": f"exported by ai_widgets {__version__}",
        "summary": summary(record),
        **{name: finite(value) for name, value in about.items()},
        "seconds": record.seconds,
        "audio": None
        if sound is None
        else {"type": "audio/mpeg", "start_s": record.audio_start_s, "delay_s": MP3_DELAY_S},
        "analyses": analysed,
        "notes": [note for note in (left_out, *notes) if note],
    }
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "media-src blob: data:",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(heading)}</title>",
        f"<style>{style}</style>\n</head>\n<body>",
        # The replies as text until the viewer shows the record; without scripts they remain.
        f'<main id="aiw-viewer">{fallback}</main>',
        f'<script type="application/json" id="aiw-header">{_script_json(header)}</script>',
        f'<script type="text/plain" id="aiw-events">{b64encode(packed).decode("ascii")}</script>',
    ]
    # The licences of the libraries in the viewer must be distributed with it.
    last = [
        f'<script type="text/plain" id="aiw-licenses">{licenses}</script>',
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    if sound is None:
        return HtmlPage("\n".join([*parts, *last]))
    before = "\n".join([*parts, '<script type="text/plain" id="aiw-audio">'])
    return HtmlPage(before, sound, "\n".join(["</script>", *last]))


def heading_of(record: SessionRecord, title: str | None) -> str:
    """Return the title of a record's page: the given one, or one with the model's name."""
    model = page_facts(record.header.to_json())["model"]
    return encodable(title if title is not None else f"Session with {model}" if model else TITLE)


def text_of(record: SessionRecord, heading: str) -> str:
    """Format the replies of a record as HTML for a page whose policy allows no inline styles."""
    # In escaped text there is no quotation mark that the pattern could meet.
    return re.sub(r' style="[^"]*"', "", encodable(transcript_html(record, heading)))


def _asset(name: str) -> str:
    try:
        text = files(__package__).joinpath("static", name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RecordError(
            f"The viewer's file {name} is missing: this is a source tree that was not built. "
            "Run `make setup`, or `npm run build` in its folder js."
        ) from error
    # The build keeps these out (js/build.mjs); a later change would end the element early.
    if "</script" in text.lower() or "</style" in text.lower() or "<!--" in text:
        raise RecordError(f"The viewer's file {name} cannot be part of an HTML page; run `make` to build it again.")
    return text


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _script_json(value: Any) -> str:
    """Format JSON that cannot end its script element, with any text in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return encodable(text)


def _sound(record: SessionRecord, progress: bool) -> tuple[Sound | None, list[str]]:
    """Encode the kept audio as MP3; None with a note where there is none."""
    import soundfile

    first = round(record.audio_start_s / CHUNK_SECONDS)
    last = record.chunks_heard
    if first >= last:
        return None, ["The record kept no audio."] if last else []
    notes = [] if first == 0 else [f"The record kept no audio before {clock(first * CHUNK_SECONDS)}."]
    sound = Sound()
    silence = np.zeros(CHUNK_SAMPLES, np.float32)
    missing = 0
    encoder = soundfile.SoundFile(
        sound.file, "w", SAMPLE_RATE, 1, format="MP3", compression_level=MP3_LEVEL, bitrate_mode="CONSTANT"
    )
    with encoder as file, bar_of_seconds((last - first) * CHUNK_SECONDS, "encoding", shown=progress) as bar:
        for chunk in range(first, last):
            samples = record.chunk_audio(chunk)
            missing += samples is None
            file.write(silence if samples is None else np.clip(np.nan_to_num(samples), -1, 1))
            bar.update(CHUNK_SECONDS)
    if missing:
        notes.append(f"The audio of {missing} chunks could not be read; they are silent here.")
    return sound, notes
