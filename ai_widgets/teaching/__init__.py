"""What the notebooks of the package teach with: exercises, and `check`, which compares an answer with a computed value.

Examples
--------
>>> from ai_widgets.teaching import check
>>> check("chunks_of_a_clip", 25)
"""

from __future__ import annotations

from .checking import all_exercises, check
from .exercise import Chunks, Count, Exercise, Number, OneOf, Verdict
from .pictures import Picture, heatmap

__all__ = ["Chunks", "Count", "Exercise", "Number", "OneOf", "Picture", "Verdict", "all_exercises", "check", "heatmap"]
