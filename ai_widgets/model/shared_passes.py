"""Forward passes of several threads, shared without a clock: what queues during a pass is the next pass.

Each thread runs the steps of its own session (`shared` in place of `passes.alone`). A thread that needs a pass while
the network is idle runs it at once, exactly as `alone` does. While it computes, the passes that other threads ask for
queue up. When it ends, the thread whose pass is first in the queue runs all of them as one (`passes.together`), hands
out the results, and so on. So no pass is ever delayed to wait for company, and the more threads there are, the more of
them share a pass. A session alone pays for two uncontended locks, about a microsecond.

The threads keep what is their own: an error of a pass is raised in the thread that asked for it. A thread that is
interrupted, even while it computes for others, first restores their contexts and gives their passes back to the queue;
one that waits leaves the queue, or waits for the pass that is writing to its context.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from .passes import Pass, Steps, TokenPass, together

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class _Request:
    """One pass that a thread asks for.

    Attributes
    ----------
    asked, position
        The pass, and the position of its context before it.
    ready
        Acquired until the thread may go on: its pass has a result, or it is the thread's turn to compute.
    computes
        Whether it is the thread's turn to compute.
    result
        Result or error of the pass; None before it is there.
    """

    __slots__ = ("asked", "computes", "position", "ready", "result")

    def __init__(self, asked: Pass) -> None:
        self.asked = asked
        self.position: int = asked.context.position if isinstance(asked, TokenPass) else 0
        self.ready, self.computes = Lock(), False
        self.ready.acquire()
        self.result: Tensor | Exception | None = None

    def go_on(self) -> None:
        """Let the thread go on."""
        if self.ready.locked():
            self.ready.release()

    def undo(self) -> None:
        """Restore the context after a pass that did not come to its end."""
        if isinstance(self.asked, TokenPass):
            context = self.asked.context
            if context.repair() and context.position > self.position:
                context.truncate(self.position)


class SharedPasses:
    """Passes of one network, which several threads ask for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queue: list[_Request] = []
        self._computed: Sequence[_Request] = ()
        self._idle = True

    @property
    def waiting(self) -> int:
        """Number of passes in the queue."""
        return len(self._queue)

    def run(self, asked: Pass) -> Tensor:
        """Run a pass, alone or with those that are queued, and return its result; raise its error."""
        mine = _Request(asked)
        try:
            with self._lock:
                self._queue.append(mine)
                if self._idle:
                    self._idle, mine.computes = False, True
            if not mine.computes:
                mine.ready.acquire()
            if mine.computes:
                self._compute(mine)
        finally:
            try:
                self._leave(mine)
            except BaseException:
                self._leave(mine)
                raise
        if isinstance(mine.result, Exception):
            raise mine.result
        return mine.result  # type: ignore[return-value]

    def _compute(self, mine: _Request) -> None:
        """Run all queued passes as one, and let their threads go on."""
        with self._lock:
            batch = self._computed = self._queue
            self._queue = []
        if len(batch) == 1:
            mine.result = mine.asked.run()
            return
        for request, result in zip(batch, together([each.asked for each in batch]), strict=True):
            request.result = result

    def _leave(self, mine: _Request) -> None:
        """Hand out the results and the turn to compute, also after an interrupt; a call may be repeated."""
        with self._lock:
            if mine.computes:
                others = [each for each in self._computed if each is not mine]
                unfinished = [each for each in others if each.result is None]
                for each in unfinished:
                    each.undo()
                self._queue = unfinished + [each for each in self._queue if each is not mine]
                self._computed = ()
                for each in others:
                    if each.result is not None:
                        each.go_on()
                self._idle = not self._queue
                if self._queue:
                    self._queue[0].computes = True
                    self._queue[0].go_on()
                return
            if mine in self._queue:
                self._queue.remove(mine)
                return
        if mine.result is None:
            # Interrupted while another thread computes: this thread must not touch its context before that ends.
            self._wait_to_leave(mine)

    def _wait_to_leave(self, mine: _Request) -> None:
        mine.ready.acquire()
        if mine.computes:
            self._leave(mine)


_queues: WeakKeyDictionary[Any, SharedPasses] = WeakKeyDictionary()
"""Passes by decoder or encoder: language model and audio tower compute at the same time."""
_making = Lock()


def passes_of(network: Any) -> SharedPasses:
    """Return the shared passes of a decoder or an encoder; one without a hash or weak references shares none."""
    try:
        found = _queues.get(network)
    except TypeError:
        return SharedPasses()
    if found is None:
        with _making:
            found = _queues.setdefault(network, SharedPasses())
    return found


def shared(steps: Steps[T]) -> T:
    """Run steps to their end as `passes.alone` does, and share their passes with other threads that do the same.

    Examples
    --------
    >>> session = StreamingSession(model, settings, run=shared)
    """
    try:
        asked = next(steps)
        while True:
            network = asked.decoder if isinstance(asked, TokenPass) else asked.encoder
            asked = steps.send(passes_of(network).run(asked))
    except StopIteration as end:
        value: T = end.value
        return value
