"""Configuration files of a checkpoint folder: sizes, the tower's configuration, sampling defaults, the tokenizer.

Files are not trusted: for any content, a function returns valid values or raises `CheckpointError`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from tokenizers import Tokenizer

from ..audio.features import MEL_BINS
from ..errors import CheckpointError
from .sampling import SamplingRule
from .traits import CONFIG_FILE, CONFIG_KEY

LITGPT_CONFIG = "model_config.yaml"
"""Configuration of the language model in a folder of LitGPT."""
TOWER_CONFIG = "qwen25OmniConfig/config.json"
"""Configuration of the audio tower in the published release."""
CONFIGURATION_PATTERNS = ("*.json", "*.yaml")
"""Patterns of a checkpoint's files without weights: at most some megabytes, of which the tokenizer is the largest."""
WEIGHT_PATTERNS = ("*.safetensors", "*ChunkwisedEncoder.pth")
"""Patterns of its files of weights."""
FILE_PATTERNS = (*WEIGHT_PATTERNS, *CONFIGURATION_PATTERNS)
"""Patterns of the files that belong to a checkpoint; other files are not downloaded."""
NAMES_SHOWN = 6
"""Maximum number of names that an error message lists; further names are counted."""
TOWER_KEY = "audio_config"
"""Key of the tower's configuration; in a converted folder it is in config.json, next to the traits."""
RULE_FILE = "generation_config.json"
"""File of the sampling defaults."""
CARD_RULE = SamplingRule(temperature=0.3, top_k=3)
"""Sampling of the published model's card (docs/protocol.md §1), for a folder without sampling settings."""
LARGEST = 100_000_000
"""Maximum of a size in a configuration. No real model exceeds it, and a damaged file must not make the program allocate
unlimited memory."""
MOST_LAYERS = 1000
"""Maximum number of layers, for the same reason as `LARGEST`."""


@dataclass(frozen=True)
class LanguageModelShape:
    """Sizes of the language model, independent of the configuration file's format."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    mlp: int
    positions: int
    rope_base: float
    norm_eps: float
    tied: bool

    @property
    def query_rows(self) -> int:
        """Number of rows of the query projection."""
        return self.heads * self.head_size

    @property
    def key_rows(self) -> int:
        """Number of rows of the key projection, and of the value projection."""
        return self.key_heads * self.head_size

    def problem(self) -> str | None:
        """Return the first invalid size, in words, or None."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                return f"{field.name} is {value}"
            if field.name not in ("rope_base", "norm_eps", "tied") and not 0 < value <= LARGEST:
                return f"{field.name} is {value}"
        if self.layers > MOST_LAYERS:
            return f"{self.layers} layers are more than {MOST_LAYERS}"
        if self.heads % self.key_heads:
            return f"{self.heads} heads cannot share {self.key_heads} key heads"
        if self.head_size % 2:
            return f"a head's size of {self.head_size} is odd"
        if self.rope_base <= 0 or self.norm_eps <= 0:
            return "rope_base and norm_eps must be above 0"
        return None


def files_of(folder: Path) -> list[Path]:
    """List the files of a folder that belong to a checkpoint, sorted by path."""
    found = {path for pattern in FILE_PATTERNS for path in folder.glob(pattern)} | {folder / TOWER_CONFIG}
    return sorted(path for path in found if path.is_file())


def names_shown(names: list[str]) -> str:
    """Format names for a sentence: the first `NAMES_SHOWN`, and the number of further ones."""
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that contains a JSON object.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or contains something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} must hold a JSON object, not {type(values).__name__}.")
    return values


def read_shape(folder: Path) -> LanguageModelShape:
    """Read the sizes of the language model from `model_config.yaml` (LitGPT) or `config.json` (Qwen2).

    Raises
    ------
    CheckpointError
        If neither file exists, or the file is not a valid configuration.
    """
    litgpt, qwen2 = folder / LITGPT_CONFIG, folder / CONFIG_FILE
    if not litgpt.exists() and not qwen2.exists():
        raise CheckpointError(f"{folder} is not a checkpoint: it has neither {LITGPT_CONFIG} nor {CONFIG_FILE}.")
    source = litgpt if litgpt.exists() else qwen2
    try:
        if litgpt.exists():
            shape = _litgpt(yaml.safe_load(litgpt.read_text(encoding="utf-8")))
        else:
            shape = _qwen2(read_json(qwen2))
    except CheckpointError:
        raise
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        yaml.YAMLError,
    ) as error:
        raise CheckpointError(f"{source} is not a valid model configuration: {_one_line(error)}.") from error
    problem = shape.problem()
    if problem is not None:
        raise CheckpointError(f"{source} is not a valid model configuration: {problem}.")
    return shape


