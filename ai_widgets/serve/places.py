"""`Places`: who may have a session: admission, resuming, and places that are given up."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from ..errors import SessionError
from ..session.listening import ListeningModel
from .driver import Driver
from .limits import PLACES, PLACES_EACH, RESUME_SECONDS
from .place import Place


class RefusedError(SessionError):
    """Refusal of a place.

    Attributes
    ----------
    code
        Word of the `problem` that the client is told: `full`, `busy` or `draining`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Places:
    """The places of a class, each held by one client of a learner.

    Parameters
    ----------
    model, driver
        Model of the class, and the driver that places are added to.
    limit, each
        Places in all, and of one learner.
    clock
        Monotonic time in seconds.
    full
        Code of the refusal where all places are taken: `full`, or `busy` where another replica may have a place, so
        that the client tries again for a while.

    Attributes
    ----------
    taken
        Places that are held, those of vanished clients included.
    draining
        Whether no more clients are admitted, because the server is about to end.
    """

    def __init__(
        self,
        model: ListeningModel,
        driver: Driver,
        limit: int = PLACES,
        each: int = PLACES_EACH,
        clock: Callable[[], float] = monotonic,
        full: str = "full",
    ) -> None:
        self._model, self._driver, self._clock = model, driver, clock
        self._full = full
        self.limit, self.each = limit, each
        self.taken: list[Place] = []
        self.draining = False

    def admit(self, learner: str, page: str) -> tuple[Place, bool]:
        """Return the place of a client, and whether it had it before.

        The place of a client that vanished longest ago is given away where all are taken, or all of the learner's own.

        Raises
        ------
        RefusedError
            If no place is free, or the server is about to end.
        """
        if self.draining:
            raise RefusedError("draining", "The class server is shutting down; connect again when it is back.")
        self.expire()
        own = [place for place in self.taken if place.learner == learner]
        for place in own:
            if place.page == page:
                place.gone_at = None
                return place, True
        if len(own) >= self.each and not self._give_up(own):
            raise RefusedError(
                "full", f"You have {len(own)} sessions on this server already, which is the most; close another widget."
            )
        if len(self.taken) >= self.limit and not self._give_up(self.taken):
            raise RefusedError(
                self._full, f"All {self.limit} places of this class server are taken; try again when somebody has left."
            )
        place = Place(self._model, learner, page)
        self.taken.append(place)
        self._driver.add(place)
        return place, False

    def vanished(self, place: Place) -> None:
        """Note that the connection of a place was lost; the place is kept for `RESUME_SECONDS`."""
        place.gone_at = self._clock()

    def leave(self, place: Place) -> None:
        """Free a place, and end its session."""
        if place in self.taken:
            self.taken.remove(place)
            self._driver.remove(place)

    def expire(self) -> None:
        """Free the places of clients that did not come again."""
        now = self._clock()
        for place in list(self.taken):
            if place.gone_at is not None and now - place.gone_at >= RESUME_SECONDS:
                self.leave(place)

    def _give_up(self, places: list[Place]) -> bool:
        """Free the place whose client vanished longest ago. Return False where all clients are there."""
        gone = [(place.gone_at, number) for number, place in enumerate(places) if place.gone_at is not None]
        if not gone:
            return False
        self.leave(places[min(gone)[1]])
        return True
