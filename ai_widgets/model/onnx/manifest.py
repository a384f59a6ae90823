"""Manifest of an exported checkpoint: all that an engine needs beside the two graphs. docs/page.md describes it.

It contains numbers and names, and no code. An engine computes from it what `audio.features`, `session` and
`model.sampling` compute, so that each constant is taken from where Python uses it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...audio import features
from ...errors import ExportError
from ...protocol import CHUNK_SAMPLES, FRAMES_PER_CHUNK, MELS_PER_CHUNK, SAMPLE_RATE
from ...setting_schema import Setting
from ...settings import CARD_MAX_NEW_TOKENS, RESET_POSITIONS, SLIDE_POSITIONS, Settings
from ..context import FIRST_CAPACITY
from ..fingerprint import fingerprint
from ..interfaces import LanguageModel
from ..traits import EXACT_POSITIONS
from .graphs import STEP_INPUTS, STEP_OUTPUTS, TOWER_INPUTS, TOWER_OUTPUTS

FORMAT = 1
"""Version of the manifest. An engine refuses another one; fields are only added within a version."""
FILE, TOWER_FILE, STEP_FILE = "manifest.json", "tower.onnx", "step.onnx"
"""Names of the three files of an exported checkpoint."""
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""Regular expression by which tokenizers' `ByteLevel` splits a text into words before byte pairs are merged."""


def manifest(model: Any, files: dict[str, Any], check: dict[str, Any]) -> dict[str, Any]:
    """Build the manifest of a model.

    Parameters
    ----------
    model
        `inference.Model`.
    files
        Facts about each graph: `file`, `bytes`, `sha256`, `float16` (share of the weights stored as such).
    check
        Facts about the comparison with torch.

    Raises
    ------
    ExportError
        If the tokenizer is not a byte-level BPE.
    """
    traits, shape = model.traits, model.decoder.model.shape
    return {
        "format": FORMAT,
        "made_by": f"ai_widgets {__version__}",
        "model": {
            "name": public_name(model.name),
            "kind": "model",
            "revision": model.revision,
            "fingerprint": fingerprint(model),
            "dtype": "float32",
            "positions": model.positions,
            "traits": traits.to_json(),
        },
        "files": files,
        "check": check,
        "shape": {
            "width": shape.width,
            "layers": shape.layers,
            "key_heads": shape.key_heads,
            "head_size": shape.head_size,
            "vocabulary": model.decoder.vocabulary,
            "tower_inputs": list(TOWER_INPUTS),
            "tower_outputs": list(TOWER_OUTPUTS),
            "step_inputs": list(STEP_INPUTS),
            "step_outputs": list(STEP_OUTPUTS),
        },
        "rope": {
            "positions": traits.rope_positions,
            "exact_positions": EXACT_POSITIONS,
            "frequencies": model.decoder.model.model.rotary_emb.inv_freq.double().tolist(),
        },
        "tokens": dict(traits.tokens.ids),
        "emotions": {emotion.value: token for emotion, token in traits.tokens.emotions.items()},
        "framing": {
            "prefix": list(traits.prefix),
            "chunk": list(traits.chunk),
            "frames": FRAMES_PER_CHUNK,
            "system_prompt": traits.system_prompt,
            "system_prompt_ids": model.encode_text(traits.system_prompt),
        },
        "context": {
            "positions": model.positions,
            "trained_seconds": traits.context_seconds,
            "slide_positions": SLIDE_POSITIONS,
            "reset_positions": RESET_POSITIONS,
            "stop_max_new_tokens": CARD_MAX_NEW_TOKENS,
            "first_capacity": FIRST_CAPACITY,
        },
        "sampling": {
            "temperature": model.rule.temperature,
            "top_k": model.rule.top_k,
            "top_p": model.rule.top_p,
        },
        "settings": [_setting(each) for each in Settings.schema],
        "features": log_mel_facts(),
        "vocabulary": vocabulary(model),
    }


def public_name(name: str) -> str:
    """Return the name of a model for a page that others read: of a folder its last part, not where it lies."""
    path = Path(name)
    return path.resolve().name if path.is_dir() else name


