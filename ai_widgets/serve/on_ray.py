"""A class on several replicas of a Ray cluster, with Ray Serve: each has its own model, rounds and places.

Ray Serve starts, watches, restarts and scales the replicas, and its proxy gives a new connection to the less busy one.
A session stays with its replica over its one WebSocket. Where a replica ends, the client connects again and gives the
next one the past of its session (`widget.remote.past`). Replicas share nothing but the digests of the tokens.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ..cluster.workers import workers_of
from ..errors import ChildError, SettingError
from ..session.listening import ListeningModel
from .asgi import ClassApp
from .classroom import Classroom
from .limits import CLOSE_SECONDS, PATH
from .tokens import Tokens

APP = "ai_widgets-class"
"""Name of the application on the cluster, which may run others."""
SPARE = 16
"""Connections of a replica beyond its places: for `/health` and `/metrics`, and for clients that it refuses, which
would otherwise wait at the proxy without an answer."""
BUSY = 0.8
"""Share of the places taken, on average over the replicas, above which another replica is started."""
UP_SECONDS, DOWN_SECONDS = 5.0, 600.0
"""Times for which more or fewer replicas must be needed before one is started or ended: a class arrives in a minute,
and sessions on a replica that is ended have to move."""
LEAVE_SECONDS = 3600.0
"""Time that the sessions of a replica that is no longer needed have before they move to another one: a lesson."""
CHECK_SECONDS = 2.0
"""Time between two checks whether a replica lives; Ray's default of 10 s would delay its replacement by as much."""
ANSWER_SECONDS = 5.0
"""Time in which each replica must tell its figures."""
ATTEMPTS = 3
"""Attempts to ask all replicas: one that died is known as dead after the first."""

logger = logging.getLogger(__name__)

Load = Callable[[], ListeningModel]


class Replica:
    """One process of a class, an actor of Ray Serve.

    Parameters
    ----------
    load
        Loads the model.
    tokens
        Digests of the learners' tokens.
    origins
        As for `ClassApp`.
    options
        Those of `Classroom`.
    """

    def __init__(self, load: Load, tokens: Tokens, origins: Sequence[str], options: Mapping[str, Any]) -> None:
        self._room = Classroom(load(), tokens, full="busy", **options)
        self._origins = origins

    def __serve_build_asgi_app__(self) -> ClassApp:
        """Return the application that Ray Serve runs."""
        return ClassApp(self._room, self._origins, _health, _figures)

    async def drain(self) -> None:
        """Finish what is pending and tell the clients; see `Classroom.drain`."""
        await self._room.drain()

    async def told(self) -> dict[str, Any]:
        """Return the process id, and what `/health` and `/metrics` say of this replica."""
        return {"pid": os.getpid(), "health": self._room.health(), "figures": self._room.figures()}


