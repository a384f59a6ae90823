"""Framing: the tokens around the audio, from the checkpoint and the settings (docs/protocol.md §3)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SettingError
from ..model.interfaces import LanguageModel
from ..model.traits import EXACT_POSITIONS
from ..protocol import CHUNK_SECONDS, FRAMES_PER_CHUNK
from ..settings import RESET_POSITIONS, SLIDE_POSITIONS, Settings


@dataclass(frozen=True)
class Framing:
    """Tokens that a session feeds in addition to the drawn ones, and the size of its context.

    Attributes
    ----------
    prefix
        Token ids at the start of the context.
    block
        Token ids of one chunk, with PAD in place of each encoder frame.
    frames_at
        Index of the first PAD in `block`.
    limit
        Maximum number of positions in the context.
    """

    prefix: tuple[int, ...]
    block: tuple[int, ...]
    frames_at: int
    limit: int

    @staticmethod
    def of(model: LanguageModel, settings: Settings) -> Framing:
        """Compute the framing of a session.

        Raises
        ------
        SettingError
            If the context is too short for the prefix and one chunk.
        """
        traits = model.traits
        prompt = traits.system_prompt if settings.system_prompt is None else settings.system_prompt
        text = model.encode_text(prompt)
        prefix = [text if name == "PROMPT" else [traits.tokens[name]] for name in traits.prefix]
        frames = [traits.tokens["PAD"]] * FRAMES_PER_CHUNK
        block = [frames if name == "FRAMES" else [traits.tokens[name]] for name in traits.chunk]
        opening = tuple(token for part in prefix for token in part)
        fed = tuple(token for part in block for token in part)
        limit = _limit(model, settings, len(opening), len(fed) + 1)
        framing = Framing(opening, fed, traits.chunk.index("FRAMES"), limit)
        needed = len(framing.prefix) + len(framing.block) + 1
        if framing.limit < needed:
            raise SettingError(
                f"A context of {framing.limit} positions is too short: prefix, one chunk and one token need {needed}; "
                "raise context_limit or shorten system_prompt.",
                ("context_limit", "system_prompt"),
            )
        return framing


def _limit(model: LanguageModel, settings: Settings, prefix: int, chunk: int) -> int:
    """Compute the positions of the context from those of the `prefix` and of one silent `chunk`."""
    most = model.positions
    trained = model.traits.context_seconds
    usual = {"slide": SLIDE_POSITIONS, "reset": RESET_POSITIONS, "stop": most}[settings.context]
    if settings.context == "slide":
        if model.traits.rope_positions == "float16":
            # Beyond this limit the distance of two rounded positions depends on the positions, which sliding changes.
            most = min(most, EXACT_POSITIONS)
        if trained is not None and settings.context_seconds is None:
            # The prefix is added, so that a longer prompt than in training leaves as much room for audio.
            usual = prefix + round(trained / CHUNK_SECONDS) * chunk
    return min(settings.context_limit or usual, most)
