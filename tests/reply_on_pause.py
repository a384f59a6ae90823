"""Compare FastRTC's ``ReplyOnPause`` on the recording of notebook 05: ``python -m tests.reply_on_pause [NETWORK]``.

It needs ``pip install 'fastrtc[vad]'``, which is not a dependency of the project. NETWORK is the file of silero-vad's
network, version 4, for a machine where FastRTC cannot download its own. The handler gets blocks of 20 ms at 16 kHz,
with its default options; its reply ends at once. The README has the result.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from fastrtc import ReplyOnPause
from fastrtc.pause_detection import silero

from ai_widgets.protocol import CHUNK_SAMPLES, CHUNK_SECONDS, SAMPLE_RATE
from ai_widgets.teaching.tape import Occasion, labelled_tape

BLOCK = 320
"""Samples of a block: 20 ms, as WebRTC sends them."""


def replies(samples: np.ndarray) -> list[float]:
    """Return the seconds of the recording at which a reply begins."""
    found: list[float] = []
    end = 0

    def reply(_: Any) -> Iterator[None]:
        found.append(end / SAMPLE_RATE)
        yield from ()

    handler = ReplyOnPause(reply, input_sample_rate=SAMPLE_RATE)
    # What a connection sets: there is none.
    handler.send_message_sync = lambda *_, **__: None
    handler._clear_queue = lambda: None
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    for end in range(BLOCK, len(pcm) + 1, BLOCK):
        handler.receive((SAMPLE_RATE, pcm[None, end - BLOCK : end]))
        if handler.event.is_set():
            handler.emit()
    return found


def main() -> None:
    """Print how many occasions are answered, and how many replies are false, by the rules of the notebook."""
    if sys.argv[1:]:
        silero.SileroVADModel.download_model = staticmethod(lambda: sys.argv[1])
    tape = labelled_tape()

    def occasion_at(chunk: int) -> Occasion | None:
        start = chunk * CHUNK_SECONDS
        return next((each for each in tape.occasions if each.from_s - 1e-6 <= start <= each.to_s + 1e-6), None)

    chunks = [math.ceil(at * SAMPLE_RATE / CHUNK_SAMPLES) - 1 for at in replies(tape.samples)]
    quiet = [chunk for chunk in range(tape.chunks) if occasion_at(chunk) is None]
    answered = len({occasion_at(chunk) for chunk in chunks} - {None})
    false = len(set(chunks) & set(quiet))
    balanced = (answered / len(tape.occasions) + 1 - false / len(quiet)) / 2
    print(f"{answered} of {len(tape.occasions)} occasions answered, {false} false replies, balanced {balanced:.2f}")


if __name__ == "__main__":
    main()