def _litgpt(c: Any) -> LanguageModelShape:
    heads = int(c["n_head"])
    return LanguageModelShape(
        vocabulary=int(c["padded_vocab_size"]),
        width=int(c["n_embd"]),
        layers=int(c["n_layer"]),
        heads=heads,
        key_heads=int(c.get("n_query_groups") or heads),
        head_size=int(c.get("head_size") or c["n_embd"] // heads),
        mlp=int(c["intermediate_size"]),
        positions=int(c["block_size"]),
        rope_base=float(c["rope_base"]),
        norm_eps=float(c["norm_eps"]),
        tied=False,
    )


def _qwen2(c: Any) -> LanguageModelShape:
    heads = int(c["num_attention_heads"])
    base = c.get("rope_theta") or (c.get("rope_parameters") or {})["rope_theta"]
    return LanguageModelShape(
        vocabulary=int(c["vocab_size"]),
        width=int(c["hidden_size"]),
        layers=int(c["num_hidden_layers"]),
        heads=heads,
        key_heads=int(c.get("num_key_value_heads") or heads),
        head_size=int(c.get("head_dim") or c["hidden_size"] // heads),
        mlp=int(c["intermediate_size"]),
        positions=int(c["max_position_embeddings"]),
        rope_base=float(base),
        norm_eps=float(c["rms_norm_eps"]),
        tied=bool(c.get("tie_word_embeddings", False)),
    )


def read_tower_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of the audio tower from the release's file or the config.json of a converted folder.

    Raises
    ------
    CheckpointError
        If neither file contains a valid configuration.
    """
    nested = folder / TOWER_CONFIG
    if nested.exists():
        source, values = nested, read_json(nested).get("thinker_config")
    else:
        source = folder / CONFIG_FILE
        values = read_json(source).get(CONFIG_KEY) if source.exists() else None
        if values is None:
            raise CheckpointError(f"{folder} lacks the encoder's configuration {TOWER_CONFIG}.")
    config = values.get(TOWER_KEY) if isinstance(values, dict) else None
    if not isinstance(config, dict):
        raise CheckpointError(f"{source} contains no valid thinker_config.audio_config.")
    for name, value in config.items():
        limit = MOST_LAYERS if name.endswith("layers") else LARGEST
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > limit:
            raise CheckpointError(f"{source}: {name} is {value}, more than {limit}.")
    if config.get("num_mel_bins", MEL_BINS) != MEL_BINS:
        raise CheckpointError(f"{source}: num_mel_bins must be {MEL_BINS}, not {config['num_mel_bins']!r}.")
    return config


def read_rule(folder: Path) -> tuple[SamplingRule, tuple[str, ...]]:
    """Read the checkpoint's sampling defaults.

    Returns
    -------
    SamplingRule, tuple of str
        The checkpoint's rule, or the model card's with a sentence that says so.

    Raises
    ------
    CheckpointError
        If the file exists and is not valid.
    """
    path = folder / RULE_FILE
    values = read_json(path) if path.exists() else None
    if values is None or not any(values.get(name) for name in ("temperature", "top_k", "top_p")):
        lacks = f"{folder} has no {RULE_FILE}" if values is None else f"{path} names no temperature, top_k or top_p"
        note = (
            f"{lacks}, so the model card's sampling is used: temperature={CARD_RULE.temperature}, "
            f"top_k={CARD_RULE.top_k}; add the file, or set temperature and top_k in the session's settings."
        )
        return CARD_RULE, (note,)
    try:
        rule = SamplingRule(
            temperature=float(values.get("temperature") or 1.0),
            top_k=int(values["top_k"]) if values.get("top_k") else None,
            top_p=float(values.get("top_p") or 1.0),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise CheckpointError(f"{path} is not a valid generation configuration: {_one_line(error)}.") from error
    return rule, ()


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read the folder's tokenizer.

    Raises
    ------
    CheckpointError
        If `tokenizer.json` is missing or not valid.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        raise CheckpointError(f"{folder} lacks tokenizer.json.")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust library raises bare Exception for every malformed file
        raise CheckpointError(f"{path} is not a valid tokenizer: {_one_line(error)}.") from error


def _one_line(error: BaseException) -> str:
    """Return the message of an error without line breaks and without the final full stop."""
    words = " ".join(str(error).split()) if not isinstance(error, KeyError) else f"{error} is missing"
    return (words or type(error).__name__).rstrip(".")
