"""Several sessions, one forward pass: their loops run up to the pass that each asks for, then the pass runs for all.

A round (`advance_together`) takes any loops at any point: a reply in one, a decision in another, a slide in a third. No
step is suspended between two rounds, so that a loop may join, leave, be forked or be closed there. A loop that fails is
settled alone, as by `Loop.advance`; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from ..model.passes import Pass, Steps, together
from .loop import Loop

PLACES = 16
"""Number of sessions side by side by default: the cost of a session in a pass hardly falls beyond it on two cores, and
their contexts (1 MB each with the embedded checkpoint, 29 MB with the published one) fit beside the model."""


class _Rider:
    """One loop in a round.

    Attributes
    ----------
    asked
        Pass that its step waits for, or None.
    outcome
        False if nothing is pending, an error that ended the step, else True.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.asked: Pass | None = None
        self.outcome: bool | Exception = True
        self._steps: Steps[bool] | None = None

    def run_to_pass(self) -> None:
        """Run steps until one asks for a pass, or nothing is pending."""
        while self.outcome is True and self.asked is None:
            began = False
            try:
                self.loop.settle()
                began = True
                self._steps = self.loop.step()
                self.asked = self._unknown(self._steps, next(self._steps))
            except StopIteration as end:
                self.outcome = bool(end.value)
            except Exception as error:  # noqa: BLE001 - the error is the outcome of this loop alone
                self._fail(error, began)

    def answer(self, result: object) -> None:
        """Resume the step with the result of its pass, which is an error if the pass failed."""
        if isinstance(result, Exception):
            self._fail(result)
            return
        steps: Steps[bool] = self._steps  # type: ignore[assignment]
        try:
            self.asked = self._unknown(steps, steps.send(result))  # type: ignore[arg-type]
        except StopIteration:
            self.asked = None
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    @staticmethod
    def _unknown(steps: Steps[bool], asked: Pass) -> Pass:
        """Answer passes whose results are computed already, and return the first that has to run."""
        while (result := asked.known()) is not None:
            asked = steps.send(result)
        return asked

    def _fail(self, error: Exception, began: bool = True) -> None:
        self.asked, self.outcome = None, error
        self.loop.recover(error, began=began)


def advance_together(loops: Sequence[Loop]) -> list[bool | Exception]:
    """Run each loop up to its next forward pass, and the passes of all loops as one.

    Parameters
    ----------
    loops
        Loops, each once.

    Returns
    -------
    list
        For each loop False if nothing is pending; the error that ended its step, of which `Loop.advance` says what it
        leaves; otherwise True.

    Raises
    ------
    BaseException
        An interrupt. All loops are consistent then, and their replies in progress have ended.
    """
    riders = [_Rider(loop) for loop in loops]
    try:
        with ExitStack() as computing:
            for model in {id(loop.model): loop.model for loop in loops}.values():
                computing.enter_context(model.computing())
            for rider in riders:
                rider.run_to_pass()
            while asking := [rider for rider in riders if rider.asked is not None]:
                for rider, result in zip(
                    asking, together([rider.asked for rider in asking if rider.asked]), strict=True
                ):
                    rider.answer(result)
    except BaseException as error:
        for rider in riders:
            # After an error of this driver, a completed step stays as it is; an interrupt ends every reply.
            if rider.asked is not None or not isinstance(error, Exception):
                rider.loop.recover(error)
        raise
    return [rider.outcome for rider in riders]


def run_each(
    loops: Iterable[Loop], places: int = PLACES, skip: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[tuple[Loop, Exception | None]]:
    """Run loops to their ends, at most `places` side by side, and yield each with the error that ended it, or None.

    Parameters
    ----------
    loops
        Loops with pending audio. One is taken when a place is free, so that an iterator may open it then.
    places
        Maximum number of loops in a pass.
    skip
        Errors that do not end a loop: the chunk is left without a decision, and the loop goes on.

    Yields
    ------
    Loop, Exception or None
        In the order in which they end.
    """
    coming, running = iter(loops), list[Loop]()
    while True:
        while len(running) < places and (loop := next(coming, None)) is not None:
            running.append(loop)
        if not running:
            return
        still = []
        ended: list[tuple[Loop, Exception | None]] = []
        for loop, outcome in zip(running, advance_together(running), strict=True):
            if outcome is True or isinstance(outcome, skip):
                still.append(loop)
            else:
                ended.append((loop, outcome if isinstance(outcome, Exception) else None))
        running = still
        yield from ended
