"""Settings as synced traits: what is assigned changes what it names, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from ..errors import SettingError
from .assigning import SET, ReadOnlyDict
from .channel import Conversing
from .live_settings import LIVE_NAMES, described, parted


class SettingTraits(Conversing):
    """A widget whose `settings` and `live` show what the pipeline holds, and change it when they are assigned."""

    settings = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)
    settings_schema = traitlets.List(described(), read_only=True).tag(sync=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("settings", "live"):
            # What is assigned is completed with what holds, so nothing may be changed in between.
            with self._pipeline.changing:
                super().__setattr__(name, value)
        else:
            super().__setattr__(name, value)

    def _change(self, changes: Mapping[str, Any]) -> None:
        session, live = parted(changes)
        # One lock from reading to showing: what another thread changes meanwhile would be set back.
        with self._pipeline.changing:
            self._pipeline.change(session, live)
            self._publish_settings()
        self._publish_model()

    def _publish_settings(self) -> None:
        with self._pipeline.changing:
            self.settings, self.live = self._pipeline.settings.to_json(), self._pipeline.live.to_json()

    @traitlets.validate("settings", "live")
    def _check_assigned(self, proposal: Any) -> dict[str, Any]:
        """What is assigned changes what it names, so it need not name everything."""
        name, values = proposal["trait"].name, proposal["value"]
        for each in values:
            if (each in LIVE_NAMES) != (name == "live"):
                parted({each: None})
                raise SettingError(f"{each} belongs to `{'settings' if name == 'live' else 'live'}`, not to `{name}`.")
        holding = self._pipeline.live.changed(**values) if name == "live" else self._pipeline.settings.changed(**values)
        return ReadOnlyDict(holding.to_json(), SET)

    @traitlets.observe("settings", "live")
    def _assigned(self, change: Any) -> None:
        holding = (self._pipeline.live if change["name"] == "live" else self._pipeline.settings).to_json()
        changes = {name: value for name, value in change["new"].items() if holding[name] != value}
        if changes:
            self._change(changes)
