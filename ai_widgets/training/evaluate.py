"""Evaluation as at run time: streams through the project's own session, events scored against the known labels.

``python -m ai_widgets.training.evaluate --checkpoint DIR --data DATA`` composes streams from clips that were never
trained on and plays them chunk by chunk through `StreamingSession` (features of the stream's own floor, frames from the
checkpoint's tower, decisions drawn as the settings say). Reported:

- *recall*: spoken turns answered by a reply that begins within 3 chunks of the end of speech (the chunk that holds the
  end is not counted), and its latency in chunks; the same for sounds, from the labelled chunk.
- *early*: turns with a reply while somebody still speaks or pauses.
- *false*: replies that belong to nothing, per hour, and how many in streams of ambience alone.
- *naming*: of the answered turns, how many got the right reply, by label.
- *calibration*: expected calibration error of p(TEXT_BEGIN) over all decisions, in ten bins of equal width.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_widgets.inference import Model, load_model
from ai_widgets.perceive import Heard
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Turn
from ai_widgets.training import clipcache
from ai_widgets.training.corpus import KINDS
from ai_widgets.training.labels import NO_REPLY, REPLY_OF_KIND, REPLY_SPEECH
from ai_widgets.training.lexicon import WORDS
from ai_widgets.training.pool import draw_seconds
from ai_widgets.training.replies import understood
from ai_widgets.training.streams import Composer, Stream

WITHIN = 3


def label_name(label: int) -> str:
    """A reply label in words."""
    if label == NO_REPLY:
        return "other words"
    if label < REPLY_SPEECH:
        return WORDS[label - 1]
    if label == REPLY_SPEECH:
        return "speech"
    return KINDS[next(kind for kind, reply in REPLY_OF_KIND.items() if reply == label)]


@dataclass
class Answer:
    """One reply of the model: its chunk and what it means."""

    chunk: int
    label: int
    text: str


@dataclass
class Scores:
    """Sums over streams."""

    hours: float = 0.0
    due: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    confusion: Counter[str] = field(default_factory=Counter)
    latency: Counter[int] = field(default_factory=Counter)
    early: int = 0
    false: int = 0
    false_quiet: int = 0
    quiet_hours: float = 0.0
    p_text: list[float] = field(default_factory=list)
    due_now: list[bool] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The figures as plain values."""

        def share(labels: Sequence[str], of: Counter[str], base: Counter[str]) -> float | None:
            total = sum(base[label] for label in labels)
            return round(sum(of[label] for label in labels) / total, 4) if total else None

        spoken = [*WORDS, "speech"]
        sounds = list(KINDS[2:])
        turns = sum(self.due[label] for label in spoken)
        return {
            "hours": round(self.hours, 3), "spoken_turns": turns,
            "speech_recall": share(spoken, self.answered, self.due),
            "sound_recall": share(sounds, self.answered, self.due),
            "early": round(self.early / max(1, turns), 4),
            "false_per_hour": round(self.false / max(1e-9, self.hours), 2),
            "quiet_hours": round(self.quiet_hours, 3),
            "false_per_quiet_hour": round(self.false_quiet / max(1e-9, self.quiet_hours), 2),
            "digits_right": share(WORDS[:10], self.right, self.answered),
            "keywords_right": share(WORDS[10:], self.right, self.answered),
            "other_speech_right": share(["speech"], self.right, self.answered),
            "sounds_right": share(sounds, self.right, self.answered),
            "by_label": {label: f"{self.answered[label]}/{self.due[label]} answered, {self.right[label]} right"
                         for label in sorted(self.due)},
            "confusions": dict(self.confusion.most_common(25)),
            "latency_chunks": {str(k): v for k, v in sorted(self.latency.items())},
            "ece": round(calibration_error(np.array(self.p_text), np.array(self.due_now)), 4),
        }  # fmt: skip


