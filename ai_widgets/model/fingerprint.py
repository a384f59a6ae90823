"""Fingerprint of a model's weights: whether two processes computed with the same checkpoint."""

from __future__ import annotations

import hashlib
from weakref import WeakKeyDictionary

import torch

from .interfaces import LanguageModel

SAMPLES = 256
"""Values read of each tensor, evenly spaced: training changes all of them, and a model of 8 GB takes milliseconds."""

_KNOWN: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def fingerprint(model: LanguageModel) -> str:
    """Return the SHA-256 over name, shape, dtype and `SAMPLES` values of each weight, as 64 hexadecimal digits.

    The weights are compared as they are in memory: another dtype or quantisation has another fingerprint. Computed once
    a model.

    Examples
    --------
    >>> fingerprint(load_model("tiny"))[:8]
    """
    decoder = model.decoder
    known = _KNOWN.get(decoder)
    if known is None:
        digest = hashlib.sha256()
        for part in (getattr(model.encoder, "tower", None), getattr(decoder, "model", None)):
            if isinstance(part, torch.nn.Module):
                _add(digest, part)
        known = _KNOWN[decoder] = digest.hexdigest()
    return known


@torch.inference_mode()
def _add(digest: hashlib._Hash, module: torch.nn.Module) -> None:
    for name, tensor in module.named_parameters():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().reshape(-1)
        step = max(1, flat.numel() // SAMPLES)
        digest.update(flat[::step][:SAMPLES].to("cpu", torch.float64).numpy().tobytes())