def _setting(each: Setting) -> dict[str, Any]:
    bounds = {"optional": each.optional, "low": each.low, "high": each.high, "above": each.above}
    return {**each.described(), **bounds, "longest": each.longest, "allowed": each.allowed}


def log_mel_facts() -> dict[str, Any]:
    """Return the constants of the log-mel features, and the mel filters without their zeros.

    A filter is `[first, weights]`: the index of its first frequency bin, and the weights from there on.
    """
    filters = []
    for column in features.mel_filters().T:
        used = np.flatnonzero(column)
        first, last = (int(used[0]), int(used[-1])) if len(used) else (0, -1)
        filters.append([first, column[first : last + 1].tolist()])
    return {
        "sample_rate": SAMPLE_RATE,
        "chunk_samples": CHUNK_SAMPLES,
        "mels_per_chunk": MELS_PER_CHUNK,
        "bins": features.MEL_BINS,
        "window": features.N_FFT,
        "hop": features.HOP,
        "left_context": features.LEFT_CONTEXT,
        "least_power": features.LEAST_POWER,
        "dynamic_range": features.DYNAMIC_RANGE,
        "thumbnail": {
            "bands": features.THUMBNAIL_BANDS,
            "frames": features.THUMBNAIL_FRAMES,
            "low": features.THUMBNAIL_LOW,
            "range": features.THUMBNAIL_RANGE,
        },
        "filters": filters,
    }


def vocabulary(model: LanguageModel) -> dict[str, Any]:
    """Return what encodes a system prompt, and decodes replies and the names of tokens.

    Raises
    ------
    ExportError
        If the tokenizer is not a byte-level BPE.
    """
    content = json.loads(model.tokenizer.to_str())  # type: ignore[attr-defined]
    bpe, decoder = content["model"], content.get("decoder") or {}
    if bpe.get("type") != "BPE" or decoder.get("type") != "ByteLevel" or bpe.get("byte_fallback"):
        raise ExportError(
            f"{model.name} has a tokenizer of type {bpe.get('type')} with the decoder {decoder.get('type')}; a page "
            "reads byte-level BPE, as Qwen2's tokenizer is."
        )
    table = {character: byte for byte, character in byte_characters().items()}
    pieces: list[str | None] = [None] * model.decoder.vocabulary
    for text, token in bpe["vocab"].items():
        if token < len(pieces):
            raw = bytes(table[c] for c in text) if all(c in table for c in text) else text.encode("utf-8")
            pieces[token] = b64encode(raw).decode("ascii")
    added = {each["content"]: each for each in content.get("added_tokens", ())}
    for text, each in added.items():
        if each["id"] < len(pieces):
            pieces[each["id"]] = None if each["special"] else b64encode(text.encode("utf-8")).decode("ascii")
    for token in range(len(pieces)):
        if model.traits.tokens.name(token) is not None:
            pieces[token] = None
    ids, merges = bpe["vocab"], []
    for merge in bpe["merges"]:
        left, right = merge if isinstance(merge, list) else merge.split(" ")
        merges.append([ids[left], ids[right], ids[left + right]])
    return {
        "texts": [model.token_text(token) for token in range(len(pieces))],
        "pieces": pieces,
        "bytes": [ids.get(character, -1) for character in byte_characters().values()],
        "merges": merges,
        "added": {text: each["id"] for text, each in added.items()},
        "normalizer": (content.get("normalizer") or {}).get("type"),
        "pattern": _pattern(content.get("pre_tokenizer") or {}),
    }


def _pattern(pre_tokenizer: dict[str, Any]) -> str | None:
    """Return the regular expression that splits a text into words, in the syntax of tokenizers; None for one word."""
    for part in pre_tokenizer.get("pretokenizers", [pre_tokenizer]):
        if part.get("type") == "Split":
            found = part["pattern"].get("Regex")
            return None if found is None else str(found)
        if part.get("type") == "ByteLevel" and part.get("use_regex", True):
            return GPT2_PATTERN
    return None


def byte_characters() -> dict[int, str]:
    """Return the printable character by which a byte-level tokenizer writes each byte, in the order of the bytes.

    Source: GPT-2's encoder; tokenizers' `ByteLevel` has the same table.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return dict(sorted(characters.items()))
