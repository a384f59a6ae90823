"""ai_widgets: a Jupyter toolkit for Audio-Interaction, a model that listens all the time and decides when to speak.

    import ai_widgets as aiw

    aiw.AudioInteraction()                       # the widget
    model = aiw.load_model("tiny")               # or a folder, or a hub id
    with model.session(seed=0) as session:
        events = session.push(samples, rate=48_000)
    session.record.text                          # what it said
    aiw.clips["rain"]                            # a sound to try, if there is no microphone

Importing the package is light: torch is loaded with the first model, Jupyter's widgets with the first widget.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from .errors import (
    AiWidgetsError,
    AudioError,
    AudioTooLongError,
    AudioWarning,
    CheckpointError,
    EnsembleError,
    MessageError,
    NotEnoughMemoryError,
    NotFiniteError,
    ReadOnlyError,
    RecordError,
    RecordWarning,
    SessionError,
    SettingError,
    UnknownClipError,
    UnknownExerciseError,
)
from .model.importing import collector_paused

if TYPE_CHECKING:
    from . import analysis, page, policies
    from .audio.clips import clips
    from .audio.files import load_audio
    from .inference import Model, load_model, run_inference
    from .protocol import Decision, Notice, Token, Turn
    from .record.record import SessionRecord
    from .session.ensemble import Ensemble
    from .session.session import StreamingSession
    from .settings import Settings
    from .special_tokens import Emotion
    from .widget.answering.answer_view import AnswerView
    from .widget.app import AudioInteraction

__version__ = "0.2.0"

_WHERE = {
    "AnswerView": "widget.answering.answer_view",
    "AudioInteraction": "widget.app",
    "Decision": "protocol",
    "Ensemble": "session.ensemble",
    "Emotion": "special_tokens",
    "Model": "inference",
    "Notice": "protocol",
    "SessionRecord": "record.record",
    "Settings": "settings",
    "StreamingSession": "session.session",
    "Token": "protocol",
    "Turn": "protocol",
    "clips": "audio.clips",
    "load_audio": "audio.files",
    "load_model": "inference",
    "run_inference": "inference",
}

__all__ = [
    "AiWidgetsError",
    "AnswerView",
    "AudioError",
    "AudioInteraction",
    "AudioTooLongError",
    "AudioWarning",
    "CheckpointError",
    "Decision",
    "Emotion",
    "Ensemble",
    "EnsembleError",
    "MessageError",
    "Model",
    "NotEnoughMemoryError",
    "NotFiniteError",
    "Notice",
    "ReadOnlyError",
    "RecordError",
    "RecordWarning",
    "SessionError",
    "SessionRecord",
    "SettingError",
    "Settings",
    "StreamingSession",
    "Token",
    "Turn",
    "UnknownClipError",
    "UnknownExerciseError",
    "analysis",
    "clips",
    "load_audio",
    "load_model",
    "page",
    "policies",
    "run_inference",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name in ("analysis", "page", "policies"):
        with collector_paused():
            return importlib.import_module(f".{name}", __name__)
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with collector_paused():
        return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
