"""`Driver`: the thread that decides for the whole class, round by round.

A round takes every session with pending audio up to its next forward pass, and runs the passes as one
(`Ensemble.advance`). It begins as soon as something is pending, and audio that arrives during a round joins the next:
the more there is to do, the more sessions share a pass. A fixed beat of 0.4 s would add 0.2 s to a decision on average.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Thread
from time import perf_counter

from ..session.ensemble import Ensemble
from .place import Place

logger = logging.getLogger(__name__)


class Driver:
    """The rounds of all places, on one thread.

    Parameters
    ----------
    measured
        Called after each round with its duration in seconds and its number of sessions.
    """

    def __init__(self, measured: Callable[[float, int], None] = lambda _seconds, _sessions: None) -> None:
        self._measured = measured
        self._changed = Condition()
        self._places: list[Place] = []
        self._leaving: list[Place] = []
        self._told = self._stopped = False
        self._thread = Thread(target=self._run, name="ai_widgets class", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the round in progress, and close all sessions."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def add(self, place: Place) -> None:
        """Let a place take part from the next round on."""
        with self._changed:
            self._places.append(place)

    def remove(self, place: Place) -> None:
        """Take a place out before the next round, where its session is closed."""
        with self._changed:
            if place in self._places:
                self._places.remove(place)
                self._leaving.append(place)
            self._told = True
            self._changed.notify()

    def wake(self) -> None:
        """Look at the queued messages, now or after the round in progress."""
        with self._changed:
            self._told = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._told or self._stopped or any(place.pending for place in self._places)
                )
                self._told = False
                leaving, self._leaving = self._leaving, []
                places = list(self._places)
                if self._stopped:
                    leaving, places = [*leaving, *places], []
            for place in leaving:
                self._settled(place, place.close)
            if self._stopped:
                return
            self._round(places)

    def _round(self, places: list[Place]) -> None:
        """Take the messages of all places, and run one round of those with pending audio."""
        started = perf_counter()
        told = [place for place in places if not place.idle]
        for place in told:
            self._settled(place, place.take)
        running = [place for place in told if place.pending]
        sessions = [place.session for place in running if place.session is not None]
        try:
            outcomes = Ensemble.advance(sessions)
        except Exception as error:
            # Of the driver itself: errors of a session are outcomes. Its sessions are consistent and may go on.
            logger.exception("A round of %d sessions failed.", len(sessions))
            outcomes = [error] * len(sessions)
        for place, outcome in zip([each for each in running if each.session is not None], outcomes, strict=True):
            place.pending = outcome is not False
            if isinstance(outcome, Exception):
                logger.info("The session of %s failed at a chunk: %s", place.learner, type(outcome).__name__)
                place.failed(outcome)
        if running:
            self._measured(perf_counter() - started, len(running))
        for place in told:
            self._settled(place, place.look)
            place.changed()

    @staticmethod
    def _settled(place: Place, call: Callable[[], None]) -> None:
        """Call a part of a place, so that its failure does not reach the other places."""
        try:
            call()
        except Exception as error:
            logger.exception("The place of %s failed.", place.learner)
            place.failed(error)
