"""Find the phones of texts with the program ``espeak-ng``, for the phone read-out of the network.

Words that are trained on synthetic voices only are recognised better from real speakers when the network also learns
phones, which many words and all voices share. The read-out is not exported.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable, Mapping

from ai_widgets.errors import SettingError
from ai_widgets.training.child_process import output_of

VOICE = "en-us"
LEFT_OUT = frozenset("ˈˌːʲ ̩͡‿-_()0123456789")
"""Marks of stress, length and joining, which do not distinguish phones here."""


def pronounce(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Find the phones of each text, as one-character IPA symbols.

    Raises
    ------
    SettingError
        Where ``espeak-ng`` is not installed.
    """
    known = sorted({text for text in texts if text.strip()})
    if not known:
        return {}
    program = shutil.which("espeak-ng")
    if program is None:
        raise SettingError(
            "Phones need the program espeak-ng, which is not installed; install it, or set the weight of phones to 0."
        )
    found = {}
    for text in known:
        printed = output_of([program, "-q", "--ipa", "-v", VOICE, "--", text], "Finding phones with espeak-ng")
        spoken = unicodedata.normalize("NFD", printed.decode())
        found[text] = tuple(c for c in spoken if not c.isspace() and c not in LEFT_OUT and not unicodedata.combining(c))
    return found


def table(pronunciations: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Number the phones from 1 on; 0 is the blank of connectionist temporal classification (CTC)."""
    symbols = sorted({phone for phones in pronunciations.values() for phone in phones})
    return {phone: place for place, phone in enumerate(symbols, start=1)}
