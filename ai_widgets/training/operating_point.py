"""Where a trained network stands between silence and talk: the logit of TEXT_BEGIN moved by a constant.

Which operating point of its curve a network ends at depends on the mixture it was trained on. It is moved afterwards,
without rules beside the model: the output row of TEXT_BEGIN gets the vector whose product with the hidden state is the
wanted constant at every decision, by least squares over training streams.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ai_widgets.training.batches import Batch
from ai_widgets.training.network import Network
from ai_widgets.training.vocabulary import Vocabulary

REPLY_WEIGHT = 20.0
"""Decisions to reply are rare, and count as so many others."""
RIDGE = 1e-3


@torch.no_grad()
def move(network: Network, words: Vocabulary, batches: Iterable[Batch], by: float) -> float:
    """Add `by` to the logit of TEXT_BEGIN at every decision.

    Parameters
    ----------
    network
        Changed in place.
    words
        Its vocabulary.
    batches
        Streams to fit on.
    by
        Natural logits; below 0 for fewer replies.

    Returns
    -------
    float
        Standard deviation of what was added, over the decisions of these streams.
    """
    begin = words.ids["TEXT_BEGIN"]
    hidden, weights = [], []
    for batch in batches:
        _, states = network(batch.mels, batch.tokens, batch.at)
        hidden.append(states.reshape(-1, states.shape[-1])[batch.decisions].double())
        due = batch.labels.reshape(-1)[batch.decisions] == begin
        weights.append(torch.where(due, REPLY_WEIGHT, 1.0).double())
    rows, weight = torch.cat(hidden), torch.cat(weights)[:, None]
    width = rows.shape[1]
    ridge = RIDGE * len(rows) / width * torch.eye(width, dtype=torch.float64)
    moved: Tensor = torch.linalg.solve((rows * weight).T @ rows + ridge, (rows * weight).sum(0) * by)
    network.lm.lm_head.weight[begin] += moved.float()
    return float((rows @ moved).std())
