"""Write `tests/vectors/engine/`: what Python computes, which the engine of the page must compute as well.

``python -m tests.engine_vectors`` writes the files. The tests of both languages read them, Python's to hold them true
(tests/test_engine_vectors.py). Arrays are base64 of little-endian numbers: `int16` is samples times 32768, `float32`
and `float64` are values.

- `features.json`: log-mel of each chunk of a stream, with the running floor; thumbnails; levels.
- `resampling.json`: soxr at high quality. Another resampler differs by its filter, so that the signals have no energy
  near the edge of the band; `atol` applies to all samples but `edge` at both ends.
- `random.json`: NumPy's `default_rng(seed).random()`, exact.
- `sampling.json`: draws; tokens exact, probabilities to 1e-6, since Python sums float32 logits in float32.
- `tokenizer.json`: ids of texts, and the text that becomes visible with each token of a reply.
- `manifest.json`: manifest of the embedded checkpoint, without facts about its files.
- `sessions.json` with `*.wav`: whole sessions; see `engine_sessions`.
- `reruns.json`: a recording, and forks of it; see `engine_reruns`.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ai_widgets.audio.features import StreamingLogMel, thumbnail
from ai_widgets.audio.files import load_audio
from ai_widgets.audio.intake import envelope, level_db
from ai_widgets.audio.resampling import resampled
from ai_widgets.inference import Model, load_model
from ai_widgets.model.onnx.manifest import manifest
from ai_widgets.model.sampling import Distribution, SamplingRule, draw
from ai_widgets.protocol import CHUNK_SAMPLES
from ai_widgets.session.detokenize import ReplyText
from tests.signals import FIXTURES

FOLDER = Path(__file__).parent / "vectors" / "engine"
Numbers = npt.NDArray[Any]
RATES = (48_000, 44_100, 8_000)
SEEDS = (0, 1, 7, 12_345, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1)
PROMPTS = (
    "", "You hear sounds and words.", "Listen.  Then   answer, won't you?\n\tNow!",
    "Ein Häuschen für 42 Mäuse; 你好 😊",
    "   leading and trailing   ", "<|text_begin|>not text<|text_end|>", "don't I'LL we've 3.14 x² §",
)  # fmt: skip


def packed(values: Numbers) -> str:
    """base64 of an array's bytes."""
    return b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def unpacked(text: str, dtype: str) -> Numbers:
    """The array of `packed`."""
    return np.frombuffer(b64decode(text), dtype)


def int16(samples: Numbers) -> npt.NDArray[np.int16]:
    """Samples as whole numbers, so that every reader has the same ones."""
    return np.clip(np.rint(np.asarray(samples, np.float64) * 32768), -32768, 32767).astype(np.int16)


