"""How texts are pronounced: phones from the program ``espeak-ng``, for the read-out that learns to hear them.

Words that are only known from synthetic voices are heard better from real people when the network also learns what
words are made of: a phone is shared by many words and by every voice. Nothing of this is exported.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable, Mapping

from ai_widgets.child_process import output_of
from ai_widgets.errors import SettingError

VOICE = "en-us"
LEFT_OUT = frozenset("ˈˌːʲ ̩͡‿-_()0123456789")
"""Stress, length and joining marks: how a phone is said, not which."""


def pronounce(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Phones of each text, as one-character IPA symbols.

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
        raise SettingError("Phones need the program espeak-ng, which is not installed; set the weight of phones to 0.")
    found = {}
    for text in known:
        printed = output_of([program, "-q", "--ipa", "-v", VOICE, "--", text], "Finding phones with espeak-ng")
        spoken = unicodedata.normalize("NFD", printed.decode())
        found[text] = tuple(c for c in spoken if not c.isspace() and c not in LEFT_OUT and not unicodedata.combining(c))
    return found


def table(pronunciations: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Number of each phone, from 1 on: 0 is the blank of connectionist temporal classification."""
    symbols = sorted({phone for phones in pronunciations.values() for phone in phones})
    return {phone: place for place, phone in enumerate(symbols, start=1)}
