"""Analysis of records: what if other settings had decided, when a first reply comes, and how much the seed decides."""

from __future__ import annotations

from .onset import Onset, onset
from .seeds import Seeds, seeds, sweep
from .what_if import WhatIf, what_if

__all__ = ["Onset", "Seeds", "WhatIf", "onset", "seeds", "sweep", "what_if"]
