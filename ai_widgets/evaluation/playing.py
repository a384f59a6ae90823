"""Play streams to players: the sessions of several streams share each forward pass.

The result of a stream is a line, a JSON object with everything that the report takes from it: its occasions, and the
replies of each player at each operating point. So a report from a file of lines is that of the run itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ai_widgets.evaluation.players import Answers, BaselinePlayer, Player, SessionPlayer, answers
from ai_widgets.evaluation.scoring import Reply
from ai_widgets.evaluation.streams import ABILITY, SPEED, Stream
from ai_widgets.record.record import SessionRecord
from ai_widgets.session.loop import Loop
from ai_widgets.session.together import PLACES, advance_together
from ai_widgets.training.labels import Occasion

CURVE_EVERY = 4
"""Every fourth stream is also used for the curve of operating points, which takes a run for each bias."""

Line = dict[str, Any]


@dataclass
class _Heard:
    """A stream in progress: its line, and the number of sessions that have not ended."""

    line: Line
    running: int = 0

    def add(self, player: str, place: int, given: Answers) -> None:
        """Add the replies of a player at an operating point."""
        replies, p_text = given
        own = self.line["players"][player]
        own["replies"][str(place)] = [[reply.chunk, reply.label, reply.text] for reply in replies]
        if place == 0:
            own["p_text"] = p_text


@dataclass(frozen=True, eq=False)
class _Session:
    """A session in progress, and where its replies belong."""

    heard: _Heard
    player: str
    place: int
    loop: Loop
    record: SessionRecord = field(repr=False)


def play(
    players: Sequence[Player], streams: Iterable[Stream], curves: bool = True, places: int = PLACES
) -> Iterator[Line]:
    """Play each stream to every player and yield its line when all of them have heard it.

    Memory is that of about `places` streams: the next one is taken when a place is free.

    Parameters
    ----------
    players
        What is evaluated.
    streams
        Streams, each with the numbers of its draws, so that their order does not matter.
    curves
        Play every `CURVE_EVERY`-th scene at all operating points.
    places
        Number of sessions side by side; a stream with a curve begins all of its sessions at once.

    Yields
    ------
    dict
        In the order in which the streams end.

    Raises
    ------
    Exception
        The error of a session or player: no figure of this run would be complete.
    """
    coming, running = iter(streams), list[_Session]()
    ended = False
    timed: list[Stream] = []
    try:
        while True:
            while len(running) < places and not ended and not timed:
                stream = next(coming, None)
                if stream is None:
                    ended = True
                elif stream.kind == SPEED:
                    # Timed alone, after the sessions that are running.
                    timed.append(stream)
                else:
                    heard = _Heard(_line(stream))
                    running += _begin(heard, players, stream, curves)
                    if not heard.running:
                        yield heard.line
            if not running and timed:
                yield _speed(players, timed.pop())
                continue
            if not running:
                return
            yield from _advance(running)
    finally:
        for session in running:
            session.loop.close()


def replies_of(line: Line, player: str, place: int = 0) -> list[Reply]:
    """Return the replies that a line holds for a player at an operating point."""
    return [Reply(*each) for each in line["players"][player]["replies"][str(place)]]


def occasions_of(line: Line) -> list[Occasion]:
    """Return the occasions for replies of a line's stream."""
    return [Occasion(**each) for each in line["occasions"]]


def _line(stream: Stream) -> Line:
    scene = stream.scene
    return {
        "type": "stream", "part": stream.part, "kind": stream.kind, "number": stream.number, "sha256": stream.sha256,
        "suite": scene.suite, "name": scene.name, "chunks": scene.chunks, "sources": list(scene.sources),
        "swept": False, "occasions": [asdict(occasion) for occasion in scene.occasions], "players": {},
    }  # fmt: skip


def _begin(heard: _Heard, players: Sequence[Player], stream: Stream, curves: bool) -> Iterator[_Session]:
    """Open the sessions of a stream, and add the replies of players that have no session."""
    scene, number = stream.scene, stream.number
    swept = curves and stream.kind == "scene" and number % CURVE_EVERY == 0
    heard.line["swept"] = swept
    for player in players:
        heard.line["players"][player.name] = {"replies": {}, "fingerprint": getattr(player, "fingerprint", None)}
        if stream.kind == ABILITY and isinstance(player, BaselinePlayer):
            # A baseline has one reply, which names and counts nothing.
            continue
        perceived = player.hear(scene)
        for place, point in enumerate(player.points if swept else player.points[:1]):
            if isinstance(player, SessionPlayer):
                heard.running += 1
                yield _Session(heard, player.name, place, *player.open(perceived, scene, point, number))
            else:
                heard.add(player.name, place, player.reply(perceived, scene, point, number))


def _advance(running: list[_Session]) -> Iterator[Line]:
    """Run all sessions up to their next forward pass, remove those that have ended, and yield complete lines."""
    outcomes = advance_together([session.loop for session in running])
    for session, outcome in zip(list(running), outcomes, strict=True):
        if isinstance(outcome, Exception):
            raise outcome
        if not outcome:
            running.remove(session)
            session.heard.add(session.player, session.place, answers(session.loop, session.record))
            session.heard.running -= 1
            if not session.heard.running:
                yield session.heard.line


def _speed(players: Sequence[Player], stream: Stream) -> Line:
    """Time each player over a stream, and describe the players."""
    line = {name: value for name, value in _line(stream).items() if name not in ("occasions", "sources")}
    for player in players:
        line["players"][player.name] = {
            "times_real_time": player.times_real_time(stream.scene),
            "points": list(player.points),
            "context_limit": getattr(player, "context_limit", None),
            "fingerprint": getattr(player, "fingerprint", None),
        }
    return line
