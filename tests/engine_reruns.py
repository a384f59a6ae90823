"""A recording that the engine of the page hears again, for `tests/vectors/engine/reruns.json`: ``{audio, settings,
events, forks}``.

`audio` says of what the recording's audio consists: `{"clip": name, "from": a, "to": b}` or `{"zeros": samples}`.
`settings` and `events` are those of the recording: a clip with its own floor, its tail, and a stream with a change of
settings, an interrupt and a padded end. Each of `forks` is `{fork, settings, force, audio}` as in `engine_sessions`,
with the `events` that `model.rerun(record).fork(…)` has from there on, without `timing`. The first changes nothing.
"""

from __future__ import annotations

from typing import Any

from ai_widgets.inference import load_model
from ai_widgets.protocol import CHUNK_SAMPLES, Notice, Timing, Token
from ai_widgets.record.record import SessionRecord
from tests.engine_sessions import FIRST, written_clip
from tests.engine_vectors import floats

SETTINGS = {"seed": 4, "alternatives": 1}
STREAM_TO = 84_000
"""Samples of the stream after the clip: not whole chunks, so that the last one is padded."""
ZEROS = {"tail": 2 * CHUNK_SAMPLES, "padding": -STREAM_TO % CHUNK_SAMPLES}
AUDIO = (
    {"clip": "speech", "from": 0, "to": FIRST}, {"zeros": ZEROS["tail"]},
    {"clip": "speech", "from": 0, "to": STREAM_TO}, {"zeros": ZEROS["padding"]},
)  # fmt: skip
FORKS: tuple[dict[str, Any], ...] = (
    {"fork": 0},
    {"fork": 4, "force": {"4": "TEXT_BEGIN"}},
    {"fork": 3, "audio": {"5": None, "14": 2}},
    {"fork": 18, "settings": {"bias": 3.0}},
    {"fork": 10, "settings": {"system_prompt": "Answer in one word."}},
)


def record() -> SessionRecord:
    """The recording."""
    samples = floats(written_clip("speech"))
    session = load_model("tiny", "cpu").session(**SETTINGS)
    session.push_clip(samples[:FIRST], tail_silence=ZEROS["tail"] / 16_000)
    session.change(bias=0.5, greedy=True)
    spoken = 0
    for event in session.stream(samples[:STREAM_TO]):
        spoken += isinstance(event, Token)
        if isinstance(event, Token) and spoken == 2:
            session.interrupt()
    session.finish()
    return session.record


def fork_events(heard: SessionRecord, change: dict[str, Any]) -> list[dict[str, Any]]:
    """Events of a fork of the recording, from there on."""
    force = {int(chunk): name for chunk, name in change.get("force", {}).items()}
    audio = {int(chunk): other for chunk, other in change.get("audio", {}).items()}
    session = load_model("tiny", "cpu").rerun(heard)
    session.run_on()
    fork = session.fork(change["fork"], force=force or None, audio=audio or None, **change.get("settings", {}))
    fork.run_on()
    events = [event for event in fork.record.events if not isinstance(event, Timing)]
    own = next(at for at, event in enumerate(events) if isinstance(event, Notice) and event.kind == "fork")
    return [event.to_json() for event in events[own:]]


def reruns() -> dict[str, Any]:
    """Content of the file."""
    heard = record()
    return {
        "audio": list(AUDIO),
        "settings": heard.header.settings,
        "events": [event.to_json() for event in heard.events if not isinstance(event, Timing)],
        "forks": [{**each, "events": fork_events(heard, each)} for each in FORKS],
    }
