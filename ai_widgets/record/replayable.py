"""`Replayable`: the part of a record that replays it with a model."""

from __future__ import annotations

from typing import Protocol, Self, TypeVar

Result_co = TypeVar("Result_co", covariant=True)
Record_contra = TypeVar("Record_contra", contravariant=True)


class Replaying(Protocol[Record_contra, Result_co]):
    """What a record needs of a model; a record knows no models."""

    def replay(self, record: Record_contra) -> Result_co:
        """Run the record again."""


class Replayable:
    """Base of a record that can be run again."""

    def replay(self, model: Replaying[Self, Result_co]) -> Result_co:
        """Run the record again with a model, and compare every decision, token and reply; see `Model.replay`.

        Examples
        --------
        >>> record.replay(model).reproduced
        True
        """
        return model.replay(self)