def calibration_error(p: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence and frequency over bins, weighted by their size."""
    if not len(p):
        return 0.0
    place = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [abs(p[place == b].mean() - truth[place == b].mean()) * (place == b).mean() for b in np.unique(place)]
    return float(sum(gaps))


def answers(model: Model, stream: Stream, seed: int = 0, **settings: Any) -> tuple[list[Answer], list[float]]:
    """Play a stream; return the replies and p(TEXT_BEGIN) of every chunk."""
    session = model.session(seed=seed, alternatives=0, **settings)
    mels = np.ascontiguousarray(stream.mels.transpose(1, 0, 2)).reshape(128, -1)
    frames = model.loaded.encoder.encode(mels)
    replies, probabilities = [], []
    for index, frame in enumerate(frames):
        samples = stream.audio[index * CHUNK_SAMPLES : (index + 1) * CHUNK_SAMPLES]
        for event in session.step(Heard(samples, (), 0, frame)):
            if isinstance(event, Decision):
                probabilities.append(event.p_text)
            elif isinstance(event, Turn):
                replies.append(Answer(event.chunk, understood(event.text), event.text))
    return replies, probabilities


def score(stream: Stream, replies: Sequence[Answer], probabilities: Sequence[float], scores: Scores) -> None:
    """Match replies to labels and add up."""
    labels = stream.labels.reply
    hours = len(labels) * 0.4 / 3600
    scores.hours += hours
    scores.p_text += probabilities
    scores.due_now += [bool(label) for label in labels]
    free = list(replies)
    for chunk in np.flatnonzero(labels):
        label = int(labels[chunk])
        name = label_name(label)
        # A chunk early is within the rule's own rounding; later than WITHIN chunks after the end is a miss.
        found = next((a for a in free if chunk - 1 <= a.chunk <= chunk + WITHIN - 1), None)
        scores.due[name] += 1
        if found is None:
            continue
        free.remove(found)
        scores.answered[name] += 1
        scores.latency[int(found.chunk - chunk)] += 1
        if found.label == label:
            scores.right[name] += 1
        else:
            scores.confusion[f"{name} -> {label_name(found.label)}"] += 1
    speaking = stream.labels.kind == 1
    for extra in free:
        window = speaking[max(0, extra.chunk - 1) : extra.chunk + 2]
        if window.any():
            scores.early += 1
        else:
            scores.false += 1
    if not labels.any() and not speaking.any():
        scores.quiet_hours += hours
        scores.false_quiet += len(replies)


def evaluate(model: Model, composer: Composer, streams: int, seed: int, **settings: Any) -> Scores:
    """Compose `streams` validation streams from `seed` and score them."""
    scores = Scores()
    rng = np.random.default_rng(seed)
    for index in range(streams):
        stream = composer.stream(rng, draw_seconds(rng))
        replies, probabilities = answers(model, stream, index, **settings)
        score(stream, replies, probabilities, scores)
    return scores


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m ai_widgets.training.evaluate``."""
    parser = argparse.ArgumentParser(prog="python -m ai_widgets.training.evaluate")
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--clips", type=Path, help="clip cache; made from the folders below if it is not there")
    parser.add_argument("--data", type=Path, help="folder of recordings with a manifest.csv")
    parser.add_argument("--speech", type=Path, help="speech cache")
    parser.add_argument("--extra", type=Path, help="more sounds, one folder a label")
    parser.add_argument("--streams", type=int, default=120)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(argv)
    model = load_model(arguments.checkpoint)
    if arguments.clips is not None and arguments.clips.with_suffix(".json").is_file():
        clips = clipcache.load(arguments.clips)
    else:
        clips = clipcache.gather(arguments.data, arguments.speech, arguments.extra, "validation")
        if arguments.clips is not None:
            clipcache.save(clips, arguments.clips)
    composer = Composer(clips)
    summary = evaluate(model, composer, arguments.streams, arguments.seed, greedy=arguments.greedy).summary()
    text = json.dumps(summary, indent=1)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
