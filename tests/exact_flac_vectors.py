"""Samples of every kind as 24-bit FLAC and rest, for the reader in the web page (`js/src/page/exact-audio.ts`).

python -m tests.exact_flac_vectors
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from ai_widgets.protocol import CHUNK_SAMPLES
from ai_widgets.record import exact_flac

PATH = Path(__file__).parent / "vectors" / "exact_flac.json"


def samples() -> exact_flac.Array:
    """One chunk: a resampler's fine samples, 16-bit samples, samples beyond full scale, very small ones and zeros."""
    generator = np.random.default_rng(7)
    chunk = np.zeros(CHUNK_SAMPLES, np.float32)
    chunk[:100] = generator.uniform(-1, 1, 100)
    chunk[100:200] = generator.integers(-32768, 32767, 100) / 32768
    chunk[200:220] = generator.uniform(-9, 9, 20)
    chunk[220:240] = generator.uniform(-1, 1, 20) * 2.0**-30
    chunk[240:242] = 1, -1
    return chunk


def vectors() -> dict[str, Any]:
    """What `exact_flac` makes of the samples: whole numbers, and the bytes of the rest as `audio.rest` has them."""
    chunk = samples()
    whole, rest = exact_flac.split(chunk)
    data = np.ascontiguousarray(rest.astype("<f4").view(np.uint8).reshape(-1, 4).T).tobytes()
    used = int(np.flatnonzero(whole)[-1]) + 1
    return {
        "samples": b64encode(chunk.astype("<f4")[:256].tobytes()).decode("ascii"),
        "whole": whole[:used].tolist(),
        "rest": [b64encode(data[start : start + 256]).decode("ascii") for start in range(0, len(data), CHUNK_SAMPLES)],
    }


def text() -> str:
    """The file's content."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
