"""Exercises of `02_perceive_decide_respond`; all are about the clip of two sentences."""

from __future__ import annotations

import numpy as np

from ...audio.clips import clips
from ...inference import load_model
from ...protocol import CHUNK_SECONDS, SAMPLE_RATE, Chunk, Decision, Turn
from ..clip_runs import decisions_of, record_of
from ..exercise import Count, Exercise, Number

CLIP = "speech_pause_speech"
LOUD_DB = -40.0
"""Level in dBFS above which the lesson calls a chunk loud: between speech (above −25) and silence (below −55)."""


def replied() -> list[int]:
    """Return the chunks that are replied to."""
    return [event.chunk for event in record_of(CLIP).of_type(Turn)]


def delay() -> float:
    """Compute the seconds from the end of the last loud chunk before the first reply to the end of the replied one."""
    reply = replied()[0]
    loud = [each.chunk for each in record_of(CLIP).of_type(Chunk) if each.chunk < reply and each.rms_db > LOUD_DB]
    return (reply - loud[-1]) * CHUNK_SECONDS


def even_bias() -> float:
    """Compute the bias that makes both tokens equally likely at the second reply."""
    decision = decisions_of(CLIP)[replied()[1]]
    return decision.logit_keep - decision.logit_text


def later_in_rain() -> int:
    """Count the chunks by which rain delays the second reply, run as in the notebook."""
    speech = clips[CLIP].samples()
    rain = np.resize(clips["rain"].samples(), len(speech))
    second = []
    for samples in (speech, speech + rain):
        with load_model("tiny").session() as session:
            session.push(samples, SAMPLE_RATE)
            session.push(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE)
            session.finish()
        second.append(session.record.of_type(Turn)[1].chunk)
    return second[1] - second[0]


def silent_accuracy() -> float:
    """Compute the share of decisions at which keeping silent is right."""
    return 1 - len(replied()) / record_of(CLIP).count(Decision)


EXERCISES: dict[str, Exercise] = {
    "lesson_replies": Count(lambda: len(replied()), unit="replies"),
    "lesson_delay": Number(
        delay, unit="seconds", tolerance=0.05, hint="Both chunks end 0.4 s after they begin; find them with the slider."
    ),
    "lesson_bias": Number(
        even_bias, unit="logits", tolerance=0.1, hint="With this bias both logits of the chunk are equal."
    ),
    "lesson_rain": Count(later_in_rain, unit="chunks", hint="Compare the slider at 0 with the slider at 1."),
    "lesson_silent_accuracy": Number(
        silent_accuracy, unit="share", tolerance=0.005, hint="It is right wherever the model kept silent, too."
    ),
    "lesson_silent_balanced": Number(
        lambda: (0.0 + 1.0) / 2, unit="share", tolerance=0.001, hint="Compute the share of each kind, then the mean."
    ),
}
"""Exercises by name, in the order of the notebook."""
