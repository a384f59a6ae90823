"""A pipeline without a widget, and what it told its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ai_widgets.inference import Model
from ai_widgets.model.checkpoint import LoadedModel
from ai_widgets.protocol import Event
from ai_widgets.record.record import SessionRecord
from ai_widgets.settings import Settings
from ai_widgets.widget.live_settings import LiveSettings
from ai_widgets.widget.loading import ModelSource
from ai_widgets.widget.pipeline import Pipeline
from ai_widgets.widget.stages.items import Owner
from tests.page import PATIENCE

RULES = Settings(seed=3, max_reply_tokens=12)


class Bench:
    """A pipeline on a model that is there, or on what `load` returns."""

    def __init__(
        self,
        model: LoadedModel | None = None,
        rules: Settings = RULES,
        load: Callable[[], Model] | None = None,
        **live: Any,
    ) -> None:
        self.finals: list[bool] = []
        self.failures: list[Exception] = []
        self.warnings: list[str] = []
        self.loops: list[dict[str, Any]] = []

        def loaded() -> Model:
            if model is None:
                raise RuntimeError("there is no model")
            return Model(model)

        self.source = ModelSource(lambda _: (load or loaded)(), lambda: None)
        self.source.start()
        owner = Owner(
            self.finals.append,
            lambda: self.loops.append(self.pipeline.gate.to_json()),
            self.failures.append,
            self.warnings.append,
            lambda: None,
        )
        self.pipeline = Pipeline(self.source, rules, LiveSettings.of(live), owner, lambda: SessionRecord(None))

    def events(self) -> list[Event]:
        assert self.pipeline.wait(PATIENCE)
        return list(self.pipeline.record.events)
