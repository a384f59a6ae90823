"""Baseline policies: rules that decide when to reply, in the place of a model.

    aiw.AudioInteraction(aiw.policies.Silero())          # the widget
    aiw.policies.Energy(threshold=15).session()          # a session

Importing the package is light, so that the command line can list the names; torch comes with the first policy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .constant import AlwaysReply, AlwaysSilent
    from .energy import Energy
    from .policy import Policy, Ruling
    from .silero import Silero

_WHERE = {
    "AlwaysReply": "constant",
    "AlwaysSilent": "constant",
    "Energy": "energy",
    "Policy": "policy",
    "Ruling": "policy",
    "Silero": "silero",
}
BY_NAME = {"silero": "Silero", "energy": "Energy", "always": "AlwaysReply", "never": "AlwaysSilent"}
"""Class of each policy, by its name in events and on the command line."""

__all__ = ["BY_NAME", "AlwaysReply", "AlwaysSilent", "Energy", "Policy", "Ruling", "Silero", "named"]


def named(name: str) -> Policy:
    """Make the policy with a name of `BY_NAME` and its default parameters.

    Raises
    ------
    SettingError
        If the policy needs a package that is not installed.
    """
    policy: Policy = __getattr__(BY_NAME[name])()
    return policy


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
