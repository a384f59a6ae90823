"""Session of the toy model that the tests of recordings save, and what is the same in two records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ai_widgets.inference import Model
from ai_widgets.record.record import SessionRecord
from tests.signals import babble

TALK = "talk.aiw"


def recorded(toy: Model) -> SessionRecord:
    """Record a clip, a change of settings, and live audio at another rate."""
    session = toy.session(seed=1, max_reply_tokens=10)
    session.push_clip(babble(4))
    session.change(bias=0.5)
    session.push(babble(2), 48_000)
    return session.record


def same(left: SessionRecord, right: SessionRecord) -> bool:
    headers = (replace(each.header, first_chunk=0, reduced=(0, 0)) for each in (left, right))
    return left.events == right.events and len({*map(repr, headers)}) == 1 and np.array_equal(left.audio, right.audio)
