"""Onset curves and rasters of seeds with their sentences, which Python and the page must compute the same.

python -m tests.onset_vectors        writes tests/vectors/onset.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ai_widgets.analysis import Onset, Seeds
from ai_widgets.record.record import SessionRecord

FILE = Path(__file__).parent / "vectors" / "onset.json"
ABOUT = (
    "Onset: the hazard of a reply after each chunk, and the expected probability of the first reply (`first`), of none "
    "at all (`never`), and the sentence. Seeds: the chunks after which a reply began by seed, and the sentence. "
    "Numbers are equal to 1e-12."
)
HAZARDS: dict[str, list[float]] = {
    "a rise and a fall": np.round(np.random.default_rng(1).uniform(0, 0.4, 12), 4).tolist(),
    "one sure reply": [0.0, 0.0, 1.0, 0.3],
    "no reply": [0.0, 0.0],
    "less than half reply": [0.01, 0.25, 0.05],
    "nothing was heard": [],
}
BEGUN: dict[str, dict[int, tuple[int, ...]]] = {
    "each seed another chunk": {0: (3,), 1: (3, 9), 2: (5,), 3: ()},
    "all the same": {0: (2, 8), 1: (2, 8)},
    "all first at one chunk": {0: (2, 8), 4: (2, 9), 7: (2,)},
    "all that reply, at one chunk": {0: (5,), 1: (), 2: (5, 9)},
    "one seed of three": {0: (), 1: (5,), 2: ()},
    "no reply": {0: (), 1: ()},
    "a tie is the earlier chunk": {0: (7,), 1: (4,)},
    "one seed": {5: (6,)},
}


def vectors() -> dict[str, Any]:
    """Return the content of the file."""
    curves = []
    for name, hazard in HAZARDS.items():
        first, left = [], 1.0
        for p in hazard:
            first.append(left * p)
            left *= 1 - p
        curve = Onset.of(range(len(hazard)), hazard, SessionRecord(), {})
        curves.append({"name": name, "hazard": hazard, "first": first, "never": left, "text": str(curve)})
    rasters = []
    for name, begun in BEGUN.items():
        raster = Seeds(begun, {seed: tuple(range(12)) for seed in begun}, {})
        rasters.append({"name": name, **raster.to_json(), "text": str(raster)})
    return {"about": ABOUT, "onset": curves, "seeds": rasters}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
