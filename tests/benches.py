"""A pipeline without a widget, and what it told its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_widgets.audio.origin import Origin
from ai_widgets.inference import Model
from ai_widgets.protocol import Event
from ai_widgets.record.record import SessionRecord
from ai_widgets.settings import Settings
from ai_widgets.widget.live_settings import LiveSettings
from ai_widgets.widget.loading import ModelSource
from ai_widgets.widget.pipeline import Pipeline
from ai_widgets.widget.stages.events import PipelineEvents
from tests.page import PATIENCE

RULES = Settings(seed=3, max_reply_tokens=12)


class Bench(PipelineEvents):
    """A pipeline on a model that is there, or on what `load` returns."""

    def __init__(
        self,
        model: Model | None = None,
        rules: Settings = RULES,
        load: Callable[[], Model] | None = None,
        **live: Any,
    ) -> None:
        self.finals: list[bool] = []
        self.failures: list[Exception] = []
        self.warnings: list[str] = []
        self.loops: list[dict[str, Any]] = []
        self.taken: list[int] = []

        def loaded() -> Model:
            if model is None:
                raise RuntimeError("there is no model")
            return model

        self.source = ModelSource(lambda _: (load or loaded)(), lambda: None)
        self.source.start()
        self.pipeline = Pipeline(self.source, rules, LiveSettings.of(live), self, lambda: SessionRecord(None))

    def events_came(self, final: bool) -> None:
        self.finals.append(final)

    def loop_changed(self) -> None:
        self.loops.append(self.pipeline.gate.to_json())

    def session_failed(self, error: Exception) -> None:
        self.failures.append(error)

    def problem(self, code: str, sentence: str, page: str = "") -> None:
        assert (code, page) == ("overload", "")
        self.warnings.append(sentence)

    def block_taken(self, origin: Origin) -> None:
        self.taken.append(origin.seq)

    def events(self) -> list[Event]:
        assert self.pipeline.wait(PATIENCE)
        return list(self.pipeline.record.events)
