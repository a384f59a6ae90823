"""``ai-widgets serve``: one model for a class, over WebSockets."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError, SettingError
from ..policies import BY_NAME, named

if TYPE_CHECKING:
    from ..serve.server import ClassServer
    from ..serve.tokens import Tokens
    from ..session.listening import ListeningModel

NOT_LOOPBACK = (
    "Listening at {host}: this server speaks no TLS, so that tokens and sound cross the network unencrypted unless a "
    "proxy with TLS stands before it (docs/serving.md). Let only the proxy reach this port."
)
"""Sentence where the server is reached from other machines."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    listener = parser.add_mutually_exclusive_group()
    listener.add_argument("--checkpoint", default="tiny", help="tiny, a folder or a hub id (default: tiny)")
    listener.add_argument("--policy", choices=tuple(BY_NAME), help="a baseline in place of the checkpoint")
    parser.add_argument("--revision", help="commit, tag or branch of a hub checkpoint")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, mps")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16")
    parser.add_argument("--places", type=int, default=30, help="sessions at a time (default: 30)")
    parser.add_argument("--each", type=int, default=2, help="sessions of one learner at a time (default: 2)")
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="file with a line `name token` for each learner; written where it does not exist "
        "(default: new tokens, printed)",
    )
    parser.add_argument("--learners", type=int, help="number of tokens to generate (default: as many as places)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=int, default=8765, help="port to listen at; 0 for any (default: 8765)")
    parser.add_argument("--origin", action="append", default=[], help="origin of a web page that may connect")
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run replicas on a Ray cluster: local, auto or HOST:6379; places are then those of each replica",
    )
    parser.add_argument(
        "--replicas",
        metavar="MIN:MAX",
        default=None,
        help="replicas with --ray, started and ended as places are taken; one number for as many always (default: 1)",
    )
    parser.add_argument("--drain", type=float, default=15.0, help="seconds for replies to end at the end (default: 15)")


def serve_class(given: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C, then finish the replies in progress. Return the exit code."""
    from ..serve.tokens import Tokens

    try:
        # Asked for before a model is loaded.
        import prometheus_client  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"A class server needs the package {error.name}: pip install 'ai_widgets[serve]'."
        ) from error

    for name, least in {"places": 1, "each": 1, "drain": 0, "port": 0}.items():
        if getattr(given, name) < least:
            raise SettingError(f"--{name} must be at least {least}, not {getattr(given, name)}.", (name,))
    replicas = replicas_of(given.replicas, given.ray)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    file = None if given.token_file is None else Path(given.token_file)
    if file is not None and file.exists():
        tokens = Tokens.read(file)
    else:
        places = given.places * (replicas[1] if given.ray else 1)
        tokens = Tokens.generate(places if given.learners is None else given.learners)
        if file is not None:
            tokens.write(file)
    if not _is_loopback(given.host):
        print(NOT_LOOPBACK.format(host=given.host), file=sys.stderr)
    told = "\n".join(f"{name} {token}" for name, token in tokens.by_name.items()) if file is None else f"Tokens: {file}"
    options = {"places": given.places, "each": given.each, "drain_s": given.drain}
    if given.ray is None:
        from ..serve.server import ClassServer

        server = ClassServer(_model(given), tokens, host=given.host, port=given.port, origins=given.origin, **options)
        asyncio.run(_serve(server, told))
    else:
        _serve_on_ray(given, tokens, replicas, options, told)
    return 0


def replicas_of(text: str | None, ray: str | None) -> tuple[int, int]:
    """Return the least and the greatest number of replicas that `--replicas` asks for.

    Raises
    ------
    SettingError
        If the text is neither a number nor two with a colon between, or is given without `--ray`.
    """
    if text is None:
        return 1, 1
    if ray is None:
        raise SettingError("--replicas is for --ray: one process serves without it.", ("replicas",))
    parts = text.split(":")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise SettingError(f"--replicas is a number, or MIN:MAX such as 1:4, not {text!r}.", ("replicas",))
    least, most = int(parts[0]), int(parts[-1])
    if not 1 <= least <= most:
        raise SettingError(f"--replicas needs 1 <= MIN <= MAX, not {text!r}.", ("replicas",))
    return least, most


def _serve_on_ray(
    given: argparse.Namespace, tokens: Tokens, replicas: tuple[int, int], options: dict[str, Any], told: str
) -> None:
    """Serve on a Ray cluster until a signal."""
    from ..cluster.connection import ray_at
    from ..serve.on_ray import RayClass

    if given.port == 0:
        raise SettingError("--ray needs a certain --port, such as 8765: Ray Serve chooses no free one.", ("port",))
    if given.checkpoint != "tiny" and Path(given.checkpoint).exists():
        given.checkpoint = str(Path(given.checkpoint).resolve())
    with ray_at(given.ray, "serve") as ray:
        running = RayClass(
            ray,
            partial(_model, given),
            tokens,
            replicas=replicas,
            device=given.device,
            host=given.host,
            port=given.port,
            origins=given.origin,
            **options,
        )
        ended = threading.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: ended.set())
        _tell(running.address, told)
        ended.wait()
        running.drain()


async def _serve(server: ClassServer, told: str) -> None:
    """Serve until a signal, and print what a teacher needs: address and tokens."""
    try:
        await server.start()
    except OSError as error:
        raise SettingError(f"The server cannot listen there: {error}. Choose another --host or --port.") from error
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            # Windows has no such handlers; there Ctrl-C ends the server at once.
            loop.add_signal_handler(each, ended.set)
    _tell(server.address, told)
    await ended.wait()
    await server.drain()


def _tell(address: str, told: str) -> None:
    print(f'Learners connect with aiw.AudioInteraction("{address}", token=…).')
    print(told, flush=True)


def _model(given: argparse.Namespace) -> ListeningModel:
    """Return the policy that `--policy` names, or load the checkpoint."""
    if given.policy is not None:
        return named(given.policy)
    from ..inference import load_model

    return load_model(given.checkpoint, given.device, given.dtype, given.revision)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
