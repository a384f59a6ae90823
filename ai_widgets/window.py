"""Which chunks the context holds, and which of them leave when it is full.

A chunk leaves as a whole: its block, the token decided after it and, where there was one, its reply. What remains is
the prefix, followed by whole chunks, as in a context that had begun with the oldest of them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SPARE = 16
"""A slide goes on until one part in so many of the context is free, so that not every chunk makes one."""


@dataclass
class _Held:
    chunk: int
    positions: int
    turn: bool = False


@dataclass(frozen=True)
class Left:
    """What left the context at once: chunks `first` to `last` with their replies."""

    first: int
    last: int
    turns: int
    positions: int

    @property
    def chunks(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


class Window:
    """Chunks in the context, the oldest first.

    Attributes
    ----------
    prefix
        Positions of the prefix; 0 as long as nothing was fed.
    """

    def __init__(self) -> None:
        self.prefix = 0
        self._held: deque[_Held] = deque()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def oldest(self) -> int | None:
        """The oldest chunk held, or None."""
        return self._held[0].chunk if self._held else None

    def clear(self) -> None:
        """Nothing is held any more, not even the prefix."""
        self.prefix = 0
        self._held.clear()

    def open(self, chunk: int, positions: int) -> None:
        """A chunk's block was fed."""
        self._held.append(_Held(chunk, positions))

    def extend(self, positions: int = 1, *, turn: bool = False) -> None:
        """What belongs to the newest chunk was fed after its block."""
        newest = self._held[-1]
        newest.positions += positions
        newest.turn = newest.turn or turn

    def leave(self, positions: int, chunks: int, keep: int, spare: tuple[int, int]) -> Left | None:
        """Let the oldest chunks leave.

        Parameters
        ----------
        positions, chunks
            Positions and chunks that have to leave; 0 or less where there is no need.
        keep
            So many of the newest chunks stay whatever is needed.
        spare
            How many positions and chunks leave beyond what is needed, where any are needed; the newest chunk stays.
        """
        needed = (positions, chunks)
        wished = tuple(need + more if need > 0 else 0 for need, more in zip(needed, spare, strict=True))
        gone: list[_Held] = []
        freed = 0
        while self._held:
            must = freed < needed[0] or len(gone) < needed[1]
            may = freed < wished[0] or len(gone) < wished[1]
            if not (must and len(self._held) > keep) and not (may and len(self._held) > max(keep, 1)):
                break
            gone.append(self._held.popleft())
            freed += gone[-1].positions
        if not gone:
            return None
        return Left(gone[0].chunk, gone[-1].chunk, sum(held.turn for held in gone), freed)
