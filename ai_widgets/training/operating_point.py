"""Where a trained network stands between silence and talk, and between a word and "I only know a few words".

Which operating points of its curves a network ends at depends on the mixture it was trained on. They are moved
afterwards, without rules beside the model: the output rows of TEXT_BEGIN, or of the words with which it says that it
knows none, get the vector whose product with the hidden state is the wanted constant wherever that is decided (and,
for text, 0 elsewhere), by least squares over training streams.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ai_widgets.training import replies
from ai_widgets.training.batches import Batch
from ai_widgets.training.labels import REPLY_SPEECH
from ai_widgets.training.lexicon import WORDS
from ai_widgets.training.network import Network
from ai_widgets.training.token_sequences import IGNORED
from ai_widgets.training.vocabulary import Vocabulary

REPLY_WEIGHT = 20.0
"""Decisions to reply are rare, and count as so many others."""
RIDGE = 1e-3


@dataclass(frozen=True)
class Naming:
    """Token ids of the point where a reply to speech names a word or says that it knows none.

    Attributes
    ----------
    before
        Which come before it ("You said", "I heard").
    unknown
        Which say there that the word is not known.
    """

    before: tuple[int, ...]
    unknown: tuple[int, ...]

    @staticmethod
    def of(words: Vocabulary) -> Naming:
        """Those of the replies' wordings."""
        stems = {text.removesuffix(f" {WORDS[0]}.") for text in replies.wordings(1)[1]}
        pairs = [
            (words.encode(stem)[-1], words.encode(text)[len(words.encode(stem))])
            for stem in stems
            for text in replies.wordings(REPLY_SPEECH)[1]
            if text.startswith(f"{stem} ")
        ]
        return Naming(tuple(sorted({before for before, _ in pairs})), tuple(sorted({after for _, after in pairs})))


@torch.no_grad()
def move(
    network: Network, words: Vocabulary, batches: Iterable[Batch], reply: float = 0.0, unknown: float = 0.0
) -> tuple[float, float]:
    """Add constants to logits: of TEXT_BEGIN at every decision, of the words for an unknown word where one is named.

    Parameters
    ----------
    network
        Changed in place.
    words
        Its vocabulary.
    batches
        Streams to fit on.
    reply
        Natural logits for TEXT_BEGIN; below 0 for fewer replies.
    unknown
        Natural logits for `Naming.unknown`; below 0 for more words named.

    Returns
    -------
    tuple of float
        Standard deviations of what was added, over the decisions and the namings of these streams.
    """
    begin, naming = words.ids["TEXT_BEGIN"], Naming.of(words)
    before = torch.tensor(naming.before)
    decided, weights, said, named = [], [], [], []
    for batch in batches:
        _, states = network(batch.mels, batch.tokens, batch.at)
        rows, labels = states.reshape(-1, states.shape[-1]).double(), batch.labels.reshape(-1)
        decided.append(rows[batch.decisions])
        weights.append(torch.where(labels[batch.decisions] == begin, REPLY_WEIGHT, 1.0).double())
        text = labels != IGNORED
        text[batch.decisions] = False
        said.append(rows[text])
        named.append(torch.isin(batch.tokens.reshape(-1)[text], before))
    decisions, texts, at = torch.cat(decided), torch.cat(said), torch.cat(named)
    head = network.lm.lm_head.weight
    replied = _vector(decisions, torch.ones(len(decisions)).double(), torch.cat(weights)) * reply
    head[begin] += replied.float()
    if not unknown or not at.any():
        return float((decisions @ replied).std()), 0.0
    # Namings and all other text weigh alike.
    balance = torch.where(at, len(at) / at.sum(), 1.0).double()
    added = _vector(texts, at.double(), balance) * unknown
    head[list(naming.unknown)] += added.float()
    return float((decisions @ replied).std()), float((texts[at] @ added).std())


def _vector(rows: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The vector whose products with the rows come nearest to the target: weighted least squares with a ridge."""
    width = rows.shape[1]
    ridge = RIDGE * len(rows) / width * torch.eye(width, dtype=rows.dtype)
    weighted = rows * weight[:, None]
    found: Tensor = torch.linalg.solve(weighted.T @ rows + ridge, weighted.T @ target)
    return found
