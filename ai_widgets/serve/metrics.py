"""Figures of the class server in the format of Prometheus. No figure names a learner."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .place import Place

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.8, 1.6, 5.0)
"""Upper bounds of the histograms' buckets: around the aim of 0.2 s and the length of a chunk."""
SESSIONS = (1, 2, 4, 8, 16, 32, 64)
"""Upper bounds of the buckets of sessions in a round."""

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of the figures."""


class Metrics:
    """Counters, gauges and histograms of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.limit = Gauge("ai_widgets_places", "Places of the class.", registry=registry)
        self.taken = Gauge("ai_widgets_places_taken", "Places that are taken.", registry=registry)
        self.refused = Counter("ai_widgets_refused", "Connections that were refused.", ["why"], registry=registry)
        self.slow = Counter("ai_widgets_slow_clients", "Clients that were disconnected as slow.", registry=registry)
        self.problems = Counter("ai_widgets_bad_messages", "Messages that were refused.", registry=registry)
        self.decisions = Counter("ai_widgets_decisions", "Decisions.", registry=registry)
        self.tokens = Counter("ai_widgets_reply_tokens", "Tokens of replies.", registry=registry)
        self.waiting = Gauge("ai_widgets_waiting_chunks", "Chunks that are not decided yet.", registry=registry)
        self.latency = Histogram(
            "ai_widgets_decision_seconds",
            "Time from the arrival of a chunk's last sample to its decision.",
            registry=registry,
            buckets=SECONDS,
        )
        self.round = Histogram("ai_widgets_round_seconds", "Time of a round.", registry=registry, buckets=SECONDS)
        self.sessions = Histogram(
            "ai_widgets_round_sessions", "Sessions of a round.", registry=registry, buckets=SESSIONS
        )
        self._counted: dict[int, tuple[int, int]] = {}

    def measured(self, seconds: float, sessions: int) -> None:
        """Note a round of the driver."""
        self.round.observe(seconds)
        self.sessions.observe(sessions)

    def count(self, place: Place) -> None:
        """Add what a place decided since the last call."""
        decided, drawn = self._counted.get(id(place), (0, 0))
        self._counted[id(place)] = place.decided, place.drawn
        self.decisions.inc(place.decided - decided)
        self.tokens.inc(place.drawn - drawn)
        while place.latencies:
            self.latency.observe(place.latencies.popleft())

    def forget(self, place: Place) -> None:
        """Count a place for the last time."""
        self.count(place)
        self._counted.pop(id(place), None)

    def page(self, limit: int, places: list[Place]) -> bytes:
        """Return the figures as text."""
        for place in places:
            self.count(place)
        self.limit.set(limit)
        self.taken.set(len(places))
        self.waiting.set(sum(place.waiting for place in places))
        return generate_latest(self.registry)
