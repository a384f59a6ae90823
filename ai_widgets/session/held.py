"""Which chunks the context holds, and which of them leave when it is full.

A chunk leaves as a whole: its block, the token decided after it and, where there was one, its reply. What remains is
the prefix, followed by whole chunks, as in a context that had begun with the oldest of them.

A `Window` is a value: each method returns a new one. So a step that fails changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SPARE = 16
"""A slide goes on until one part in this number of the context is free, so that not every chunk needs a slide."""


@dataclass(frozen=True, slots=True)
class Held:
    """One chunk in the context: its index, its positions, and whether a reply of its is among them."""

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


@dataclass(frozen=True, slots=True)
class Window:
    """Chunks in the context, the oldest first.

    Attributes
    ----------
    prefix
        Tokens that the context begins with; empty as long as nothing was fed.
    older, newest
        Chunks held; the newest apart, since each token of a reply changes it.
    before_newest
        Positions of prefix and `older`.
    """

    prefix: tuple[int, ...] = ()
    older: tuple[Held, ...] = ()
    newest: Held | None = None
    before_newest: int = 0

    def __len__(self) -> int:
        return len(self.older) + (self.newest is not None)

    @property
    def positions(self) -> int:
        """Positions in use, the prefix included."""
        return self.before_newest + (self.newest.positions if self.newest is not None else 0)

    @property
    def oldest(self) -> int | None:
        """The oldest chunk held, or None."""
        first = self.older[0] if self.older else self.newest
        return None if first is None else first.chunk

    def begun(self, prefix: tuple[int, ...]) -> Window:
        """The prefix was fed to a bare context."""
        return Window(prefix, before_newest=len(prefix))

    def opened(self, chunk: int, positions: int) -> Window:
        """A chunk's block was fed."""
        older = self.older if self.newest is None else (*self.older, self.newest)
        return Window(self.prefix, older, Held(chunk, positions), self.positions)

    def extended(self, positions: int = 1, *, turn: bool = False) -> Window:
        """Tokens that belong to the newest chunk were fed after its block."""
        newest = self.newest
        if newest is None:
            raise ValueError("No chunk is held that could be extended.")
        return replace(self, newest=Held(newest.chunk, newest.positions + positions, newest.turn or turn))

    def without_oldest(
        self, positions: int, chunks: int, keep: int, spare: tuple[int, int]
    ) -> tuple[Window, Left] | None:
        """What remains once the oldest chunks have left, and what leaves; None where nothing has to.

        Parameters
        ----------
        positions, chunks
            Positions and chunks that have to leave; 0 or less where there is no need.
        keep
            Number of the newest chunks that stay whatever is needed.
        spare
            Positions and chunks that leave beyond what is needed, where any are needed; the newest chunk stays.
        """
        needed = (positions, chunks)
        wished = tuple(need + more if need > 0 else 0 for need, more in zip(needed, spare, strict=True))
        held = self.older if self.newest is None else (*self.older, self.newest)
        count = freed = 0
        for each in held:
            must = freed < needed[0] or count < needed[1]
            may = freed < wished[0] or count < wished[1]
            rest = len(held) - count
            if not (must and rest > keep) and not (may and rest > max(keep, 1)):
                break
            count, freed = count + 1, freed + each.positions
        if not count:
            return None
        left = Left(held[0].chunk, held[count - 1].chunk, sum(each.turn for each in held[:count]), freed)
        if count == len(held):
            return Window(self.prefix, before_newest=len(self.prefix)), left
        older = held[count:-1]
        before = len(self.prefix) + sum(each.positions for each in older)
        return Window(self.prefix, older, held[-1], before), left
