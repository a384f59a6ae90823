"""`RemoteModel`: the model of a class server in the place of a model of the kernel, which then needs no torch.

It satisfies `session.listening.ListeningModel`: audio is cut, shown, kept and saved in the kernel as ever, and only the
samples of each chunk go to the server, which answers with the decision and the reply. Pause, step mode, overload
policies and the record are therefore those of a session with a model of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from ...audio.features import Array, Mark, StreamingLogMel, thumbnail
from ...errors import ServerError, SettingError
from ...model.passes import Steps
from ...process_exit import computation
from ...record.header import Header
from ...session.framing import Framing
from ...session.listening import Perceived
from ...settings import Settings
from ...special_tokens import Emotion
from . import past as wire
from .connection import ServerConnection
from .held_past import HeldPast, Sent
from .remote_turns import RemoteTurns

ATTEMPTS = 3
"""Attempts to send what begins a session, each on a connection that was opened again."""
TABLE = ("kind", "tokens", "prefix", "block", "limit")
"""Fields of the message `model` that a page shows, as the widget's `model_info` has them."""


class RemoteModel:
    """Model of a class server.

    Parameters
    ----------
    address, token
        Checked address and token.

    Raises
    ------
    ServerError
        If the server cannot be reached, or does not admit this client: unknown token, all places taken.
    """

    language = None

    def __init__(self, address: str, token: str) -> None:
        self.connection = ServerConnection(address, token)
        self.turns: RemoteTurns | None = None
        self._told: Mapping[str, Any] = {**self.connection.welcome, **self.connection.welcome["model"]}
        self._agreed: Settings | None = None

    @property
    def name(self) -> str:
        """Name of the model and of the server."""
        return f"{self._told['name']} at {urlsplit(self.connection.address).netloc}"

    @property
    def detail(self) -> str:
        """What the server runs on."""
        return f"class server: {self._told['detail']['text']}"

    @property
    def table(self) -> dict[str, Any]:
        """Kind of the model and its tokens, for the page."""
        return {name: self._told[name] for name in TABLE if name in self._told}

    def emotion(self, token: int) -> Emotion | None:
        """Return the emotion that a token at the start of a reply stands for, or None."""
        tokens = self._told.get("tokens", {})
        return next((each for each in Emotion if tokens.get(each.name) == token), None)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Delay process exit until the end of a step."""
        with computation():
            yield

    def framing(self, settings: Settings) -> Framing:
        """Return the framing of the session at the server, which checks other settings when they apply.

        Raises
        ------
        SettingError
            If a session may end for good, which a class server does not offer.
        """
        if settings.context == "stop" or settings.max_new_tokens is not None:
            raise SettingError(
                "A session of a class server does not end by itself: choose context='slide' or 'reset', and leave "
                "max_new_tokens as it is.",
                ("context", "max_new_tokens"),
            )
        framing = self._told["detail"]["header"]["framing"]
        return Framing(tuple(framing["prefix"]), tuple(framing["block"]), 0, int(framing["limit"]))

    def open_stream(self) -> RemoteStream:
        """Create the perception of a new live stream."""
        return RemoteStream()

    def take_turns(self, settings: Settings) -> RemoteTurns:
        """Begin a session at the server, which ends an earlier one of this connection."""
        framing = self.framing(settings)
        self.turns = RemoteTurns(self, settings, framing)
        return self.turns

    def heading(self, settings: Settings) -> Header:
        """Begin a session at the server, and return what the server says of it.

        Raises
        ------
        SettingError
            If the server refuses a setting.
        """
        self.framing(settings)
        self.begin(settings)
        header = self._told["detail"]["header"]
        return Header(
            model={**header["model"], "server": urlsplit(self.connection.address).netloc},
            settings=settings.to_json(),
            framing=header["framing"],
            versions=header["versions"],
        )

    def begin(self, settings: Settings) -> None:
        """Begin another session at the server, with these settings."""
        self._agreed = None
        for _ in range(ATTEMPTS):
            self.connection.renewed = False
            self.connection.forget_events()
            if self.connection.send({"type": "reset"}):
                break
        self.agree(settings)

    def resume(self, past: HeldPast, features: Mark, settings: Settings) -> bool:
        """Have a server that is new to a session go on with it, with these settings from the next chunk on.

        Parameters
        ----------
        past
            What the context held.
        features
            State of the running features before the next chunk.
        settings
            Settings from the next chunk on.

        Returns
        -------
        bool
            False where the session starts over: the server has another model or a policy, is older than this package,
            or refused the past.
        """
        known = self._identity
        for _ in range(ATTEMPTS):
            self.begin(past.settings or settings)
            if past.settings is None:
                return True
            possible = self._identity == known and self._told["kind"] == "model" and self.connection.takes_pasts
            taken = self._give(past, features) if possible and not self.connection.renewed else None
            if taken:
                self.agree(settings)
            if not self.connection.renewed and (taken or not possible):
                return bool(taken)
            if taken is False:
                break
        self.begin(settings)
        return False

    def _give(self, past: HeldPast, features: Mark) -> bool | None:
        """Send a past. Return whether the server took it; None where the connection was lost."""
        oldest = past.chunks[0].before if past.chunks else None
        begun = past.begun and not past.chunks
        for message, buffers in wire.messages(past.chunks, past.draws, oldest or features, begun):
            if not self.connection.send(message, buffers):
                return None
        answer = self.connection.answer()
        return None if not answer else "refused" not in answer

    @property
    def _identity(self) -> Any:
        """What says that two servers have one model."""
        return self._told["detail"]["header"]["model"].get("fingerprint")

    def agree(self, settings: Settings) -> Framing:
        """Have the server use these settings from the next chunk on, and return the framing.

        Raises
        ------
        SettingError
            If the server refuses one; the earlier ones stay in use.
        """
        wanted = settings.to_json()
        had = {} if self._agreed is None else self._agreed.to_json()
        changes = {name: value for name, value in wanted.items() if name not in had or had[name] != value}
        if changes:
            answer: Mapping[str, Any] = {}
            for _ in range(ATTEMPTS):
                if self.connection.send({"type": "set", "changes": changes}):
                    answer = self.connection.answer()
                if answer:
                    break
                # The connection was opened again, perhaps with a new session, which has no settings yet.
                changes = wanted
            if isinstance(answer.get("refused"), SettingError):
                raise answer["refused"]
            if "detail" not in answer:
                raise ServerError("The class server did not answer a change of settings; begin a new session (reset).")
            self._told, self._agreed = answer, settings
        return self.framing(settings)

    def close(self) -> None:
        """Leave the server, which frees the place."""
        self.connection.close()

    def __repr__(self) -> str:
        return f"<RemoteModel {self.name}>"


class RemoteStream:
    """Perception of a live stream for a class server: the samples, and the picture of their features."""

    def __init__(self) -> None:
        self._features = StreamingLogMel()

    def mark(self) -> Mark:
        """Return the state of the features, for `return_to`."""
        return self._features.mark()

    def return_to(self, mark: Mark) -> None:
        """Restore the state that `mark` returned."""
        self._features.return_to(mark)

    def perceive(self, samples: Array) -> Steps[Perceived]:
        """Compute the thumbnail of the next chunk; `frames` are what goes to the server. Asks no pass."""
        yield from ()
        started, before = perf_counter(), self._features.mark()
        mels = self._features.push(samples)
        return Perceived(Sent(samples, before), (perf_counter() - started) * 1e3, 0.0, thumbnail(mels))