class RayClass:
    """A class that runs on a cluster.

    Parameters
    ----------
    ray
        Connected module (`cluster.connection.ray_at`).
    load
        Loads the model, in each replica.
    tokens
        Tokens of the learners.
    replicas
        Least and greatest number of replicas.
    device
        Option `--device`: `cpu` for replicas without a GPU.
    host, port
        Address of Ray Serve's proxy, on the head of the cluster.
    origins
        As for `ClassApp`.
    **options
        Those of `Classroom`, for each replica.

    Raises
    ------
    SettingError
        If the cluster has no room for the replicas.
    ChildError
        If they do not start, such as for a model that cannot be loaded.

    Examples
    --------
    >>> with ray_at("local", "serve") as ray:
    ...     running = RayClass(ray, load, Tokens.generate(30), replicas=(2, 4), places=30)
    ...     running.drain()
    """

    def __init__(
        self,
        ray: Any,
        load: Load,
        tokens: Tokens,
        *,
        replicas: tuple[int, int] = (1, 1),
        device: str = "auto",
        host: str = "127.0.0.1",
        port: int = 8765,
        origins: Sequence[str] = (),
        **options: Any,
    ) -> None:
        least, most = replicas
        room, gpus = workers_of(ray, device)
        if least > room:
            what = "a GPU" if gpus else "a core"
            raise SettingError(f"--replicas {least}: the cluster has room for {room}, one for {what}.", ("replicas",))
        self._errors = ray.exceptions.RayError, ray.serve.exceptions.RayServeException, TimeoutError
        self._serve, self.address = ray.serve, f"ws://{host}:{port}{PATH}"
        self._drain_s = float(options.get("drain_s", 0.0)) + 2 * CLOSE_SECONDS + ANSWER_SECONDS
        places = int(options["places"])
        deployment = self._serve.deployment(
            name="Replica",
            max_ongoing_requests=places + SPARE,
            autoscaling_config={
                "min_replicas": least,
                "max_replicas": most,
                "target_ongoing_requests": max(1.0, BUSY * places),
                "upscale_delay_s": UP_SECONDS,
                "downscale_delay_s": DOWN_SECONDS,
            },
            ray_actor_options={"num_cpus": 1, "num_gpus": gpus},
            graceful_shutdown_timeout_s=LEAVE_SECONDS,
            health_check_period_s=CHECK_SECONDS,
            # A model that could not be loaded will not be the next time.
            max_constructor_retry_count=1,
        )(self._serve.ingress()(Replica))
        app = deployment.bind(load, tokens.digested(), list(origins), options)
        # Its reports of progress are for its developers; what fails is raised.
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        try:
            self._serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port})
            self._handle = self._serve.run(app, name=APP, route_prefix="/")
        except Exception as error:  # Ray raises bare exceptions, and those of the replicas.
            self._serve.delete(APP)
            raise ChildError(f"The replicas did not start: {_last_line(error)}") from error

    def drain(self) -> None:
        """End the class: all replicas finish what is pending and tell their clients, and are ended."""
        try:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    self._handle.broadcast("drain").results(timeout_s=self._drain_s)
                    break
                except self._errors as error:
                    if attempt == ATTEMPTS:
                        logger.warning("The replicas were not drained: %s", _last_line(error))
        finally:
            self._serve.delete(APP)


async def _all() -> list[dict[str, Any]]:
    """Ask all replicas from one of them."""
    from ray import serve
    from ray.exceptions import RayError

    handle = serve.get_app_handle(APP)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            found: list[dict[str, Any]] = await handle.broadcast("told").results_async(timeout_s=ANSWER_SECONDS)
            return found
        except RayError:
            if attempt == ATTEMPTS:
                raise
    return []


async def _health() -> bytes:
    told = [each["health"] for each in await _all()]
    draining = any(each["status"] != "ok" for each in told)
    total = {name: sum(each[name] for each in told) for name in ("places", "taken")}
    return json.dumps({"status": "draining" if draining else "ok", **total, "replicas": len(told)}).encode()


async def _figures() -> bytes:
    return joined({str(each["pid"]): each["figures"] for each in await _all()})


def joined(pages: Mapping[str, bytes]) -> bytes:
    r"""Join the figures of replicas, each with its name as the label `replica`.

    Examples
    --------
    >>> joined({"7": b"# TYPE places gauge\\nplaces 30.0\\n"}).splitlines()[-1]
    b'places{replica="7"} 30.0'
    """
    metrics: dict[str, Metric] = {}
    for replica, page in pages.items():
        for family in text_string_to_metric_families(page.decode()):
            metric = metrics.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                metric.samples.append(sample._replace(labels={**sample.labels, "replica": replica}))
    return generate_latest(_Collected(list(metrics.values())))


class _Collected(CollectorRegistry):
    """Registry of metrics that are collected already."""

    def __init__(self, metrics: list[Metric]) -> None:
        super().__init__()
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        """Return the metrics."""
        return self._metrics


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
