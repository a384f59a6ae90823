"""Location of the first NaN or infinity in a model, examined once after a logit was not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import NotFiniteError

if TYPE_CHECKING:
    from .interfaces import LanguageModel, TokenContext


def not_finite(
    model: LanguageModel, what: str, frames: Tensor | None, context: TokenContext, tokens: list[int], at: int
) -> NotFiniteError:
    """Build the error for logits that are not finite.

    Parameters
    ----------
    model, context
        Model, and context that ends with the failed step.
    what
        Description of the logits, such as "the decision on chunk 12".
    frames, tokens, at
        Input of the step: encoder frames (None for a reply token), token ids, index of the first frame.
    """
    placement = model.placement
    dtype = str(placement.dtype).removeprefix("torch.")
    if frames is not None and not bool(torch.isfinite(frames).all()):
        where = "the cause is in the audio encoder, whose frames of this chunk are not finite"
    else:
        where = f"the cause is in the language model{_layer(model, context, tokens, frames, at)}"
    if dtype == "float32":
        remedy = "With float32 this means that the weights are damaged: download the checkpoint again."
    else:
        remedy = f'{dtype} cannot represent these values; load the model with dtype="float32".'
    return NotFiniteError(
        f"The logits of {what} are not finite (NaN or infinity) with dtype {dtype} on {placement.device}; {where}. "
        f"{remedy}"
    )


def _layer(model: LanguageModel, context: TokenContext, tokens: list[int], frames: Tensor | None, at: int) -> str:
    """Find the first layer whose output is not finite, in words, by running the step again."""
    decoder: Any = model.decoder
    layers = getattr(getattr(getattr(decoder, "model", None), "model", None), "layers", None)
    if layers is None:
        return ""
    found: list[int] = []

    def watch(number: int) -> Any:
        def look(_module: object, _given: object, output: Any) -> None:
            hidden = output[0] if isinstance(output, tuple) else output
            if not found and not bool(torch.isfinite(hidden).all()):
                found.append(number)

        return look

    context.truncate(context.position - len(tokens))
    hooks = [layer.register_forward_hook(watch(number)) for number, layer in enumerate(layers)]
    try:
        decoder.feed(context, tokens, frames, at)
    finally:
        for hook in hooks:
            hook.remove()
    if found:
        return f", first in layer {found[0] + 1} of {len(layers)}"
    return ", in its output head"
