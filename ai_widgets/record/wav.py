"""Write the audio of a record as a WAV file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from ..errors import RecordError, RecordWarning, SettingError
from ..protocol import SAMPLE_RATE
from .files import writing
from .transcript import clock

if TYPE_CHECKING:
    from .views import RecordViews

SUBTYPES = {16: "PCM_16", 32: "FLOAT"}
"""Names of libsndfile for the bits of a sample."""
MAX_WAV_SECONDS = 60_000
"""Length in seconds from which the file is RF64, the WAV of more than 4 GiB."""


def write_wav(record: RecordViews, path: Path, bits: int) -> Path:
    """Write the audio that is kept; see `RecordExports.to_wav`.

    Raises
    ------
    SettingError
        If `bits` is neither 16 nor 32.
    RecordError
        If no audio is kept, or the file cannot be written.
    """
    if bits not in SUBTYPES:
        raise SettingError(f"bits must be 16 or 32, not {bits!r}.")
    start_s, written = record.audio_start_s, 0
    form = "RF64" if record.seconds - start_s > MAX_WAV_SECONDS else "WAV"
    with writing(path) as made:
        try:
            with soundfile.SoundFile(str(made), "w", SAMPLE_RATE, 1, subtype=SUBTYPES[bits], format=form) as file:
                for piece in record.audio_pieces():
                    file.write(piece)
                    written += len(piece)
        except soundfile.LibsndfileError as error:
            raise OSError(str(error)) from error
        if not written:
            raise RecordError("The record keeps no audio, so that there is nothing to write (audio_seconds=0).")
    if start_s:
        warnings.warn(
            f"{path.name} begins {clock(start_s)} after the start of the session: older audio was discarded.",
            RecordWarning,
            stacklevel=3,
        )
    return path
