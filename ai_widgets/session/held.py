"""Chunks held in the context, and the eviction of the oldest ones when the context is full.

A chunk is evicted as a whole: its block, the token decided after the block, and the reply, if any. The context then
holds the prefix followed by whole chunks, as if it had begun with the oldest remaining chunk.

A `Window` is immutable: each method returns a new window, so that a failed step changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SPARE = 16
"""Divisor of the context's size: a slide evicts chunks until 1/16 of the context is free, so that not every chunk needs
a slide."""


@dataclass(frozen=True, slots=True)
class Held:
    """Chunk in the context: index, number of positions, and whether the positions include a reply."""

    chunk: int
    positions: int
    turn: bool = False


@dataclass(frozen=True)
class Left:
    """Chunks evicted by one slide.

    Attributes
    ----------
    first, last
        Indices of the first and the last evicted chunk.
    turns, positions
        Number of evicted replies and of freed positions.
    """

    first: int
    last: int
    turns: int
    positions: int

    @property
    def chunks(self) -> int:
        """Number of evicted chunks."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Window:
    """Immutable list of the chunks in the context, the oldest first.

    Attributes
    ----------
    prefix
        Token ids at the start of the context; empty before anything was fed.
    older, newest
        Chunks in the context; the newest is separate, because each reply token changes it.
    before_newest
        Number of positions of `prefix` and `older`.
    """

    prefix: tuple[int, ...] = ()
    older: tuple[Held, ...] = ()
    newest: Held | None = None
    before_newest: int = 0

    def __len__(self) -> int:
        return len(self.older) + (self.newest is not None)

    @property
    def positions(self) -> int:
        """Number of positions in use, including the prefix."""
        return self.before_newest + (self.newest.positions if self.newest is not None else 0)

    @property
    def oldest(self) -> int | None:
        """Index of the oldest chunk in the context, or None."""
        first = self.older[0] if self.older else self.newest
        return None if first is None else first.chunk

    def begun(self, prefix: tuple[int, ...]) -> Window:
        """Return the window after `prefix` was fed to an empty context."""
        return Window(prefix, before_newest=len(prefix))

    def opened(self, chunk: int, positions: int) -> Window:
        """Return the window after the block of a chunk was fed, which takes `positions` positions."""
        older = self.older if self.newest is None else (*self.older, self.newest)
        return Window(self.prefix, older, Held(chunk, positions), self.positions)

    def extended(self, positions: int = 1, *, turn: bool = False) -> Window:
        """Return the window after tokens of the newest chunk were fed behind its block.

        Parameters
        ----------
        positions
            Number of tokens.
        turn
            Whether the tokens belong to a reply.

        Raises
        ------
        ValueError
            If the context holds no chunk.
        """
        newest = self.newest
        if newest is None:
            raise ValueError("The context holds no chunk that could be extended.")
        return replace(self, newest=Held(newest.chunk, newest.positions + positions, newest.turn or turn))

    def without_oldest(
        self, positions: int, chunks: int, keep: int, spare: tuple[int, int]
    ) -> tuple[Window, Left] | None:
        """Evict the oldest chunks and return the new window and the evicted chunks; None if nothing is evicted.

        Parameters
        ----------
        positions, chunks
            Number of positions and of chunks to free; 0 or less for none.
        keep
            Number of the newest chunks that are never evicted.
        spare
            Number of positions and of chunks to free in addition, if any are to be freed; the newest chunk is kept.
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