def floats(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    return samples.astype(np.float32) / np.float32(32768)


def features() -> dict[str, Any]:
    """Streams of chunks, each with its features."""
    time = np.arange(CHUNK_SAMPLES) / 16_000
    random = np.random.default_rng(5)
    speech = load_audio(FIXTURES / "speech_pause_speech.ogg")[16_000 : 16_000 + 3 * CHUNK_SAMPLES]
    click = np.zeros(CHUNK_SAMPLES)
    click[-150] = 0.9  # in the reflected edge of its chunk, and in the left context of the next one
    streams = {
        "digital silence": [np.zeros(CHUNK_SAMPLES)],
        "a loud tone, then a quiet one under its floor": [
            0.9 * np.sin(2 * np.pi * 440 * time),
            1e-4 * np.sin(2 * np.pi * 3000 * time),
        ],
        "noise that grows": [level * random.standard_normal(CHUNK_SAMPLES) for level in (1e-3, 0.2)],
        "a click at a chunk's end": [click, np.zeros(CHUNK_SAMPLES)],
        "speech": [*speech.reshape(3, CHUNK_SAMPLES)],
    }
    return {"atol": 1e-5, "streams": [_stream(name, chunks) for name, chunks in streams.items()]}


def _stream(name: str, chunks: list[Numbers]) -> dict[str, Any]:
    stream, told = StreamingLogMel(), []
    for chunk in chunks:
        whole = int16(chunk)
        mels = stream.push(floats(whole))
        told.append(
            {
                "int16": packed(whole),
                "float32": packed(mels),
                "thumbnail": thumbnail(mels),
                "level_db": level_db(floats(whole)),
                "envelope": envelope(floats(whole)),
            }
        )
    return {"name": name, "chunks": told}


def resampling() -> dict[str, Any]:
    """Tones below and above the new band, at several rates."""
    cases = []
    for rate in RATES:
        time = np.arange(round(0.25 * rate)) / rate
        tones = [tone for tone in (200, 1000, 3000, 6000) if tone < 0.4 * rate]
        signal = sum(0.15 * np.sin(2 * np.pi * tone * time + tone) for tone in tones)
        if rate > 40_000:
            signal = signal + 0.15 * np.sin(2 * np.pi * 12_000 * time)  # above the new band: it disappears
        whole = int16(signal)
        found = np.concatenate([*resampled([floats(whole)], rate)])
        cases.append({"rate": rate, "int16": packed(whole), "count": len(found), "float32": packed(found)})
    return {"atol": 1e-3, "edge": 400, "cases": cases}


def random() -> dict[str, Any]:
    """Uniform numbers by seed; the seed is text, since it may be larger than a double holds."""
    cases = []
    for seed in SEEDS:
        generator = np.random.default_rng(seed)
        first = generator.random(16).tolist()
        generator.random(1000)
        cases.append({"seed": str(seed), "first": first, "after_1016": generator.random(2).tolist()})
    return {"cases": cases}


def sampling() -> dict[str, Any]:
    """Draws over several distributions with every kind of rule."""
    random = np.random.default_rng(11)
    sharp = random.normal(0, 2, 512).astype(np.float32)
    sharp[[3, 7]] = 9, 8.5
    flat = random.normal(0, 0.01, 3000).astype(np.float32)
    equal = np.zeros(700, np.float32)
    equal[100:140] = 2
    few = np.array([0.5, -1, 2, 2, 0.25], np.float32)
    under = np.full(512, -200, np.float32)
    under[[3, 7]] = 0, -1
    logits = {"sharp": sharp, "flat": flat, "equal": equal, "few": few, "under": under}
    rules: list[dict[str, Any]] = [
        {"greedy": True}, {}, {"temperature": 0.3, "top_k": 3}, {"temperature": 2.5}, {"top_k": 1}, {"top_k": 100},
        {"top_k": 5000}, {"top_p": 0.5}, {"top_p": 0.999}, {"temperature": 0.7, "top_k": 50, "top_p": 0.9},
        {"temperature": 100.0, "top_p": 0.01},
    ]  # fmt: skip
    options: list[dict[str, Any]] = [
        {}, {"allowed": [3, 4]}, {"allowed": [3, 2], "bias": [2, 1.5]}, {"bias": [2, -3.0]},
        {"allowed": [3, 4], "likeliest": 0}, {"report": [3, 0], "likeliest": 2}, {"allowed": [3, 4], "forced": 4},
    ]  # fmt: skip
    cases = []
    for name, values in logits.items():
        raw = Distribution(torch.from_numpy(values))
        plain = [(rule, {}) for rule in rules]
        chosen = [(rule, option) for option in options[1:] for rule in (rules[0], rules[1], rules[2])]
        for seed, (rule, option) in enumerate([*plain, *(chosen if name in ("few", "sharp") else [])]):
            generator, given = np.random.default_rng(seed), dict(option)
            if "bias" in given:
                given["bias"] = tuple(given["bias"])
            drawn = [asdict(draw(raw, SamplingRule(**rule), generator, **given)) for _ in range(3)]
            cases.append({"logits": name, "rule": rule, "options": option, "seed": seed, "draws": drawn})
    return {"logits": {name: packed(values) for name, values in logits.items()}, "cases": cases}


def tokenizer(model: Model) -> dict[str, Any]:
    """Prompts with their ids, and replies with the text that each token adds."""
    random = np.random.default_rng(2)
    bytes_ = model.encode_text("你好 😊 ä")
    replies = [
        model.encode_text("You said hello. It is 7 o'clock."),
        bytes_,
        [498, *bytes_[:4], 487],
        [*bytes_[1:3], *bytes_[7:9], *model.encode_text(" and on")],
        *(random.integers(0, model.decoder.vocabulary, 24).tolist() for _ in range(6)),
    ]
    told = []
    for tokens in replies:
        reply, added = ReplyText(model), list[str]()
        for token in tokens:
            reply = reply.with_token(token)
            added.append(reply.added)
        emotion = None if reply.emotion is None else reply.emotion.value
        told.append({"tokens": tokens, "added": added, "text": reply.text, "emotion": emotion})
    return {"prompts": [{"text": text, "ids": model.encode_text(text)} for text in PROMPTS], "replies": told}


def contents() -> dict[str, Any]:
    """Content of each file by name, without that of `engine_sessions`."""
    model = load_model("tiny", "cpu")
    return {
        "features.json": features(),
        "resampling.json": resampling(),
        "random.json": random(),
        "sampling.json": sampling(),
        "tokenizer.json": tokenizer(model),
        "manifest.json": {**manifest(model, {}, {}), "made_by": "ai_widgets"},
    }


def write(name: str, content: Any) -> None:
    """Write one file: a list's elements each on a line, so that a change is seen where it is."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(json.dumps(each, ensure_ascii=False) for each in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    (FOLDER / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    from tests.engine_reruns import reruns
    from tests.engine_sessions import sessions, write_clips

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in contents().items():
        write(name, content)
    write_clips()
    write("sessions.json", sessions())
    write("reruns.json", reruns())
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.name:20} {path.stat().st_size:9,} bytes")
