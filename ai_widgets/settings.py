"""Settings of a session: what may be chosen, what it means, and the check of what was given."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from .errors import ReadOnlyError, SettingError
from .protocol import CHUNK_SECONDS

CONTEXTS = ("slide", "stop", "reset")
"""What happens when the context is full."""
SLIDE_POSITIONS = 2000
"""Positions of a sliding context, about a minute, where the checkpoint does not say what it was trained for. It lies
below 2048, from where on the published weights round positions."""
RESET_POSITIONS = 1500
"""Positions after which the authors' web page clears its context (about 45 s); it applies to `context="reset"`."""
CARD_MAX_NEW_TOKENS = 4096
"""The model card's limit of a session; it applies to `context="stop"`."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a session. None means: what the checkpoint says.

    Attributes
    ----------
    greedy
        Always take the likeliest token, as the authors' command line does.
    temperature, top_k, top_p
        Sampling of decisions and reply tokens (`model.sampling.SamplingRule`). The card: 0.3 and 3. The authors' web
        page: temperature 1, top_k 0 (all tokens), mask off.
    seed
        Seed of the draws; the same seed and audio give the same session.
    bias
        Added to TEXT_BEGIN's logit at every decision: above 0 more talkative, below 0 more reticent.
    mask
        Draw decisions from KEEP_SILENCE and TEXT_BEGIN only. Off: any token may come, and another one is a violation.
    strict
        Raise on a violation instead of noting it.
    system_prompt
        Text in the prefix; None for the one the checkpoint was trained with. The prefix stands at the context's very
        beginning, so another prompt starts the context over.
    context
        When the context is full: `slide` forgets the oldest chunks and keeps the prefix and all the others, `reset`
        starts over with the bare prefix, `stop` ends the session.
    context_limit
        Positions of the context, at most as many as the checkpoint was made for, and with `slide` at most 2048 where it
        rounds positions. None: with `slide` what the checkpoint was trained for (`Traits.context_seconds`), or 2000
        where it does not say or `context_seconds` is set; with `reset` 1500, as on the authors' web page; with `stop`
        all of them. `StreamingSession.context_limit` and every `Decision.limit` say what is in effect.
    context_seconds
        Seconds of audio in the context, in whole chunks; None for as many as the positions hold.
    forget_after_reply
        Start over after each reply, as the authors' web page does.
    max_new_tokens
        Tokens the session may draw, decisions included; None for 4096 with `stop` (card) and else for no limit.
    max_reply_tokens
        Tokens one reply may have; None for no limit but the context's.
    alternatives
        How many of the likeliest tokens each decision and token reports.
    """

    greedy: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    bias: float = 0.0
    mask: bool = True
    strict: bool = False
    system_prompt: str | None = None
    context: Literal["slide", "stop", "reset"] = "slide"
    context_limit: int | None = None
    context_seconds: float | None = None
    forget_after_reply: bool = False
    max_new_tokens: int | None = None
    max_reply_tokens: int | None = None
    alternatives: int = 5

    def __post_init__(self) -> None:
        for name in ("greedy", "mask", "strict", "forget_after_reply"):
            _check(self, name, bool, None, None, optional=False)
        _check(self, "temperature", float, 0, 100, above=True)
        _check(self, "top_k", int, 0, None)
        _check(self, "top_p", float, 0, 1, above=True)
        _check(self, "seed", int, 0, 2**63 - 1, optional=False)
        _check(self, "bias", float, -1000, 1000, optional=False)
        _check(self, "context_limit", int, 1, None)
        _check(self, "context_seconds", float, CHUNK_SECONDS, 86_400)
        _check(self, "max_new_tokens", int, 1, None)
        _check(self, "max_reply_tokens", int, 1, None)
        _check(self, "alternatives", int, 0, 100, optional=False)
        if self.context not in CONTEXTS:
            raise SettingError(f"context must be one of {', '.join(CONTEXTS)}, not {self.context!r}.", ("context",))
        if self.system_prompt is not None and not isinstance(self.system_prompt, str):
            raise SettingError(
                f"system_prompt must be text, not {type(self.system_prompt).__name__}.", ("system_prompt",)
            )

    @staticmethod
    def of(values: dict[str, Any]) -> Settings:
        """Settings from keyword arguments; an unknown name raises and names the nearest known one."""
        known = [item.name for item in fields(Settings)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."
                raise SettingError(f"There is no setting {name!r}{hint}", (name,))
        return Settings(**values)

    def changed(self, **values: Any) -> Settings:
        """A copy with some settings changed."""
        Settings.of(values)
        return replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """All settings as plain values."""
        return asdict(self)


def _refuse_assignment(_: Settings, name: str, value: object = None) -> None:
    raise ReadOnlyError(
        f"Settings are not changed in place: write session.change({name}={value!r}), or settings.changed(...) for a "
        "copy."
    )


# After the decorator, which would put its own in their place; its message does not say what to do instead.
Settings.__setattr__ = Settings.__delattr__ = _refuse_assignment  # type: ignore[assignment]


def _check(
    settings: Settings,
    name: str,
    kind: type,
    low: float | None,
    high: float | None,
    *,
    optional: bool = True,
    above: bool = False,
) -> None:
    value = getattr(settings, name)
    if value is None and optional:
        return
    accepted: tuple[type, ...] = {bool: (bool, np.bool_), int: (Integral,), float: (Real,)}[kind]
    fits = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    if fits:
        # A NumPy number becomes a plain one, which JSON knows.
        value = kind(value)
        object.__setattr__(settings, name, value)
    if fits and low is not None:
        fits = value > low if above else value >= low
    if fits and high is not None:
        fits = value <= high
    if not fits:
        word = {bool: "True or False", int: "a whole number", float: "a number"}[kind]
        bounds = "" if low is None else f" {'above' if above else 'of at least'} {low:g}"
        bounds += "" if high is None else f"{' and' if bounds else ''} at most {high:g}"
        raise SettingError(f"{name} must be {word}{bounds}, not {value!r}.", (name,))
