"""Move the operating points of a trained network: silence or reply, and a word's name or "I only know a few words".

The operating points of a network depend on its training mixture. They are moved after training within the weights, with
no rules besides the model: a vector is added to the output rows of TEXT_BEGIN, or of the tokens that say that a word is
unknown. Its product with the hidden state is the wanted constant at the positions of that choice (for text, also 0 at
all others), fitted by least squares over training streams.
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
"""Weight of a decision to reply in the fit, relative to one to keep silent: replies are rare."""
RIDGE = 1e-3
"""Ridge of the least squares per row and column: keeps the system well conditioned."""


@dataclass(frozen=True)
class Naming:
    """Token ids around the position where a reply to speech names a word or says that the word is unknown.

    Attributes
    ----------
    before
        Tokens before that position ("You said", "I heard").
    unknown
        Tokens at that position that say that the word is unknown.
    """

    before: tuple[int, ...]
    unknown: tuple[int, ...]

    @staticmethod
    def of(words: Vocabulary) -> Naming:
        """Find the token ids in the wordings of the replies."""
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
    """Add constants to logits: TEXT_BEGIN at every decision, and `Naming.unknown` where a word is named.

    Parameters
    ----------
    network
        Network that is changed in place.
    words
        Vocabulary of the network.
    batches
        Streams to fit on.
    reply
        Natural logits added for TEXT_BEGIN; below 0 for fewer replies.
    unknown
        Natural logits added for `Naming.unknown`; below 0 for more named words.

    Returns
    -------
    tuple of float
        Standard deviations of the added logits over the decisions, and over the positions where a word is named.
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
    # Positions where a word is named get the same total weight as all other text.
    balance = torch.where(at, len(at) / at.sum(), 1.0).double()
    added = _vector(texts, at.double(), balance) * unknown
    head[list(naming.unknown)] += added.float()
    return float((decisions @ replied).std()), float((texts[at] @ added).std())


def _vector(rows: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Solve weighted least squares with a ridge: the vector whose products with the rows approximate the target."""
    width = rows.shape[1]
    ridge = RIDGE * len(rows) / width * torch.eye(width, dtype=rows.dtype)
    weighted = rows * weight[:, None]
    found: Tensor = torch.linalg.solve(weighted.T @ rows + ridge, weighted.T @ target)
    return found
