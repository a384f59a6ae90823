"""Traits of a checkpoint: what the weights were trained with and the program must not assume.

A folder may hold them in `audio_interaction.json`, or under `audio_interaction` in its config.json, as `convert` writes
it. The published release has neither, and its special tokens are re-used rare vocabulary entries that the tokenizer
does not name: its traits ship as `published.json` and serve every folder without its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..protocol import CHUNK_SECONDS
from ..special_tokens import Emotion, SpecialTokens

FORMAT = 1
TRAITS_FILE = "audio_interaction.json"
CONFIG_FILE = "config.json"
CONFIG_KEY = "audio_interaction"
MODEL_TYPE = "audio_interaction"
"""What the config.json of a converted folder calls its kind of model; `ai_widgets.transformers` registers it."""
ROPE_POSITIONS = ("exact", "float16")
PREFIX_WORDS = ("PROMPT",)
CHUNK_WORDS = ("FRAMES",)
LONGEST_CONTEXT_S = 86_400.0
"""Seconds that a context may be said to hold, a day, as in `Settings.context_seconds`: more can only be a mistake."""


@dataclass(frozen=True)
class Traits:
    """What a session must know of its checkpoint.

    Attributes
    ----------
    tokens
        The special-token table.
    prefix
        Names of the online prefix in order; `PROMPT` stands for the system prompt's tokens.
    chunk
        Names of one listening block in order; `FRAMES` stands for the ten PADs that encoder frames replace.
    rope_positions
        `float16` where the weights were trained on positions rounded through float16 (docs/protocol.md §6), else
        `exact`.
    system_prompt
        The prompt it was trained with.
    context_seconds
        Seconds of audio, without any replies, that a sliding context holds by default: about as many as nearly all of
        the decisions were trained with. None where the folder does not say.
    """

    name: str
    tokens: SpecialTokens
    prefix: tuple[str, ...]
    chunk: tuple[str, ...]
    rope_positions: str
    system_prompt: str
    context_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Content of a traits file, which `from_json` reads."""
        context = {} if self.context_seconds is None else {"context": {"seconds": self.context_seconds}}
        return {
            "format": FORMAT,
            "name": self.name,
            "special_tokens": dict(self.tokens.ids),
            "emotions": {emotion.name: token for emotion, token in self.tokens.emotions.items()},
            "rope_positions": self.rope_positions,
            "system_prompt": self.system_prompt,
            "framing": {"prefix": list(self.prefix), "chunk": list(self.chunk)},
            **context,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any], source: str) -> Traits:
        """Check and take over the content of a traits file; `source` names it in errors."""
        try:
            tokens = SpecialTokens(
                {str(name): int(token) for name, token in values["special_tokens"].items()},
                {Emotion[name]: int(token) for name, token in values.get("emotions", {}).items()},
            )
            traits = Traits(
                str(values["name"]),
                tokens,
                tuple(map(str, values["framing"]["prefix"])),
                tuple(map(str, values["framing"]["chunk"])),
                str(values["rope_positions"]),
                str(values["system_prompt"]),
                _context_seconds(values.get("context"), source),
            )
        except CheckpointError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"{source} is not a valid traits file: {error!r} is missing or has the wrong type."
            ) from error
        below = [name for name, token in tokens.ids.items() if token < 0]
        below += [emotion.name for emotion, token in tokens.emotions.items() if token < 0]
        if below:
            raise CheckpointError(f"{source}: the token ids of {', '.join(below)} are negative.")
        if traits.rope_positions not in ROPE_POSITIONS:
            raise CheckpointError(
                f"{source}: rope_positions must be one of {', '.join(ROPE_POSITIONS)}, not {traits.rope_positions!r}."
            )
        for part, words in ((traits.prefix, PREFIX_WORDS), (traits.chunk, CHUNK_WORDS)):
            unknown = [name for name in part if name not in tokens.ids and name not in words]
            if unknown or any(part.count(word) != 1 for word in words):
                raise CheckpointError(
                    f"{source}: the framing {list(part)} must hold special-token names, and {words[0]} exactly once."
                )
        if traits.chunk[0] == "FRAMES":
            raise CheckpointError(f"{source}: a listening block must begin with a token, not with FRAMES.")
        return traits


def _context_seconds(context: Any, source: str) -> float | None:
    """Seconds of `{"seconds": …}`; None where there is nothing."""
    if context is None:
        return None
    seconds = context.get("seconds") if isinstance(context, Mapping) else None
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is None or not number or not CHUNK_SECONDS <= seconds <= LONGEST_CONTEXT_S:
        raise CheckpointError(
            f'{source}: context must be {{"seconds": number}} with {CHUNK_SECONDS:g} to {LONGEST_CONTEXT_S:g} seconds, '
            f"not {context!r}."
        )
    return float(seconds)


def read_traits(folder: Path) -> Traits:
    """Traits of a checkpoint folder, or those of the published release where it has none of its own."""
    path, config = folder / TRAITS_FILE, folder / CONFIG_FILE
    if path.exists():
        return Traits.from_json(_parsed(path, str(path)), str(path))
    if config.exists():
        values = _parsed(config, str(config))
        if isinstance(values, dict) and CONFIG_KEY in values:
            return Traits.from_json(values[CONFIG_KEY], f"{config} ({CONFIG_KEY})")
    published = resources.files(__package__).joinpath("published.json")
    return Traits.from_json(json.loads(published.read_bytes()), "published.json")


def _parsed(path: Path, source: str) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{source} is not valid JSON: {error}.") from error
