"""Facts that an exported page shows: model, date, settings and names of the tokens, from a record's header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol import FRAMES_PER_CHUNK

MAX_PREFIX = 2000
"""Tokens of the prefix that a page gets, far more than a sensible system prompt has."""


def page_facts(header: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a record's header, as `Header.to_json` writes it, to the facts of a page. What is missing stays empty.

    Parameters
    ----------
    header
        `created`, `model`, `settings`, `framing` and `versions`, all optional.

    Returns
    -------
    dict
        `model`, `detail`, `created` (text), `settings` (mapping), `tokens` (ids by name), `prefix` (token id and text
        each), `block` (name, token id and count each) and `limit`.
    """
    model, framing = _mapping(header, "model"), _mapping(header, "framing")
    traits = _mapping(model, "traits")
    tokens = {**_mapping(traits, "special_tokens"), **_mapping(traits, "emotions")}
    texts = _mapping(framing, "texts")
    prefix = framing.get("prefix")
    return {
        "model": str(model.get("name") or ""),
        "detail": str(model.get("placement") or ""),
        "created": str(header.get("created") or ""),
        "settings": dict(_mapping(header, "settings")),
        "tokens": tokens,
        "prefix": [
            [token, str(texts.get(str(token), ""))]
            for token in (prefix if isinstance(prefix, list) else [])[:MAX_PREFIX]
        ],
        "block": _block(_mapping(traits, "framing").get("chunk"), tokens),
        "limit": framing.get("limit") if isinstance(framing.get("limit"), int) else 0,
    }


def _block(names: Any, tokens: Mapping[str, Any]) -> list[list[Any]]:
    parts = [
        (name, "PAD", FRAMES_PER_CHUNK) if name == "FRAMES" else (name, name, 1)
        for name in (names if isinstance(names, list) else [])
    ]
    return [[name, tokens[token], count] for name, token, count in parts if token in tokens]


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}
