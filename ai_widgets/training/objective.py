"""Compute the loss of a batch and the figures to log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ai_widgets.training.batches import Batch
from ai_widgets.training.network import Network


@dataclass(frozen=True)
class Weights:
    """Weights of the parts of the loss; each part is a mean over its positions.

    `silence` is the weight of a decision for KEEP_SILENCE relative to one for TEXT_BEGIN: above 1 for a model that
    rather misses a reply than gives a false one. `ordinals` is the weight of the ordinals of replies relative to other
    text: there are few of them, and only they tell whether a network counts.
    """

    decision: float = 4.0
    text: float = 0.6
    kinds: float = 0.3
    words: float = 0.3
    phones: float = 0.0
    silence: float = 1.0
    ordinals: float = 1.0


def loss(
    network: Network,
    batch: Batch,
    weights: Weights,
    keep: int,
    bfloat16: bool = False,
    compute: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ordinals: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the weighted loss, and its parts and decision figures.

    The figures are tensors of one number on the network's device: to read one waits for the device.

    Parameters
    ----------
    network, batch
        Network to run on the batch.
    weights
        Weights of the parts.
    keep
        Token id of KEEP_SILENCE.
    bfloat16
        Whether the tower and the language model compute in bfloat16; the loss is always float32.
    compute
        The compiled forward pass of the network; None to use the network.
    ordinals
        Token ids of the ordinals, which have a weight of their own; None for the weight of other text.
    """
    with torch.autocast(batch.mels.device.type, torch.bfloat16, enabled=bfloat16):
        forward = network if compute is None else compute
        frames, hidden = forward(batch.mels, batch.tokens, batch.at)
    frames, flat = frames.float(), hidden.float().reshape(-1, hidden.shape[-1])
    labels = batch.labels.reshape(-1)

    decided, spoken, said = batch.decided, batch.spoken, batch.said
    learnt = torch.cat([decided, spoken])
    logits = network.logits(flat[learnt])
    each = functional.cross_entropy(logits, labels[learnt], reduction="none")
    silent = labels[decided] == keep
    heavier = torch.where(silent, weights.silence, 1.0)
    decision = (each[: len(decided)] * heavier).mean()
    words_lost = each[len(decided) :]
    if ordinals is not None:
        counting = torch.isin(labels[spoken], ordinals)
        words_lost = torch.where(counting, weights.ordinals, 1.0) * words_lost
    text = words_lost.sum() / max(1, len(spoken))

    kind, word = batch.kind.reshape(-1), batch.word.reshape(-1)
    heard = flat[batch.at]
    tower_kinds = functional.cross_entropy(network.tower_kinds(frames.reshape(-1, frames.shape[-1])), kind)
    lm_kinds = functional.cross_entropy(network.lm_kinds(heard), kind)
    word_logits = network.lm_words(heard[said])
    words = functional.cross_entropy(word_logits, word[said]) if len(said) else text.detach() * 0

    phones = _phones(network, heard, batch) if weights.phones else None

    total = weights.decision * decision + weights.text * text
    total = total + weights.kinds * (tower_kinds + lm_kinds) + weights.words * words
    if phones is not None:
        total = total + weights.phones * phones
    with torch.no_grad():
        replied = logits[: len(decided)].argmax(1) != keep
        report = {
            "loss": total.detach(), "decision": decision.detach(), "text": text.detach(), "kinds": lm_kinds.detach(),
            "words": words.detach(), "recall": _share(replied, ~silent), "false": _share(replied, silent),
            "spoken": _share(logits[len(decided):].argmax(1) == labels[spoken]),
        }  # fmt: skip
        if phones is not None:
            report["phones"] = phones.detach()
        if ordinals is not None:
            report["counted"] = _share(logits[len(decided) :].argmax(1) == labels[spoken], counting)
        if len(said):
            report["words_right"] = _share(word_logits.argmax(1) == word[said])
    return total, report


def _share(found: Tensor, among: Tensor | None = None) -> Tensor:
    """Compute the share of True among the places where `among` is True; 1 where there are none."""
    counted = torch.ones_like(found) if among is None else among
    total = counted.sum()
    return torch.where(total > 0, (found & counted).sum() / total.clamp(min=1), 1.0)


def _phones(network: Network, heard: Tensor, batch: Batch) -> Tensor | None:
    """Compute the mean CTC loss per phone over the rows with known phones; None without such rows."""
    rows = [row for row, said in enumerate(batch.phones) if said]
    if network.lm_phones is None or not rows:
        return None
    each = network.lm_phones(heard).view(len(batch.phones), -1, network.lm_phones.out_features)[rows]
    lengths = torch.tensor([len(batch.phones[row]) for row in rows])
    spoken = torch.tensor([phone for row in rows for phone in batch.phones[row]])
    return functional.ctc_loss(
        each.log_softmax(-1).transpose(0, 1),
        spoken.to(each.device),
        torch.full((len(rows),), each.shape[1]),
        lengths,
        zero_infinity=True,
    )
