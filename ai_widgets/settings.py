"""Settings of a session, declared by the schema of `setting_schema`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .errors import ReadOnlyError
from .protocol import CHUNK_SECONDS
from .setting_schema import MAX_NUMBER, Declared, declared, setting

SLIDE_POSITIONS = 2000
"""Positions of a sliding context, about a minute, where the checkpoint does not say what it was trained for. It lies
below 2048, from where on the published weights round positions."""
RESET_POSITIONS = 1500
"""Positions after which the authors' web page clears its context (about 45 s); it applies to `context="reset"`."""
CARD_MAX_NEW_TOKENS = 4096
"""The model card's limit of a session; it applies to `context="stop"`."""
WIDGET_REPLY_TOKENS = 256
"""Tokens of one reply in the widget by default: a reply that does not end keeps a demonstration from listening."""

SAMPLING, CONTEXT = "Decisions and sampling", "Context and limits"
"""Groups of the settings panel and of the README's table."""


@declared
@dataclass(frozen=True, kw_only=True)
class Settings(Declared):
    """Settings of a session. None means the checkpoint's own value."""

    # fmt: off
    greedy: bool = setting(
        False, "Always take the most probable token, without a random draw.", label="Greedy", group=SAMPLING,
        more="The authors' command line does so.")
    temperature: float | None = setting(
        None, "Divides the logits before a token is drawn: a higher one makes draws more random.", label="Temperature",
        group=SAMPLING, low=0, high=100, above=True, unset="the checkpoint's own",
        more="The model card: 0.3. The authors' web page: 1.")
    top_k: int | None = setting(
        None, "Draw from the K likeliest tokens; 0 keeps all.", label="Top-k", group=SAMPLING, low=0,
        unset="the checkpoint's own", more="The model card: 3. The authors' web page: 0.")
    top_p: float | None = setting(
        None, "Draw from the likeliest tokens that together have this probability.", label="Top-p", group=SAMPLING,
        low=0, high=1, above=True, unset="the checkpoint's own")
    seed: int = setting(
        0, "Seed of the draws: the same seed and audio give the same session.", label="Seed", group=SAMPLING,
        low=0, high=MAX_NUMBER)
    bias: float = setting(
        0.0, "Added to the logit of TEXT_BEGIN at every decision: above 0 more replies, below 0 fewer.",
        label="Talkativeness", group=SAMPLING, low=-1000, high=1000, scale=(6, "silent", "talkative"))
    mask: bool = setting(
        True, "Draw decisions from KEEP_SILENCE and TEXT_BEGIN only.", label="Mask", group=SAMPLING,
        more="Off: any token may be drawn, and another one is a violation. On: the mass of all other tokens is "
        "reported as `p_other`. The authors' web page has it off.")
    strict: bool = setting(
        False, "Raise an error on a violation instead of recording a notice.", label="Strict", group=SAMPLING)
    alternatives: int = setting(
        5, "Number of likeliest tokens that each decision and each token of a reply reports.", label="Alternatives",
        group=SAMPLING, low=0, high=100)
    system_prompt: str | None = setting(
        None, "Text in the prefix; another one starts the context over at the next chunk.", label="System prompt",
        group=CONTEXT, lines=3, unset="the one the checkpoint was trained with")
    context: Literal["slide", "stop", "reset"] = setting(
        "slide", "What happens when the context is full.", label="When the context is full", group=CONTEXT,
        choices={"slide": "drop the oldest chunks", "stop": "end the session", "reset": "start over"},
        more="`slide` drops the oldest chunks and keeps the prefix and all the others, `stop` ends the session, "
        "`reset` starts over with the bare prefix, as the authors' web page does.")
    context_limit: int | None = setting(
        None, "Positions of the context, at most as many as the checkpoint was made for.", label="Positions",
        group=CONTEXT, low=1, unset="what the checkpoint was trained for",
        more="With `slide` at most 2048 where the checkpoint rounds positions. None: with `slide` what the checkpoint "
        f"was trained for (`Traits.context_seconds`), or {SLIDE_POSITIONS} where it does not say or `context_seconds` "
        f"is set; with `reset` {RESET_POSITIONS}, as on the authors' web page; with `stop` all of them. "
        "`StreamingSession.context_limit` and every `Decision.limit` say what is in effect.")
    context_seconds: float | None = setting(
        None, "Seconds of audio in the context, in whole chunks.", label="Seconds of audio", group=CONTEXT,
        low=CHUNK_SECONDS, high=86_400, unset="all that fit")
    forget_after_reply: bool = setting(
        False, "Start the context over after each reply, as the authors' web page does.", label="Forget after a reply",
        group=CONTEXT)
    max_new_tokens: int | None = setting(
        None, "Tokens that a session may draw, decisions included.", label="Tokens a session", group=CONTEXT, low=1,
        unset=f"{CARD_MAX_NEW_TOKENS} with `stop`, else no limit", more="The model card has this limit.")
    max_reply_tokens: int | None = setting(
        None, "Tokens that one reply may have.", label="Tokens a reply", group=CONTEXT, low=1,
        unset="no limit", more=f"The widget begins with {WIDGET_REPLY_TOKENS}.")
    # fmt: on


def _refuse_assignment(_: Settings, name: str, value: object = None) -> None:
    raise ReadOnlyError(
        f"Settings are not changed in place; call session.change({name}={value!r}), or settings.changed(…) for a copy."
    )


# After the decorator, which would put its own in their place; its message does not say what to do instead.
Settings.__setattr__ = Settings.__delattr__ = _refuse_assignment  # type: ignore[assignment]
