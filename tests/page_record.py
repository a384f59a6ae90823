"""Records for tests of exported pages: a few events of every kind, and an hour of them."""

from __future__ import annotations

from base64 import b64encode

import numpy as np

from ai_widgets.protocol import (
    CHUNK_SAMPLES,
    CHUNK_SECONDS,
    Alternative,
    Chunk,
    Decision,
    Event,
    Notice,
    Timing,
    Token,
    Turn,
)
from ai_widgets.record.record import SessionRecord
from ai_widgets.special_tokens import Emotion

RULE = {"greedy": False, "temperature": 0.3, "top_k": 3, "top_p": 1.0, "bias": 0.0, "mask": True, "seed": 0}
SENTENCE = 24
"""Chunks from one reply to the next."""


def chunk_events(k: int, random: np.random.Generator, text: str = " You said seven.") -> list[Event]:
    """Events of one chunk: speech for some chunks, then a reply."""
    at = k % SENTENCE
    voice = float(np.sin((at - 4) / 7 * np.pi)) if 5 <= at < 11 else 0.0
    speaks = at == 11
    bands = np.exp(-(((np.arange(32) - 6) / 4) ** 2)) + 0.7 * np.exp(-(((np.arange(32) - 17) / 3) ** 2))
    mel = np.clip(
        30 + 40 * random.random((10, 32)) + 200 * voice * bands * (0.5 + 0.5 * random.random((10, 32))), 0, 255
    )
    envelope = tuple(round(float(peak), 4) for peak in 0.01 * random.random(16) + 0.7 * voice * random.random(16))
    picture = b64encode(mel.astype(np.uint8).tobytes()).decode("ascii")
    start_s = k * CHUNK_SECONDS
    logits = np.r_[8 + random.standard_normal(), (9 if speaks else 2) + random.standard_normal()].astype(np.float32)
    weights = np.exp(np.r_[logits, random.standard_normal(30) - 2].astype(np.float64))
    p = weights / weights.sum()
    listed = sorted({0, 1, *np.argsort(-p)[:5].tolist()}, key=lambda i: -p[i])
    names = {0: "KEEP_SILENCE", 1: "TEXT_BEGIN"}
    pair = p[:2] / p[:2].sum()
    events: list[Event] = [
        Chunk(
            k,
            0,
            start_s,
            round(-58 + 40 * voice + random.random(), 1),
            envelope,
            ("waited",) if at == 12 else (),
            picture,
        ),
        Decision(
            *(k, 0, start_s, 8 if speaks else 7, "TEXT_BEGIN" if speaks else "KEEP_SILENCE"),
            *(float(p[0]), float(p[1]), float(p[2:].sum()), float(logits[0]), float(logits[1])),
            *(float(pair[int(speaks)]), float(random.random()), int(np.argmax(p)) + 7, 20 + 13 * k % 3000),
            alternatives=tuple(
                Alternative(
                    i + 7, names.get(i, f" w{i}"), float(p[i]), *([float(pair[i])] * 2 if i < 2 else [0.0, 0.0])
                )
                for i in listed
            ),
            before=(7,),
            oldest=max(0, k - 100),
            used=1000 + k % 7,
            limit=3000,
            rule=RULE if k < 60 else {**RULE, "bias": 0.5},
        ),
    ]
    if speaks:
        words = text.split(" ")[1:]
        for i, word in enumerate(words):
            q = random.dirichlet(np.ones(5))
            others = tuple(Alternative(100 + i + j, f" x{j}", float(x), float(x), float(x)) for j, x in enumerate(q))
            draw = float(random.random())
            events.append(
                Token(
                    k, k // SENTENCE, i, 100 + i, float(q[0]), " " + word, float(q[0]), draw, 100 + i, 2000 + i, others
                )
            )
        events.append(
            Turn(
                k,
                k // SENTENCE,
                0,
                start_s,
                Emotion("normal"),
                text.strip(),
                tuple(range(100, 100 + len(words))),
                "TEXT_END",
            )
        )
    if at == 20:
        events.append(Notice(k, "context_slide", "The oldest chunks left the context.", {"chunks": 8}))
    arrived = 1.7e12 + 400 * k + round(20 * random.random(), 2)
    durations = [round(float(x), 3) for x in (1.5, 14, 22) + 6 * random.random(3)]
    events.append(
        Timing(
            k,
            *durations,
            900 * random.random() if speaks else 0.0,
            1 + random.random(),
            1,
            4 * k,
            arrived,
            arrived + 60,
        )
    )
    return events


def record_of(chunks: int, *, audio: bool = False, text: str = " You said seven.", seed: int = 0) -> SessionRecord:
    """Build a record of a number of chunks, the same at each call; with noise as audio."""
    random = np.random.default_rng(seed)
    record = SessionRecord(audio_seconds=None if audio else 0)
    for k in range(chunks):
        if audio:
            record.append_audio((0.1 * random.standard_normal(CHUNK_SAMPLES)).astype(np.float32))
        for event in chunk_events(k, random, text):
            record.append(event)
    return record
