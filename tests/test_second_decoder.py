"""Where libsndfile stops in the middle of a file, FFmpeg reads the rest, at the same rate and in the same place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ai_widgets.audio.decoding import DecodeError, SoundfileDecoder
from ai_widgets.audio.files import load_audio
from tests.signals import babble

FORMATS = [("a.opus", "OGG", "OPUS", 16_000), ("b.opus", "OGG", "OPUS", 48_000), ("a.ogg", "OGG", "VORBIS", 44_100),
           ("a.flac", "FLAC", "PCM_16", 22_050)]  # fmt: skip


@pytest.mark.parametrize(("name", "form", "subtype", "rate"), FORMATS)
def test_a_file_that_libsndfile_gives_up_is_read_to_its_end(
    name: str, form: str, subtype: str, rate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    soundfile.write(path, babble(5.0, rate=rate), rate, format=form, subtype=subtype)
    whole, blocks = load_audio(path), SoundfileDecoder.blocks

    def stopping(self: SoundfileDecoder) -> Iterator[Any]:
        for count, rows in enumerate(blocks(self)):
            if count == 2:
                raise DecodeError("Supported file format but file is malformed.")
            yield rows

    monkeypatch.setattr(SoundfileDecoder, "blocks", stopping)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = load_audio(path)
    assert abs(len(read) - len(whole)) <= 160, "at most 10 ms of the encoder's padding"
    shared = min(len(read), len(whole)) - 800
    error = np.sqrt(np.mean((read[:shared] - whole[:shared]) ** 2))
    assert error < 0.05 * np.sqrt(np.mean(whole**2))
