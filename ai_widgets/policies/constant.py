"""Policies without a detector: they reply after every chunk, or never. They bound every measure from both sides."""

from __future__ import annotations

from collections.abc import Sequence

from .policy import Policy, Ruling


class AlwaysReply(Policy):
    """Reply after every chunk, whatever was heard: recall 1, and a false alarm at every chunk without a question."""

    name = "always"

    def rule_after(self, state: None, scores: Sequence[float]) -> tuple[None, Ruling]:  # noqa: ARG002
        """Reply."""
        return state, Ruling(True, {})


class AlwaysSilent(Policy):
    """Keep silent after every chunk, whatever was heard: no false alarm, and recall 0."""

    name = "never"

    def rule_after(self, state: None, scores: Sequence[float]) -> tuple[None, Ruling]:  # noqa: ARG002
        """Keep silent."""
        return state, Ruling(False, {})
