"""Baseline policies: rules that decide when to reply, in the place of a model.

aiw.AudioInteraction(aiw.policies.Silero())          # the widget
aiw.policies.Energy(threshold=15).session()          # a session
"""

from .constant import AlwaysReply, AlwaysSilent
from .energy import Energy
from .policy import Policy, Ruling
from .silero import Silero

BY_NAME: dict[str, type[Silero | Energy | AlwaysReply | AlwaysSilent]] = {
    each.name: each for each in (Silero, Energy, AlwaysReply, AlwaysSilent)
}
"""Policies by the names of the command line."""

__all__ = ["BY_NAME", "AlwaysReply", "AlwaysSilent", "Energy", "Policy", "Ruling", "Silero"]
