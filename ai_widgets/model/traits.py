"""Traits of a checkpoint: training-dependent facts that the program reads instead of assuming.

A folder may contain them in `audio_interaction.json`, or under `audio_interaction` in its config.json, as `convert`
writes it. The published release contains neither, and its special tokens are reused rare vocabulary entries that the
tokenizer does not name. Therefore its traits are part of this package (`published.json`), and apply to every folder
without traits.
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
"""Version of the traits file."""
TRAITS_FILE = "audio_interaction.json"
"""File of the traits in a checkpoint folder."""
CONFIG_FILE = "config.json"
"""Configuration file of transformers, which contains the traits of a converted folder."""
CONFIG_KEY = "audio_interaction"
"""Key of the traits in `CONFIG_FILE`."""
EXACT_POSITIONS = 2048
"""Number of positions that float16 represents exactly; beyond it rounded positions change the attention."""
MODEL_TYPE = "audio_interaction"
"""`model_type` in the config.json of a converted folder; `ai_widgets.transformers` registers it."""
ROPE_POSITIONS = ("exact", "float16")
"""Allowed values of `Traits.rope_positions`."""
PREFIX_WORDS = ("PROMPT",)
"""Names in `Traits.prefix` that are not special tokens."""
CHUNK_WORDS = ("FRAMES",)
"""Names in `Traits.chunk` that are not special tokens."""
LONGEST_CONTEXT_S = 86_400.0
"""Maximum of `Traits.context_seconds`, in seconds: a day, as for `Settings.context_seconds`."""


@dataclass(frozen=True)
class Traits:
    """Training-dependent facts of a checkpoint.

    Attributes
    ----------
    name
        Name of the checkpoint.
    tokens
        Special-token table.
    prefix
        Token names at the start of the context, in order; `PROMPT` is the system prompt.
    chunk
        Token names of one chunk's block, in order; `FRAMES` is the ten PADs that the encoder frames replace.
    rope_positions
        `float16` if the weights were trained on positions rounded through float16 (docs/protocol.md §6), else `exact`.
    system_prompt
        System prompt used in training.
    context_seconds
        Default length of a sliding context, in seconds of audio without replies: approximately the context length of
        nearly all decisions in training. None if unknown.
    offline_tasks
        Whether the checkpoint was trained on the offline tasks (docs/protocol.md §4).
    """

    name: str
    tokens: SpecialTokens
    prefix: tuple[str, ...]
    chunk: tuple[str, ...]
    rope_positions: str
    system_prompt: str
    context_seconds: float | None = None
    offline_tasks: bool = True

    def to_json(self) -> dict[str, Any]:
        """Convert the traits to the content of a traits file. `from_json` is the inverse."""
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
            **({} if self.offline_tasks else {"offline_tasks": False}),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any], source: str) -> Traits:
        """Build traits from the content of a traits file; `source` names the file in errors.

        Raises
        ------
        CheckpointError
            If a field is missing or has a value that is not allowed.
        """
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
                values.get("offline_tasks", True) is True,
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
    """Read the seconds of `{"seconds": …}`; None if `context` is None."""
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
    """Read the traits of a checkpoint folder; without a traits file those of the published release.

    Raises
    ------
    CheckpointError
        If the traits file is not valid.
    """
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
