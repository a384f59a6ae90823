"""Whole sessions of the embedded checkpoint for `tests/vectors/engine/sessions.json`: actions, and Python's events.

A session is `{name, settings, actions, events}`. The actions are done in their order, each to its end:

- `{"push": clip, "from": a, "to": b, "blocks": n}`: samples of a clip, in blocks of n samples (0: in one block).
  `"nan": [indices]`: these samples of the action are NaN. `"interrupt": n`: `interrupt()` after the n-th event of the
  type `token` in this action.
- `{"finish": seconds}`; `{"set": {settings}}`; `{"close": true}`.
- `{"fork": chunk, "settings": {…}, "force": {chunk: name}, "audio": {chunk: null or another chunk}}`: the session goes
  on in a fork, whose pending audio is decided; `events` are then those of the fork's whole record.

Events are those of the record, without `timing`, whose numbers are durations. Tokens, choices, texts, random numbers,
positions and notices must be equal; probabilities within 1e-3, logits within 5e-3.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from ai_widgets.audio.files import load_audio
from ai_widgets.inference import load_model
from ai_widgets.protocol import Timing, Token
from ai_widgets.session.session import StreamingSession
from tests.engine_vectors import FOLDER, floats, int16
from tests.signals import FIXTURES

ALL = 185_600
"""Largest number of samples of the clip `speech`: 29 chunks, 11.6 s."""
FIRST = 89_600
"""Samples until after the first reply: 14 chunks."""
OTHER_PROMPT = "Answer in one word."

SESSIONS: tuple[dict[str, Any], ...] = (
    {"name": "greedy", "settings": {"greedy": True}, "actions": [{"push": "speech", "blocks": 0}, {"finish": 0.4}]},
    {"name": "the checkpoint's own rule", "settings": {"seed": 1}, "actions": [{"push": "speech", "blocks": 0}]},
    {
        "name": "all tokens, hot, no mask",
        "settings": {"seed": 3, "temperature": 0.9, "top_k": 0, "top_p": 0.98, "mask": False, "alternatives": 2},
        "actions": [{"push": "speech", "blocks": 0}],
    },
    {
        "name": "talkative and drawn",
        "settings": {"seed": 2**40 + 5, "temperature": 1.3, "top_k": 4, "bias": 1.0, "alternatives": 3},
        "actions": [{"push": "speech", "blocks": 0, "to": FIRST}],
    },
    {
        "name": "slides, and the moves to the front that follow",
        "settings": {"greedy": True, "context_limit": 110, "alternatives": 1},
        "actions": [{"push": "speech", "blocks": 0}, {"push": "speech", "blocks": 0, "to": FIRST}, {"finish": 0.0}],
    },
    {
        "name": "slides by seconds",
        "settings": {"greedy": True, "context_seconds": 2.0, "alternatives": 1},
        "actions": [{"push": "speech", "blocks": 0}],
    },
    {
        "name": "a reply that fills the context",
        "settings": {"greedy": True, "context_limit": 52, "alternatives": 1, "bias": 8.0},
        "actions": [{"push": "speech", "blocks": 0, "to": FIRST}],
    },
    {
        "name": "the authors' page: reset when full and after a reply, no mask",
        "settings": {
            "seed": 4, "temperature": 1.0, "top_k": 0, "mask": False, "context": "reset", "forget_after_reply": True,
            "context_limit": 120, "alternatives": 1,
        },
        "actions": [{"push": "speech", "blocks": 0}],
    },
    {
        "name": "stop when the context is full",
        "settings": {"greedy": True, "context": "stop", "context_limit": 120, "alternatives": 1},
        "actions": [{"push": "speech", "blocks": 0, "to": FIRST}],
    },
    {
        "name": "limits of a reply and of the session",
        "settings": {"greedy": True, "max_reply_tokens": 3, "max_new_tokens": 24, "alternatives": 0},
        "actions": [{"push": "speech", "blocks": 0}],
    },
    {
        "name": "an interrupt, and on",
        "settings": {"greedy": True, "alternatives": 1},
        "actions": [{"push": "speech", "blocks": 0, "interrupt": 3}, {"finish": 0.8}],
    },
    {
        "name": "settings change on the way",
        "settings": {"seed": 5, "alternatives": 1},
        "actions": [
            {"push": "speech", "blocks": 0, "to": 64_000},
            {"set": {"bias": -0.5, "temperature": 0.8}},
            {"push": "speech", "blocks": 0, "from": 64_000, "to": 96_000},
            {"set": {"seed": 9, "system_prompt": OTHER_PROMPT}},
            {"push": "speech", "blocks": 0, "from": 96_000},
        ],
    },
    {
        "name": "blocks of any length, broken samples, a padded end",
        "settings": {"greedy": True, "alternatives": 1},
        "actions": [
            {"push": "speech", "from": 8_000, "to": 70_321, "blocks": 1_777, "nan": [20_000, 20_001]},
            {"finish": 1.0},
            {"push": "speech", "from": 0, "to": 9_000, "blocks": 128},
            {"close": True},
        ],
    },
    {
        "name": "a fork with other settings",
        "settings": {"seed": 1, "alternatives": 1},
        "actions": [{"push": "speech", "blocks": 0, "to": FIRST}, {"fork": 8, "settings": {"bias": 2.0}}],
    },
    {
        "name": "a fork with a forced decision and other audio",
        "settings": {"seed": 1, "alternatives": 1},
        "actions": [
            {"push": "speech", "blocks": 0, "to": FIRST},
            {"fork": 6, "force": {"6": "TEXT_BEGIN"}, "audio": {"8": None, "9": 4}},
        ],
    },
    {"name": "rain", "settings": {"greedy": True, "alternatives": 1}, "actions": [{"push": "rain", "blocks": 0}]},
)  # fmt: skip


@cache
def clip(name: str) -> npt.NDArray[np.int16]:
    """Samples of a clip at 16 kHz."""
    if name == "speech":
        return int16(load_audio(FIXTURES / "speech_pause_speech.ogg"))[:ALL]
    # Like rain: noise whose power falls with the frequency, with many small drops.
    random = np.random.default_rng(8)
    spectrum = np.fft.rfft(random.standard_normal(64_000)) / np.sqrt(np.arange(1, 32_002))
    noise = np.fft.irfft(spectrum, 64_000)
    drops = np.convolve(random.random(64_000) < 0.004, np.exp(-np.arange(80) / 12), "same")
    return int16(0.04 * noise / noise.std() + 0.02 * drops * random.standard_normal(64_000))


def write_clips() -> None:
    for name in ("speech", "rain"):
        soundfile.write(_wav(name), clip(name), 16_000, subtype="PCM_16")


def written_clip(name: str) -> npt.NDArray[np.int16]:
    """Samples of a clip as they are in its file: a decoder of another version may give others."""
    samples, rate = soundfile.read(_wav(name), dtype="int16")
    assert rate == 16_000
    return samples  # type: ignore[no-any-return]


def _wav(name: str) -> Path:
    return FOLDER / f"{name}.wav"


def sessions() -> dict[str, Any]:
    """All sessions with their events."""
    return {"sessions": [{**each, "events": events_of(each)} for each in SESSIONS]}


def events_of(session: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one session and return its events as JSON values."""
    running = load_model("tiny", "cpu").session(**session["settings"])
    for action in session["actions"]:
        running = act(running, action)
    return [event.to_json() for event in running.record.events if not isinstance(event, Timing)]


def act(session: StreamingSession, action: dict[str, Any]) -> StreamingSession:
    """Do one action, and return the session in which the next one is done."""
    if "push" in action:
        _push(session, action)
    elif "finish" in action:
        session.finish(tail_silence=action["finish"])
    elif "set" in action:
        session.change(**action["set"])
    elif "close" in action:
        session.close()
    elif "fork" in action:
        force = {int(chunk): name for chunk, name in action.get("force", {}).items()}
        audio = {int(chunk): other for chunk, other in action.get("audio", {}).items()}
        session = session.fork(action["fork"], force=force or None, audio=audio or None, **action.get("settings", {}))
        session.run_on()
    else:
        raise ValueError(f"There is no action {action}.")
    return session


def _push(session: StreamingSession, action: dict[str, Any]) -> None:
    samples = floats(written_clip(action["push"]))[action.get("from", 0) : action.get("to")].copy()
    samples[action.get("nan", [])] = np.nan
    size, spoken = action["blocks"] or len(samples), 0
    for start in range(0, len(samples), size):
        for event in session.stream(samples[start : start + size]):
            spoken += isinstance(event, Token)
            if isinstance(event, Token) and spoken == action.get("interrupt"):
                session.interrupt()
